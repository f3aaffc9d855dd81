//! The kernels of every layer: by rule, by measurements and their file, as given.

use std::path::{Path, PathBuf};

use hilum_nn::{
    Act, Algorithm, Basis, Choice, CompileError, Computation, Inference, InputShape, Isa, Kernel, LayerChoice, Network,
    Op, Options, Precision, Weights,
};

use crate::reference::noise;

const SHAPE: InputShape = InputShape { n: 1, h: 16, w: 24 };

/// A first layer of few channels, two of one shape, a pointwise, a transposed and a general one.
fn network() -> Network {
    let conv = |out_channels, kernel| Op::Conv2d { out_channels, kernel, bias: true };
    let mut net = Network::builder(2);
    net.then("first", conv(16, 3));
    net.then("pool", Op::MaxPool2d);
    net.then("a", conv(16, 3));
    net.then("b", conv(16, 3));
    net.then("up", Op::ConvTranspose2d { out_channels: 18, bias: true });
    net.then("wide", Op::Conv(hilum_nn::Convolution::new(16, &[1, 5]).same()));
    net.then("head", conv(1, 1));
    net.build().unwrap()
}

fn plan(computation: Computation, isa: Isa, threads: usize, shape: InputShape) -> Result<Inference, CompileError> {
    let (network, options) = (network(), Options { threads, isa: Some(isa) });
    Inference::compile_with(&network, &Weights::init(&network, 1), shape, options, computation)
}

fn portable(computation: impl Into<Computation>) -> Inference {
    plan(computation.into(), Isa::Portable, 1, SHAPE).unwrap()
}

fn result(plan: &mut Inference) -> Vec<f32> {
    let mut y = vec![0.0; SHAPE.h * SHAPE.w];
    plan.forward(&noise(2 * SHAPE.h * SHAPE.w, 3), &mut y).unwrap();
    y
}

pub fn measured(folder: &Path) -> Computation {
    Computation { measurements: Some(folder.to_owned()), ..Computation::default() }
}

fn of(plan: &Inference) -> Vec<(&str, Kernel, Basis)> {
    plan.choices().layers.iter().map(|l| (l.layer.as_str(), l.choice.kernel, l.basis)).collect()
}

fn bases(plan: &Inference) -> Vec<Basis> {
    plan.choices().layers.iter().map(|l| l.basis).collect()
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// FNV-1a in 64 bits, as the file's first line has it of the rest.
fn checksum(text: &str) -> u64 {
    let mut hash = 14_695_981_039_346_656_037_u64;
    for byte in text.bytes() {
        hash ^= u64::from(byte);
        hash = hash.wrapping_mul(1_099_511_628_211);
    }
    hash
}

#[test]
fn without_measurements_a_rule_chooses_the_same_everywhere() {
    for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
        for threads in [1, 2] {
            let plan = plan(Computation::default(), isa, threads, SHAPE).unwrap();
            let rule = |layer, kernel| (layer, kernel, Basis::Rule);
            let expected = [
                rule("first", Kernel::Direct),
                rule("a", Kernel::Winograd),
                rule("b", Kernel::Winograd),
                rule("up", Kernel::Direct),
                rule("wide", Kernel::Window),
                rule("head", Kernel::Direct),
            ];
            assert_eq!(of(&plan), expected, "{isa}, {threads} threads");
        }
    }
}

#[test]
fn what_was_measured_once_is_remembered_and_gives_the_same_bits() {
    for precision in [Precision::F32, Precision::Bf16] {
        let folder = tempfile::tempdir().unwrap();
        // The folder is made.
        let computation = Computation { precision, ..measured(&folder.path().join("new")) };
        let [mut first, mut second] = [(); 2].map(|()| portable(computation.clone()));
        use Basis::{Measured, Remembered, Rule};
        // Two layers of one shape are measured once; of a general window there is one way.
        assert_eq!(bases(&first), [Measured, Measured, Remembered, Measured, Rule, Measured], "{precision}");
        assert_eq!(bases(&second), [Remembered, Remembered, Remembered, Remembered, Rule, Remembered], "{precision}");
        assert_eq!((&first.choices().not_remembered, files(&folder.path().join("new")).len()), (&None, 1));
        let y = result(&mut first);
        assert!(y == result(&mut second), "{precision}");
        // The choices alone, as a report keeps them, are enough.
        let kept = toml::to_string(&std::collections::HashMap::from([("layer", &first.choices().layers)])).unwrap();
        let mut kept: std::collections::HashMap<String, Vec<LayerChoice>> = toml::from_str(&kept).unwrap();
        let choices = kept.remove("layer").unwrap();
        let mut again = portable(Computation { choices, precision, ..Computation::default() });
        assert!(bases(&again).iter().all(|b| *b == Basis::Given) && y == result(&mut again), "{precision}");
    }
}

#[test]
fn other_shapes_instruction_sets_and_classes_of_threads_are_measured_for_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let measures = |isa, threads, shape| bases(&plan(measured(folder.path()), isa, threads, shape).unwrap())[0];
    assert_eq!(measures(Isa::Portable, 3, SHAPE), Basis::Measured);
    assert_eq!(measures(Isa::Portable, 4, SHAPE), Basis::Remembered);
    assert_eq!(measures(Isa::Portable, 1, SHAPE), Basis::Measured);
    assert_eq!(measures(Isa::Portable, 4, InputShape { n: 2, ..SHAPE }), Basis::Measured);
    assert_eq!(measures(Isa::Portable, 3, InputShape { n: 2, ..SHAPE }), Basis::Remembered);
    assert_eq!(files(folder.path()).len(), 2, "one file for each class of threads");
    if Isa::best() != Isa::Portable {
        assert_eq!(measures(Isa::best(), 1, SHAPE), Basis::Measured);
        assert_eq!(files(folder.path()).len(), 3);
    }
}

/// Rewrites the times of a file as a machine of other strengths would have measured them.
pub fn rewrite(folder: &Path, better: &str) {
    let file = &files(folder)[0];
    let text = std::fs::read_to_string(file).unwrap();
    let (sum, body) = text.split_once('\n').unwrap();
    assert_eq!(u64::from_str_radix(sum, 16).unwrap(), checksum(body));
    let lines = body.lines().map(|line| match line.split_once(" = ") {
        Some((kernel, _)) if ["direct", "winograd", "window"].contains(&kernel) => {
            format!("{kernel} = {:.1}\n", if kernel == better { 1.0 } else { 2.0 })
        }
        _ => format!("{line}\n"),
    });
    let body: String = lines.collect();
    std::fs::write(file, format!("{:016x}\n{body}", checksum(&body))).unwrap();
}

#[test]
fn the_faster_kernels_of_the_file_are_those_that_run() {
    let folder = tempfile::tempdir().unwrap();
    portable(measured(folder.path()));
    rewrite(folder.path(), "direct");
    let mut chosen = portable(measured(folder.path()));
    assert!(chosen.choices().layers.iter().all(|l| l.choice.kernel != Kernel::Winograd), "{:?}", chosen.choices());
    let direct = result(&mut portable(Algorithm::Direct));
    assert!(result(&mut chosen) == direct);
    rewrite(folder.path(), "winograd");
    let mut chosen = portable(measured(folder.path()));
    let kernels: Vec<Kernel> = chosen.choices().layers.iter().map(|l| l.choice.kernel).collect();
    assert_eq!(kernels[..3], [Kernel::Winograd; 3]);
    assert!(result(&mut chosen) == result(&mut portable(Algorithm::Winograd)) && result(&mut chosen) != direct);
    rewrite(folder.path(), "window");
    let mut chosen = portable(measured(folder.path()));
    assert!(chosen.choices().layers.iter().all(|l| l.choice.kernel == Kernel::Window));
    let worst = direct.iter().zip(&result(&mut chosen)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-5, "windows differ by {worst}");
    // An algorithm that the caller names is not a matter of speed.
    let named = portable(Computation { algorithm: Algorithm::Winograd, ..measured(folder.path()) });
    assert!(bases(&named).iter().all(|b| *b == Basis::Rule));
}

#[test]
fn a_damaged_file_is_ignored_and_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    portable(measured(folder.path()));
    let file = files(folder.path()).remove(0);
    let whole = std::fs::read(&file).unwrap();
    let mut damages = vec![Vec::new(), b"\n".to_vec(), b"zz\nnonsense".to_vec(), whole[..whole.len() / 2].to_vec()];
    for at in [0, 20, whole.len() / 2, whole.len() - 3] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x05;
        damages.push(damaged);
    }
    let text = String::from_utf8(whole.clone()).unwrap();
    let negative = text.split_once('\n').unwrap().1.replacen("direct = ", "direct = -", 1);
    damages.push(format!("{:016x}\n{negative}", checksum(&negative)).into_bytes());
    // Another time, as good as any, that nobody measured.
    damages.push(text.replacen("direct = ", "direct = 1", 1).into_bytes());
    let other = text.split_once('\n').unwrap().1.replacen("cpu = \"", "cpu = \"another ", 1);
    damages.push(format!("{:016x}\n{other}", checksum(&other)).into_bytes());
    for damaged in damages {
        std::fs::write(&file, &damaged).unwrap();
        assert_eq!(bases(&portable(measured(folder.path())))[0], Basis::Measured, "{damaged:?}");
        assert_eq!(bases(&portable(measured(folder.path())))[0], Basis::Remembered, "{damaged:?}");
    }
    assert_eq!(files(folder.path()).len(), 1);
}

#[test]
fn plans_made_at_once_leave_a_whole_file_and_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| portable(measured(folder.path())));
        }
    });
    assert_eq!((files(folder.path()).len(), bases(&portable(measured(folder.path())))[0]), (1, Basis::Remembered));
}

#[test]
fn a_folder_that_cannot_be_written_is_told_and_refuses_no_plan() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "no folder").unwrap();
    for _ in 0..2 {
        let mut plan = portable(measured(&file));
        assert_eq!(bases(&plan)[0], Basis::Measured);
        let told = plan.choices().not_remembered.clone().unwrap();
        assert!(told.contains(file.to_str().unwrap()), "{told}");
        result(&mut plan);
    }
}

#[test]
fn choices_that_a_layer_does_not_have_are_refused_by_name() {
    let given = |layer: &str, kernel, precision| {
        let choice = LayerChoice {
            layer: layer.to_owned(),
            act: Act::Forward,
            choice: Choice { kernel, precision },
            basis: Basis::Rule,
        };
        plan(Computation { choices: vec![choice], ..Computation::default() }, Isa::Portable, 1, SHAPE).err()
    };
    assert_eq!(given("first", Kernel::Winograd, Precision::F32), None);
    for (layer, kernel, precision) in [
        ("head", Kernel::Winograd, Precision::F32),
        ("wide", Kernel::Direct, Precision::F32),
        ("a", Kernel::Direct, Precision::Bf16),
        ("pool", Kernel::Direct, Precision::F32),
        ("nowhere", Kernel::Direct, Precision::F32),
    ] {
        assert_eq!(
            given(layer, kernel, precision),
            Some(CompileError::Choice { layer: layer.to_owned(), kernel, precision })
        );
    }
}
