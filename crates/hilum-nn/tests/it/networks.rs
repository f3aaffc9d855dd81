//! The networks of the literature: sizes and parameter names of torchvision and timm, results of ONNX Runtime, training.

use hilum_nn::{
    AdamConfig, DenseNet, InceptionResNetV2, InputShape, LossConfig, Network, Op, Options, Recurrence, ResNet, Scores,
    Trainer, UNet3d, VolumeShape, Weights, densenet, inception_resnet_v2, resnet, unet3d,
};

use crate::gradients::check;
use crate::oracle::agree;
use crate::reference::noise;

/// `sum(p.numel() for p in model.parameters())` of torchvision 0.2x's and timm 1.0's models with 1000 classes.
#[test]
fn parameter_counts_are_torchvisions_and_timms() {
    let scores = Scores::Logits;
    let dense = |config: DenseNet| densenet(&config).unwrap().parameter_count();
    assert_eq!(dense(DenseNet::d121(3, 1000, scores)), 7_978_856);
    assert_eq!(dense(DenseNet::d169(3, 1000, scores)), 14_149_480);
    assert_eq!(dense(DenseNet::d201(3, 1000, scores)), 20_013_928);
    let residual = |config: ResNet| resnet(&config).unwrap().parameter_count();
    assert_eq!(residual(ResNet::r18(3, 1000, scores)), 11_689_512);
    assert_eq!(residual(ResNet::r34(3, 1000, scores)), 21_797_672);
    assert_eq!(residual(ResNet::r50(3, 1000, scores)), 25_557_032);
    assert_eq!(residual(ResNet::r101(3, 1000, scores)), 44_549_160);
    let inception = inception_resnet_v2(&InceptionResNetV2::new(3, 1000, scores)).unwrap();
    assert_eq!(inception.parameter_count(), 55_843_464);
    // Counted by hand: 3x3x3 convolutions without bias, BatchNorm weight and bias, transposed convolution and head with bias.
    let double = |i: usize, o: usize| 27 * i * o + 27 * o * o + 4 * o;
    let volumes = unet3d(UNet3d { in_channels: 2, out_channels: 3, base: 8, depth: 1 }).unwrap();
    assert_eq!(volumes.parameter_count(), double(2, 8) + double(8, 16) + (16 * 8 * 8 + 8) + double(16, 8) + 3 * 8 + 3);
}

fn keys(network: &Network) -> Vec<(String, Vec<usize>)> {
    network.graph().parameters().iter().map(|p| (p.name.clone(), p.shape.clone())).collect()
}

#[test]
fn parameters_have_torchvisions_and_timms_keys_and_shapes() {
    let dense = keys(&densenet(&DenseNet::d121(3, 1000, Scores::Logits)).unwrap());
    let residual = keys(&resnet(&ResNet::r50(3, 1000, Scores::Logits)).unwrap());
    let inception = keys(&inception_resnet_v2(&InceptionResNetV2::new(3, 1000, Scores::Logits)).unwrap());
    // torchvision's state dicts have an entry num_batches_tracked for each of their 121 and 53 BatchNorms.
    assert_eq!((dense.len(), residual.len()), (727 - 121, 320 - 53));
    for (keys, name, shape) in [
        (&dense, "features.conv0.weight", vec![64, 3, 7, 7]),
        (&dense, "features.denseblock1.denselayer1.norm1.running_var", vec![64]),
        (&dense, "features.denseblock4.denselayer16.conv1.weight", vec![128, 992, 1, 1]),
        (&dense, "features.denseblock4.denselayer16.conv2.weight", vec![32, 128, 3, 3]),
        (&dense, "features.transition3.conv.weight", vec![512, 1024, 1, 1]),
        (&dense, "features.norm5.bias", vec![1024]),
        (&dense, "classifier.weight", vec![1000, 1024]),
        (&residual, "bn1.running_mean", vec![64]),
        (&residual, "layer1.0.downsample.0.weight", vec![256, 64, 1, 1]),
        (&residual, "layer1.0.downsample.1.weight", vec![256]),
        (&residual, "layer4.2.conv2.weight", vec![512, 512, 3, 3]),
        (&residual, "fc.bias", vec![1000]),
        (&inception, "conv2d_1a.conv.weight", vec![32, 3, 3, 3]),
        (&inception, "mixed_5b.branch1.1.conv.weight", vec![64, 48, 5, 5]),
        (&inception, "mixed_5b.branch3.1.bn.bias", vec![64]),
        (&inception, "repeat.9.conv2d.bias", vec![320]),
        (&inception, "mixed_6a.branch0.conv.weight", vec![384, 320, 3, 3]),
        (&inception, "repeat_1.19.branch1.1.conv.weight", vec![160, 128, 1, 7]),
        (&inception, "mixed_7a.branch2.2.bn.running_mean", vec![320]),
        (&inception, "repeat_2.8.branch1.2.conv.weight", vec![256, 224, 3, 1]),
        (&inception, "block8.conv2d.weight", vec![2080, 448, 1, 1]),
        (&inception, "classif.weight", vec![1000, 1536]),
    ] {
        assert!(keys.contains(&(name.to_owned(), shape)), "{name}");
    }
}

fn small_densenet(scores: Scores) -> DenseNet {
    DenseNet { blocks: vec![2, 3], growth: 5, stem: 6, ..DenseNet::d121(2, 3, scores) }
}

fn small_inception(scores: Scores) -> InceptionResNetV2 {
    InceptionResNetV2 { blocks: [1, 1, 1], ..InceptionResNetV2::new(3, 5, scores) }
}

#[test]
fn gradients_of_a_small_densenet_and_small_resnets_match_the_reference() {
    check("densenet", &densenet(&small_densenet(Scores::Sigmoid)).unwrap(), InputShape { n: 3, h: 17, w: 20 });
    for bottleneck in [false, true] {
        let config = ResNet { blocks: vec![1, 1], bottleneck, base: 5, ..ResNet::r18(2, 2, Scores::Sigmoid) };
        check("resnet", &resnet(&config).unwrap(), InputShape { n: 3, h: 14, w: 11 });
    }
}

#[test]
fn onnx_runtime_agrees_on_classifiers() {
    let shape = |n, h, w| InputShape { n, h, w };
    let config = small_densenet(Scores::Logits);
    let network = densenet(&config).unwrap();
    agree("densenet", &network, &Weights::init(&network, 1), &[shape(2, 33, 40)]);
    let network = densenet(&DenseNet::d121(3, 10, Scores::Sigmoid)).unwrap();
    agree("densenet-121", &network, &Weights::init(&network, 2), &[shape(1, 65, 96)]);
    let network = resnet(&ResNet { blocks: vec![1, 2, 1, 1], ..ResNet::r50(3, 4, Scores::Logits) }).unwrap();
    agree("resnet", &network, &Weights::init(&network, 3), &[shape(2, 47, 64)]);
    let network = inception_resnet_v2(&small_inception(Scores::Logits)).unwrap();
    agree("inception-resnet-v2", &network, &Weights::init(&network, 4), &[shape(1, 75, 99)]);
}

#[test]
fn classifiers_learn_two_images_by_heart() {
    let networks = [
        densenet(&small_densenet(Scores::Sigmoid)).unwrap(),
        inception_resnet_v2(&small_inception(Scores::Sigmoid)).unwrap(),
    ];
    for (network, size, steps) in networks.iter().zip([32, 75]).zip([30, 6]).map(|((n, s), t)| (n, s, t)) {
        let shape = InputShape { n: 2, h: size, w: size };
        let (loss, adam) = (LossConfig { bce: 1.0, dice: 0.0, smooth: 1.0 }, AdamConfig::default());
        let weights = Weights::init(network, 5);
        let mut trainer = Trainer::compile(network, weights, shape, loss, adam, Options::default()).unwrap();
        let x = noise(2 * network.in_channels() * size * size, 1);
        let y: Vec<f32> = (0..2 * network.out_channels()).map(|i| f32::from(u8::from(i % 3 == 0))).collect();
        let losses: Vec<f32> = (0..steps).map(|_| trainer.step(&x, &y, 3e-3).unwrap()).collect();
        assert!(losses[steps - 1] < 0.5 * losses[0], "{losses:?}");
    }
}

#[test]
fn a_densenet_gives_the_same_bits_whatever_the_thread_count() {
    let network = densenet(&small_densenet(Scores::Sigmoid)).unwrap();
    let shape = InputShape { n: 2, h: 48, w: 40 };
    let x = noise(2 * 2 * 48 * 40, 3);
    let result = |threads: usize| {
        let (loss, adam, options) = (LossConfig::default(), AdamConfig::default(), Options { threads, isa: None });
        let mut trainer = Trainer::compile(&network, Weights::init(&network, 1), shape, loss, adam, options).unwrap();
        for _ in 0..2 {
            trainer.step(&x, &[1.0, 0.0, 1.0, 0.0, 0.0, 1.0], 1e-2).unwrap();
        }
        trainer.weights()
    };
    let one = result(1);
    assert!(one == result(2) && one == result(3));
}

/// torchvision states the multiply-adds of its networks at 224 pixels in its weights' meta data (`_ops`, in 1e9), with three decimals.
#[test]
fn a_forward_pass_costs_what_torchvision_states() {
    let scores = Scores::Logits;
    let stated = [
        (densenet(&DenseNet::d121(3, 1000, scores)).unwrap(), 2.834),
        (resnet(&ResNet::r18(3, 1000, scores)).unwrap(), 1.814),
        (resnet(&ResNet::r50(3, 1000, scores)).unwrap(), 4.089),
        (resnet(&ResNet::r101(3, 1000, scores)).unwrap(), 7.801),
    ];
    for (network, expected) in stated {
        let cost = network.cost(InputShape { n: 2, h: 224, w: 224 }).unwrap();
        assert_eq!((cost.output.c, cost.output.h, cost.output.w), (1000, 1, 1));
        let one = cost.multiply_adds as f64 / 2e9;
        assert!((one - expected).abs() < 1e-3, "{one} instead of {expected}");
    }
}

/// A recurrent layer multiplies every weight once at every position, a transposed convolution at every input pixel.
#[test]
fn recurrent_layers_and_transposed_convolutions_cost_their_weights_at_every_position() {
    let mut net = Network::volume_builder(5);
    net.then("gru", Op::Gru(Recurrence::new(7).bidirectional()));
    let cost = net.build().unwrap().cost(VolumeShape { n: 3, d: 11, h: 1, w: 1 }).unwrap();
    assert_eq!(cost.multiply_adds, 3 * 11 * 2 * (3 * 7 * 5 + 3 * 7 * 7));
    let mut net = Network::builder(5);
    net.then("up", Op::ConvTranspose2d { out_channels: 7, bias: true });
    let cost = net.build().unwrap().cost(InputShape { n: 1, h: 6, w: 4 }).unwrap();
    assert_eq!((cost.multiply_adds, cost.output.h, cost.output.w), (6 * 4 * 5 * 7 * 4, 12, 8));
}
