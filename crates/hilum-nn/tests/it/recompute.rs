//! Plans that do not fit their ceiling: results of normalisations are computed again in the backward pass.

use hilum_nn::plan::Act;
use hilum_nn::{
    AdamConfig, DenseNet, LossConfig, Network, Options, Scores, Trainer, UNet2d, UNet3d, VolumeShape, Weights,
    densenet, unet2d, unet3d,
};

use crate::reference::{noise, targets};

fn works() -> [(Network, VolumeShape); 3] {
    let config = DenseNet { blocks: vec![2, 3], growth: 8, stem: 16, ..DenseNet::d121(3, 1, Scores::Sigmoid) };
    [
        (unet2d(UNet2d { in_channels: 3, out_channels: 1, base: 16, depth: 2 }).unwrap(), (2, 1, 48, 48)),
        (unet3d(UNet3d { in_channels: 3, out_channels: 1, base: 8, depth: 1 }).unwrap(), (1, 8, 16, 16)),
        (densenet(&config).unwrap(), (3, 1, 64, 64)),
    ]
    .map(|(network, (n, d, h, w))| (network, VolumeShape { n, d, h, w }))
}

/// The losses of three steps, a digest of the weights after them, the peak and how many results were computed again in a step.
fn train(network: &Network, shape: VolumeShape) -> Result<(Vec<u32>, u64, usize, usize), String> {
    let options = Options { threads: 2, isa: None };
    let (weights, loss) = (Weights::init(network, 1), LossConfig::default());
    let mut trainer = Trainer::compile(network, weights, shape, loss, AdamConfig::default(), options)
        .map_err(|error| error.to_string())?;
    let out = network.cost(shape).unwrap().output;
    let x = noise(shape.n * network.in_channels() * shape.d * shape.h * shape.w, 5);
    let y = targets(shape.n * out.c * out.d * out.h * out.w, 6);
    let losses = (0..3).map(|_| trainer.step(&x, &y, 1e-2).unwrap().to_bits()).collect();
    let weights = trainer.weights();
    let bits = weights.tensors().iter().flat_map(|t| &t.data).map(|v| u64::from(v.to_bits()));
    let digest = bits.fold(0_u64, |digest, bits| digest.wrapping_mul(0x0100_0000_01B3) ^ bits);
    let peak = trainer.peak_bytes();
    let again = trainer.profile(&x, &y, 0.0, 1).unwrap().iter().filter(|part| part.act == Act::Again).count();
    Ok((losses, digest, peak, again))
}

#[test]
#[ignore = "run by a_plan_over_its_ceiling_computes_again_and_trains_to_the_same_bits in a process of its own"]
fn train_under_this_ceiling() {
    let which: usize = std::env::var("HILUM_NN_TEST_WORK").unwrap().parse().unwrap();
    let (network, shape) = &works()[which];
    println!("trained: {:?}", train(network, *shape));
}

#[test]
fn a_plan_over_its_ceiling_computes_again_and_trains_to_the_same_bits() {
    let under = |which: usize, ceiling: usize| {
        let run = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "recompute::train_under_this_ceiling", "--ignored", "--nocapture"])
            .env("HILUM_NN_MEMORY", ceiling.to_string())
            .env("HILUM_NN_TEST_WORK", which.to_string())
            .output()
            .unwrap();
        String::from_utf8_lossy(&run.stdout).into_owned()
    };
    for (which, (network, shape)) in works().into_iter().enumerate() {
        let (losses, digest, peak, again) = train(&network, shape).unwrap();
        assert_eq!(again, 0, "without a ceiling everything is kept");
        let text = under(which, peak * 19 / 20);
        let same = format!("trained: Ok(({losses:?}, {digest}, ");
        let (_, rest) = text.split_once(&same).unwrap_or_else(|| panic!("work {which}, of {peak} bytes: {text}"));
        let mut figures = rest.split(", ").map(|word| word.trim_end_matches([')', '\n']).split(')').next().unwrap());
        let (less, again): (usize, usize) =
            (figures.next().unwrap().parse().unwrap(), figures.next().unwrap().parse().unwrap());
        assert!(less < peak * 19 / 20 && again > 0, "work {which}: {less} of {peak} bytes, {again} computed again");
        let text = under(which, peak / 4);
        assert!(text.contains("trained: Err(\"the plan needs"), "work {which}: {text}");
    }
}
