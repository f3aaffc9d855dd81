//! The weights' side of Winograd's F(4x4, 3x3): `G g G^T`, in f64 and rounded once.

use super::buffer::LANES;
use super::winograd_tiles::POSITIONS;

/// Kernels of 16 output channels, by tap.
pub(crate) type Taps = [[f64; LANES]; 9];

/// Half a block: what is in work at a time.
const HALF: usize = LANES / 2;

type F64s = [f64; HALF];

/// `G v` for the points 0, +-1/sqrt(2), +-sqrt(2) and infinity, which products of bf16 take.
#[inline(always)]
fn g_of_roots(v: &[F64s; 3]) -> [F64s; 6] {
    let mut u = [[0.0; HALF]; 6];
    for l in 0..HALF {
        let [a, b, c] = [v[0][l], v[1][l], v[2][l]];
        let (low, high) = (std::f64::consts::FRAC_1_SQRT_2 * b, std::f64::consts::SQRT_2 * b);
        u[0][l] = a;
        u[1][l] = (a + low + 0.5 * c) / -1.5;
        u[2][l] = (a - low + 0.5 * c) / -1.5;
        u[3][l] = (a + high + 2.0 * c) / 6.0;
        u[4][l] = (a - high + 2.0 * c) / 6.0;
        u[5][l] = c;
    }
    u
}

/// `G v`.
#[inline(always)]
fn g(v: &[F64s; 3]) -> [F64s; 6] {
    let mut u = [[0.0; HALF]; 6];
    for l in 0..HALF {
        let [a, b, c] = [v[0][l], v[1][l], v[2][l]];
        u[0][l] = 0.25 * a;
        u[1][l] = -1.0 / 6.0 * a + -1.0 / 6.0 * b + -1.0 / 6.0 * c;
        u[2][l] = -1.0 / 6.0 * a + 1.0 / 6.0 * b + -1.0 / 6.0 * c;
        u[3][l] = 1.0 / 24.0 * a + 1.0 / 12.0 * b + 1.0 / 6.0 * c;
        u[4][l] = 1.0 / 24.0 * a + -1.0 / 12.0 * b + 1.0 / 6.0 * c;
        u[5][l] = c;
    }
    u
}

/// `G g G^T` of 16 kernels to 36 positions, `stride` floats apart. Plain loops: the compiler makes vectors of them for the
/// instruction set, which it does not with closures handed to `from_fn` or `map`.
///
/// # Safety
/// `u` is valid for 16 floats at each position.
#[inline(always)]
pub(crate) unsafe fn transform_weights<const ROOTS: bool>(taps: &Taps, u: *mut f32, stride: usize) {
    let g = if ROOTS { g_of_roots } else { g };
    for half in [0, HALF] {
        let mut t = [[[0.0; HALF]; 3]; 6];
        for j in 0..3 {
            let mut v = [[0.0; HALF]; 3];
            for i in 0..3 {
                v[i].copy_from_slice(&taps[i * 3 + j][half..half + HALF]);
            }
            let column = g(&v);
            for i in 0..6 {
                t[i][j] = column[i];
            }
        }
        for i in 0..6 {
            let row = g(&t[i]);
            for j in 0..6 {
                let mut v = [0.0_f32; HALF];
                for l in 0..HALF {
                    v[l] = row[j][l] as f32;
                }
                let at = (i * 6 + j) * stride + half;
                // SAFETY: half a block of one position, by the caller's promise; an array of floats needs no more alignment than a float.
                unsafe { u.add(at).cast::<[f32; HALF]>().write(v) };
            }
        }
    }
    const { assert!(POSITIONS == 36) };
}
