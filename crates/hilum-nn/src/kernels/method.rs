//! A convolution by the algorithm chosen for it, with its weights' packing, and the gradient of its weights likewise.

use super::Kernels;
use super::buffer::{Aligned, View};
use super::conv::{Conv, Start};
use super::conv_grad::WeightGradient;
use super::pack::{Packing, Source};
use super::pool::Pool;
use super::window::Window;
use super::window_grad::WindowGradient;
use super::winograd::Winograd;
use super::winograd_grad::WinogradGradient;
use super::winograd_tiling::Square;

/// One convolution over fixed views, forward or backward data.
pub(crate) enum Method {
    /// Register tiles over the activations as they lie.
    Direct(Conv, Packing),
    /// F(4x4, 3x3), also summed over the slices of a 3x3x3 kernel; of the kernel as it stands or flipped.
    Winograd(Winograd, Source),
    /// Any window, stride, dilation and grouping, in images and volumes.
    Window(Window),
}

impl Method {
    /// A same-padded `kernel` x `kernel` convolution; `source` is `Forward` or `Flipped`. `winograd` asks for F(4x4, 3x3), which 3x3 kernels have.
    pub(crate) fn same(
        k: &Kernels,
        winograd: bool,
        source: Source,
        x: View,
        lanes: &[usize],
        y: View,
        out_lanes: &[usize],
        kernel: usize,
    ) -> Self {
        if winograd && kernel == 3 {
            Self::square(k, Square::SAME, source, x, lanes, y, out_lanes)
        } else {
            Self::Direct(Conv::same(k, x, lanes, y, kernel), Packing::new(k, source, kernel, out_lanes, lanes))
        }
    }

    /// A 3x3 or 3x3x3 convolution of stride 1 by Winograd; `source` is `Forward` or `Flipped`.
    pub(crate) fn square(
        k: &Kernels,
        square: Square,
        source: Source,
        x: View,
        lanes: &[usize],
        y: View,
        out_lanes: &[usize],
    ) -> Self {
        Self::Winograd(Winograd::new(k, square, x, lanes, y, out_lanes), source)
    }

    /// The transposed convolution 2x2, stride 2.
    pub(crate) fn up(k: &Kernels, x: View, lanes: &[usize], y: View, out_lanes: &[usize]) -> Self {
        Self::Direct(Conv::up(k, x, lanes, y), Packing::new(k, Source::Up, 1, out_lanes, lanes))
    }

    /// Backward data of [`Method::up`].
    pub(crate) fn down(k: &Kernels, x: View, lanes: &[usize], y: View, out_lanes: &[usize]) -> Self {
        Self::Direct(Conv::down(k, x, lanes, y), Packing::new(k, Source::Down, 1, out_lanes, lanes))
    }

    /// In a word.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Direct(..) => "direct",
            Self::Winograd(..) => "Winograd",
            Self::Window(_) => "window",
        }
    }

    /// Floats of packed weights.
    pub(crate) fn weight_len(&self) -> usize {
        match self {
            Self::Direct(conv, _) => conv.weight_len(),
            Self::Winograd(winograd, _) => winograd.weight_len(),
            Self::Window(window) => window.weight_len(),
        }
    }

    /// Floats of scratch that [`Method::run`] needs on that many threads.
    pub(crate) fn scratch_len(&self, threads: usize) -> usize {
        match self {
            Self::Direct(..) | Self::Window(_) => 0,
            Self::Winograd(winograd, _) => winograd.scratch_len(threads),
        }
    }

    /// Packs a weight tensor in PyTorch's layout.
    pub(crate) fn pack(&self, k: &Kernels, pool: &mut Pool, weights: &[f32], packed: &mut [f32]) {
        match self {
            Self::Direct(_, packing) => packing.pack(pool, weights, packed),
            Self::Winograd(winograd, source) => winograd.pack(k, pool, *source, weights, packed),
            Self::Window(window) => window.pack(pool, weights, packed),
        }
    }

    /// Runs it on packed weights; `bias` `[blocks * 16]` where `start` is [`Start::Bias`].
    pub(crate) fn run(
        &self,
        k: &Kernels,
        pool: &mut Pool,
        arena: &mut Aligned,
        packed: &[f32],
        bias: &[f32],
        start: Start,
        relu: bool,
        scratch: &mut [f32],
    ) {
        match self {
            Self::Direct(conv, _) => conv.run(pool, arena, packed, bias, start, relu),
            Self::Winograd(winograd, _) => winograd.run(k, pool, arena, packed, bias, start, relu, scratch),
            Self::Window(window) => window.run(pool, arena, packed, bias, start, relu),
        }
    }
}

/// The gradient of one convolution's weights.
pub(crate) enum WeightMethod {
    /// A product for every kernel tap.
    Direct(WeightGradient),
    /// 36 products of transformed tiles.
    Winograd(WinogradGradient),
    /// Any window, stride, dilation and grouping, in images and volumes.
    Window(WindowGradient),
}

impl WeightMethod {
    /// Of a same-padded `kernel` x `kernel` convolution.
    pub(crate) fn same(
        k: &Kernels,
        winograd: bool,
        x: View,
        lanes: &[usize],
        dy: View,
        out_lanes: &[usize],
        kernel: usize,
    ) -> Self {
        if winograd && kernel == 3 {
            Self::square(k, Square::SAME, x, lanes, dy, out_lanes)
        } else {
            Self::Direct(WeightGradient::same(k, x, lanes, dy, out_lanes, kernel))
        }
    }

    /// Of a 3x3 or 3x3x3 convolution of stride 1 by Winograd.
    pub(crate) fn square(k: &Kernels, square: Square, x: View, lanes: &[usize], dy: View, out_lanes: &[usize]) -> Self {
        Self::Winograd(WinogradGradient::new(k, square, x, lanes, dy, out_lanes))
    }

    /// Of the transposed convolution 2x2, stride 2.
    pub(crate) fn up(k: &Kernels, x: View, lanes: &[usize], dy: View, out_lanes: &[usize]) -> Self {
        Self::Direct(WeightGradient::up(k, x, lanes, dy, out_lanes))
    }

    /// In a word.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Direct(_) => "direct",
            Self::Winograd(_) => "Winograd",
            Self::Window(_) => "window",
        }
    }

    /// Floats of scratch that [`WeightMethod::run`] needs on that many threads.
    pub(crate) fn scratch_len(&self, threads: usize) -> usize {
        match self {
            Self::Direct(gradient) => gradient.scratch_len(),
            Self::Winograd(gradient) => gradient.scratch_len(threads),
            Self::Window(gradient) => gradient.scratch_len(),
        }
    }

    /// Writes the gradient into `dw`, in the layout of the weight tensor.
    pub(crate) fn run(&self, k: &Kernels, pool: &mut Pool, arena: &mut Aligned, scratch: &mut [f32], dw: &mut [f32]) {
        match self {
            Self::Direct(gradient) => gradient.run(pool, arena, scratch, dw),
            Self::Winograd(gradient) => gradient.run(k, pool, arena, scratch, dw),
            Self::Window(gradient) => gradient.run(pool, arena, scratch, dw),
        }
    }
}
