//! What is measured: one row per network and kind of work, with the aim that it is held to.

use std::path::Path;

use hilum_nn::{
    DenseNet, InceptionResNetV2, InputShape, Network, Op, Scores, UNet2d, Weights, densenet, inception_resnet_v2, onnx,
    unet2d,
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
    Work {
        name: "densenet121-forward-224",
        kind: Kind::Forward,
        network: densenet_121,
        shape: InputShape { n: 1, h: 224, w: 224 },
        aims: EQUAL,
    },
    Work {
        name: "densenet121-forward-512",
        kind: Kind::Forward,
        network: densenet_121,
        shape: InputShape { n: 1, h: 512, w: 512 },
        aims: EQUAL,
    },
    Work {
        name: "inception-resnet-v2-forward",
        kind: Kind::Forward,
        network: inception_resnet_v2_1000,
        shape: InputShape { n: 1, h: 299, w: 299 },
        aims: EQUAL,
    },
];

/// As fast as the best library at its best setting.
const EQUAL: Aims = Aims { fp32: 1.0, bf16: 1.0, avx2: 1.0 };

fn densenet_121() -> Network {
    densenet(&DenseNet::d121(3, 1000, Scores::Logits)).expect("a DenseNet is a network")
}

fn inception_resnet_v2_1000() -> Network {
    inception_resnet_v2(&InceptionResNetV2::new(3, 1000, Scores::Logits)).expect("an InceptionResNetV2 is a network")
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

/// Operations of one forward pass over images by the definition, and values of the result.
fn count(network: &Network, shape: InputShape) -> (f64, usize) {
    let graph = network.graph();
    let mut sizes = vec![[shape.h, shape.w]];
    let mut operations = 0.0;
    for (i, node) in graph.nodes().iter().enumerate() {
        let from = sizes[node.inputs[0]];
        let (inputs, outputs) = (graph.values()[node.inputs[0]].channels, graph.values()[i + 1].channels);
        // Size of the result, and how often an input channel meets an output channel.
        let (size, products) = match &node.op {
            Op::Conv2d { kernel, .. } => (from, area(from) * kernel * kernel),
            Op::ConvTranspose2d { .. } => (from.map(|s| 2 * s), 4 * area(from)),
            Op::Conv(c) => {
                let windows = (&c.kernel[..], &c.stride[..], &c.padding[..], &c.dilation[..]);
                let size = [0, 1].map(|a| moved(from[a], windows, a, false));
                (size, area(size) * c.kernel.iter().product::<usize>() / c.groups)
            }
            Op::ConvTranspose { .. } | Op::Upsample { .. } | Op::Gru(_) | Op::Lstm(_) => {
                panic!("{}: its size or work is not counted here", node.op)
            }
            Op::MaxPool2d => (from.map(|s| s / 2), 0),
            Op::MaxPool(p) | Op::AvgPool { pooling: p, .. } => {
                ([0, 1].map(|a| moved(from[a], (&p.kernel[..], &p.stride[..], &p.padding[..], &[1, 1]), a, p.ceil)), 0)
            }
            Op::GlobalAvgPool | Op::Flatten => ([1, 1], 0),
            Op::AdaptiveAvgPool { size } | Op::AdaptiveMaxPool { size } => {
                ([0, 1].map(|a| if size[a] == 0 { from[a] } else { size[a] }), 0)
            }
            Op::Linear { .. } => (from, 1),
            Op::BatchNorm2d
            | Op::BatchNorm { .. }
            | Op::InstanceNorm { .. }
            | Op::GroupNorm { .. }
            | Op::Relu
            | Op::LeakyRelu { .. }
            | Op::Gelu
            | Op::Tanh
            | Op::Sigmoid
            | Op::Softmax
            | Op::Dropout { .. }
            | Op::Concat
            | Op::Add
            | Op::Scale { .. } => (from, 0),
        };
        operations += 2.0 * (shape.n * products * inputs * outputs) as f64;
        sizes.push(size);
    }
    (operations, shape.n * network.out_channels() * area(sizes[sizes.len() - 1]))
}

fn area([h, w]: [usize; 2]) -> usize {
    h * w
}

/// Positions of a moving window (kernel, stride, padding, dilation) along an axis, as PyTorch counts them.
fn moved(from: usize, (kernel, stride, padding, dilation): Windows, axis: usize, ceil: bool) -> usize {
    let free = from + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1;
    1 + if ceil { free.div_ceil(stride[axis]) } else { free / stride[axis] }
}

type Windows<'a> = (&'a [usize], &'a [usize], &'a [usize], &'a [usize]);
