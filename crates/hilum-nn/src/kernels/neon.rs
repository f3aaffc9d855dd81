//! NEON of 64-bit ARM: 32 registers of 4 lanes. 4 x 6 sums, 4 weights and the broadcast.

use std::arch::aarch64::{
    float32x4_t, vaddq_f32, vandq_u32, vbslq_f32, vceqq_f32, vcgtq_f32, vcgtzq_f32, vdupq_n_f32, vfmaq_f32,
    vld1q_dup_f32, vld1q_f32, vmaxq_f32, vmulq_f32, vreinterpretq_f32_u32, vreinterpretq_u32_f32, vst1q_f32, vsubq_f32,
};

use super::simd::Simd;

#[derive(Clone, Copy)]
struct Neon;

// The table `KERNELS` is only handed out where the processor has these instructions; pointers are the callers' promise (see `Simd`).
impl Simd for Neon {
    type V = float32x4_t;
    const L: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> float32x4_t {
        // SAFETY: see the impl's comment.
        unsafe { vdupq_n_f32(0.0) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> float32x4_t {
        // SAFETY: see the impl's comment.
        unsafe { vld1q_f32(p) }
    }
    #[inline(always)]
    unsafe fn splat(p: *const f32) -> float32x4_t {
        // SAFETY: see the impl's comment.
        unsafe { vld1q_dup_f32(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: float32x4_t) {
        // SAFETY: see the impl's comment.
        unsafe { vst1q_f32(p, v) }
    }
    #[inline(always)]
    unsafe fn fma(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        // SAFETY: see the impl's comment.
        unsafe { vfmaq_f32(c, a, b) }
    }
    #[inline(always)]
    unsafe fn add(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: see the impl's comment.
        unsafe { vaddq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: see the impl's comment.
        unsafe { vsubq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: see the impl's comment.
        unsafe { vmulq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: see the impl's comment. `fmax` would hand a NaN on from either side.
        unsafe { vbslq_f32(vcgtq_f32(a, b), a, b) }
    }
    #[inline(always)]
    unsafe fn max_or_nan(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: see the impl's comment.
        unsafe { vmaxq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn where_positive(c: float32x4_t, v: float32x4_t) -> float32x4_t {
        // SAFETY: see the impl's comment.
        unsafe { vreinterpretq_f32_u32(vandq_u32(vcgtzq_f32(c), vreinterpretq_u32_f32(v))) }
    }
    #[inline(always)]
    unsafe fn where_equal(a: float32x4_t, b: float32x4_t, v: float32x4_t) -> float32x4_t {
        // SAFETY: see the impl's comment.
        unsafe { vreinterpretq_f32_u32(vandq_u32(vceqq_f32(a, b), vreinterpretq_u32_f32(v))) }
    }
}

const GROUP_OF_8: bool = false;

super::compile_kernels!(
    Neon,
    #[target_feature(enable = "neon")],
    panel 1,
    one 4 x [1 2 3 4 5 6],
    two 8 x []
);
