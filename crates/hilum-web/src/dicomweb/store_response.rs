//! The Store Instances Response (PS3.18 10.5.3 and Annex I.2) in the DICOM JSON model (Annex F).

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use hilum_dicom::{InstanceFacts, SopClassUid, SopUid, StudyUid};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Warning Reason (0008,1196) of an instance in quarantine; see `hilum_dimse`'s status table for why B000.
const QUARANTINED: u16 = 0xB000;

/// What the object says of itself, and where it can be retrieved once it is stored.
pub(super) struct Reference {
    pub(super) sop_class: SopClassUid,
    pub(super) sop: SopUid,
    study: StudyUid,
    /// Below the service's address.
    path: String,
}

impl Reference {
    pub(super) fn of(facts: &InstanceFacts) -> Self {
        let InstanceFacts { sop, sop_class, study, series, .. } = facts;
        let path = format!("studies/{}/series/{}/instances/{sop}", study.uid, series.uid);
        Self { sop_class: sop_class.clone(), sop: sop.clone(), study: study.uid.clone(), path }
    }
}

/// What became of the parts of one request.
pub(super) struct StoreResponse {
    /// The service's address.
    base: String,
    studies: BTreeSet<StudyUid>,
    stored: Items,
    failed: Items,
    others: Items,
    warned: bool,
}

/// Items of a sequence, written one behind the other: a tree of values takes ten times as much memory.
#[derive(Default)]
struct Items(String);

impl Items {
    fn push(&mut self, item: &Value) {
        if !self.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(&item.to_string());
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl StoreResponse {
    pub(super) fn new(base: String) -> Self {
        let (stored, failed, others) = Default::default();
        Self { base, studies: BTreeSet::new(), stored, failed, others, warned: false }
    }

    /// Durable under its own UID.
    pub(super) fn stored(&mut self, reference: &Reference) {
        let mut item = item(reference);
        item["00081190"] = json!({"vr": "UR", "Value": [format!("{}{}", self.base, reference.path)]});
        self.stored.push(&item);
        self.studies.insert(reference.study.clone());
    }

    /// Durable, but set aside.
    pub(super) fn quarantined(&mut self, reference: &Reference) {
        let mut item = item(reference);
        item["00081196"] = json!({"vr": "US", "Value": [QUARANTINED]});
        self.stored.push(&item);
        self.warned = true;
    }

    /// Not kept, with Failure Reason (0008,1197); without a reference it goes to Other Failures (0008,119A).
    pub(super) fn failed(&mut self, reference: Option<&Reference>, reason: u16) {
        let failure = json!({"vr": "US", "Value": [reason]});
        if let Some(reference) = reference {
            let mut item = item(reference);
            item["00081197"] = failure;
            self.failed.push(&item);
        } else {
            self.others.push(&json!({"00081197": failure}));
        }
    }

    /// Nothing was sent at all.
    pub(super) fn is_empty(&self) -> bool {
        self.stored.is_empty() && self.failed.is_empty() && self.others.is_empty()
    }

    /// 200 all stored, 202 some failed or were set aside, 409 none stored (PS3.18 Table 10.5.3-1).
    fn status(&self) -> StatusCode {
        let failures = !self.failed.is_empty() || !self.others.is_empty();
        match (self.stored.is_empty(), failures) {
            (true, _) => StatusCode::CONFLICT,
            (false, true) => StatusCode::ACCEPTED,
            (false, false) if self.warned => StatusCode::ACCEPTED,
            (false, false) => StatusCode::OK,
        }
    }
}

impl IntoResponse for StoreResponse {
    fn into_response(self) -> Response {
        let status = self.status();
        // Retrieve URL (type 2): of the study, when it is one.
        let url = match self.studies.first() {
            Some(study) if self.studies.len() == 1 => {
                json!({"vr": "UR", "Value": [format!("{}studies/{study}", self.base)]})
            }
            _ => json!({"vr": "UR"}),
        };
        let mut body = format!(r#"{{"00081190":{url}"#);
        for (tag, Items(items)) in [("00081198", self.failed), ("00081199", self.stored), ("0008119A", self.others)] {
            if !items.is_empty() {
                body.extend([r#",""#, tag, r#"":{"vr":"SQ","Value":["#, &items, "]}"]);
            }
        }
        body.push('}');
        (status, [(header::CONTENT_TYPE, "application/dicom+json")], body).into_response()
    }
}

fn item(reference: &Reference) -> Value {
    json!({
        "00081150": {"vr": "UI", "Value": [reference.sop_class]},
        "00081155": {"vr": "UI", "Value": [reference.sop]},
    })
}
