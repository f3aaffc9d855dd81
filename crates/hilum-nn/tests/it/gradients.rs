//! Gradients of the engine against central differences of the f64 reference, on every instruction set of this machine.

use hilum_nn::{
    AdamConfig, Algorithm, Computation, Inference, InputShape, Isa, LossConfig, Network, Op, Options, Tensor, Trainer,
    UNet2d, VolumeShape, Weights, unet2d,
};

use crate::reference::{loss, noise, parameters, run, targets};

/// Weights in which every tensor, BatchNorm's and biases included, is away from its initial value.
pub fn lively_weights(network: &Network, seed: u64) -> Weights {
    let start = Weights::init(network, seed);
    let tensors = start.tensors().iter().enumerate().map(|(i, t)| {
        let jitter = noise(t.data.len(), seed + 1 + i as u64);
        Tensor { data: t.data.iter().zip(jitter).map(|(w, j)| w + 0.3 * j).collect(), ..t.clone() }
    });
    Weights::new(network, tensors.collect()).unwrap()
}

fn isas() -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.available())
}

/// For every parameter tensor: the derivative along the tensor's own gradient direction plus noise, analytic against central differences.
pub fn check(what: &str, network: &Network, shape: impl Into<VolumeShape>) {
    let shape @ VolumeShape { n, d, h, w } = shape.into();
    check_on(what, network, shape, &noise(n * network.in_channels() * d * h * w, 5));
}

fn check_on(what: &str, network: &Network, shape: impl Into<VolumeShape>, x: &[f32]) {
    check_computed(what, network, shape, x, &[Algorithm::Direct.into(), Algorithm::Winograd.into()]);
}

/// As [`check`], trained by each of these.
pub fn check_computed(
    what: &str,
    network: &Network,
    shape: impl Into<VolumeShape>,
    x: &[f32],
    computations: &[Computation],
) {
    let shape = shape.into();
    let weights = lively_weights(network, 11);
    let p = parameters(&weights);
    let logits = network.layers().last().unwrap().inputs.first().cloned();
    let logits = logits.unwrap_or_else(|| network.layers()[network.layers().len() - 2].name.clone());
    let out = run(network, &p, shape, x, true)[&logits].clone();
    let y = targets(out.data.len(), 6);
    let config = LossConfig { bce: 0.7, dice: 1.3, smooth: 1.0 };
    let expected_loss = loss(config, &out, &y);
    for (isa, training) in isas().flat_map(|isa| computations.iter().map(move |training| (isa, training))) {
        let what = format!("{what} trained by {training:?}");
        let options = Options { threads: 2, isa: Some(isa) };
        let adam = AdamConfig::default();
        let mut trainer =
            Trainer::compile_with(network, weights.clone(), shape, config, adam, options, training.clone()).unwrap();
        let (got, gradients) = trainer.gradients(x, &y).unwrap();
        assert!(
            (f64::from(got) - expected_loss).abs() < 2e-5 * (1.0 + expected_loss),
            "{what} {isa}: loss {got}, reference {expected_loss}"
        );
        for (t, Tensor { name, data: gradient, .. }) in gradients.iter().enumerate() {
            let scale = gradient.iter().map(|g| f64::from(g * g)).sum::<f64>().sqrt();
            let jitter = noise(gradient.len(), 100 + t as u64);
            let length = jitter.iter().map(|j| f64::from(j * j)).sum::<f64>().sqrt();
            let direction: Vec<f64> = gradient
                .iter()
                .zip(&jitter)
                .map(|(g, j)| f64::from(*g) / scale.max(1e-12) + f64::from(*j) / length)
                .collect();
            let analytic: f64 = gradient.iter().zip(&direction).map(|(g, d)| f64::from(*g) * d).sum();
            // Small enough that hardly any ReLU or maximum changes sides.
            let eps = 1e-6;
            let shifted = |by: f64| {
                let mut p = p.clone();
                p.get_mut(name).unwrap().iter_mut().zip(&direction).for_each(|(v, d)| *v += by * d);
                loss(config, &run(network, &p, shape, x, true)[&logits], &y)
            };
            let numeric = (shifted(eps) - shifted(-eps)) / (2.0 * eps);
            let error = (analytic - numeric).abs();
            assert!(
                error <= 2e-6 + 2e-3 * numeric.abs(),
                "{what} {isa} {name}: analytic {analytic}, numeric {numeric}"
            );
        }
        let scores = run(network, &p, shape, x, false)[&network.layers().last().unwrap().name].clone();
        for (algorithm, bound) in [(Algorithm::Direct, 2e-5), (Algorithm::Winograd, 1e-4), (Algorithm::Auto, 1e-4)] {
            let mut plan = Inference::compile_with(network, &weights, shape, options, algorithm).unwrap();
            let mut output = vec![0.0; scores.data.len()];
            plan.forward(x, &mut output).unwrap();
            let worst = output.iter().zip(&scores.data).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
            assert!(worst < bound, "{what} {isa} {algorithm:?}: scores differ by {worst}");
        }
        let evaluated = trainer.evaluate(x, &y).unwrap();
        let reference = loss(config, &run(network, &p, shape, x, false)[&logits], &y);
        assert!(
            (f64::from(evaluated) - reference).abs() < 2e-5 * (1.0 + reference),
            "{what} {isa}: evaluation {evaluated}, {reference}"
        );
    }
}

fn conv(out_channels: usize, kernel: usize, bias: bool) -> Op {
    Op::Conv2d { out_channels, kernel, bias }
}

#[test]
fn convolutions_of_any_channel_count_match_the_reference() {
    for (i, [inp, mid, out]) in
        [[1, 1, 1], [3, 17, 2], [16, 32, 1], [5, 48, 3], [33, 16, 1], [20, 70, 1]].into_iter().enumerate()
    {
        for kernel in [1, 3] {
            let mut net = Network::builder(inp);
            net.then("a", conv(mid, kernel, i % 2 == 0));
            net.then("b", conv(out, 3, i % 2 == 1));
            net.then("c", conv(out, 1, true));
            net.then("score", Op::Sigmoid);
            let shape = InputShape { n: 1 + i % 3, h: 1 + 2 * i, w: 9 - i };
            check(&format!("{inp} {mid} {out} kernel {kernel}"), &net.build().unwrap(), shape);
        }
    }
}

#[test]
fn every_map_width_uses_a_right_set_of_border_tiles() {
    for w in 1..=18 {
        let mut net = Network::builder(2);
        net.then("a", conv(32, 3, true));
        net.then("b", conv(1, 3, true));
        net.then("score", Op::Sigmoid);
        check(&format!("width {w}"), &net.build().unwrap(), InputShape { n: 1, h: 3, w });
    }
}

#[test]
fn transposed_convolution_matches_the_reference() {
    for [inp, out] in [[1, 1], [3, 20], [40, 33], [17, 16]] {
        for bias in [false, true] {
            let mut net = Network::builder(2);
            net.then("a", conv(inp, 3, true));
            net.then("up", Op::ConvTranspose2d { out_channels: out, bias });
            net.then("b", conv(2, 1, true));
            net.then("score", Op::Sigmoid);
            check(&format!("up {inp} {out}"), &net.build().unwrap(), InputShape { n: 2, h: 3, w: 11 });
        }
    }
}

#[test]
fn pooling_norm_relu_and_sigmoid_match_the_reference() {
    let mut net = Network::builder(3);
    net.then("a", conv(19, 3, false));
    net.then("bn", Op::BatchNorm2d);
    net.then("pool", Op::MaxPool2d);
    net.then("relu", Op::Relu);
    net.then("bn2", Op::BatchNorm2d);
    net.then("mid", Op::Sigmoid);
    net.then("b", conv(4, 3, true));
    net.then("bn3", Op::BatchNorm2d);
    net.then("relu3", Op::Relu);
    net.then("head", conv(2, 1, true));
    net.then("score", Op::Sigmoid);
    check("pointwise", &net.build().unwrap(), InputShape { n: 3, h: 6, w: 10 });
}

#[test]
fn four_equal_maxima_share_one_gradient() {
    let mut net = Network::builder(1);
    net.then("a", conv(3, 1, true));
    net.then("pool", Op::MaxPool2d);
    net.then("head", conv(1, 1, true));
    net.then("score", Op::Sigmoid);
    let network = net.build().unwrap();
    let shape = InputShape { n: 1, h: 4, w: 6 };
    check_on("ties", &network, shape, &[0.5; 24]);
}

#[test]
fn concatenations_share_buffers_copy_and_accumulate_rightly() {
    // `a` feeds two concatenations (one must copy), a pooling-free branch after them, and itself twice; the input is concatenated too.
    let mut net = Network::builder(3);
    net.then("a", conv(18, 3, true));
    net.layer("b", &["a"], conv(5, 1, true));
    net.layer("cat1", &["a", "b", "input"], Op::Concat);
    net.layer("c", &["cat1"], conv(16, 3, false));
    net.layer("c.bn", &["c"], Op::BatchNorm2d);
    net.layer("cat2", &["a", "c.bn", "a", "cat1"], Op::Concat);
    net.layer("d", &["cat2"], conv(7, 3, true));
    net.layer("e", &["a"], conv(7, 3, true));
    net.layer("e.bn", &["e"], Op::BatchNorm2d);
    net.layer("e.relu", &["e.bn"], Op::Relu);
    net.layer("cat3", &["d", "e.relu"], Op::Concat);
    net.layer("head", &["cat3"], conv(1, 1, true));
    net.then("score", Op::Sigmoid);
    check("concatenation", &net.build().unwrap(), InputShape { n: 2, h: 5, w: 7 });
}

#[test]
fn a_value_read_before_and_after_batch_norm_keeps_its_gradient() {
    let mut net = Network::builder(2);
    net.then("a", conv(6, 3, true));
    net.layer("bn", &["a"], Op::BatchNorm2d);
    net.layer("relu", &["bn"], Op::Relu);
    net.layer("side", &["bn"], conv(3, 1, true));
    net.layer("again", &["a"], Op::Relu);
    net.layer("cat", &["relu", "again", "side"], Op::Concat);
    net.layer("head", &["cat"], conv(1, 3, true));
    net.then("score", Op::Sigmoid);
    check("branches", &net.build().unwrap(), InputShape { n: 2, h: 4, w: 5 });
}

#[test]
fn a_small_u_net_matches_the_reference() {
    let net = unet2d(UNet2d { in_channels: 3, out_channels: 2, base: 6, depth: 2 }).unwrap();
    check("u-net", &net, InputShape { n: 2, h: 8, w: 12 });
}
