//! Descriptions and shapes that ask for too much, or are damaged: refused with a reason before memory is taken, never a panic or an abort.

use hilum_nn::graph::MAX_WEIGHT_BYTES;
use hilum_nn::{
    AdamConfig, CompileError, Convolution, Inference, InputShape, LossConfig, Network, NetworkError, Op, Options,
    Pooling, Trainer, UNet3d, VolumeShape, Weights, unet3d,
};
use proptest::prelude::*;

const ONE: Options = Options { threads: 1, isa: None };

/// Four convolutions of 1x1 and a score.
fn small() -> Network {
    let mut net = Network::builder(1);
    for i in 0..4 {
        net.then(format!("l{i}"), Op::Conv2d { out_channels: 16, kernel: 1, bias: true });
    }
    net.then("score", Op::Sigmoid);
    net.build().unwrap()
}

#[test]
fn weights_that_no_machine_holds_are_refused_with_their_bytes_before_anybody_makes_them() {
    let wide = |out_channels, kernel: &[usize]| Op::Conv(Convolution::new(out_channels, kernel));
    let mut net = Network::builder(1 << 10);
    net.then("a", wide(1 << 10, &[3, 3]));
    net.then("b", wide(1 << 16, &[256, 256]));
    let (a, b) = ((4 * 9) << 20, 4 << (10 + 16 + 16));
    let expected = NetworkError::Weights { key: "b.weight".into(), bytes: a + b, limit: MAX_WEIGHT_BYTES };
    assert_eq!(net.build(), Err(expected.clone()));
    assert!(expected.to_string().contains("b.weight need 17592223793152 bytes"), "{expected}");
    // Every layer alone would do.
    let mut net = Network::volume_builder(1 << 12);
    (0..40).for_each(|i| drop(net.then(format!("l{i}"), wide(1 << 12, &[2, 2, 2]))));
    let refused = net.build();
    assert!(matches!(&refused, Err(NetworkError::Weights { key, .. }) if key == "l16.weight"), "{refused:?}");
}

#[test]
fn giant_plans_are_refused_with_their_bytes() {
    let network = small();
    let weights = Weights::init(&network, 1);
    let shape = InputShape { n: 1 << 16, h: 1 << 16, w: 1 << 16 };
    // Two maps of 16 channels are needed at a time.
    let two_maps = 2 * 4 * 16 * (1_u128 << 48);
    let own: usize = weights.tensors().iter().map(|t| t.data.len()).sum();
    assert!(own < 1000);
    let inference = Inference::compile(&network, &weights, shape, ONE).err();
    assert_eq!(inference, Some(CompileError::TooLarge { bytes: two_maps, limit: 1 << 36 }));
    let trainer = Trainer::compile(&network, weights, shape, LossConfig::default(), AdamConfig::default(), ONE).err();
    let Some(CompileError::TooLarge { bytes, .. }) = trainer else { panic!("{trainer:?}") };
    assert!(bytes > 2 * two_maps, "activations are kept for backward: {bytes}");
    // Sizes whose product no number of 128 bits holds.
    let mut net = Network::volume_builder(1 << 16);
    for i in 0..2 {
        net.then(format!("up{i}"), Op::Upsample { factors: vec![256; 3], linear: false });
    }
    let network = net.build().unwrap();
    let shape = VolumeShape { n: 1 << 16, d: 1 << 16, h: 1 << 16, w: 1 << 16 };
    let refused = Inference::compile(&network, &Weights::init(&network, 1), shape, ONE).err();
    assert!(matches!(refused, Some(CompileError::TooLarge { .. })), "{refused:?}");
}

#[test]
#[ignore = "run by the_environments_ceiling_is_kept_and_memory_that_the_system_refuses_is_an_error in a process of its own"]
fn compile_under_this_ceiling() {
    let network = small();
    for side in [64, 1 << 16] {
        let shape = InputShape { n: side, h: side, w: side };
        match Inference::compile(&network, &Weights::init(&network, 1), shape, ONE) {
            Ok(_) => println!("{side}: compiled"),
            Err(e) => println!("{side}: {e}"),
        }
    }
}

#[test]
fn the_environments_ceiling_is_kept_and_memory_that_the_system_refuses_is_an_error() {
    let test = std::env::current_exe().unwrap();
    let beyond_every_machine = u128::MAX.to_string();
    for (ceiling, small, giant) in [
        ("20000000", "64: the plan needs 33554432 bytes, more than the limit of 20000000", "more than the limit"),
        ("40000000", "64: compiled", "more than the limit of 40000000"),
        ("", "64: compiled", "more than the limit of 68719476736"),
        (&beyond_every_machine, "64: compiled", "65536: the system gives no 36028797018963968 bytes"),
        ("much", "64: HILUM_NN_MEMORY is \"much\"", "65536: HILUM_NN_MEMORY"),
    ] {
        let run = std::process::Command::new(&test)
            .args(["--exact", "hostile::compile_under_this_ceiling", "--ignored", "--nocapture"])
            .env("HILUM_NN_MEMORY", ceiling)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(run.status.success() && text.contains(small) && text.contains(giant), "{ceiling}: {text}");
    }
}

/// A description with every operator and field, over images.
fn every_field() -> String {
    let conv = Convolution::new(6, &[3, 1]).stride(&[2, 1]).padding(&[1, 0]).dilation(&[2, 1]).groups(2).with_bias();
    let pooling = Pooling { ceil: true, ..Pooling::new(&[2, 3], &[1, 1]).padding(&[1, 0]) };
    let mut net = Network::builder(4);
    net.then("conv", Op::Conv(conv.clone()));
    net.then("up", Op::ConvTranspose { conv: Convolution { groups: 1, ..conv }, output_padding: vec![1, 0] });
    net.then("norm", Op::BatchNorm { eps: 1e-3 });
    net.then("max", Op::MaxPool(pooling.clone()));
    net.then("mean", Op::AvgPool { pooling, count_padding: false });
    net.then("drop", Op::Dropout { rate: 0.25, seed: 3 });
    net.then("group", Op::GroupNorm { groups: 2, eps: 1e-4 });
    net.then("clipped", Op::ClippedRelu { max: 6.0 });
    net.then("leaky", Op::LeakyRelu { slope: 0.2 });
    net.then("larger", Op::Upsample { factors: vec![2, 1], linear: true });
    net.then("scale", Op::Scale { factor: -0.5 });
    net.layer("joined", &["scale", "larger"], Op::Concat);
    net.then("three", Op::Conv2d { out_channels: 17, kernel: 3, bias: false });
    net.then("twice", Op::ConvTranspose2d { out_channels: 3, bias: true });
    net.then("pool", Op::GlobalAvgPool);
    net.then("flat", Op::Flatten);
    net.then("fc", Op::Linear { out_features: 2, bias: false });
    net.then("score", Op::Sigmoid);
    net.build().unwrap().to_toml().unwrap()
}

/// A description, if it is one, runs one step and one pass at a small size, or is refused.
fn runs_or_is_refused(network: &Network, shape: VolumeShape) -> Result<(), TestCaseError> {
    if network.parameter_count() > 1_000_000 {
        return Ok(());
    }
    let weights = Weights::init(network, 1);
    let x = vec![0.25; shape.n * network.in_channels() * shape.d * shape.h * shape.w];
    if let Ok(mut plan) = Inference::compile(network, &weights, shape, ONE) {
        prop_assume!(plan.peak_bytes() < 1 << 28);
        let out = plan.output_shape();
        let mut y = vec![0.0; shape.n * out.c * out.d * out.h * out.w];
        if plan.forward(&x, &mut y).is_ok() {
            prop_assert!(y.iter().all(|v| v.is_finite()));
            y = y.into_iter().map(|v| v.clamp(0.0, 1.0)).collect();
        }
        let (loss, adam) = (LossConfig::default(), AdamConfig::default());
        if let Ok(mut trainer) = Trainer::compile(network, weights, shape, loss, adam, ONE) {
            prop_assume!(trainer.peak_bytes() < 1 << 28);
            prop_assert!(trainer.step(&x, &y, 1e-3).map_or(true, f32::is_finite));
        }
    }
    Ok(())
}

/// A number as somebody might write it by mistake or in bad faith.
fn any_number() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0_u64..20).prop_map(|v| v.to_string()),
        2 => prop::sample::select(vec!["256", "257", "65536", "65537", "4294967296", "9223372036854775807"])
            .prop_map(str::to_owned),
        1 => prop::sample::select(vec!["-1", "1e300", "nan", "-inf", "true", "\"3\"", "[]", "[[1]]"]).prop_map(str::to_owned),
    ]
}

/// The places of numbers in a text.
fn numbers(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found: Vec<std::ops::Range<usize>> = Vec::new();
    for (i, c) in text.char_indices().filter(|(_, c)| c.is_ascii_digit()) {
        match found.last_mut() {
            Some(last) if last.end == i => last.end = i + c.len_utf8(),
            _ => found.push(i..i + c.len_utf8()),
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Other numbers in a valid description, lines left out, repeated or exchanged, letters damaged.
    #[test]
    fn damaged_descriptions_are_refused_or_run(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any_number()), 0..4),
        lines in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_u8..3), 0..3),
        letters in prop::collection::vec((any::<prop::sample::Index>(), 32_u8..127), 0..2),
        n in 1_usize..3, h in 0_usize..9, w in 1_usize..9,
    ) {
        let mut text = every_field();
        for (at, number) in changes {
            let places = numbers(&text);
            text.replace_range(places[at.index(places.len())].clone(), &number);
        }
        let mut rows: Vec<&str> = text.lines().collect();
        for (a, b, act) in lines {
            let (a, b) = (a.index(rows.len()), b.index(rows.len()));
            match act {
                0 => drop(rows.remove(a)),
                1 => rows.insert(a, rows[b]),
                _ => rows.swap(a, b),
            }
        }
        let mut bytes = rows.join("\n").into_bytes();
        for (at, letter) in letters {
            let at = at.index(bytes.len());
            bytes[at] = letter;
        }
        if let Ok(network) = Network::from_toml(&String::from_utf8(bytes).unwrap()) {
            runs_or_is_refused(&network, VolumeShape { n, d: 1, h, w })?;
        }
    }

    /// As for images, over volumes.
    #[test]
    fn no_description_over_volumes_makes_the_engine_panic(
        ops in prop::collection::vec((0_usize..9, prop::collection::vec(0_usize..4, 12), 0_usize..20), 1..6),
        channels in 1_usize..20,
        d in 1_usize..6, h in 1_usize..6, w in 1_usize..6,
    ) {
        let mut net = Network::volume_builder(channels);
        for (i, (kind, sides, out)) in ops.into_iter().enumerate() {
            let conv = Convolution::new(out, &sides[..3]).stride(&sides[3..6]).padding(&sides[6..9]).dilation(&sides[9..]);
            let pooling = Pooling { ceil: out % 2 == 0, ..Pooling::new(&sides[..3], &sides[3..6]).padding(&sides[6..9]) };
            net.then(format!("l{i}"), match kind {
                0 => Op::Conv(conv),
                1 => Op::Conv(Convolution::new(out, &[3; 3]).same()),
                2 => Op::ConvTranspose { conv, output_padding: vec![0; 3] },
                3 => Op::MaxPool(pooling),
                4 => Op::AvgPool { pooling, count_padding: out % 3 == 0 },
                5 => Op::Upsample { factors: sides[..3].to_vec(), linear: out % 2 == 0 },
                6 => Op::BatchNorm { eps: 1e-3 },
                7 => Op::GroupNorm { groups: out, eps: 1e-3 },
                _ => Op::Gelu,
            });
        }
        net.then("score", Op::Sigmoid);
        if let Ok(network) = net.build() {
            runs_or_is_refused(&network, VolumeShape { n: 1, d, h, w })?;
        }
    }
}

#[test]
fn a_volume_network_refuses_a_size_that_its_pools_do_not_halve_by_layer() {
    let network = unet3d(UNet3d { in_channels: 1, out_channels: 1, base: 2, depth: 1 }).unwrap();
    let shape = VolumeShape { n: 1, d: 4, h: 5, w: 4 };
    let refused = Inference::compile(&network, &Weights::init(&network, 1), shape, ONE).err();
    let expected = CompileError::Sizes { layer: "dec0.concat".into(), a: [4, 5, 4], b: [4, 4, 4] };
    assert_eq!(refused, Some(expected));
}
