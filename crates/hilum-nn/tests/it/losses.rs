//! Losses and their gradients against PyTorch's figures and against finite differences of a reference in f64.

use hilum_nn::{
    Activation, AdamConfig, CompileError, Inference, InputShape, Isa, Loss, LossConfig, LossError, Network, Op,
    Options, RunError, Scope, Target, Term, Trainer, Weights,
};

use crate::gradients::lively_weights;
use crate::pytorch::{floats, numbers, record};
use crate::reference::noise;

#[test]
fn values_and_gradients_are_pytorchs_for_every_term() {
    let record = record();
    let shape = numbers(&record["losses"]["shape"]).into_iter().map(|v| v as usize).collect::<Vec<_>>();
    let logits = floats(&record["losses"]["logits"]);
    let cases = record["losses"]["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 19);
    for case in cases {
        let loss: Loss = serde_json::from_value(case["loss"].clone()).unwrap();
        let values = floats(&case["target"]);
        let weights = case["weights"].is_array().then(|| floats(&case["weights"]));
        let target = Target { values: &values, weights: weights.as_deref() };
        let (value, gradient) = loss.of(&logits, target, [shape[0], shape[1], shape[2]]).unwrap();
        let expected = case["value"].as_f64().unwrap();
        assert!((value - expected).abs() < 2e-6 * (1.0 + expected), "{loss:?}: {value}, PyTorch {expected}");
        for (i, (got, expected)) in gradient.iter().zip(numbers(&case["gradient"])).enumerate() {
            let bound = 1e-7 + 1e-5 * expected.abs();
            assert!((f64::from(*got) - expected).abs() < bound, "{loss:?} at {i}: {got}, PyTorch {expected}");
        }
    }
}

/// The losses as documented, in f64, one element after the other.
fn reference(loss: &Loss, x: &[f64], target: &[f32], weights: &[f32], [n, c, pixels]: [usize; 3]) -> f64 {
    let at = |i: usize, k: usize, p: usize| (i * c + k) * pixels + p;
    let probability = |i: usize, k: usize, p: usize| match loss.activation {
        Activation::Sigmoid => 1.0 / (1.0 + (-x[at(i, k, p)]).exp()),
        Activation::Softmax => 1.0 / (0..c).map(|j| (x[at(i, j, p)] - x[at(i, k, p)]).exp()).sum::<f64>(),
    };
    let truth = |i: usize, k: usize, p: usize| {
        let t = match loss.activation {
            Activation::Sigmoid => target[at(i, k, p)],
            Activation::Softmax => target[i * pixels + p],
        };
        match (loss.ignore, loss.activation) {
            (Some(ignored), _) if ignored as f32 == t => None,
            (_, Activation::Sigmoid) => Some(f64::from(t)),
            (_, Activation::Softmax) => Some(if t as usize == k { 1.0 } else { 0.0 }),
        }
    };
    let all = || (0..n).flat_map(|i| (0..c).flat_map(move |k| (0..pixels).map(move |p| (i, k, p))));
    let entry = |list: &[f32], k: usize, or: f64| list.get(k).map_or(or, |v| f64::from(*v));
    let total = |term: &Term| match term {
        Term::Bce { weight, positive_weights } => {
            let (mut sum, mut count) = (0.0, 0.0);
            for (i, k, p) in all() {
                let Some(t) = truth(i, k, p) else { continue };
                let q = probability(i, k, p);
                let each = -entry(positive_weights, k, 1.0) * t * q.ln() - (1.0 - t) * (1.0 - q).ln();
                sum += f64::from(weights[i * pixels + p]) * each;
                count += 1.0;
            }
            f64::from(*weight) * sum / f64::max(count, 1.0)
        }
        Term::CrossEntropy { weight, class_weights } => {
            let (mut sum, mut divisor) = (0.0, 0.0);
            for (i, k, p) in all() {
                let w =
                    f64::from(weights[i * pixels + p]) * entry(class_weights, k, 1.0) * truth(i, k, p).unwrap_or(0.0);
                sum -= w * probability(i, k, p).ln();
                divisor += w;
            }
            f64::from(*weight) * if divisor > 0.0 { sum / divisor } else { 0.0 }
        }
        Term::Focal { weight, gamma, alpha } => {
            let (mut sum, mut count, gamma) = (0.0, 0.0, f64::from(*gamma));
            for (i, k, p) in all() {
                let Some(t) = truth(i, k, p) else { continue };
                let (q, w) = (probability(i, k, p), f64::from(weights[i * pixels + p]));
                if loss.activation == Activation::Softmax {
                    sum -= t * w * entry(alpha, k, 1.0) * (1.0 - q).powf(gamma) * q.ln();
                    count += t;
                } else {
                    let balance = alpha.get(k).map_or(1.0, |a| f64::from(*a) * t + (1.0 - f64::from(*a)) * (1.0 - t));
                    let entropy = -t * q.ln() - (1.0 - t) * (1.0 - q).ln();
                    sum += w * balance * (1.0 - q * t - (1.0 - q) * (1.0 - t)).powf(gamma) * entropy;
                    count += 1.0;
                }
            }
            f64::from(*weight) * sum / f64::max(count, 1.0)
        }
        Term::Dice { weight, scope, background, .. } | Term::Tversky { weight, scope, background, .. } => {
            let first = usize::from(!background);
            let regions = if *scope == Scope::Batch { 1 } else { n };
            let mut sum = 0.0;
            for (region, k) in (0..regions).flat_map(|r| (first..c).map(move |k| (r, k))) {
                let images = if *scope == Scope::Batch { 0..n } else { region..region + 1 };
                let [mut hit, mut false_positive, mut missed] = [0.0; 3];
                for (i, p) in images.flat_map(|i| (0..pixels).map(move |p| (i, p))) {
                    let Some(t) = truth(i, k, p) else { continue };
                    let q = probability(i, k, p);
                    hit += q * t;
                    false_positive += q * (1.0 - t);
                    missed += (1.0 - q) * t;
                }
                sum += match *term {
                    Term::Tversky { alpha, beta, smooth, .. } => {
                        let [a, b, s] = [alpha, beta, smooth].map(f64::from);
                        1.0 - (hit + s) / (hit + a * false_positive + b * missed + s)
                    }
                    Term::Dice { smooth, .. } => {
                        1.0 - (2.0 * hit + f64::from(smooth))
                            / (2.0 * hit + false_positive + missed + f64::from(smooth))
                    }
                    _ => unreachable!("matched above"),
                };
            }
            f64::from(*weight) * sum / (regions * (c - first)) as f64
        }
    };
    loss.terms.iter().map(total).sum()
}

fn loss(text: &str) -> Loss {
    toml::from_str(text).unwrap()
}

#[test]
fn gradients_are_those_of_finite_differences_at_every_size() {
    let sigmoid = "activation = \"sigmoid\"\nignore = -1\n[[term]]\nkind = \"bce\"\npositive_weights = LIST\n[[term]]\nkind = \"dice\"\n";
    let softmax = "activation = \"softmax\"\nignore = 255\n[[term]]\nkind = \"cross_entropy\"\nclass_weights = LIST\n[[term]]\nkind = \"dice\"\n";
    let more = "scope = \"image\"\n[[term]]\nkind = \"focal\"\nalpha = LIST\ngamma = 1.7\n[[term]]\nkind = \"tversky\"\nbackground = BACK\n";
    // The last two are cut into several jobs.
    for (case, [n, c, pixels]) in
        [[1, 1, 1], [2, 2, 1], [3, 1, 7], [2, 5, 33], [1, 2, 8192], [2, 3, 8200], [1, 1, 20000]].into_iter().enumerate()
    {
        for (activation, text) in [sigmoid, softmax].into_iter().enumerate() {
            if activation == 1 && c == 1 {
                continue;
            }
            let list: Vec<f32> = (0..c).map(|k| 0.2 + 0.25 * k as f32).collect();
            let text = format!("{text}{more}")
                .replace("LIST", &format!("{list:?}"))
                .replace("BACK", if c > 1 { "false" } else { "true" });
            let loss = loss(&text);
            let seed = case as u64 * 10 + 1;
            let logits: Vec<f32> = noise(n * c * pixels, seed).into_iter().map(|v| 4.0 * v).collect();
            let choice = noise(n * c * pixels, seed + 1);
            let values: Vec<f32> = if activation == 0 {
                choice.iter().map(|v| if *v < -0.7 { -1.0 } else { f32::from(u8::from(*v > 0.2)) }).collect()
            } else {
                let label = |v: &f32| if *v < -0.7 { 255.0 } else { ((0.5 * v + 0.5) * c as f32).floor() };
                choice[..n * pixels].iter().map(label).collect()
            };
            let weights: Vec<f32> = noise(n * pixels, seed + 2).into_iter().map(|v| 1.0 + v).collect();
            let shape = [n, c, pixels];
            let target = Target { values: &values, weights: Some(&weights) };
            let (value, gradient) = loss.of(&logits, target, shape).unwrap();
            let x: Vec<f64> = logits.iter().map(|v| f64::from(*v)).collect();
            let expected = reference(&loss, &x, &values, &weights, shape);
            assert!((value - expected).abs() < 1e-5 * (1.0 + expected), "{shape:?} {text}: {value}, {expected}");
            for seed in [5, 6] {
                let direction = noise(x.len(), seed);
                let shifted = |by: f64| {
                    let x: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| x + by * f64::from(*d)).collect();
                    reference(&loss, &x, &values, &weights, shape)
                };
                let numeric = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
                let analytic: f64 = gradient.iter().zip(&direction).map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
                let bound = 1e-6 + 1e-4 * numeric.abs();
                assert!((analytic - numeric).abs() < bound, "{shape:?} {text}: {analytic}, numeric {numeric}");
            }
        }
    }
}

#[test]
fn extreme_logits_give_finite_losses_and_gradients() {
    let all = |activation: &str, entropy: &str| {
        loss(&format!(
            "activation = \"{activation}\"\n[[term]]\nkind = \"{entropy}\"\n[[term]]\nkind = \"focal\"\ngamma = 0.5\n[[term]]\nkind = \"dice\"\nsmooth = 0.0\n[[term]]\nkind = \"tversky\"\nsmooth = 0.0"
        ))
    };
    let logits = [1e4, -1e4, 0.0, -1e4, 1e4, -300.0, 300.0, 1e4];
    for (loss, target) in [
        (all("sigmoid", "bce"), vec![1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
        (all("softmax", "cross_entropy"), vec![0.0, 1.0, 0.0, 1.0]),
    ] {
        let (value, gradient) = loss.of(&logits, &target, [1, 2, 4]).unwrap();
        assert!(value.is_finite() && gradient.iter().all(|g| g.is_finite()), "{loss:?}: {value} {gradient:?}");
    }
}

#[test]
fn a_batch_of_nothing_but_ignored_pixels_has_no_gradient() {
    for (text, target) in [
        ("activation = \"sigmoid\"\n[[term]]\nkind = \"bce\"", [7.0; 6]),
        ("activation = \"softmax\"\n[[term]]\nkind = \"cross_entropy\"", [7.0; 6]),
    ] {
        let loss = loss(&format!("ignore = 7\n{text}\n[[term]]\nkind = \"dice\"\n[[term]]\nkind = \"focal\""));
        let target = if loss.activation == Activation::Softmax { &target[..3] } else { &target[..] };
        let (value, gradient) = loss.of(&[1.0, -2.0, 3.0, 0.5, 0.0, 9.0], target, [1, 2, 3]).unwrap();
        assert_eq!((value, gradient), (0.0, vec![0.0; 6]), "{text}");
    }
}

/// Logits of three classes from two channels, without BatchNorm so that training and inference compute the same.
fn segmenter() -> Network {
    let mut net = Network::builder(2);
    net.then("a", Op::Conv2d { out_channels: 6, kernel: 3, bias: true });
    net.then("relu", Op::Relu);
    net.then("head", Op::Conv2d { out_channels: 3, kernel: 1, bias: true });
    net.build().unwrap()
}

fn softmax() -> Loss {
    loss(
        "activation = \"softmax\"\nignore = 255\n[[term]]\nkind = \"cross_entropy\"\nclass_weights = [0.5, 1.0, 2.0]\n[[term]]\nkind = \"dice\"",
    )
}

fn labels(len: usize, seed: u64) -> Vec<f32> {
    noise(len, seed).into_iter().map(|v| if v < -0.8 { 255.0 } else { (1.5 * v + 1.5).floor() }).collect()
}

#[test]
fn a_trainer_hands_softmaxs_gradient_to_the_network() {
    let (network, shape) = (segmenter(), InputShape { n: 2, h: 5, w: 7 });
    let (x, y, w) = (noise(140, 1), labels(70, 2), noise(70, 3).into_iter().map(f32::abs).collect::<Vec<_>>());
    let (weights, target) = (lively_weights(&network, 4), Target { values: &y, weights: Some(&w) });
    let mut logits = vec![0.0; 210];
    Inference::compile(&network, &weights, shape, Options::default()).unwrap().forward(&x, &mut logits).unwrap();
    let (expected, by_logits) = softmax().of(&logits, target, [2, 3, 35]).unwrap();
    let adam = AdamConfig::default();
    let mut t = Trainer::compile(&network, weights, shape, softmax(), adam, Options::default()).unwrap();
    let (loss, gradients) = t.gradients(&x, target).unwrap();
    let evaluated = t.evaluate(&x, target).unwrap();
    assert!((f64::from(loss) - expected).abs() < 1e-5 && (f64::from(evaluated) - expected).abs() < 1e-5);
    let bias = &gradients.iter().find(|g| g.name == "head.bias").unwrap().data;
    for (c, got) in bias.iter().enumerate() {
        let planes = by_logits.chunks(35).skip(c).step_by(3);
        let expected: f32 = planes.flatten().sum();
        assert!((got - expected).abs() < 1e-5, "class {c}: {got}, {expected}");
    }
}

#[test]
fn softmax_training_learns_and_gives_the_same_bits_whatever_the_thread_count() {
    let (network, shape) = (segmenter(), InputShape { n: 2, h: 100, w: 92 });
    let x = noise(2 * 2 * 9200, 1);
    // The class is what the first channel says.
    let y: Vec<f32> = x
        .chunks(9200)
        .step_by(2)
        .flatten()
        .map(|v| if *v > 0.9 { 255.0 } else { (1.5 * v + 1.5).floor().min(2.0) })
        .collect();
    for isa in Isa::ALL.into_iter().filter(|i| i.available()) {
        let run = |threads: usize| {
            let (weights, options) = (Weights::init(&network, 1), Options { threads, isa: Some(isa) });
            let mut t = Trainer::compile(&network, weights, shape, softmax(), AdamConfig::default(), options).unwrap();
            let losses: Vec<f32> = (0..12).map(|_| t.step(&x, &y, 0.03).unwrap()).collect();
            (losses, t.weights())
        };
        let one = run(1);
        assert!(one.0[11] < 0.8 * one.0[0], "{isa}: {:?}", one.0);
        assert!(one == run(2) && one == run(3), "{isa}");
    }
}

#[test]
fn both_written_forms_are_read_and_mixtures_refused() {
    let short = loss("bce = 10.0\ndice = 1.0\nsmooth = 1.0");
    assert_eq!(short, LossConfig { bce: 10.0, dice: 1.0, smooth: 1.0 }.into());
    let long = softmax();
    assert_eq!(loss(&toml::to_string(&long).unwrap()), long);
    assert_eq!(loss(&toml::to_string(&short).unwrap()), short);
    for text in ["bce = 1.0", "bce = 1.0\ndice = 1.0\nignore = 3", "smooth = 1.0\n[[term]]\nkind = \"dice\""] {
        assert!(toml::from_str::<Loss>(text).unwrap_err().to_string().contains("write either"), "{text}");
    }
    let unknown = toml::from_str::<Loss>("[[term]]\nkind = \"dice\"\ngamma = 2.0").unwrap_err().to_string();
    assert!(unknown.contains("gamma"), "{unknown}");
}

#[test]
fn losses_that_cannot_be_computed_are_refused_by_name() {
    let (network, shape) = (segmenter(), InputShape { n: 1, h: 2, w: 2 });
    let compile = |loss: Loss| {
        let weights = Weights::init(&network, 1);
        Trainer::compile(&network, weights, shape, loss, AdamConfig::default(), Options::default())
    };
    for (text, expected) in [
        ("activation = \"softmax\"", "no terms"),
        ("activation = \"softmax\"\n[[term]]\nkind = \"bce\"", "bce does not go with Softmax"),
        ("[[term]]\nkind = \"cross_entropy\"", "cross_entropy does not go with Sigmoid"),
        ("[[term]]\nkind = \"focal\"\nalpha = [0.1, 0.2]", "alpha has 2 entries, the network has 3 channels"),
        ("[[term]]\nkind = \"focal\"\n[[term]]\nkind = \"focal\"", "focal stands there twice"),
        ("[[term]]\nkind = \"tversky\"\nbeta = -1.0", "tversky: beta is -1"),
        ("[[term]]\nkind = \"dice\"", "is no sigmoid"),
    ] {
        let error = compile(loss(text)).err().unwrap().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let one = loss("activation = \"softmax\"\n[[term]]\nkind = \"dice\"").of(&[0.0], &[0.0], [1, 1, 1]);
    assert_eq!(one, Err(RunError::Loss(LossError::OneClass(1))));
    let one = loss("[[term]]\nkind = \"dice\"\nbackground = false").of(&[0.0], &[0.0], [1, 1, 1]);
    assert_eq!(one, Err(RunError::Loss(LossError::NoClass("dice"))));
    let mut net = Network::builder(1);
    net.then("head", Op::Conv2d { out_channels: 2, kernel: 1, bias: true });
    net.then("score", Op::Sigmoid);
    let scored = net.build().unwrap();
    let plain = loss("activation = \"softmax\"\n[[term]]\nkind = \"cross_entropy\"");
    let weights = Weights::init(&scored, 1);
    let refused = Trainer::compile(&scored, weights, shape, plain, AdamConfig::default(), Options::default());
    assert_eq!(refused.err(), Some(CompileError::NoLogits("score".into())));
    let mut t = compile(softmax()).unwrap();
    let x = noise(8, 1);
    for (value, shown) in [(3.0, "3"), (-1.0, "-1"), (0.5, "0.5"), (f32::NAN, "NaN")] {
        let refused = t.step(&x, &[0.0, 255.0, value, 1.0], 0.1);
        assert_eq!(refused, Err(RunError::Label { index: 2, value: shown.into(), classes: 3 }));
    }
    let target = |weights| Target { values: &[0.0, 1.0, 2.0, 255.0], weights: Some(weights) };
    let refused = t.step(&x, target(&[1.0, 1.0, -0.5, 1.0]), 0.1);
    assert_eq!(refused, Err(RunError::PixelWeight { index: 2, value: "-0.5".into() }));
    let refused = t.step(&x, target(&[1.0; 3]), 0.1);
    assert_eq!(refused, Err(RunError::Length { what: "pixel weights", got: 3, expected: 4 }));
}
