//! How every convolution of an inference plan is computed.

use super::layout::{Lowered, Step};
use super::precision::{Precision, Takes};
use super::window::directions;
use super::{Algorithm, Computation};
use crate::geometry::Path;
use crate::graph::Graph;
use crate::kernels::Kernels;
use crate::kernels::buffer::View;
use crate::kernels::method::Method;
use crate::kernels::pack::Source;
use crate::kernels::window::Window;

/// The kernels of a convolution or linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// Register tiles over the activations as they lie: 3x3, 1x1, and transposed 2x2.
    Direct,
    /// F(4x4, 3x3).
    Winograd,
    /// Register tiles under lists of taps: any window.
    Window,
}

/// How one convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Choice {
    /// Its kernels.
    pub kernel: Kernel,
    /// What they multiply.
    pub precision: Precision,
}

/// The choice of every convolution, by node.
pub(super) fn choices(lowered: &Lowered, graph: &Graph, computation: &Computation) -> Vec<Option<Choice>> {
    let Computation { algorithm, precision } = *computation;
    let mut choices = vec![None; graph.nodes().len()];
    for step in &lowered.steps {
        let Step::Conv { node, x, y, .. } = *step else { continue };
        let geometry = graph.nodes()[node].op.geometry().expect("a convolution has a window");
        let channels = [x, y].map(|v| lowered.lanes[v].iter().sum());
        choices[node] = Some(Choice::of(geometry.path(lowered.sizes[x][0]), algorithm, precision, channels));
    }
    choices
}

impl Choice {
    /// The choice without measurements.
    pub(super) fn of(path: Path, algorithm: Algorithm, precision: Precision, [inputs, outputs]: [usize; 2]) -> Self {
        let kernel = match path {
            Path::Window => Kernel::Window,
            Path::Same(3) if algorithm.winograd(inputs, outputs) => Kernel::Winograd,
            Path::Same(_) | Path::Up => Kernel::Direct,
        };
        Self { kernel, precision }
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
}
