//! How every convolution of a plan is computed: by a rule, by what was measured on this machine, or as the caller says.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::layout::{Lowered, Step};
use super::measure::Measurements;
use super::precision::{Precision, Takes};
use super::profile::Act;
use super::{Algorithm, CompileError};
use crate::geometry::{Geometry, Path};
use crate::graph::Graph;
use crate::kernels::buffer::View;
use crate::kernels::method::Method;
use crate::kernels::pack::Source;
use crate::kernels::pool::Pool;
use crate::kernels::window::{Direction, Window};
use crate::kernels::{Isa, Kernels};

/// How a plan computes. The same choices give the same bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Computation {
    /// The algorithm of 3x3 convolutions.
    pub algorithm: Algorithm,
    /// What is multiplied; in training f32.
    pub precision: Precision,
    /// A folder for measurements: with it, and [`Algorithm::Auto`], the fastest kernels of every convolution are found once on this machine and
    /// remembered there. Without it a rule decides, the same everywhere.
    pub measurements: Option<PathBuf>,
    /// Choices of an earlier plan, which go before rule and measurements.
    pub choices: Vec<LayerChoice>,
}

impl From<Algorithm> for Computation {
    fn from(algorithm: Algorithm) -> Self {
        Self { algorithm, ..Self::default() }
    }
}

impl From<Precision> for Computation {
    fn from(precision: Precision) -> Self {
        Self { precision, ..Self::default() }
    }
}

/// The kernels of a convolution or linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// Register tiles over the activations as they lie: 3x3, 1x1, and transposed 2x2.
    Direct,
    /// F(4x4, 3x3), and for 3x3x3 its sum over the depth.
    Winograd,
    /// Register tiles under lists of taps: any window.
    Window,
}

/// How one convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Choice {
    /// Its kernels.
    pub kernel: Kernel,
    /// What they multiply.
    pub precision: Precision,
}

/// On what a choice rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The rule, or the algorithm that the caller named.
    Rule,
    /// Measured when the plan was made.
    Measured,
    /// Measured before and read from the folder.
    Remembered,
    /// The caller's [`Computation::choices`].
    Given,
}

/// How one layer is computed, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerChoice {
    /// Its name.
    pub layer: String,
    /// What of it: its result, or in training also the gradient of its weights or of its input ([`Act::Weights`], [`Act::Data`]).
    #[serde(default)]
    pub act: Act,
    /// How it is computed.
    pub choice: Choice,
    /// On what that rests.
    pub basis: Basis,
}

/// The choices of a plan. Of a training plan's convolutions every act has its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// Of every convolution and linear layer, in order.
    pub layers: Vec<LayerChoice>,
    /// Why new measurements could not be written to their folder; the next plan measures again.
    pub not_remembered: Option<String>,
}

/// Which way a convolution of this geometry runs forward, and which way its input's gradient is found.
pub(super) fn directions(g: &Geometry) -> [Direction; 2] {
    if g.transposed { [Direction::Scatter, Direction::Gather] } else { [Direction::Gather, Direction::Scatter] }
}

/// A convolution to be timed: its layer, and what it reads and writes.
pub(super) struct Task {
    pub(super) node: usize,
    /// What of it, in training; `None` in inference.
    pub(super) training: Option<Act>,
    path: Path,
    pub(super) geometry: Geometry,
    pub(super) n: usize,
    pub(super) x_lanes: Vec<usize>,
    pub(super) y_lanes: Vec<usize>,
    pub(super) x_size: [usize; 3],
    pub(super) y_size: [usize; 3],
}

impl Task {
    /// Of a convolution's step.
    pub(super) fn of(step: &Step, lowered: &Lowered, graph: &Graph, n: usize, training: Option<Act>) -> Self {
        let (x, y, node) = (step.reads(), step.writes(), step.node().expect("a convolution has a layer"));
        let geometry = graph.nodes()[node].op.geometry().expect("a convolution has a window");
        Self {
            node,
            training,
            path: geometry.path(lowered.sizes[x][0]),
            geometry,
            n,
            x_lanes: lowered.lanes[x].clone(),
            y_lanes: lowered.lanes[y].clone(),
            x_size: lowered.sizes[x],
            y_size: lowered.sizes[y],
        }
    }

    /// What its time depends on, for a precision.
    pub(super) fn key(&self, precision: Precision) -> String {
        let Self { geometry: g, n, x_size: [d, h, w], .. } = self;
        let [kernel, stride, padding] = [g.kernel, g.stride, g.padding].map(|[d, h, w]| format!("{d}x{h}x{w}"));
        let act = self.training.map_or_else(String::new, |act| format!("training {act} "));
        let way = if g.transposed { "transposed " } else { "" };
        let [from, to] = [&self.x_lanes, &self.y_lanes].map(|lanes| runs(lanes));
        format!("{act}{way}{kernel} by {stride} in {padding} {precision} {n}x{d}x{h}x{w} {from} to {to}")
    }

    pub(super) fn channels(&self) -> [usize; 2] {
        [&self.x_lanes, &self.y_lanes].map(|lanes| lanes.iter().sum())
    }
}

/// Channels per block as `16*4+2`: four full blocks and one of two.
fn runs(lanes: &[usize]) -> String {
    let run =
        |same: &[usize]| if same.len() == 1 { same[0].to_string() } else { format!("{}*{}", same[0], same.len()) };
    lanes.chunk_by(|a, b| a == b).map(run).collect::<Vec<_>>().join("+")
}

/// Chooses for one convolution after another.
pub(super) struct Chooser<'a> {
    given: &'a [LayerChoice],
    measurements: Option<Measurements>,
    report: Choices,
}

impl<'a> Chooser<'a> {
    pub(super) fn new(computation: &'a Computation, tables: Tables, threads: usize) -> Self {
        let Computation { algorithm, measurements, choices: given, .. } = computation;
        let folder = measurements.as_ref().filter(|_| *algorithm == Algorithm::Auto);
        let measurements = folder.map(|folder| Measurements::of(folder, tables.isa(), threads));
        Self { given, measurements, report: Choices::default() }
    }

    /// One of the candidates, of which the first is the rule's.
    pub(super) fn choose(
        &mut self,
        task: &Task,
        candidates: &[Choice],
        graph: &Graph,
        tables: Tables,
        pool: &mut Pool,
    ) -> Result<Choice, CompileError> {
        let layer = graph.values()[task.node + 1].name.clone();
        let act = task.training.unwrap_or_default();
        let given = self.given.iter().find(|given| given.layer == layer && given.act == act);
        let (choice, basis) = match (given, &mut self.measurements) {
            (Some(given), _) if candidates.contains(&given.choice) => (given.choice, Basis::Given),
            (Some(given), _) => return Err(given.refused()),
            (None, Some(measurements)) if candidates.len() > 1 => {
                let (choice, now) = measurements.fastest(task, candidates, graph, tables, pool)?;
                (choice, if now { Basis::Measured } else { Basis::Remembered })
            }
            (None, _) => (candidates[0], Basis::Rule),
        };
        self.report.layers.push(LayerChoice { layer, act, choice, basis });
        Ok(choice)
    }

    /// The report; new measurements are written.
    pub(super) fn finish(mut self) -> Result<Choices, CompileError> {
        let met = |given: &LayerChoice| {
            self.report.layers.iter().any(|l| (l.layer.as_str(), l.act) == (given.layer.as_str(), given.act))
        };
        if let Some(stray) = self.given.iter().find(|given| !met(given)) {
            return Err(stray.refused());
        }
        self.report.not_remembered = self.measurements.and_then(|measurements| measurements.save().err());
        Ok(self.report)
    }
}

/// The choices of an inference plan, by node and as a report.
pub(super) fn choose(
    lowered: &Lowered,
    graph: &Graph,
    n: usize,
    computation: &Computation,
    tables: Tables,
    pool: &mut Pool,
) -> Result<(Vec<Option<Choice>>, Choices), CompileError> {
    let mut chooser = Chooser::new(computation, tables, pool.threads());
    let mut by_node = vec![None; graph.nodes().len()];
    for step in &lowered.steps {
        let Step::Conv { node, .. } = *step else { continue };
        let task = Task::of(step, lowered, graph, n, None);
        let [inputs, outputs] = task.channels();
        let winograd = computation.algorithm.winograd(inputs, outputs);
        let candidates = Choice::candidates(&task, winograd, computation.precision);
        by_node[node] = Some(chooser.choose(&task, &candidates, graph, tables, pool)?);
    }
    Ok((by_node, chooser.finish()?))
}

impl LayerChoice {
    fn refused(&self) -> CompileError {
        let (layer, Choice { kernel, precision }) = (self.layer.clone(), self.choice);
        CompileError::Choice { layer, kernel, precision }
    }
}

impl Choice {
    /// What can compute a convolution; the rule's choice is the first. `winograd`: whether the rule takes Winograd where it applies.
    pub(super) fn candidates(task: &Task, winograd: bool, precision: Precision) -> Vec<Self> {
        let kernels: &[Kernel] = match task.path {
            Path::Window if task.geometry.square().is_some() && winograd => &[Kernel::Winograd, Kernel::Window],
            Path::Window if task.geometry.square().is_some() => &[Kernel::Window, Kernel::Winograd],
            Path::Window => &[Kernel::Window],
            Path::Same(3) if winograd => &[Kernel::Winograd, Kernel::Direct, Kernel::Window],
            Path::Same(3) => &[Kernel::Direct, Kernel::Winograd, Kernel::Window],
            Path::Same(_) | Path::Up => &[Kernel::Direct, Kernel::Window],
        };
        kernels.iter().map(|&kernel| Self { kernel, precision }).collect()
    }

    /// What its kernels read.
    pub(super) fn takes(self) -> Takes {
        match (self.precision, self.kernel) {
            (Precision::F32, _) => Takes::F32,
            (Precision::Bf16, Kernel::Winograd) => Takes::Either,
            (Precision::Bf16, Kernel::Direct | Kernel::Window) => Takes::Bf16,
        }
    }

    /// The convolution of `node` from `x` to `y`, with the channels in use per block, by the kernels of `k`, which must have this precision.
    pub(super) fn method(
        self,
        k: &Kernels,
        graph: &Graph,
        node: usize,
        (x, x_lanes): (View, &[usize]),
        (y, y_lanes): (View, &[usize]),
    ) -> Method {
        let geometry = graph.nodes()[node].op.geometry().expect("a convolution has a window");
        // To a kernel of one position, a volume is its slices under each other.
        let (xv, yv) = (x.flat(), y.flat());
        match (geometry.path(x.d), self.kernel) {
            (Path::Window, Kernel::Winograd) => {
                let square = geometry.square().expect("only windows of 3x3 and 3x3x3 have this choice");
                Method::square(k, square, Source::Forward, x, x_lanes, y, y_lanes)
            }
            (Path::Window, _) | (_, Kernel::Window) => {
                let [there, _] = directions(&geometry);
                Method::Window(Window::new(k, there, &geometry, (x, x_lanes), (y, y_lanes)))
            }
            (Path::Same(kernel), chosen) => {
                let winograd = chosen == Kernel::Winograd;
                Method::same(k, winograd, Source::Forward, xv, x_lanes, yv, y_lanes, kernel)
            }
            (Path::Up, _) => Method::up(k, xv, x_lanes, yv, y_lanes),
        }
    }
}

/// The kernels of both precisions.
#[derive(Clone, Copy)]
pub(super) struct Tables {
    pub(super) f32: &'static Kernels,
    /// There where the plan computes in bf16.
    pub(super) bf16: Option<&'static Kernels>,
}

impl Tables {
    /// Those for products of this precision.
    pub(super) fn of(&self, precision: Precision) -> &'static Kernels {
        match (precision, self.bf16) {
            (Precision::Bf16, Some(kernels)) => kernels,
            _ => self.f32,
        }
    }

    /// Those that know every format of the plan.
    pub(super) fn of_any_format(&self) -> &'static Kernels {
        self.bf16.unwrap_or(self.f32)
    }

    fn isa(&self) -> Isa {
        let same = |isa: &Isa| Kernels::get(*isa).is_some_and(|kernels| std::ptr::eq(kernels, self.f32));
        Isa::ALL.into_iter().find(same).unwrap_or(Isa::Portable)
    }
}
