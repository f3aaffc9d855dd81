//! What the engine's acts tell the trail.

use super::event::{Action, AuditEvent, Detail, KeyTag, Outcome, Subject};
use crate::access::{InstitutionCode, Scope};
use crate::archive::{Selection, StoredInstance};
use crate::engine::{Engine, Source, Zone};
use crate::error::EngineError;
use dicom_core::Tag;
use hilum_dicom::{AeTitle, DataSet, SeriesUid, StudyUid};
use std::collections::BTreeMap;

/// Attributes that say who a patient is, or which order one has.
const IDENTIFYING: [Tag; 8] = [
    Tag(0x0008, 0x0050), // Accession Number
    Tag(0x0010, 0x0010), // Patient's Name
    Tag(0x0010, 0x0020), // Patient ID
    Tag(0x0010, 0x0021), // Issuer of Patient ID
    Tag(0x0010, 0x0030), // Patient's Birth Date
    Tag(0x0010, 0x1000), // Other Patient IDs
    Tag(0x0010, 0x1002), // Other Patient IDs Sequence
    Tag(0x0038, 0x0010), // Admission ID
];

/// How many instances of each study.
pub(crate) type Counted = BTreeMap<StudyUid, u64>;

/// Counts instances by their studies.
pub(crate) fn counted(instances: &[StoredInstance]) -> Counted {
    let mut studies = Counted::new();
    for instance in instances {
        *studies.entry(instance.study.clone()).or_default() += 1;
    }
    studies
}

impl Engine {
    /// A caller searches or lists: by which identifying keys, and never for what.
    pub async fn audit_query(&self, scope: &Scope, subject: Subject, keys: &DataSet) -> Result<(), EngineError> {
        let asked = |tag: &Tag| keys.iter().any(|(key, _, value)| key == *tag && !value.is_empty());
        let keys = IDENTIFYING.iter().filter(|tag| asked(tag)).map(|tag| KeyTag::from(*tag)).collect();
        self.note_query(scope, Detail { subject: Some(subject), keys, ..Detail::default() }).await
    }

    /// A caller asks a peer for studies of an institution's; it is in the trail before the peer is asked.
    pub async fn audit_retrieval(
        &self,
        scope: &Scope,
        institution: &InstitutionCode,
        peer: &AeTitle,
        studies: &[StudyUid],
    ) -> Result<(), EngineError> {
        let detail = Detail { peer: Some(peer.clone()), ..Detail::default() };
        let event = AuditEvent::by(scope, Action::Retrieve).of(institution.clone()).about(studies.iter().cloned());
        self.audit(event.with(detail)).await
    }

    pub(crate) async fn note_query(&self, scope: &Scope, detail: Detail) -> Result<(), EngineError> {
        for institution in scope.institutions() {
            let event = AuditEvent::by(scope, Action::Query).of(institution.clone()).with(detail.clone());
            self.audit_soon(event).await?;
        }
        Ok(())
    }

    /// A caller sees a study, its instances or its report.
    pub(crate) async fn note_view(
        &self,
        scope: &Scope,
        subject: Subject,
        study: &StudyUid,
        series: Option<&SeriesUid>,
    ) -> Result<(), EngineError> {
        let detail = Detail { subject: Some(subject), series: series.cloned(), ..Detail::default() };
        let event = AuditEvent::by(scope, Action::View).about([study.clone()]).with(detail);
        if scope.institutions().any(|code| self.gatherer().joins(&event.clone().of(code.clone()))) {
            return Ok(());
        }
        for owner in self.owners(scope, study).await? {
            self.audit_soon(event.clone().of(owner)).await?;
        }
        Ok(())
    }

    /// A caller sees instances of a selection that was found.
    pub(crate) async fn note_selection(&self, scope: &Scope, selection: &Selection) -> Result<(), EngineError> {
        let studies = selection.study.as_deref().unwrap_or_default();
        let series = match (studies, selection.series.as_deref()) {
            ([_], Some([series])) => Some(series),
            _ => None,
        };
        for study in studies {
            self.note_view(scope, Subject::Instances, study, series).await?;
        }
        Ok(())
    }

    /// An instance came in over a network; `scope` is that of the institution which has it.
    pub(crate) async fn note_received(
        &self,
        scope: &Scope,
        source: Source,
        study: &StudyUid,
    ) -> Result<(), EngineError> {
        let detail = Detail { source: Some(source), instances: Some(1), ..Detail::default() };
        let event = AuditEvent::by(scope, Action::Receive).of(scope.home().clone());
        self.audit_soon(event.about([study.clone()]).with(detail)).await
    }

    /// One event a study, durable when this returns.
    pub(crate) async fn note_studies(
        &self,
        scope: &Scope,
        action: Action,
        outcome: Outcome,
        detail: &Detail,
        studies: &Counted,
    ) -> Result<(), EngineError> {
        let mut events = Vec::with_capacity(studies.len());
        for (study, instances) in studies {
            let detail = Detail { instances: Some(*instances), ..detail.clone() };
            for owner in self.owners(scope, study).await? {
                let event = AuditEvent::by(scope, action).ended(outcome).of(owner);
                events.push(event.about([study.clone()]).with(detail.clone()));
            }
        }
        self.audit_all(&events).await
    }

    /// Instances that are about to go to a peer, which is written before they are handed out.
    pub async fn instances_for_peer(
        &self,
        scope: &Scope,
        zone: Zone,
        selection: &Selection,
        peer: &AeTitle,
    ) -> Result<Vec<StoredInstance>, EngineError> {
        let instances = self.instances_unseen(scope, zone, selection).await?;
        let detail = Detail { peer: Some(peer.clone()), ..Detail::default() };
        self.note_studies(scope, Action::Send, Outcome::Done, &detail, &counted(&instances)).await?;
        Ok(instances)
    }

    /// Instances are about to go to a peer because a rule says so.
    pub async fn audit_forward(&self, peer: &AeTitle, instances: &[StoredInstance]) -> Result<(), EngineError> {
        let scope = self.catalog().system_scope().await?;
        let detail = Detail { peer: Some(peer.clone()), code: Some("forward".into()), ..Detail::default() };
        self.note_studies(&scope, Action::Send, Outcome::Done, &detail, &counted(instances)).await
    }

    /// The institutions in the caller's sight that have a study.
    async fn owners(&self, scope: &Scope, study: &StudyUid) -> Result<Vec<InstitutionCode>, EngineError> {
        let mut institutions = scope.institutions();
        match (institutions.next(), institutions.next()) {
            (Some(only), None) => Ok(vec![only.clone()]),
            _ => Ok(self.catalog().institutions_of_study(scope, study).await?),
        }
    }
}
