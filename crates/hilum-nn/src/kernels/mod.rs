//! Kernels over blocked activations: generic bodies ([`simd::Simd`]), one compiled copy per instruction set, chosen once per plan.
//!
//! All `unsafe` of the crate is in this folder. The safe functions here take views and check them against their arena ([`buffer::Base::of`]); what
//! they hand to a tile lies inside those views.

use std::fmt;
use std::str::FromStr;

pub(crate) mod activation;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_bf16;
pub(crate) mod bf16;
pub(crate) mod buffer;
pub(crate) mod conv;
pub(crate) mod conv_grad;
pub(crate) mod elementwise;
pub(crate) mod flatten;
mod gates;
mod grad_split;
pub(crate) mod method;
#[cfg(target_arch = "aarch64")]
mod neon;
pub(crate) mod norm;
pub(crate) mod pack;
mod peak;
pub(crate) mod pointwise;
pub(crate) mod pool;
mod portable;
mod portable_bf16;
pub(crate) mod recurrent;
pub(crate) mod sample_norm;
mod simd;
pub(crate) mod upsample;
pub(crate) mod window;
mod window_axis;
pub(crate) mod window_grad;
pub(crate) mod window_pool;
pub(crate) mod winograd;
pub(crate) mod winograd_grad;
mod winograd_tiles;
pub(crate) mod winograd_tiling;
mod winograd_weights;

use buffer::Format;
use conv::{Start, TileFn};
use conv_grad::WeightTileFn;
use gates::Gates;
use norm::{Lanes, NormBlock, PARTIAL};
use window::WindowTileFn;
use window_grad::WindowGradFn;
use window_pool::PoolRow;
use winograd_tiles::{Landing, Patch};
use winograd_weights::Taps;

/// The instruction sets with kernels of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// AVX-512 F, VL, BW and DQ.
    Avx512,
    /// AVX2 and FMA.
    Avx2,
    /// NEON of 64-bit ARM.
    Neon,
    /// Plain Rust for any processor.
    Portable,
}

impl Isa {
    /// All, the fastest first.
    pub const ALL: [Self; 4] = [Self::Avx512, Self::Avx2, Self::Neon, Self::Portable];

    /// Whether this processor has it.
    pub fn available(self) -> bool {
        Kernels::get(self).is_some()
    }

    /// The fastest that this processor has.
    pub fn best() -> Self {
        Self::ALL.into_iter().find(|isa| isa.available()).unwrap_or(Self::Portable)
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
            Self::Portable => "portable",
        })
    }
}

impl FromStr for Isa {
    type Err = String;

    /// Reads what [`Isa`] displays as; the error is the text itself.
    fn from_str(s: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|isa| isa.to_string() == s).ok_or_else(|| s.to_owned())
    }
}

/// The compiled kernels of one instruction set.
pub(crate) struct Kernels {
    /// What matrix products multiply; with bf16, kernels that take formats know both.
    pub(crate) format: Format,
    /// Output blocks that one tile computes together.
    pub(crate) panel_blocks: usize,
    /// Widest tile for a panel of that many blocks.
    pub(crate) max_pixels: fn(usize) -> usize,
    /// Kernel columns, floats between input pixels, panel blocks, pixels, left border, right border.
    pub(crate) tile: fn(usize, usize, usize, usize, bool, bool) -> TileFn,
    /// Input channels, panel blocks, floats between gradient pixels.
    pub(crate) weight_tile: fn(usize, usize, usize) -> WeightTileFn,
    /// Input channels of the next weight tile when that many are left in the block.
    pub(crate) weight_group: fn(usize) -> usize,
    /// Floats between input pixels, panel blocks, pixels.
    pub(crate) window_tile: fn(usize, usize, usize) -> WindowTileFn,
    /// Channels of the wide map, panel blocks.
    pub(crate) window_grad: fn(usize, usize) -> WindowGradFn,
    pub(crate) pool_max: unsafe fn(&PoolRow),
    pub(crate) pool_max_grad: unsafe fn(&PoolRow),
    pub(crate) pool_mean: unsafe fn(&PoolRow),
    pub(crate) pool_mean_grad: unsafe fn(&PoolRow),
    pub(crate) transform_input: unsafe fn(*const f32, &Patch, *mut f32, usize),
    pub(crate) transform_output: unsafe fn(*const f32, usize, Start, *const f32, bool, *mut f32, Landing),
    pub(crate) transform_weights: unsafe fn(&Taps, *mut f32, usize),
    pub(crate) transform_gradient: unsafe fn(*const f32, usize, [usize; 2], *mut f32, usize),
    pub(crate) gradient_of_sums: unsafe fn(*const f32, usize, usize, usize, &mut [Lanes; 9]),
    pub(crate) moments: unsafe fn(*const f32, usize, &Lanes, &mut [f64; PARTIAL]),
    pub(crate) affine: unsafe fn(*const f32, *mut f32, usize, &Lanes, &Lanes, bool, [Format; 2]),
    pub(crate) grad_sums: unsafe fn(*const f32, *const f32, usize, &NormBlock, bool, &mut [f64; PARTIAL]),
    pub(crate) grad_apply: unsafe fn(*const f32, *const f32, *mut f32, usize, &NormBlock, &[Lanes; 2], bool, bool),
    pub(crate) max_row: unsafe fn(*const f32, usize, *mut f32, usize, [Format; 2]),
    pub(crate) max_row_grad: unsafe fn(*const f32, usize, *const f32, *mut f32, usize, bool),
    pub(crate) relu: unsafe fn(*const f32, *mut f32, usize),
    pub(crate) relu_grad: unsafe fn(*const f32, *const f32, *mut f32, usize, bool),
    pub(crate) gru: unsafe fn(&Gates),
    pub(crate) gru_grad: unsafe fn(&Gates),
    pub(crate) lstm: unsafe fn(&Gates),
    pub(crate) lstm_grad: unsafe fn(&Gates),
}

impl Kernels {
    /// The kernels of an instruction set, if this processor has it. Holding the table is the proof that its functions may be called.
    pub(crate) fn get(isa: Isa) -> Option<&'static Self> {
        match isa {
            Isa::Portable => Some(&portable::KERNELS),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => {
                (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(&avx2::KERNELS)
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => (is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma"))
            .then_some(&avx512::KERNELS),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 | Isa::Avx512 => None,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => std::arch::is_aarch64_feature_detected!("neon").then_some(&neon::KERNELS),
            #[cfg(not(target_arch = "aarch64"))]
            Isa::Neon => None,
        }
    }

    /// The kernels with products of bf16, if this processor has them; the portable ones compute them.
    pub(crate) fn bf16(isa: Isa) -> Option<&'static Self> {
        match isa {
            Isa::Portable => Some(&portable_bf16::KERNELS),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => (isa.available() && is_x86_feature_detected!("avx512bf16")).then_some(&avx512_bf16::KERNELS),
            _ => None,
        }
    }

    /// Rows of weights, and steps of a tile, of every block of input channels in use.
    pub(crate) fn rows(&self, lanes: &[usize]) -> Vec<usize> {
        match self.format {
            Format::F32 => lanes.to_vec(),
            Format::Bf16 => pack::pairs(lanes),
        }
    }
}

/// Compiles every generic kernel for one instruction set.
///
/// `$two` and `$one`: tile widths for panels of two blocks and of one; `$v2`, `$v1`: registers of such a panel; `$groups`: input channels of weight tiles.
macro_rules! compile_kernels {
    ($simd:ty, $(#[$features:meta])?, panel $panel:literal, one $v1:literal x [$($one:literal)*], two $v2:literal x [$($two:literal)*]) => {
        use crate::kernels::buffer::Format;
        use crate::kernels::conv::{Start, Tile, TileFn, tile};
        use crate::kernels::conv_grad::{WeightTile, WeightTileFn, weight_tile};
        use crate::kernels::gates::{self, Gates};
        use crate::kernels::norm::{self, Lanes, NormBlock, PARTIAL};
        use crate::kernels::window::{WindowTile, WindowTileFn, window_tile};
        use crate::kernels::window_grad::{WindowGradFn, WindowGradTile, window_grad_tile};
        use crate::kernels::window_pool::{self, PoolRow};
        use crate::kernels::simd::F32;
        use crate::kernels::winograd_tiles::{self, Landing, Patch};
        use crate::kernels::winograd_weights::{self, Taps};
        use crate::kernels::{Kernels, pointwise};

        $(#[$features])?
        unsafe fn conv_tile<const V: usize, const PX: usize, const K: usize, const XS: usize, const LE: bool, const RE: bool>(t: &Tile) {
            // SAFETY: the caller's promise is that of the generic kernel.
            unsafe { tile::<$simd, F32, V, PX, K, XS, LE, RE>(t) }
        }

        $(#[$features])?
        unsafe fn grad_tile<const IC: usize, const V: usize, const DS: usize>(t: &WeightTile) {
            // SAFETY: as above.
            unsafe { weight_tile::<$simd, IC, V, DS>(t) }
        }

        fn pick_tile(kernel: usize, x_pixel: usize, blocks: usize, pixels: usize, left: bool, right: bool) -> TileFn {
            match (kernel, x_pixel, blocks, pixels, left, right) {
                $(
                    (3, 16, 1, $one, false, false) => conv_tile::<$v1, $one, 3, 16, false, false>,
                    (3, 16, 1, $one, true, false) => conv_tile::<$v1, $one, 3, 16, true, false>,
                    (3, 16, 1, $one, false, true) => conv_tile::<$v1, $one, 3, 16, false, true>,
                    (3, 16, 1, $one, true, true) => conv_tile::<$v1, $one, 3, 16, true, true>,
                    (1, 16, 1, $one, false, false) => conv_tile::<$v1, $one, 1, 16, false, false>,
                    (1, 32, 1, $one, false, false) => conv_tile::<$v1, $one, 1, 32, false, false>,
                )*
                $(
                    (3, 16, 2, $two, false, false) => conv_tile::<$v2, $two, 3, 16, false, false>,
                    (3, 16, 2, $two, true, false) => conv_tile::<$v2, $two, 3, 16, true, false>,
                    (3, 16, 2, $two, false, true) => conv_tile::<$v2, $two, 3, 16, false, true>,
                    (3, 16, 2, $two, true, true) => conv_tile::<$v2, $two, 3, 16, true, true>,
                    (1, 16, 2, $two, false, false) => conv_tile::<$v2, $two, 1, 16, false, false>,
                    (1, 32, 2, $two, false, false) => conv_tile::<$v2, $two, 1, 32, false, false>,
                )*
                _ => unreachable!("no tile for kernel {kernel}, pixel {x_pixel}, blocks {blocks}, pixels {pixels}"),
            }
        }

        fn pick_weight_tile(group: usize, blocks: usize, dy_pixel: usize) -> WeightTileFn {
            match (group, blocks, dy_pixel) {
                (4, 1, 16) => grad_tile::<4, $v1, 16>,
                (4, 1, 32) => grad_tile::<4, $v1, 32>,
                (8, 1, 16) => grad_tile::<8, $v1, 16>,
                (8, 1, 32) => grad_tile::<8, $v1, 32>,
                (4, 2, 16) => grad_tile::<4, $v2, 16>,
                (4, 2, 32) => grad_tile::<4, $v2, 32>,
                (8, 2, 16) => grad_tile::<8, $v2, 16>,
                (8, 2, 32) => grad_tile::<8, $v2, 32>,
                _ => unreachable!("no weight tile for {group} channels, {blocks} blocks, pixel {dy_pixel}"),
            }
        }

        $(#[$features])?
        unsafe fn any_tile<const V: usize, const PX: usize, const XS: usize>(t: &WindowTile) {
            // SAFETY: as above.
            unsafe { window_tile::<$simd, F32, V, PX, XS>(t) }
        }

        $(#[$features])?
        unsafe fn any_grad<const IC: usize, const V: usize>(t: &WindowGradTile) {
            // SAFETY: as above.
            unsafe { window_grad_tile::<$simd, IC, V>(t) }
        }

        fn pick_window_tile(x_pixel: usize, blocks: usize, pixels: usize) -> WindowTileFn {
            match (x_pixel, blocks, pixels) {
                $(
                    (16, 1, $one) => any_tile::<$v1, $one, 16>,
                    (32, 1, $one) => any_tile::<$v1, $one, 32>,
                    (_, 1, $one) => any_tile::<$v1, $one, 0>,
                )*
                $(
                    (16, 2, $two) => any_tile::<$v2, $two, 16>,
                    (32, 2, $two) => any_tile::<$v2, $two, 32>,
                    (_, 2, $two) => any_tile::<$v2, $two, 0>,
                )*
                _ => unreachable!("no window tile for blocks {blocks}, pixels {pixels}"),
            }
        }

        fn pick_window_grad(group: usize, blocks: usize) -> WindowGradFn {
            match (group, blocks) {
                (4, 1) => any_grad::<4, $v1>,
                (8, 1) => any_grad::<8, $v1>,
                (4, 2) => any_grad::<4, $v2>,
                (8, 2) => any_grad::<8, $v2>,
                _ => unreachable!("no window gradient for {group} channels, {blocks} blocks"),
            }
        }

        $(#[$features])?
        unsafe fn pool_max(t: &PoolRow) {
            // SAFETY: as above.
            unsafe { window_pool::pool_max::<$simd, F32>(t) }
        }

        $(#[$features])?
        unsafe fn pool_max_grad(t: &PoolRow) {
            // SAFETY: as above.
            unsafe { window_pool::pool_max_grad::<$simd>(t) }
        }

        $(#[$features])?
        unsafe fn pool_mean(t: &PoolRow) {
            // SAFETY: as above.
            unsafe { window_pool::pool_mean::<$simd, F32>(t) }
        }

        $(#[$features])?
        unsafe fn pool_mean_grad(t: &PoolRow) {
            // SAFETY: as above.
            unsafe { window_pool::pool_mean_grad::<$simd>(t) }
        }

        fn max_pixels(blocks: usize) -> usize {
            if blocks == 1 { [$($one),*].len() } else { [0, $($two),*].len() - 1 }
        }

        $(#[$features])?
        unsafe fn transform_input(plane: *const f32, patch: &Patch, v: *mut f32, stride: usize) {
            // SAFETY: as above.
            unsafe { winograd_tiles::transform_input::<$simd, F32>(plane, patch, v, stride) }
        }

        $(#[$features])?
        unsafe fn transform_output(
            m: *const f32, stride: usize, start: Start, bias: *const f32, relu: bool, y: *mut f32, landing: Landing,
        ) {
            // SAFETY: as above.
            unsafe { winograd_tiles::transform_output::<$simd, F32>(m, stride, start, bias, relu, y, landing) }
        }

        $(#[$features])?
        unsafe fn transform_weights(taps: &Taps, u: *mut f32, stride: usize) {
            // SAFETY: as above.
            unsafe { winograd_weights::transform_weights::<false>(taps, u, stride) }
        }

        $(#[$features])?
        unsafe fn transform_gradient(dy: *const f32, dy_row: usize, size: [usize; 2], z: *mut f32, stride: usize) {
            // SAFETY: as above.
            unsafe { winograd_tiles::transform_gradient::<$simd>(dy, dy_row, size, z, stride) }
        }

        $(#[$features])?
        unsafe fn gradient_of_sums(sums: *const f32, stride: usize, parts: usize, part: usize, taps: &mut [Lanes; 9]) {
            // SAFETY: as above.
            unsafe { winograd_tiles::gradient_of_sums::<$simd>(sums, stride, parts, part, taps) }
        }

        $(#[$features])?
        unsafe fn moments(x: *const f32, pixels: usize, shift: &Lanes, out: &mut [f64; PARTIAL]) {
            // SAFETY: as above.
            unsafe { norm::moments::<$simd>(x, pixels, shift, out) }
        }

        $(#[$features])?
        unsafe fn affine(
            x: *const f32, y: *mut f32, pixels: usize, scale: &Lanes, shift: &Lanes, relu: bool, formats: [Format; 2],
        ) {
            // SAFETY: as above.
            unsafe { norm::affine::<$simd, F32>(x, y, pixels, scale, shift, relu, formats) }
        }

        $(#[$features])?
        unsafe fn grad_sums(x: *const f32, dy: *const f32, pixels: usize, block: &NormBlock, relu: bool, out: &mut [f64; PARTIAL]) {
            // SAFETY: as above.
            unsafe { norm::grad_sums::<$simd>(x, dy, pixels, block, relu, out) }
        }

        $(#[$features])?
        unsafe fn grad_apply(
            x: *const f32, dy: *const f32, dx: *mut f32, pixels: usize, block: &NormBlock, means: &[Lanes; 2], relu: bool, add: bool,
        ) {
            // SAFETY: as above.
            unsafe { norm::grad_apply::<$simd>(x, dy, dx, pixels, block, means, relu, add) }
        }

        $(#[$features])?
        unsafe fn max_row(x: *const f32, row: usize, y: *mut f32, pixels: usize, formats: [Format; 2]) {
            // SAFETY: as above.
            unsafe { pointwise::max_row::<$simd, F32>(x, row, y, pixels, formats) }
        }

        $(#[$features])?
        unsafe fn max_row_grad(x: *const f32, row: usize, dy: *const f32, dx: *mut f32, pixels: usize, add: bool) {
            // SAFETY: as above.
            unsafe { pointwise::max_row_grad::<$simd>(x, row, dy, dx, pixels, add) }
        }

        $(#[$features])?
        unsafe fn relu(x: *const f32, y: *mut f32, pixels: usize) {
            // SAFETY: as above.
            unsafe { pointwise::relu_run::<$simd>(x, y, pixels) }
        }

        $(#[$features])?
        unsafe fn relu_grad(x: *const f32, dy: *const f32, dx: *mut f32, pixels: usize, add: bool) {
            // SAFETY: as above.
            unsafe { pointwise::relu_run_grad::<$simd>(x, dy, dx, pixels, add) }
        }

        $(#[$features])?
        unsafe fn gru(t: &Gates) {
            // SAFETY: as above.
            unsafe { gates::gru(t) }
        }

        $(#[$features])?
        unsafe fn gru_grad(t: &Gates) {
            // SAFETY: as above.
            unsafe { gates::gru_grad(t) }
        }

        $(#[$features])?
        unsafe fn lstm(t: &Gates) {
            // SAFETY: as above.
            unsafe { gates::lstm(t) }
        }

        $(#[$features])?
        unsafe fn lstm_grad(t: &Gates) {
            // SAFETY: as above.
            unsafe { gates::lstm_grad(t) }
        }

        pub(super) static KERNELS: Kernels = TABLE;

        /// For tables that share most of it.
        pub(super) const TABLE: Kernels = Kernels {
            format: Format::F32,
            panel_blocks: $panel,
            max_pixels,
            tile: pick_tile,
            weight_tile: pick_weight_tile,
            weight_group: |left| if left > 4 && GROUP_OF_8 { 8 } else { 4 },
            window_tile: pick_window_tile,
            window_grad: pick_window_grad,
            pool_max,
            pool_max_grad,
            pool_mean,
            pool_mean_grad,
            transform_input,
            transform_output,
            transform_weights,
            transform_gradient,
            gradient_of_sums,
            moments,
            affine,
            grad_sums,
            grad_apply,
            max_row,
            max_row_grad,
            relu,
            relu_grad,
            gru,
            gru_grad,
            lstm,
            lstm_grad,
        };
    };
}
use compile_kernels;
