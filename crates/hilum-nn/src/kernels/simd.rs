//! The vector operations that kernels are written in; one implementation per instruction set.

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
