//! Networks over volumes: gradients and results against the f64 reference and ONNX Runtime.

use hilum_nn::{
    Convolution, Inference, InputShape, Network, Op, Options, Pooling, UNet3d, VolumeShape, Weights, unet3d,
};

use crate::gradients::{check, lively_weights};
use crate::oracle::agree;

fn volume(n: usize, d: usize, h: usize, w: usize) -> VolumeShape {
    VolumeShape { n, d, h, w }
}

fn operators() -> Network {
    let mut net = Network::volume_builder(2);
    net.then("a", Op::Conv(Convolution::new(17, &[3, 3, 3]).same().with_bias()));
    net.then("bn", Op::BatchNorm { eps: 1e-3 });
    net.then("relu", Op::Relu);
    net.then("max", Op::MaxPool(Pooling::new(&[3, 2, 3], &[2, 1, 2]).padding(&[1, 1, 0])));
    net.then("b", Op::Conv(Convolution::new(20, &[2, 1, 3]).stride(&[1, 2, 1]).padding(&[1, 0, 2])));
    let conv = Convolution::new(6, &[2, 3, 2]).stride(&[2, 2, 1]).padding(&[0, 1, 0]).with_bias();
    net.then("up", Op::ConvTranspose { conv, output_padding: vec![1, 0, 0] });
    let pooling = Pooling::new(&[2, 2, 2], &[1, 1, 1]).padding(&[0, 1, 1]);
    net.then("mean", Op::AvgPool { pooling, count_padding: false });
    net.then("head", Op::Conv(Convolution::new(2, &[1, 1, 1])));
    net.then("score", Op::Sigmoid);
    net.build().unwrap()
}

#[test]
fn operators_over_volumes_match_the_reference() {
    check("volume", &operators(), volume(2, 4, 5, 7));
    check("flat volume", &operators(), volume(1, 1, 3, 4));
}

#[test]
fn a_3d_u_net_matches_the_reference() {
    let net = unet3d(UNet3d { in_channels: 1, out_channels: 2, base: 5, depth: 1 }).unwrap();
    check("3d u-net", &net, volume(1, 4, 6, 4));
}

#[test]
fn onnx_runtime_agrees_on_volumes() {
    let network = operators();
    agree("operators", &network, &lively_weights(&network, 2), &[volume(1, 1, 1, 3), volume(3, 7, 6, 19)]);
    let network = unet3d(UNet3d { in_channels: 2, out_channels: 1, base: 16, depth: 2 }).unwrap();
    agree("3d u-net", &network, &Weights::init(&network, 1), &[volume(1, 8, 16, 12), volume(2, 4, 4, 4)]);
}

#[test]
fn a_network_over_images_takes_no_volume_and_one_over_volumes_takes_an_image() {
    let mut net = Network::builder(1);
    net.then("a", Op::Relu);
    let network = net.build().unwrap();
    let weights = Weights::init(&network, 1);
    assert!(Inference::compile(&network, &weights, volume(1, 2, 3, 3), Options::default()).is_err());
    let network = operators();
    let plan =
        Inference::compile(&network, &Weights::init(&network, 1), InputShape { n: 1, h: 5, w: 5 }, Options::default());
    assert_eq!(plan.unwrap().output_shape().c, 2);
    let odd = unet3d(UNet3d { in_channels: 1, out_channels: 1, base: 2, depth: 1 }).unwrap();
    let refused = Inference::compile(&odd, &Weights::init(&odd, 1), volume(1, 3, 4, 4), Options::default());
    assert!(refused.err().unwrap().to_string().starts_with("layer dec0.concat joins"));
}
