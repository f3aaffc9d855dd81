//! Our bf16 beside PyTorch's (autocast) in whole networks, both measured by PyTorch's f32. Recorded by `oracles/torch_bf16.py`, which makes the same weights
//! and inputs from the same numbers; it runs live where the Python of `HILUM_ORACLE_PYTHON` has torch.

use std::process::Command;

use hilum_nn::{
    Algorithm, Computation, DenseNet, InceptionResNetV2, Inference, Isa, Network, Options, Precision, ResNet, Scores,
    UNet2d, UNet3d, densenet, inception_resnet_v2, resnet, unet2d, unet3d,
};
use serde_json::Value;

use crate::pytorch::{numbers, python_with_torch};
use crate::pytorch_networks::{extents, noise, shape_of, weights};

const RECORD: &str = include_str!("../oracles/torch_bf16.json");

/// What our direct bf16 may lose beside f32, in what PyTorch's loses: we keep sums and what normalisations read in f32.
const DIRECT: f64 = 1.1;
/// The same of Winograd, whose transforms magnify what rounding does to a product.
const WINOGRAD: f64 = 3.0;
/// How far our bf16 may lie from PyTorch's, in what PyTorch's loses: two independent errors of that size are 1.41 apart.
const APART: f64 = 1.7;

/// Root mean square of the differences.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    (a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / a.len() as f64).sqrt()
}

/// The networks of the record, and whether they end in a sigmoid.
fn networks() -> [(&'static str, Network, bool); 5] {
    let two = UNet2d { in_channels: 1, out_channels: 1, base: 16, depth: 2 };
    let three = UNet3d { in_channels: 1, out_channels: 1, base: 8, depth: 2 };
    let dense = DenseNet { growth: 8, stem: 16, ..DenseNet::d121(3, 100, Scores::Logits) };
    let residual = ResNet { blocks: vec![2, 2, 2, 2], base: 16, ..ResNet::r18(3, 100, Scores::Logits) };
    let inception = InceptionResNetV2 { blocks: [2, 2, 1], ..InceptionResNetV2::new(3, 100, Scores::Logits) };
    [
        ("unet2d", unet2d(two).unwrap(), true),
        ("unet3d", unet3d(three).unwrap(), true),
        ("densenet", densenet(&dense).unwrap(), false),
        ("resnet", resnet(&residual).unwrap(), false),
        ("inception_resnet_v2", inception_resnet_v2(&inception).unwrap(), false),
    ]
}

/// Ours beside what one PyTorch computed.
fn compare(record: &Value) {
    for (what, network, sigmoid) in networks() {
        let case = &record[what];
        let extents = extents(&case["shape"]);
        let theirs = ["f32", "bf16"].map(|precision| {
            let logits = numbers(&case[precision]).into_iter();
            logits.map(|v| if sigmoid { 1.0 / (1.0 + (-v).exp()) } else { v }).collect::<Vec<f64>>()
        });
        let [wide, narrow] = &theirs;
        let lost = distance(wide, narrow);
        let mean = wide.iter().sum::<f64>() / wide.len() as f64;
        let deviation = distance(wide, &vec![mean; wide.len()]);
        assert!(lost > 1e-3 * deviation, "{what}: PyTorch's bf16 loses {lost} of {deviation}: nothing is tested");
        let (weights, x) = (weights(&network, true), noise(extents.iter().product(), 1001));
        let run = |isa: Isa, computation: Computation| {
            let options = Options { threads: 2, isa: Some(isa) };
            let plan = Inference::compile_with(&network, &weights, shape_of(extents), options, computation);
            let mut y = vec![0.0; wide.len()];
            plan.ok()?.forward(&x, &mut y).unwrap();
            Some(y.into_iter().map(f64::from).collect::<Vec<f64>>())
        };
        let f32s = run(Isa::best(), Precision::F32.into()).expect("every processor computes f32");
        assert!(distance(wide, &f32s) < 2e-5 * deviation, "{what}: our f32 is not PyTorch's");
        let bf16 = |algorithm| Computation { algorithm, ..Precision::Bf16.into() };
        let mut compared = 0;
        for isa in Isa::ALL {
            for (algorithm, bound) in [(Algorithm::Direct, DIRECT), (Algorithm::Auto, WINOGRAD)] {
                let Some(ours) = run(isa, bf16(algorithm)) else { continue };
                let (own, apart) = (distance(wide, &ours) / lost, distance(narrow, &ours) / lost);
                println!("{what} {isa} {algorithm:?}: loses {own:.2} of PyTorch's loss, lies {apart:.2} of it apart");
                assert!(own < bound, "{what} {isa} {algorithm:?}: loses {own} of what PyTorch's bf16 loses");
                assert!(
                    algorithm == Algorithm::Auto || apart < APART,
                    "{what} {isa}: {apart} of it from PyTorch's bf16"
                );
                compared += 1;
            }
        }
        assert!(compared >= 2, "{what}: the portable kernels compute bf16 everywhere");
    }
}

#[test]
fn our_bf16_loses_no_more_than_pytorchs_and_lies_beside_it() {
    compare(&serde_json::from_str(RECORD).unwrap());
}

#[test]
fn our_bf16_lies_beside_that_of_a_live_pytorch() {
    let Some(python) = python_with_torch() else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracles/torch_bf16.py");
    let run = Command::new(&python).arg(script).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let live: Value = serde_json::from_slice(&run.stdout).unwrap();
    let recorded: Value = serde_json::from_str(RECORD).unwrap();
    println!("recorded with {}, live {}", recorded["versions"], live["versions"]);
    for (what, ..) in networks() {
        let [live, recorded] = [&live, &recorded].map(|all| numbers(&all[what]["f32"]));
        let unit = distance(&recorded, &vec![0.0; recorded.len()]);
        assert!(distance(&recorded, &live) < 2e-5 * unit, "{what}: PyTorch's f32 has changed");
    }
    compare(&live);
}
