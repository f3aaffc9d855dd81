//! An independent forward pass in f64 over `[n, c, h, w]` or `[n, c, d, h, w]`, written from the definitions, with BatchNorm in training or inference mode.

use std::collections::HashMap;

use hilum_nn::network::INPUT;
use hilum_nn::{LossConfig, Network, Op, VolumeShape, Weights};

mod operators;
mod recurrent;
mod window;

#[derive(Clone)]
pub struct Map {
    pub n: usize,
    pub c: usize,
    pub d: usize,
    pub h: usize,
    pub w: usize,
    pub data: Vec<f64>,
}

impl Map {
    fn new(n: usize, c: usize, h: usize, w: usize) -> Self {
        Self::volume(n, c, [1, h, w])
    }

    pub fn volume(n: usize, c: usize, [d, h, w]: [usize; 3]) -> Self {
        Self { n, c, d, h, w, data: vec![0.0; n * c * d * h * w] }
    }

    pub fn size(&self) -> [usize; 3] {
        [self.d, self.h, self.w]
    }

    /// Slices under each other.
    fn rows(&self) -> usize {
        self.d * self.h
    }

    fn at(&self, n: usize, c: usize, y: usize, x: usize) -> f64 {
        self.data[((n * self.c + c) * self.rows() + y) * self.w + x]
    }

    fn at_mut(&mut self, n: usize, c: usize, y: usize, x: usize) -> &mut f64 {
        let at = ((n * self.c + c) * self.rows() + y) * self.w + x;
        &mut self.data[at]
    }

    fn each(&self) -> impl Iterator<Item = (usize, usize, usize, usize)> + use<> {
        let (&Self { n, c, w, .. }, h) = (self, self.rows());
        (0..n * c * h * w).map(move |i| (i / (c * h * w), i / (h * w) % c, i / w % h, i % w))
    }
}

/// Parameters in f64, by name.
pub type Parameters = HashMap<String, Vec<f64>>;

pub fn parameters(weights: &Weights) -> Parameters {
    weights.tensors().iter().map(|t| (t.name.clone(), t.data.iter().map(|v| f64::from(*v)).collect())).collect()
}

/// The value of every layer.
pub fn run(
    network: &Network,
    p: &Parameters,
    shape: impl Into<VolumeShape>,
    input: &[f32],
    training: bool,
) -> HashMap<String, Map> {
    let VolumeShape { n, d, h, w } = shape.into();
    let data = input.iter().map(|v| f64::from(*v)).collect();
    let mut values = HashMap::from([(INPUT.to_owned(), Map { n, c: network.in_channels(), d, h, w, data })]);
    let mut previous = INPUT.to_owned();
    for layer in network.layers() {
        let names = if layer.inputs.is_empty() { vec![previous.clone()] } else { layer.inputs.clone() };
        let inputs: Vec<&Map> = names.iter().map(|n| &values[n]).collect();
        let get = |kind: &str| p.get(&format!("{}.{kind}", layer.name));
        let x = inputs[0];
        let y = match layer.op {
            Op::Conv2d { out_channels, kernel, .. } => {
                conv(x, get("weight").unwrap(), get("bias"), out_channels, kernel)
            }
            Op::ConvTranspose2d { out_channels, .. } => up(x, get("weight").unwrap(), get("bias"), out_channels),
            Op::Conv(ref conv) => window::conv(x, get("weight").unwrap(), get("bias"), conv),
            Op::ConvTranspose { ref conv, ref output_padding } => {
                window::transposed(x, get("weight").unwrap(), get("bias"), conv, output_padding)
            }
            Op::Linear { out_features, .. } => conv(x, get("weight").unwrap(), get("bias"), out_features, 1),
            Op::MaxPool2d => max_pool(x),
            Op::MaxPool(ref pooling) => window::pool(x, pooling, None),
            Op::AvgPool { ref pooling, count_padding } => window::pool(x, pooling, Some(count_padding)),
            Op::GlobalAvgPool => window::global_mean(x),
            Op::AdaptiveAvgPool { ref size } => window::adaptive(x, size, true),
            Op::AdaptiveMaxPool { ref size } => window::adaptive(x, size, false),
            Op::Gru(recurrence) => recurrent::run(x, recurrence, recurrent::gru, get),
            Op::Lstm(recurrence) => recurrent::run(x, recurrence, recurrent::lstm, get),
            Op::BatchNorm2d | Op::BatchNorm { .. } => {
                let eps = if let Op::BatchNorm { eps } = layer.op { f64::from(eps) } else { 1e-5 };
                let parameters = ["weight", "bias", "running_mean", "running_var"].map(|k| get(k).unwrap());
                norm(x, parameters, training, eps)
            }
            // What is zeroed is the engine's choice: only no dropout has a reference in training.
            Op::Dropout { rate, .. } => {
                assert!(!training || rate == 0.0);
                x.clone()
            }
            Op::InstanceNorm { eps } => {
                operators::group_norm(x, x.c, f64::from(eps), get("weight").unwrap(), get("bias").unwrap())
            }
            Op::GroupNorm { groups, eps } => {
                operators::group_norm(x, groups, f64::from(eps), get("weight").unwrap(), get("bias").unwrap())
            }
            Op::ClippedRelu { max } => map(x, |v| v.clamp(0.0, f64::from(max))),
            Op::LeakyRelu { slope } => map(x, |v| if v > 0.0 { v } else { f64::from(slope) * v }),
            Op::Gelu => map(x, operators::gelu),
            Op::Tanh => map(x, f64::tanh),
            Op::Softmax => operators::softmax(x),
            Op::Upsample { ref factors, linear } => operators::upsample(x, factors, linear),
            Op::Flatten => Map { c: x.c * x.d * x.h * x.w, d: 1, h: 1, w: 1, ..x.clone() },
            Op::Add => window::sum(&inputs),
            Op::Scale { factor } => map(x, |v| f64::from(factor) * v),
            Op::Relu => map(x, |v| v.max(0.0)),
            Op::Sigmoid => map(x, |v| 1.0 / (1.0 + (-v).exp())),
            Op::Concat => concat(&inputs),
        };
        values.insert(layer.name.clone(), y);
        previous.clone_from(&layer.name);
    }
    values
}

/// The loss as documented, from the logits.
pub fn loss(config: LossConfig, logits: &Map, target: &[f32]) -> f64 {
    let mut bce = 0.0;
    let mut sums = vec![[0.0; 3]; logits.c];
    for (i, (_, c, _, _)) in logits.each().enumerate() {
        let (x, t) = (logits.data[i], f64::from(target[i]));
        let p = 1.0 / (1.0 + (-x).exp());
        // -t ln p - (1 - t) ln (1 - p), with -ln p = softplus(-x) and -ln (1 - p) = softplus(x).
        bce += t * softplus(-x) + (1.0 - t) * softplus(x);
        sums[c][0] += p * t;
        sums[c][1] += p;
        sums[c][2] += t;
    }
    let smooth = f64::from(config.smooth);
    let dice: f64 = sums.iter().map(|[pt, p, t]| 1.0 - (2.0 * pt + smooth) / (p + t + smooth)).sum();
    f64::from(config.bce) * bce / logits.data.len() as f64 + f64::from(config.dice) * dice / logits.c as f64
}

fn softplus(x: f64) -> f64 {
    if x > 30.0 { x } else { x.exp().ln_1p() }
}

fn map(x: &Map, f: impl Fn(f64) -> f64) -> Map {
    Map { data: x.data.iter().map(|v| f(*v)).collect(), ..*x }
}

fn conv(x: &Map, weight: &[f64], bias: Option<&Vec<f64>>, out: usize, k: usize) -> Map {
    let mut y = Map::new(x.n, out, x.h, x.w);
    for (n, o, r, c) in y.each() {
        let mut sum = bias.map_or(0.0, |b| b[o]);
        for i in 0..x.c {
            for kr in 0..k {
                for kc in 0..k {
                    let (sr, sc) = ((r + kr).wrapping_sub(k / 2), (c + kc).wrapping_sub(k / 2));
                    if sr < x.h && sc < x.w {
                        sum += weight[((o * x.c + i) * k + kr) * k + kc] * x.at(n, i, sr, sc);
                    }
                }
            }
        }
        *y.at_mut(n, o, r, c) = sum;
    }
    y
}

fn up(x: &Map, weight: &[f64], bias: Option<&Vec<f64>>, out: usize) -> Map {
    let mut y = Map::new(x.n, out, 2 * x.h, 2 * x.w);
    for (n, o, r, c) in y.each() {
        let tap = (r % 2) * 2 + c % 2;
        let sum: f64 = (0..x.c).map(|i| weight[(i * out + o) * 4 + tap] * x.at(n, i, r / 2, c / 2)).sum();
        *y.at_mut(n, o, r, c) = sum + bias.map_or(0.0, |b| b[o]);
    }
    y
}

fn max_pool(x: &Map) -> Map {
    let mut y = Map::new(x.n, x.c, x.h / 2, x.w / 2);
    for (n, c, r, k) in y.each() {
        let four = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(dr, dc)| x.at(n, c, 2 * r + dr, 2 * k + dc));
        *y.at_mut(n, c, r, k) = four.into_iter().fold(f64::NEG_INFINITY, f64::max);
    }
    y
}

fn norm(x: &Map, [weight, bias, mean, var]: [&Vec<f64>; 4], training: bool, eps: f64) -> Map {
    let (mut mean, mut var) = (mean.clone(), var.clone());
    if training {
        let count = (x.n * x.rows() * x.w) as f64;
        mean = vec![0.0; x.c];
        var = vec![0.0; x.c];
        x.each().for_each(|(n, c, r, k)| mean[c] += x.at(n, c, r, k) / count);
        x.each().for_each(|(n, c, r, k)| var[c] += (x.at(n, c, r, k) - mean[c]).powi(2) / count);
    }
    let mut y = x.clone();
    for (n, c, r, k) in x.each() {
        *y.at_mut(n, c, r, k) = (x.at(n, c, r, k) - mean[c]) / (var[c] + eps).sqrt() * weight[c] + bias[c];
    }
    y
}

fn concat(inputs: &[&Map]) -> Map {
    let mut y = Map::volume(inputs[0].n, inputs.iter().map(|m| m.c).sum(), inputs[0].size());
    let mut first = 0;
    for x in inputs {
        x.each().for_each(|(n, c, r, k)| *y.at_mut(n, first + c, r, k) = x.at(n, c, r, k));
        first += x.c;
    }
    y
}

/// Deterministic numbers in -1..1 with no structure to speak of.
pub fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut s = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        (s >> 40) as f32 / 8_388_608.0 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// Targets of zeros and ones.
pub fn targets(len: usize, seed: u64) -> Vec<f32> {
    noise(len, seed).into_iter().map(|v| f32::from(u8::from(v > 0.3))).collect()
}
