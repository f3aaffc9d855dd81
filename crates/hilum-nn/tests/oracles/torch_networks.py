"""Records what PyTorch computes with the networks of hilum-nn: gradients, loss curves of 100 steps, and DenseNet-121 under torchvision's names.

    python torch_networks.py > torch_networks.json
    python torch_networks.py --state-dict FILE      DenseNet-121's state dict as torch.save writes it, with the names of torchvision's first files

Needs torch and numpy; the versions are written into the file. Weights and inputs are made from numbers that the tests make too, so only results are
recorded. Everything runs in float64, so that the record is more exact than what is compared.
"""

import json
import platform
import sys
from collections import OrderedDict

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

STEPS = 100


def noise(count, seed):
    """SplitMix64's output function over a counter (Steele, Lea and Flood 2014), as exact floats in -1..1."""
    with np.errstate(over="ignore"):
        z = (np.arange(count, dtype=np.uint64) + (np.uint64(seed) << np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float32) / np.float32(8388608) - np.float32(1)


def value(name, shape, seed):
    """A parameter: normalisations near the identity, weights uniform with about He's deviation, rounded to a power of two."""
    n = noise(int(np.prod(shape)), seed).reshape(shape)
    kind = name.rsplit(".", 1)[1]
    if kind == "running_var":
        return 1 + n * np.float32(0.5)
    if len(shape) == 1:
        return n * np.float32(0.25) + np.float32(1 if kind == "weight" else 0)
    return n * np.float32(2.0 ** round(np.log2(np.sqrt(6 / np.prod(shape[1:])))))


def values(shapes):
    """Parameters by name; the seed is the place in the order of names."""
    ordered = sorted(shapes.items())
    return {name: torch.tensor(value(name, shape, i + 1)).double() for i, (name, shape) in enumerate(ordered)}


class Net:
    """A network as a function; its parameters are made when they are first asked for, and `shapes` lists them."""

    def __init__(self, run):
        self.run, self.shapes, self.p = run, {}, None

    def get(self, name, shape):
        self.shapes[name] = tuple(shape)
        return torch.zeros(shape).double() if self.p is None else self.p[name]

    def conv(self, x, name, out, kernel, stride=1, padding=0, bias=False):
        kernel = [kernel] * (x.dim() - 2) if isinstance(kernel, int) else kernel
        w = self.get(f"{name}.weight", (out, x.shape[1], *kernel))
        b = self.get(f"{name}.bias", (out,)) if bias else None
        return (F.conv2d if x.dim() == 4 else F.conv3d)(x, w, b, stride, padding)

    def up(self, x, name, out):
        w, b = self.get(f"{name}.weight", (x.shape[1], out, *[2] * (x.dim() - 2))), self.get(f"{name}.bias", (out,))
        return (F.conv_transpose2d if x.dim() == 4 else F.conv_transpose3d)(x, w, b, 2)

    def norm(self, x, name, eps=1e-5):
        return F.batch_norm(x, None, None, *(self.get(f"{name}.{k}", (x.shape[1],)) for k in ("weight", "bias")), True, eps=eps)

    def linear(self, x, name, out):
        return F.linear(x, self.get(f"{name}.weight", (out, x.shape[1])), self.get(f"{name}.bias", (out,)))

    def ready(self, x):
        with torch.no_grad():
            self.run(self, x)
        self.p = {k: v.requires_grad_(True) for k, v in values(self.shapes).items()}
        return self


def unet(base, depth, out):
    def double(net, x, name, channels):
        for i in (1, 2):
            x = F.relu(net.norm(net.conv(x, f"{name}.conv{i}", channels, 3, padding=1), f"{name}.bn{i}"))
        return x

    def run(net, x):
        pool = F.max_pool2d if x.dim() == 4 else F.max_pool3d
        skips = []
        for level in range(depth):
            skips.append(double(net, x, f"enc{level}", base << level))
            x = pool(skips[-1], 2)
        x = double(net, x, "bottom", base << depth)
        for level in reversed(range(depth)):
            x = torch.cat([skips[level], net.up(x, f"up{level}", base << level)], 1)
            x = double(net, x, f"dec{level}", base << level)
        return net.conv(x, "head", out, 1, bias=True)

    return run


def densenet(blocks, growth, stem, classes):
    def run(net, x):
        x = F.relu(net.norm(net.conv(x, "features.conv0", stem, 7, 2, 3), "features.norm0"))
        x = F.max_pool2d(x, 3, 2, 1)
        for b, layers in enumerate(blocks, 1):
            for l in range(1, layers + 1):
                name = f"features.denseblock{b}.denselayer{l}"
                y = net.conv(F.relu(net.norm(x, f"{name}.norm1")), f"{name}.conv1", 4 * growth, 1)
                y = net.conv(F.relu(net.norm(y, f"{name}.norm2")), f"{name}.conv2", growth, 3, padding=1)
                x = torch.cat([x, y], 1)
            if b < len(blocks):
                name = f"features.transition{b}"
                x = F.avg_pool2d(net.conv(F.relu(net.norm(x, f"{name}.norm")), f"{name}.conv", x.shape[1] // 2, 1), 2)
        x = F.relu(net.norm(x, "features.norm5"))
        return net.linear(x.mean((2, 3)), "classifier", classes)[:, :, None, None]

    return run


def resnet(blocks, bottleneck, base, classes):
    def block(net, x, name, width, out, stride):
        shapes = [(1, 1), (3, stride), (1, 1)] if bottleneck else [(3, stride), (3, 1)]
        y = x
        for i, (kernel, s) in enumerate(shapes, 1):
            y = net.norm(net.conv(y, f"{name}.conv{i}", out if i == len(shapes) else width, kernel, s, kernel // 2), f"{name}.bn{i}")
            y = F.relu(y) if i < len(shapes) else y
        if stride != 1 or x.shape[1] != out:
            x = net.norm(net.conv(x, f"{name}.downsample.0", out, 1, stride), f"{name}.downsample.1")
        return F.relu(x + y)

    def run(net, x):
        x = F.max_pool2d(F.relu(net.norm(net.conv(x, "conv1", base, 7, 2, 3), "bn1")), 3, 2, 1)
        for s, count in enumerate(blocks):
            for b in range(count):
                width = base << s
                x = block(net, x, f"layer{s + 1}.{b}", width, 4 * width if bottleneck else width, 2 if s and not b else 1)
        return net.linear(x.mean((2, 3)), "fc", classes)[:, :, None, None]

    return run


def inception_resnet_v2(blocks, classes):
    """As timm's inception_resnet_v2; every convolution is (channels, kernel) or (channels, kernel, stride, padding)."""

    def basic(net, x, name, out, kernel, stride=1, padding=None):
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = [k // 2 for k in kernel] if padding is None else padding
        return F.relu(net.norm(net.conv(x, f"{name}.conv", out, kernel, stride, padding), f"{name}.bn", 1e-3))

    def branch(net, x, name, *convolutions):
        for i, c in enumerate(convolutions):
            x = basic(net, x, name if len(convolutions) == 1 else f"{name}.{i}", *c)
        return x

    def residual(net, x, name, scale, last, *branches):
        parts = [branch(net, x, f"{name}.branch{i}", *b) for i, b in enumerate(branches)]
        y = net.conv(torch.cat(parts, 1), f"{name}.conv2d", x.shape[1], 1, bias=True)
        return x + y * scale if last else F.relu(x + y * scale)

    def run(net, x):
        x = basic(net, x, "conv2d_1a", 32, 3, 2, 0)
        x = basic(net, basic(net, x, "conv2d_2a", 32, 3, 1, 0), "conv2d_2b", 64, 3)
        x = F.max_pool2d(x, 3, 2)
        x = basic(net, basic(net, x, "conv2d_3b", 80, 1), "conv2d_4a", 192, 3, 1, 0)
        x = F.max_pool2d(x, 3, 2)
        pooled = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        x = torch.cat([
            branch(net, x, "mixed_5b.branch0", (96, 1)),
            branch(net, x, "mixed_5b.branch1", (48, 1), (64, 5)),
            branch(net, x, "mixed_5b.branch2", (64, 1), (96, 3), (96, 3)),
            basic(net, pooled, "mixed_5b.branch3.1", 64, 1),
        ], 1)
        for i in range(blocks[0]):
            x = residual(net, x, f"repeat.{i}", 0.17, False, [(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)])
        x = torch.cat([
            branch(net, x, "mixed_6a.branch0", (384, 3, 2, 0)),
            branch(net, x, "mixed_6a.branch1", (256, 1), (256, 3), (384, 3, 2, 0)),
            F.max_pool2d(x, 3, 2),
        ], 1)
        for i in range(blocks[1]):
            x = residual(net, x, f"repeat_1.{i}", 0.10, False, [(192, 1)], [(128, 1), (160, (1, 7)), (192, (7, 1))])
        x = torch.cat([
            branch(net, x, "mixed_7a.branch0", (256, 1), (384, 3, 2, 0)),
            branch(net, x, "mixed_7a.branch1", (256, 1), (288, 3, 2, 0)),
            branch(net, x, "mixed_7a.branch2", (256, 1), (288, 3), (320, 3, 2, 0)),
            F.max_pool2d(x, 3, 2),
        ], 1)
        eight = [(192, 1)], [(192, 1), (224, (1, 3)), (256, (3, 1))]
        for i in range(blocks[2]):
            x = residual(net, x, f"repeat_2.{i}", 0.20, False, *eight)
        x = residual(net, x, "block8", 1.0, True, *eight)
        x = basic(net, x, "conv2d_7b", 1536, 1)
        return net.linear(x.mean((2, 3)), "classif", classes)[:, :, None, None]

    return run


def loss(logits, t, dice):
    value = F.binary_cross_entropy_with_logits(logits, t)
    if dice:
        axes = [0, *range(2, logits.dim())]
        p = torch.sigmoid(logits)
        value = value + (1 - (2 * (p * t).sum(axes) + 1) / (p.sum(axes) + t.sum(axes) + 1)).mean()
    return value


def target_of(shape, seed):
    """Zeros and ones, three of ten ones."""
    return torch.tensor((noise(int(np.prod(shape)), seed) > np.float32(0.4)).reshape(shape)).double()


def gradients(run, shape, out, dice):
    """Per parameter: norm of the gradient and its product with noise."""
    x = torch.tensor(noise(int(np.prod(shape)), 1001).reshape(shape)).double()
    net = Net(run).ready(x)
    value = loss(net.run(net, x), target_of(out, 1002), dice)
    value.backward()
    each = {}
    for name, p in sorted(net.p.items()):
        along = torch.tensor(noise(p.numel(), 1003)).double()
        each[name] = [float(p.grad.norm()), float(p.grad.flatten() @ along)]
    return {"shape": shape, "loss": float(value.detach()), "gradients": each}


def volume_batch(shape, step):
    """A box in noise, and the box."""
    n, _, *sides = shape
    target = np.zeros((n, 1, *sides), dtype=np.float32)
    for i in range(n):
        place = tuple(slice((7 * (n * step + i) + 3 * a) % (s // 2), (7 * (n * step + i) + 3 * a) % (s // 2) + s // 2) for a, s in enumerate(sides))
        target[(i, 0, *place)] = 1
    return noise(target.size, 2000 + step).reshape(target.shape) * np.float32(0.5) + target * np.float32(0.75), target


def class_batch(shape, step):
    """Rows, columns or squares of light in noise, and which of them."""
    n, _, h, w = shape
    y, x = np.arange(h)[:, None] // 4, np.arange(w)[None, :] // 4
    patterns = np.stack([(y + 0 * x) % 2, (x + 0 * y) % 2, (x + y) % 2]).astype(np.float32)
    kinds = [(n * step + i) % 3 for i in range(n)]
    image = noise(n * h * w, 2000 + step).reshape(shape) * np.float32(0.5) + patterns[kinds][:, None] * np.float32(0.75)
    return image, np.eye(3, dtype=np.float32)[kinds][:, :, None, None]


def curve(run, shape, batch, dice, rate):
    """The loss before each of 100 steps of SGD with momentum 0.9."""
    net = Net(run).ready(torch.tensor(batch(shape, 0)[0]).double())
    optimiser = torch.optim.SGD(net.p.values(), lr=rate, momentum=0.9)
    losses = []
    for step in range(STEPS):
        x, t = (torch.tensor(v).double() for v in batch(shape, step))
        optimiser.zero_grad()
        value = loss(net.run(net, x), t, dice)
        value.backward()
        optimiser.step()
        losses.append(float(value.detach()))
    return {"shape": shape, "rate": rate, "losses": losses}


class DenseLayer(nn.Sequential):
    def __init__(self, channels, growth):
        super().__init__(OrderedDict(
            norm1=nn.BatchNorm2d(channels), relu1=nn.ReLU(), conv1=nn.Conv2d(channels, 4 * growth, 1, bias=False),
            norm2=nn.BatchNorm2d(4 * growth), relu2=nn.ReLU(), conv2=nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False),
        ))

    def forward(self, x):
        return torch.cat([x, super().forward(x)], 1)


class DenseNet121(nn.Module):
    """torchvision's model, for where torchvision is not installed: the same modules under the same names."""

    def __init__(self):
        super().__init__()
        parts = OrderedDict(
            conv0=nn.Conv2d(3, 64, 7, 2, 3, bias=False), norm0=nn.BatchNorm2d(64), relu0=nn.ReLU(), pool0=nn.MaxPool2d(3, 2, 1)
        )
        channels = 64
        for b, layers in enumerate([6, 12, 24, 16], 1):
            names = [f"denselayer{i + 1}" for i in range(layers)]
            parts[f"denseblock{b}"] = nn.Sequential(
                OrderedDict((name, DenseLayer(channels + 32 * i, 32)) for i, name in enumerate(names))
            )
            channels += 32 * layers
            if b < 4:
                parts[f"transition{b}"] = nn.Sequential(OrderedDict(
                    norm=nn.BatchNorm2d(channels), relu=nn.ReLU(), conv=nn.Conv2d(channels, channels // 2, 1, bias=False), pool=nn.AvgPool2d(2, 2)
                ))
                channels //= 2
        parts["norm5"] = nn.BatchNorm2d(channels)
        self.features, self.classifier = nn.Sequential(parts), nn.Linear(channels, 1000)

    def forward(self, x):
        return self.classifier(F.relu(self.features(x)).mean((2, 3)))


def densenet121():
    """The model with our numbers in it."""
    try:
        from torchvision.models import densenet121 as make

        net = make()
    except ImportError:
        net = DenseNet121()
    shapes = {k: tuple(v.shape) for k, v in net.state_dict().items() if "num_batches" not in k}
    net.load_state_dict({k: v.float() for k, v in values(shapes).items()}, strict=False)
    return net.eval()


def first_names(key):
    """The names of torchvision's first files: norm.1 for norm1, and so on in dense layers."""
    if "denselayer" in key:
        for part in ("norm1", "norm2", "conv1", "conv2"):
            key = key.replace(f".{part}.", f".{part[:-1]}.{part[-1]}.")
    return key


def main():
    if sys.argv[1:2] == ["--state-dict"]:
        torch.save(OrderedDict((first_names(k), v) for k, v in densenet121().state_dict().items()), sys.argv[2])
        return

    torch.manual_seed(0)
    torchvisions = densenet121()
    shape = [1, 3, 64, 64]
    x = torch.tensor(noise(int(np.prod(shape)), 1001).reshape(shape)).double()
    keys = [[first_names(k), list(v.shape)] for k, v in torchvisions.state_dict().items()]
    with torch.no_grad():
        scores = torchvisions.double()(x)

    dense = densenet([6, 12, 24, 16], 4, 8, 3)
    record = {
        "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
        "gradients": {
            "unet2d": gradients(unet(6, 2, 2), [2, 2, 24, 32], [2, 2, 24, 32], True),
            "unet3d": gradients(unet(4, 2, 2), [2, 1, 8, 12, 8], [2, 2, 8, 12, 8], True),
            "densenet": gradients(dense, [3, 1, 64, 64], [3, 3, 1, 1], False),
            "resnet": gradients(resnet([2, 2], False, 6, 3), [3, 2, 40, 33], [3, 3, 1, 1], False),
            "bottlenecks": gradients(resnet([1, 2, 1, 1], True, 4, 3), [3, 2, 64, 48], [3, 3, 1, 1], False),
            "inception_resnet_v2": gradients(inception_resnet_v2([1, 1, 1], 3), [2, 3, 107, 107], [2, 3, 1, 1], False),
        },
        "curves": {
            "unet2d": curve(unet(6, 2, 1), [2, 1, 24, 32], volume_batch, True, 0.05),
            "unet3d": curve(unet(4, 2, 1), [2, 1, 8, 12, 8], volume_batch, True, 0.05),
            # At its full depth of 58 layers PyTorch's float32 and float64 part within three steps.
            "densenet": curve(densenet([2, 3, 4, 2], 8, 16, 3), [6, 1, 64, 64], class_batch, False, 0.02),
        },
        "densenet121": {"shape": shape, "keys": keys, "scores": [float(v) for v in scores.ravel()]},
    }
    print(json.dumps(record, separators=(",", ":")))


if __name__ == "__main__":
    main()
