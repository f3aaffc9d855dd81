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
            // Fat with two stone-like discs, a small and a large one: scores from near 0 to near 1.
            let (y, x) = ((i / w % h) as f32, (i % w) as f32);
            let away = (i / (w * h)).abs_diff(channels / 2) as f32;
            let disc = |column: f32, square: f32, fall: f32| {
                (1.0 - ((y - 30.0).powi(2) + (x - column).powi(2)) / square - fall * away).clamp(0.0, 0.7)
            };
            let bright = disc(24.0, 9.0, 0.5).max(disc(68.0, 30.0, 0.2));
            0.107 + 0.02 * (state >> 8) as f32 / 16_777_216.0 + bright
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
    assert!(ours.iter().any(|s| *s > 0.5) && ours.iter().any(|s| *s < 0.01), "the input exercises both ends");
}
