//! Plain Rust for any processor; the compiler makes of it what the target has. Multiplication and addition are rounded separately.

use super::simd::Simd;

#[derive(Clone, Copy)]
pub(super) struct Portable;

pub(super) type F8 = [f32; 8];

#[inline(always)]
fn zip(a: F8, b: F8, f: impl Fn(f32, f32) -> f32) -> F8 {
    std::array::from_fn(|l| f(a[l], b[l]))
}

// Pointers are the callers' promise (see `Simd`).
impl Simd for Portable {
    type V = F8;
    const L: usize = 8;

    #[inline(always)]
    unsafe fn zero() -> F8 {
        [0.0; 8]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> F8 {
        // SAFETY: eight floats, by the caller's promise; an array of floats needs no more alignment than a float.
        unsafe { p.cast::<F8>().read() }
    }
    #[inline(always)]
    unsafe fn splat(p: *const f32) -> F8 {
        // SAFETY: one float, by the caller's promise.
        [unsafe { p.read() }; 8]
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: F8) {
        // SAFETY: eight floats, by the caller's promise.
        unsafe { p.cast::<F8>().write(v) }
    }
    #[inline(always)]
    unsafe fn fma(a: F8, b: F8, c: F8) -> F8 {
        std::array::from_fn(|l| a[l] * b[l] + c[l])
    }
    #[inline(always)]
    unsafe fn add(a: F8, b: F8) -> F8 {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: F8, b: F8) -> F8 {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: F8, b: F8) -> F8 {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn max(a: F8, b: F8) -> F8 {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn max_or_nan(a: F8, b: F8) -> F8 {
        zip(a, b, |a, b| if a > b || a.is_nan() { a } else { b })
    }
    #[inline(always)]
    unsafe fn where_positive(c: F8, v: F8) -> F8 {
        zip(c, v, |c, v| if c > 0.0 { v } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn where_equal(a: F8, b: F8, v: F8) -> F8 {
        std::array::from_fn(|l| if a[l] == b[l] { v[l] } else { 0.0 })
    }
}

const GROUP_OF_8: bool = false;

super::compile_kernels!(
    Portable,
    ,
    panel 1,
    one 2 x [1 2],
    two 4 x []
);
