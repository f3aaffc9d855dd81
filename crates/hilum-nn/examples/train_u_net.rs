//! Trains a small U-Net to find bright discs in noise, then writes it: `cargo run --release -p hilum-nn --example train_u_net`.

use hilum_nn::{AdamWConfig, Inference, InputShape, Loss, Options, Schedule, Trainer, UNet2d, Weights, onnx, unet2d};

/// One image of 32x32 with a disc on noise, and the disc as target.
fn disc(seed: u64) -> (Vec<f32>, Vec<f32>) {
    let random = |i: u64| ((seed * 4096 + i).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f32 / 16_777_216.0;
    let (cy, cx) = (8.0 + 16.0 * random(2000), 8.0 + 16.0 * random(2001));
    let inside = |i: u64| ((i / 32) as f32 - cy).hypot((i % 32) as f32 - cx) < 5.0;
    let target: Vec<f32> = (0..1024).map(|i| f32::from(u8::from(inside(i)))).collect();
    (target.iter().zip(0..).map(|(t, i)| 0.6 * t + random(i)).collect(), target)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let network = unet2d(UNet2d { in_channels: 1, out_channels: 1, base: 8, depth: 2 })?;
    let loss: Loss = toml::from_str("bce = 1.0\ndice = 1.0")?;
    let schedule: Schedule = toml::from_str("kind = \"cosine\"\nrate = 5e-3\nlength = 200\nwarm_up = 10")?;
    let (start, batch, options) = (Weights::init(&network, 42), InputShape { n: 4, h: 32, w: 32 }, Options::default());
    let mut trainer = Trainer::compile(&network, start, batch, loss, AdamWConfig::default(), options)?;
    for step in 0..200 {
        let (images, targets): (Vec<_>, Vec<_>) = (0..4).map(|i| disc(4 * step + i)).unzip();
        let value = trainer.step(&images.concat(), &targets.concat(), schedule.rate(step as usize, &[]))?;
        if step % 20 == 0 {
            println!("step {step:>3}: loss {value:.4}");
        }
    }
    let weights = trainer.weights();
    let mut plan = Inference::compile(&network, &weights, InputShape { n: 1, h: 32, w: 32 }, options)?;
    let (image, target) = disc(1_000_000);
    let mut scores = vec![0.0; 1024];
    plan.forward(&image, &mut scores)?;
    let right = scores.iter().zip(&target).filter(|(s, t)| (**s > 0.5) == (**t > 0.5)).count();
    println!("unseen image: {right} of 1024 pixels right");
    let folder = std::env::temp_dir();
    std::fs::write(folder.join("discs.safetensors"), weights.to_safetensors()?)?;
    std::fs::write(folder.join("discs.onnx"), onnx::encode(&network, &weights)?)?;
    Ok(())
}
