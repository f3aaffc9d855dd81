//! Reading a study: slice by slice, only where the urinary tract is, in bounded memory.

mod candidate;
mod dense;
mod window;

use std::collections::VecDeque;
use std::ops::ControlFlow;

use hilum_imaging::frame::AnatomicalFrame;
use hilum_imaging::{RecipeError, SliceGrid, StackOrientation};
use hilum_nn::{CompileError, Inference, InputShape, Options, RunError};
use ndarray::{Array2, ArrayView2};

use crate::region::{CoarseBuilder, Region, find_frame, find_urinary_region};
use crate::{Model, SliceStack};

pub use candidate::{Candidate, Rejection, VoxelScore};

use candidate::candidates;
use dense::DenseStructures;
use window::Crop;

/// Threads of one reading.
const THREADS: usize = 2;
/// More marked voxels than this are no stones but a model out of its domain.
const MOST_MARKED_VOXELS: usize = 4_000_000;
/// Share of the progress that the coarse pass takes.
const COARSE_SHARE: f32 = 0.1;

/// What was found in a study.
#[derive(Clone, Debug)]
pub struct Reading {
    /// For each slice of the stack its highest voxel score inside the searched region, without what a filter rejected as bone, plaque or speck;
    /// `None` where nothing was searched.
    pub slice_scores: Vec<Option<f32>>,
    /// Components that passed every filter, in raster order of their first voxel.
    pub candidates: Vec<Candidate>,
    /// Components that did not, with the reason.
    pub rejected: Vec<(Candidate, Rejection)>,
    /// Where was looked, and which parts of the tract the scan covers.
    pub region: Region,
    /// Kidneys, ureters, bladder and pelvis of the patient; absent where nothing was searched or the reading ended early.
    pub frame: Option<AnatomicalFrame>,
    /// How it was computed.
    pub engine: EngineFacts,
}

/// How a reading was computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineFacts {
    /// Engine and precision.
    pub engine: String,
    /// Identity of the model.
    pub model_hash: String,
    /// Height and width of the network's input; absent where nothing was searched.
    pub crop: Option<[usize; 2]>,
    /// Slices that went through the network.
    pub slices_read: usize,
    /// Threads.
    pub threads: usize,
}

/// Why a study was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError<E: std::error::Error + 'static> {
    /// There are no slices, or they have no pixels.
    #[error("the stack has {slices} slices of {rows}x{columns} pixels; expected at least one pixel")]
    Empty {
        /// Slices.
        slices: usize,
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
    },
    /// The stack cannot be read by this recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// A slice could not be had.
    #[error("slice {index}: {source}")]
    Slice {
        /// Index in the stack.
        index: usize,
        /// What its source said.
        source: E,
    },
    /// A slice has another shape than the stack.
    #[error("slice {index} has {found:?} rows and columns; the stack has {expected:?}")]
    Shape {
        /// Index in the stack.
        index: usize,
        /// Its shape.
        found: [usize; 2],
        /// The stack's.
        expected: [usize; 2],
    },
    /// The network does not compile at the crop's shape.
    #[error("network for this study: {0}")]
    Compile(#[from] CompileError),
    /// The network refused to run.
    #[error("network run: {0}")]
    Run(#[from] RunError),
    /// Far too much was marked.
    #[error("the network marked more than {0} voxels: the study is outside what it was trained for")]
    Implausible(usize),
    /// The caller asked to stop.
    #[error("the reading was cancelled")]
    Cancelled,
}

/// Reads a stack. `slices(i)` gives slice `i` (`[row, column]`, HU) and is called in ascending order, once or twice per slice; `progress`
/// gets 0..=1 and may break. The stack must have even spacing: refusing others is the caller's part.
pub fn read_stack<E: std::error::Error + 'static>(
    model: &Model,
    stack: &SliceStack,
    slices: impl FnMut(usize) -> Result<Array2<i16>, E>,
    progress: &mut dyn FnMut(f32) -> ControlFlow<()>,
) -> Result<Reading, ReadError<E>> {
    read_stack_until(model, stack, None, slices, progress)
}

/// As [`read_stack`], but ends with the first slice on which a candidate that scores `enough` passes every filter (paper S1: stop at the first slice
/// that is positive). The slices after it have no score, and filters know only the slices before.
pub fn read_stack_until<E: std::error::Error + 'static>(
    model: &Model,
    stack: &SliceStack,
    enough: Option<f32>,
    mut slices: impl FnMut(usize) -> Result<Array2<i16>, E>,
    progress: &mut dyn FnMut(f32) -> ControlFlow<()>,
) -> Result<Reading, ReadError<E>> {
    let SliceStack { slices: count, rows, columns, geometry } = *stack;
    if count == 0 || rows == 0 || columns == 0 {
        return Err(ReadError::Empty { slices: count, rows, columns });
    }
    let mut slice = |index: usize| -> Result<Array2<i16>, ReadError<E>> {
        let hu = slices(index).map_err(|source| ReadError::Slice { index, source })?;
        let found = [hu.nrows(), hu.ncols()];
        if found == [rows, columns] {
            Ok(hu)
        } else {
            Err(ReadError::Shape { index, found, expected: [rows, columns] })
        }
    };
    let mut tell = |done: f32| match progress(done) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(ReadError::Cancelled),
    };

    let mut coarse = CoarseBuilder::new(stack)?;
    for index in coarse.wanted() {
        coarse.add(index, slice(index)?.view());
        tell(COARSE_SHARE * index as f32 / count as f32)?;
    }
    let region = find_urinary_region(&coarse.finish().map_err(|_| RecipeError::NotAxial(90.0))?);

    let recipe = &model.card.preprocessing;
    let orientation = StackOrientation::of(&geometry)?;
    let crop = Crop::of(&region, recipe);
    let mut engine = EngineFacts {
        engine: ENGINE.to_owned(),
        model_hash: model.hash.clone(),
        crop: crop.map(|c| c.shape),
        slices_read: 0,
        threads: THREADS,
    };
    let mut slice_scores = vec![None; count];
    let Some(crop) = crop else {
        tell(1.0)?;
        return Ok(Reading { slice_scores, candidates: Vec::new(), rejected: Vec::new(), region, frame: None, engine });
    };

    let [h, w] = crop.shape;
    let options = Options { threads: THREADS, isa: None };
    let mut network = Inference::compile(&model.network, &model.weights, InputShape { n: 1, h, w }, options)?;
    let mut input = vec![0.0_f32; recipe.channels() * h * w];
    let mut output = Array2::<f32>::zeros((h, w));
    let offsets = recipe.context_offsets(geometry.spacing_mm()[0]);
    let direction = if orientation.headward { 1 } else { -1 };
    let reach = offsets.iter().map(|o| o.unsigned_abs()).max().unwrap_or(0);
    let mut context = Context::new(count, reach);
    let mut marked = Vec::new();
    let levels = &model.card.post_filter.dense;
    let mut dense: Vec<_> = levels.iter().map(|l| DenseStructures::new(l.hu, geometry.spacing_mm())).collect();
    let searched = region.slices.iter().filter(|b| b.is_some()).count();
    let mut cells = CoarseBuilder::averaged(stack)?;
    let mut ended_early = false;

    for index in 0..count {
        let Some(searched_box) = region.slices[index] else { continue };
        context.move_to(index, &mut slice)?;
        let grid = crop.grid(recipe, &geometry, orientation, &searched_box, index);
        for (channel, offset) in input.chunks_exact_mut(h * w).zip(&offsets) {
            let plane = recipe.channel(&grid, context.slice(index, direction * offset));
            for (to, from) in channel.iter_mut().zip(plane.iter()) {
                *to = *from;
            }
        }
        let scores = output.as_slice_mut().expect("a fresh array is contiguous");
        network.forward(&input, scores)?;
        let source = context.slice(index, 0);
        let first_marked = marked.len();
        slice_scores[index] = mark(model, stack, index, &grid, &searched_box, output.view(), source, &mut marked);
        if marked.len() > MOST_MARKED_VOXELS {
            return Err(ReadError::Implausible(MOST_MARKED_VOXELS));
        }
        for structures in &mut dense {
            structures.add(index, source);
        }
        cells.add(index, source);
        engine.slices_read += 1;
        let done = engine.slices_read as f32 / searched as f32;
        tell(COARSE_SHARE * (1.0 - done) + done)?;
        if enough.is_some_and(|enough| marked[first_marked..].iter().any(|v| v.score >= enough)) {
            let (kept, _) = candidates(&marked, &mut dense, &region, &model.card, &geometry);
            if kept.iter().flat_map(|c| &c.voxels).any(|v| v.index[0] as usize == index) {
                tell(1.0)?;
                ended_early = true;
                break;
            }
        }
    }
    let (candidates, rejected) = candidates(&marked, &mut dense, &region, &model.card, &geometry);
    let low = rejected.iter().filter(|(_, why)| matches!(why, Rejection::LowScore { .. })).map(|(c, _)| c);
    for voxel in candidates.iter().chain(low).flat_map(|c| &c.voxels) {
        let score = &mut slice_scores[voxel.index[0] as usize];
        *score = Some(score.map_or(voxel.score, |s| s.max(voxel.score)));
    }
    let cells = cells.finish().map_err(|_| RecipeError::NotAxial(90.0))?;
    let frame = (!ended_early).then(|| find_frame(cells, &region));
    Ok(Reading { slice_scores, candidates, rejected, region, frame, engine })
}

/// What runs the network.
pub const ENGINE: &str = concat!("hilum-nn ", env!("CARGO_PKG_VERSION"), ", CPU, fp32");

/// Maps the scores back to the source's pixels, keeps those above the mask's threshold, and returns the highest of the others inside the box.
fn mark(
    model: &Model,
    stack: &SliceStack,
    index: usize,
    grid: &SliceGrid,
    searched: &crate::region::SliceBox,
    scores: ArrayView2<f32>,
    hu: ArrayView2<i16>,
    marked: &mut Vec<VoxelScore>,
) -> Option<f32> {
    let mut highest: Option<f32> = None;
    let [ys, xs] = grid.source_range([stack.rows, stack.columns]);
    for y in ys {
        for x in xs.clone() {
            let Some(score) = grid.score_at(scores, [y as f64, x as f64]) else { continue };
            let worth = score >= model.card.mask_threshold;
            if !worth && highest.is_some_and(|h| h >= score) {
                continue;
            }
            let p = stack.geometry.patient_from_index([index as f64, y as f64, x as f64]);
            if (0..2).any(|k| p[k] < searched.min_mm[k] || p[k] > searched.max_mm[k]) {
                continue;
            }
            if worth {
                let index = [index, y, x].map(|i| i as u32);
                marked.push(VoxelScore { index, score, hu: hu[[y, x]] });
                // The slice was searched, whatever becomes of what was marked.
                highest.get_or_insert(0.0);
            } else {
                highest = Some(score);
            }
        }
    }
    highest
}

/// The slices around the one that is read, each had once.
struct Context {
    count: usize,
    reach: usize,
    held: VecDeque<(usize, Array2<i16>)>,
}

impl Context {
    fn new(count: usize, reach: usize) -> Self {
        Self { count, reach, held: VecDeque::new() }
    }

    fn move_to<E>(&mut self, index: usize, slice: &mut impl FnMut(usize) -> Result<Array2<i16>, E>) -> Result<(), E> {
        let first = index.saturating_sub(self.reach);
        let last = (index + self.reach).min(self.count - 1);
        while self.held.front().is_some_and(|(i, _)| *i < first) {
            self.held.pop_front();
        }
        let next = self.held.back().map_or(first, |(i, _)| i + 1).max(first);
        for i in next..=last {
            self.held.push_back((i, slice(i)?));
        }
        Ok(())
    }

    /// The slice at `index + offset`, the stack's edge slice beyond its ends.
    fn slice(&self, index: usize, offset: isize) -> ArrayView2<'_, i16> {
        let wanted = index.saturating_add_signed(offset).min(self.count - 1);
        let first = self.held[0].0;
        self.held[wanted - first].1.view()
    }
}
