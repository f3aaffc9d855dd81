//! Networks of the literature, built from the description.

use serde::{Deserialize, Serialize};

use crate::network::NetworkBuilder;
use crate::op::{Convolution, Op};

mod cnn_gru;
mod densenet;
mod inception_resnet_v2;
mod resnet;
mod unet;
mod unet3d;

pub use cnn_gru::{CnnGru, cnn_gru};
pub use densenet::{DenseNet, densenet};
pub use inception_resnet_v2::{InceptionResNetV2, inception_resnet_v2};
pub use resnet::{ResNet, resnet};
pub use unet::{UNet2d, unet2d};
pub use unet3d::{UNet3d, unet3d};

/// What a classifier hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scores {
    /// The last linear layer's result, as networks of other libraries do.
    Logits,
    /// A probability for each class on its own; what training needs.
    Sigmoid,
}

/// A convolution without bias, of one stride on both axes.
fn convolution(out_channels: usize, kernel: [usize; 2], stride: usize, padding: [usize; 2]) -> Op {
    Op::Conv(Convolution::new(out_channels, &kernel).stride(&[stride, stride]).padding(&padding))
}

/// Global mean, dropout where asked, and a linear layer of this name, after the layer added last.
fn classifier(net: &mut NetworkBuilder, name: &str, dropout: Option<f32>, classes: usize, scores: Scores) {
    net.then("avgpool", Op::GlobalAvgPool);
    net.then("flatten", Op::Flatten);
    if let Some(rate) = dropout {
        net.then("dropout", Op::Dropout { rate, seed: 0 });
    }
    net.then(name, Op::Linear { out_features: classes, bias: true });
    if scores == Scores::Sigmoid {
        net.then("score", Op::Sigmoid);
    }
}
