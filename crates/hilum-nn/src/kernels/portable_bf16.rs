//! Products of bf16 in plain Rust: the numbers that a processor with bf16 would multiply, for tests and for whoever has to look at them without one.

use super::bf16::{halves, pair};
use super::portable::{F8, Portable};
use super::simd::{Number, Simd};

// Pointers are the callers' promise (see `Number`).
impl Number<Portable> for Bf16 {
    const FORMAT: Format = Format::Bf16;

    #[inline(always)]
    fn pixel(format: Format) -> usize {
        format.pixel()
    }
    #[inline(always)]
    fn before(format: Format, lane: usize) -> usize {
        match format {
            Format::F32 => lane,
            Format::Bf16 => lane / 2,
        }
    }
    #[inline(always)]
    unsafe fn dot(weight: F8, value: F8, sum: F8) -> F8 {
        let mut sum = sum;
        for l in 0..8 {
            let ([w0, w1], [x0, x1]) = (halves(weight[l]), halves(value[l]));
            // The odd ones first, as the instruction does.
            sum[l] += w1 * x1;
            sum[l] += w0 * x0;
        }
        sum
    }
    #[inline(always)]
    unsafe fn load(p: *const f32, format: Format) -> F8 {
        // SAFETY: eight numbers, by the caller's promise.
        unsafe {
            match format {
                Format::F32 => Portable::load(p),
                Format::Bf16 => {
                    let pairs = p.cast::<[f32; 4]>().read();
                    let mut v = [0.0; 8];
                    for i in 0..4 {
                        let [even, odd] = halves(pairs[i]);
                        v[2 * i] = even;
                        v[2 * i + 1] = odd;
                    }
                    v
                }
            }
        }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: F8, format: Format) {
        // SAFETY: eight numbers, by the caller's promise.
        unsafe {
            match format {
                Format::F32 => Portable::store(p, v),
                Format::Bf16 => {
                    let mut pairs = [0.0; 4];
                    for i in 0..4 {
                        pairs[i] = pair(v[2 * i], v[2 * i + 1]);
                    }
                    p.cast::<[f32; 4]>().write(pairs);
                }
            }
        }
    }
}

super::bf16::compile_bf16!(
    Portable,
    super::portable::TABLE,
    ,
    one 2 x [1 2],
    two 4 x []
);
