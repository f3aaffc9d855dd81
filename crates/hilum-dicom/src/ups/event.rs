//! What subscribers are told (PS3.4 Table CC.2.4-1, PS3.7 10.3.1), as DICOM JSON carries it (PS3.18 8.10.5).

use crate::DataSet;
use crate::data_set::Value;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

/// UID that an event of the keeper itself names: the whole worklist.
pub const WELL_KNOWN_EVENTS: &str = super::WORKLIST;

const AFFECTED_SOP_CLASS_UID: Tag = Tag(0x0000, 0x0002);
const COMMAND_FIELD: Tag = Tag(0x0000, 0x0100);
const MESSAGE_ID: Tag = Tag(0x0000, 0x0110);
const COMMAND_DATA_SET_TYPE: Tag = Tag(0x0000, 0x0800);
const AFFECTED_SOP_INSTANCE_UID: Tag = Tag(0x0000, 0x1000);
const EVENT_TYPE_ID: Tag = Tag(0x0000, 0x1002);

/// N-EVENT-REPORT-RQ (PS3.7 E.1).
const N_EVENT_REPORT_RQ: u32 = 0x0100;
/// There is a data set: anything but 0101H.
const WITH_DATA_SET: u32 = 0x0001;

/// Event Type ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// Its state, or the readiness of its input.
    StateReport = 1,
    /// Somebody wants it cancelled.
    CancelRequested = 2,
    /// How far it is.
    ProgressReport = 3,
    /// The keeper of the worklist was restarted, or goes down.
    ScpStatusChange = 4,
    /// A station or a person was assigned.
    Assigned = 5,
}

/// An event of a work item, before it is known who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which kind.
    pub kind: NoticeKind,
    /// What the kind tells.
    pub attributes: DataSet,
}

impl Notice {
    /// The state of a work item as it is now.
    pub fn of_state(item: &DataSet) -> Self {
        let mut attributes = DataSet::new();
        copy(item, &[tags::PROCEDURE_STEP_STATE, tags::INPUT_READINESS_STATE], &mut attributes);
        if let [progress, ..] = item.items(tags::PROCEDURE_STEP_PROGRESS_INFORMATION_SEQUENCE) {
            let why = [tags::REASON_FOR_CANCELLATION, tags::PROCEDURE_STEP_DISCONTINUATION_REASON_CODE_SEQUENCE];
            copy(progress, &why, &mut attributes);
        }
        Self { kind: NoticeKind::StateReport, attributes }
    }

    /// How far a work item is.
    pub fn of_progress(item: &DataSet) -> Self {
        let mut attributes = DataSet::new();
        copy(item, &[tags::PROCEDURE_STEP_PROGRESS_INFORMATION_SEQUENCE], &mut attributes);
        Self { kind: NoticeKind::ProgressReport, attributes }
    }

    /// Somebody wants a work item cancelled; `request` names its application entity.
    pub fn of_cancel_request(request: &DataSet) -> Self {
        Self { kind: NoticeKind::CancelRequested, attributes: request.clone() }
    }

    /// To whom a work item was given, where it was given to anybody.
    pub fn of_assignment(item: &DataSet) -> Option<Self> {
        let mut attributes = DataSet::new();
        let stations = item.items(tags::SCHEDULED_STATION_NAME_CODE_SEQUENCE);
        let people = item.items(tags::SCHEDULED_HUMAN_PERFORMERS_SEQUENCE);
        if stations.is_empty() && people.is_empty() {
            return None;
        }
        copy(item, &[tags::SCHEDULED_STATION_NAME_CODE_SEQUENCE], &mut attributes);
        let codes: Vec<DataSet> =
            people.iter().flat_map(|person| person.items(tags::HUMAN_PERFORMER_CODE_SEQUENCE)).cloned().collect();
        if !codes.is_empty() {
            attributes.set_items(tags::HUMAN_PERFORMER_CODE_SEQUENCE, codes);
        }
        if let Some(organization) = people.iter().find_map(|person| person.text(tags::HUMAN_PERFORMER_ORGANIZATION)) {
            attributes.set(tags::HUMAN_PERFORMER_ORGANIZATION, organization);
        }
        Some(Self { kind: NoticeKind::Assigned, attributes })
    }

    /// The whole message about the instance `uid`, which may be the well-known one of the worklist.
    pub fn message(&self, uid: &str, message_id: u16) -> DataSet {
        let mut out = self.attributes.clone();
        let number = |number: u32| Value::Text(vec![number.to_string()]);
        out.insert(AFFECTED_SOP_CLASS_UID, VR::UI, Value::Text(vec![super::PUSH.to_owned()]))
            .insert(COMMAND_FIELD, VR::US, number(N_EVENT_REPORT_RQ))
            .insert(MESSAGE_ID, VR::US, number(message_id.into()))
            .insert(COMMAND_DATA_SET_TYPE, VR::US, number(WITH_DATA_SET))
            .insert(AFFECTED_SOP_INSTANCE_UID, VR::UI, Value::Text(vec![uid.to_owned()]))
            .insert(EVENT_TYPE_ID, VR::US, number(self.kind as u32));
        out
    }
}

/// The keeper of the worklist was restarted with all that it had, or goes down.
pub fn scp_status(goes_down: bool) -> Notice {
    let mut attributes = DataSet::new();
    attributes
        .set(tags::SCP_STATUS, if goes_down { "GOING DOWN" } else { "RESTARTED" })
        .set(tags::SUBSCRIPTION_LIST_STATUS, "WARM START")
        .set(tags::UNIFIED_PROCEDURE_STEP_LIST_STATUS, "WARM START");
    Notice { kind: NoticeKind::ScpStatusChange, attributes }
}

fn copy(from: &DataSet, wanted: &[Tag], to: &mut DataSet) {
    for (tag, vr, value) in from.iter().filter(|(tag, ..)| wanted.contains(tag)) {
        to.insert(tag, vr, value.clone());
    }
}
