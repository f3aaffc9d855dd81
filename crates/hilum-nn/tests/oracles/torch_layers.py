"""Records what PyTorch makes of networks with recurrent layers, adaptive pooling and flattened maps: loss and gradients.

    python torch_layers.py > torch_layers.json

Needs torch and numpy; the versions are written into the file. Everything runs in float64 on values of float32. Each case has its network as hilum-nn
describes it in TOML, and the same network as a PyTorch module whose parameters have the same names.
"""

import json
import platform

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
rng = np.random.default_rng(20261)


def normal(*shape):
    return torch.tensor(rng.standard_normal(shape).astype(np.float32).astype(np.float64))


def flat(tensor):
    """Flat list of nine digits: values of float32 stay what they are."""
    return [float(f"{v:.9g}") for v in tensor.detach().numpy().ravel()]


def toml(in_channels, layers, **fields):
    value = lambda v: json.dumps(v)
    lines = [f"{k} = {value(v)}" for k, v in {"in_channels": in_channels, **fields}.items()]
    for layer in layers:
        lines += ["[[layer]]"] + [f"{k} = {value(v)}" for k, v in layer.items()]
    return "\n".join(lines)


def over_sequence(rnn, x, last):
    """`[n, c, t, 1...]` through a recurrent module, and back."""
    beside = x.shape[3:]
    y, state = rnn(x.reshape(x.shape[:3]).permute(0, 2, 1))
    if last:
        state = state[0] if isinstance(state, tuple) else state
        return state.permute(1, 0, 2).reshape(x.shape[0], -1, 1, *beside)
    return y.permute(0, 2, 1).reshape(x.shape[0], -1, x.shape[2], *beside)


class Recurrent(torch.nn.Module):
    def __init__(self, kind, features, hidden, bidirectional, last):
        super().__init__()
        self.before = torch.nn.Conv2d(2, features, 1)
        make = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[kind]
        self.rnn = make(features, hidden, batch_first=True, bidirectional=bidirectional)
        self.head = torch.nn.Conv2d(hidden * (1 + bidirectional), 2, 1)
        self.last = last

    def forward(self, x):
        return self.head(over_sequence(self.rnn, self.before(x), self.last))


def recurrent(kind, features, hidden, bidirectional, last, shape):
    layers = [
        {"name": "before", "op": "conv2d", "out_channels": features, "kernel": 1},
        {"name": "rnn", "op": kind, "hidden": hidden, "bidirectional": bidirectional, "last": last},
        {"name": "head", "op": "conv2d", "out_channels": 2, "kernel": 1},
        {"name": "score", "op": "sigmoid"},
    ]
    return toml(2, layers), Recurrent(kind, features, hidden, bidirectional, last), shape


class Pooled(torch.nn.Module):
    def __init__(self, pool, features, volumes):
        super().__init__()
        self.before = (torch.nn.Conv3d if volumes else torch.nn.Conv2d)(2, 3, 1)
        self.pool = pool
        self.fc = torch.nn.Linear(features, 2)

    def forward(self, x):
        return self.fc(torch.flatten(self.pool(self.before(x)), 1))


def pooled(kind, size, shape):
    volumes = len(size) == 3
    of = {("avg", False): torch.nn.AdaptiveAvgPool2d, ("avg", True): torch.nn.AdaptiveAvgPool3d,
          ("max", False): torch.nn.AdaptiveMaxPool2d, ("max", True): torch.nn.AdaptiveMaxPool3d}[kind, volumes]
    layers = [
        {"name": "before", "op": "conv", "out_channels": 3, "kernel": [1] * len(size)},
        {"name": "pool", "op": f"adaptive_{kind}_pool", "size": list(size)},
        {"name": "flat", "op": "flatten"},
        {"name": "fc", "op": "linear", "out_channels": 2},
        {"name": "score", "op": "sigmoid"},
    ]
    return toml(2, layers, axes=len(size)), Pooled(of(size), 3 * int(np.prod(size)), volumes), shape


class Flat(torch.nn.Module):
    """A small CNN for images of one size."""

    def __init__(self, h, w):
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 4, 3, padding=1)
        self.fc = torch.nn.Linear(4 * (h // 2) * (w // 2), 2)

    def forward(self, x):
        return self.fc(torch.flatten(F.max_pool2d(torch.relu(self.conv(x)), 2), 1))


def flattened(n, h, w):
    layers = [
        {"name": "conv", "op": "conv2d", "out_channels": 4, "kernel": 3},
        {"name": "relu", "op": "relu"},
        {"name": "pool", "op": "max_pool2d"},
        {"name": "flat", "op": "flatten"},
        {"name": "fc", "op": "linear", "out_channels": 2},
        {"name": "score", "op": "sigmoid"},
    ]
    return toml(2, layers, size=[h, w]), Flat(h, w), [n, 2, h, w]


class CnnGru(torch.nn.Module):
    """The CNN in two dimensions over all slices of all studies, as it is usually written."""

    def __init__(self, in_channels, channels, hidden, bidirectional, classes):
        super().__init__()
        stages = zip([in_channels] + channels, channels)
        self.cnn = torch.nn.ModuleList(
            torch.nn.ModuleDict({"conv": torch.nn.Conv2d(i, o, 3, padding=1, bias=False), "bn": torch.nn.BatchNorm2d(o)})
            for i, o in stages
        )
        self.gru = torch.nn.GRU(channels[-1], hidden, batch_first=True, bidirectional=bidirectional)
        self.fc = torch.nn.Linear(hidden * (1 + bidirectional), classes)

    def forward(self, x):
        n, c, d, h, w = x.shape
        x = x.permute(0, 2, 1, 3, 4).reshape(n * d, c, h, w)
        for stage in self.cnn:
            x = F.max_pool2d(torch.relu(stage["bn"](stage["conv"](x))), 2, ceil_mode=True)
        _, state = self.gru(x.mean((2, 3)).reshape(n, d, -1))
        return self.fc(state.permute(1, 0, 2).reshape(n, -1))


def case(name, network, module, shape):
    """`network`: TOML, or the configuration of a described network."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.6 * normal(*parameter.shape))
            parameter.copy_(parameter.float().double())
    x = normal(*shape)
    logits = module(x)
    y = (normal(*logits.shape) > 0.2).double()
    loss = F.binary_cross_entropy_with_logits(logits, y)
    loss.backward()
    parameters = dict(module.named_parameters())
    return {
        "name": name,
        "network": network,
        "shape": shape,
        "x": flat(x),
        "y": flat(y),
        "weights": {k: flat(p) for k, p in parameters.items()},
        "loss": float(loss.detach()),
        "gradients": {k: flat(p.grad) for k, p in parameters.items()},
    }


CASES = [
    ("gru", *recurrent("gru", 3, 4, False, False, [2, 2, 5, 1])),
    ("gru, both directions", *recurrent("gru", 2, 3, True, False, [3, 2, 4, 1])),
    ("gru, last state", *recurrent("gru", 4, 5, False, True, [1, 2, 7, 1])),
    ("gru, last state of both directions", *recurrent("gru", 3, 3, True, True, [2, 2, 4, 1])),
    ("lstm", *recurrent("lstm", 3, 4, False, False, [2, 2, 5, 1])),
    ("lstm, both directions", *recurrent("lstm", 2, 3, True, False, [3, 2, 4, 1])),
    ("lstm, last state", *recurrent("lstm", 4, 5, False, True, [1, 2, 7, 1])),
    ("lstm, last state of both directions", *recurrent("lstm", 3, 3, True, True, [2, 2, 4, 1])),
    ("adaptive mean", *pooled("avg", (3, 4), [2, 2, 7, 9])),
    ("adaptive mean of few pixels", *pooled("avg", (3, 4), [2, 2, 2, 1])),
    ("adaptive maximum", *pooled("max", (3, 2), [2, 2, 8, 5])),
    ("adaptive mean of volumes", *pooled("avg", (2, 3, 1), [1, 2, 5, 4, 3])),
    ("adaptive maximum of volumes", *pooled("max", (2, 1, 3), [2, 2, 3, 4, 5])),
    ("flattened map", *flattened(3, 4, 6)),
]
CONFIGS = [
    {"in_channels": 1, "channels": [3, 4], "hidden": 5, "bidirectional": True, "classes": 2},
    {"in_channels": 1, "channels": [16, 32, 64], "hidden": 128, "bidirectional": False, "classes": 1},
    {"in_channels": 3, "channels": [20, 40], "hidden": 33, "bidirectional": True, "classes": 4},
]


def count(config):
    return sum(p.numel() for p in CnnGru(**config).parameters())


record = {
    "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
    "cases": [case(*c) for c in CASES] + [case("cnn-gru", CONFIGS[0], CnnGru(**CONFIGS[0]), [2, 1, 3, 7, 6])],
    "cnn_gru": [{"config": c, "count": count(c)} for c in CONFIGS],
}
print(json.dumps(record, indent=None, separators=(",", ":")))
