//! Bad descriptions, shapes and weights come back as typed errors that name the place.

use hilum_nn::{
    AdamConfig, CompileError, Convolution, Inference, InputShape, LossConfig, Network, NetworkError, Op, Options,
    Pooling, Recurrence, RunError, Trainer, UNet2d, Weights, WeightsError, unet2d,
};
use proptest::prelude::*;

fn runs_on_any_thread<T: Send + Sync>() {}

#[test]
fn plans_can_be_moved_between_threads() {
    runs_on_any_thread::<Inference>();
    runs_on_any_thread::<Trainer>();
}

#[test]
#[ignore = "run by the_environment_chooses_the_instruction_set in a process of its own"]
fn compile_in_this_environment() {
    match compile(InputShape { n: 1, h: 4, w: 4 }) {
        Ok(_) => println!("compiled"),
        Err(e) => println!("{e}"),
    }
}

#[test]
fn the_environment_chooses_the_instruction_set() {
    let test = std::env::current_exe().unwrap();
    for (name, expected) in [("quantum", "instruction set quantum"), ("portable", "compiled"), ("", "compiled")] {
        let run = std::process::Command::new(&test)
            .args(["--exact", "refusals::compile_in_this_environment", "--ignored", "--nocapture"])
            .env("HILUM_NN_ISA", name)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(text.contains(expected), "{name}: {text}");
    }
}

fn small() -> Network {
    unet2d(UNet2d { in_channels: 1, out_channels: 1, base: 4, depth: 2 }).unwrap()
}

fn compile(shape: InputShape) -> Result<Inference, CompileError> {
    let network = small();
    Inference::compile(&network, &Weights::init(&network, 1), shape, Options::default())
}

#[test]
fn descriptions_that_are_no_network_are_refused_by_name() {
    let toml = |layers: &str| Network::from_toml(&format!("in_channels = 2\n{layers}")).unwrap_err().to_string();
    let conv = |name: &str, extra: &str| format!("[[layer]]\nname = \"{name}\"\nop = \"conv2d\"\n{extra}\n");
    let any = |op: &str, extra: &str| format!("[[layer]]\nname = \"a\"\nop = \"{op}\"\n{extra}\n");
    for (text, expected) in [
        (String::from("layer = []"), "no layers"),
        (conv("a", "out_channels = 0\nkernel = 3"), "layer a: out_channels is 0"),
        (conv("a", "out_channels = 4\nkernel = 5"), "layer a: kernel 5"),
        (conv("a", "out_channels = 4\nkernel = 3\ninputs = [\"b\"]"), "layer a reads \"b\""),
        (conv("input", "out_channels = 4\nkernel = 3"), "layer name \"input\""),
        (conv("a", "out_channels = 4\nkernel = 3\ninputs = [\"input\", \"input\"]"), "has 2 inputs"),
        (conv("a", "kernel = 3"), "out_channels"),
        (conv("a", "out_channels = 4\nkernel = 3\nstride = 2"), "stride"),
        ("[[layer]]\nname = \"a\"\nop = \"relu\"\nkernel = 3".to_owned(), "layer a: kernel does not belong"),
        (conv("a", "out_channels = 4\nkernel = [3, 3]"), "layer a: kernel must be one number"),
        (any("conv", "out_channels = 4"), "layer a: kernel is missing"),
        (any("conv", "out_channels = 4\nkernel = 3"), "layer a: kernel must list one number per axis"),
        (any("conv", "out_channels = 4\nkernel = [3]"), "layer a: kernel is [3], expected one number"),
        (any("conv", "out_channels = 4\nkernel = [3, 3]\nstride = [0, 1]"), "layer a: stride is [0, 1]"),
        (any("conv", "out_channels = 4\nkernel = [3, 3]\ngroups = 4"), "layer a: groups is 4, expected a divisor"),
        (any("max_pool", "kernel = [3, 3]\npadding = [2, 2]"), "layer a: padding is [2, 2], expected at most half"),
        (any("max_pool", "kernel = [3, 3]\ncount_padding = true"), "layer a: count_padding does not belong"),
        (any("batch_norm", "eps = 0.0"), "layer a: eps is 0"),
        (any("dropout", "rate = 1.0"), "layer a: rate is 1"),
        (any("linear", "out_channels = 4"), "layer a (linear) reads a map"),
        (any("flatten", ""), "layer a (flatten) reads a map whose size is not fixed"),
        (any("gru", ""), "layer a: hidden is missing"),
        (any("lstm", "hidden = 0"), "layer a: hidden is 0"),
        (any("lstm", "hidden = 40000\nbidirectional = true"), "layer a: hidden is 80000"),
        (any("gru", "hidden = 4\nbias = true"), "layer a: bias does not belong"),
        (any("adaptive_avg_pool", ""), "layer a: size is missing"),
        (any("adaptive_avg_pool", "size = [3]"), "layer a: size is [3], expected one number of 0 to 256"),
        (any("adaptive_max_pool", "size = 3"), "layer a: size must list one number per axis"),
        ("size = [4]\n".to_owned() + &conv("a", "out_channels = 4\nkernel = 3"), "the network's size is [4]"),
        ("size = [4, 0]\n".to_owned() + &conv("a", "out_channels = 4\nkernel = 3"), "the network's size is [4, 0]"),
        (
            "size = [9, 99]\n".to_owned()
                + &conv("a", "out_channels = 99\nkernel = 3")
                + "[[layer]]\nname = \"f\"\nop = \"flatten\"",
            "layer f: channels times pixels is 88209",
        ),
        (any("group_norm", "groups = 3\neps = 0.1"), "layer a: groups is 3, expected a divisor"),
        (any("upsample", "factors = [2, 0]"), "layer a: factors is [2, 0]"),
        (any("scale", ""), "layer a: factor is missing"),
        ("axes = 4\n".to_owned() + &conv("a", "out_channels = 4\nkernel = 3"), "4 spatial axes"),
        ("axes = 3\n".to_owned() + &conv("a", "out_channels = 4\nkernel = 3"), "layer a (conv2d) is for images only"),
        (conv("a", "out_channels = 70000\nkernel = 3"), "70000"),
        (String::from("[[layer]]\nname = \"a\"\nop = \"conv9d\""), "conv9d"),
        (
            conv("a", "out_channels = 1\nkernel = 3")
                + &conv("b", "out_channels = 1\nkernel = 3\ninputs = [\"input\"]"),
            "layer a is not used",
        ),
    ] {
        let error = toml(&text);
        assert!(error.contains(expected), "{text}\ngave: {error}\nexpected: {expected}");
    }
    let mut net = Network::builder(1);
    net.then("pool", Op::MaxPool2d);
    net.layer("cat", &["pool", "input"], Op::Concat);
    assert_eq!(net.build(), Err(NetworkError::Resolution { layer: "cat".into(), a: 1, b: 0 }));
    assert!(unet2d(UNet2d { in_channels: 1, out_channels: 1, base: 0, depth: 2 }).is_err());
    assert!(unet2d(UNet2d { in_channels: 1, out_channels: 1, base: 1, depth: 63 }).is_err());
    assert!(unet2d(UNet2d { in_channels: 1, out_channels: 1, base: usize::MAX, depth: 200 }).is_err());
}

#[test]
fn a_network_survives_the_way_through_toml() {
    let network = small();
    assert_eq!(Network::from_toml(&network.to_toml().unwrap()).unwrap(), network);
    assert_eq!((network.multiple_of(), network.out_channels()), (4, 1));
}

#[test]
fn every_operator_survives_the_way_through_toml() {
    let conv = Convolution::new(6, &[3, 1]).stride(&[2, 1]).padding(&[1, 0]).dilation(&[2, 1]).groups(2);
    let pooling = Pooling { ceil: true, ..Pooling::new(&[2, 3], &[1, 1]).padding(&[1, 0]) };
    let mut net = Network::builder(4);
    net.then("conv", Op::Conv(conv.clone()));
    net.then("up", Op::ConvTranspose { conv: Convolution { groups: 1, ..conv }, output_padding: vec![1, 0] });
    net.then("norm", Op::BatchNorm { eps: 1e-3 });
    net.then("max", Op::MaxPool(pooling.clone()));
    net.then("mean", Op::AvgPool { pooling, count_padding: false });
    net.then("drop", Op::Dropout { rate: 0.25, seed: 3 });
    net.then("instance", Op::InstanceNorm { eps: 1e-4 });
    net.then("group", Op::GroupNorm { groups: 2, eps: 1e-4 });
    net.then("leaky", Op::LeakyRelu { slope: 0.2 });
    net.then("gelu", Op::Gelu);
    net.then("tanh", Op::Tanh);
    net.then("soft", Op::Softmax);
    net.then("larger", Op::Upsample { factors: vec![1, 1], linear: true });
    net.then("scale", Op::Scale { factor: -0.5 });
    net.layer("add", &["scale", "mean"], Op::Add);
    net.then("pool", Op::GlobalAvgPool);
    net.then("column", Op::AdaptiveMaxPool { size: vec![0, 1] });
    net.then("gru", Op::Gru(Recurrence::new(3).bidirectional()));
    net.then("lstm", Op::Lstm(Recurrence::new(2).last()));
    net.then("one", Op::AdaptiveAvgPool { size: vec![1, 1] });
    net.then("flat", Op::Flatten);
    net.then("fc", Op::Linear { out_features: 2, bias: false });
    let network = net.sized(&[7, 8]).build().unwrap();
    assert_eq!(Network::from_toml(&network.to_toml().unwrap()).unwrap(), network);
}

#[test]
fn inputs_too_small_for_a_window_or_of_unequal_branches_are_refused_by_layer() {
    let of = |ops: Vec<(&str, Vec<&str>, Op)>, h: usize| {
        let mut net = Network::builder(1);
        for (name, inputs, op) in ops {
            net.layer(name, &inputs, op);
        }
        let network = net.build().unwrap();
        let shape = InputShape { n: 1, h, w: 9 };
        Inference::compile(&network, &Weights::init(&network, 1), shape, Options::default()).err()
    };
    let conv = || Op::Conv(Convolution::new(1, &[5, 1]));
    let window = of(vec![("a", vec![], conv())], 4);
    assert_eq!(window, Some(CompileError::Window { layer: "a".into(), size: [1, 4, 9] }));
    let pool = Op::MaxPool(Pooling::new(&[2, 1], &[2, 1]));
    let branches = vec![("a", vec![], conv()), ("b", vec!["input"], pool), ("join", vec!["a", "b"], Op::Add)];
    assert_eq!(of(branches.clone(), 8), None);
    let sizes = CompileError::Sizes { layer: "join".into(), a: [1, 6, 9], b: [1, 5, 9] };
    assert_eq!(of(branches, 10), Some(sizes));
}

#[test]
fn a_network_of_fixed_size_takes_no_other() {
    let mut net = Network::builder(1).sized(&[4, 6]);
    net.then("pool", Op::MaxPool2d);
    net.then("flat", Op::Flatten);
    let network = net.build().unwrap();
    assert_eq!((network.out_channels(), network.multiple_of()), (6, 1));
    let compile = |h, w| {
        Inference::compile(&network, &Weights::init(&network, 1), InputShape { n: 1, h, w }, Options::default()).err()
    };
    assert_eq!(compile(4, 6), None);
    assert_eq!(compile(6, 4), Some(CompileError::FixedSize { got: [1, 6, 4], expected: [1, 4, 6] }));
    let mut odd = Network::builder(1).sized(&[5, 6]);
    odd.then("pool", Op::MaxPool2d);
    assert_eq!(odd.build().unwrap_err().to_string(), "layer pool (max_pool2d) halves an odd size");
}

#[test]
fn parameter_counts_are_those_of_the_same_u_net_in_pytorch() {
    // Counted by hand from the layer list: 3x3 convolutions without bias, BatchNorm weight and bias, transposed convolutions and head with bias.
    let count = |base: usize, depth: usize, inp: usize| {
        unet2d(UNet2d { in_channels: inp, out_channels: 1, base, depth }).unwrap().parameter_count()
    };
    let double = |i: usize, o: usize| 9 * i * o + 9 * o * o + 4 * o;
    assert_eq!(count(8, 1, 3), double(3, 8) + double(8, 16) + (16 * 8 * 4 + 8) + double(16, 8) + 8 + 1);
    assert_eq!(count(32, 4, 1), 7_762_465);
}

#[test]
fn shapes_of_zero_odd_shapes_and_giant_shapes_are_refused() {
    for (n, h, w) in [(0, 8, 8), (1, 0, 8), (1, 8, 0), (1, usize::MAX, 8)] {
        assert!(matches!(compile(InputShape { n, h, w }), Err(CompileError::Extent { .. })), "{n} {h} {w}");
    }
    let odd = compile(InputShape { n: 1, h: 8, w: 10 }).err();
    let expected = CompileError::NotAMultiple { h: 8, w: 10, multiple: 4, layer: "enc1.pool".into() };
    assert_eq!(odd, Some(expected));
    let giant = compile(InputShape { n: 1 << 16, h: 1 << 16, w: 1 << 16 });
    assert!(matches!(giant, Err(CompileError::TooLarge { .. })));
}

#[test]
fn slices_of_a_wrong_length_are_refused() {
    let mut plan = compile(InputShape { n: 1, h: 8, w: 8 }).unwrap();
    let error = plan.forward(&[0.0; 63], &mut [0.0; 64]);
    assert_eq!(error, Err(RunError::Length { what: "input", got: 63, expected: 64 }));
    let error = plan.forward(&[0.0; 64], &mut [0.0; 65]);
    assert_eq!(error, Err(RunError::Length { what: "output", got: 65, expected: 64 }));
}

#[test]
fn training_without_a_last_sigmoid_is_refused() {
    let mut net = Network::builder(1);
    net.then("only", Op::Conv2d { out_channels: 1, kernel: 3, bias: true });
    let network = net.build().unwrap();
    let shape = InputShape { n: 1, h: 4, w: 4 };
    let weights = Weights::init(&network, 1);
    let trainer =
        Trainer::compile(&network, weights, shape, LossConfig::default(), AdamConfig::default(), Options::default());
    assert_eq!(trainer.err(), Some(CompileError::NoSigmoid("only".into())));
}

#[test]
fn weights_survive_the_way_through_safetensors() {
    let network = small();
    let weights = Weights::init(&network, 5);
    let read = Weights::from_safetensors(&network, &weights.to_safetensors().unwrap()).unwrap();
    assert!(read == weights);
    assert!(Weights::init(&network, 6) != weights);
}

#[test]
fn damaged_weights_are_refused_by_key() {
    let network = small();
    let weights = Weights::init(&network, 5);
    let with = |change: &dyn Fn(&mut Vec<hilum_nn::Tensor>)| {
        let mut tensors = weights.tensors().to_vec();
        change(&mut tensors);
        Weights::new(&network, tensors).unwrap_err()
    };
    let key = "enc0.conv1.weight".to_owned();
    assert_eq!(with(&|t| drop(t.remove(0))), WeightsError::Missing(key.clone()));
    let nan = with(&|t| t[0].data[7] = f32::NAN);
    assert_eq!(nan, WeightsError::Value { key: key.clone(), index: 7, value: "NaN".into() });
    let variance = with(&|t| t.iter_mut().filter(|t| t.name == "enc0.bn1.running_var").for_each(|t| t.data[1] = -1.0));
    assert_eq!(variance, WeightsError::Value { key: "enc0.bn1.running_var".into(), index: 1, value: "-1".into() });
    let shape = with(&|t| t[0].shape = vec![4, 9]);
    assert_eq!(shape, WeightsError::Shape { key, got: vec![4, 9], expected: vec![4, 1, 3, 3] });
    let unexpected = with(&|t| {
        let mut more = t[0].clone();
        more.name = "zzz".into();
        t.push(more);
    });
    assert_eq!(unexpected, WeightsError::Unexpected("zzz".into()));

    let other = unet2d(UNet2d { in_channels: 1, out_channels: 1, base: 5, depth: 2 }).unwrap();
    let bytes = Weights::init(&other, 1).to_safetensors().unwrap();
    assert!(matches!(Weights::from_safetensors(&network, &bytes), Err(WeightsError::Shape { .. })));
    let shape = InputShape { n: 1, h: 4, w: 4 };
    let foreign = Inference::compile(&network, &Weights::init(&other, 1), shape, Options::default());
    assert!(matches!(foreign.err(), Some(CompileError::Weights(WeightsError::Shape { .. }))));
    for cut in [0, 7, 100, bytes.len() - 1] {
        assert!(
            matches!(Weights::from_safetensors(&other, &bytes[..cut]), Err(WeightsError::Format(_))),
            "{cut} bytes"
        );
    }
}

fn sides(from: usize, to: usize) -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![9 => prop::collection::vec(from..to, 2), 1 => prop::collection::vec(0..to, 0..4)]
}

fn any_convolution() -> impl Strategy<Value = Convolution> {
    let windows = (sides(1, 5), sides(1, 4), sides(0, 4), sides(1, 3));
    (1_usize..40, windows, 0_usize..4, any::<bool>()).prop_map(
        |(out, (kernel, stride, padding, dilation), groups, bias)| Convolution {
            out_channels: out * groups.max(1),
            kernel,
            stride,
            padding,
            dilation,
            groups,
            bias,
        },
    )
}

fn any_pooling() -> impl Strategy<Value = Pooling> {
    (sides(1, 5), sides(1, 4), sides(0, 3), any::<bool>()).prop_map(|(kernel, stride, padding, ceil)| Pooling {
        kernel,
        stride,
        padding,
        ceil,
    })
}

fn any_recurrence() -> impl Strategy<Value = Recurrence> {
    (0_usize..20, any::<bool>(), any::<bool>()).prop_map(|(hidden, bidirectional, last)| Recurrence {
        hidden,
        bidirectional,
        last,
    })
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0_usize..40, 0_usize..5, any::<bool>()).prop_map(|(out_channels, kernel, bias)| Op::Conv2d {
            out_channels,
            kernel,
            bias
        }),
        (1_usize..40, any::<bool>()).prop_map(|(out_channels, bias)| Op::Conv2d { out_channels, kernel: 3, bias }),
        (0_usize..40, any::<bool>()).prop_map(|(out_channels, bias)| Op::ConvTranspose2d { out_channels, bias }),
        any_convolution().prop_map(Op::Conv),
        (any_convolution(), prop::collection::vec(0_usize..3, 2))
            .prop_map(|(conv, output_padding)| Op::ConvTranspose { conv, output_padding }),
        any_pooling().prop_map(Op::MaxPool),
        (any_pooling(), any::<bool>()).prop_map(|(pooling, count_padding)| Op::AvgPool { pooling, count_padding }),
        (0_usize..40, any::<bool>()).prop_map(|(out_features, bias)| Op::Linear { out_features, bias }),
        (0.0_f32..1.0).prop_map(|rate| Op::Dropout { rate, seed: 1 }),
        (-2.0_f32..2.0).prop_map(|factor| Op::Scale { factor }),
        Just(Op::BatchNorm { eps: 0.1 }),
        Just(Op::GlobalAvgPool),
        prop::collection::vec(0_usize..4, 2).prop_map(|size| Op::AdaptiveAvgPool { size }),
        (0_usize..4).prop_map(|rows| Op::AdaptiveMaxPool { size: vec![rows, 1] }),
        any_recurrence().prop_map(Op::Gru),
        any_recurrence().prop_map(Op::Lstm),
        Just(Op::InstanceNorm { eps: 0.1 }),
        (0_usize..5).prop_map(|groups| Op::GroupNorm { groups, eps: 0.1 }),
        (-1.0_f32..1.0).prop_map(|slope| Op::LeakyRelu { slope }),
        (0.1_f32..9.0).prop_map(|max| Op::ClippedRelu { max }),
        Just(Op::Gelu),
        Just(Op::Tanh),
        Just(Op::Softmax),
        (sides(1, 4), any::<bool>()).prop_map(|(factors, linear)| Op::Upsample { factors, linear }),
        Just(Op::Flatten),
        Just(Op::Add),
        Just(Op::MaxPool2d),
        Just(Op::BatchNorm2d),
        Just(Op::Relu),
        Just(Op::Sigmoid),
        Just(Op::Concat),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the description and the shape: an error, or a plan that gives finite numbers for a step and a forward pass.
    #[test]
    fn no_description_makes_the_engine_panic(
        channels in 0_usize..20,
        ops in prop::collection::vec((any_op(), prop::collection::vec(0_usize..8, 0..3)), 0..8),
        n in 0_usize..3, h in 0_usize..9, w in 0_usize..9,
    ) {
        let mut net = Network::builder(channels);
        for (i, (op, more)) in ops.into_iter().enumerate() {
            // Every layer reads the one before it, concatenations and sums any others besides.
            let name = |k: usize| if k == 0 { "input".to_owned() } else { format!("l{}", k - 1) };
            let more = if matches!(op, Op::Concat | Op::Add) { more } else { Vec::new() };
            let inputs: Vec<String> = std::iter::once(i).chain(more.into_iter().map(|k| k % (i + 1))).map(name).collect();
            net.layer(format!("l{i}"), &inputs.iter().map(String::as_str).collect::<Vec<_>>(), op);
        }
        net.then("score", Op::Sigmoid);
        if let Ok(network) = net.build() {
            let (weights, shape, options) = (Weights::init(&network, 1), InputShape { n, h, w }, Options { threads: 1, isa: None });
            let x = vec![0.25; n * channels * h * w];
            if let Ok(mut plan) = Inference::compile(&network, &weights, shape, options) {
                let out = plan.output_shape();
                let mut y = vec![f32::NAN; n * out.c * out.h * out.w];
                plan.forward(&x, &mut y).unwrap();
                prop_assert!(y.iter().all(|v| (0.0..=1.0).contains(v)));
                let (loss, adam) = (LossConfig::default(), AdamConfig::default());
                let mut trainer = Trainer::compile(&network, weights, shape, loss, adam, options).unwrap();
                prop_assert!(trainer.step(&x, &y, 1e-3).unwrap().is_finite());
                prop_assert!(trainer.weights().tensors().iter().all(|t| t.data.iter().all(|v| v.is_finite())));
            }
        }
    }
}
