//! Floating-point formats of weight files, as 32-bit floats.

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    /// IEEE 754 half precision.
    F16,
    /// The upper half of a 32-bit float.
    Bf16,
    /// Single precision.
    F32,
    /// Double precision, rounded to single.
    F64,
}

impl Number {
    /// Bytes of one value.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// One value from the first bytes, little endian; they must be there.
    pub(crate) fn value(self, bytes: &[u8]) -> f32 {
        fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
            std::array::from_fn(|i| bytes[i])
        }
        match self {
            Self::F16 => from_half(u16::from_le_bytes(first(bytes))),
            Self::Bf16 => f32::from_bits(u32::from(u16::from_le_bytes(first(bytes))) << 16),
            Self::F32 => f32::from_le_bytes(first(bytes)),
            Self::F64 => f64::from_le_bytes(first(bytes)) as f32,
        }
    }

    /// All values; bytes beyond the last whole one are left.
    pub(crate) fn values(self, bytes: &[u8]) -> Vec<f32> {
        bytes.chunks_exact(self.size()).map(|b| self.value(b)).collect()
    }
}

/// IEEE 754 binary16: 1 sign bit, 5 of the exponent (bias 15), 10 of the fraction.
fn from_half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2.0_f32.powi(-24),
        0x1f if fraction == 0.0 => f32::INFINITY,
        0x1f => f32::NAN,
        _ => (1024.0 + fraction) * 2.0_f32.powi(exponent - 25),
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn every_half_is_the_value_that_its_definition_gives() {
        for bits in 0..=u16::MAX {
            let got = Number::F16.value(&bits.to_le_bytes());
            // By shifting the fields into a single's place and multiplying by the difference of the biases (exact, subnormals included).
            let magnitude = f32::from_bits(u32::from(bits & 0x7fff) << 13) * 2.0_f32.powi(112);
            let expected = match (bits & 0x7c00, bits & 0x3ff) {
                (0x7c00, 0) => f32::INFINITY,
                (0x7c00, _) => f32::NAN,
                _ => magnitude,
            };
            let expected = if bits & 0x8000 == 0 { expected } else { -expected };
            assert!(got == expected || (got.is_nan() && expected.is_nan()), "{bits:#06x}: {got}, expected {expected}");
        }
    }
}
