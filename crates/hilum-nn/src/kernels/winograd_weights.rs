//! The weights' side of Winograd's F(4x4, 3x3): `G g G^T`, in f64 and rounded once.

use super::buffer::LANES;
use super::winograd_tiles::POSITIONS;

/// Kernels of 16 output channels, by tap.
pub(crate) type Taps = [[f64; LANES]; 9];

/// Half a block: what is in work at a time.
const HALF: usize = LANES / 2;

type F64s = [f64; HALF];

/// `G v`.
#[inline(always)]
fn g(v: [F64s; 3]) -> [F64s; 6] {
    let each = |f: &dyn Fn(usize) -> f64| -> F64s { std::array::from_fn(f) };
    [
        each(&|l| 0.25 * v[0][l]),
        each(&|l| -1.0 / 6.0 * v[0][l] + -1.0 / 6.0 * v[1][l] + -1.0 / 6.0 * v[2][l]),
        each(&|l| -1.0 / 6.0 * v[0][l] + 1.0 / 6.0 * v[1][l] + -1.0 / 6.0 * v[2][l]),
        each(&|l| 1.0 / 24.0 * v[0][l] + 1.0 / 12.0 * v[1][l] + 1.0 / 6.0 * v[2][l]),
        each(&|l| 1.0 / 24.0 * v[0][l] + -1.0 / 12.0 * v[1][l] + 1.0 / 6.0 * v[2][l]),
        v[2],
    ]
}

/// `G g G^T` of 16 kernels to 36 positions, `stride` floats apart. Plain arrays: the compiler makes vectors of them for the instruction set.
///
/// # Safety
/// `u` is valid for 16 floats at each position.
#[inline(always)]
pub(crate) unsafe fn transform_weights(taps: &Taps, u: *mut f32, stride: usize) {
    for half in [0, HALF] {
        let mut t = [[[0.0; HALF]; 3]; 6];
        for j in 0..3 {
            let column = g([0, 1, 2].map(|i| std::array::from_fn(|l| taps[i * 3 + j][half + l])));
            for i in 0..6 {
                t[i][j] = column[i];
            }
        }
        for i in 0..6 {
            for (j, v) in g(t[i]).into_iter().enumerate() {
                let v: [f32; HALF] = std::array::from_fn(|l| v[l] as f32);
                let at = (i * 6 + j) * stride + half;
                // SAFETY: half a block of one position, by the caller's promise; an array of floats needs no more alignment than a float.
                unsafe { u.add(at).cast::<[f32; HALF]>().write(v) };
            }
        }
    }
    const { assert!(POSITIONS == 36) };
}
