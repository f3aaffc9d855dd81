//! Activations, normalisation within images and enlargement, from the definitions.

use super::Map;

/// `x * Phi(x)`, Phi by the Taylor series of the error function.
pub(super) fn gelu(x: f64) -> f64 {
    let z = x / 2.0_f64.sqrt();
    let (mut term, mut sum) = (z, z);
    for k in 1..200 {
        term *= -z * z / f64::from(k);
        sum += term / f64::from(2 * k + 1);
    }
    x * 0.5 * (1.0 + 2.0 / std::f64::consts::PI.sqrt() * sum)
}

pub(super) fn softmax(x: &Map) -> Map {
    let mut y = x.clone();
    for (n, c, r, k) in x.each() {
        let sum: f64 = (0..x.c).map(|other| (x.at(n, other, r, k) - x.at(n, c, r, k)).exp()).sum();
        *y.at_mut(n, c, r, k) = 1.0 / sum;
    }
    y
}

pub(super) fn group_norm(x: &Map, groups: usize, eps: f64, weight: &[f64], bias: &[f64]) -> Map {
    let (pixels, per_group) = (x.rows() * x.w, x.c / groups);
    let mut y = x.clone();
    for (i, group) in y.data.chunks_mut(per_group * pixels).enumerate() {
        let count = group.len() as f64;
        let mean = group.iter().sum::<f64>() / count;
        let variance = group.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
        for (k, v) in group.iter_mut().enumerate() {
            let c = i % groups * per_group + k / pixels;
            *v = (*v - mean) / (variance + eps).sqrt() * weight[c] + bias[c];
        }
    }
    y
}

pub(super) fn upsample(x: &Map, factors: &[usize], linear: bool) -> Map {
    let factors = match *factors {
        [h, w] => [1, h, w],
        [d, h, w] => [d, h, w],
        _ => panic!("{factors:?}"),
    };
    let size: [usize; 3] = std::array::from_fn(|a| x.size()[a] * factors[a]);
    let mut y = Map::volume(x.n, x.c, size);
    for i in 0..y.data.len() {
        let plane = i / (size[0] * size[1] * size[2]);
        let at = [i / (size[1] * size[2]) % size[0], i / size[2] % size[1], i % size[2]];
        // Weight of an input position: a hat of one pixel's width around the output's centre; beyond the border the last pixel's.
        let weight = |a: usize, p: usize| {
            if !linear {
                return f64::from(u8::from(at[a] / factors[a] == p));
            }
            let last = x.size()[a] as f64 - 1.0;
            let centre = ((at[a] as f64 + 0.5) / factors[a] as f64 - 0.5).clamp(0.0, last);
            (1.0 - (centre - p as f64).abs()).max(0.0)
        };
        let mut sum = 0.0;
        for z in 0..x.d {
            for r in 0..x.h {
                for c in 0..x.w {
                    let v = x.data[((plane * x.d + z) * x.h + r) * x.w + c];
                    sum += weight(0, z) * weight(1, r) * weight(2, c) * v;
                }
            }
        }
        y.data[i] = sum;
    }
    y
}
