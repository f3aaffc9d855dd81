//! The reading side: which instances are kept, in order, and their bytes, whole or by range.
//!
//! C-MOVE, C-GET and WADO-RS name entities of one level by lists of UIDs; all of them come through [`Engine::instances`] or, where a
//! request may mean hundreds of thousands, series by series through [`Engine::select`].

mod delete;
mod metadata;
mod object;

pub use metadata::BULK_BASE;
pub use object::InstanceBytes;

use crate::access::Scope;
use crate::audit::{Subject, counted};
use crate::catalog::SelectedSeries;
use crate::engine::{Engine, Zone};
use crate::error::EngineError;
use crate::storage::{ObjectKey, Reading};
use bytes::Bytes;
use hilum_dicom::{ObjectBytes, SeriesUid, SopClassUid, SopUid, StudyUid, TransferSyntaxUid};
use std::collections::VecDeque;
use time::OffsetDateTime;

/// Which instances: all that agree with every list given. At least one list is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of this patient.
    pub patient: Option<PatientKey>,
    /// Of these studies.
    pub study: Option<Vec<StudyUid>>,
    /// Of these series.
    pub series: Option<Vec<SeriesUid>>,
    /// These instances.
    pub instance: Option<Vec<SopUid>>,
}

impl Selection {
    /// A whole study.
    pub fn study(study: StudyUid) -> Self {
        Self { study: Some(vec![study]), ..Self::default() }
    }

    /// One series of a study.
    pub fn series(study: StudyUid, series: SeriesUid) -> Self {
        Self { series: Some(vec![series]), ..Self::study(study) }
    }

    /// One instance of a series of a study.
    pub fn instance(study: StudyUid, series: SeriesUid, instance: SopUid) -> Self {
        Self { instance: Some(vec![instance]), ..Self::series(study, series) }
    }

    /// Study, Series and SOP Instance UID, where there is one of each and nothing else.
    fn names_one_instance(&self) -> Option<[&str; 3]> {
        match (&self.patient, self.study.as_deref(), self.series.as_deref(), self.instance.as_deref()) {
            (None, Some([study]), Some([series]), Some([sop])) => Some([study.as_str(), series.as_str(), sop.as_str()]),
            _ => None,
        }
    }

    fn is_empty(&self) -> bool {
        self.patient.is_none() && self.study.is_none() && self.series.is_none() && self.instance.is_none()
    }
}

/// A patient as Query/Retrieve names one: the ID, and its issuer where the caller states it.
#[derive(Clone, PartialEq, Eq)]
pub struct PatientKey {
    /// Patient ID (0010,0020).
    pub id: String,
    /// Issuer of Patient ID (0010,0021); patients of every issuer where `None`.
    pub issuer: Option<String>,
}

impl std::fmt::Debug for PatientKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PatientKey(hidden)")
    }
}

/// A kept instance. What it holds stays where it is until it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredInstance {
    /// Study Instance UID.
    pub study: StudyUid,
    /// Series Instance UID.
    pub series: SeriesUid,
    /// SOP Instance UID.
    pub sop: SopUid,
    /// SOP Class UID.
    pub sop_class: SopClassUid,
    /// The transfer syntax that its bytes are kept in: the one they were received in.
    pub transfer_syntax: TransferSyntaxUid,
    /// Number of bytes as received, file meta information and all.
    pub bytes: u64,
    /// Number of Frames, 1 where the object states none.
    pub frames: u32,
    /// Series Number (0020,0011).
    pub series_number: Option<i64>,
    /// Instance Number (0020,0013).
    pub instance_number: Option<i64>,
    /// When it was kept.
    pub received_at: OffsetDateTime,
    pub(crate) object: ObjectKey,
}

/// A selection, handed out series by series: no more than one series is in memory.
#[derive(Debug)]
pub struct SelectedInstances {
    engine: Engine,
    scope: Scope,
    selection: Selection,
    series: VecDeque<SelectedSeries>,
    instances: u64,
}

impl SelectedInstances {
    /// How many instances were selected, counted when the selection was made.
    pub fn len(&self) -> u64 {
        self.instances
    }

    /// Nothing was selected.
    pub fn is_empty(&self) -> bool {
        self.instances == 0
    }

    /// The instances of the next series, by Instance Number; `None` after the last one. What was deleted meanwhile is left out.
    pub async fn next_series(&mut self) -> Result<Option<Vec<StoredInstance>>, EngineError> {
        while let Some(series) = self.series.pop_front() {
            let instances = self.instances_of(series).await?;
            if !instances.is_empty() {
                return Ok(Some(instances));
            }
        }
        Ok(None)
    }

    /// The metadata of the next series, or of those of its instances that are selected: DICOM JSON, one object each, separated by
    /// commas. Bulk is addressed from [`BULK_BASE`] on.
    pub async fn next_metadata(&mut self) -> Result<Option<Bytes>, EngineError> {
        while let Some(series) = self.series.pop_front() {
            if self.selection.instance.is_none()
                && let Some(pack) = self.engine.packed_metadata(&self.scope, series).await?
            {
                return Ok(Some(pack));
            }
            let instances = self.instances_of(series).await?;
            if !instances.is_empty() {
                return Ok(Some(self.engine.metadata(instances).await?));
            }
        }
        Ok(None)
    }

    async fn instances_of(&self, series: SelectedSeries) -> Result<Vec<StoredInstance>, EngineError> {
        let listed = self.selection.instance.as_deref();
        Ok(self.engine.catalog().instances_of_series(&self.scope, series.row, listed).await?)
    }
}

impl Engine {
    /// Selects kept instances: studies in order of arrival, series by Series Number, instances by Instance Number.
    pub async fn select(
        &self,
        scope: &Scope,
        zone: Zone,
        selection: &Selection,
    ) -> Result<SelectedInstances, EngineError> {
        let selected = self.select_unseen(scope, zone, selection).await?;
        if !selected.is_empty() {
            self.note_selection(scope, selection).await?;
        }
        Ok(selected)
    }

    /// As [`Self::select`], for work that shows nobody anything, or whose caller tells the audit trail itself.
    pub(crate) async fn select_unseen(
        &self,
        scope: &Scope,
        zone: Zone,
        selection: &Selection,
    ) -> Result<SelectedInstances, EngineError> {
        self.caught_up().await;
        if selection.is_empty() {
            return Err(EngineError::BadRequest {
                field: "selection",
                expected: "a patient, study, series or instance",
            });
        }
        let found = self.catalog().selected_series(scope, zone, selection).await?;
        Ok(SelectedInstances {
            engine: self.clone(),
            scope: scope.clone(),
            selection: selection.clone(),
            instances: found.iter().map(|series| series.instances).sum(),
            series: found.into(),
        })
    }

    /// Every kept instance of a selection, in the order of [`Engine::select`]; an empty list where there is none.
    pub async fn instances(
        &self,
        scope: &Scope,
        zone: Zone,
        selection: &Selection,
    ) -> Result<Vec<StoredInstance>, EngineError> {
        let instances = self.instances_unseen(scope, zone, selection).await?;
        if selection.study.is_some() && !instances.is_empty() {
            self.note_selection(scope, selection).await?;
        } else {
            for study in counted(&instances).keys() {
                self.note_view(scope, Subject::Instances, study, None).await?;
            }
        }
        Ok(instances)
    }

    /// As [`Self::instances`], for work that shows nobody anything, or whose caller tells the audit trail itself.
    pub(crate) async fn instances_unseen(
        &self,
        scope: &Scope,
        zone: Zone,
        selection: &Selection,
    ) -> Result<Vec<StoredInstance>, EngineError> {
        if let Some(uids) = selection.names_one_instance() {
            self.caught_up().await;
            return Ok(self.catalog().instance(scope, zone, uids).await?);
        }
        let mut selected = self.select_unseen(scope, zone, selection).await?;
        let mut instances = Vec::new();
        while let Some(mut series) = selected.next_series().await? {
            instances.append(&mut series);
        }
        Ok(instances)
    }

    /// Says which instances are about to be read whole, in this order: from a bucket several come at a time. Does not block.
    pub fn will_read<'a>(&self, instances: impl IntoIterator<Item = &'a StoredInstance>) {
        self.storage().will_read(instances.into_iter().map(|instance| &instance.object), Reading::Whole);
    }

    /// An instance's bytes as received, whole, checked against the digest they were kept under.
    pub async fn read_instance(&self, instance: &StoredInstance) -> Result<Bytes, EngineError> {
        let (storage, object) = (self.storage().clone(), instance.object.clone());
        aside("reading an instance", move || Ok(storage.read(&object)?)).await
    }

    /// An instance's bytes as received, checked against the digest they were kept under: in memory, where they are not too many for that.
    pub async fn load_instance(&self, instance: &StoredInstance) -> Result<ObjectBytes, EngineError> {
        let (storage, object) = (self.storage().clone(), instance.object.clone());
        aside("reading an instance", move || Ok(storage.load(&object)?)).await
    }

    /// Opens an instance's bytes for reading by range: no more than what is asked for is in memory.
    pub async fn open_instance(&self, instance: &StoredInstance) -> Result<InstanceBytes, EngineError> {
        let (engine, instance) = (self.clone(), instance.clone());
        aside("opening an instance", move || engine.open_instance_blocking(&instance)).await
    }

    /// As [`Self::open_instance`], on a thread that may wait for the disk.
    pub fn open_instance_blocking(&self, instance: &StoredInstance) -> Result<InstanceBytes, EngineError> {
        InstanceBytes::open(self.storage(), &instance.object, instance.bytes)
    }
}

/// Runs what waits for the disk beside the network's threads.
pub(crate) async fn aside<T: Send + 'static>(
    act: &'static str,
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| EngineError::Internal(format!("{act} ended early: {error}")))?
}
