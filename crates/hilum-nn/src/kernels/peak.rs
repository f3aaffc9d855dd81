//! The processor's ceiling: multiply-adds that never leave the registers.

use std::hint::black_box;

use super::Isa;

/// Multiply-adds between two tests of the loop's end, for each chain.
const UNROLLED: u64 = 8;

impl Isa {
    /// Runs `rounds` rounds of independent multiply-adds in registers on the calling thread and returns the operations done (a multiply-add counts as
    /// two), or `None` where this processor lacks the instruction set. Divided by the time taken, it is the peak that no kernel of this instruction set
    /// exceeds; without FMA instructions it is the peak of separate products and sums.
    pub fn multiply_adds(self, rounds: u64) -> Option<u64> {
        if !self.available() {
            return None;
        }
        match self {
            Self::Portable => Some(plain::rounds(rounds)),
            // SAFETY: the processor has the instruction set, as was asked above; the loop touches no memory.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Some(unsafe { avx2::rounds(rounds) }),
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Some(unsafe { avx512::rounds(rounds) }),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => None,
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Self::Neon => Some(unsafe { neon::rounds(rounds) }),
            #[cfg(not(target_arch = "aarch64"))]
            Self::Neon => None,
        }
    }
}

/// The loop over `$chains` registers of `$lanes` floats: enough that a chain's latency (4 to 5 cycles, two instructions each) is hidden, few enough that
/// none is spilled. The factor keeps every value finite: `x = 0.5 x + 1` tends to 2.
macro_rules! register_loop {
    ($lanes:literal x $chains:literal, $(#[$features:meta])?, $set1:expr, $fma:expr) => {
        $(#[$features])?
        pub(super) fn rounds(rounds: u64) -> u64 {
            let (factor, one) = ($set1(black_box(0.5)), $set1(black_box(1.0)));
            let mut chains = [one; $chains];
            for _ in 0..rounds {
                for _ in 0..UNROLLED {
                    for x in &mut chains {
                        *x = $fma(*x, factor, one);
                    }
                }
            }
            black_box(chains);
            2 * $lanes * $chains * UNROLLED * rounds
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_set1_ps};

    use super::{UNROLLED, black_box};

    register_loop!(16 x 16, #[target_feature(enable = "avx512f")], _mm512_set1_ps, _mm512_fmadd_ps);
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps};

    use super::{UNROLLED, black_box};

    register_loop!(8 x 12, #[target_feature(enable = "avx2,fma")], _mm256_set1_ps, _mm256_fmadd_ps);
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use std::arch::aarch64::{float32x4_t, vdupq_n_f32, vfmaq_f32};

    use super::{UNROLLED, black_box};

    register_loop!(4 x 24, #[target_feature(enable = "neon")], vdupq_n_f32,
        |x: float32x4_t, factor: float32x4_t, one: float32x4_t| vfmaq_f32(one, x, factor));
}

mod plain {
    use super::{UNROLLED, black_box};

    type Four = [f32; 4];

    register_loop!(4 x 8, , |v: f32| -> Four { [v; 4] }, |x: Four, factor: Four, one: Four| -> Four {
        std::array::from_fn(|lane| x[lane] * factor[lane] + one[lane])
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_the_rounds_are_twice_the_operations_on_every_instruction_set_of_this_processor() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
            let (once, twice) = (isa.multiply_adds(10), isa.multiply_adds(20));
            assert!(once.is_some_and(|n| n >= 2 * 4 * 8 * 10), "{isa}: {once:?}");
            assert_eq!(twice, once.map(|n| 2 * n), "{isa}");
        }
        assert_eq!(Isa::Portable.multiply_adds(0), Some(0));
    }
}
