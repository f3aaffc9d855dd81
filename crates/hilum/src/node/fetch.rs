//! Retrieving a study from a peer, by C-GET or by C-MOVE to ourselves; what comes goes through the door of every instance.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use hilum_dicom::{AeTitle, SopClassUid, TransferSyntaxUid};
use hilum_dimse::{
    Progress, ReceivedInstance, RetrieveReport, Scu, ScuError, StorageContext, StoreFuture, StoreHandler, StoreOutcome,
};

use super::{Node, ask, keys};
use crate::settings::{KnownPeer, RetrieveBy};

/// Most series and most instances of a study that are asked about before a C-GET.
const SERIES: usize = 1_000;
const IMAGES: usize = 50_000;

/// Up to so many SOP classes each gets its transfer syntaxes one by one, so that objects come as the peer keeps them: an
/// association has 128 presentation contexts, one of them for the C-GET (PS3.8 9.3.2.2).
const CLASSES_ONE_BY_ONE: usize = 12;
const STORAGE_CONTEXTS: usize = 127;

/// Transfer syntaxes that objects may come in, the common ones first.
const SYNTAXES: [&str; 24] = [
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.203",
    "1.2.840.10008.1.2.4.102",
    "1.2.840.10008.1.2.4.103",
    "1.2.840.10008.1.2.4.100",
    "1.2.840.10008.1.2.4.107",
    "1.2.840.10008.1.2.4.110",
    "1.2.840.10008.1.2.4.111",
    "1.2.840.10008.1.2.4.112",
    "1.2.840.10008.1.2.1.98",
];

/// Proposed where a peer does not say which SOP classes a study has (PS3.4 Table B.5-1).
const USUAL_CLASSES: [&str; 24] = [
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1.2",
    "1.2.840.10008.5.1.4.1.1.6.1",
    "1.2.840.10008.5.1.4.1.1.3.1",
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.7.2",
    "1.2.840.10008.5.1.4.1.1.7.4",
    "1.2.840.10008.5.1.4.1.1.12.1",
    "1.2.840.10008.5.1.4.1.1.12.2",
    "1.2.840.10008.5.1.4.1.1.20",
    "1.2.840.10008.5.1.4.1.1.128",
    "1.2.840.10008.5.1.4.1.1.11.1",
    "1.2.840.10008.5.1.4.1.1.66.4",
    "1.2.840.10008.5.1.4.1.1.88.11",
    "1.2.840.10008.5.1.4.1.1.88.22",
    "1.2.840.10008.5.1.4.1.1.88.33",
    "1.2.840.10008.5.1.4.1.1.88.59",
    "1.2.840.10008.5.1.4.1.1.88.67",
    "1.2.840.10008.5.1.4.1.1.104.1",
];

/// Takes what a retrieval brings, and counts it.
pub struct Sink {
    node: Arc<Node>,
    kept: AtomicU64,
    refused: AtomicU64,
}

impl Sink {
    /// Nothing has come yet.
    pub fn new(node: Arc<Node>) -> Arc<Self> {
        Arc::new(Self { node, kept: AtomicU64::new(0), refused: AtomicU64::new(0) })
    }

    /// Instances that are durable here, those that were there before included.
    pub fn kept(&self) -> u64 {
        self.kept.load(Ordering::Relaxed)
    }

    /// Instances that came and were not kept.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl StoreHandler for Sink {
    fn store(&self, instance: ReceivedInstance) -> StoreFuture<'_> {
        Box::pin(async move {
            let outcome = self.node.store(instance).await;
            let counter = match outcome {
                StoreOutcome::Kept | StoreOutcome::AlreadyThere | StoreOutcome::Quarantined => &self.kept,
                _ => &self.refused,
            };
            counter.fetch_add(1, Ordering::Relaxed);
            outcome
        })
    }
}

/// How studies are fetched from one peer.
pub struct Fetch<'a> {
    pub scu: &'a Scu,
    pub known: &'a KnownPeer,
    pub by: RetrieveBy,
    /// Our own AE title: the destination of a C-MOVE.
    pub ae_title: &'a AeTitle,
    /// Where a C-GET brings the instances.
    pub sink: &'a Sink,
}

impl Fetch<'_> {
    /// Fetches a study, or one series of it. When `cancel` is done, the peer is told to stop, and its answer still waited for.
    pub async fn fetch(
        &self,
        study: &str,
        series: Option<&str>,
        cancel: impl Future<Output = ()> + Send,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<RetrieveReport, ScuError> {
        let question = keys::retrieval(study, series);
        let peer = &self.known.peer;
        match self.by {
            RetrieveBy::Get => {
                let storage = self.storage_of(study, series).await?;
                self.scu.retrieve(peer, &question, &storage, self.sink, cancel, progress).await
            }
            RetrieveBy::Move => self.scu.retrieve_to(peer, &question, self.ae_title, cancel, progress).await,
        }
    }

    /// The contexts that a study needs: asked of the peer at the image level, else the usual ones.
    async fn storage_of(&self, study: &str, series: Option<&str>) -> Result<Vec<StorageContext>, ScuError> {
        let classes = match self.classes_of(study, series).await {
            Ok(classes) => classes,
            // Not every peer answers at these levels.
            Err(ScuError::NotOffered(_) | ScuError::Status { .. }) => BTreeSet::new(),
            Err(error) => return Err(error),
        };
        Ok(contexts(classes))
    }

    async fn classes_of(&self, study: &str, series: Option<&str>) -> Result<BTreeSet<SopClassUid>, ScuError> {
        let peer = &self.known.peer;
        let series = if let Some(series) = series {
            vec![series.to_owned()]
        } else {
            let (found, _) = ask::matches(self.scu, peer, &keys::series_of(study), SERIES).await?;
            found.iter().filter_map(|found| found.text(keys::SERIES_UID)).map(str::to_owned).collect()
        };
        let mut classes = BTreeSet::new();
        for series in series {
            let (found, _) = ask::matches(self.scu, peer, &keys::images_of(study, &series), IMAGES).await?;
            classes.extend(found.iter().filter_map(|found| found.text(keys::SOP_CLASS)?.parse::<SopClassUid>().ok()));
        }
        Ok(classes)
    }
}

fn contexts(classes: BTreeSet<SopClassUid>) -> Vec<StorageContext> {
    let classes: Vec<SopClassUid> = if classes.is_empty() {
        USUAL_CLASSES.iter().filter_map(|uid| uid.parse().ok()).collect()
    } else {
        classes.into_iter().take(STORAGE_CONTEXTS).collect()
    };
    let each = if classes.len() > CLASSES_ONE_BY_ONE {
        SYNTAXES.len()
    } else {
        (STORAGE_CONTEXTS / classes.len()).min(SYNTAXES.len())
    };
    let transfer_syntaxes: Vec<TransferSyntaxUid> =
        SYNTAXES[..each].iter().filter_map(|uid| uid.parse().ok()).collect();
    classes
        .into_iter()
        .map(|sop_class| StorageContext { sop_class, transfer_syntaxes: transfer_syntaxes.clone() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_study_needs_fits_one_association() {
        for number in [0, 1, 5, 12, 13, 127, 200] {
            let classes = (0..number).map(|n| format!("1.2.840.10008.5.1.4.1.1.{n}").parse().unwrap()).collect();
            let contexts = contexts(classes);
            let pairs: usize = contexts.iter().map(|context| context.transfer_syntaxes.len()).sum();
            assert!(pairs <= STORAGE_CONTEXTS || contexts.len() > CLASSES_ONE_BY_ONE, "{number}: {pairs}");
            assert!(contexts.len() <= STORAGE_CONTEXTS && contexts[0].transfer_syntaxes.len() >= 10);
        }
        assert!(SYNTAXES.iter().all(|uid| hilum_dimse::is_stored_transfer_syntax(uid)));
        assert!(USUAL_CLASSES.iter().all(|uid| hilum_dimse::is_storage_sop_class(uid)));
    }
}
