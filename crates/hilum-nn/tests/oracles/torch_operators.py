"""Records what PyTorch makes of single operators and losses of hilum-nn over awkward shapes: loss and gradients.

    python torch_operators.py > torch_operators.json

Needs torch and numpy; the versions are written into the file. A case is a network as hilum-nn describes it in TOML, which this script runs itself: a 1x1
convolution, whose gradient is a projection of that of the operator's input onto every channel of noise, the operator, and the sigmoid or softmax of the
loss. Weights, inputs and targets are made from numbers that the tests make too. Of every gradient its norm and three projections onto noise are kept.
Everything runs in float64.
"""

import json
import platform

import numpy as np
import torch
import torch.nn.functional as F

from torch_networks import Net, noise, target_of


def mix(v):
    """The finaliser of SplitMix64 after one step of its counter, over arrays."""
    with np.errstate(over="ignore"):
        z = np.asarray(v, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def dropout(x, rate, seed, node):
    """As hilum-nn documents it: decided by seed, place of the layer, step 0 and the place in memory, which has channels in blocks of 16."""
    key = mix(mix(mix(seed) ^ np.uint64(node)) ^ np.uint64(0))
    n, c, *sides = x.shape
    pixels, blocks = int(np.prod(sides)), -(-c // 16)
    i, k, p = np.meshgrid(np.arange(n), np.arange(c), np.arange(pixels), indexing="ij")
    place = ((i * blocks + k // 16) * pixels + p) * 16 + k % 16
    kept = mix(key ^ place.astype(np.uint64)) >> np.uint64(40) >= np.uint64(round(rate * (1 << 24)))
    return x * torch.tensor(kept.reshape(x.shape)).double() / (1 - rate)


def recurrent(net, x, name, kind, hidden, bidirectional, last):
    make = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[kind]
    module = make(x.shape[1], hidden, batch_first=True, bidirectional=bidirectional).double()
    own = {k: net.get(f"{name}.{k}", p.shape) for k, p in module.named_parameters()}
    beside = x.shape[3:]
    y, state = torch.func.functional_call(module, own, (x.reshape(x.shape[:3]).permute(0, 2, 1),))
    if last:
        state = state[0] if isinstance(state, tuple) else state
        return state.permute(1, 0, 2).reshape(x.shape[0], -1, 1, *beside)
    return y.permute(0, 2, 1).reshape(x.shape[0], -1, x.shape[2], *beside)


def apply(net, layer, inputs, node):
    """One layer of a description."""
    x, name, op = inputs[0], layer["name"], layer["op"]
    axes = x.dim() - 2
    of = lambda function: getattr(F, f"{function}{axes}d")
    sides = lambda key, fill: layer.get(key, [fill] * axes)
    out, bias = layer.get("out_channels"), layer.get("bias", True)
    has_bias = lambda: net.get(f"{name}.bias", (out,)) if bias else None
    scale_and_shift = lambda: [net.get(f"{name}.{k}", (x.shape[1],)) for k in ("weight", "bias")]
    match op:
        case "conv2d":
            return F.conv2d(x, net.get(f"{name}.weight", (out, x.shape[1], *[layer["kernel"]] * 2)), has_bias(), 1, layer["kernel"] // 2)
        case "conv":
            groups = layer.get("groups", 1)
            weight = net.get(f"{name}.weight", (out, x.shape[1] // groups, *layer["kernel"]))
            return of("conv")(x, weight, has_bias(), sides("stride", 1), sides("padding", 0), sides("dilation", 1), groups)
        case "conv_transpose2d":
            return F.conv_transpose2d(x, net.get(f"{name}.weight", (x.shape[1], out, 2, 2)), has_bias(), 2)
        case "conv_transpose":
            weight = net.get(f"{name}.weight", (x.shape[1], out, *layer["kernel"]))
            stride, padding, more = sides("stride", 1), sides("padding", 0), sides("output_padding", 0)
            return of("conv_transpose")(x, weight, has_bias(), stride, padding, more, 1, sides("dilation", 1))
        case "linear":
            return F.linear(x.flatten(1), net.get(f"{name}.weight", (out, x.shape[1])), has_bias()).reshape(x.shape[0], out, *[1] * axes)
        case "max_pool2d":
            return F.max_pool2d(x, 2)
        case "max_pool":
            return of("max_pool")(x, layer["kernel"], layer["stride"], sides("padding", 0), ceil_mode=layer.get("ceil", False))
        case "avg_pool":
            counted = layer.get("count_padding", True)
            return of("avg_pool")(x, layer["kernel"], layer["stride"], sides("padding", 0), layer.get("ceil", False), counted)
        case "global_avg_pool":
            return x.mean(list(range(2, x.dim())), keepdim=True)
        case "adaptive_avg_pool" | "adaptive_max_pool":
            size = [s or x.shape[2 + i] for i, s in enumerate(layer["size"])]
            return of(op)(x, size)
        case "batch_norm2d" | "batch_norm":
            return F.batch_norm(x, None, None, *scale_and_shift(), True, eps=layer.get("eps", 1e-5))
        case "instance_norm":
            return F.instance_norm(x, None, None, *scale_and_shift(), eps=layer["eps"])
        case "group_norm":
            return F.group_norm(x, layer["groups"], *scale_and_shift(), layer["eps"])
        case "relu" | "tanh" | "sigmoid":
            return getattr(torch, op)(x)
        case "clipped_relu":
            return torch.clamp(x, 0, layer["max"])
        case "leaky_relu":
            return F.leaky_relu(x, layer["slope"])
        case "gelu":
            return F.gelu(x)
        case "softmax":
            return torch.softmax(x, 1)
        case "upsample":
            factors = [float(f) for f in layer["factors"]]
            if not layer.get("linear", False):
                return F.interpolate(x, scale_factor=factors, mode="nearest")
            mode = {2: "bilinear", 3: "trilinear"}[axes]
            return F.interpolate(x, scale_factor=factors, mode=mode, align_corners=False)
        case "dropout":
            return dropout(x, layer["rate"], layer["seed"], node)
        case "flatten":
            return x.reshape(x.shape[0], -1, *[1] * axes)
        case "gru" | "lstm":
            return recurrent(net, x, name, op, layer["hidden"], layer.get("bidirectional", False), layer.get("last", False))
        case "concat":
            return torch.cat(inputs, 1)
        case "add":
            return sum(inputs)
        case "scale":
            return layer["factor"] * x
    raise ValueError(op)


def network(layers):
    """The description as a function up to the logits."""

    def run(net, x):
        values, last = {"input": x}, "input"
        for node, layer in enumerate(layers):
            values[layer["name"]] = apply(net, layer, [values[i] for i in layer.get("inputs", [last])], node)
            last = layer["name"]
        return values[last]

    return run


def toml(axes, in_channels, layers, size):
    fields = {"axes": axes, "in_channels": in_channels} | ({"size": size} if size else {})
    lines = [f"{k} = {json.dumps(v)}" for k, v in fields.items()]
    for layer in layers:
        lines += ["[[layer]]"] + [f"{k} = {json.dumps(v)}" for k, v in layer.items()]
    return "\n".join(lines)


def recorded(net, loss):
    loss.backward()
    each = {}
    for name, p in sorted(net.p.items()):
        projections = [float(p.grad.flatten() @ torch.tensor(noise(p.numel(), seed)).double()) for seed in (1003, 1004, 1005)]
        each[name] = [float(p.grad.norm()), *projections]
    return {"loss": float(loss.detach()), "gradients": each}


def before(axes, channels):
    return {"name": "before", "op": "conv", "out_channels": channels, "kernel": [1] * axes}


def operator(name, shape, channels, *layers):
    """An operator alone, on `channels` made of the input's; the last of `layers`, which are named `a`, `b` ... where they have no names."""
    axes = len(shape) - 2
    named = [{"name": "abcdefgh"[i]} | layer for i, layer in enumerate(layers)]
    layers = [before(axes, channels), *named]
    x = torch.tensor(noise(int(np.prod(shape)), 1001).reshape(shape)).double()
    run = network(layers)
    net = Net(run).ready(x)
    logits = run(net, x)
    loss = F.binary_cross_entropy_with_logits(logits, target_of(logits.shape, 1002))
    # What is flattened has a size that is known.
    size = shape[2:] if any(layer["op"] == "flatten" for layer in layers) else None
    text = toml(axes, shape[1], [*layers, {"name": "score", "op": "sigmoid"}], size)
    return {"name": name, "network": text, "shape": shape, **recorded(net, loss)}


def conv(out, *kernel, **more):
    return {"op": "conv", "out_channels": out, "kernel": list(kernel), **more}


def up(out, *kernel, **more):
    return {"op": "conv_transpose", "out_channels": out, "kernel": list(kernel), **more}


def pool(kind, *kernel, **more):
    return {"op": f"{kind}_pool", "kernel": list(kernel), **more}


def conv2d(out, kernel, **more):
    return {"op": "conv2d", "out_channels": out, "kernel": kernel, **more}


OPERATORS = [
    ("3x3", [3, 6, 5, 7], 17, conv2d(19, 3)),
    ("3x3 of many tiles", [2, 5, 17, 19], 33, conv2d(31, 3, bias=False)),
    ("3x3 of one pixel", [7, 6, 1, 1], 18, conv2d(33, 3)),
    ("3x3 of one row", [1, 6, 1, 29], 16, conv2d(48, 3)),
    ("3x3 of few channels", [4, 2, 11, 3], 2, conv2d(5, 3)),
    ("1x1", [5, 6, 3, 13], 21, conv2d(50, 1)),
    ("1x1 of one pixel", [7, 6, 1, 1], 5, conv2d(17, 1)),
    ("5x3 with stride, padding and dilation", [2, 6, 11, 10], 19, conv(18, 5, 3, stride=[2, 1], padding=[1, 2], dilation=[1, 2])),
    ("1x7", [3, 6, 5, 9], 20, conv(17, 1, 7, padding=[0, 3], bias=False)),
    ("7x1", [3, 6, 9, 4], 20, conv(17, 7, 1, padding=[3, 0])),
    ("7x7 with stride 2", [2, 3, 21, 18], 3, conv(35, 7, 7, stride=[2, 2], padding=[3, 3], bias=False)),
    ("even kernel", [1, 6, 8, 7], 18, conv(3, 2, 4, padding=[1, 1])),
    ("1x1 with stride", [6, 6, 7, 8], 17, conv(33, 1, 1, stride=[2, 3])),
    ("3x3 with the widest padding", [2, 6, 9, 6], 18, conv(20, 3, 3, padding=[2, 2])),
    ("3x3 without padding", [2, 6, 13, 11], 34, conv(17, 3, 3)),
    ("3x3 dilated", [3, 6, 10, 9], 17, conv(18, 3, 3, padding=[3, 2], dilation=[3, 2])),
    ("3x3 with stride 2", [3, 6, 10, 9], 17, conv(18, 3, 3, stride=[2, 2], padding=[1, 1])),
    ("depthwise", [2, 6, 7, 9], 35, conv(35, 3, 3, stride=[2, 1], padding=[1, 1], groups=35)),
    ("depthwise with two results a channel", [2, 6, 5, 5], 9, conv(18, 3, 5, padding=[1, 2], groups=9)),
    ("three groups", [3, 6, 6, 7], 51, conv(21, 3, 3, padding=[1, 1], groups=3)),
    ("3x3x3", [2, 4, 5, 7, 6], 17, conv(18, 3, 3, 3, padding=[1, 1, 1])),
    ("3x3x3 of one position", [5, 4, 1, 1, 1], 17, conv(18, 3, 3, 3, padding=[1, 1, 1])),
    ("3x3x3 with stride 2", [2, 4, 5, 7, 6], 18, conv(20, 3, 3, 3, stride=[2, 2, 2], padding=[1, 1, 1], bias=False)),
    ("1x3x3", [1, 4, 3, 9, 8], 19, conv(17, 1, 3, 3, padding=[0, 1, 1])),
    ("1x1x1", [3, 4, 3, 2, 5], 19, conv(34, 1, 1, 1)),
    ("groups in volumes", [2, 4, 4, 5, 3], 18, conv(12, 2, 3, 1, dilation=[2, 1, 1], padding=[1, 0, 0], groups=6)),
    ("transposed 2x2", [3, 6, 3, 5], 18, {"op": "conv_transpose2d", "out_channels": 35}),
    ("transposed 2x2 of one pixel", [7, 6, 1, 1], 33, {"op": "conv_transpose2d", "out_channels": 4, "bias": False}),
    ("transposed", [2, 6, 4, 5], 17, up(19, 3, 2, stride=[2, 3], padding=[1, 0], output_padding=[1, 2], dilation=[1, 2])),
    ("transposed in volumes", [2, 4, 2, 3, 4], 18, up(17, 2, 2, 2, stride=[2, 2, 2])),
    ("transposed in volumes, with overlap", [1, 4, 3, 2, 3], 17, up(5, 3, 3, 3, stride=[2, 1, 2], padding=[1, 1, 1], output_padding=[1, 0, 1])),
    ("linear", [7, 6, 1, 1], 35, {"op": "flatten"}, {"op": "linear", "out_channels": 19}),
    ("flattened map", [3, 6, 5, 3], 18, {"op": "flatten"}, {"op": "linear", "out_channels": 17}),
    ("linear without bias", [5, 6, 1, 1], 3, {"op": "flatten"}, {"op": "linear", "out_channels": 50, "bias": False}),
    ("largest of 2x2", [3, 6, 6, 10], 19, {"op": "max_pool2d"}),
    ("largest", [2, 6, 9, 8], 18, pool("max", 3, 2, stride=[2, 1], padding=[1, 1])),
    ("largest, rounded up", [2, 6, 8, 9], 18, pool("max", 3, 3, stride=[2, 2], padding=[0, 1], ceil=True)),
    ("largest in volumes", [1, 4, 5, 6, 7], 17, pool("max", 2, 3, 2, stride=[2, 2, 3], padding=[0, 1, 1])),
    ("mean", [2, 6, 9, 8], 18, pool("avg", 3, 2, stride=[2, 1], padding=[1, 1])),
    ("mean without padding", [2, 6, 8, 9], 18, pool("avg", 3, 3, stride=[2, 2], padding=[1, 1], ceil=True, count_padding=False)),
    ("mean in volumes", [3, 4, 5, 4, 3], 17, pool("avg", 2, 2, 3, stride=[1, 2, 1], padding=[1, 0, 1])),
    ("mean of all", [5, 6, 7, 3], 33, {"op": "global_avg_pool"}),
    ("adaptive mean", [2, 6, 7, 5], 18, {"op": "adaptive_avg_pool", "size": [3, 4]}),
    ("adaptive largest in volumes", [2, 4, 3, 5, 7], 18, {"op": "adaptive_max_pool", "size": [2, 0, 3]}),
    ("batch normalisation", [7, 6, 5, 3], 33, {"op": "batch_norm2d"}),
    ("batch normalisation of one image", [1, 6, 9, 7], 17, {"op": "batch_norm", "eps": 1e-3}),
    ("batch normalisation of one pixel", [7, 6, 1, 1], 18, {"op": "batch_norm2d"}),
    ("batch normalisation of volumes", [2, 4, 3, 5, 4], 18, {"op": "batch_norm", "eps": 1e-5}),
    ("batch normalisation and ReLU", [3, 6, 7, 5], 19, {"op": "batch_norm2d"}, {"op": "relu"}),
    ("instance normalisation", [5, 6, 7, 5], 17, {"op": "instance_norm", "eps": 1e-5}),
    ("instance normalisation of volumes", [2, 4, 3, 2, 5], 18, {"op": "instance_norm", "eps": 1e-3}),
    ("group normalisation", [4, 6, 5, 7], 21, {"op": "group_norm", "groups": 3, "eps": 1e-5}),
    ("group normalisation of one pixel", [7, 6, 1, 1], 34, {"op": "group_norm", "groups": 2, "eps": 1e-5}),
    ("group normalisation of volumes", [2, 4, 3, 2, 5], 20, {"op": "group_norm", "groups": 5, "eps": 1e-5}),
    ("ReLU", [5, 6, 3, 7], 17, {"op": "relu"}),
    ("ReLU with a bound", [5, 6, 3, 7], 17, {"op": "clipped_relu", "max": 0.7}),
    ("leaky ReLU", [5, 6, 3, 7], 17, {"op": "leaky_relu", "slope": 0.1}),
    ("GELU", [5, 6, 3, 7], 17, {"op": "gelu"}),
    ("sigmoid", [5, 6, 3, 7], 17, {"op": "sigmoid"}),
    ("tanh", [5, 6, 3, 7], 17, {"op": "tanh"}),
    ("softmax", [5, 6, 3, 7], 19, {"op": "softmax"}),
    ("softmax of one pixel", [7, 6, 1, 1], 33, {"op": "softmax"}),
    ("dropout", [3, 6, 5, 7], 37, {"op": "dropout", "rate": 0.3, "seed": 5}),
    ("nearest", [2, 6, 3, 5], 18, {"op": "upsample", "factors": [2, 3]}),
    ("bilinear", [3, 6, 4, 5], 17, {"op": "upsample", "factors": [3, 2], "linear": True}),
    ("bilinear of one row", [2, 6, 1, 7], 17, {"op": "upsample", "factors": [4, 2], "linear": True}),
    ("nearest in volumes", [2, 4, 3, 2, 2], 18, {"op": "upsample", "factors": [1, 2, 3]}),
    ("trilinear", [2, 4, 2, 3, 4], 18, {"op": "upsample", "factors": [2, 3, 2], "linear": True}),
    ("concatenation", [3, 6, 3, 5], 19, conv2d(5, 1), {"op": "concat", "inputs": ["before", "a", "input"]}),
    ("sum", [3, 6, 3, 5], 19, conv2d(19, 1), {"op": "add", "inputs": ["before", "a", "before"]}),
    ("factor", [3, 6, 3, 5], 19, {"op": "scale", "factor": -0.7}),
    ("residual", [3, 6, 3, 5], 19, conv2d(19, 3), {"op": "scale", "factor": 0.17}, {"op": "add", "inputs": ["before", "b"]}),
    ("GRU", [5, 6, 9, 1], 7, {"op": "gru", "hidden": 19, "bidirectional": True}),
    ("GRU, last state", [3, 4, 5, 1, 1], 18, {"op": "gru", "hidden": 17, "last": True}),
    ("LSTM", [2, 4, 7, 1, 1], 5, {"op": "lstm", "hidden": 18}),
    ("LSTM, last state of both directions", [7, 6, 4, 1], 17, {"op": "lstm", "hidden": 16, "bidirectional": True, "last": True}),
]


def region(term, p, t, keep):
    """Dice or Tversky over `[n, c, pixels]`."""
    axes = (0, 2) if term.get("scope", "batch") == "batch" else (2,)
    p, t, smooth = p * keep, t * keep, term.get("smooth", 1.0)
    if term["kind"] == "dice":
        value = 1 - (2 * (p * t).sum(axes) + smooth) / (p.sum(axes) + t.sum(axes) + smooth)
    else:
        alpha, beta = term.get("alpha", 0.3), term.get("beta", 0.7)
        hit, false, missed = (p * t).sum(axes), (p * (1 - t) * keep).sum(axes), ((1 - p) * t).sum(axes)
        value = 1 - (hit + smooth) / (hit + alpha * false + beta * missed + smooth)
    return (value if term.get("background", True) else value[..., 1:]).mean()


def term_of(term, activation, x, target, keep, w):
    """`x` `[n, c, pixels]`; `keep` and `w` `[n, c or 1, pixels]`."""
    per_channel = lambda key: torch.tensor(term[key]).double().view(1, -1, 1) if key in term else None
    if activation == "sigmoid":
        p, t = torch.sigmoid(x), target
        entropy = F.binary_cross_entropy_with_logits(x, t, reduction="none", pos_weight=per_channel("positive_weights"))
        true = p * t + (1 - p) * (1 - t)
        balance = 1.0 if "alpha" not in term else per_channel("alpha") * t + (1 - per_channel("alpha")) * (1 - t)
    else:
        p = F.softmax(x, 1)
        t = F.one_hot(target[:, 0].long(), x.shape[1]).movedim(-1, 1).double()
        entropy = -(F.log_softmax(x, 1) * t).sum(1, keepdim=True)
        true = (p * t).sum(1, keepdim=True)
        balance = 1.0 if "alpha" not in term else (per_channel("alpha") * t).sum(1, keepdim=True)
    match term["kind"]:
        case "bce":
            return (entropy * w * keep).sum() / keep.sum()
        case "cross_entropy":
            of_class = (per_channel("class_weights") * t).sum(1, keepdim=True) if "class_weights" in term else 1.0
            return (entropy * w * keep * of_class).sum() / (w * keep * of_class).sum()
        case "focal":
            return (balance * (1 - true) ** term.get("gamma", 2.0) * entropy * w * keep).sum() / keep.sum()
        case _:
            return region(term, p, t, keep)


def objective(shape, classes, activation, terms, target, ignore=None, weighted=False):
    """A loss on a 1x1 convolution. `target`: hard, soft or labels; with `ignore` some are ignored; `weighted`: pixels have weights."""
    axes = len(shape) - 2
    layers = [before(axes, classes)]
    x = torch.tensor(noise(int(np.prod(shape)), 1001).reshape(shape)).double()
    net = Net(network(layers)).ready(x)
    logits = net.run(net, x).flatten(2)
    n, pixels = shape[0], int(np.prod(shape[2:]))
    channels = 1 if target == "labels" else classes
    drawn = noise(n * channels * pixels, 1002).astype(np.float64).reshape(n, channels, pixels)
    t = {"hard": drawn > 0.4, "soft": (drawn + 1) / 2, "labels": np.floor((drawn + 1) / 2 * classes)}[target]
    t = torch.tensor(t).double()
    holes = torch.tensor(noise(t.numel(), 1006).reshape(t.shape) > 0.5)
    keep = torch.ones_like(t) if ignore is None else (~holes).double()
    w = torch.tensor(noise(n * pixels, 1007).reshape(n, 1, pixels)).double() + 1 if weighted else torch.ones(n, 1, pixels).double()
    loss = sum(term.get("weight", 1.0) * term_of(term, activation, logits, t, keep, w) for term in terms)
    last = [{"name": "score", "op": "sigmoid"}] if activation == "sigmoid" else []
    described = {"activation": activation, "term": terms} | ({} if ignore is None else {"ignore": ignore})
    return {
        "name": f"{activation} " + " and ".join(term["kind"] for term in terms),
        "network": toml(axes, shape[1], [*layers, *last], None),
        "shape": shape,
        "objective": described,
        "target": target,
        "weighted": weighted,
        **recorded(net, loss),
    }


WIDE, SMALL, ONE, VOLUME = [2, 5, 97, 89], [7, 6, 5, 3], [7, 6, 1, 1], [3, 4, 5, 7, 3]
OBJECTIVES = [
    (SMALL, 19, "sigmoid", [{"kind": "bce"}], "hard"),
    (WIDE, 3, "sigmoid", [{"kind": "bce", "positive_weights": [0.5, 2.0, 7.0]}], "soft", -1, True),
    (ONE, 1, "sigmoid", [{"kind": "bce"}, {"kind": "dice"}], "hard"),
    (WIDE, 2, "sigmoid", [{"kind": "bce", "weight": 0.3}, {"kind": "dice", "weight": 1.5, "scope": "image"}], "hard", -1, True),
    (SMALL, 17, "sigmoid", [{"kind": "dice", "smooth": 0.5, "background": False}], "hard"),
    (VOLUME, 2, "sigmoid", [{"kind": "focal", "gamma": 1.5, "alpha": [0.25, 0.9]}], "soft", None, True),
    (WIDE, 1, "sigmoid", [{"kind": "focal"}], "hard", -1),
    (VOLUME, 5, "sigmoid", [{"kind": "tversky"}], "hard"),
    (WIDE, 2, "sigmoid", [{"kind": "tversky", "alpha": 0.6, "beta": 0.2, "smooth": 0.1, "scope": "image"}], "hard", -1),
    (SMALL, 18, "softmax", [{"kind": "cross_entropy"}], "labels"),
    (WIDE, 3, "softmax", [{"kind": "cross_entropy", "class_weights": [0.2, 1.0, 3.0]}], "labels", 255, True),
    (ONE, 33, "softmax", [{"kind": "cross_entropy"}], "labels"),
    (WIDE, 3, "softmax", [{"kind": "focal", "gamma": 0.5, "alpha": [0.1, 0.5, 0.4]}], "labels", 255, True),
    (VOLUME, 4, "softmax", [{"kind": "cross_entropy"}, {"kind": "dice", "scope": "image", "background": False, "weight": 0.7}], "labels"),
    (WIDE, 4, "softmax", [{"kind": "dice"}, {"kind": "focal"}], "labels", 255),
    (VOLUME, 3, "softmax", [{"kind": "tversky", "scope": "image"}, {"kind": "tversky", "alpha": 0.5, "beta": 0.5, "weight": 2.0}], "labels", 255),
]

if __name__ == "__main__":
    torch.manual_seed(0)
    record = {
        "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
        "operators": [operator(*case) for case in OPERATORS],
        "losses": [objective(*case) for case in OBJECTIVES],
    }
    print(json.dumps(record, separators=(",", ":")))
