//! bf16: numbers of f32's range and eight bits of precision, multiplied in pairs and summed in f32.
//!
//! The two numbers of a pair are neighbouring channels of one pixel, in the place of one float ([`super::buffer::Format`]); weights lie likewise, the
//! rows of two input channels side by side. A register tile then is that of f32 over half as many "channels", with another product:
//! `vdpbf16ps` on AVX-512, and its arithmetic in plain Rust for any processor.

/// Products of pairs ([`super::simd::Number`]).
pub(super) struct Bf16;

/// The nearest bf16, of two the even one (as `vcvtneps2bf16`, which besides takes what is below 2^-126 for zero). NaN stays NaN.
pub(crate) fn round(v: f32) -> u16 {
    let bits = v.to_bits();
    if v.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

/// The number that these bits are.
pub(crate) fn widen(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// Two numbers in the place of one float.
pub(crate) fn pair(even: f32, odd: f32) -> f32 {
    f32::from_bits(u32::from(round(even)) | u32::from(round(odd)) << 16)
}

/// The two numbers in the place of a float.
pub(crate) fn halves(pair: f32) -> [f32; 2] {
    let bits = pair.to_bits();
    [widen(bits as u16), widen((bits >> 16) as u16)]
}

/// The pair with one of its numbers replaced, the even (0) or the odd (1).
pub(crate) fn with_half(pair: f32, half: usize, v: f32) -> f32 {
    let shift = 16 * half as u32;
    f32::from_bits(pair.to_bits() & !(0xffff << shift) | u32::from(round(v)) << shift)
}

/// Rows of weights, one per input channel in blocks of `lanes` channels, over and over, into rows of pairs. A last odd channel is paired with zero.
pub(crate) fn pair_rows(from: &[f32], row: usize, lanes: &[usize], to: &mut [f32]) {
    let (mut from, mut to) = (from.chunks_exact(row), to.chunks_exact_mut(row));
    while from.len() > 0 {
        for &lanes in lanes {
            for first in (0..lanes).step_by(2) {
                let (Some(even), Some(paired)) = (from.next(), to.next()) else { return };
                let odd = if first + 1 < lanes { from.next() } else { None };
                for (i, p) in paired.iter_mut().enumerate() {
                    *p = pair(even[i], odd.map_or(0.0, |odd| odd[i]));
                }
            }
        }
    }
}

/// Compiles the kernels that heed formats for products of bf16; the others of the table are `$plain`'s.
macro_rules! compile_bf16 {
    ($simd:ty, $plain:path, $(#[$features:meta])?, one $v1:literal x [$($one:literal)*], two $v2:literal x [$($two:literal)*]) => {
        use crate::kernels::bf16::Bf16;
        use crate::kernels::buffer::Format;
        use crate::kernels::conv::{Start, Tile, TileFn, tile};
        use crate::kernels::norm::{self, Lanes};
        use crate::kernels::window::{WindowTile, WindowTileFn, window_tile};
        use crate::kernels::window_pool::{self, PoolRow};
        use crate::kernels::winograd_tiles::{self, Landing, Patch};
        use crate::kernels::winograd_weights::{self, Taps};
        use crate::kernels::{Kernels, pointwise};

        $(#[$features])?
        unsafe fn conv_tile<const V: usize, const PX: usize, const K: usize, const LE: bool, const RE: bool>(t: &Tile) {
            // SAFETY: the caller's promise is that of the generic kernel.
            unsafe { tile::<$simd, Bf16, V, PX, K, 8, LE, RE>(t) }
        }

        fn pick_tile(kernel: usize, x_pixel: usize, blocks: usize, pixels: usize, left: bool, right: bool) -> TileFn {
            match (kernel, x_pixel, blocks, pixels, left, right) {
                $(
                    (3, 8, 1, $one, false, false) => conv_tile::<$v1, $one, 3, false, false>,
                    (3, 8, 1, $one, true, false) => conv_tile::<$v1, $one, 3, true, false>,
                    (3, 8, 1, $one, false, true) => conv_tile::<$v1, $one, 3, false, true>,
                    (3, 8, 1, $one, true, true) => conv_tile::<$v1, $one, 3, true, true>,
                    (1, 8, 1, $one, false, false) => conv_tile::<$v1, $one, 1, false, false>,
                )*
                $(
                    (3, 8, 2, $two, false, false) => conv_tile::<$v2, $two, 3, false, false>,
                    (3, 8, 2, $two, true, false) => conv_tile::<$v2, $two, 3, true, false>,
                    (3, 8, 2, $two, false, true) => conv_tile::<$v2, $two, 3, false, true>,
                    (3, 8, 2, $two, true, true) => conv_tile::<$v2, $two, 3, true, true>,
                    (1, 8, 2, $two, false, false) => conv_tile::<$v2, $two, 1, false, false>,
                )*
                _ => unreachable!("no tile for kernel {kernel}, pixel {x_pixel}, blocks {blocks}, pixels {pixels}"),
            }
        }

        fn max_pixels(blocks: usize) -> usize {
            if blocks == 1 { [$($one),*].len() } else { [0, $($two),*].len() - 1 }
        }

        $(#[$features])?
        unsafe fn any_tile<const V: usize, const PX: usize, const XS: usize>(t: &WindowTile) {
            // SAFETY: as above.
            unsafe { window_tile::<$simd, Bf16, V, PX, XS>(t) }
        }

        fn pick_window_tile(x_pixel: usize, blocks: usize, pixels: usize) -> WindowTileFn {
            match (x_pixel, blocks, pixels) {
                $(
                    (8, 1, $one) => any_tile::<$v1, $one, 8>,
                    (16, 1, $one) => any_tile::<$v1, $one, 16>,
                    (_, 1, $one) => any_tile::<$v1, $one, 0>,
                )*
                $(
                    (8, 2, $two) => any_tile::<$v2, $two, 8>,
                    (16, 2, $two) => any_tile::<$v2, $two, 16>,
                    (_, 2, $two) => any_tile::<$v2, $two, 0>,
                )*
                _ => unreachable!("no window tile for blocks {blocks}, pixels {pixels}"),
            }
        }

        $(#[$features])?
        unsafe fn transform_input(plane: *const f32, patch: &Patch, v: *mut f32, stride: usize) {
            // SAFETY: as above.
            unsafe { winograd_tiles::transform_input::<$simd, Bf16>(plane, patch, v, stride) }
        }

        $(#[$features])?
        unsafe fn transform_output(
            m: *const f32, stride: usize, start: Start, bias: *const f32, relu: bool, y: *mut f32, landing: Landing,
        ) {
            // SAFETY: as above.
            unsafe { winograd_tiles::transform_output::<$simd, Bf16>(m, stride, start, bias, relu, y, landing) }
        }

        $(#[$features])?
        unsafe fn transform_weights(taps: &Taps, u: *mut f32, stride: usize) {
            // SAFETY: as above.
            unsafe { winograd_weights::transform_weights::<true>(taps, u, stride) }
        }

        $(#[$features])?
        unsafe fn affine(
            x: *const f32, y: *mut f32, pixels: usize, scale: &Lanes, shift: &Lanes, relu: bool, formats: [Format; 2],
        ) {
            // SAFETY: as above.
            unsafe { norm::affine::<$simd, Bf16>(x, y, pixels, scale, shift, relu, formats) }
        }

        $(#[$features])?
        unsafe fn max_row(x: *const f32, row: usize, y: *mut f32, pixels: usize, formats: [Format; 2]) {
            // SAFETY: as above.
            unsafe { pointwise::max_row::<$simd, Bf16>(x, row, y, pixels, formats) }
        }

        $(#[$features])?
        unsafe fn pool_max(t: &PoolRow) {
            // SAFETY: as above.
            unsafe { window_pool::pool_max::<$simd, Bf16>(t) }
        }

        $(#[$features])?
        unsafe fn pool_mean(t: &PoolRow) {
            // SAFETY: as above.
            unsafe { window_pool::pool_mean::<$simd, Bf16>(t) }
        }

        pub(in crate::kernels) static KERNELS: Kernels = Kernels {
            format: Format::Bf16,
            max_pixels,
            tile: pick_tile,
            window_tile: pick_window_tile,
            transform_input,
            transform_output,
            transform_weights,
            affine,
            max_row,
            pool_max,
            pool_mean,
            ..$plain
        };
    };
}
pub(super) use compile_bf16;
