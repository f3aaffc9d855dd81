//! What the web server asks of the program around it: the node's peers, the machine, sample patients.

mod retrievals;
mod samples;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use hilum_dicom::{DataSet, StudyUid, matching::Level, matching::QueryOptions};
use hilum_dimse::{InformationModel, Question};
use hilum_engine::{Permission, ResultsWhen, Scope, audit::Subject};
use hilum_web::{
    EchoView, HealthFinding, NewRetrieval, NodeView, PeerMatches, PeerSearch, PeerStudy, PeerView, PullView,
    ResultsView, Retrieval, RuleView, SamplesView, Site, SiteFault,
};
use tokio::time::timeout;

use crate::{
    doctor::{self, Severity, Surroundings},
    failure::sentence,
    node::{Node, advice::explain, ask, keys},
    settings::{CallersMode, KnownPeer, Patients, RetrieveBy, Settings},
};
use retrievals::Retrievals;
use samples::Samples;

/// Answers of a peer that are shown.
const MATCHES: usize = 200;
/// A person waits for an echo, or for answers, no longer.
const ECHO: Duration = Duration::from_secs(15);
const SEARCH: Duration = Duration::from_mins(1);

/// The program around one web server.
pub struct Desk {
    node: Arc<Node>,
    settings: Arc<Settings>,
    data_dir: PathBuf,
    retrievals: Arc<Retrievals>,
    samples: Arc<Samples>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Desk {
    /// Of a node, with the settings it was made by.
    pub fn new(node: Arc<Node>, settings: Arc<Settings>, data_dir: PathBuf) -> Self {
        Self { node, settings, data_dir, retrievals: Arc::default(), samples: Arc::default() }
    }

    /// A peer of an institution in which the caller may do this.
    fn peer(&self, scope: &Scope, permission: Permission, title: &str) -> Result<&KnownPeer, SiteFault> {
        let unknown = SiteFault::Unknown("peer");
        let Ok(title) = title.parse() else { return Err(unknown) };
        let known = self.node.peers.find(&title).ok_or(unknown.clone())?;
        if scope.may(permission, &known.institution) {
            return Ok(known);
        }
        // What somebody may not know of is not found.
        let sees = scope.institutions().any(|code| *code == known.institution);
        Err(if sees { SiteFault::Forbidden } else { unknown })
    }

    async fn found(&self, scope: &Scope, known: &KnownPeer, search: &PeerSearch) -> Result<PeerMatches, SiteFault> {
        let question = question(search);
        let audited = self.node.engine.audit_query(scope, Subject::Studies, &question.keys).await;
        audited.map_err(|error| fault_of(&error))?;
        let asked = timeout(SEARCH, ask::matches(&self.node.scu, &known.peer, &question, MATCHES)).await;
        let (found, more) =
            asked.map_err(|_| SiteFault::Peer(silent(known, SEARCH)))?.map_err(|error| self.fault(&error, known))?;
        let mut studies = Vec::with_capacity(found.len());
        for found in found.iter().filter(|found| ask::agrees(&question, found)) {
            let Some(mut study) = study_of(found) else { continue };
            if let Ok(uid) = study.study_uid.parse::<StudyUid>() {
                study.here = self.node.engine.has_study(scope, &uid).await.map_err(|error| fault_of(&error))?;
            }
            studies.push(study);
        }
        Ok(PeerMatches { studies, more })
    }

    fn fault(&self, error: &hilum_dimse::ScuError, known: &KnownPeer) -> SiteFault {
        SiteFault::Peer(sentence(&explain(error, &known.peer, &self.settings)))
    }
}

impl Site for Desk {
    fn node(&self, scope: &Scope) -> NodeView {
        let Settings { ae_title, dimse, http, rules, pulls, .. } = &*self.settings;
        let results = self.settings.results();
        let own = |known: &&KnownPeer| scope.may(Permission::Operate, &known.institution);
        let sees = |title: &hilum_dicom::AeTitle| self.node.peers.find(title).is_some_and(|known| own(&known));
        NodeView {
            ae_title: ae_title.to_string(),
            dimse: dimse.to_string(),
            http: http.to_string(),
            https: self.settings.https().is_some(),
            tls: self.settings.tls_source().is_some(),
            anybody_may_call: self.settings.callers() == CallersMode::Anybody,
            configured: self.settings.is_from_a_file(),
            peers: self.node.peers.iter().filter(own).map(peer_view).collect(),
            rules: rules
                .iter()
                .filter(|rule| {
                    // A rule of another institution, or to its peers alone, is none of the caller's.
                    let own = rule.institution.as_ref().is_none_or(|code| scope.may(Permission::Operate, code));
                    own && (rule.institution.is_some() || rule.forward.iter().any(sees))
                })
                .map(|rule| RuleView {
                    source: rule.source.as_ref().map(hilum_dicom::matching::Pattern::as_text),
                    modality: rule.modality.clone(),
                    description: rule.description.as_ref().map(hilum_dicom::matching::Pattern::as_text),
                    institution: rule.institution.as_ref().map(|code| code.as_str().to_owned()),
                    forward: rule.forward.iter().filter(|title| sees(title)).map(ToString::to_string).collect(),
                })
                .collect(),
            pulls: pulls
                .iter()
                .filter(|pull| sees(&pull.peer))
                .map(|pull| PullView {
                    peer: pull.peer.to_string(),
                    every_minutes: pull.every.as_secs() / 60,
                    modality: pull.modality.clone(),
                    description: pull.description.clone(),
                    worklist_only: pull.patients == Patients::Worklist,
                    days_back: pull.days_back,
                    most_studies: pull.most_studies,
                })
                .collect(),
            results: ResultsView {
                objects: results.objects.iter().map(|kind| kind.as_str().to_owned()).collect(),
                when: match results.when {
                    ResultsWhen::AtOnce => "at_once",
                    ResultsWhen::Signed => "signed",
                }
                .to_owned(),
                to: results.to.iter().filter(|title| sees(title)).map(ToString::to_string).collect(),
            },
        }
    }

    fn examine(&self) -> BoxFuture<'_, Vec<HealthFinding>> {
        let (settings, data_dir) = (Arc::clone(&self.settings), self.data_dir.clone());
        Box::pin(async move {
            // It reads files and asks the kernel.
            let examine = move || doctor::examine(&settings, &data_dir, &Surroundings::this_machine());
            let mut findings = tokio::task::spawn_blocking(examine).await.unwrap_or_default();
            match doctor::examine_accounts(&self.node.engine).await {
                Ok(found) => findings.extend(found),
                Err(error) => tracing::warn!(code = error.code(), "the catalogue could not be examined"),
            }
            findings.sort_by_key(|finding| finding.severity);
            findings.into_iter().map(health).collect()
        })
    }

    fn echo<'a>(&'a self, scope: &'a Scope, peer: &'a str) -> BoxFuture<'a, Result<EchoView, SiteFault>> {
        Box::pin(async move {
            let known = self.peer(scope, Permission::Operate, peer)?;
            let started = Instant::now();
            timeout(ECHO, self.node.scu.echo(&known.peer))
                .await
                .map_err(|_| SiteFault::Peer(silent(known, ECHO)))?
                .map_err(|error| self.fault(&error, known))?;
            Ok(EchoView { milliseconds: started.elapsed().as_secs_f64() * 1000.0 })
        })
    }

    fn search<'a>(
        &'a self,
        scope: &'a Scope,
        peer: &'a str,
        search: &'a PeerSearch,
    ) -> BoxFuture<'a, Result<PeerMatches, SiteFault>> {
        Box::pin(async move {
            let known = self.peer(scope, Permission::Store, peer)?;
            // Whose patients are shown must be allowed to be seen, too.
            self.peer(scope, Permission::View, peer)?;
            self.found(scope, known, search).await
        })
    }

    fn retrieve<'a>(&'a self, scope: &'a Scope, new: &'a NewRetrieval) -> BoxFuture<'a, Result<Retrieval, SiteFault>> {
        Box::pin(async move {
            let known = self.peer(scope, Permission::Store, &new.peer)?.clone();
            let read = new.studies.iter().map(|study| study.0.parse::<StudyUid>());
            let studies =
                read.collect::<Result<Vec<_>, _>>().map_err(|error| SiteFault::Question(error.to_string()))?;
            let audited = self.node.engine.audit_retrieval(scope, &known.institution, &known.peer.ae_title, &studies);
            audited.await.map_err(|error| fault_of(&error))?;
            self.retrievals.begin(Arc::clone(&self.node), Arc::clone(&self.settings), known, studies)
        })
    }

    fn retrievals(&self, scope: &Scope) -> Vec<Retrieval> {
        self.retrievals.list(scope)
    }

    fn cancel_retrieval(&self, scope: &Scope, id: u64) -> Result<Retrieval, SiteFault> {
        self.retrievals.cancel(scope, id)
    }

    fn samples(&self, scope: &Scope) -> SamplesView {
        self.samples.view(scope.home())
    }

    fn make_samples(&self, scope: &Scope) -> SamplesView {
        self.samples.begin(self.node.engine.clone(), scope.clone())
    }

    fn cancel_samples(&self, scope: &Scope) -> SamplesView {
        self.samples.cancel(scope.home())
    }
}

fn peer_view(known: &KnownPeer) -> PeerView {
    let allowed = known.peer.allowed;
    let services = [
        ("store", allowed.store),
        ("find", allowed.find),
        ("retrieve", allowed.retrieve),
        ("commitment", allowed.commitment),
    ];
    PeerView {
        ae_title: known.peer.ae_title.to_string(),
        host: known.peer.host.clone(),
        port: known.peer.port,
        tls: known.peer.tls,
        institution: known.institution.as_str().to_owned(),
        retrieve_by: match known.retrieve_by {
            RetrieveBy::Get => "get",
            RetrieveBy::Move => "move",
        }
        .to_owned(),
        allowed: services.into_iter().filter(|(_, may)| *may).map(|(name, _)| name.to_owned()).collect(),
    }
}

fn health(finding: doctor::Finding) -> HealthFinding {
    let doctor::Finding { code, severity, text, advice } = finding;
    let severity = match severity {
        Severity::Serious => "serious",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    HealthFinding { code: code.to_owned(), severity: severity.to_owned(), text, advice }
}

fn silent(known: &KnownPeer, waited: Duration) -> String {
    format!(
        "{} did not answer within {} s; is it running, and reached from here?",
        known.peer.ae_title,
        waited.as_secs()
    )
}

fn fault_of(error: &hilum_engine::EngineError) -> SiteFault {
    tracing::warn!(code = error.code(), "a question to a peer was not put");
    SiteFault::Busy("the archive is busy; try again in a moment")
}

/// Keys of the study level; an empty one is returned.
fn question(search: &PeerSearch) -> Question {
    let PeerSearch { patient_id, name, from, to, modality, description, accession } = search;
    let day = |day: &Option<String>| day.as_ref().map_or_else(String::new, |day| day.replace('-', ""));
    let dates = if from.is_none() && to.is_none() { String::new() } else { format!("{}-{}", day(from), day(to)) };
    // A part of a name or a description is looked for, unless wild cards say otherwise.
    let part = |text: &Option<String>| match text.as_deref().map(str::trim).unwrap_or_default() {
        "" => String::new(),
        text if text.contains(['*', '?']) => text.to_owned(),
        text => format!("*{text}*"),
    };
    let whole = |text: &Option<String>| text.as_deref().map(str::trim).unwrap_or_default().to_owned();
    let mut asked = DataSet::new();
    asked
        .set(keys::PATIENT_ID, whole(patient_id))
        .set(keys::PATIENT_NAME, part(name))
        .set(keys::BIRTH_DATE, "")
        .set(keys::SEX, "")
        .set(keys::STUDY_DATE, dates)
        .set(keys::ACCESSION, whole(accession))
        .set(keys::MODALITIES_IN_STUDY, whole(modality).to_uppercase())
        .set(keys::STUDY_DESCRIPTION, part(description))
        .set(keys::STUDY_INSTANCES, "")
        .set(keys::STUDY_UID, "");
    let options = QueryOptions::default();
    Question { model: InformationModel::StudyRoot, level: Some(Level::Study), keys: asked, options }
}

/// An answer without a UID names nothing that could be fetched.
fn study_of(found: &DataSet) -> Option<PeerStudy> {
    let text = |tag| keys::cell(found, tag);
    Some(PeerStudy {
        study_uid: found.text(keys::STUDY_UID)?.to_owned(),
        name: text(keys::PATIENT_NAME),
        patient_id: text(keys::PATIENT_ID),
        birth_date: text(keys::BIRTH_DATE),
        sex: text(keys::SEX),
        study_date: text(keys::STUDY_DATE),
        description: text(keys::STUDY_DESCRIPTION),
        modalities: found.texts(keys::MODALITIES_IN_STUDY).to_vec(),
        accession: text(keys::ACCESSION),
        instances: found.text(keys::STUDY_INSTANCES).and_then(|count| count.trim().parse().ok()),
        here: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_asks_for_parts_of_names_and_for_days() {
        let search = PeerSearch {
            name: Some(" 홍길동 ".to_owned()),
            patient_id: Some("P1*".to_owned()),
            from: Some("2026-11-01".to_owned()),
            modality: Some("ct".to_owned()),
            description: Some("KUB?".to_owned()),
            ..PeerSearch::default()
        };
        let asked = question(&search).keys;
        for (tag, expected) in [
            (keys::PATIENT_NAME, "*홍길동*"),
            (keys::PATIENT_ID, "P1*"),
            (keys::STUDY_DATE, "20261101-"),
            (keys::MODALITIES_IN_STUDY, "CT"),
            (keys::STUDY_DESCRIPTION, "KUB?"),
        ] {
            assert_eq!(asked.text(tag), Some(expected));
        }
        assert!(asked.get(keys::ACCESSION).is_some_and(hilum_dicom::data_set::Value::is_empty));
    }
}
