//! The kernels of convolutions in training: of the result, of the weights' gradient and of the input's, each chosen for itself.

use super::backward::Gradients;
use super::choice::{Choice, Choices, Chooser, Computation, Kernel, Tables, Task, directions};
use super::layout::{Lowered, Step};
use super::precision::Precision;
use super::profile::Act;
use super::{Algorithm, CompileError};
use crate::geometry::{Geometry, Path};
use crate::graph::Graph;
use crate::kernels::Kernels;
use crate::kernels::buffer::View;
use crate::kernels::method::{Method, WeightMethod};
use crate::kernels::pack::Source;
use crate::kernels::pool::Pool;
use crate::kernels::window::Window;
use crate::kernels::window_grad::WindowGradient;

/// Tiles of a batch from which on Winograd trains a layer faster than the direct kernels, whatever its channels (measured on AVX-512 and AVX2 up to 256
/// channels; few channels pay from 4 tiles on).
const MIN_TRAINING_TILES: usize = 16;

/// The kernels of one convolution.
#[derive(Clone, Copy)]
pub(super) struct TrainingChoice {
    pub(super) forward: Choice,
    pub(super) weights: Choice,
    /// The rule's where nothing before it learns.
    pub(super) data: Choice,
}

/// The choices of a training plan, by node and as a report: for every convolution and linear layer, in order, of its result, its weights' gradient and,
/// where something before it learns, its input's.
pub(super) fn choose_training(
    lowered: &Lowered,
    graph: &Graph,
    n: usize,
    computation: &Computation,
    k: &'static Kernels,
    pool: &mut Pool,
) -> Result<(Vec<Option<TrainingChoice>>, Choices), CompileError> {
    if computation.precision != Precision::F32 {
        return Err(CompileError::TrainingPrecision(computation.precision));
    }
    let (tables, gradients) = (Tables { f32: k, bf16: None }, Gradients::of(lowered, graph, n));
    let mut chooser = Chooser::new(computation, tables, pool.threads());
    let mut by_node = vec![None; graph.nodes().len()];
    for step in &lowered.steps {
        let Step::Conv { node, x, .. } = *step else { continue };
        let mut choose = |act: Act| {
            let task = Task::of(step, lowered, graph, n, Some(act));
            let candidates = Choice::candidates(&task, winograd(computation.algorithm, &task), Precision::F32);
            if act == Act::Data && !gradients.exists(x) {
                return Ok(candidates[0]);
            }
            chooser.choose(&task, &candidates, graph, tables, pool)
        };
        let (forward, weights, data) = (choose(Act::Forward)?, choose(Act::Weights)?, choose(Act::Data)?);
        by_node[node] = Some(TrainingChoice { forward, weights, data });
    }
    Ok((by_node, chooser.finish()?))
}

/// Whether the rule takes Winograd. Every step transforms the weights anew, and sums their gradient at 36 positions instead of nine: small maps do not
/// pay for that.
fn winograd(algorithm: Algorithm, task: &Task) -> bool {
    let [inputs, outputs] = task.channels();
    let [d, h, w] = task.y_size;
    let tiles = task.n * d * h.div_ceil(4) * w.div_ceil(4);
    algorithm.winograd(inputs, outputs) && (algorithm == Algorithm::Winograd || tiles >= MIN_TRAINING_TILES)
}

impl Choice {
    /// The gradient of a convolution's input, from that of its result.
    pub(super) fn data_method(
        self,
        k: &Kernels,
        geometry: &Geometry,
        (dy, y_lanes): (View, &[usize]),
        (dx, x_lanes): (View, &[usize]),
    ) -> Method {
        // To a kernel of one position, a volume is its slices under each other.
        let (dyv, dxv) = (dy.flat(), dx.flat());
        match (geometry.path(dx.d), self.kernel) {
            (Path::Window, Kernel::Winograd) => {
                let square = geometry.square().expect("only windows of 3x3 and 3x3x3 have this choice");
                Method::square(k, square.backward(), Source::Flipped, dy, y_lanes, dx, x_lanes)
            }
            (Path::Window, _) | (_, Kernel::Window) => {
                let [_, back] = directions(geometry);
                Method::Window(Window::new(k, back, geometry, (dy, y_lanes), (dx, x_lanes)))
            }
            (Path::Same(kernel), chosen) => {
                let winograd = chosen == Kernel::Winograd;
                Method::same(k, winograd, Source::Flipped, dyv, y_lanes, dxv, x_lanes, kernel)
            }
            (Path::Up, _) => Method::down(k, dyv, y_lanes, dxv, x_lanes),
        }
    }

    /// The gradient of a convolution's weights, from its input and the gradient of its result.
    pub(super) fn weight_method(
        self,
        k: &Kernels,
        geometry: &Geometry,
        (x, x_lanes): (View, &[usize]),
        (dy, y_lanes): (View, &[usize]),
    ) -> WeightMethod {
        let (xv, dyv) = (x.flat(), dy.flat());
        match (geometry.path(x.d), self.kernel) {
            (Path::Window, Kernel::Winograd) => {
                let square = geometry.square().expect("only windows of 3x3 and 3x3x3 have this choice");
                WeightMethod::square(k, square, x, x_lanes, dy, y_lanes)
            }
            (Path::Window, _) | (_, Kernel::Window) => {
                let (x, dy) = ((x, x_lanes), (dy, y_lanes));
                let (base, wide) = if geometry.transposed { (x, dy) } else { (dy, x) };
                WeightMethod::Window(WindowGradient::new(k, *geometry, base, wide))
            }
            (Path::Same(kernel), chosen) => {
                WeightMethod::same(k, chosen == Kernel::Winograd, xv, x_lanes, dyv, y_lanes, kernel)
            }
            (Path::Up, _) => WeightMethod::up(k, xv, x_lanes, dyv, y_lanes),
        }
    }
}
