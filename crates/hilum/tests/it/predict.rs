//! `hilum predict` with a network that has learnt nothing: what is tested is the way of the files, not the scores.

use std::path::Path;

use hilum_infer::ModelCard;
use hilum_nn::Weights;

use crate::program::{assert_code, command, err, out, small_study};

const CARD: &str = r#"
statement = "Untrained network of a test."
name = "untrained"
task = "urinary_stone_segmentation"
synthetic_trained = true
classes = ["urinary_stone"]
threshold = 0.9
mask_threshold = 0.9
trained_at = "2026-01-01T00:00:00Z"
training_seconds = 0
software_version = "0"
engine = "none"
input = { modality = "CT", plane = "axial", unit = "HU", slice_distance_mm = [1.0, 8.0], suitable_for = "tests" }
preprocessing = { in_plane_mm = 3.0, window = { center = 450.0, width = 1400.0 }, context_step_mm = 3.0, context_slices = 1, multiple_of = 4 }
network = { kind = "unet2d", in_channels = 3, out_channels = 1, base = 2, depth = 1 }
post_filter = { min_voxels = 2, min_volume_mm3 = 1.0, largest_stone_mm = 30.0, dense_share = 0.5, dense = [{ hu = 250 }], spine = { half_width_mm = 0.0, front_mm = 0.0 } }
hashes = { plan = "", data = "", weights = "", onnx = "" }

[training]
data = "none"
training_patients = 0
validation_patients = 0
training_patches = 0
epochs = 0
best_epoch = 0
best_validation_loss = 0.0
stopped_because = "never begun"

[metrics]
patients_from = ""
matching_rule = ""
patients = 0
stones = 0
model = { sensitivity = [], false_positives = { count = 0, patients = 0, per_patient = 0.0, ci95 = [0.0, 0.0] } }
baseline = { sensitivity = [], false_positives = { count = 0, patients = 0, per_patient = 0.0, ci95 = [0.0, 0.0] } }
"#;

fn untrained(folder: &Path) {
    untrained_at(folder, 0.9);
}

fn untrained_at(folder: &Path, threshold: f32) {
    let card = ModelCard { threshold, mask_threshold: threshold, ..toml::from_str(CARD).unwrap() };
    let network = card.network.build().unwrap();
    let weights = Weights::init(&network, 1);
    hilum_learn::model_folder::write(folder, card, &network, &weights).unwrap();
}

#[test]
fn each_slice_gets_a_line_in_the_order_of_the_body_and_a_workbook_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    untrained(&model);
    let verified = command().args(["model", "verify"]).arg(&model).output().unwrap();
    assert_code(&verified, 0);
    let listed = command().args(["model", "list", "--json", "--models"]).arg(folder.path()).output().unwrap();
    assert!(out(&listed).contains("Untrained network of a test."), "{}", out(&listed));

    let dicom = small_study(folder.path(), 41);
    std::fs::write(dicom.join("notes.txt"), "no CT").unwrap();
    let workbook = folder.path().join("results.xlsx");
    let output =
        command().args(["predict", "--json", "--out"]).arg(&workbook).arg(&model).arg(&dicom).output().unwrap();
    assert_code(&output, 0);
    let prediction: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = prediction["rows"].as_array().unwrap();
    assert_eq!(rows.len(), std::fs::read_dir(dicom.join("series-1")).unwrap().count());
    assert_eq!(prediction["not_ct"], 1);
    // Head first, the first file is the uppermost slice; the stack runs from the feet up.
    assert!(rows[rows.len() - 1]["file"].as_str().unwrap().ends_with("000001.dcm"), "{prediction}");
    assert!(std::fs::read(workbook).unwrap().starts_with(b"PK"));

    // A NIfTI file is a stack as well; its slices are its frames.
    let mask = dicom.parent().unwrap().join("truth.nii.gz");
    let output = command().args(["predict", "--json"]).arg(&model).arg(&mask).output().unwrap();
    assert_code(&output, 0);
    let prediction: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let frames: Vec<_> =
        prediction["rows"].as_array().unwrap().iter().map(|row| row["frame"].as_u64().unwrap()).collect();
    assert_eq!(frames, (1..=rows.len() as u64).collect::<Vec<_>>());
}

#[test]
fn the_first_positive_slice_ends_the_reading_of_its_series_when_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    // Whatever an untrained network says of a searched slice is above this.
    untrained_at(&model, 0.01);
    let dicom = small_study(folder.path(), 43);
    let slices = std::fs::read_dir(dicom.join("series-1")).unwrap().count();
    let output = command().args(["predict", "--json", "--mode", "first"]).arg(&model).arg(&dicom).output().unwrap();
    assert_code(&output, 0);
    let prediction: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = prediction["rows"].as_array().unwrap();
    let abnormal = rows.iter().position(|row| row["finding"] == "abnormal").expect("a searched slice");
    assert_eq!(rows.len(), abnormal + 1);
    assert_eq!(prediction["not_read"], slices - rows.len());
}

#[test]
fn a_single_file_is_read_and_the_answer_says_that_it_came_alone() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    untrained(&model);
    let dicom = small_study(folder.path(), 44);
    let slices = std::fs::read_dir(dicom.join("series-1")).unwrap().count();
    let one = dicom.join("series-1").join(format!("{:06}.dcm", slices / 2));
    let output = command().args(["predict", "--json"]).arg(&model).arg(&one).output().unwrap();
    assert_code(&output, 0);
    let prediction: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(prediction["lone_slices"], 1);
    assert_eq!(prediction["stones"].as_array().map(Vec::len), Some(0));
    assert_eq!(prediction["rows"].as_array().unwrap().len(), 1);
    assert!(prediction["rows"][0]["score"].is_f64(), "{prediction}");
    let read = command().arg("predict").arg(&model).arg(&one).output().unwrap();
    assert!(out(&read).contains("came alone"), "{}", out(&read));
}

#[test]
fn a_stack_with_a_gap_is_refused_with_its_reason_and_a_changed_model_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    untrained(&model);
    let dicom = small_study(folder.path(), 42);
    std::fs::remove_file(dicom.join("series-1").join("000005.dcm")).unwrap();
    let output = command().arg("predict").arg(&model).arg(&dicom).output().unwrap();
    assert_code(&output, 1);
    assert!(err(&output).contains("missing"), "{}", err(&output));

    let weights = model.join("weights.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    let output = command().arg("predict").arg(&model).arg(&dicom).output().unwrap();
    assert_code(&output, 1);
    assert!(err(&output).contains("SHA-256"), "{}", err(&output));
}
