//! C-MOVE and C-GET: which instances the keys name, and where a move may go.

use hilum_dicom::{AeTitle, DataSet, matching::Level};
use hilum_dimse::{Caller, DestinationFuture, Refusal, RetrieveHandler, RetrieveRequest, SelectFuture, Selected};
use hilum_engine::{
    PatientKey, Selection, Zone,
    audit::{Action, AuditEvent, Detail},
};

use super::{
    Node,
    kept::KeptInstances,
    keys::{PATIENT_ID, SERIES_UID, SOP_UID, STUDY_UID},
    refusal_of,
};

const ISSUER_OF_PATIENT_ID: dicom_core::Tag = dicom_core::Tag(0x0010, 0x0021);

impl RetrieveHandler for Node {
    fn select(&self, request: RetrieveRequest) -> SelectFuture<'_> {
        Box::pin(async move {
            let selection = selection(request.level, &request.keys)?;
            let scope = self.scope_of(&request.caller);
            let to = request.destination.as_ref().unwrap_or(&request.caller.calling_ae);
            if request.destination.is_some() && self.peers.find(to).is_none() {
                let detail = Detail { peer: Some(to.clone()), code: Some("unknown_peer".into()), ..Detail::default() };
                let event = AuditEvent::by(&scope, Action::Send).of(scope.home().clone()).with(detail);
                self.engine.audit_refusal(event).await.map_err(|error| refusal_of(&error))?;
                // Nothing goes there, so that nothing is selected; the caller hears that the destination is not known.
                let (instances, source) = KeptInstances::new(self.engine.clone(), Vec::new());
                return Ok(Selected { instances, source: Box::new(source) });
            }
            let kept =
                self.engine.instances_for_peer(&scope, Zone::Clinical, &selection, to).await.map_err(|error| {
                    tracing::warn!(code = error.code(), "a retrieval is not served");
                    refusal_of(&error)
                })?;
            let (instances, source) = KeptInstances::new(self.engine.clone(), kept);
            Ok(Selected { instances, source: Box::new(source) })
        })
    }

    fn destination<'a>(&'a self, title: &'a AeTitle, _: &'a Caller) -> DestinationFuture<'a> {
        Box::pin(async move { self.peers.find(title).map(|known| known.peer.clone()) })
    }
}

/// The unique keys down to the level; keys below it are none of a retrieval (PS3.4 C.4.2.2.1).
fn selection(level: Level, keys: &DataSet) -> Result<Selection, Refusal> {
    let patient = keys
        .text(PATIENT_ID)
        .map(|id| PatientKey { id: id.to_owned(), issuer: keys.text(ISSUER_OF_PATIENT_ID).map(str::to_owned) });
    Ok(Selection {
        patient,
        study: if level >= Level::Study { uids(keys, STUDY_UID)? } else { None },
        series: if level >= Level::Series { uids(keys, SERIES_UID)? } else { None },
        instance: if level >= Level::Image { uids(keys, SOP_UID)? } else { None },
    })
}

fn uids<T: std::str::FromStr>(keys: &DataSet, tag: dicom_core::Tag) -> Result<Option<Vec<T>>, Refusal> {
    let values = keys.texts(tag).iter().filter(|value| !value.is_empty());
    let uids: Vec<T> =
        values.map(|value| value.parse().map_err(|_| Refusal::DoesNotMatch)).collect::<Result<_, _>>()?;
    Ok((!uids.is_empty()).then_some(uids))
}
