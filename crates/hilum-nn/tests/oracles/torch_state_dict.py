"""Writes files of torch.save for the tests of hilum-nn's reader, and what they hold.

    python torch_state_dict.py FOLDER

Needs torch and numpy. Recorded with torch 2.15.0.
"""

import json
import sys
from collections import OrderedDict

import numpy as np
import torch

folder = sys.argv[1]
torch.manual_seed(5)
net = torch.nn.Sequential(OrderedDict(conv=torch.nn.Conv2d(2, 3, 3), bn=torch.nn.BatchNorm2d(3)))
base = torch.randn(4, 6)
state = {
    "epoch": 7,
    "best": 0.25,
    "name": "small",
    "rates": [0.1, 0.01],
    "done": True,
    "nothing": None,
    "state_dict": net.state_dict(),
    "extra": {
        "half": torch.randn(5).half(),
        "brain": torch.randn(2, 2).bfloat16(),
        "double": torch.randn(3).double(),
        "transposed": base.t(),
        "part": base[1:3, ::2],
        "again": base,
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 4),
        "parameter": torch.nn.Parameter(torch.randn(2)),
        "counts": torch.arange(4),
    },
}


def flatten(prefix, value, out, others):
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        data = [float(np.float32(v)) for v in value.detach().double().numpy().ravel()]
        out[prefix] = {"shape": list(value.shape), "data": data}
    elif isinstance(value, (dict, list, tuple)):
        for k, v in value.items() if isinstance(value, dict) else enumerate(value):
            flatten(f"{prefix}.{k}" if prefix else str(k), v, out, others)
    else:
        others.append(prefix)


tensors, others = {}, []
flatten("", state, tensors, others)
torch.save(state, f"{folder}/state_dict.pt")
torch.save({"a": torch.ones(2)}, f"{folder}/legacy.pt", _use_new_zipfile_serialization=False)
torch.save(torch.nn.ReLU(), f"{folder}/model.pt")
with open(f"{folder}/state_dict.json", "w") as f:
    json.dump({"torch": torch.__version__, "tensors": tensors, "others": sorted(others)}, f, separators=(",", ":"))
