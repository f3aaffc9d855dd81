//! From the chosen series to measured stones, in bounded memory, under a lease that is renewed meanwhile.

use super::{Read, Stop, coverage, planes, stones};
use crate::access::Scope;
use crate::catalog::{Claim, Renewal, SeriesInstance, SettledSeries};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::report::ReportError;
use crate::storage::{self, Storage, StorageError, hex};
use crate::tagging::rank::Choice;
use crate::views::ReadingStatus;
use hilum_clinical::Message;
use hilum_clinical::report::SliceInput;
use hilum_clinical::urinary_stone::Placed;
use hilum_dicom::geometry::SlicePlacement;
use hilum_dicom::pixels::{PixelError, read_hu};
use hilum_imaging::Affine;
use hilum_infer::read::ReadError;
use hilum_infer::{Model, Reading, SliceStack, read_stack};
use ndarray::Array2;
use sha2::{Digest, Sha256};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// How often the lease is renewed and a wish to cancel is looked for.
const RENEW: Duration = Duration::from_secs(1);

/// A slice could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SliceError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Pixels(#[from] PixelError),
}

/// The slices of a series in stack order: instance and frame.
pub(crate) struct Stack {
    pub(crate) instances: Vec<SeriesInstance>,
    pub(crate) slices: Vec<(usize, u32)>,
    rows: usize,
    columns: usize,
}

impl Stack {
    pub(crate) fn new(instances: Vec<SeriesInstance>, order: &[usize]) -> Self {
        let placed: Vec<(usize, SlicePlacement)> = instances
            .iter()
            .enumerate()
            .flat_map(|(index, instance)| {
                SlicePlacement::of(&instance.facts).into_iter().map(move |slice| (index, slice))
            })
            .collect();
        let (rows, columns) = placed.first().map_or((0, 0), |(_, slice)| (slice.rows as usize, slice.columns as usize));
        let slices =
            order.iter().filter_map(|at| placed.get(*at)).map(|(index, slice)| (*index, slice.frame)).collect();
        Self { instances, slices, rows, columns }
    }

    /// A slice as `[row, column]` in HU.
    pub(crate) fn hu(&self, storage: &Storage, slice: usize) -> Result<Array2<i16>, SliceError> {
        let (instance, frame) = self.slices[slice];
        let next = self.slices[slice..].iter().map(|(instance, _)| &self.instances[*instance].object);
        storage.will_read(next, storage::Reading::Whole);
        let bytes = storage.read(&self.instances[instance].object)?;
        Ok(read_hu(&bytes, frame)?)
    }

    fn inputs(&self, scores: impl Fn(usize) -> Option<f32>) -> Vec<SliceInput> {
        let row = |(index, (instance, _)): (usize, &(usize, u32))| {
            let instance = &self.instances[*instance];
            SliceInput {
                instance_number: instance.facts.image.instance_number.and_then(|number| i32::try_from(number).ok()),
                file_name: instance.file_name.clone().unwrap_or_else(|| instance.facts.sop.to_string()),
                score: scores(index),
            }
        };
        self.slices.iter().enumerate().map(row).collect()
    }

    /// SHA-256 over the digests of the slices' objects, in stack order.
    pub(crate) fn input_hash(&self) -> String {
        let mut hasher = Sha256::new();
        for (instance, frame) in &self.slices {
            hasher.update(self.instances[*instance].digest.as_bytes());
            hasher.update(frame.to_le_bytes());
        }
        hex(&hasher.finalize())
    }
}

/// Reads the chosen series once.
pub(crate) async fn read_best(
    engine: &Engine,
    scope: &Scope,
    claim: &Claim,
    series: &[SettledSeries],
    choice: &Choice,
) -> Result<Read, EngineError> {
    let refuse = |status, message| Read { refusal: Some((status, message)), ..Read::default() };
    let Some(chosen) = choice.chosen.map(|index| &series[index]) else {
        return Ok(refuse(ReadingStatus::NotApplicable, Message::RefusedNoSuitableSeries));
    };
    let instances = engine.catalog().series_instances(scope, chosen.row).await?;
    let stack = Stack::new(instances, &chosen.stack.order);
    let unread = |read: Read| Read { slices: stack.inputs(|_| None), input_hash: Some(stack.input_hash()), ..read };
    // Millimetres are never stated for a stack whose geometry was refused, and nothing is read in it.
    let Some(geometry) = chosen.stack.affine.filter(|_| chosen.stack.volume_allowed()) else {
        return Ok(unread(refuse(ReadingStatus::Refused, Message::RefusedGeometry)));
    };
    let Some(model) = engine.model() else {
        return Ok(unread(refuse(ReadingStatus::NoModel, Message::RefusedNoModel)));
    };
    under_lease(engine, scope, claim, model, stack, geometry).await
}

/// Runs the reading in its own thread; this task renews the lease and passes on the wish to stop.
async fn under_lease(
    engine: &Engine,
    scope: &Scope,
    claim: &Claim,
    model: Arc<Model>,
    stack: Stack,
    geometry: Affine,
) -> Result<Read, EngineError> {
    let progress = Arc::new(AtomicU32::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let storage = Arc::clone(engine.storage());
    let (thread_progress, thread_stop) = (Arc::clone(&progress), Arc::clone(&stop));
    let mut thread = tokio::task::spawn_blocking(move || {
        read_thread(&model, &storage, &stack, geometry, &mut |done| {
            thread_progress.store(done.to_bits(), Ordering::Relaxed);
            if thread_stop.load(Ordering::Acquire) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    });
    let (mut stopped, mut said) = (None, None);
    let mut ticks = tokio::time::interval(RENEW);
    let mut read = loop {
        tokio::select! {
            outcome = &mut thread => {
                break outcome.map_err(|error| EngineError::Internal(format!("the reading thread ended early: {error}")))??;
            }
            _ = ticks.tick() => {
                let done = f32::from_bits(progress.load(Ordering::Relaxed));
                let percent = (done * 100.0) as u8;
                let news = said.replace(percent) != Some(percent);
                stopped = stopped.or(match engine.catalog().renew_claim(scope, claim, done, news).await? {
                    Renewal::CancelRequested => Some(Stop::Cancelled),
                    Renewal::Lost => Some(Stop::Interrupted),
                    Renewal::Held if engine.is_stopping() => Some(Stop::Interrupted),
                    Renewal::Held => None,
                });
                stop.store(stopped.is_some(), Ordering::Release);
            }
        }
    };
    read.stopped = read.stopped.and(stopped);
    Ok(read)
}

fn read_thread(
    model: &Model,
    storage: &Storage,
    stack: &Stack,
    geometry: Affine,
    progress: &mut dyn FnMut(f32) -> ControlFlow<()>,
) -> Result<Read, EngineError> {
    let shape = SliceStack { slices: stack.slices.len(), rows: stack.rows, columns: stack.columns, geometry };
    let reading = match read_stack(model, &shape, |slice| stack.hu(storage, slice), progress) {
        Ok(reading) => reading,
        Err(ReadError::Cancelled) => return Ok(Read { stopped: Some(Stop::Interrupted), ..Read::default() }),
        Err(ReadError::Slice { source: SliceError::Pixels(_), .. } | ReadError::Shape { .. }) => {
            return Ok(Read {
                refusal: Some((ReadingStatus::Refused, Message::RefusedUnreadablePixels)),
                slices: stack.inputs(|_| None),
                input_hash: Some(stack.input_hash()),
                ..Read::default()
            });
        }
        Err(ReadError::Slice { source: SliceError::Storage(error), .. }) => return Err(error.into()),
        Err(error) => return Err(EngineError::Internal(format!("the network could not read the series: {error}"))),
    };
    measured(storage, stack, &shape, reading)
}

fn measured(storage: &Storage, stack: &Stack, shape: &SliceStack, mut reading: Reading) -> Result<Read, EngineError> {
    let slice = |index: usize| {
        stack.hu(storage, index).map_err(|error| match error {
            SliceError::Storage(error) => EngineError::Storage(error),
            SliceError::Pixels(error) => {
                EngineError::Internal(format!("slice {index} could not be read again: {error}"))
            }
        })
    };
    let geometry = &shape.geometry;
    let coverage = coverage::of(&reading.region);
    let (slice_scores, engine) = (std::mem::take(&mut reading.slice_scores), reading.engine.engine.clone());
    let facts = stack.instances.first().map(|instance| &instance.facts);
    let spread = stones::point_spread(facts, geometry);
    let Placed { stones, rejected } = stones::measured_stones(reading, shape, spread, slice)?;
    let key_images = planes::key_images(&stones, stack.slices.len(), geometry, slice)?;
    Ok(Read {
        refusal: coverage.refusal.map(|message| (ReadingStatus::NotApplicable, message)),
        slices: stack.inputs(|index| slice_scores.get(index).copied().flatten()),
        input_hash: Some(stack.input_hash()),
        stones,
        rejected: rejected.into_iter().map(|reading| reading.candidate).collect(),
        key_images,
        looked_at: coverage.looked_at,
        not_looked_at: coverage.not_looked_at,
        engine: Some(engine),
        ..Read::default()
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
pub(crate) fn report_failed(error: ReportError) -> EngineError {
    EngineError::Internal(format!("the report could not be written: {error}"))
}
