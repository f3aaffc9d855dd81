//! What is measured: one row per network and kind of work, with the aim that it is held to.

use std::path::Path;

use hilum_nn::{InputShape, Network, Op, UNet2d, Weights, onnx, unet2d};
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
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Aims {
    /// Against the fastest peer in fp32.
    pub fp32: f64,
    /// Against the fastest peer in bf16.
    pub bf16: f64,
    /// Against the fastest peer in fp32, both without AVX-512.
    pub avx2: f64,
}

/// One row of the table.
pub struct Work {
    pub name: &'static str,
    pub kind: Kind,
    pub network: fn() -> Network,
    /// Batch, height and width.
    pub shape: InputShape,
    pub aims: Aims,
}

/// The rows. What a peer needs to run one is its description, weights and input shape ([`export`]): a further network is one row more.
pub const WORKS: &[Work] = &[
    Work {
        name: "unet-training",
        kind: Kind::Training,
        network: unet_base_32,
        shape: InputShape { n: 2, h: 512, w: 512 },
        aims: Aims { fp32: 2.5, bf16: 1.3, avx2: 1.0 },
    },
    Work {
        name: "unet-forward",
        kind: Kind::Forward,
        network: unet_base_32,
        shape: InputShape { n: 1, h: 512, w: 512 },
        aims: Aims { fp32: 2.0, bf16: 1.5, avx2: 1.0 },
    },
];

fn unet_base_32() -> Network {
    unet2d(UNet2d { in_channels: 1, out_channels: 1, base: 32, depth: 4 }).expect("a U-Net is a network")
}

/// A row as it is told to others.
#[derive(Serialize)]
pub struct Told {
    name: &'static str,
    kind: Kind,
    aims: Aims,
    /// `[n, c, h, w]`.
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
    pub fn input(&self, tiny: bool) -> InputShape {
        let side = |full: usize| if tiny { full / 8 } else { full };
        InputShape { n: self.shape.n, h: side(self.shape.h), w: side(self.shape.w) }
    }

    /// The row in words that every peer understands.
    pub fn told(&self, tiny: bool) -> Told {
        let network = (self.network)();
        let shape = self.input(tiny);
        let (forward, outputs) = count(&network, shape);
        let passes = if self.kind == Kind::Training { 3.0 } else { 1.0 };
        Told {
            name: self.name,
            kind: self.kind,
            aims: self.aims,
            shape: vec![shape.n, network.in_channels(), shape.h, shape.w],
            outputs,
            parameters: network.parameter_count(),
            gflop: passes * forward / 1e9,
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

/// Operations of one forward pass by the definition, and values of the result.
fn count(network: &Network, shape: InputShape) -> (f64, usize) {
    let graph = network.graph();
    let mut sizes = vec![(shape.h, shape.w)];
    let mut operations = 0.0;
    for (i, node) in graph.nodes().iter().enumerate() {
        let (h, w) = sizes[node.inputs[0]];
        let (inputs, outputs) = (graph.values()[node.inputs[0]].channels, graph.values()[i + 1].channels);
        let (size, products) = match node.op {
            Op::Conv2d { kernel, .. } => ((h, w), h * w * kernel * kernel),
            Op::ConvTranspose2d { .. } => ((2 * h, 2 * w), 4 * h * w),
            Op::MaxPool2d => ((h / 2, w / 2), 0),
            Op::BatchNorm2d | Op::Relu | Op::Sigmoid | Op::Concat => ((h, w), 0),
        };
        operations += 2.0 * (shape.n * products * inputs * outputs) as f64;
        sizes.push(size);
    }
    let (h, w) = sizes[sizes.len() - 1];
    (operations, shape.n * network.out_channels() * h * w)
}
