//! Pulling from a peer what it has and we have not: one turn of a schedule.

use std::sync::Arc;

use dicom_core::Tag;
use hilum_dicom::{DataSet, StudyUid, matching::Level, matching::QueryOptions};
use hilum_dimse::{InformationModel, Question};
use time::{Duration, OffsetDateTime, macros::format_description};

use super::{
    Node, ask,
    fetch::{Fetch, Sink},
    keys::{MODALITIES_IN_STUDY, STUDY_DATE, STUDY_DESCRIPTION, STUDY_INSTANCES, STUDY_UID},
};
use crate::settings::{KnownPeer, Pull};

/// Most answers that are looked at in one turn.
const LOOKED_AT: usize = 10_000;

impl Node {
    /// Asks the peer, and fetches studies that are not here whole, at most as many as the schedule allows. Doing it twice fetches nothing
    /// the second time.
    pub async fn pull(self: &Arc<Self>, pull: &Pull, known: &KnownPeer) -> anyhow::Result<u64> {
        let question = question(pull, OffsetDateTime::now_utc())?;
        let (found, _) = ask::matches(&self.scu, &known.peer, &question, LOOKED_AT).await?;
        let (scope, title) = (known.scope(), &known.peer.ae_title);
        let mut fetched = 0;
        for found in found.iter().filter(|found| ask::agrees(&question, found)) {
            let Some(study) = found.text(STUDY_UID).and_then(|uid| uid.parse::<StudyUid>().ok()) else { continue };
            let announced = found.text(STUDY_INSTANCES).and_then(|count| count.trim().parse().ok()).unwrap_or(0);
            if !self.engine.is_pull_due(&scope, title, &study, announced).await? {
                continue;
            }
            if fetched == pull.most_studies {
                tracing::info!(peer = %title, "more studies are due than one turn pulls; the next turn goes on");
                break;
            }
            let sink = Sink::new(Arc::clone(self));
            let fetch = Fetch { scu: &self.scu, known, by: known.retrieve_by, ae_title: &self.ae_title, sink: &sink };
            let report = fetch.fetch(study.as_str(), None, std::future::pending(), |_| {}).await;
            self.engine.end_pull(&scope, title, &study, announced).await?;
            let report = report?;
            tracing::info!(
                peer = %title, completed = report.progress.completed, failed = report.progress.failed, "study pulled"
            );
            fetched += 1;
        }
        Ok(fetched)
    }
}

/// Today is the day everywhere on earth: from a day before to a day after that of UTC.
fn question(pull: &Pull, now: OffsetDateTime) -> anyhow::Result<Question> {
    let day = format_description!("[year][month][day]");
    let from = (now - Duration::days(i64::from(pull.days_back) + 1)).format(day)?;
    let to = (now + Duration::days(1)).format(day)?;
    let mut keys = DataSet::new();
    let text = |tag: Tag, value: &Option<String>, keys: &mut DataSet| {
        keys.set(tag, value.clone().unwrap_or_default());
    };
    keys.set(STUDY_DATE, format!("{from}-{to}"));
    text(MODALITIES_IN_STUDY, &pull.modality, &mut keys);
    text(STUDY_DESCRIPTION, &pull.description, &mut keys);
    keys.set(STUDY_UID, "").set(STUDY_INSTANCES, "");
    Ok(Question {
        model: InformationModel::StudyRoot,
        level: Some(Level::Study),
        keys,
        options: QueryOptions::default(),
    })
}
