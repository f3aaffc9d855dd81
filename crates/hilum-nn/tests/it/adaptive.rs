//! Adaptive pooling and the flattening of maps: gradients and results against the f64 reference and ONNX Runtime.

use hilum_nn::{
    Convolution, InputShape, Network, Op, VolumeShape, Weights,
    onnx::{self, EncodeError},
    onnx_in,
};

use crate::gradients::{check, lively_weights};
use crate::oracle::agree;
use crate::reference::noise;
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
fn onnx_runtime_agrees_on_adaptive_pools_whose_windows_differ_or_whose_size_only_the_input_tells() {
    for seed in 0..10 {
        let sides = noise(5, seed).into_iter().map(|v| 1 + ((v + 1.0) * 6.0) as usize);
        let [out_h, out_w, h, w, channels] = sides.collect::<Vec<_>>()[..] else { panic!("five numbers") };
        // Now and then an axis keeps its length.
        let size = [if seed % 4 == 3 { 0 } else { out_h }, if seed % 5 == 4 { 0 } else { out_w }];
        for op in both(&size) {
            let mut net = Network::builder(channels);
            net.then("a", Op::Conv2d { out_channels: 2 * channels + 1, kernel: 3, bias: true });
            net.then("pool", op);
            net.then("b", Op::Conv2d { out_channels: 3, kernel: 1, bias: true });
            let what = format!("to {size:?} of {h}x{w}");
            let fixed = net.clone().sized(&[h, w]).build().unwrap();
            agree(&what, &fixed, &lively_weights(&fixed, seed), &[1, 5].map(|n| InputShape { n, h, w }));
            let free = net.build().unwrap();
            let shapes = [(1, h, w), (3, 1, 1), (7, w, h), (2, 2 * h, w + 3)].map(|(n, h, w)| InputShape { n, h, w });
            agree(&what, &free, &lively_weights(&free, seed), &shapes);
        }
    }
    for (size, fixed) in
        [([2, 3, 0], None), ([3, 1, 4], None), ([2, 3, 5], Some([3, 7, 5])), ([4, 1, 0], Some([3, 2, 2]))]
    {
        for op in both(&size) {
            let mut net = Network::volume_builder(2);
            net.then("pool", op);
            net.then("head", Op::Conv(Convolution::new(3, &[1, 1, 1]).with_bias()));
            let net = fixed.map_or_else(|| net.clone(), |size| net.clone().sized(&size));
            let network = net.build().unwrap();
            let any = [[3, 7, 5], [1, 1, 1], [8, 2, 3]];
            let shapes: Vec<_> = any.into_iter().filter(|s| fixed.is_none_or(|fixed| fixed == *s)).collect();
            let shapes = if let Some(size) = fixed { vec![size] } else { shapes };
            let shapes: Vec<_> = shapes.into_iter().map(|[d, h, w]| VolumeShape { n: 2, d, h, w }).collect();
            agree(&format!("to {size:?} of volumes"), &network, &lively_weights(&network, 4), &shapes);
        }
    }
}

/// The operators of a model, which stand in it as plain text.
fn has(model: &[u8], operator: &str) -> bool {
    model.windows(operator.len()).any(|bytes| bytes == operator.as_bytes())
}

#[test]
fn adaptive_pools_become_the_plainest_onnx_and_slices_are_refused_by_name_on_the_way_back() {
    let emitted = |fixed: Option<[usize; 2]>, size: [usize; 2]| {
        let mut net = Network::builder(1);
        net.then("pool", Op::AdaptiveMaxPool { size: size.to_vec() });
        let net = fixed.map_or_else(|| net.clone(), |size| net.clone().sized(&size));
        let network = net.build().unwrap();
        onnx::encode(&network, &Weights::init(&network, 1)).unwrap()
    };
    for (fixed, size, operator) in [
        (Some([6, 10]), [3, 5], "MaxPool"),
        (None, [1, 0], "ReduceMax"),
        (None, [1, 1], "GlobalMaxPool"),
        (None, [0, 0], "Identity"),
    ] {
        let model = emitted(fixed, size);
        assert!(has(&model, operator) && !has(&model, "Slice"), "{size:?}");
    }
    for fixed in [None, Some([6, 9])] {
        let model = emitted(fixed, [3, 5]);
        assert!(has(&model, "Slice") && has(&model, "Shape") == fixed.is_none());
        let refused = onnx_in::decode(&model).unwrap_err().to_string();
        assert!(refused.contains("pool:") && (fixed.is_none() || refused.contains("Slice")), "{refused}");
    }
}

#[test]
fn weights_of_another_network_are_refused() {
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
