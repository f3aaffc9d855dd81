//! One step of recurrent cells, over the 16 features of a block: plain loops, compiled for every instruction set, that give the same bits on all of them.
//!
//! `exp` and `tanh` are polynomials as in Cephes (Moshier 1992), exact to about two units in the last place, because calls of the platform's would cost
//! more than the products between the steps.

use super::buffer::LANES;
use super::norm::Lanes;

/// The arguments of one step for one block of features. Pixels, one for each sequence, are 16 floats apart.
pub(crate) struct Gates {
    pub(crate) pixels: usize,
    /// The input's part of every gate; then the gates; after backward their gradients before the activation.
    pub(crate) x: *mut f32,
    /// The state's part of every gate, of a GRU; after backward its gradient.
    pub(crate) h: *mut f32,
    /// Floats from one gate to the next.
    pub(crate) gate: usize,
    /// Bias of the state's part of a GRU's candidate.
    pub(crate) bias: *const f32,
    /// The hidden state before and after the step, and their gradients.
    pub(crate) before: *const f32,
    pub(crate) after: *mut f32,
    pub(crate) d_before: *mut f32,
    pub(crate) d_after: *const f32,
    /// An LSTM's cell state before and after the step, and the gradient that travels along it.
    pub(crate) cell_before: *const f32,
    pub(crate) cell_after: *mut f32,
    pub(crate) d_cell: *mut f32,
}

/// `e^x`; beyond the range of normal numbers that of its ends, and NaN for NaN.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // Adding it leaves the whole number nearest to a small sum in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let r = x - whole * 0.693_359_4 + whole * 2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 5e-1;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3F80_0000));
    (p * r * r + r + 1.0) * power
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline(always)]
fn tanh(x: f32) -> f32 {
    let z = x * x;
    let p = -5.704_988_7e-3;
    let p = p * z + 2.063_909e-2;
    let p = p * z - 5.373_971_6e-2;
    let p = p * z + 1.333_144_2e-1;
    let p = p * z - 3.333_328e-1;
    let near = p * z * x + x;
    let far = 1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0);
    if x.abs() < 0.625 { near } else { far.copysign(x) }
}

/// # Safety
/// `p` is valid for 16 floats.
#[inline(always)]
unsafe fn lanes(p: *const f32) -> Lanes {
    // SAFETY: the caller's promise; an array of floats needs no more alignment than a float.
    unsafe { p.cast::<Lanes>().read() }
}

/// # Safety
/// `p` is valid for 16 floats.
#[inline(always)]
unsafe fn put(p: *mut f32, v: Lanes) {
    // SAFETY: as above.
    unsafe { p.cast::<Lanes>().write(v) }
}

/// One step of a GRU. The input's parts become `r`, `z` and `n`, the state's part of the candidate gets its bias.
///
/// # Safety
/// `x` and `h` are valid for three gates of `pixels` pixels, `before` and `after` for `pixels` pixels, `bias` for 16 floats; none overlap.
#[inline(always)]
pub(crate) unsafe fn gru(t: &Gates) {
    // SAFETY: the caller's promise covers every address formed here.
    unsafe {
        let bias = lanes(t.bias);
        for at in (0..t.pixels * LANES).step_by(LANES) {
            let (x_n, h_n) = (t.x.add(at + 2 * t.gate), t.h.add(at + 2 * t.gate));
            let (mut r, mut z, mut n) = (lanes(t.x.add(at)), lanes(t.x.add(at + t.gate)), lanes(x_n));
            let (h_r, h_z, mut hidden) = (lanes(t.h.add(at)), lanes(t.h.add(at + t.gate)), lanes(h_n));
            let mut state = lanes(t.before.add(at));
            for l in 0..LANES {
                r[l] = sigmoid(r[l] + h_r[l]);
                z[l] = sigmoid(z[l] + h_z[l]);
                hidden[l] += bias[l];
                n[l] = tanh(n[l] + r[l] * hidden[l]);
                state[l] = n[l] + z[l] * (state[l] - n[l]);
            }
            put(t.x.add(at), r);
            put(t.x.add(at + t.gate), z);
            put(x_n, n);
            put(h_n, hidden);
            put(t.after.add(at), state);
        }
    }
}

/// Backward of [`gru`]: the gates become the gradients of their sums, and what the state before hands through is added to its gradient.
///
/// # Safety
/// As [`gru`], with `d_before` like `after` and `d_after` like `before`.
#[inline(always)]
pub(crate) unsafe fn gru_grad(t: &Gates) {
    // SAFETY: the caller's promise covers every address formed here.
    unsafe {
        for at in (0..t.pixels * LANES).step_by(LANES) {
            let (x_n, h_n) = (t.x.add(at + 2 * t.gate), t.h.add(at + 2 * t.gate));
            let (mut r, mut z, mut n) = (lanes(t.x.add(at)), lanes(t.x.add(at + t.gate)), lanes(x_n));
            let (mut hidden, before) = (lanes(h_n), lanes(t.before.add(at)));
            let (d, mut d_before) = (lanes(t.d_after.add(at)), lanes(t.d_before.add(at)));
            for l in 0..LANES {
                d_before[l] += d[l] * z[l];
                let d_n = d[l] * (1.0 - z[l]) * (1.0 - n[l] * n[l]);
                z[l] = d[l] * (before[l] - n[l]) * z[l] * (1.0 - z[l]);
                let d_hidden = d_n * r[l];
                r[l] = d_n * hidden[l] * r[l] * (1.0 - r[l]);
                n[l] = d_n;
                hidden[l] = d_hidden;
            }
            put(t.x.add(at), r);
            put(t.x.add(at + t.gate), z);
            put(x_n, n);
            put(t.h.add(at), r);
            put(t.h.add(at + t.gate), z);
            put(h_n, hidden);
            put(t.d_before.add(at), d_before);
        }
    }
}

/// One step of an LSTM. The sums become `i`, `f`, `g` and `o`.
///
/// # Safety
/// `x` is valid for four gates of `pixels` pixels, `cell_before`, `cell_after` and `after` for `pixels` pixels; none overlap.
#[inline(always)]
pub(crate) unsafe fn lstm(t: &Gates) {
    // SAFETY: the caller's promise covers every address formed here.
    unsafe {
        for at in (0..t.pixels * LANES).step_by(LANES) {
            let (x_f, x_g, x_o) = (t.x.add(at + t.gate), t.x.add(at + 2 * t.gate), t.x.add(at + 3 * t.gate));
            let (mut i, mut f, mut g, mut o) = (lanes(t.x.add(at)), lanes(x_f), lanes(x_g), lanes(x_o));
            let (mut cell, mut state) = (lanes(t.cell_before.add(at)), [0.0; LANES]);
            for l in 0..LANES {
                i[l] = sigmoid(i[l]);
                f[l] = sigmoid(f[l]);
                g[l] = tanh(g[l]);
                o[l] = sigmoid(o[l]);
                cell[l] = f[l] * cell[l] + i[l] * g[l];
                state[l] = o[l] * tanh(cell[l]);
            }
            put(t.x.add(at), i);
            put(x_f, f);
            put(x_g, g);
            put(x_o, o);
            put(t.cell_after.add(at), cell);
            put(t.after.add(at), state);
        }
    }
}

/// Backward of [`lstm`]: the gates become the gradients of their sums, and `d_cell` that of the cell state before.
///
/// # Safety
/// As [`lstm`], with `d_cell` like `cell_after` and `d_after` like `cell_before`.
#[inline(always)]
pub(crate) unsafe fn lstm_grad(t: &Gates) {
    // SAFETY: the caller's promise covers every address formed here.
    unsafe {
        for at in (0..t.pixels * LANES).step_by(LANES) {
            let (x_f, x_g, x_o) = (t.x.add(at + t.gate), t.x.add(at + 2 * t.gate), t.x.add(at + 3 * t.gate));
            let (mut i, mut f, mut g, mut o) = (lanes(t.x.add(at)), lanes(x_f), lanes(x_g), lanes(x_o));
            let (before, cell) = (lanes(t.cell_before.add(at)), lanes(t.cell_after.add(at)));
            let (d, mut d_cell) = (lanes(t.d_after.add(at)), lanes(t.d_cell.add(at)));
            for l in 0..LANES {
                let out = tanh(cell[l]);
                let d_state = d_cell[l] + d[l] * o[l] * (1.0 - out * out);
                let d_i = d_state * g[l] * i[l] * (1.0 - i[l]);
                d_cell[l] = d_state * f[l];
                f[l] = d_state * before[l] * f[l] * (1.0 - f[l]);
                g[l] = d_state * i[l] * (1.0 - g[l] * g[l]);
                o[l] = d[l] * out * o[l] * (1.0 - o[l]);
                i[l] = d_i;
            }
            put(t.x.add(at), i);
            put(x_f, f);
            put(x_g, g);
            put(x_o, o);
            put(t.d_cell.add(at), d_cell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{exp, sigmoid, tanh};

    #[test]
    fn the_polynomials_are_exact_to_a_few_units_in_the_last_place() {
        let close = |got: f32, expected: f64| (f64::from(got) - expected).abs() <= 3e-7 * expected.abs();
        for i in -8700..8800 {
            let x = i as f32 * 0.01;
            let exact = f64::from(x);
            assert!(close(exp(x), exact.exp()), "exp({x}) is {}, not {}", exp(x), exact.exp());
            assert!(close(sigmoid(x), 1.0 / (1.0 + (-exact).exp())), "sigmoid({x}) is {}", sigmoid(x));
            assert!(close(tanh(x), exact.tanh()), "tanh({x}) is {}", tanh(x));
        }
        for f in [exp, sigmoid, tanh] {
            assert!(f(f32::NAN).is_nan());
        }
        assert_eq!((exp(0.0), tanh(0.0), sigmoid(0.0)), (1.0, 0.0, 0.5));
        assert_eq!((tanh(1e30), tanh(-1e30), sigmoid(1e30)), (1.0, -1.0, 1.0));
        assert!(tanh(1e-20) > 0.0 && sigmoid(-1e30) < 1e-37);
    }
}
