//! What is measured: one row per network and kind of work, with the aim that it is held to.

use std::path::Path;

use hilum_nn::{
    DenseNet, InceptionResNetV2, Network, Scores, UNet2d, UNet3d, VolumeShape, Weights, densenet, inception_resnet_v2,
    onnx, unet2d, unet3d,
};
use serde::Serialize;

/// What is done with the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Forward, binary cross-entropy, backward, one step of Adam.
    Training,
    /// Forward in inference mode.
    Forward,
}

/// Ratios that we want to reach: the peer's time divided by ours. A peer without an aim is shown all the same.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Aims {
    /// Against the fastest peer in fp32.
    pub fp32: f64,
    /// Against the fastest peer in bf16, where there is an aim.
    pub bf16: Option<f64>,
    /// Against the fastest peer in fp32, both without AVX-512.
    pub avx2: f64,
}

/// One row of the table.
pub struct Work {
    pub name: &'static str,
    pub kind: Kind,
    pub network: fn() -> Network,
    /// Batch, depth (1 for images), height and width.
    pub shape: VolumeShape,
    pub aims: Aims,
}

/// The rows. What a peer needs to run one is its description, weights and input shape ([`export`]): a further network is one row more.
pub const WORKS: &[Work] = &[
    Work {
        name: "unet-training",
        kind: Kind::Training,
        network: unet_base_32,
        shape: images(2, 512),
        aims: Aims { fp32: 2.5, bf16: Some(1.3), avx2: 1.0 },
    },
    Work {
        name: "densenet121-training-224",
        kind: Kind::Training,
        network: densenet_121_of_one_class,
        shape: images(4, 224),
        aims: Aims { fp32: 1.5, bf16: None, avx2: 1.0 },
    },
    Work {
        name: "unet3d-training-64",
        kind: Kind::Training,
        network: unet3d_base_16,
        shape: VolumeShape { n: 1, d: 64, h: 64, w: 64 },
        aims: Aims { fp32: 1.5, bf16: None, avx2: 1.0 },
    },
    Work {
        name: "inception-resnet-v2-training-299",
        kind: Kind::Training,
        network: inception_resnet_v2_of_one_class,
        shape: images(6, 299),
        aims: Aims { fp32: 1.3, bf16: None, avx2: 1.0 },
    },
    Work {
        name: "unet-forward",
        kind: Kind::Forward,
        network: unet_base_32,
        shape: images(1, 512),
        aims: Aims { fp32: 2.0, bf16: Some(1.5), avx2: 1.0 },
    },
    Work {
        name: "densenet121-forward-224",
        kind: Kind::Forward,
        network: densenet_121,
        shape: images(1, 224),
        aims: EQUAL,
    },
    Work {
        name: "densenet121-forward-512",
        kind: Kind::Forward,
        network: densenet_121,
        shape: images(1, 512),
        aims: EQUAL,
    },
    Work {
        name: "inception-resnet-v2-forward",
        kind: Kind::Forward,
        network: inception_resnet_v2_1000,
        shape: images(1, 299),
        aims: EQUAL,
    },
    Work {
        name: "unet3d-forward-64",
        kind: Kind::Forward,
        network: unet3d_base_16,
        shape: VolumeShape { n: 1, d: 64, h: 64, w: 64 },
        aims: EQUAL,
    },
];

/// Square images.
const fn images(n: usize, side: usize) -> VolumeShape {
    VolumeShape { n, d: 1, h: side, w: side }
}

/// As fast as the best library at its best setting.
const EQUAL: Aims = Aims { fp32: 1.0, bf16: Some(1.0), avx2: 1.0 };

fn densenet_121() -> Network {
    densenet(&DenseNet::d121(3, 1000, Scores::Logits)).expect("a DenseNet is a network")
}

fn inception_resnet_v2_1000() -> Network {
    inception_resnet_v2(&InceptionResNetV2::new(3, 1000, Scores::Logits)).expect("an InceptionResNetV2 is a network")
}

/// One probability, as decision support asks for it.
fn densenet_121_of_one_class() -> Network {
    densenet(&DenseNet::d121(3, 1, Scores::Sigmoid)).expect("a DenseNet is a network")
}

fn inception_resnet_v2_of_one_class() -> Network {
    inception_resnet_v2(&InceptionResNetV2::new(3, 1, Scores::Sigmoid)).expect("an InceptionResNetV2 is a network")
}

fn unet3d_base_16() -> Network {
    unet3d(UNet3d { in_channels: 1, out_channels: 1, base: 16, depth: 3 }).expect("a 3D U-Net is a network")
}

fn unet_base_32() -> Network {
    unet2d(UNet2d { in_channels: 1, out_channels: 1, base: 32, depth: 4 }).expect("a U-Net is a network")
}

/// A row as it is told to others.
#[derive(Serialize)]
pub struct Told {
    name: &'static str,
    kind: Kind,
    aims: Aims,
    /// `[n, c, h, w]`, of volumes `[n, c, d, h, w]`.
    shape: Vec<usize>,
    /// Values of the network's result.
    outputs: usize,
    parameters: usize,
    /// Multiplications and additions, each counted, of direct convolution; training counts three times the forward pass (data and weights).
    gflop: f64,
}

impl Told {
    /// Values of the network's result.
    pub fn outputs(&self) -> usize {
        self.outputs
    }
}

impl Work {
    /// The row of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        WORKS.iter().find(|work| work.name == name)
    }

    /// The shape, or one so small that the way through the command can be tried in seconds.
    pub fn input(&self, tiny: bool) -> VolumeShape {
        // The classifiers halve an image five times, Inception without padding.
        let least = match self.shape {
            VolumeShape { d: 1, h, .. } if h.is_multiple_of(32) => 64,
            VolumeShape { d: 1, .. } => 75,
            _ => 16,
        };
        let side = |full: usize| if tiny && full > 1 { (full / 8).max(least) } else { full };
        let VolumeShape { n, d, h, w } = self.shape;
        VolumeShape { n, d: side(d), h: side(h), w: side(w) }
    }

    /// The row in words that every peer understands.
    pub fn told(&self, tiny: bool) -> Told {
        let network = (self.network)();
        let shape = self.input(tiny);
        let cost = network.cost(shape).expect("the network takes its own row's input");
        let passes = if self.kind == Kind::Training { 3.0 } else { 1.0 };
        Told {
            name: self.name,
            kind: self.kind,
            aims: self.aims,
            shape: extents(&network, shape),
            outputs: shape.n * cost.output.c * cost.output.d * cost.output.h * cost.output.w,
            parameters: network.parameter_count(),
            gflop: passes * 2.0 * cost.multiply_adds as f64 / 1e9,
        }
    }

    /// Writes what a peer needs: `work.toml`, `network.toml`, `weights.safetensors`, `model.onnx`.
    pub fn export(&self, tiny: bool, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
        let network = (self.network)();
        let weights = self.weights();
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("work.toml"), toml::to_string(&self.told(tiny))?)?;
        std::fs::write(folder.join("network.toml"), network.to_toml()?)?;
        std::fs::write(folder.join("weights.safetensors"), weights.to_safetensors()?)?;
        std::fs::write(folder.join("model.onnx"), onnx::encode(&network, &weights)?)?;
        Ok(())
    }

    /// The weights that all engines start from.
    pub fn weights(&self) -> Weights {
        Weights::init(&(self.network)(), 1)
    }
}

/// Extents of an input as every engine understands them.
pub fn extents(network: &Network, VolumeShape { n, d, h, w }: VolumeShape) -> Vec<usize> {
    let sides = [d, h, w];
    [n, network.in_channels()].into_iter().chain(sides[3 - network.axes()..].iter().copied()).collect()
}
