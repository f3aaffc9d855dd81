//! The kernels of every convolution in training, of its result and of both its gradients: by rule, by measurements and their file, as given.

use std::path::Path;

use hilum_nn::{
    Act, AdamConfig, Algorithm, Basis, Choice, CompileError, Computation, Convolution, InputShape, Isa, Kernel,
    LayerChoice, LossConfig, Network, Op, Options, Precision, Trainer, VolumeShape, Weights,
};

use crate::choices::{files, measured, rewrite};
use crate::gradients::check_computed;
use crate::reference::{noise, targets};

const SHAPE: InputShape = InputShape { n: 2, h: 16, w: 24 };
const ACTS: [Act; 3] = [Act::Forward, Act::Weights, Act::Data];

/// A first layer of few channels, two of one shape, a transposed, a general and a pointwise one.
fn network() -> Network {
    let conv = |out_channels, kernel| Op::Conv2d { out_channels, kernel, bias: true };
    let mut net = Network::builder(2);
    net.then("first", conv(17, 3));
    net.then("norm", Op::BatchNorm2d);
    net.then("pool", Op::MaxPool2d);
    net.then("a", conv(17, 3));
    net.then("b", conv(17, 3));
    net.then("up", Op::ConvTranspose2d { out_channels: 18, bias: true });
    net.then("wide", Op::Conv(Convolution::new(16, &[1, 5]).same()));
    net.then("head", conv(1, 1));
    net.then("score", Op::Sigmoid);
    net.build().unwrap()
}

fn volumes() -> Network {
    let mut net = Network::volume_builder(1);
    net.then("cube", Op::Conv(Convolution::new(18, &[3, 3, 3]).same().with_bias()));
    net.then("cubes", Op::Conv(Convolution::new(17, &[3, 3, 3]).same()));
    net.then("point", Op::Conv(Convolution::new(20, &[1, 1, 1])));
    net.then("slices", Op::Conv(Convolution::new(3, &[1, 3, 3]).same()));
    net.then("head", Op::Conv(Convolution::new(1, &[1, 1, 1]).with_bias()));
    net.then("score", Op::Sigmoid);
    net.build().unwrap()
}

fn trainer(computation: impl Into<Computation>, isa: Isa, threads: usize) -> Result<Trainer, CompileError> {
    let (network, options) = (network(), Options { threads, isa: Some(isa) });
    let (weights, adam) = (Weights::init(&network, 1), AdamConfig::default());
    Trainer::compile_with(&network, weights, SHAPE, LossConfig::default(), adam, options, computation)
}

fn portable(computation: impl Into<Computation>) -> Trainer {
    trainer(computation, Isa::Portable, 1).unwrap()
}

/// Losses of a few steps and the weights after them.
fn result(trainer: &mut Trainer) -> Vec<u32> {
    let pixels = SHAPE.n * SHAPE.h * SHAPE.w;
    let mut bits: Vec<u32> =
        (0..3).map(|s| trainer.step(&noise(2 * pixels, s), &targets(pixels, s + 9), 1e-2).unwrap().to_bits()).collect();
    bits.extend(trainer.weights().tensors().iter().flat_map(|t| &t.data).map(|v| v.to_bits()));
    bits
}

fn bases(trainer: &Trainer) -> Vec<Basis> {
    trainer.choices().layers.iter().map(|l| l.basis).collect()
}

fn given(layer: &str, act: Act, kernel: Kernel) -> LayerChoice {
    LayerChoice { layer: layer.into(), act, choice: Choice { kernel, precision: Precision::F32 }, basis: Basis::Rule }
}

#[test]
fn without_measurements_a_rule_chooses_the_same_everywhere() {
    for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
        for threads in [1, 2] {
            let trainer = trainer(Computation::default(), isa, threads).unwrap();
            let layers = [
                ("first", Kernel::Direct),
                ("a", Kernel::Direct),
                ("b", Kernel::Direct),
                ("up", Kernel::Direct),
                ("wide", Kernel::Window),
                ("head", Kernel::Direct),
            ];
            let expected = layers.iter().flat_map(|&(layer, kernel)| ACTS.map(|act| given(layer, act, kernel)));
            // Nothing before the first layer learns.
            let expected: Vec<_> = expected.filter(|c| (c.layer.as_str(), c.act) != ("first", Act::Data)).collect();
            assert_eq!(trainer.choices().layers, expected, "{isa}, {threads} threads");
        }
    }
}

#[test]
fn gradients_by_any_kernels_match_the_reference() {
    let (images, volume) = (InputShape { n: 2, h: 8, w: 12 }, VolumeShape { n: 2, d: 3, h: 5, w: 6 });
    for (network, shape) in [(network(), images.into()), (volumes(), volume)] {
        let options = Options { threads: 1, isa: Some(Isa::Portable) };
        let plan = |computation: Computation| {
            let (weights, adam) = (Weights::init(&network, 1), AdamConfig::default());
            Trainer::compile_with(&network, weights, shape, LossConfig::default(), adam, options, computation)
        };
        // For each kind of kernels, every act of every layer that has them, found by asking for them.
        let all = plan(Computation::default()).unwrap().choices().layers.clone();
        let computations = [Kernel::Direct, Kernel::Winograd, Kernel::Window].map(|kernel| {
            let one = |l: &LayerChoice| given(&l.layer, l.act, kernel);
            let takes =
                |c: &LayerChoice| plan(Computation { choices: vec![c.clone()], ..Computation::default() }).is_ok();
            let choices: Vec<_> = all.iter().map(one).filter(takes).collect();
            assert!(choices.len() >= 5, "{kernel}: {choices:?}");
            Computation { choices, ..Computation::default() }
        });
        // And one that mixes them within a layer.
        let mixed = computations.iter().enumerate().flat_map(|(i, c)| {
            c.choices.iter().filter(move |c| ACTS.iter().position(|act| *act == c.act) == Some(i)).cloned()
        });
        let mixed = Computation { choices: mixed.collect(), ..Computation::default() };
        let x = noise(network.in_channels() * shape.n * shape.d * shape.h * shape.w, 5);
        let computations: Vec<_> = computations.into_iter().chain([mixed]).collect();
        check_computed("chosen kernels", &network, shape, &x, &computations);
    }
}

#[test]
fn what_was_measured_once_is_remembered_and_gives_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let [mut first, mut second] = [(); 2].map(|()| portable(measured(folder.path())));
    use Basis::{Measured, Remembered, Rule};
    let layers = |first, basis: [Basis; 6]| -> Vec<Basis> {
        basis.into_iter().flat_map(|basis| [basis; 3]).skip(1).map(|b| if b == Measured { first } else { b }).collect()
    };
    // Two layers of one shape are measured once; of a general window there is one way.
    assert_eq!(bases(&first), layers(Measured, [Measured, Measured, Remembered, Measured, Rule, Measured]));
    assert_eq!(bases(&second), layers(Remembered, [Measured, Measured, Measured, Measured, Rule, Measured]));
    assert_eq!((&first.choices().not_remembered, files(folder.path()).len()), (&None, 1));
    let bits = result(&mut first);
    assert!(bits == result(&mut second));
    // The choices alone, as a report keeps them, are enough, on any number of threads.
    let kept = toml::to_string(&std::collections::HashMap::from([("layer", &first.choices().layers)])).unwrap();
    let mut kept: std::collections::HashMap<String, Vec<LayerChoice>> = toml::from_str(&kept).unwrap();
    let computation = Computation { choices: kept.remove("layer").unwrap(), ..Computation::default() };
    for threads in [1, 2, 3] {
        let mut again = trainer(computation.clone(), Isa::Portable, threads).unwrap();
        assert!(bases(&again).iter().all(|b| *b == Basis::Given) && bits == result(&mut again), "{threads} threads");
    }
}

#[test]
fn training_and_inference_are_measured_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (network, options) = (network(), Options { threads: 1, isa: Some(Isa::Portable) });
    let weights = Weights::init(&network, 1);
    let plan = || {
        let plan = hilum_nn::Inference::compile_with(&network, &weights, SHAPE, options, measured(folder.path()));
        plan.unwrap().choices().layers[0].basis
    };
    assert_eq!((plan(), bases(&portable(measured(folder.path())))[0]), (Basis::Measured, Basis::Measured));
    assert_eq!((plan(), bases(&portable(measured(folder.path())))[0]), (Basis::Remembered, Basis::Remembered));
    assert_eq!(files(folder.path()).len(), 1, "one file remembers both");
}

#[test]
fn the_faster_kernels_of_the_file_are_those_that_run() {
    let folder = tempfile::tempdir().unwrap();
    portable(measured(folder.path()));
    let kernels = |folder: &Path, better: &str| {
        rewrite(folder, better);
        let mut trainer = portable(measured(folder));
        let kernels: Vec<_> = trainer.choices().layers.iter().map(|l| l.choice.kernel).collect();
        (kernels, result(&mut trainer))
    };
    let (chosen, direct) = kernels(folder.path(), "direct");
    assert!(chosen.iter().all(|k| *k != Kernel::Winograd) && direct == result(&mut portable(Algorithm::Direct)));
    let (chosen, winograd) = kernels(folder.path(), "winograd");
    assert_eq!(chosen[..8], [Kernel::Winograd; 8]);
    assert!(winograd == result(&mut portable(Algorithm::Winograd)) && winograd != direct);
    let (chosen, _) = kernels(folder.path(), "window");
    assert!(chosen.iter().all(|k| *k == Kernel::Window));
    // An algorithm that the caller names is not a matter of speed.
    let named = portable(Computation { algorithm: Algorithm::Winograd, ..measured(folder.path()) });
    assert!(bases(&named).iter().all(|b| *b == Basis::Rule));
}

#[test]
fn choices_that_training_does_not_have_are_refused_by_name() {
    let refused = |choice: LayerChoice| {
        trainer(Computation { choices: vec![choice], ..Computation::default() }, Isa::Portable, 1).err()
    };
    assert_eq!(refused(given("first", Act::Weights, Kernel::Winograd)), None);
    for (layer, act, kernel) in [
        ("head", Act::Data, Kernel::Winograd),
        ("wide", Act::Weights, Kernel::Direct),
        ("first", Act::Data, Kernel::Direct),
        ("a", Act::Update, Kernel::Direct),
        ("pool", Act::Forward, Kernel::Direct),
    ] {
        let expected = CompileError::Choice { layer: layer.into(), kernel, precision: Precision::F32 };
        assert_eq!(refused(given(layer, act, kernel)), Some(expected));
    }
    let bf16 = trainer(Precision::Bf16, Isa::Portable, 1).err();
    assert_eq!(bf16, Some(CompileError::TrainingPrecision(Precision::Bf16)));
    // A report from before training had choices.
    let old = "layer = \"a\"\nbasis = \"measured\"\nchoice = { kernel = \"direct\", precision = \"f32\" }";
    let old: LayerChoice = toml::from_str(old).unwrap();
    assert_eq!(old, LayerChoice { basis: Basis::Measured, ..given("a", Act::Forward, Kernel::Direct) });
}
