//! Whole networks against PyTorch: gradients, loss curves of 100 steps, and DenseNet-121 with a state dict of torchvision's. Recorded by
//! `oracles/torch_networks.py`, which makes the same weights and inputs from the same numbers.

use std::process::Command;

use hilum_nn::{
    Algorithm, DenseNet, InceptionResNetV2, Inference, InputShape, KeyMap, LossConfig, Network, Options, ResNet,
    Scores, SgdConfig, StateDict, Tensor, Trainer, UNet2d, UNet3d, VolumeShape, Weights, densenet, inception_resnet_v2,
    resnet, unet2d, unet3d,
};
use serde_json::Value;

use crate::pytorch::{difference, numbers, python_with_torch};

const RECORD: &str = include_str!("../oracles/torch_networks.json");

fn record() -> Value {
    serde_json::from_str(RECORD).unwrap()
}

/// `SplitMix64`'s output function over a counter (Steele, Lea and Flood 2014), as exact floats in -1..1.
pub fn noise(count: usize, seed: u64) -> Vec<f32> {
    let value = |i: u64| {
        let z = (i.wrapping_add(seed << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / 8_388_608.0 - 1.0
    };
    (0..count as u64).map(value).collect()
}

/// The script's `value`: normalisations near the identity, weights uniform with about He's deviation.
fn value(name: &str, shape: &[usize], seed: u64) -> Vec<f32> {
    let n = noise(shape.iter().product(), seed);
    let (_, kind) = name.rsplit_once('.').unwrap();
    let each = |f: &dyn Fn(f32) -> f32| n.iter().map(|v| f(*v)).collect();
    match (kind, shape) {
        ("running_var", _) => each(&|v| 1.0 + v * 0.5),
        ("weight", [_]) => each(&|v| v * 0.25 + 1.0),
        (_, [_]) => each(&|v| v * 0.25),
        (_, [_, inner @ ..]) => {
            let power = (6.0 / inner.iter().product::<usize>() as f64).sqrt().log2().round_ties_even();
            each(&|v| v * 2.0_f32.powi(power as i32))
        }
        _ => panic!("{name} is a scalar"),
    }
}

/// The script's weights; its seeds count the names of trainable parameters, or of all, in their order.
pub fn weights(network: &Network, all: bool) -> Weights {
    let graph = network.graph();
    let mut names: Vec<&str> =
        graph.parameters().iter().filter(|p| all || p.role.trainable()).map(|p| p.name.as_str()).collect();
    names.sort_unstable();
    let mut weights = Weights::init(network, 1).tensors().to_vec();
    for Tensor { name, shape, data } in &mut weights {
        if let Ok(place) = names.binary_search(&name.as_str()) {
            *data = value(name, shape, place as u64 + 1);
        }
    }
    Weights::new(network, weights).unwrap()
}

/// `[n, c, d, h, w]` of a recorded shape, `d` 1 for images.
pub fn extents(list: &Value) -> [usize; 5] {
    let list: Vec<usize> = numbers(list).into_iter().map(|v| v as usize).collect();
    match list[..] {
        [n, c, h, w] => [n, c, 1, h, w],
        [n, c, d, h, w] => [n, c, d, h, w],
        _ => panic!("four or five extents"),
    }
}

pub fn shape_of([n, _, d, h, w]: [usize; 5]) -> VolumeShape {
    VolumeShape { n, d, h, w }
}

const BCE: LossConfig = LossConfig { bce: 1.0, dice: 0.0, smooth: 1.0 };
const BCE_AND_DICE: LossConfig = LossConfig { bce: 1.0, dice: 1.0, smooth: 1.0 };

#[test]
fn gradients_of_whole_networks_are_pytorchs() {
    let two = UNet2d { in_channels: 2, out_channels: 2, base: 6, depth: 2 };
    let three = UNet3d { in_channels: 1, out_channels: 2, base: 4, depth: 2 };
    // All layers of DenseNet-121, with a growth of 4.
    let dense = DenseNet { growth: 4, stem: 8, ..DenseNet::d121(1, 3, Scores::Sigmoid) };
    let basic = ResNet { blocks: vec![2, 2], base: 6, ..ResNet::r18(2, 3, Scores::Sigmoid) };
    let bottlenecks = ResNet { blocks: vec![1, 2, 1, 1], base: 4, ..ResNet::r50(2, 3, Scores::Sigmoid) };
    let inception = InceptionResNetV2 { blocks: [1, 1, 1], ..InceptionResNetV2::new(3, 3, Scores::Sigmoid) };
    let networks = [
        ("unet2d", unet2d(two), BCE_AND_DICE),
        ("unet3d", unet3d(three), BCE_AND_DICE),
        ("densenet", densenet(&dense), BCE),
        ("resnet", resnet(&basic), BCE),
        ("bottlenecks", resnet(&bottlenecks), BCE),
        ("inception_resnet_v2", inception_resnet_v2(&inception), BCE),
    ];
    let record = record();
    assert_eq!(record["gradients"].as_object().unwrap().len(), networks.len());
    for (what, network, loss) in networks {
        let (network, case) = (network.unwrap(), &record["gradients"][what]);
        let extents = extents(&case["shape"]);
        let pixels = if loss == BCE { 1 } else { extents[2..].iter().product() };
        let y: Vec<f32> = noise(extents[0] * network.out_channels() * pixels, 1002);
        let y: Vec<f32> = y.into_iter().map(|v| f32::from(u8::from(v > 0.4))).collect();
        for (algorithm, bound) in GRADIENTS {
            let (shape, start, sgd) = (shape_of(extents), weights(&network, false), SgdConfig::default());
            let options = Options::default();
            let mut t = Trainer::compile_with(&network, start, shape, loss, sgd, options, algorithm).unwrap();
            let (value, gradients) = t.gradients(&noise(extents.iter().product(), 1001), &y).unwrap();
            let expected = case["loss"].as_f64().unwrap();
            assert!((f64::from(value) - expected).abs() < bound * expected, "{what}: loss {value}, PyTorch {expected}");
            let worst = differences(&case["gradients"], &gradients);
            println!("{what} {algorithm:?}: {:?}, loss {value} and {expected}", &worst[..4]);
            assert!(worst[0].0 < bound, "{what} {algorithm:?}: {:?}", worst[0]);
        }
    }
}

/// How far gradients lie from recorded ones, as shares of their norms, the largest first. Norms of nearly zero count as a thousandth of the largest.
fn differences(recorded: &Value, gradients: &[Tensor]) -> Vec<(f64, String)> {
    let recorded = recorded.as_object().unwrap();
    assert_eq!(recorded.len(), gradients.len());
    let largest = recorded.values().map(|v| v[0].as_f64().unwrap()).fold(0.0, f64::max);
    let each = gradients.iter().map(|Tensor { name, data, .. }| {
        let [norm, along] = [0, 1].map(|i| recorded[name][i].as_f64().unwrap());
        let wide: Vec<f64> = data.iter().map(|g| f64::from(*g)).collect();
        let got_norm = wide.iter().map(|g| g * g).sum::<f64>().sqrt();
        let got_along: f64 = wide.iter().zip(noise(wide.len(), 1003)).map(|(g, n)| g * f64::from(n)).sum();
        ((got_norm - norm).abs().max((got_along - along).abs()) / (norm + 1e-3 * largest), name.clone())
    });
    let mut each: Vec<_> = each.collect();
    each.sort_by(|a, b| b.0.total_cmp(&a.0));
    each
}

/// By what share of its norm a parameter's gradient may differ from PyTorch's in f64. PyTorch's in f32 differ by 3e-5 in the worst of these networks,
/// which makes rounding 500 times as large; it does the same to that of Winograd's transforms.
const GRADIENTS: [(Algorithm, f64); 2] = [(Algorithm::Direct, 2e-4), (Algorithm::Auto, 2e-2)];

/// A box in noise, and the box.
fn volume_batch([n, _, d, h, w]: [usize; 5], axes: usize, step: usize) -> (Vec<f32>, Vec<f32>) {
    let sides = &[d, h, w][3 - axes..];
    let mut y = vec![0.0; n * d * h * w];
    for i in 0..n {
        let from: Vec<usize> = sides.iter().enumerate().map(|(a, s)| (7 * (n * step + i) + 3 * a) % (s / 2)).collect();
        for p in 0..d * h * w {
            let place = [p / (h * w), p / w % h, p % w];
            let inside = (0..axes).all(|a| (from[a]..from[a] + sides[a] / 2).contains(&place[3 - axes + a]));
            y[i * d * h * w + p] = f32::from(u8::from(inside));
        }
    }
    let x = noise(y.len(), 2000 + step as u64).iter().zip(&y).map(|(n, t)| n * 0.5 + t * 0.75).collect();
    (x, y)
}

/// Rows, columns or squares of light in noise, and which of them.
fn class_batch([n, _, _, h, w]: [usize; 5], step: usize) -> (Vec<f32>, Vec<f32>) {
    let kinds: Vec<usize> = (0..n).map(|i| (n * step + i) % 3).collect();
    let light = |i: usize| {
        let (kind, y, x) = (kinds[i / (h * w)], i / w % h / 4, i % w / 4);
        ([y, x, x + y][kind] % 2) as f32
    };
    let x = noise(n * h * w, 2000 + step as u64).iter().enumerate().map(|(i, n)| n * 0.5 + light(i) * 0.75).collect();
    let y = kinds.iter().flat_map(|k| (0..3).map(move |c| f32::from(u8::from(c == *k)))).collect();
    (x, y)
}

#[test]
fn losses_of_a_hundred_steps_follow_pytorchs() {
    let record = record();
    let two = unet2d(UNet2d { in_channels: 1, out_channels: 1, base: 6, depth: 2 }).unwrap();
    let three = unet3d(UNet3d { in_channels: 1, out_channels: 1, base: 4, depth: 2 }).unwrap();
    let dense = DenseNet { blocks: vec![2, 3, 4, 2], growth: 8, stem: 16, ..DenseNet::d121(1, 3, Scores::Sigmoid) };
    let dense = densenet(&dense).unwrap();
    let networks = [("unet2d", two, BCE_AND_DICE), ("unet3d", three, BCE_AND_DICE), ("densenet", dense, BCE)];
    for (what, network, loss) in networks {
        let case = &record["curves"][what];
        let (extents, rate) = (extents(&case["shape"]), case["rate"].as_f64().unwrap() as f32);
        let sgd = SgdConfig { momentum: 0.9, ..SgdConfig::default() };
        let start = weights(&network, false);
        let mut t = Trainer::compile(&network, start, shape_of(extents), loss, sgd, Options::default()).unwrap();
        let expected = numbers(&case["losses"]);
        assert!(expected.len() == 100 && expected[99] < 0.5 * expected[0], "{what}: PyTorch learns");
        let mut worst = 0.0_f64;
        for (step, expected) in expected.into_iter().enumerate() {
            let (x, y) =
                if loss == BCE { class_batch(extents, step) } else { volume_batch(extents, network.axes(), step) };
            let value = f64::from(t.step(&x, &y, rate).unwrap());
            let bound = CURVE[0] + CURVE[1] * expected;
            worst = worst.max((value - expected).abs() / bound);
            assert!((value - expected).abs() < bound, "{what} step {step}: loss {value}, PyTorch {expected}");
        }
        println!("{what}: {worst} of the bound");
    }
}

/// How far a loss may lie from PyTorch's in f64 within 100 steps: absolutely, and as a share of it. Rounding grows from step to step.
const CURVE: [f64; 2] = [2e-3, 1e-2];

const FIRST_NAMES: &str = r#"
[[rule]]
rule = "drop_suffix"
suffix = ".num_batches_tracked"
[[rule]]
rule = "replace"
from = ".norm.1."
to = ".norm1."
[[rule]]
rule = "replace"
from = ".norm.2."
to = ".norm2."
[[rule]]
rule = "replace"
from = ".conv.1."
to = ".conv1."
[[rule]]
rule = "replace"
from = ".conv.2."
to = ".conv2."
"#;

/// Adopts what torchvision saved under its first names and compares the scores.
fn scores_are_torchvisions(record: &Value, tensors: Vec<Tensor>) {
    let network = densenet(&DenseNet::d121(3, 1000, Scores::Logits)).unwrap();
    let keys: KeyMap = toml::from_str(FIRST_NAMES).unwrap();
    let mut weights = Weights::init(&network, 1);
    let report = weights.adopt(&network, tensors, &keys).unwrap();
    assert!(report.complete() && report.taken.len() == 606, "{report:?}");
    let [n, c, _, h, w] = extents(&record["shape"]);
    let mut plan = Inference::compile(&network, &weights, InputShape { n, h, w }, Options::default()).unwrap();
    let mut got = vec![0.0; 1000];
    plan.forward(&noise(n * c * h * w, 1001), &mut got).unwrap();
    let expected = numbers(&record["scores"]);
    let largest = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let worst = got.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
    println!("differs by {worst}, scores up to {largest}");
    assert!(worst < 1e-4 * largest.max(1.0), "differs by {worst}, scores up to {largest}");
}

#[test]
fn densenet_121_takes_torchvisions_state_dict_under_its_first_names_and_gives_its_scores() {
    let record = &record()["densenet121"];
    let keys: Vec<(String, Vec<usize>)> = serde_json::from_value(record["keys"].clone()).unwrap();
    assert_eq!(keys.len(), 727);
    let map: KeyMap = toml::from_str(FIRST_NAMES).unwrap();
    let mut places: Vec<String> = keys.iter().filter_map(|(key, _)| map.key(key)).collect();
    places.sort();
    let tensor = |(name, shape): &(String, Vec<usize>)| {
        let place = map.key(name).map(|key| places.binary_search(&key).unwrap());
        // The counters of batches are numbers without axes.
        let data = place.map_or(vec![0.0], |place| value(&map.key(name).unwrap(), shape, place as u64 + 1));
        Tensor { name: name.clone(), shape: shape.clone(), data }
    };
    let tensors: Vec<Tensor> = keys.iter().map(tensor).collect();
    assert_eq!(tensors.iter().filter(|t| t.name.contains(".denselayer3.conv.2.")).count(), 4);
    scores_are_torchvisions(record, tensors);
}

#[test]
fn the_recorded_networks_are_those_of_a_live_pytorch_and_so_is_its_state_dict() {
    let Some(python) = python_with_torch() else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracles/torch_networks.py");
    let run = |arguments: &[&std::ffi::OsStr]| {
        let run = Command::new(&python).arg(script).args(arguments).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        run.stdout
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("densenet121.pth");
    run(&["--state-dict".as_ref(), file.as_os_str()]);
    let StateDict { tensors, others } = StateDict::read(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!((tensors.len(), others.len()), (606, 121));
    let recorded = record();
    scores_are_torchvisions(&recorded["densenet121"], tensors);
    let live: Value = serde_json::from_slice(&run(&[])).unwrap();
    println!("recorded with {}, live {}", recorded["versions"], live["versions"]);
    for part in ["gradients", "curves", "densenet121"] {
        assert_eq!(difference(part, &recorded[part], &live[part], 1e-6), None);
    }
}
