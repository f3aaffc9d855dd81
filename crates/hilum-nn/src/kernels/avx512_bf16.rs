//! Products of bf16 by AVX-512's `vdpbf16ps`: two products for each of 16 sums, in the time of one in f32 or of two, as the processor has it.

use std::arch::x86_64::{
    __m256, __m256bh, __m512, __m512bh, _mm256_castps_si256, _mm256_loadu_ps, _mm256_storeu_ps, _mm512_castsi512_ps,
    _mm512_cvtepu16_epi32, _mm512_cvtneps_pbh, _mm512_dpbf16_ps, _mm512_loadu_ps, _mm512_slli_epi32, _mm512_storeu_ps,
};
use std::mem::transmute;

use super::avx512::Avx512;
use super::simd::Number;

// The table `KERNELS` is only handed out where the processor has these instructions; pointers are the callers' promise (see `Number`).
impl Number<Avx512> for Bf16 {
    const FORMAT: Format = Format::Bf16;

    #[inline(always)]
    fn pixel(format: Format) -> usize {
        format.pixel()
    }
    #[inline(always)]
    fn before(_: Format, _: usize) -> usize {
        // A pixel is one register.
        0
    }
    #[inline(always)]
    unsafe fn dot(weight: __m512, value: __m512, sum: __m512) -> __m512 {
        // SAFETY: see the impl's comment; both types are 64 bytes of any bits.
        unsafe { _mm512_dpbf16_ps(sum, transmute::<__m512, __m512bh>(weight), transmute::<__m512, __m512bh>(value)) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32, format: Format) -> __m512 {
        // SAFETY: see the impl's comment.
        unsafe {
            match format {
                Format::F32 => _mm512_loadu_ps(p),
                Format::Bf16 => {
                    let narrow = _mm256_castps_si256(_mm256_loadu_ps(p));
                    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(narrow)))
                }
            }
        }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m512, format: Format) {
        // SAFETY: see the impl's comment; `__m256bh` is 32 bytes of any bits.
        unsafe {
            match format {
                Format::F32 => _mm512_storeu_ps(p, v),
                Format::Bf16 => _mm256_storeu_ps(p, transmute::<__m256bh, __m256>(_mm512_cvtneps_pbh(v))),
            }
        }
    }
}

super::bf16::compile_bf16!(
    Avx512,
    super::avx512::TABLE,
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512bf16,avx2,fma")],
    one 1 x [1 2 3 4 5 6 7 8 9 10 11 12 13 14],
    two 2 x [1 2 3 4 5 6 7 8 9 10 11 12]
);
