//! The rules of N-CREATE, N-SET and the final states (PS3.4 CC.2.5, CC.2.6), on the rows of [`REQUIREMENTS`].

use super::error::StepError;
use super::requirements::{AtCreate, AtEnd, AtSet, REQUIREMENTS};
use super::state::StepState;
use crate::DataSet;
use crate::data_set::Value;
use crate::header::dictionary_vr;
use crate::matching::Range;
use crate::uid::SopUid;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

/// A new work item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// What it says, every attribute of type 2 there.
    pub data_set: DataSet,
    /// Something was added that the creator should have stated.
    pub modified: bool,
}

/// What the standard lets these say.
const TERMS: [(Tag, &[&str], &str); 2] = [
    (tags::SCHEDULED_PROCEDURE_STEP_PRIORITY, &["HIGH", "MEDIUM", "LOW"], "HIGH, MEDIUM or LOW"),
    (tags::INPUT_READINESS_STATE, &["INCOMPLETE", "UNAVAILABLE", "READY"], "INCOMPLETE, UNAVAILABLE or READY"),
];

/// A work item as its creator states it, without SOP Class and Instance UID, which the keeper of the worklist knows. What is of type 2 and
/// is not there is added without a value: many requesters leave it out.
pub fn check_new(stated: &DataSet) -> Result<Created, StepError> {
    let mut data_set = stated.clone();
    if let Some(class) = data_set.text(tags::SOP_CLASS_UID).map(str::to_owned)
        && class != super::PUSH
    {
        return Err(StepError::Value {
            tag: tags::SOP_CLASS_UID,
            expected: "the UID of Unified Procedure Step - Push",
        });
    }
    data_set.remove(tags::SOP_CLASS_UID);
    data_set.remove(tags::SOP_INSTANCE_UID);
    let mut modified = false;
    for requirement in REQUIREMENTS {
        let tag = last(requirement.path);
        for holder in holders(&data_set, requirement.path) {
            let value = holder.get(tag);
            let has_value = value.is_some_and(|value| !value.is_empty());
            match requirement.create {
                AtCreate::Value if !has_value => return Err(StepError::Missing(tag)),
                AtCreate::Empty | AtCreate::Forbidden if has_value => return Err(StepError::NotAllowed(tag)),
                _ => {}
            }
        }
        if let [tag] = requirement.path {
            match requirement.create {
                AtCreate::Present | AtCreate::Empty if *tag != tags::TRANSACTION_UID => {
                    if data_set.get(*tag).is_none() {
                        let vr = dictionary_vr(*tag);
                        data_set.insert(*tag, vr, Value::empty(vr));
                        modified = true;
                    }
                }
                AtCreate::Empty | AtCreate::Forbidden => drop(data_set.remove(*tag)),
                AtCreate::Value | AtCreate::Present | AtCreate::Optional => {}
            }
        }
    }
    match data_set.text(tags::PROCEDURE_STEP_STATE).map(str::parse) {
        Some(Ok(StepState::Scheduled)) => {}
        _ => {
            return Err(StepError::Value {
                tag: tags::PROCEDURE_STEP_STATE,
                expected: "SCHEDULED, of a new work item",
            });
        }
    }
    check_values(&data_set)?;
    Ok(Created { data_set, modified })
}

/// What a work item is to say from now on.
pub fn check_changes(changes: &DataSet) -> Result<(), StepError> {
    for tag in [tags::SOP_CLASS_UID, tags::SOP_INSTANCE_UID] {
        if changes.get(tag).is_some_and(|value| !value.is_empty()) {
            return Err(StepError::NotAllowed(tag));
        }
    }
    for requirement in REQUIREMENTS {
        let tag = last(requirement.path);
        for holder in holders(changes, requirement.path) {
            match (requirement.set, holder.get(tag)) {
                (AtSet::Forbidden, Some(value)) if requirement.path.len() > 1 || !value.is_empty() => {
                    return Err(StepError::NotAllowed(tag));
                }
                (AtSet::Value, Some(value)) if value.is_empty() => return Err(StepError::Missing(tag)),
                _ => {}
            }
        }
    }
    check_values(changes)
}

/// Puts what was checked into a work item; a sequence takes the place of the one that was there (PS3.4 CC.2.6.2).
pub fn put_changes(data_set: &mut DataSet, changes: &DataSet) {
    for (tag, vr, value) in changes.iter() {
        // What may not be stated comes without a value at most, and says nothing.
        let silent = REQUIREMENTS.iter().any(|row| row.path == [tag] && row.set == AtSet::Forbidden);
        if !silent && tag != tags::SOP_CLASS_UID && tag != tags::SOP_INSTANCE_UID {
            data_set.insert(tag, vr, value.clone());
        }
    }
}

/// What a request to cancel may say (PS3.4 Table CC.2.2-1).
pub fn check_cancel_request(request: &DataSet) -> Result<(), StepError> {
    const SAID: [Tag; 5] = [
        tags::REASON_FOR_CANCELLATION,
        tags::PROCEDURE_STEP_DISCONTINUATION_REASON_CODE_SEQUENCE,
        tags::CONTACT_URI,
        tags::CONTACT_DISPLAY_NAME,
        tags::REQUESTING_AE,
    ];
    if let Some((tag, ..)) = request.iter().find(|(tag, ..)| !SAID.contains(tag)) {
        return Err(StepError::NotAllowed(tag));
    }
    check_values(request)
}

/// Whether a work item may end so (PS3.4 CC.2.5.1.1).
pub fn check_final_state(data_set: &DataSet, end: StepState) -> Result<(), StepError> {
    for requirement in REQUIREMENTS {
        let asked = match requirement.end {
            AtEnd::Either => true,
            AtEnd::Completed => end == StepState::Completed,
            AtEnd::Canceled => end == StepState::Canceled,
            AtEnd::Optional => false,
        };
        let tag = last(requirement.path);
        let met = |holder: &&DataSet| holder.get(tag).is_some_and(|value| !value.is_empty());
        if asked && !holders(data_set, requirement.path).iter().all(met) {
            return Err(StepError::NotMet(tag));
        }
    }
    Ok(())
}

fn last(path: &[Tag]) -> Tag {
    path.last().copied().unwrap_or(Tag(0, 0))
}

/// The data sets that may hold the attribute at the end of a path: items of the sequences before it.
fn holders<'d>(data_set: &'d DataSet, path: &[Tag]) -> Vec<&'d DataSet> {
    let (sequences, _) = path.split_at(path.len().saturating_sub(1));
    sequences
        .iter()
        .fold(vec![data_set], |holders, sequence| holders.iter().flat_map(|holder| holder.items(*sequence)).collect())
}

/// Values that searching, matching and referring depend on are what their value representations allow (PS3.5 6.2).
fn check_values(data_set: &DataSet) -> Result<(), StepError> {
    for (tag, terms, expected) in TERMS {
        if data_set.texts(tag).iter().any(|text| !terms.contains(&text.as_str())) {
            return Err(StepError::Value { tag, expected });
        }
    }
    check_representations(data_set)
}

fn check_representations(data_set: &DataSet) -> Result<(), StepError> {
    for (tag, vr, value) in data_set.iter() {
        let known = dictionary_vr(tag);
        let texts = match value {
            // One word for a sequence, another for text: no data set can be both.
            Value::Items(_) if known != VR::SQ && known != VR::UN => {
                return Err(StepError::Value { tag, expected: "text, which its value representation is" });
            }
            Value::Items(items) => {
                items.iter().try_for_each(check_representations)?;
                continue;
            }
            Value::Text(_) if known == VR::SQ && vr != VR::SQ => {
                return Err(StepError::Value { tag, expected: "items: it is a sequence" });
            }
            Value::Text(texts) => texts,
        };
        for text in texts.iter().filter(|text| !text.is_empty()) {
            let wrong = match vr {
                VR::UI => text.parse::<SopUid>().is_err().then_some("a UID (PS3.5 9.1)"),
                VR::DA | VR::TM | VR::DT => (!is_moment(vr, text)).then_some("a date, a time or both (PS3.5 6.2)"),
                VR::CS => too_long(text, 16).then_some("a code string of 16 characters at most"),
                VR::SH | VR::AE => too_long(text, 16).then_some("16 characters at most"),
                VR::LO => too_long(text, 64).then_some("64 characters at most"),
                VR::ST => too_long(text, 1024).then_some("1024 characters at most"),
                _ => None,
            };
            if let Some(expected) = wrong {
                return Err(StepError::Value { tag, expected });
            }
        }
    }
    Ok(())
}

/// A single value, and no range: what follows a minus sign is a moment's distance from UTC, which goes to -1200 (PS3.5 6.2).
fn is_moment(vr: VR, text: &str) -> bool {
    let behind_utc =
        |text: &str| text.len() == 4 && text.parse::<u32>().is_ok_and(|hhmm| hhmm <= 1200 && hhmm % 100 < 60);
    let single = match text.split_once('-') {
        None => true,
        Some((_, offset)) => vr == VR::DT && behind_utc(offset),
    };
    single && Range::read(vr, text, 0).is_ok_and(|range| range.first.is_some() && range.last.is_some())
}

fn too_long(text: &str, most: usize) -> bool {
    text.chars().count() > most
}
