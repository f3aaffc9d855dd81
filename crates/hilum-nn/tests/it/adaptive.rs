//! Adaptive pooling and the flattening of maps: gradients and results against the f64 reference and ONNX Runtime.

use hilum_nn::{
    Convolution, InputShape, Network, Op, VolumeShape, Weights,
    onnx::{self, EncodeError},
    onnx_in,
};

use crate::gradients::{check, lively_weights};
use crate::oracle::agree;
use crate::windows::between;

fn both(size: &[usize]) -> [Op; 2] {
    [Op::AdaptiveAvgPool { size: size.to_vec() }, Op::AdaptiveMaxPool { size: size.to_vec() }]
}

#[test]
fn adaptive_pools_to_any_size_match_the_reference() {
    for (size, [n, h, w]) in [
        ([1, 1], [2, 5, 4]),
        ([3, 2], [2, 7, 9]),
        ([7, 7], [1, 14, 10]),
        ([2, 5], [3, 6, 5]),
        ([4, 3], [1, 3, 1]),
        ([3, 5], [7, 1, 1]),
        ([0, 1], [2, 4, 6]),
        ([2, 0], [1, 5, 3]),
        ([0, 0], [1, 2, 3]),
    ] {
        for op in both(&size) {
            between(&format!("{op} {size:?}"), op, [2, 19], InputShape { n, h, w });
        }
    }
}

#[test]
fn adaptive_pools_of_volumes_match_the_reference() {
    for (size, shape) in [([2, 3, 2], [2, 5, 4, 7]), ([0, 1, 1], [1, 4, 3, 2]), ([3, 0, 2], [1, 1, 2, 5])] {
        for op in both(&size) {
            let mut net = Network::volume_builder(2);
            net.then("before", Op::Conv(Convolution::new(18, &[1, 1, 1]).with_bias()));
            let what = format!("{op} {size:?}");
            net.then("op", op);
            net.then("head", Op::Conv(Convolution::new(1, &[1, 1, 1]).with_bias()));
            net.then("score", Op::Sigmoid);
            let [n, d, h, w] = shape;
            check(&what, &net.build().unwrap(), VolumeShape { n, d, h, w });
        }
    }
}

#[test]
fn a_map_of_many_pixels_is_flattened_with_its_channels_outermost() {
    for (channels, size, n) in [(1, [1, 5], 1), (5, [3, 2], 4), (16, [2, 2], 2), (19, [4, 3], 7)] {
        let mut net = Network::builder(2).sized(&size);
        net.then("a", Op::Conv2d { out_channels: channels, kernel: 1, bias: true });
        net.layer("b", &["input"], Op::Conv2d { out_channels: 3, kernel: 1, bias: true });
        // Blocks that are full in part only, read once more beside the matrix.
        net.layer("cat", &["a", "b"], Op::Concat);
        net.then("flat", Op::Flatten);
        net.then("hidden", Op::Linear { out_features: 17, bias: true });
        net.layer("mean", &["cat"], Op::GlobalAvgPool);
        net.then("mean.flat", Op::Flatten);
        net.layer("both", &["hidden", "mean.flat"], Op::Concat);
        net.then("fc", Op::Linear { out_features: 2, bias: true });
        net.then("score", Op::Sigmoid);
        let network = net.build().unwrap();
        check(&format!("flat {channels} {size:?}"), &network, InputShape { n, h: size[0], w: size[1] });
    }
    let mut net = Network::volume_builder(1);
    net.then("a", Op::Conv(Convolution::new(18, &[3, 3, 3]).same()));
    net.then("pool", Op::AdaptiveAvgPool { size: vec![2, 3, 1] });
    net.then("flat", Op::Flatten);
    net.then("fc", Op::Linear { out_features: 2, bias: true });
    net.then("score", Op::Sigmoid);
    check("flat volume", &net.build().unwrap(), VolumeShape { n: 2, d: 3, h: 5, w: 2 });
}

#[test]
fn onnx_runtime_agrees_on_adaptive_pools_and_flattened_maps() {
    for seed in 0..12 {
        let [out_h, out_w, times_h, times_w] = [1 + seed % 3, 1 + seed / 3, 1 + seed % 4, 2 + seed % 2];
        let size = [out_h * times_h, out_w * times_w];
        for op in both(&[out_h, out_w]) {
            let mut net = Network::builder(1 + seed).sized(&size);
            net.then("a", Op::Conv2d { out_channels: 3 * seed + 1, kernel: 3, bias: true });
            net.then("pool", op);
            net.then("flat", Op::Flatten);
            net.then("fc", Op::Linear { out_features: 5, bias: true });
            let network = net.build().unwrap();
            let shapes = [1, 2, 7].map(|n| InputShape { n, h: size[0], w: size[1] });
            agree(
                &format!("to {out_h}x{out_w} of {size:?}"),
                &network,
                &lively_weights(&network, seed as u64),
                &shapes,
            );
        }
    }
    // Of any size, where one position is left along an axis.
    for size in [[1, 1], [0, 1], [1, 0], [0, 0]] {
        for op in both(&size) {
            let mut net = Network::builder(3);
            net.then("a", Op::Conv2d { out_channels: 21, kernel: 1, bias: true });
            net.then("pool", op);
            net.then("b", Op::Conv2d { out_channels: 2, kernel: 1, bias: true });
            let network = net.build().unwrap();
            let shapes = [(1, 3, 5), (7, 4, 1), (2, 1, 1)].map(|(n, h, w)| InputShape { n, h, w });
            agree(&format!("to {size:?}"), &network, &lively_weights(&network, 1), &shapes);
        }
    }
}

#[test]
fn adaptive_pools_that_onnx_cannot_express_are_refused_by_name() {
    let refused = |fixed: Option<[usize; 2]>, size: [usize; 2]| {
        let mut net = Network::builder(1);
        net.then("pool", Op::AdaptiveMaxPool { size: size.to_vec() });
        let net = fixed.map_or_else(|| net.clone(), |size| net.clone().sized(&size));
        let network = net.build().unwrap();
        onnx::encode(&network, &Weights::init(&network, 1)).err().map(|e| e.to_string())
    };
    assert_eq!(refused(Some([6, 10]), [3, 5]), None);
    assert_eq!(refused(None, [1, 0]), None);
    let unknown = "ONNX: layer pool (adaptive_max_pool to [3, 5]) needs an input of known size: fix the network's size";
    assert_eq!(refused(None, [3, 5]).as_deref(), Some(unknown));
    let uneven = "ONNX: layer pool (adaptive_max_pool to [3, 4]) has windows of different sizes: ONNX has them only where \
                  the result's sides divide the input's";
    assert_eq!(refused(Some([6, 10]), [3, 4]).as_deref(), Some(uneven));
    let small = Some([2, 10]);
    assert!(refused(small, [3, 5]).unwrap().contains("windows of different sizes"), "larger than its input");
    let mut net = Network::builder(1);
    net.then("a", Op::Relu);
    let network = net.build().unwrap();
    let other = Weights::init(&cnn(), 1);
    assert!(matches!(onnx::encode(&network, &other), Err(EncodeError::Weights(_))));
}

fn cnn() -> Network {
    let mut net = Network::builder(2).sized(&[9, 6]);
    net.then("a", Op::Conv2d { out_channels: 17, kernel: 3, bias: true });
    net.then("pool", Op::AdaptiveMaxPool { size: vec![3, 6] });
    net.then("flat", Op::Flatten);
    net.then("fc", Op::Linear { out_features: 3, bias: true });
    net.build().unwrap()
}

#[test]
fn a_network_of_fixed_size_comes_back_from_onnx_with_its_size_where_it_needs_it() {
    let network = cnn();
    let weights = lively_weights(&network, 2);
    let (again, read) = onnx_in::decode(&onnx::encode(&network, &weights).unwrap()).unwrap();
    assert!(read == weights);
    assert_eq!(again.size(), Some(&[9, 6][..]));
    let twice = onnx_in::decode(&onnx::encode(&again, &read).unwrap()).unwrap();
    assert_eq!(twice.0, again, "the windows of the pool are fixed now");
    let mut free = Network::builder(2).sized(&[9, 6]);
    free.then("a", Op::Conv2d { out_channels: 17, kernel: 3, bias: true });
    let free = free.build().unwrap();
    let (again, _) = onnx_in::decode(&onnx::encode(&free, &Weights::init(&free, 1)).unwrap()).unwrap();
    assert_eq!(again.size(), None, "nothing in it depends on the size");
}
