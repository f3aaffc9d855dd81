//! Queries to a peer, bounded.

use dicom_core::Tag;
use hilum_dicom::{
    DataSet,
    matching::{Query, QueryOptions},
};
use hilum_dimse::{Peer, Question, Scu, ScuError};

use super::keys::{ACCESSION, MODALITIES_IN_STUDY, STUDY_DATE, STUDY_DESCRIPTION};

/// At most `limit` matches, and whether there were more; then the peer is told to stop.
pub async fn matches(
    scu: &Scu,
    peer: &Peer,
    question: &Question,
    limit: usize,
) -> Result<(Vec<DataSet>, bool), ScuError> {
    let mut matches = scu.find(peer, question).await?;
    let mut found = Vec::new();
    while let Some(next) = matches.next().await {
        let next = next?;
        if found.len() == limit {
            if let Err(error) = matches.cancel().await {
                tracing::debug!(%error, "the peer did not take the end of a query in order");
            }
            return Ok((found, true));
        }
        found.push(next);
    }
    Ok((found, false))
}

/// Whether an answer agrees with the optional keys that it answers. A peer may leave an optional key unmatched (PS3.4 C.2.2.1.3),
/// and then sends more than was asked for; nobody wants that retrieved.
pub fn agrees(question: &Question, found: &DataSet) -> bool {
    let mut answered = DataSet::new();
    for (tag, vr, value) in question.keys.iter() {
        let optional: [Tag; 4] = [STUDY_DATE, ACCESSION, MODALITIES_IN_STUDY, STUDY_DESCRIPTION];
        if optional.contains(&tag) && found.get(tag).is_some_and(|found| !found.is_empty()) {
            answered.insert(tag, vr, value.clone());
        }
    }
    Query::read(&answered, QueryOptions::default()).is_ok_and(|query| query.matches(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hilum_dimse::InformationModel;

    #[test]
    fn an_answer_beside_the_question_is_left_and_one_that_says_nothing_is_taken() {
        let mut keys = DataSet::new();
        keys.set(MODALITIES_IN_STUDY, "CT").set(STUDY_DESCRIPTION, "*KUB*").set(STUDY_DATE, "");
        let options = QueryOptions::default();
        let question = Question { model: InformationModel::StudyRoot, level: None, keys, options };
        let mut found = DataSet::new();
        assert!(agrees(&question, &found));
        found.set_all(MODALITIES_IN_STUDY, vec!["SR".to_owned(), "CT".to_owned()]);
        assert!(agrees(&question, &found));
        found.set(STUDY_DESCRIPTION, "CT KUB low dose");
        assert!(agrees(&question, &found));
        found.set(MODALITIES_IN_STUDY, "MR");
        assert!(!agrees(&question, &found));
    }
}
