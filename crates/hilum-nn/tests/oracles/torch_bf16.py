"""Records what PyTorch computes with networks of hilum-nn in bf16 (autocast), and in f32, on the CPU.

    python torch_bf16.py > torch_bf16.json

Needs torch and numpy; the versions are written into the file. The networks, their weights and inputs are those of torch_networks.py beside this file, here
in inference, with running statistics.
"""

import json
import platform

import numpy as np
import torch
import torch.nn.functional as F
from torch_networks import Net, densenet, inception_resnet_v2, noise, resnet, unet, values


class Evaluated(Net):
    """A network in inference."""

    def norm(self, x, name, eps=1e-5):
        kinds = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(self.get(f"{name}.{k}", (x.shape[1],)) for k in kinds), False, eps=eps)


def results(run, shape):
    """The network's logits in f32 and in bf16."""
    x = torch.tensor(noise(int(np.prod(shape)), 1001).reshape(shape))
    net = Evaluated(run)
    with torch.inference_mode():
        net.run(net, x.double())
        net.p = {name: value.float() for name, value in values(net.shapes).items()}
        wide = net.run(net, x)
        with torch.autocast("cpu", torch.bfloat16):
            narrow = net.run(net, x)
    listed = lambda y: [float(f"{v:.7g}") for v in y.float().ravel()]
    return {"shape": shape, "f32": listed(wide), "bf16": listed(narrow)}


record = {
    "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
    "processor": torch.backends.cpu.get_cpu_capability(),
    "unet2d": results(unet(16, 2, 1), [1, 1, 24, 16]),
    "unet3d": results(unet(8, 2, 1), [1, 1, 8, 8, 8]),
    "densenet": results(densenet([6, 12, 24, 16], 8, 16, 100), [2, 3, 64, 64]),
    "resnet": results(resnet([2, 2, 2, 2], False, 16, 100), [2, 3, 64, 64]),
    "inception_resnet_v2": results(inception_resnet_v2([2, 2, 1], 100), [2, 3, 107, 107]),
}
print(json.dumps(record, separators=(",", ":")))
