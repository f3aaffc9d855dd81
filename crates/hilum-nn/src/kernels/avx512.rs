//! AVX-512: 32 registers of 16 lanes. 2 x 8 sums and 2 weights fit with room for the broadcast.

use std::arch::x86_64::{
    __m512, _CMP_EQ_OQ, _CMP_GT_OQ, _CMP_UNORD_Q, _MM_HINT_T1, _mm_prefetch, _mm512_add_ps, _mm512_cmp_ps_mask,
    _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_add_ps, _mm512_maskz_mov_ps, _mm512_max_ps, _mm512_mul_ps,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps, _mm512_sub_ps,
};

use super::simd::Simd;

#[derive(Clone, Copy)]
pub(super) struct Avx512;

// The table `KERNELS` is only handed out where the processor has these instructions; pointers are the callers' promise (see `Simd`).
impl Simd for Avx512 {
    type V = __m512;
    const L: usize = 16;

    #[inline(always)]
    unsafe fn zero() -> __m512 {
        // SAFETY: see the impl's comment.
        unsafe { _mm512_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn prefetch(p: *const f32) {
        // SAFETY: a hint; it never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast()) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m512 {
        // SAFETY: see the impl's comment.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn splat(p: *const f32) -> __m512 {
        // SAFETY: see the impl's comment.
        unsafe { _mm512_set1_ps(*p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m512) {
        // SAFETY: see the impl's comment.
        unsafe { _mm512_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: see the impl's comment.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        // SAFETY: see the impl's comment.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        // SAFETY: see the impl's comment.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        // SAFETY: see the impl's comment.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: __m512, b: __m512) -> __m512 {
        // SAFETY: see the impl's comment.
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn max_or_nan(a: __m512, b: __m512) -> __m512 {
        // SAFETY: see the impl's comment. A sum with a NaN is one.
        unsafe { _mm512_mask_add_ps(_mm512_max_ps(a, b), _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, b), a, b) }
    }
    #[inline(always)]
    unsafe fn where_positive(c: __m512, v: __m512) -> __m512 {
        // SAFETY: see the impl's comment.
        unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(c, _mm512_setzero_ps()), v) }
    }
    #[inline(always)]
    unsafe fn where_equal(a: __m512, b: __m512, v: __m512) -> __m512 {
        // SAFETY: see the impl's comment.
        unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b), v) }
    }
}

const GROUP_OF_8: bool = true;

super::compile_kernels!(
    Avx512,
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")],
    panel 2,
    one 1 x [1 2 3 4 5 6 7 8 9 10 11 12 13 14],
    two 2 x [1 2 3 4 5 6 7 8]
);
