"""Records MONAI's networks: how many parameters they have, and results of small ones.

    python monai_networks.py > monai_networks.json

Needs monai, torch and numpy; the versions are written into the file. The tests describe the same networks, with MONAI's names of parameters but for
those of `ours`. Weights and inputs are made from numbers that the tests make too; of every result its norm and three projections onto noise are kept.
"""

import json
import platform

import monai
import numpy as np
import torch
from monai.networks import nets

from torch_networks import noise, values


def ours(name):
    """MONAI's dense layers and classifier under torchvision's names."""
    return name.replace(".layers.", ".").replace("class_layers.out.", "classifier.")


def count(model):
    return sum(p.numel() for p in model.parameters())


def result(model, shape):
    """In inference mode, in float64."""
    model = model.double().eval()
    state = {k: v for k, v in model.state_dict().items() if "num_batches" not in k}
    made = values({ours(k): tuple(v.shape) for k, v in state.items()})
    model.load_state_dict({k: made[ours(k)] for k in state}, strict=False)
    with torch.no_grad():
        y = model(torch.tensor(noise(int(np.prod(shape)), 1001).reshape(shape)).double())
    along = [float(y.flatten() @ torch.tensor(noise(y.numel(), seed)).double()) for seed in (1003, 1004, 1005)]
    return {"count": count(model), "shape": shape, "output": list(y.shape), "figures": [float(y.norm()), *along]}


def dense(make, axes, inputs, outputs):
    return make(spatial_dims=axes, in_channels=inputs, out_channels=outputs)


def small_dense(axes):
    return nets.DenseNet(axes, 2, 3, init_features=10, growth_rate=6, block_config=(2, 3, 2))


def torchvisions(make):
    """MONAI's ResNet with torchvision's stride and without the bias that MONAI gives its shortcuts."""
    return make(spatial_dims=2, n_input_channels=3, num_classes=1000, conv1_t_stride=2, bias_downsample=False)


def small_resnet(axes, block, **more):
    return nets.ResNet(block, [1, 2, 1, 1], [6, 12, 20, 24], spatial_dims=axes, n_input_channels=2, num_classes=3, **more)


def basic(axes, inputs, outputs, features, batch=False):
    plain = {"norm": "batch", "act": "RELU"} if batch else {}
    return nets.BasicUNet(axes, inputs, outputs, features=features, **plain)


def unet(axes, inputs, outputs, channels, strides, units):
    """With BatchNorm and ReLU: the defaults, PReLU and an instance normalisation without parameters, hilum-nn does not have."""
    return nets.UNet(axes, inputs, outputs, channels, strides, num_res_units=units, act="RELU", norm="batch")


DENSE = {"121": nets.DenseNet121, "169": nets.DenseNet169, "201": nets.DenseNet201}
RESNETS = {"18": nets.resnet18, "34": nets.resnet34, "50": nets.resnet50, "101": nets.resnet101}
FEATURES = (32, 32, 64, 128, 256, 32)
SMALL = (5, 6, 8, 10, 18, 7)

if __name__ == "__main__":
    torch.manual_seed(0)
    record = {
        "versions": {
            "monai": monai.__version__, "torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version(),
        },
        "dense_2d": {k: count(dense(v, 2, 3, 1000)) for k, v in DENSE.items()},
        "dense_3d": {k: count(dense(v, 3, 1, 2)) for k, v in DENSE.items()},
        "resnet_2d": {k: count(torchvisions(v)) for k, v in RESNETS.items()},
        "resnet_3d": {k: count(v(spatial_dims=3, n_input_channels=1, num_classes=2)) for k, v in RESNETS.items()},
        "basic_unet_2d": count(basic(2, 1, 2, FEATURES)),
        "basic_unet_3d": count(basic(3, 1, 2, FEATURES)),
        "unet_3d": count(unet(3, 1, 2, (16, 32, 64, 128, 256), (2, 2, 2, 2), 2)),
        "results": {
            "dense_2d": result(small_dense(2), [2, 2, 47, 64]),
            "dense_3d": result(small_dense(3), [1, 2, 33, 32, 40]),
            "resnet_2d": result(small_resnet(2, "basic"), [2, 2, 40, 33]),
            "resnet_3d": result(small_resnet(3, "bottleneck"), [1, 2, 17, 24, 20]),
            "basic_unet_2d": result(basic(2, 3, 2, SMALL), [2, 3, 32, 48]),
            "basic_unet_3d": result(basic(3, 1, 3, SMALL), [1, 1, 32, 32, 32]),
            "basic_unet_2d, batch normalisation": result(basic(2, 1, 1, (16, 16, 20, 33, 40, 17), True), [1, 1, 48, 32]),
            "unet_2d": result(unet(2, 2, 3, (5, 9, 17), (2, 2), 0), [2, 2, 24, 36]),
            "unet_3d": result(unet(3, 1, 2, (5, 9, 17), (2, 1), 2), [2, 1, 12, 8, 10]),
        },
    }
    print(json.dumps(record, separators=(",", ":")))
