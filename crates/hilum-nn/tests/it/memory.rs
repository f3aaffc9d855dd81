//! What a plan allocates, and that a run and a training step allocate nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hilum_nn::{
    Algorithm, Convolution, DenseNet, Inference, InputShape, Loss, Network, Op, Options, Pooling, Recurrence, Scores,
    Target, Trainer, UNet2d, Update, VolumeShape, Weights, densenet, unet2d,
};

use crate::reference::noise;

static WATCHING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: hands everything to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if WATCHING.load(Ordering::Relaxed) {
            ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if WATCHING.load(Ordering::Relaxed) {
            ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Needs a process of its own, as nextest gives it.
#[test]
fn a_forward_pass_allocates_nothing() {
    if std::env::var_os("NEXTEST").is_none() {
        println!("SKIPPED: other tests of this process allocate; run with nextest");
        return;
    }
    let unet = unet2d(UNet2d { in_channels: 3, out_channels: 1, base: 16, depth: 3 }).unwrap();
    for network in [unet, every_operator()] {
        allocates_nothing(&network, InputShape { n: 2, h: 32, w: 32 }.into());
    }
    allocates_nothing(&sequences(), VolumeShape { n: 6, d: 5, h: 8, w: 6 });
}

fn sequences() -> Network {
    let mut net = Network::volume_builder(3);
    net.then("a", Op::Conv(Convolution::new(18, &[1, 3, 3]).same()));
    net.then("max", Op::AdaptiveMaxPool { size: vec![0, 5, 4] });
    net.then("mean", Op::AdaptiveAvgPool { size: vec![0, 1, 1] });
    net.then("gru", Op::Gru(Recurrence::new(20).bidirectional()));
    net.then("lstm", Op::Lstm(Recurrence::new(9)));
    net.then("three", Op::AdaptiveAvgPool { size: vec![3, 1, 1] });
    net.then("flat", Op::Flatten);
    net.then("fc", Op::Linear { out_features: 2, bias: true });
    net.build().unwrap()
}

fn every_operator() -> Network {
    let mut net = Network::builder(3);
    net.then("a", Op::Conv(Convolution::new(20, &[5, 3]).stride(&[2, 1]).padding(&[1, 1])));
    net.layer("b", &["input"], Op::MaxPool(Pooling::new(&[5, 3], &[2, 1]).padding(&[1, 1])));
    net.layer("c", &["a"], Op::GroupNorm { groups: 4, eps: 1e-5 });
    net.layer("d", &["b"], Op::Conv2d { out_channels: 17, kernel: 1, bias: true });
    net.layer("cat", &["d", "b"], Op::Concat);
    net.layer("add", &["c", "cat", "a"], Op::Add);
    net.then("up", Op::Upsample { factors: vec![2, 2], linear: true });
    net.then("gelu", Op::Gelu);
    net.then("pool", Op::GlobalAvgPool);
    net.then("flat", Op::Flatten);
    net.then("fc", Op::Linear { out_features: 5, bias: true });
    net.then("softmax", Op::Softmax);
    net.build().unwrap()
}

fn allocates_nothing(network: &Network, shape: VolumeShape) {
    let VolumeShape { n, d, h, w } = shape;
    let options = Options { threads: 3, isa: None };
    let mut plan = Inference::compile(network, &Weights::init(network, 1), shape, options).unwrap();
    let out = plan.output_shape();
    let (x, mut y) = (noise(n * 3 * d * h * w, 1), vec![0.0; n * out.c * out.d * out.h * out.w]);
    plan.forward(&x, &mut y).unwrap();
    let first = y.clone();
    // What a pass allocates, it allocates every time; a worker that the system starts late allocates once, in one of the passes.
    let passes = (0..8).map(|_| {
        ALLOCATIONS.store(0, Ordering::Relaxed);
        WATCHING.store(true, Ordering::Relaxed);
        plan.forward(&x, &mut y).unwrap();
        WATCHING.store(false, Ordering::Relaxed);
        assert!(first == y, "a later pass over a reused arena gives the same bits");
        ALLOCATIONS.load(Ordering::Relaxed)
    });
    assert_eq!(passes.min(), Some(0));
}

/// Needs a process of its own, as nextest gives it.
#[test]
fn a_second_training_step_allocates_nothing() {
    if std::env::var_os("NEXTEST").is_none() {
        println!("SKIPPED: other tests of this process allocate; run with nextest");
        return;
    }
    let unet = unet2d(UNet2d { in_channels: 3, out_channels: 2, base: 16, depth: 2 }).unwrap();
    let densenet =
        densenet(&DenseNet { blocks: vec![2, 3], growth: 8, stem: 16, ..DenseNet::d121(3, 5, Scores::Logits) });
    let densenet = densenet.unwrap();
    let regions = "activation = \"sigmoid\"\nterm = [{ kind = \"bce\" }, { kind = \"focal\" }, { kind = \"dice\" }, \
                   { kind = \"tversky\", scope = \"image\" }]";
    let classes =
        "activation = \"softmax\"\nterm = [{ kind = \"cross_entropy\" }, { kind = \"focal\" }, { kind = \"dice\" }]";
    let rules = [
        "{ rule = \"sgd\" }",
        "{ rule = \"sgd\", momentum = 0.9, nesterov = true }",
        "{ rule = \"adam\" }",
        "{ rule = \"adamw\" }",
    ];
    let image = InputShape { n: 2, h: 32, w: 64 };
    for threads in [1, 2] {
        for rule in rules {
            for clipping in ["", "clipping = { value = 0.1 }", "clipping = { value = 0.1, norm = 0.01 }"] {
                let update = format!("optimiser = {rule}\n{clipping}");
                steps_allocate_nothing(&unet, image.into(), regions, &update, threads);
                steps_allocate_nothing(&densenet, image.into(), classes, &update, threads);
            }
        }
        let plain = format!("optimiser = {}", rules[0]);
        steps_allocate_nothing(&every_operator(), image.into(), classes, &plain, threads);
        steps_allocate_nothing(&sequences(), VolumeShape { n: 6, d: 5, h: 8, w: 6 }, classes, &plain, threads);
    }
}

fn steps_allocate_nothing(network: &Network, shape: VolumeShape, loss: &str, update: &str, threads: usize) {
    let VolumeShape { n, d, h, w } = shape;
    let (weights, options) = (Weights::init(network, 1), Options { threads, isa: None });
    let (objective, rule): (Loss, Update) = (toml::from_str(loss).unwrap(), toml::from_str(update).unwrap());
    let mut trainer = Trainer::compile(network, weights, shape, objective, rule, options).unwrap();
    let out = network.cost(shape).unwrap().output;
    let pixels = n * out.d * out.h * out.w;
    let labels = noise(pixels * out.c, 2).into_iter().map(|v| f32::from(v > 0.0));
    let y: Vec<f32> = labels.take(if loss.contains("softmax") { pixels } else { pixels * out.c }).collect();
    let (x, weights) = (noise(n * 3 * d * h * w, 1), vec![0.5; pixels]);
    let target = Target { values: &y, weights: Some(&weights) };
    trainer.step(&x, target, 1e-3).unwrap();
    // What a step allocates, it allocates every time; a worker that the system starts late allocates once, in one of the steps.
    let steps = (0..4).map(|_| {
        ALLOCATIONS.store(0, Ordering::Relaxed);
        WATCHING.store(true, Ordering::Relaxed);
        let step = trainer.step(&x, target, 1e-3);
        WATCHING.store(false, Ordering::Relaxed);
        step.unwrap();
        ALLOCATIONS.load(Ordering::Relaxed)
    });
    assert_eq!(steps.min(), Some(0), "{} layers, {loss}, {update}, {threads} threads", network.layers().len());
}

#[test]
fn buffers_are_shared_by_liveness() {
    let network = unet2d(UNet2d { in_channels: 3, out_channels: 1, base: 16, depth: 4 }).unwrap();
    let weights = Weights::init(&network, 1);
    let shape = InputShape { n: 1, h: 128, w: 128 };
    let options = Options { threads: 1, isa: None };
    let plan = Inference::compile_with(&network, &weights, shape, options, Algorithm::Direct).unwrap();
    let parameters: usize = weights.tensors().iter().map(|t| 4 * t.data.len()).sum();
    let plane = 4 * 16 * 128 * 128;
    // Two halves of the top concatenation, and what the widest moment needs beside it; every layer on its own would take more than 13 planes.
    let activations = plan.peak_bytes() - parameters;
    assert!(activations <= 5 * plane, "{activations} bytes, one plane has {plane}");
}
