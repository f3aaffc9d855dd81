use std::fs;
use std::path::Path;

use hilum_infer::model::{CARD_FILE, ONNX_FILE, WEIGHTS_FILE, sha256_hex};
use hilum_infer::{Model, ModelError};
use hilum_nn::{Weights, onnx};

use crate::body::card;

fn write(folder: &Path, edit: impl FnOnce(&mut String)) {
    let mut card = card();
    let network = card.network.build().expect("a network");
    let weights = Weights::init(&network, 5);
    let (bytes, onnx) =
        (weights.to_safetensors().expect("safetensors"), onnx::encode(&network, &weights).expect("onnx"));
    card.hashes.weights = sha256_hex(&bytes);
    card.hashes.onnx = sha256_hex(&onnx);
    let mut text = toml::to_string(&card).expect("a card");
    edit(&mut text);
    fs::write(folder.join(CARD_FILE), text).expect("written");
    fs::write(folder.join(WEIGHTS_FILE), bytes).expect("written");
    fs::write(folder.join(ONNX_FILE), onnx).expect("written");
}

#[test]
fn a_folder_whose_hashes_hold_opens_with_the_hash_of_its_card() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), |_| {});
    let model = Model::open(folder.path()).expect("a model");
    assert_eq!(model.card.name, "bright");
    assert_eq!(model.hash, sha256_hex(&fs::read(folder.path().join(CARD_FILE)).expect("the card")));
    assert_eq!(model.network.in_channels(), 3);
}

#[test]
fn a_changed_file_is_refused_by_name() {
    for file in [WEIGHTS_FILE, ONNX_FILE] {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), |_| {});
        let path = folder.path().join(file);
        let mut bytes = fs::read(&path).expect("read");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(&path, bytes).expect("written");
        let error = Model::open(folder.path()).expect_err("changed");
        assert!(matches!(error, ModelError::Hash { file: f, .. } if f == file), "{error}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), |_| {});
    fs::remove_file(folder.path().join(WEIGHTS_FILE)).expect("removed");
    let error = Model::open(folder.path()).expect_err("no weights").to_string();
    assert!(error.contains(WEIGHTS_FILE), "{error}");
}

#[test]
fn a_card_that_contradicts_its_network_is_refused() {
    let cases = [
        ("context_slices = 1", "context_slices = 2", "preprocessing.context_slices"),
        ("multiple_of = 16", "multiple_of = 2", "preprocessing.multiple_of"),
        ("threshold = 0.6", "threshold = 1.5", "threshold"),
        ("in_plane_mm = 2.5", "in_plane_mm = 0.0", "in_plane_mm"),
        ("name = \"bright\"", "nickname = \"bright\"", "no model card"),
    ];
    for (from, to, named) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), |text| *text = text.replacen(from, to, 1));
        let error = Model::open(folder.path()).expect_err(to).to_string();
        assert!(error.contains(named), "{to}: {error}");
    }
}
