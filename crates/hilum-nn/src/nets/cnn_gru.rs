//! A small CNN on every slice, then a recurrent layer over the slices.

use serde::{Deserialize, Serialize};

use super::Scores;
use crate::network::{INPUT, Network, NetworkError};
use crate::op::{Convolution, Op, Pooling, Recurrence};

/// Parameters of [`cnn_gru`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CnnGru {
    /// Channels of a slice.
    pub in_channels: usize,
    /// Channels of every stage of the CNN; each stage halves height and width.
    pub channels: Vec<usize>,
    /// Features of the recurrent state.
    pub hidden: usize,
    /// Whether the slices are also read from the last to the first.
    pub bidirectional: bool,
    /// Classes.
    pub classes: usize,
    /// What comes out.
    pub scores: Scores,
}

/// Study to scores: `[n, c, slices, h, w]` to `[n, classes]`, any number of slices of any size. Each stage of the CNN is a 3x3 convolution without bias, BatchNorm, ReLU
/// and a 2x2 maximum (rounded up); the mean of its last map is a slice's features; a GRU (Cho et al. 2014) reads the slices in order, and a linear layer
/// the state after the last. Parameters are called as in a PyTorch module with the members `cnn.{stage}.conv`, `cnn.{stage}.bn`, `gru` and `fc`, whose
/// kernels have an extent of 1 along the slices.
pub fn cnn_gru(config: &CnnGru) -> Result<Network, NetworkError> {
    let CnnGru { in_channels, ref channels, hidden, bidirectional, classes, scores } = *config;
    let mut net = Network::volume_builder(in_channels);
    let mut last = INPUT.to_owned();
    for (stage, &out_channels) in channels.iter().enumerate() {
        let layer = |what: &str| format!("cnn.{stage}.{what}");
        net.layer(layer("conv"), &[&last], Op::Conv(Convolution::new(out_channels, &[1, 3, 3]).same()));
        net.then(layer("bn"), Op::BatchNorm { eps: crate::NORM_EPS });
        net.then(layer("relu"), Op::Relu);
        let pooling = Pooling { ceil: true, ..Pooling::new(&[1, 2, 2], &[1, 2, 2]) };
        last = net.then(layer("pool"), Op::MaxPool(pooling));
    }
    net.layer("features", &[&last], Op::AdaptiveAvgPool { size: vec![0, 1, 1] });
    net.then("gru", Op::Gru(Recurrence { hidden, bidirectional, last: true }));
    net.then("flatten", Op::Flatten);
    net.then("fc", Op::Linear { out_features: classes, bias: true });
    if scores == Scores::Sigmoid {
        net.then("score", Op::Sigmoid);
    }
    net.build()
}
