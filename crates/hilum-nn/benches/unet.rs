//! Prints GFLOP/s of single layers and seconds of the U-Net's training step and forward pass:
//! `cargo bench -p hilum-nn --bench unet -- [threads ...] [portable] [scaling] [training]`. `scaling` only compares one and two threads by the wall
//! clock, on runs so short that they fit between those of busy neighbours. `training` only compares the training step by Winograd and directly, in turn.
//!
//! Counted are the multiplications and additions of direct convolution; backward counts twice the forward (data and weights).

use std::time::Instant;

use hilum_nn::{
    AdamConfig, Algorithm, Inference, InputShape, Isa, LossConfig, Network, Op, Options, Trainer, UNet2d, Weights,
    unet2d,
};

fn noise(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f32 / 8_388_608.0 - 1.0).collect()
}

/// Seconds of processor time of the calling thread, where the system tells (Linux); unlike the clock on the wall it is not disturbed by neighbours.
fn thread_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split_whitespace().next()?.parse::<f64>().ok()? / 1e9)
}

/// Seconds of a run: mean processor time where one thread does all, else the best time on the wall.
fn seconds(threads: usize, mut run: impl FnMut()) -> f64 {
    run();
    let (start, cpu) = (Instant::now(), thread_seconds());
    let (mut best, mut runs) = (f64::MAX, 0.0);
    while start.elapsed().as_secs_f64() < 1.0 {
        let from = Instant::now();
        run();
        runs += 1.0;
        best = best.min(from.elapsed().as_secs_f64());
    }
    match (cpu, thread_seconds()) {
        (Some(from), Some(to)) if threads == 1 => (to - from) / runs,
        _ => best,
    }
}

/// Operations of one forward pass, from the typed graph.
fn gflop(network: &Network, shape: InputShape) -> f64 {
    let graph = network.graph();
    let per_layer = graph.nodes().iter().enumerate().map(|(i, node)| {
        let (x, y) = (&graph.values()[node.inputs[0]], &graph.values()[i + 1]);
        let pixels = |level: i32| (shape.n * shape.h * shape.w) as f64 / 4_f64.powi(level);
        let products = match node.op {
            Op::Conv2d { kernel, .. } => pixels(x.level()) * (kernel * kernel) as f64,
            Op::ConvTranspose2d { .. } => pixels(y.level()),
            _ => 0.0,
        };
        2.0 * products * x.channels as f64 * y.channels as f64
    });
    per_layer.sum::<f64>() / 1e9
}

/// Time of one layer, without the way in and out of NCHW.
fn layer(inp: usize, out: usize, kernel: usize, size: usize, options: Options) {
    let shape = InputShape { n: 1, h: size, w: size };
    let time = |op: Op, algorithm: Algorithm| {
        let mut net = Network::builder(inp);
        net.then("layer", op);
        let network = net.build().expect("one layer is a network");
        let weights = Weights::init(&network, 1);
        let mut plan = Inference::compile_with(&network, &weights, shape, options, algorithm).expect("compiles");
        let (x, mut y) = (noise(inp * size * size), vec![0.0; network.out_channels() * size * size]);
        (seconds(options.threads, || plan.forward(&x, &mut y).expect("runs")), gflop(&network, shape))
    };
    // Half of a ReLU network over each side's channels stands for the way in and out.
    let way = |channels: usize| {
        let mut net = Network::builder(channels);
        net.then("relu", Op::Relu);
        let network = net.build().expect("a ReLU is a network");
        let mut plan = Inference::compile(&network, &Weights::init(&network, 1), shape, options).expect("compiles");
        let (x, mut y) = (noise(channels * size * size), vec![0.0; channels * size * size]);
        seconds(options.threads, || plan.forward(&x, &mut y).expect("runs"))
    };
    let way = 0.5 * (way(inp) + way(out));
    let conv = Op::Conv2d { out_channels: out, kernel, bias: false };
    let (direct, work) = time(conv.clone(), Algorithm::Direct);
    print!("  {kernel}x{kernel} {inp:>3} -> {out:>3} at {size:>3}: direct {:>6.1} GFLOP/s", work / (direct - way));
    if kernel == 3 {
        let (winograd, _) = time(conv, Algorithm::Winograd);
        print!(", Winograd {:>6.1}", work / (winograd - way));
    }
    println!("; {:.2} ms, of which the way in and out of NCHW {:.2}", direct * 1e3, way * 1e3);
}

fn unet(base: usize, depth: usize, n: usize, size: usize, options: Options) {
    let network = unet2d(UNet2d { in_channels: 3, out_channels: 1, base, depth }).expect("a U-Net is a network");
    let shape = InputShape { n, h: size, w: size };
    let weights = Weights::init(&network, 1);
    let work = gflop(&network, shape);
    let (x, y) = (noise(n * 3 * size * size), vec![0.0; n * size * size]);
    let mut scores = y.clone();
    for algorithm in [Algorithm::Direct, Algorithm::Winograd, Algorithm::Auto] {
        let mut plan = Inference::compile_with(&network, &weights, shape, options, algorithm).expect("compiles");
        let forward = seconds(options.threads, || plan.forward(&x, &mut scores).expect("runs"));
        println!(
            "  U-Net base {base} depth {depth}, {n} x {size}x{size}: forward {algorithm:?} {:.1} ms, {:.1} GFLOP/s, {:.0} MB",
            forward * 1e3,
            work / forward,
            plan.peak_bytes() as f64 / 1e6
        );
    }
    let mut trainer = Trainer::compile(&network, weights, shape, LossConfig::default(), AdamConfig::default(), options)
        .expect("compiles");
    let step = seconds(options.threads, || assert!(trainer.step(&x, &y, 1e-3).expect("runs").is_finite()));
    println!(
        "  U-Net base {base} depth {depth}, {n} x {size}x{size}: training step {:.1} ms, {:.1} GFLOP/s, {:.0} MB",
        step * 1e3,
        3.0 * work / step,
        trainer.peak_bytes() as f64 / 1e6
    );
}

/// Best time on the wall of many short runs.
fn best_wall(mut run: impl FnMut()) -> f64 {
    run();
    let (start, mut best) = (Instant::now(), f64::MAX);
    while start.elapsed().as_secs_f64() < 6.0 {
        let from = Instant::now();
        run();
        best = best.min(from.elapsed().as_secs_f64());
    }
    best
}

fn scaling() {
    let network = unet2d(UNet2d { in_channels: 3, out_channels: 1, base: 16, depth: 4 }).expect("a U-Net is a network");
    let shape = InputShape { n: 1, h: 128, w: 128 };
    let (x, y) = (noise(3 * 128 * 128), vec![0.0; 128 * 128]);
    let [one, two] = [1, 2].map(|threads| {
        let options = Options { threads, isa: None };
        let weights = Weights::init(&network, 1);
        let mut scores = y.clone();
        let mut forward = |algorithm| {
            let mut plan = Inference::compile_with(&network, &weights, shape, options, algorithm).expect("compiles");
            best_wall(|| plan.forward(&x, &mut scores).expect("runs"))
        };
        let (direct, auto) = (forward(Algorithm::Direct), forward(Algorithm::Auto));
        let mut trainer =
            Trainer::compile(&network, weights, shape, LossConfig::default(), AdamConfig::default(), options)
                .expect("compiles");
        [direct, auto, best_wall(|| assert!(trainer.step(&x, &y, 1e-3).expect("runs").is_finite()))]
    });
    for (i, what) in ["forward direct", "forward", "training step"].into_iter().enumerate() {
        println!("{what}: {:.2} ms, {:.2} ms on two threads, {:.2} times", one[i] * 1e3, two[i] * 1e3, one[i] / two[i]);
    }
}

/// The training step directly and by Winograd, in turn, by processor time where one thread does all.
fn training(threads: usize) {
    for (in_channels, base, depth, n, size) in [(5, 16, 3, 16, 96), (3, 32, 4, 2, 512)] {
        let network = unet2d(UNet2d { in_channels, out_channels: 1, base, depth }).expect("a U-Net is a network");
        let shape = InputShape { n, h: size, w: size };
        let (x, y) = (noise(n * in_channels * size * size), vec![0.0; n * size * size]);
        let mut trainers = [Algorithm::Direct, Algorithm::Auto].map(|algorithm| {
            let (loss, adam) = (LossConfig::default(), AdamConfig::default());
            let (weights, options) = (Weights::init(&network, 1), Options { threads, isa: None });
            Trainer::compile_with(&network, weights, shape, loss, adam, options, algorithm).expect("compiles")
        });
        let mut best = [f64::MAX; 2];
        let start = Instant::now();
        for round in 0.. {
            for (trainer, best) in trainers.iter_mut().zip(&mut best) {
                let (from, cpu) = (Instant::now(), thread_seconds());
                assert!(trainer.step(&x, &y, 1e-3).expect("runs").is_finite());
                let time = match (cpu, thread_seconds()) {
                    (Some(from), Some(to)) if threads == 1 => to - from,
                    _ => from.elapsed().as_secs_f64(),
                };
                *best = best.min(time);
            }
            if round >= 3 && start.elapsed().as_secs_f64() > 6.0 {
                break;
            }
        }
        let work = 3.0 * gflop(&network, shape);
        println!("  U-Net base {base} depth {depth}, {n} x {size}x{size}, training step on {threads} threads:");
        for (what, time, trainer) in [("direct", best[0], &trainers[0]), ("auto", best[1], &trainers[1])] {
            let (speed, bytes) = (work / time, trainer.peak_bytes() as f64 / 1e6);
            println!("    {what}: {:.1} ms, {speed:.1} GFLOP/s, {bytes:.0} MB", time * 1e3);
        }
        println!("    {:.2} times", best[0] / best[1]);
    }
}

fn main() {
    if std::env::args().any(|a| a == "scaling") {
        return scaling();
    }
    let threads: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let threads = if threads.is_empty() { vec![1, 2] } else { threads };
    if std::env::args().any(|a| a == "training") {
        return threads.into_iter().for_each(training);
    }
    for isa in Isa::ALL
        .into_iter()
        .filter(|i| i.available() && (*i != Isa::Portable || std::env::args().any(|a| a == "portable")))
    {
        for &threads in &threads {
            println!("{isa}, {threads} threads");
            let options = Options { threads, isa: Some(isa) };
            for (inp, out, size) in [
                (3, 16, 512),
                (16, 16, 512),
                (32, 16, 512),
                (32, 32, 256),
                (64, 64, 128),
                (128, 128, 64),
                (256, 256, 32),
            ] {
                layer(inp, out, 3, size, options);
            }
            layer(64, 64, 1, 128, options);
            unet(16, 4, 8, 128, options);
            unet(16, 4, 1, 512, options);
        }
    }
}
