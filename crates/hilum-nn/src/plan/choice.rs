//! How every convolution of an inference plan is computed: by a rule, by what was measured on this machine, or as the caller says.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::layout::{Lowered, Step};
use super::measure::Measurements;
use super::precision::{Precision, Takes};
use super::window::directions;
use super::{Algorithm, CompileError};
use crate::geometry::{Geometry, Path};
use crate::graph::Graph;
use crate::kernels::buffer::View;
use crate::kernels::method::Method;
use crate::kernels::pack::Source;
use crate::kernels::pool::Pool;
use crate::kernels::window::Window;
use crate::kernels::{Isa, Kernels};

/// How an inference plan computes. The same choices give the same bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Computation {
    /// The algorithm of 3x3 convolutions.
    pub algorithm: Algorithm,
    /// What is multiplied.
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
    /// How it is computed.
    pub choice: Choice,
    /// On what that rests.
    pub basis: Basis,
}

/// The choices of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// Of every convolution and linear layer, in order.
    pub layers: Vec<LayerChoice>,
    /// Why new measurements could not be written to their folder; the next plan measures again.
    pub not_remembered: Option<String>,
}

/// A convolution to be timed: its layer, and what it reads and writes.
pub(super) struct Task {
    pub(super) node: usize,
    path: Path,
    geometry: Geometry,
    pub(super) n: usize,
    pub(super) x_lanes: Vec<usize>,
    pub(super) y_lanes: Vec<usize>,
    pub(super) x_size: [usize; 3],
    pub(super) y_size: [usize; 3],
}

impl Task {
    /// What its time depends on, for a precision.
    pub(super) fn key(&self, precision: Precision) -> String {
        let Self { geometry: g, n, x_size: [d, h, w], .. } = self;
        let [kernel, stride, padding] = [g.kernel, g.stride, g.padding].map(|[d, h, w]| format!("{d}x{h}x{w}"));
        let way = if g.transposed { "transposed " } else { "" };
        let [from, to] = [&self.x_lanes, &self.y_lanes].map(|lanes| runs(lanes));
        format!("{way}{kernel} by {stride} in {padding} {precision} {n}x{d}x{h}x{w} {from} to {to}")
    }

    fn channels(&self) -> [usize; 2] {
        [&self.x_lanes, &self.y_lanes].map(|lanes| lanes.iter().sum())
    }
}

/// Channels per block as `16*4+2`: four full blocks and one of two.
fn runs(lanes: &[usize]) -> String {
    let run =
        |same: &[usize]| if same.len() == 1 { same[0].to_string() } else { format!("{}*{}", same[0], same.len()) };
    lanes.chunk_by(|a, b| a == b).map(run).collect::<Vec<_>>().join("+")
}

/// The choices of a plan, by node and as a report.
pub(super) fn choose(
    lowered: &Lowered,
    graph: &Graph,
    n: usize,
    computation: &Computation,
    tables: Tables,
    pool: &mut Pool,
) -> Result<(Vec<Option<Choice>>, Choices), CompileError> {
    let Computation { algorithm, precision, ref measurements, choices: ref given } = *computation;
    let folder = measurements.as_ref().filter(|_| algorithm == Algorithm::Auto);
    let mut measurements = folder.map(|folder| Measurements::of(folder, tables.isa(), pool.threads()));
    let mut by_node = vec![None; graph.nodes().len()];
    let mut report = Choices::default();
    for step in &lowered.steps {
        let Step::Conv { node, x, y, .. } = *step else { continue };
        let geometry = graph.nodes()[node].op.geometry().expect("a convolution has a window");
        let task = Task {
            node,
            path: geometry.path(lowered.sizes[x][0]),
            geometry,
            n,
            x_lanes: lowered.lanes[x].clone(),
            y_lanes: lowered.lanes[y].clone(),
            x_size: lowered.sizes[x],
            y_size: lowered.sizes[y],
        };
        let layer = graph.values()[node + 1].name.clone();
        let candidates = Choice::candidates(&task, algorithm, precision);
        let (choice, basis) = if let Some(given) = given.iter().find(|given| given.layer == layer) {
            if !candidates.contains(&given.choice) {
                return Err(CompileError::Choice {
                    layer,
                    kernel: given.choice.kernel,
                    precision: given.choice.precision,
                });
            }
            (given.choice, Basis::Given)
        } else {
            match &mut measurements {
                Some(measurements) if candidates.len() > 1 => {
                    let (choice, now) = measurements.fastest(&task, &candidates, graph, tables, pool)?;
                    (choice, if now { Basis::Measured } else { Basis::Remembered })
                }
                _ => (candidates[0], Basis::Rule),
            }
        };
        by_node[node] = Some(choice);
        report.layers.push(LayerChoice { layer, choice, basis });
    }
    if let Some(stray) = given.iter().find(|given| report.layers.iter().all(|l| l.layer != given.layer)) {
        let (layer, Choice { kernel, precision }) = (stray.layer.clone(), stray.choice);
        return Err(CompileError::Choice { layer, kernel, precision });
    }
    report.not_remembered = measurements.and_then(|measurements| measurements.save().err());
    Ok((by_node, report))
}

impl Choice {
    /// What can compute a convolution; the rule's choice is the first.
    fn candidates(task: &Task, algorithm: Algorithm, precision: Precision) -> Vec<Self> {
        let [inputs, outputs] = task.channels();
        let kernels: &[Kernel] = match task.path {
            Path::Window if task.geometry.square().is_some() && algorithm.winograd(inputs, outputs) => {
                &[Kernel::Winograd, Kernel::Window]
            }
            Path::Window if task.geometry.square().is_some() => &[Kernel::Window, Kernel::Winograd],
            Path::Window => &[Kernel::Window],
            Path::Same(3) if algorithm.winograd(inputs, outputs) => &[Kernel::Winograd, Kernel::Direct, Kernel::Window],
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
