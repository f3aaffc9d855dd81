//! Pulling from a peer what it has and we have not: one turn of a schedule.

use std::{collections::BTreeSet, sync::Arc};

use hilum_dicom::{DataSet, StudyUid, matching::Level, matching::QueryOptions};
use hilum_dimse::{InformationModel, Progress, Question, ScuError};
use hilum_engine::EngineError;
use time::{Duration, OffsetDateTime, macros::format_description};

use super::{
    Node, ask,
    fetch::{Fetch, Sink},
    keys::{MODALITIES_IN_STUDY, PATIENT_ID, STUDY_DATE, STUDY_DESCRIPTION, STUDY_INSTANCES, STUDY_UID},
};
use crate::settings::{KnownPeer, Patients, Pull};

/// Most answers that are looked at in one turn, and most patients that are asked about.
const LOOKED_AT: usize = 10_000;
const PATIENTS: usize = 1_000;

impl Node {
    /// Asks the peer, and fetches studies that are not here whole, at most as many as the schedule allows; how many that were. Doing it
    /// twice fetches nothing the second time. A study that does not come is left to a later turn, and as many of those end a question as
    /// studies that come; a peer that cannot be reached ends the turn.
    pub async fn pull(self: &Arc<Self>, pull: &Pull, known: &KnownPeer) -> anyhow::Result<u64> {
        let now = OffsetDateTime::now_utc();
        let questions = match pull.patients {
            Patients::All => vec![question(pull, now, None)?],
            Patients::Worklist => self
                .patients_on_the_worklist(known)
                .await?
                .iter()
                .map(|patient| question(pull, now, Some(patient)))
                .collect::<Result<_, _>>()?,
        };
        let mut left = pull.most_studies;
        for question in &questions {
            left -= self.pull_matches(question, left, known).await?;
        }
        if left == 0 {
            tracing::info!(peer = %pull.peer, "a turn pulled as many studies as it may; the next one goes on");
        }
        Ok(pull.most_studies - left)
    }

    async fn pull_matches(self: &Arc<Self>, question: &Question, most: u64, known: &KnownPeer) -> anyhow::Result<u64> {
        if most == 0 {
            return Ok(0);
        }
        let (found, _) = ask::matches(&self.scu, &known.peer, question, LOOKED_AT).await?;
        let (scope, title) = (known.scope(), &known.peer.ae_title);
        let (mut fetched, mut left_out) = (0, 0);
        for found in found.iter().filter(|found| ask::agrees(question, found)) {
            let Some(study) = found.text(STUDY_UID).and_then(|uid| uid.parse::<StudyUid>().ok()) else { continue };
            let announced = found.text(STUDY_INSTANCES).and_then(|count| count.trim().parse().ok()).unwrap_or(0);
            if !self.engine.is_pull_due(&scope, title, &study, announced).await? {
                continue;
            }
            if fetched == most || left_out == most {
                break;
            }
            let sink = Sink::new(Arc::clone(self));
            let fetch = Fetch { scu: &self.scu, known, by: known.retrieve_by, ae_title: &self.ae_title, sink: &sink };
            let report = fetch.fetch(study.as_str(), None, std::future::pending(), |_| {}).await;
            let report = match report {
                Err(error) if is_out_of_reach(&error) => return Err(error.into()),
                report => report,
            };
            self.engine.end_pull(&scope, title, &study, announced).await?;
            match report {
                Ok(report) => {
                    let Progress { completed, failed, warning, .. } = report.progress;
                    tracing::info!(peer = %title, completed, failed, "study pulled");
                    let came = completed > 0 || warning > 0;
                    fetched += u64::from(came);
                    left_out += u64::from(!came);
                }
                Err(error) => {
                    tracing::warn!(peer = %title, %error, "a study was not pulled; a later turn tries again");
                    left_out += 1;
                }
            }
        }
        Ok(fetched)
    }

    /// Fetches the studies that work items wait for, from the first peer of their institution that has them; how many that were. One that
    /// does not come is tried again with growing pauses, as in every pull.
    pub async fn fetch_for_work(self: &Arc<Self>) -> anyhow::Result<u64> {
        let mut fetched = 0;
        for wanted in self.engine.work_to_fetch().await? {
            let peers = wanted.from.iter().filter_map(|title| self.peers.find(title).cloned());
            let peers: Vec<KnownPeer> = peers.filter(|known| *known.scope().home() == wanted.institution).collect();
            for known in peers {
                let (scope, title) = (known.scope(), &known.peer.ae_title);
                if !self.engine.is_pull_due(&scope, title, &wanted.study, 0).await? {
                    continue;
                }
                let sink = Sink::new(Arc::clone(self));
                let (scu, by) = (&self.scu, known.retrieve_by);
                let fetch = Fetch { scu, known: &known, by, ae_title: &self.ae_title, sink: &sink };
                let report = fetch.fetch(wanted.study.as_str(), None, std::future::pending(), |_| {}).await;
                self.engine.end_pull(&scope, title, &wanted.study, 0).await?;
                match report {
                    Ok(report) if report.progress.completed > 0 => {
                        tracing::info!(peer = %title, completed = report.progress.completed, "study of a work item fetched");
                        fetched += 1;
                        break;
                    }
                    Ok(_) => {}
                    Err(error) => tracing::warn!(peer = %title, %error, "a study of a work item was not fetched"),
                }
            }
        }
        Ok(fetched)
    }

    /// Their IDs. One with a wild card in it would mean others too.
    async fn patients_on_the_worklist(&self, known: &KnownPeer) -> Result<BTreeSet<String>, EngineError> {
        let (mut patients, mut after) = (BTreeSet::new(), None);
        loop {
            let page = self.engine.worklist(&known.scope(), &DataSet::new(), QueryOptions::default(), after).await?;
            let ids = page.orders.iter().filter_map(|order| order.text(PATIENT_ID));
            patients.extend(ids.filter(|id| !id.contains(['*', '?', '\\'])).map(str::to_owned));
            match page.next {
                Some(next) if patients.len() < PATIENTS => after = Some(next),
                _ => return Ok(patients),
            }
        }
    }
}

/// There was no association: what was asked for has no part in it.
fn is_out_of_reach(error: &ScuError) -> bool {
    matches!(error, ScuError::Connect { .. } | ScuError::NoTls { .. } | ScuError::Rejected { .. })
}

/// Today is the day everywhere on earth: from a day before to a day after that of UTC.
fn question(pull: &Pull, now: OffsetDateTime, patient: Option<&String>) -> anyhow::Result<Question> {
    let day = format_description!("[year][month][day]");
    let dates = match pull.days_back {
        None => String::new(),
        Some(days_back) => {
            let from = (now - Duration::days(i64::from(days_back) + 1)).format(day)?;
            format!("{from}-{}", (now + Duration::days(1)).format(day)?)
        }
    };
    let mut keys = DataSet::new();
    for (tag, key) in [
        (STUDY_DATE, Some(&dates)),
        (MODALITIES_IN_STUDY, pull.modality.as_ref()),
        (STUDY_DESCRIPTION, pull.description.as_ref()),
        (PATIENT_ID, patient),
    ] {
        keys.set(tag, key.cloned().unwrap_or_default());
    }
    keys.set(STUDY_UID, "").set(STUDY_INSTANCES, "");
    let options = QueryOptions::default();
    Ok(Question { model: InformationModel::StudyRoot, level: Some(Level::Study), keys, options })
}
