//! Trains a small ResNet to tell rows, columns and squares of light in noise: `cargo run --release -p hilum-nn --example train_classifier`.

use hilum_nn::{AdamWConfig, Inference, InputShape, Loss, Options, ResNet, Scores, Trainer, Weights, resnet};

/// One image of 32x32 with rows (class 0), columns (1) or squares (2) of light in noise, and its class.
fn pattern(seed: u64) -> (Vec<f32>, f32) {
    let random = |i: u64| ((seed * 4096 + i).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f32 / 16_777_216.0;
    let (class, shift) = (seed % 3, (8.0 * random(2000)) as u64);
    let light = |y: u64, x: u64| ([y, x, x + y][class as usize] % 2) as f32;
    let pixel = |i: u64| 0.4 * light((i / 32 + shift) / 4, (i % 32 + shift) / 4) + random(i);
    ((0..1024).map(pixel).collect(), class as f32)
}

/// Trains and returns how many of 300 fresh images are told right.
pub fn train() -> Result<usize, Box<dyn std::error::Error>> {
    let network = resnet(&ResNet { blocks: vec![1, 1], base: 8, ..ResNet::r18(1, 3, Scores::Logits) })?;
    let loss: Loss = toml::from_str("activation = \"softmax\"\nterm = [{ kind = \"cross_entropy\" }]")?;
    let (start, batch, options) = (Weights::init(&network, 42), InputShape { n: 12, h: 32, w: 32 }, Options::default());
    let mut trainer = Trainer::compile(&network, start, batch, loss, AdamWConfig::default(), options)?;
    for step in 0..60 {
        let (images, classes): (Vec<_>, Vec<_>) = (0..12).map(|i| pattern(12 * step + i)).unzip();
        let value = trainer.step(&images.concat(), &classes, 3e-3)?;
        if step % 10 == 0 {
            println!("step {step:>2}: loss {value:.4}");
        }
    }
    let mut plan = Inference::compile(&network, &trainer.weights(), InputShape { n: 1, h: 32, w: 32 }, options)?;
    let mut right = 0;
    for (image, class) in (1_000_000..1_000_300).map(pattern) {
        let mut scores = [0.0; 3];
        plan.forward(&image, &mut scores)?;
        right += usize::from((0..3).max_by(|&a, &b| scores[a].total_cmp(&scores[b])) == Some(class as usize));
    }
    Ok(right)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{} of 300 fresh images right", train()?);
    Ok(())
}
