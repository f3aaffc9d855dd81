//! Small dense linear algebra: symmetric 3x3 matrices, and normal equations.

pub(super) use hilum_imaging::vector::{dot, minus};

pub(super) type Matrix3 = [[f64; 3]; 3];

pub(super) fn times(m: &Matrix3, v: [f64; 3]) -> [f64; 3] {
    m.map(|row| dot(row, v))
}

/// Eigenvalues and unit eigenvectors of a symmetric matrix, by Jacobi's rotations.
pub(super) fn eigen(matrix: &Matrix3) -> ([f64; 3], [[f64; 3]; 3]) {
    let mut a = *matrix;
    let mut vectors = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    for _ in 0..40 {
        let off = a[0][1].abs() + a[0][2].abs() + a[1][2].abs();
        if off < 1e-14 * (a[0][0].abs() + a[1][1].abs() + a[2][2].abs()) + f64::MIN_POSITIVE {
            break;
        }
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            if a[p][q] == 0.0 {
                continue;
            }
            let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
            let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
            let c = 1.0 / t.hypot(1.0);
            let s = t * c;
            for row in &mut a {
                let (x, y) = (row[p], row[q]);
                row[p] = c * x - s * y;
                row[q] = s * x + c * y;
            }
            for k in 0..3 {
                let (x, y) = (a[p][k], a[q][k]);
                a[p][k] = c * x - s * y;
                a[q][k] = s * x + c * y;
            }
            for k in 0..3 {
                let (x, y) = (vectors[p][k], vectors[q][k]);
                vectors[p][k] = c * x - s * y;
                vectors[q][k] = s * x + c * y;
            }
        }
    }
    ([a[0][0], a[1][1], a[2][2]], vectors)
}

/// A function of a symmetric matrix, by its eigenvalues.
pub(super) fn function_of(matrix: &Matrix3, f: impl Fn(f64) -> f64) -> Matrix3 {
    let (values, vectors) = eigen(matrix);
    let values = values.map(f);
    std::array::from_fn(|i| {
        std::array::from_fn(|j| (0..3).map(|k| values[k] * vectors[k][i] * vectors[k][j]).sum::<f64>())
    })
}

/// A symmetric positive definite system of `N` unknowns, row by row.
pub(super) type System<const N: usize> = [[f64; N]; N];

/// Lower triangle of Cholesky's factor; `None` where the matrix is not positive definite.
fn factor<const N: usize>(a: &System<N>) -> Option<System<N>> {
    let mut l = [[0.0; N]; N];
    for i in 0..N {
        for j in 0..=i {
            let sum = a[i][j] - (0..j).map(|k| l[i][k] * l[j][k]).sum::<f64>();
            if i == j {
                if sum <= 0.0 || !sum.is_finite() {
                    return None;
                }
                l[i][i] = sum.sqrt();
            } else {
                l[i][j] = sum / l[j][j];
            }
        }
    }
    Some(l)
}

/// Solves `a x = b`.
pub(super) fn solve<const N: usize>(a: &System<N>, b: &[f64; N]) -> Option<[f64; N]> {
    let l = factor(a)?;
    let mut x = *b;
    for i in 0..N {
        let known: f64 = (0..i).map(|k| l[i][k] * x[k]).sum();
        x[i] = (x[i] - known) / l[i][i];
    }
    for i in (0..N).rev() {
        let known: f64 = (i + 1..N).map(|k| l[k][i] * x[k]).sum();
        x[i] = (x[i] - known) / l[i][i];
    }
    Some(x)
}
