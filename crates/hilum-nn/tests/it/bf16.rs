//! Inference in bf16: kernels against scalar models of what is rounded where, whole networks against f32.

use hilum_nn::{
    Algorithm, CompileError, Computation, Convolution, DenseNet, Difference, Inference, InputShape, Isa, Network, Op,
    Options, Parity, Pooling, Precision, RunError, Scores, UNet2d, UNet3d, VolumeShape, Weights, densenet, unet2d,
    unet3d,
};

use crate::gradients::lively_weights;
use crate::reference::{self, noise};

/// Instruction sets with bf16 on this processor.
fn isas() -> Vec<Isa> {
    let network = linear(2, 2);
    let has = |isa: &Isa| {
        let options = Options { threads: 1, isa: Some(*isa) };
        let weights = Weights::init(&network, 1);
        Inference::compile_with(&network, &weights, InputShape { n: 1, h: 1, w: 1 }, options, Precision::Bf16).is_ok()
    };
    let isas: Vec<Isa> = Isa::ALL.into_iter().filter(has).collect();
    assert!(isas.contains(&Isa::Portable));
    isas
}

fn linear(inp: usize, out: usize) -> Network {
    let mut net = Network::builder(inp);
    net.then("pixel", Op::GlobalAvgPool);
    net.then("features", Op::Flatten);
    net.then("a", Op::Linear { out_features: out, bias: true });
    net.build().unwrap()
}

/// The bf16 nearest to a number by its definition: a whole number below 256 times a power of two.
fn rounded(v: f64) -> f64 {
    if v == 0.0 {
        return 0.0;
    }
    let unit = 2.0_f64.powi(v.abs().log2().floor() as i32 - 7);
    (v / unit).round_ties_even() * unit
}

fn run(
    network: &Network,
    weights: &Weights,
    shape: impl Into<VolumeShape>,
    x: &[f32],
    isa: Isa,
    threads: usize,
    computation: impl Into<Computation>,
) -> Vec<f32> {
    let (shape, options) = (shape.into(), Options { threads, isa: Some(isa) });
    let mut plan = Inference::compile_with(network, weights, shape, options, computation).unwrap();
    let out = plan.output_shape();
    let mut y = vec![0.0; shape.n * out.c * out.d * out.h * out.w];
    plan.forward(x, &mut y).unwrap();
    y
}

fn direct() -> Computation {
    Computation { algorithm: Algorithm::Direct, ..Precision::Bf16.into() }
}

/// Root mean square.
fn rms(values: impl Iterator<Item = f64> + Clone) -> f64 {
    (values.clone().map(|v| v * v).sum::<f64>() / values.count() as f64).sqrt()
}

/// One operator against its definition in f64 over weights and inputs that were rounded to bf16, and nothing else rounded.
fn agrees(what: &str, network: &Network, shape: impl Into<VolumeShape>) {
    let shape = shape.into();
    let weights = lively_weights(network, 3);
    let x = noise(shape.n * network.in_channels() * shape.d * shape.h * shape.w, 4);
    let mut parameters = reference::parameters(&weights);
    for (name, values) in &mut parameters {
        if name.ends_with(".weight") {
            for v in values {
                *v = rounded(*v);
            }
        }
    }
    let narrow: Vec<f32> = x.iter().map(|&v| rounded(f64::from(v)) as f32).collect();
    let last = &network.layers().last().unwrap().name;
    let expected = &reference::run(network, &parameters, shape, &narrow, false)[last].data;
    let unrounded = &reference::run(network, &reference::parameters(&weights), shape, &x, false)[last].data;
    let unit = rms(expected.iter().copied());
    let lost = rms(expected.iter().zip(unrounded).map(|(a, b)| a - b)) / unit;
    assert!(lost > 2e-4, "{what}: rounding loses only {lost}: nothing is tested");
    for isa in isas() {
        let y = run(network, &weights, shape, &x, isa, 2, direct());
        let worst = expected.iter().zip(&y).map(|(a, b)| (a - f64::from(*b)).abs()).fold(0.0, f64::max) / unit;
        assert!(worst < 1e-5, "{what} {shape:?} {isa}: differs by {worst} of the root mean square");
    }
}

#[test]
fn convolutions_multiply_rounded_numbers_and_lose_nothing_more() {
    let one = |inp: usize, op: Op| {
        let mut net = Network::builder(inp);
        net.then("a", op);
        net.build().unwrap()
    };
    let conv = |out_channels, kernel| Op::Conv2d { out_channels, kernel, bias: true };
    for (inp, out) in [(1, 1), (2, 16), (3, 33), (17, 40), (48, 20)] {
        for (n, h, w) in [(1, 1, 1), (2, 5, 9), (3, 7, 16)] {
            let shape = InputShape { n, h, w };
            agrees("3x3", &one(inp, conv(out, 3)), shape);
            agrees("1x1", &one(inp, conv(out, 1)), shape);
            agrees("transposed 2x2", &one(inp, Op::ConvTranspose2d { out_channels: out, bias: true }), shape);
            let wide = Convolution::new(out, &[1, 7]).same().with_bias();
            agrees("1x7", &one(inp, Op::Conv(wide)), shape);
        }
        agrees("linear", &linear(inp, out), InputShape { n: 5, h: 1, w: 1 });
    }
    let stem = Convolution { stride: vec![2, 2], padding: vec![3, 3], ..Convolution::new(20, &[7, 7]) };
    agrees("stem", &one(3, Op::Conv(stem)), InputShape { n: 2, h: 19, w: 22 });
    let far = Convolution { dilation: vec![2, 3], padding: vec![1, 2], ..Convolution::new(18, &[3, 2]) };
    agrees("dilated", &one(5, Op::Conv(far)), InputShape { n: 1, h: 11, w: 12 });
    for groups in [3, 21] {
        let grouped = Convolution { groups, ..Convolution::new(42, &[3, 3]).same() };
        agrees("grouped", &one(21, Op::Conv(grouped)), InputShape { n: 2, h: 6, w: 5 });
    }
}

#[test]
fn convolutions_of_volumes_multiply_rounded_numbers_and_lose_nothing_more() {
    let one = |inp: usize, op: Op| {
        let mut net = Network::volume_builder(inp);
        net.then("a", op);
        net.build().unwrap()
    };
    for (inp, out) in [(1, 3), (5, 16), (18, 35)] {
        let shape = VolumeShape { n: 2, d: 3, h: 4, w: 9 };
        agrees("3x3x3", &one(inp, Op::Conv(Convolution::new(out, &[3, 3, 3]).same().with_bias())), shape);
        agrees("1x1x1", &one(inp, Op::Conv(Convolution::new(out, &[1, 1, 1]))), shape);
        let up = Convolution { stride: vec![2; 3], ..Convolution::new(out, &[2, 2, 2]).with_bias() };
        agrees("transposed 2x2x2", &one(inp, Op::ConvTranspose { conv: up, output_padding: vec![0; 3] }), shape);
    }
}

/// The transforms of a minimal filtering of `m` outputs by three taps, from its points alone (Toom and Cook): `A`, `G` and `B`, by point.
fn toom_cook(points: &[f64], m: usize) -> [Vec<Vec<f64>>; 3] {
    let times = |p: &[f64], root: f64| {
        let mut product = vec![0.0; p.len() + 1];
        for (i, c) in p.iter().enumerate() {
            product[i] -= root * c;
            product[i + 1] += c;
        }
        product
    };
    let powers = |p: f64, count: i32| (0..count).map(|k| p.powi(k)).collect::<Vec<f64>>();
    let (mut a, mut g, mut b) = (Vec::new(), Vec::new(), Vec::new());
    for &p in points {
        let others = points.iter().filter(|&&q| q != p);
        let scale: f64 = others.clone().map(|q| p - q).product();
        a.push(powers(p, m as i32));
        g.push(powers(p, 3).iter().map(|v| v / scale).collect());
        let mut row = others.fold(vec![1.0], |row, &q| times(&row, q));
        row.resize(m + 2, 0.0);
        b.push(row);
    }
    let infinity = |len: usize| (0..len).map(|i| f64::from(u8::from(i + 1 == len))).collect::<Vec<f64>>();
    a.push(infinity(m));
    g.push(infinity(3));
    b.push(points.iter().fold(vec![1.0], |row, &q| times(&row, q)));
    [a, g, b]
}

/// `M d M^T`.
fn around(m: &[Vec<f64>], d: &dyn Fn(usize, usize) -> f64) -> Vec<Vec<f64>> {
    let side = m[0].len();
    let sum = |i: usize, j: usize| {
        let each = (0..side).flat_map(|r| (0..side).map(move |c| (r, c)));
        each.map(|(r, c)| m[i][r] * d(r, c) * m[j][c]).sum()
    };
    (0..m.len()).map(|i| (0..m.len()).map(|j| sum(i, j)).collect()).collect()
}

/// A 3x3 convolution of one image by tiles of 4x4, in f64, where transformed weights and patches are rounded to bf16.
fn model(x: &[f64], w: &[f64], [inp, out, height, width]: [usize; 4]) -> Vec<f64> {
    let root = 0.5_f64.sqrt();
    let [a, g, b] = toom_cook(&[0.0, root, -root, 2.0 * root, -2.0 * root], 4);
    let narrow = |m: Vec<Vec<f64>>| m.into_iter().flatten().map(rounded).collect::<Vec<f64>>();
    let u: Vec<Vec<f64>> = w.chunks_exact(9).map(|k| narrow(around(&g, &|r, c| k[r * 3 + c]))).collect();
    let mut y = vec![0.0; out * height * width];
    for (top, left) in (0..height).step_by(4).flat_map(|r| (0..width).step_by(4).map(move |c| (r, c))) {
        let pixel = |i: usize, r: usize, c: usize| match (r.checked_sub(1), c.checked_sub(1)) {
            (Some(r), Some(c)) if r < height && c < width => rounded(x[(i * height + r) * width + c]),
            _ => 0.0,
        };
        let v: Vec<Vec<f64>> = (0..inp).map(|i| narrow(around(&b, &|r, c| pixel(i, top + r, left + c)))).collect();
        for o in 0..out {
            let m: Vec<f64> = (0..36).map(|p| (0..inp).map(|i| v[i][p] * u[o * inp + i][p]).sum()).collect();
            for (r, c) in (0..4).flat_map(|r| (0..4).map(move |c| (r, c))) {
                if top + r < height && left + c < width {
                    let sum = (0..36).map(|p| a[p / 6][r] * m[p] * a[p % 6][c]).sum();
                    y[(o * height + top + r) * width + left + c] = sum;
                }
            }
        }
    }
    y
}

/// A number on the edge of rounding may fall to the other side by the last bit of a transform in f32: few do, and each by little.
#[test]
fn winograd_rounds_what_enters_its_products_and_nothing_else() {
    for ([inp, out], [h, w]) in [([16, 16], [8, 12]), ([21, 35], [5, 7]), ([40, 17], [13, 4]), ([16, 16], [1, 1])] {
        let mut net = Network::builder(inp);
        net.then("a", Op::Conv2d { out_channels: out, kernel: 3, bias: false });
        let network = net.build().unwrap();
        let (shape, weights) = (InputShape { n: 1, h, w }, lively_weights(&network, 5));
        let x = noise(inp * h * w, 6);
        let wide: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
        let expected = model(&wide, &reference::parameters(&weights)["a.weight"], [inp, out, h, w]);
        let exact = &reference::run(&network, &reference::parameters(&weights), shape, &x, false)["a"].data;
        let lost = rms(expected.iter().zip(exact).map(|(a, b)| a - b));
        for isa in isas() {
            let computation = Computation { algorithm: Algorithm::Winograd, ..Precision::Bf16.into() };
            let y = run(&network, &weights, shape, &x, isa, 2, computation);
            let off = rms(expected.iter().zip(&y).map(|(a, b)| a - f64::from(*b)));
            assert!(off < 0.1 * lost, "{inp} {out} {h}x{w} {isa}: {off} off where rounding loses {lost}");
        }
    }
}

/// Layers of every kind between convolutions, with values that are joined, pooled, normalised, summed and read several times.
fn mixture() -> Network {
    let conv = |out_channels, kernel| Op::Conv2d { out_channels, kernel, bias: true };
    let mut net = Network::builder(3);
    net.then("a", conv(20, 3));
    net.then("a.norm", Op::BatchNorm2d);
    net.then("a.relu", Op::Relu);
    net.then("pool", Op::MaxPool2d);
    net.then("b", conv(24, 3));
    net.layer("b.norm", &["b"], Op::BatchNorm2d);
    net.layer("b.relu", &["b.norm"], Op::Relu);
    net.layer("c", &["b.relu"], conv(18, 1));
    net.layer("d", &["b.relu"], conv(18, 3));
    net.layer("sum", &["c", "d"], Op::Add);
    net.layer("gelu", &["sum"], Op::Gelu);
    net.layer("e", &["gelu"], conv(17, 3));
    net.layer("f", &["gelu"], conv(5, 1));
    net.layer("joined", &["e", "f", "gelu"], Op::Concat);
    net.layer("joined.norm", &["joined"], Op::BatchNorm2d);
    net.layer("joined.relu", &["joined.norm"], Op::Relu);
    net.then("up", Op::ConvTranspose2d { out_channels: 16, bias: true });
    net.layer("cat", &["a.relu", "up"], Op::Concat);
    net.then("g", conv(16, 3));
    net.then("head", conv(2, 1));
    net.build().unwrap()
}

/// Every pool between convolutions, and pools of values that others make and read in f32.
fn pools() -> Network {
    let conv = |out_channels, kernel| Op::Conv2d { out_channels, kernel, bias: true };
    let window = Pooling::new(&[3, 2], &[2, 1]).padding(&[1, 0]);
    let mut net = Network::builder(3);
    net.then("a", conv(20, 3));
    net.then("max", Op::MaxPool(window.clone()));
    net.then("b", conv(17, 1));
    net.then("mean", Op::AvgPool { pooling: window, count_padding: false });
    net.then("c", conv(16, 1));
    net.layer("gelu", &["c"], Op::Gelu);
    net.layer("wide.max", &["gelu"], Op::AdaptiveMaxPool { size: vec![3, 4] });
    net.layer("narrow.mean", &["b"], Op::AdaptiveAvgPool { size: vec![3, 4] });
    net.layer("tanh", &["narrow.mean"], Op::Tanh);
    net.layer("joined", &["wide.max", "narrow.mean", "tanh"], Op::Concat);
    net.then("d", conv(18, 3));
    net.then("global", Op::GlobalAvgPool);
    net.then("features", Op::Flatten);
    net.then("head", Op::Linear { out_features: 6, bias: true });
    net.build().unwrap()
}

#[test]
fn every_instruction_set_and_number_of_threads_gives_the_same_and_close_to_f32() {
    for network in [mixture(), pools()] {
        close_to_f32_everywhere(&network);
    }
}

fn close_to_f32_everywhere(network: &Network) {
    let shape = InputShape { n: 2, h: 22, w: 26 };
    let weights = lively_weights(network, 7);
    let x = noise(shape.n * 3 * shape.h * shape.w, 8);
    let wide = run(network, &weights, shape, &x, Isa::Portable, 1, Precision::F32);
    let portable = run(network, &weights, shape, &x, Isa::Portable, 1, Precision::Bf16);
    let unit = rms(wide.iter().map(|v| f64::from(*v)));
    let off = |a: &[f32], b: &[f32]| rms(a.iter().zip(b).map(|(a, b)| f64::from(a - b))) / unit;
    assert!(off(&wide, &portable) > 1e-3, "nothing was rounded");
    for isa in isas() {
        let one = run(network, &weights, shape, &x, isa, 1, Precision::Bf16);
        assert!(off(&wide, &one) < 0.02, "{isa}: {} from f32", off(&wide, &one));
        assert!(off(&portable, &one) < 0.001, "{isa}: {} from the portable path", off(&portable, &one));
        for threads in [2, 3] {
            assert!(
                one == run(network, &weights, shape, &x, isa, threads, Precision::Bf16),
                "{isa}, {threads} threads"
            );
        }
    }
}

/// With masks at the mean of the result, where most values are near.
fn parity(network: &Network, weights: &Weights, shape: VolumeShape, computation: &Computation) -> Difference {
    let count = shape.n * network.in_channels() * shape.d * shape.h * shape.w;
    let inputs = [noise(count, 1), noise(count, 2)];
    let wide = run(network, weights, shape, &inputs[0], Isa::best(), 2, Precision::F32);
    let threshold = wide.iter().sum::<f32>() / wide.len() as f32;
    let options = Options { threads: 2, ..Options::default() };
    let inputs = inputs.iter().map(Vec::as_slice);
    Parity::measure(network, weights, shape, options, computation, inputs, threshold).unwrap().all
}

/// The bounds that the README states. Noise through untrained weights is the hardest that a network meets: smooth images lose less.
#[test]
fn whole_networks_in_bf16_stay_within_their_bounds_of_f32_and_winograd_within_three_times_direct() {
    if isas().len() < 2 {
        return;
    }
    let unet = unet2d(UNet2d { in_channels: 1, out_channels: 1, base: 16, depth: 3 }).unwrap();
    let volumes = unet3d(UNet3d { in_channels: 1, out_channels: 1, base: 16, depth: 2 }).unwrap();
    let classifier = densenet(&DenseNet::d121(3, 40, Scores::Logits)).unwrap();
    for (name, network, most) in
        [("U-Net", unet, 0.03), ("3D U-Net", volumes, 0.03), ("DenseNet-121", classifier, 0.02)]
    {
        let shape = match network.axes() {
            3 => VolumeShape { n: 1, d: 16, h: 24, w: 24 },
            _ => InputShape { n: 2, h: 96, w: 64 }.into(),
        };
        let weights = Weights::init(&network, 3);
        let of = |algorithm| {
            let computation = Computation { algorithm, ..Precision::Bf16.into() };
            parity(&network, &weights, shape, &computation)
        };
        let (auto, direct) = (of(Algorithm::Auto), of(Algorithm::Direct));
        println!("{name}: {auto:?}, direct {direct:?}");
        assert!(auto.rms > 1e-4 && auto.rms < most && auto.max < 10.0 * most, "{name}: {auto:?}");
        assert!(auto.agreement > 0.98 && auto.dice > 0.98, "{name}: {auto:?}");
        assert!(auto.rms < 3.0 * direct.rms, "{name}: {auto:?}, direct {direct:?}");
    }
}

#[test]
fn a_parity_report_tells_channels_apart_and_counts_sides_of_the_threshold() {
    // The first channel is a number that bf16 has, the second one that it rounds up over the threshold.
    let network = linear(1, 2);
    let mut weights = Weights::init(&network, 1);
    let tensors = [("a.weight", vec![1.0, 1.004]), ("a.bias", vec![0.0, 0.0])];
    for (name, data) in tensors {
        let shape = weights.tensors().iter().find(|t| t.name == name).unwrap().shape.clone();
        let tensor = hilum_nn::Tensor { name: name.to_owned(), shape, data };
        weights.adopt(&network, vec![tensor], &hilum_nn::KeyMap::default()).unwrap();
    }
    let shape = VolumeShape { n: 1, d: 1, h: 1, w: 1 };
    let options = Options { threads: 1, isa: Some(Isa::Portable) };
    let measure = |x: &[f32], threshold| {
        Parity::measure(&network, &weights, shape, options, &Precision::Bf16.into(), x.chunks(1), threshold).unwrap()
    };
    // 1.004 becomes 1.0078125.
    let parity = measure(&[1.0, -1.0], 1.005);
    let [first, second] = parity.channels[..] else { panic!("{parity:?}") };
    assert_eq!((first.max, first.rms, first.agreement, first.dice), (0.0, 0.0, 1.0, 1.0));
    assert!((second.unit - 1.004).abs() < 1e-6 && (second.max - 0.003_812_5 / 1.004).abs() < 1e-6, "{second:?}");
    assert!((second.rms - second.max).abs() < 1e-9, "{second:?}");
    assert_eq!((second.agreement, second.dice), (0.5, 0.0));
    assert_eq!((parity.all.agreement, parity.all.dice), (0.75, 0.0));
    assert_eq!(measure(&[0.0], 0.0).all.unit, 1.0);
}

#[test]
fn an_instruction_set_without_bf16_refuses_it_by_name() {
    let (network, shape) = (linear(2, 2), InputShape { n: 1, h: 1, w: 1 });
    let weights = Weights::init(&network, 1);
    for isa in Isa::ALL.into_iter().filter(|isa| isa.available() && !isas().contains(isa)) {
        let options = Options { threads: 1, isa: Some(isa) };
        let refused = Inference::compile_with(&network, &weights, shape, options, Precision::Bf16).err();
        assert_eq!(refused, Some(CompileError::NoBf16(isa)));
        assert!(refused.unwrap().to_string().starts_with(&format!("{isa} multiplies no bf16")));
    }
}

#[test]
fn a_number_that_is_not_finite_is_named_by_its_layer_in_bf16_too() {
    let network = mixture();
    let shape = InputShape { n: 1, h: 8, w: 8 };
    let mut weights = lively_weights(&network, 7);
    let guilty = weights.tensors().iter().find(|t| t.name == "b.weight").unwrap().clone();
    let data = vec![f32::MAX; guilty.data.len()];
    weights.adopt(&network, vec![hilum_nn::Tensor { data, ..guilty }], &hilum_nn::KeyMap::default()).unwrap();
    for isa in isas() {
        let options = Options { threads: 2, isa: Some(isa) };
        let mut plan = Inference::compile_with(&network, &weights, shape, options, Precision::Bf16).unwrap();
        let refused = plan.forward(&noise(192, 1), &mut [0.0; 128]);
        assert!(
            matches!(&refused, Err(RunError::Activation { layer, .. }) if layer == "b.relu" || layer == "b"),
            "{refused:?}"
        );
    }
}
