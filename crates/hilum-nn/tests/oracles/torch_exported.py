"""Writes what PyTorch's two ONNX exporters make of small networks, and what PyTorch computes with them.

    python torch_exported.py FOLDER

Writes FOLDER/exported/*.onnx and FOLDER/torch_exported.json. Needs torch, onnx and onnxscript; the versions are written into the file. The names say
which exporter ("script", torch.onnx.export with dynamo=False, and "graph", with dynamo=True) and which extents are left open.
"""

import json
import os
import sys
import warnings

import onnx
import torch
import torch.nn.functional as F
from torch import nn

warnings.filterwarnings("ignore")
folder = sys.argv[1]
os.makedirs(f"{folder}/exported", exist_ok=True)
torch.manual_seed(11)


class Up(nn.Module):
    """A skip, and a map that is enlarged to its size."""

    def __init__(self):
        super().__init__()
        self.a, self.bn = nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.b, self.head = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(8, 1, 1)

    def forward(self, x):
        a = F.relu(self.bn(self.a(x)))
        b = F.interpolate(self.b(F.max_pool2d(a, 2)), size=a.shape[2:], mode="bilinear")
        return torch.sigmoid(self.head(torch.cat([a, b], 1)))


class Padded(nn.Module):
    """TensorFlow's padding, a pool over the whole map, and a view."""

    def __init__(self):
        super().__init__()
        self.pad, self.conv, self.fc = nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(1, 4, 3, stride=2), nn.Linear(4, 2)

    def forward(self, x):
        x = F.avg_pool2d(F.relu(self.conv(self.pad(x))), 4, 1)
        return self.fc(x.view(x.size(0), -1))


class Score(nn.Module):
    """A mean over two axes, and one score per image without an axis of its own."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 4, 3, stride=2), nn.Linear(4, 1)

    def forward(self, x):
        return self.fc(F.relu(self.conv(x)).mean((2, 3))).squeeze(1)


class Squeezed(nn.Module):
    """Axes taken away one by one, and dropout."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc, self.drop = nn.Conv2d(1, 4, 3, stride=2), nn.Linear(4, 3), nn.Dropout()

    def forward(self, x):
        x = F.adaptive_avg_pool2d(F.relu(self.conv(x)), 1)
        return F.softmax(self.fc(self.drop(x.squeeze(-1).squeeze(-1))), 1)


class Residual(nn.Module):
    """A stem and a block of ResNet."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1, self.pool = nn.Conv2d(1, 4, 7, 2, 3, bias=False), nn.BatchNorm2d(4), nn.MaxPool2d(3, 2, 1)
        self.conv2, self.bn2 = nn.Conv2d(4, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6)
        self.down, self.bn3 = nn.Conv2d(4, 6, 1, 2, bias=False), nn.BatchNorm2d(6)
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(6, 3)

    def forward(self, x):
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        x = F.relu(self.bn2(self.conv2(x)) + self.bn3(self.down(x)))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class Volume(nn.Module):
    """3D convolutions, instance norm, and enlargement by a factor."""

    def __init__(self):
        super().__init__()
        self.a, self.norm = nn.Conv3d(1, 4, 3, stride=2, padding=1), nn.InstanceNorm3d(4, affine=True)
        self.b, self.c, self.head = nn.ConvTranspose3d(4, 3, 2, 2), nn.Conv3d(4, 3, 1), nn.Conv3d(3, 1, 1)

    def forward(self, x):
        x = F.leaky_relu(self.norm(self.a(x)), 0.1)
        return self.head(self.b(x) + F.interpolate(self.c(x), scale_factor=2.0, mode="trilinear"))


OPEN = {"fixed": {}, "batch": {0: "n"}, "free": {0: "n", 2: "h", 3: "w"}}
BOTH = ("script", "graph")
MODELS = {
    "up": (Up, [2, 1, 8, 12], [(e, o) for e in BOTH for o in OPEN]),
    "padded": (Padded, [2, 1, 8, 8], [(e, o) for e in BOTH for o in ("fixed", "batch")]),
    "score": (Score, [2, 1, 9, 8], [(e, "free") for e in BOTH]),
    "squeezed": (Squeezed, [2, 1, 9, 8], [(e, "free") for e in BOTH]),
    "residual": (Residual, [2, 1, 32, 24], [(e, "free") for e in BOTH]),
    "volume": (Volume, [2, 1, 4, 6, 8], [(e, "fixed") for e in BOTH]),
}


def export(net, x, exporter, axes, path):
    names = {"input_names": ["x"], "output_names": ["y"]}
    if exporter == "script":
        torch.onnx.export(net, (x,), path, dynamo=False, training=torch.onnx.TrainingMode.PRESERVE, dynamic_axes={"x": axes}, **names)
    else:
        shapes = ({axis: torch.export.Dim.AUTO for axis in axes},) if axes else None
        torch.onnx.export(net, (x,), path, dynamo=True, external_data=False, verbose=False, dynamic_shapes=shapes, **names)
    model = onnx.load(path)
    # Traces of the exporting program, folders among them.
    model.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in list(model.graph.value_info) + list(model.graph.initializer) + list(model.graph.input) + list(model.graph.output):
        value.ClearField("metadata_props")
    model.graph.ClearField("value_info")
    model.graph.ClearField("doc_string")
    model.ClearField("doc_string")
    onnx.save(model, path)


def numbers(tensor):
    return [float(v) for v in tensor.detach().numpy().ravel()]


models, cases = {}, {}
for name, (make, shape, ways) in MODELS.items():
    net = make()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                tensor.data.uniform_(0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                tensor.data.normal_()
    net.eval()
    x = torch.randn(shape)
    y = net(x)
    models[name] = {"x_shape": shape, "x": numbers(x), "y_shape": list(y.shape), "y": numbers(y)}
    for exporter, extents in ways:
        case = name + "_" + exporter + ("" if extents == "fixed" else "_" + extents)
        export(net, x, exporter, OPEN[extents], f"{folder}/exported/{case}.onnx")
        cases[case] = name
versions = {"torch": torch.__version__, "onnx": onnx.__version__}
with open(f"{folder}/torch_exported.json", "w") as f:
    json.dump({"versions": versions, "models": models, "cases": cases}, f, separators=(",", ":"))
