//! Confidence intervals.

/// 97.5 % quantile of the normal distribution.
pub const Z95: f64 = 1.959_963_984_540_054;

/// Wilson's 95 % interval (1927) of a share of `found` in `n`; `None` for n = 0.
pub fn wilson95(found: usize, n: usize) -> Option<[f64; 2]> {
    if n == 0 {
        return None;
    }
    let (k, n, z2) = (found as f64, n as f64, Z95 * Z95);
    let p = k / n;
    let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z95 / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    Some([(middle - half).max(0.0), (middle + half).min(1.0)])
}

/// The exact 95 % interval (Garwood 1936) of the mean of a Poisson variable seen once as `count`.
pub fn poisson95(count: usize) -> [f64; 2] {
    let low = if count == 0 { 0.0 } else { solve(|mean| 1.0 - at_most(count - 1, mean) < 0.025, count as f64) };
    let high = solve(|mean| at_most(count, mean) > 0.025, 2.0 * count as f64 + 10.0);
    [low, high]
}

/// The largest mean up to `most` for which `holds` (true below, false above), by bisection.
fn solve(holds: impl Fn(f64) -> bool, most: f64) -> f64 {
    let (mut low, mut high) = (0.0, most);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Probability of at most `k` events for a mean; terms in logarithms, so that large means do not underflow.
fn at_most(k: usize, mean: f64) -> f64 {
    let mut log_term = -mean;
    let mut sum = log_term.exp();
    for i in 1..=k {
        log_term += mean.ln() - (i as f64).ln();
        sum += log_term.exp();
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: [f64; 2], b: [f64; 2]) -> bool {
        (a[0] - b[0]).abs() < 5e-4 && (a[1] - b[1]).abs() < 5e-4
    }

    #[test]
    fn intervals_are_those_of_scipy() {
        // SciPy 1.17.1: binomtest(k, n).proportion_ci(method="wilson"), and Garwood's limits from chi2.ppf.
        assert!(close(wilson95(59, 60).expect("n"), [0.91144, 0.99706]));
        assert!(close(wilson95(0, 10).expect("n"), [0.0, 0.27753]));
        assert!(close(wilson95(45, 50).expect("n"), [0.78640, 0.95652]));
        assert_eq!(wilson95(0, 0), None);
        assert!(close(poisson95(0), [0.0, 3.68888]));
        assert!(close(poisson95(5), [1.62349, 11.66833]));
        assert!(close(poisson95(20), [12.21652, 30.88838]));
    }
}
