//! The vector operations that kernels are written in; one implementation per instruction set.

use super::buffer::{Format, LANES};

/// A vector of `L` f32 lanes.
///
/// # Safety
/// Every function requires that the processor has the instruction set of the implementor, and that pointers are valid for `L` floats (one float for
/// `splat`). No alignment is required.
pub(crate) trait Simd: Copy + 'static {
    /// The register type.
    type V: Copy;
    /// Lanes; divides 16.
    const L: usize;

    /// All lanes zero.
    unsafe fn zero() -> Self::V;
    /// Asks for the cache line at `p`, which may lie anywhere, where the instruction set can; computes nothing.
    unsafe fn prefetch(_p: *const f32) {}
    /// Loads `L` floats.
    unsafe fn load(p: *const f32) -> Self::V;
    /// One float in all lanes.
    unsafe fn splat(p: *const f32) -> Self::V;
    /// Stores `L` floats.
    unsafe fn store(p: *mut f32, v: Self::V);
    /// `a * b + c`, rounded once where the instruction set has FMA.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a + b`.
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`.
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// The larger; `b` where either is NaN.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// The larger; NaN where either is.
    unsafe fn max_or_nan(a: Self::V, b: Self::V) -> Self::V;
    /// `v` in the lanes where `c > 0`, else zero.
    unsafe fn where_positive(c: Self::V, v: Self::V) -> Self::V;
    /// `v` in the lanes where `a == b`, else zero.
    unsafe fn where_equal(a: Self::V, b: Self::V, v: Self::V) -> Self::V;
}

/// A vector of the 16 channels of one pixel, as `16 / L` registers.
macro_rules! sub_vectors {
    ($s:ty) => {
        (0..16 / <$s as Simd>::L).map(|i| i * <$s as Simd>::L)
    };
}
pub(crate) use sub_vectors;

/// What matrix products multiply, and how the numbers of activations are read and written. One implementation for f32, which any instruction set has,
/// and one for bf16.
///
/// # Safety
/// As for [`Simd`]; a pointer to a pixel's channels is valid for `L` numbers of the format.
pub(crate) trait Number<S: Simd> {
    /// The format of what products read.
    const FORMAT: Format;

    /// Floats of memory that a pixel's 16 channels take.
    fn pixel(format: Format) -> usize;
    /// Floats of memory before channel `lane` of a pixel.
    fn before(format: Format, lane: usize) -> usize;
    /// The product of weights and activations as they lie in memory, added to `sum`.
    unsafe fn dot(weight: S::V, value: S::V, sum: S::V) -> S::V;
    /// Loads `L` numbers.
    unsafe fn load(p: *const f32, format: Format) -> S::V;
    /// Stores `L` numbers, rounded where the format is narrow.
    unsafe fn store(p: *mut f32, v: S::V, format: Format);
}

/// Products and activations in f32; formats are not looked at.
pub(crate) struct F32;

// Pointers and the instruction set are the callers' promise (see `Number`).
impl<S: Simd> Number<S> for F32 {
    const FORMAT: Format = Format::F32;

    #[inline(always)]
    fn pixel(_: Format) -> usize {
        LANES
    }
    #[inline(always)]
    fn before(_: Format, lane: usize) -> usize {
        lane
    }
    #[inline(always)]
    unsafe fn dot(weight: S::V, value: S::V, sum: S::V) -> S::V {
        // SAFETY: see the impl's comment.
        unsafe { S::fma(weight, value, sum) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32, _: Format) -> S::V {
        // SAFETY: see the impl's comment.
        unsafe { S::load(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: S::V, _: Format) {
        // SAFETY: see the impl's comment.
        unsafe { S::store(p, v) }
    }
}
