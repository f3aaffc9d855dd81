//! The shipped model in another engine.

use std::path::Path;
use std::process::Command;

use hilum_infer::Model;
use hilum_infer::model::ONNX_FILE;
use hilum_nn::{Inference, InputShape, Options};

const SCRIPT: &str = "
import sys, numpy as np, onnxruntime as ort
model, folder, channels, height, width = sys.argv[1:3] + [int(a) for a in sys.argv[3:]]
x = np.fromfile(folder + '/x', '<f4').reshape(1, channels, height, width)
y, = ort.InferenceSession(model, providers=['CPUExecutionProvider']).run(None, {'input': x})
y.astype('<f4').tofile(folder + '/y')
";

#[test]
fn onnx_runtime_gives_the_shipped_model_the_same_scores() {
    let Ok(python) = std::env::var("HILUM_ORACLE_PYTHON") else {
        assert!(
            !std::env::var("HILUM_REQUIRE_ORACLES").is_ok_and(|v| v == "1"),
            "HILUM_REQUIRE_ORACLES=1 but HILUM_ORACLE_PYTHON names no Python with numpy and onnxruntime"
        );
        println!("SKIPPED: HILUM_ORACLE_PYTHON names no Python with numpy and onnxruntime");
        return;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/urinary-stone");
    let model = Model::open(&folder).expect("the shipped model");
    let (channels, h, w) = (model.network.in_channels(), 64, 96);
    let mut state = 7_u32;
    let x: Vec<f32> = (0..channels * h * w)
        .map(|i| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Eight stone-like balls of growing size, each within a ball of soft tissue in fat: scores from near 0 to near 1.
            let (y, x) = ((i / w % h) as f32, (i % w) as f32);
            let away = 3.75 * (i / (w * h)).abs_diff(channels / 2) as f32;
            let (row, column) = (y as usize / 32, x as usize / 24);
            let from = ((y % 32.0 - 15.5).powi(2) + (x % 24.0 - 11.5).powi(2) + away.powi(2)).sqrt();
            let radius = 1.5 + 0.6 * (row * 4 + column) as f32;
            let tissue = 0.1 * (10.5 - from).clamp(0.0, 1.0);
            let stone = 0.7 * (radius + 0.5 - from).clamp(0.0, 1.0);
            0.1 + 0.02 * (state >> 8) as f32 / 16_777_216.0 + tissue + stone
        })
        .collect();
    let mut ours = vec![0.0; h * w];
    Inference::compile(&model.network, &model.weights, InputShape { n: 1, h, w }, Options::default())
        .expect("compiles")
        .forward(&x, &mut ours)
        .expect("runs");

    let temporary = tempfile::tempdir().expect("a folder");
    let bytes: Vec<u8> = x.iter().flat_map(|v| v.to_le_bytes()).collect();
    std::fs::write(temporary.path().join("x"), bytes).expect("written");
    let output = Command::new(python)
        .args(["-c", SCRIPT])
        .arg(folder.join(ONNX_FILE))
        .arg(temporary.path())
        .args([channels, h, w].map(|n| n.to_string()))
        .output()
        .expect("the oracle starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs = std::fs::read(temporary.path().join("y")).expect("the oracle's answer");
    let theirs: Vec<f32> = theirs.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    assert_eq!(ours.len(), theirs.len());
    let worst = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= 1e-4, "largest difference {worst}");
    let (low, high) = ours.iter().fold((1.0_f32, 0.0_f32), |(l, h), s| (l.min(*s), h.max(*s)));
    assert!(high > 0.5 && low < 0.01, "the input exercises both ends: {low} to {high}");
}
