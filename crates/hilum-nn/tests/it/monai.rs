//! MONAI's networks: our own where they are the same, described layer by layer where they are not. Parameters and results of small ones are recorded by
//! `oracles/monai_networks.py`, which makes the same weights and inputs from the same numbers, and which runs live where the Python of
//! HILUM_ORACLE_PYTHON has monai.

use std::process::Command;

use hilum_nn::network::{INPUT, NetworkBuilder};
use hilum_nn::{Convolution, DenseNet, Inference, Network, Op, Options, Pooling, ResNet, Scores, densenet, resnet};
use serde_json::Value;

use crate::pytorch::{difference, numbers, python_with_torch};
use crate::pytorch_networks::{extents, noise, shape_of, weights};

const RECORD: &str = include_str!("../oracles/monai_networks.json");

fn record() -> Value {
    serde_json::from_str(RECORD).unwrap()
}

/// A network over images or volumes under construction.
struct Net {
    axes: usize,
    builder: NetworkBuilder,
}

impl Net {
    fn new(axes: usize, channels: usize) -> Self {
        let builder = if axes == 2 { Network::builder(channels) } else { Network::volume_builder(channels) };
        Self { axes, builder }
    }

    fn layer(&mut self, name: &str, inputs: &[&str], op: Op) -> String {
        self.builder.layer(name, inputs, op)
    }

    fn each(&self, side: usize) -> Vec<usize> {
        vec![side; self.axes]
    }

    /// Padded so that stride 1 keeps the size.
    fn shape(&self, out: usize, kernel: usize, stride: usize) -> Convolution {
        Convolution::new(out, &self.each(kernel)).stride(&self.each(stride)).same()
    }

    fn pooling(&self, kernel: usize, stride: usize) -> Pooling {
        Pooling::new(&self.each(kernel), &self.each(stride))
    }

    /// The mean of every channel, and a linear layer.
    fn classify(mut self, name: &str, classes: usize) -> Network {
        self.builder.then("pool", Op::GlobalAvgPool);
        self.builder.then("flat", Op::Flatten);
        self.builder.then(name, Op::Linear { out_features: classes, bias: true });
        self.builder.build().unwrap()
    }
}

/// DenseNet in any number of axes, as [`densenet`] is for images.
fn dense(axes: usize, inputs: usize, classes: usize, stem: usize, growth: usize, blocks: &[usize]) -> Network {
    let mut net = Net::new(axes, inputs);
    let conv = |net: &mut Net, name: &str, input: &str, out, kernel, stride| {
        let conv = net.shape(out, kernel, stride);
        net.layer(name, &[input], Op::Conv(conv))
    };
    let active = |net: &mut Net, name: &str, input: &str| {
        net.layer(name, &[input], Op::BatchNorm2d);
        net.layer(&format!("{name}.relu"), &[name], Op::Relu)
    };
    let mut last = conv(&mut net, "features.conv0", INPUT, stem, 7, 2);
    last = active(&mut net, "features.norm0", &last);
    let pooling = net.pooling(3, 2).padding(&net.each(1));
    last = net.layer("features.pool0", &[&last], Op::MaxPool(pooling));
    let mut channels = stem;
    for (b, &layers) in blocks.iter().enumerate() {
        for l in 1..=layers {
            let name = format!("features.denseblock{}.denselayer{l}", b + 1);
            let mut new = active(&mut net, &format!("{name}.norm1"), &last);
            new = conv(&mut net, &format!("{name}.conv1"), &new, 4 * growth, 1, 1);
            new = active(&mut net, &format!("{name}.norm2"), &new);
            new = conv(&mut net, &format!("{name}.conv2"), &new, growth, 3, 1);
            last = net.layer(&name, &[&last, &new], Op::Concat);
        }
        channels += layers * growth;
        if b + 1 < blocks.len() {
            let name = format!("features.transition{}", b + 1);
            last = active(&mut net, &format!("{name}.norm"), &last);
            channels /= 2;
            last = conv(&mut net, &format!("{name}.conv"), &last, channels, 1, 1);
            let pooling = net.pooling(2, 2);
            last = net.layer(&format!("{name}.pool"), &[&last], Op::AvgPool { pooling, count_padding: true });
        }
    }
    active(&mut net, "features.norm5", &last);
    net.classify("classifier", classes)
}

/// MONAI's ResNet: a stem of stride 1, and shortcuts whose convolutions have a bias.
fn residual(
    axes: usize,
    inputs: usize,
    classes: usize,
    bottleneck: bool,
    blocks: &[usize],
    widths: &[usize],
) -> Network {
    let mut net = Net::new(axes, inputs);
    let normal = |net: &mut Net, [conv, norm]: [&str; 2], input: &str, out, kernel, stride, bias| {
        let shape = net.shape(out, kernel, stride);
        net.layer(conv, &[input], Op::Conv(Convolution { bias, ..shape }));
        net.layer(norm, &[conv], Op::BatchNorm2d)
    };
    normal(&mut net, ["conv1", "bn1"], INPUT, widths[0], 7, 1, false);
    net.layer("relu", &["bn1"], Op::Relu);
    let pooling = net.pooling(3, 2).padding(&net.each(1));
    let (mut last, mut channels) = (net.layer("maxpool", &["relu"], Op::MaxPool(pooling)), widths[0]);
    for (s, (&count, &width)) in blocks.iter().zip(widths).enumerate() {
        let out = if bottleneck { 4 * width } else { width };
        for b in 0..count {
            let name = |part: &str| format!("layer{}.{b}.{part}", s + 1);
            let stride = if s > 0 && b == 0 { 2 } else { 1 };
            let convs = if bottleneck {
                vec![(width, 1, 1), (width, 3, stride), (out, 1, 1)]
            } else {
                vec![(out, 3, stride), (out, 3, 1)]
            };
            let mut y = last.clone();
            for (i, &(channels, kernel, stride)) in convs.iter().enumerate() {
                let names = [name(&format!("conv{}", i + 1)), name(&format!("bn{}", i + 1))];
                y = normal(&mut net, [&names[0], &names[1]], &y, channels, kernel, stride, false);
                if i + 1 < convs.len() {
                    y = net.layer(&name(&format!("relu{}", i + 1)), &[&y], Op::Relu);
                }
            }
            if stride != 1 || channels != out {
                last = normal(&mut net, [&name("downsample.0"), &name("downsample.1")], &last, out, 1, stride, true);
            }
            let sum = net.layer(&name("sum"), &[&y, &last], Op::Add);
            (last, channels) = (net.layer(&name("out"), &[&sum], Op::Relu), out);
        }
    }
    net.classify("fc", classes)
}

/// Normalisation and activation after every convolution.
type After = [Op; 2];

const BATCH: fn() -> After = || [Op::BatchNorm2d, Op::Relu];
const INSTANCE: fn() -> After = || [Op::InstanceNorm { eps: 1e-5 }, Op::LeakyRelu { slope: 0.1 }];

/// MONAI's `Convolution`: convolution with bias or its transpose, normalisation, activation.
fn convolution(net: &mut Net, name: &str, input: &str, op: Op, after: Option<After>) -> String {
    let mut last = net.layer(&format!("{name}.conv"), &[input], op);
    for (op, part) in after.into_iter().flatten().zip(["N", "A"]) {
        last = net.layer(&format!("{name}.adn.{part}"), &[&last], op);
    }
    last
}

fn two_convolutions(net: &mut Net, name: &str, input: &str, out: usize, after: fn() -> After) -> String {
    (0..2).fold(input.to_owned(), |last, i| {
        let op = Op::Conv(net.shape(out, 3, 1).with_bias());
        convolution(net, &format!("{name}.conv_{i}"), &last, op, Some(after()))
    })
}

/// `BasicUNet` (after Falk et al. 2019): five levels, and a last transposed convolution that keeps its channels.
fn basic_unet(axes: usize, inputs: usize, outputs: usize, features: [usize; 6], after: fn() -> After) -> Network {
    let mut net = Net::new(axes, inputs);
    let mut levels = vec![two_convolutions(&mut net, "conv_0", INPUT, features[0], after)];
    for level in 1..5 {
        let pooling = net.pooling(2, 2);
        let pooled = net.layer(&format!("down_{level}.pool"), &[&levels[level - 1]], Op::MaxPool(pooling));
        levels.push(two_convolutions(&mut net, &format!("down_{level}.convs"), &pooled, features[level], after));
    }
    let (mut last, mut channels) = (levels[4].clone(), features[4]);
    for level in (1..5).rev() {
        let name = format!("upcat_{level}");
        let (up, out) = if level == 1 { (channels, features[5]) } else { (channels / 2, features[level - 1]) };
        let conv = Convolution::new(up, &net.each(2)).stride(&net.each(2)).with_bias();
        let op = Op::ConvTranspose { conv, output_padding: net.each(0) };
        let wide = net.layer(&format!("{name}.upsample.deconv"), &[&last], op);
        let joined = net.layer(&format!("{name}.cat"), &[&levels[level - 1], &wide], Op::Concat);
        (last, channels) = (two_convolutions(&mut net, &format!("{name}.convs"), &joined, out, after), out);
    }
    let head = net.shape(outputs, 1, 1).with_bias();
    net.layer("final_conv", &[&last], Op::Conv(head));
    net.builder.build().unwrap()
}

/// MONAI's `ResidualUnit`, of `units` convolutions; the last one alone where `bare`.
fn residual_unit(
    net: &mut Net,
    name: &str,
    input: &str,
    [from, out]: [usize; 2],
    stride: usize,
    units: usize,
    bare: bool,
) -> String {
    let shortcut = if stride != 1 || from != out {
        let kernel = if stride == 1 { 1 } else { 3 };
        let op = Op::Conv(net.shape(out, kernel, stride).with_bias());
        net.layer(&format!("{name}.residual"), &[input], op)
    } else {
        input.to_owned()
    };
    let last = (0..units).fold(input.to_owned(), |last, i| {
        let op = Op::Conv(net.shape(out, 3, if i == 0 { stride } else { 1 }).with_bias());
        let after = (!bare || i + 1 < units).then(BATCH);
        convolution(net, &format!("{name}.conv.unit{i}"), &last, op, after)
    });
    net.layer(&format!("{name}.sum"), &[&last, &shortcut], Op::Add)
}

/// MONAI's `UNet` with BatchNorm and ReLU (after Kerfoot et al. 2018): strides instead of pools; `units` residual units a level, or none.
fn unet(axes: usize, inputs: usize, outputs: usize, channels: &[usize], strides: &[usize], units: usize) -> Network {
    fn down(net: &mut Net, name: &str, input: &str, channels: [usize; 2], stride: usize, units: usize) -> String {
        if units > 0 {
            return residual_unit(net, name, input, channels, stride, units, false);
        }
        let op = Op::Conv(net.shape(channels[1], 3, stride).with_bias());
        convolution(net, name, input, op, Some(BATCH()))
    }

    fn level(
        net: &mut Net,
        name: &str,
        input: &str,
        [from, out]: [usize; 2],
        channels: &[usize],
        strides: &[usize],
        units: usize,
    ) -> String {
        let top = name == "model";
        let (width, stride) = (channels[0], strides[0]);
        let skip = down(net, &format!("{name}.0"), input, [from, width], stride, units);
        let below = format!("{name}.1.submodule");
        let deep = if channels.len() > 2 {
            level(net, &below, &skip, [width; 2], &channels[1..], &strides[1..], units)
        } else {
            down(net, &below, &skip, [width, channels[1]], 1, units)
        };
        let joined = net.layer(&format!("{name}.cat"), &[&skip, &deep], Op::Concat);
        let conv = net.shape(out, 3, stride).with_bias();
        let op = Op::ConvTranspose { conv, output_padding: net.each(stride - 1) };
        let up = format!("{name}.2");
        if units == 0 {
            return convolution(net, &up, &joined, op, (!top).then(BATCH));
        }
        let wide = convolution(net, &format!("{up}.0"), &joined, op, Some(BATCH()));
        residual_unit(net, &format!("{up}.1"), &wide, [out; 2], 1, 1, top)
    }

    let mut net = Net::new(axes, inputs);
    level(&mut net, "model", INPUT, [inputs, outputs], channels, strides, units);
    net.builder.build().unwrap()
}

const DENSE: [(&str, [usize; 4]); 3] = [("121", [6, 12, 24, 16]), ("169", [6, 12, 32, 32]), ("201", [6, 12, 48, 32])];
const FEATURES: [usize; 6] = [32, 32, 64, 128, 256, 32];

#[test]
fn parameter_counts_are_monais() {
    let record = record();
    let recorded = |path: [&str; 2]| record[path[0]][path[1]].as_u64().unwrap() as usize;
    for (name, blocks) in DENSE {
        let ours = densenet(&DenseNet { blocks: blocks.to_vec(), ..DenseNet::d121(3, 1000, Scores::Logits) }).unwrap();
        assert_eq!(ours.parameter_count(), recorded(["dense_2d", name]), "DenseNet-{name}");
        assert_eq!(dense(2, 3, 1000, 64, 32, &blocks).parameter_count(), ours.parameter_count(), "DenseNet-{name}");
        assert_eq!(dense(3, 1, 2, 64, 32, &blocks).parameter_count(), recorded(["dense_3d", name]), "3D {name}");
    }
    let resnets = [("18", ResNet::r18 as fn(usize, usize, Scores) -> ResNet), ("34", ResNet::r34), ("50", ResNet::r50)];
    for (name, config) in resnets.into_iter().chain([("101", ResNet::r101 as _)]) {
        let config = config(3, 1000, Scores::Logits);
        assert_eq!(resnet(&config).unwrap().parameter_count(), recorded(["resnet_2d", name]), "ResNet-{name}");
        let ours = residual(3, 1, 2, config.bottleneck, &config.blocks, &[64, 128, 256, 512]);
        assert_eq!(ours.parameter_count(), recorded(["resnet_3d", name]), "3D ResNet-{name}");
    }
    let count = |name: &str| record[name].as_u64().unwrap() as usize;
    assert_eq!(basic_unet(2, 1, 2, FEATURES, INSTANCE).parameter_count(), count("basic_unet_2d"));
    assert_eq!(basic_unet(3, 1, 2, FEATURES, INSTANCE).parameter_count(), count("basic_unet_3d"));
    let units = unet(3, 1, 2, &[16, 32, 64, 128, 256], &[2; 4], 2);
    assert_eq!(units.parameter_count(), count("unet_3d"));
}

#[test]
fn monais_networks_give_monais_results_with_its_weights() {
    let small = DenseNet { blocks: vec![2, 3, 2], growth: 6, stem: 10, ..DenseNet::d121(2, 3, Scores::Logits) };
    let features = [5, 6, 8, 10, 18, 7];
    let networks = [
        ("dense_2d", densenet(&small).unwrap()),
        ("dense_3d", dense(3, 2, 3, 10, 6, &[2, 3, 2])),
        ("resnet_2d", residual(2, 2, 3, false, &[1, 2, 1, 1], &[6, 12, 20, 24])),
        ("resnet_3d", residual(3, 2, 3, true, &[1, 2, 1, 1], &[6, 12, 20, 24])),
        ("basic_unet_2d", basic_unet(2, 3, 2, features, INSTANCE)),
        ("basic_unet_3d", basic_unet(3, 1, 3, features, INSTANCE)),
        ("basic_unet_2d, batch normalisation", basic_unet(2, 1, 1, [16, 16, 20, 33, 40, 17], BATCH)),
        ("unet_2d", unet(2, 2, 3, &[5, 9, 17], &[2, 2], 0)),
        ("unet_3d", unet(3, 1, 2, &[5, 9, 17], &[2, 1], 2)),
    ];
    let record = record();
    assert_eq!(record["results"].as_object().unwrap().len(), networks.len());
    for (name, network) in networks {
        let case = &record["results"][name];
        assert_eq!(network.parameter_count() as u64, case["count"].as_u64().unwrap(), "{name}");
        let extents = extents(&case["shape"]);
        let shape = shape_of(extents);
        let mut plan = Inference::compile(&network, &weights(&network, true), shape, Options::default()).unwrap();
        let out = plan.output_shape();
        let mut y = vec![0.0; shape.n * out.c * out.d * out.h * out.w];
        assert_eq!(y.len() as f64, numbers(&case["output"]).iter().product::<f64>(), "{name}");
        plan.forward(&noise(extents.iter().product(), 1001), &mut y).unwrap();
        let wide: Vec<f64> = y.iter().map(|v| f64::from(*v)).collect();
        let norm = wide.iter().map(|v| v * v).sum::<f64>().sqrt();
        let along = |seed| wide.iter().zip(noise(wide.len(), seed)).map(|(v, n)| v * f64::from(n)).sum::<f64>();
        let (got, expected) = ([norm, along(1003), along(1004), along(1005)], numbers(&case["figures"]));
        let off = got.iter().zip(&expected).map(|(a, b)| (a - b).abs() / expected[0]).fold(0.0, f64::max);
        println!("{name}: differs by {off} of its norm");
        assert!(off < 2e-5, "{name}: {got:?}, MONAI's {expected:?}");
    }
}

#[test]
fn the_recorded_networks_are_those_of_a_live_monai() {
    let Some(python) = python_with_torch() else { return };
    if !Command::new(&python).args(["-c", "import monai"]).output().unwrap().status.success() {
        println!("SKIPPED: HILUM_ORACLE_PYTHON names no Python with monai");
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracles/monai_networks.py");
    let run = Command::new(&python).arg(script).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let (mut recorded, mut live): (Value, Value) = (record(), serde_json::from_slice(&run.stdout).unwrap());
    println!("recorded with {}, live {}", recorded["versions"], live["versions"]);
    recorded["versions"] = Value::Null;
    live["versions"] = Value::Null;
    assert_eq!(difference("monai", &recorded, &live, 1e-9), None);
}
