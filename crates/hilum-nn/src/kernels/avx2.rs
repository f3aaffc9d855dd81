//! AVX2 and FMA: 16 registers of 8 lanes. 2 x 6 sums, 2 weights and the broadcast.

use std::arch::x86_64::{
    __m256, _CMP_EQ_OQ, _CMP_GT_OQ, _CMP_UNORD_Q, _MM_HINT_T1, _mm_prefetch, _mm256_add_ps, _mm256_and_ps,
    _mm256_cmp_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_mul_ps, _mm256_or_ps, _mm256_set1_ps,
    _mm256_setzero_ps, _mm256_storeu_ps, _mm256_sub_ps,
};

use super::simd::Simd;

#[derive(Clone, Copy)]
struct Avx2;

// The table `KERNELS` is only handed out where the processor has these instructions; pointers are the callers' promise (see `Simd`).
impl Simd for Avx2 {
    type V = __m256;
    const L: usize = 8;

    #[inline(always)]
    unsafe fn zero() -> __m256 {
        // SAFETY: see the impl's comment.
        unsafe { _mm256_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn prefetch(p: *const f32) {
        // SAFETY: a hint; it never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast()) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m256 {
        // SAFETY: see the impl's comment.
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn splat(p: *const f32) -> __m256 {
        // SAFETY: see the impl's comment.
        unsafe { _mm256_set1_ps(*p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m256) {
        // SAFETY: see the impl's comment.
        unsafe { _mm256_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: see the impl's comment.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the impl's comment.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the impl's comment.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the impl's comment.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the impl's comment.
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn max_or_nan(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the impl's comment. All bits set are a NaN.
        unsafe { _mm256_or_ps(_mm256_max_ps(a, b), _mm256_cmp_ps::<_CMP_UNORD_Q>(a, b)) }
    }
    #[inline(always)]
    unsafe fn where_positive(c: __m256, v: __m256) -> __m256 {
        // SAFETY: see the impl's comment.
        unsafe { _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(c, _mm256_setzero_ps()), v) }
    }
    #[inline(always)]
    unsafe fn where_equal(a: __m256, b: __m256, v: __m256) -> __m256 {
        // SAFETY: see the impl's comment.
        unsafe { _mm256_and_ps(_mm256_cmp_ps::<_CMP_EQ_OQ>(a, b), v) }
    }
}

const GROUP_OF_8: bool = false;

super::compile_kernels!(
    Avx2,
    #[target_feature(enable = "avx2,fma")],
    panel 1,
    one 2 x [1 2 3 4 5 6],
    two 4 x []
);
