//! Weights of other programs: PyTorch's files, safetensors in other precisions, and key maps. Hostile files are refused, never obeyed.

use std::io::{Cursor, Read, Write};

use hilum_nn::weights::{MisShaped, read_safetensors};
use hilum_nn::{KeyMap, Network, Op, StateDict, StateDictError, Tensor, Weights, WeightsError};
use proptest::prelude::*;
use serde_json::Value;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::pytorch::floats;

const FILE: &[u8] = include_bytes!("../oracles/state_dict.pt");

fn usizes(list: &Value) -> Vec<usize> {
    list.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect()
}

#[test]
fn a_pytorch_file_gives_the_tensors_that_pytorch_saved() {
    let expected: Value = serde_json::from_str(include_str!("../oracles/state_dict.json")).unwrap();
    let StateDict { tensors, mut others } = StateDict::read(FILE).unwrap();
    let by_name = expected["tensors"].as_object().unwrap();
    assert_eq!((tensors.len(), by_name.len()), (15, 15));
    for Tensor { name, shape, data } in &tensors {
        let expected = &by_name[name];
        assert_eq!((shape, data), (&usizes(&expected["shape"]), &floats(&expected["data"])), "{name}");
    }
    others.sort();
    let listed: Vec<&str> = expected["others"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
    assert_eq!(others, listed);
}

/// The archive with another file in it, or with one file changed.
fn with(name: &str, content: &[u8], method: CompressionMethod) -> Vec<u8> {
    let mut from = ZipArchive::new(Cursor::new(FILE)).unwrap();
    let mut to = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    to.start_file(name, options).unwrap();
    to.write_all(content).unwrap();
    for i in 0..from.len() {
        let mut file = from.by_index(i).unwrap();
        let other = file.name().unwrap().into_owned();
        if other != name {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            to.start_file(other, options).unwrap();
            to.write_all(&bytes).unwrap();
        }
    }
    to.finish().unwrap().into_inner()
}

fn with_pickle(pickle: &[u8]) -> Result<StateDict, StateDictError> {
    StateDict::read(&with("state_dict/data.pkl", pickle, CompressionMethod::Stored))
}

fn pickle() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut zip = ZipArchive::new(Cursor::new(FILE)).unwrap();
    zip.by_name("state_dict/data.pkl").unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn the_format_before_pytorch_1_6_whole_models_and_torchscript_are_refused_by_name() {
    assert_eq!(StateDict::read(include_bytes!("../oracles/legacy.pt")), Err(StateDictError::Legacy));
    let model = StateDict::read(include_bytes!("../oracles/model.pt"));
    assert_eq!(model, Err(StateDictError::Global("torch.nn.modules.activation.ReLU".into())));
    let stored = CompressionMethod::Stored;
    assert_eq!(StateDict::read(&with("state_dict/constants.pkl", b"", stored)), Err(StateDictError::TorchScript));
    assert_eq!(StateDict::read(&with("state_dict/byteorder", b"big", stored)), Err(StateDictError::ByteOrder));
    let deflated = StateDict::read(&with("state_dict/x", b"", CompressionMethod::Deflated)).unwrap_err().to_string();
    assert!(deflated.contains("compressed"), "{deflated}");
    for bytes in [&b""[..], b"PK", b"not a zip at all"] {
        assert!(matches!(StateDict::read(bytes), Err(StateDictError::Zip(_))));
    }
}

#[test]
fn a_pickle_that_would_run_a_program_is_refused_and_nothing_runs() {
    let marker = tempfile::tempdir().unwrap();
    let path = marker.path().join("ran");
    let command = format!("touch {}", path.display());
    let mut short = b"\x80\x02cposix\nsystem\nX".to_vec();
    short.extend((command.len() as u32).to_le_bytes());
    short.extend(command.as_bytes());
    short.extend(b"\x85R.");
    assert_eq!(with_pickle(&short), Err(StateDictError::Global("posix.system".into())));
    for (pickle, name) in [
        (&b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93."[..], "builtins.eval"),
        (b"\x80\x02ctorch\nload\n.", "torch.load"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor\n.", "torch._utils._rebuild_tensor"),
        (b"\x80\x02c__builtin__\ngetattr\n.", "__builtin__.getattr"),
    ] {
        assert_eq!(with_pickle(pickle), Err(StateDictError::Global(name.into())));
    }
    // INST, OBJ, NEWOBJ, EXT1, REDUCE of a text, BUILD of a text.
    for pickle in [&b"(iposix\nsystem\n."[..], b"(o.", b")\x81.", b"\x82\x01.", b"X\x01\0\0\0a)R.", b"X\x01\0\0\0a}b."]
    {
        assert!(matches!(with_pickle(pickle), Err(StateDictError::Pickle(_))), "{pickle:?}");
    }
    assert!(!path.exists());
}

#[test]
fn pickles_that_would_grow_without_end_are_refused() {
    // Lists of two references to the list before: 2^60 values.
    let mut laughs = b"\x80\x02]q\0".to_vec();
    for i in 0..60_u8 {
        laughs.extend([b'(', b'h', i, b'h', i, b't', b'q', i + 1]);
    }
    laughs.push(b'.');
    // Only the last is the result: every step leaves its list on the stack, so wrap them all.
    let mut wrapped = b"\x80\x02(".to_vec();
    wrapped.extend(&laughs[2..laughs.len() - 1]);
    wrapped.extend(b"t.");
    assert_eq!(with_pickle(&wrapped), Err(StateDictError::Nesting));
    assert_eq!(with_pickle(b"\x80\x02]q\0h\0a."), Err(StateDictError::Nesting), "a list that holds itself");
    let mut deep = b"\x80\x02".to_vec();
    deep.extend(vec![b'('; 100_000]);
    deep.extend(vec![b't'; 100_000]);
    deep.push(b'.');
    assert_eq!(with_pickle(&deep), Err(StateDictError::Nesting));
    assert!(matches!(with_pickle(b"\x80\x02Nr\xff\xff\xff\xff."), Err(StateDictError::Pickle(_))), "a giant memo");
}

/// A dict `{"a": tensor}` over storage `0`, which has 54 floats.
fn tensor(offset: i32, shape: &[i32], strides: &[i32]) -> Vec<u8> {
    let ints = |p: &mut Vec<u8>, values: &[i32]| {
        p.push(b'(');
        for v in values {
            p.push(b'J');
            p.extend(v.to_le_bytes());
        }
        p.push(b't');
    };
    let mut p = b"\x80\x02}X\x01\0\0\0actorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0".to_vec();
    p.extend(b"0X\x03\0\0\0cpuK\x01tQJ");
    p.extend(offset.to_le_bytes());
    ints(&mut p, shape);
    ints(&mut p, strides);
    p.extend(b"\x89NtRs.");
    p
}

#[test]
fn tensors_that_their_file_cannot_hold_are_refused_by_key() {
    let whole = with_pickle(&tensor(0, &[3, 18], &[18, 1])).unwrap();
    assert_eq!((whole.tensors[0].name.as_str(), whole.tensors[0].data.len()), ("a", 54));
    let outside = StateDictError::Tensor { key: "a".into(), problem: "leaves its storage" };
    for (offset, shape, strides) in [
        (1, vec![54], vec![1]),
        (0, vec![2, 2], vec![53, 2]),
        (i32::MAX, vec![1], vec![1]),
        (0, vec![2; 8], vec![i32::MAX; 8]),
    ] {
        assert_eq!(with_pickle(&tensor(offset, &shape, &strides)), Err(outside.clone()), "{offset} {shape:?}");
    }
    let large = StateDictError::Tensor { key: "a".into(), problem: "is larger than the file" };
    for shape in [vec![1 << 30], vec![i32::MAX; 9]] {
        assert_eq!(with_pickle(&tensor(0, &shape, &vec![0; shape.len()])), Err(large.clone()), "{shape:?}");
    }
    for (offset, shape, strides) in [(-1, vec![1], vec![1]), (0, vec![-1], vec![1]), (0, vec![1], vec![1, 1])] {
        let refused = with_pickle(&tensor(offset, &shape, &strides));
        assert!(matches!(refused, Err(StateDictError::Pickle(_))), "{offset} {shape:?}: {refused:?}");
    }
    assert_eq!(with_pickle(&tensor(0, &[0], &[1])).unwrap().tensors[0].data, Vec::<f32>::new());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the bytes: an error or a state dict, never a panic.
    #[test]
    fn damaged_files_and_pickles_never_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut file = FILE.to_vec();
        for (at, v) in &flips {
            file[at.index(FILE.len())] = *v;
        }
        let results = [StateDict::read(&file), StateDict::read(&FILE[..cut.index(FILE.len())])];
        let mut damaged = pickle();
        let length = damaged.len();
        for (at, v) in &flips {
            damaged[at.index(length)] = *v;
        }
        let results = results.into_iter().chain([with_pickle(&damaged), with_pickle(&noise), with_pickle(&damaged[..cut.index(length)])]);
        for read in results.flatten() {
            prop_assert!(read.tensors.iter().all(|t| t.data.len() == t.shape.iter().product::<usize>()));
        }
    }
}

/// The network of the file's `state_dict`.
fn small() -> Network {
    let mut net = Network::builder(2);
    net.then("stem.conv", Op::Conv2d { out_channels: 3, kernel: 3, bias: true });
    net.then("stem.norm", Op::BatchNorm2d);
    net.build().unwrap()
}

const MAP: &str = r#"
[[rule]]
rule = "strip_prefix"
prefix = "state_dict."
[[rule]]
rule = "drop_prefix"
prefix = "extra."
[[rule]]
rule = "replace"
from = "bn."
to = "norm."
[[rule]]
rule = "add_prefix"
prefix = "stem."
"#;

#[test]
fn a_key_map_brings_foreign_weights_onto_a_network_and_reports_the_rest() {
    let network = small();
    let dict = StateDict::read(FILE).unwrap();
    let map: KeyMap = toml::from_str(MAP).unwrap();
    let start = Weights::init(&network, 1);
    let mut weights = start.clone();
    let report = weights.adopt(&network, dict.tensors.clone(), &map).unwrap();
    assert!(report.complete() && report.taken.len() == 6, "{report:?}");
    let of = |name: &str| dict.tensors.iter().find(|t| t.name == name).unwrap().data.clone();
    assert_eq!(weights.get("stem.conv.weight").unwrap().data, of("state_dict.conv.weight"));
    assert_eq!(weights.get("stem.norm.running_var").unwrap().data, of("state_dict.bn.running_var"));

    let mut partial = dict.tensors.clone();
    partial.retain(|t| t.name != "state_dict.conv.bias");
    partial.iter_mut().filter(|t| t.name == "state_dict.bn.weight").for_each(|t| t.shape = vec![3, 1]);
    partial.push(Tensor { name: "state_dict.fc.weight".into(), shape: vec![1], data: vec![0.0] });
    let mut weights = start.clone();
    let report = weights.adopt(&network, partial, &map).unwrap();
    assert_eq!(report.missing, ["stem.conv.bias"]);
    assert_eq!(report.unexpected, ["stem.fc.weight"]);
    let shape = MisShaped { key: "stem.norm.weight".into(), got: vec![3, 1], expected: vec![3] };
    assert_eq!((report.mis_shaped, report.taken.len()), (vec![shape], 4));
    assert_eq!(weights.get("stem.conv.bias"), start.get("stem.conv.bias"));
    assert_eq!(weights.get("stem.norm.weight"), start.get("stem.norm.weight"));
}

#[test]
fn keys_that_become_one_and_values_that_are_no_weights_are_refused_and_change_nothing() {
    let network = small();
    let start = Weights::init(&network, 1);
    let tensor = |name: &str, value: f32| Tensor { name: name.into(), shape: vec![3], data: vec![value; 3] };
    let map: KeyMap = toml::from_str("[[rule]]\nrule = \"strip_prefix\"\nprefix = \"a.\"").unwrap();
    let mut weights = start.clone();
    let both = vec![tensor("stem.conv.bias", 1.0), tensor("a.stem.conv.bias", 2.0)];
    let twice = WeightsError::Twice { key: "stem.conv.bias".into(), foreign: "stem.conv.bias".into() };
    assert_eq!(weights.adopt(&network, both, &map), Err(twice));
    let bad = vec![tensor("stem.conv.bias", 1.0), tensor("stem.norm.running_var", -1.0)];
    assert!(matches!(weights.adopt(&network, bad, &map), Err(WeightsError::Value { .. })));
    assert!(weights == start);
    let suffix: KeyMap = toml::from_str("[[rule]]\nrule = \"drop_suffix\"\nsuffix = \".bias\"").unwrap();
    assert_eq!((suffix.key("x.bias"), suffix.key("bias.x")), (None, Some("bias.x".into())));
    let unknown = toml::from_str::<KeyMap>("[[rule]]\nrule = \"replace\"\nfrom = \"a\"").unwrap_err().to_string();
    assert!(unknown.contains("to"), "{unknown}");
}

#[test]
fn safetensors_of_other_precisions_are_read_as_floats() {
    use safetensors::Dtype;
    use safetensors::tensor::TensorView;
    let values = [1.0_f32, -2.5, 0.15625, -0.0];
    let half: Vec<u8> = [0x3c00_u16, 0xc100, 0x3100, 0x8000].iter().flat_map(|v| v.to_le_bytes()).collect();
    let brain: Vec<u8> = values.iter().flat_map(|v| ((v.to_bits() >> 16) as u16).to_le_bytes()).collect();
    let double: Vec<u8> = values.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect();
    let single: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let views = [
        ("half", Dtype::F16, &half),
        ("brain", Dtype::BF16, &brain),
        ("double", Dtype::F64, &double),
        ("single", Dtype::F32, &single),
    ]
    .map(|(name, dtype, bytes)| (name, TensorView::new(dtype, vec![2, 2], bytes).unwrap()));
    let read = read_safetensors(&safetensors::serialize(views, None).unwrap()).unwrap();
    assert_eq!(read.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["brain", "double", "half", "single"]);
    for t in read {
        assert!(t.shape == [2, 2] && t.data.iter().zip(values).all(|(a, b)| a.to_bits() == b.to_bits()), "{t:?}");
    }
    let counters = [("bn.num_batches_tracked", Dtype::I64, &double), ("bn.weight", Dtype::F32, &single)]
        .map(|(name, dtype, bytes)| (name, TensorView::new(dtype, vec![4], bytes).unwrap()));
    let read = read_safetensors(&safetensors::serialize(counters, None).unwrap()).unwrap();
    assert_eq!(read.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["bn.weight"]);
    let ints = TensorView::new(Dtype::I32, vec![4], &single).unwrap();
    let refused = read_safetensors(&safetensors::serialize([("n", ints)], None).unwrap());
    assert_eq!(refused, Err(WeightsError::Dtype { key: "n".into(), got: "I32".into() }));
}
