"""The peers of `cargo xtask bench nn`, in the language of main.rs beside this file.

    peers.py version                    name and version of every peer, or why it is absent
    peers.py run ENGINE FOLDER THREADS  ENGINE: pytorch, pytorch-bf16, onnxruntime, openvino, openvino-bf16

`run` prepares what `peers export` wrote into FOLDER and prints `ready A B NOTE`, or `absent WHY`; then it answers every line `go` with the
seconds of one run. A PyTorch network is interpreted from network.toml with the functions of torch.nn.functional, so that no network has to be
written a second time; the convolutions' time is the same as that of modules.
"""

import importlib.util
import json
import pathlib
import sys
import time
import tomllib

import numpy as np

SAMPLE = 0.5
RATE = 1e-3


def noise(count, skip=0):
    """The values of `noise` in main.rs."""
    index = np.arange(skip, skip + count, dtype=np.uint64)
    with np.errstate(over="ignore"):
        return ((index * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)).astype(np.float32) / np.float32(8388608) - np.float32(1)


def weights(folder):
    """The tensors of weights.safetensors: eight bytes of length, a JSON table, the data."""
    data = (folder / "weights.safetensors").read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    table = json.loads(data[8:start])
    table.pop("__metadata__", None)
    return {
        name: np.frombuffer(data[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]], "<f4").reshape(entry["shape"])
        for name, entry in table.items()
    }


def figures(y):
    """Mean and root mean square of a result."""
    y = np.asarray(y, dtype=np.float64)
    return y.mean(), np.sqrt((y * y).mean())


class PyTorch:
    """The description run by torch.nn.functional, in channels-last memory."""

    def __init__(self, work, folder, threads, bf16):
        import torch
        import torch.nn.functional as functional

        self.torch, self.functional, self.bf16 = torch, functional, bf16
        torch.set_num_threads(threads)
        self.training = work["kind"] == "training"
        self.layers = tomllib.loads((folder / "network.toml").read_text())["layer"]
        self.reads = {}
        previous = "input"
        for layer in self.layers:
            layer.setdefault("inputs", [previous])
            previous = layer["name"]
            for name in layer["inputs"]:
                self.reads[name] = self.reads.get(name, 0) + 1
        if self.training:
            # The loss takes the logits before the last sigmoid.
            assert self.layers.pop()["op"] == "sigmoid"
        self.tensors = {name: self.placed(torch.tensor(value)) for name, value in weights(folder).items()}
        self.x = self.placed(torch.tensor(noise(int(np.prod(work["shape"])))).reshape(work["shape"]))
        if self.training:
            learned = [t.requires_grad_() for name, t in self.tensors.items() if ".running_" not in name]
            self.optimiser = torch.optim.Adam(learned, lr=RATE)
            self.y = torch.tensor((noise(work["outputs"], 7) > 0).astype(np.float32))
            self.ready = (self.run(), self.run())
        else:
            self.ready = figures(self.run().float().contiguous().numpy())
        self.note = f"ATen {torch.backends.cpu.get_cpu_capability()}"

    def placed(self, tensor):
        layout = {4: self.torch.channels_last, 5: self.torch.channels_last_3d}.get(tensor.dim())
        return tensor.contiguous(memory_format=layout) if layout else tensor

    def run(self):
        torch = self.torch
        if not self.training:
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
                return self.forward()
        self.optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            y = self.forward()
        # `reshape` gives the logits in the order of the targets whatever their memory format.
        loss = self.functional.binary_cross_entropy_with_logits(y.float().reshape(-1), self.y)
        loss.backward()
        self.optimiser.step()
        return loss.item()

    def forward(self):
        values = {"input": self.x}
        left = dict(self.reads)
        y = self.x
        for layer in self.layers:
            y = self.layer(layer, [values[name] for name in layer["inputs"]])
            values[layer["name"]] = y
            for name in layer["inputs"]:
                left[name] -= 1
                if left[name] == 0:
                    del values[name]
        return y

    def layer(self, layer, inputs):
        f, x = self.functional, inputs[0]
        get = lambda kind: self.tensors.get(f"{layer['name']}.{kind}")
        axes = x.dim() - 2
        of_axes = lambda name: getattr(f, f"{name}{axes}d")
        default = lambda field, value: layer.get(field, [value] * axes)
        match layer["op"]:
            case "conv2d":
                return f.conv2d(x, get("weight"), get("bias"), padding=layer["kernel"] // 2)
            case "conv":
                windows = default("stride", 1), default("padding", 0), default("dilation", 1)
                return of_axes("conv")(x, get("weight"), get("bias"), *windows, layer.get("groups", 1))
            case "conv_transpose2d":
                return f.conv_transpose2d(x, get("weight"), get("bias"), stride=2)
            case "conv_transpose":
                windows = default("stride", 1), default("padding", 0), default("output_padding", 0)
                return of_axes("conv_transpose")(x, get("weight"), get("bias"), *windows, 1, default("dilation", 1))
            case "linear":
                return f.linear(x, get("weight"), get("bias"))
            case "max_pool2d":
                return f.max_pool2d(x, 2)
            case "max_pool":
                windows = layer["kernel"], default("stride", 1), default("padding", 0)
                return of_axes("max_pool")(x, *windows, ceil_mode=layer.get("ceil", False))
            case "avg_pool":
                windows = layer["kernel"], default("stride", 1), default("padding", 0)
                counted = {"ceil_mode": layer.get("ceil", False), "count_include_pad": layer.get("count_padding", True)}
                return of_axes("avg_pool")(x, *windows, **counted)
            case "global_avg_pool":
                return of_axes("adaptive_avg_pool")(x, 1)
            case "flatten":
                return x.flatten(1)
            case "batch_norm2d" | "batch_norm":
                statistics = get("running_mean"), get("running_var")
                return f.batch_norm(x, *statistics, get("weight"), get("bias"), training=self.training, eps=layer.get("eps", 1e-5))
            case "relu":
                # In place where nobody else reads the input, as modules are usually written.
                return f.relu(x, inplace=self.reads[layer["inputs"][0]] == 1 and layer["inputs"] != ["input"])
            case "sigmoid":
                return self.torch.sigmoid(x)
            case "concat":
                return self.torch.cat(inputs, 1)
            case "add":
                return sum(inputs[1:], inputs[0])
            case "scale":
                return x * layer["factor"]
            case "dropout" if not self.training or layer["rate"] == 0:
                return x
            case other:
                raise NotImplementedError(f"operator {other} is not among those that peers.py gives to PyTorch")


class OnnxRuntime:
    """ONNX Runtime on our ONNX, with bound input and output."""

    def __init__(self, work, folder, threads, bf16):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self.session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        self.binding.bind_cpu_input("input", noise(int(np.prod(work["shape"]))).reshape(work["shape"]))
        self.binding.bind_output("output")
        self.run()
        self.ready, self.note = figures(self.binding.copy_outputs_to_cpu()[0]), ""

    def run(self):
        self.session.run_with_iobinding(self.binding)


class OpenVino:
    """OpenVINO on our ONNX, planned for the input's shape and for latency."""

    def __init__(self, work, folder, threads, bf16):
        import openvino

        core = openvino.Core()
        model = core.read_model(folder / "model.onnx")
        model.reshape(work["shape"])
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
        }
        compiled = core.compile_model(model, "CPU", settings)
        self.request = compiled.create_infer_request()
        self.x = noise(int(np.prod(work["shape"]))).reshape(work["shape"])
        self.request.set_input_tensor(openvino.Tensor(self.x, shared_memory=True))
        self.run()
        self.ready = figures(self.request.get_output_tensor().data)
        info = lambda op, key: op.get_rt_info()[key].astype(str)
        kinds = {info(op, "primitiveType") for op in compiled.get_runtime_model().get_ops() if info(op, "layerType").startswith("Conv")}
        self.note = "convolutions: " + ", ".join(sorted(kinds))

    def run(self):
        self.request.infer()


ENGINES = {
    "pytorch": (PyTorch, "torch", False),
    "pytorch-bf16": (PyTorch, "torch", True),
    "onnxruntime": (OnnxRuntime, "onnxruntime", False),
    "openvino": (OpenVino, "openvino", False),
    "openvino-bf16": (OpenVino, "openvino", True),
}


def why_absent(module):
    """`None` where the module can be imported, else the reason in one line."""
    if module == "torch" and importlib.util.find_spec("torch") is None:
        return "the Python Package Index has it for Linux only with CUDA; --python names a Python that has it"
    try:
        importlib.import_module(module)
    except (ImportError, OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


def serve(engine):
    print(f"ready {engine.ready[0]:e} {engine.ready[1]:e} {engine.note}", flush=True)
    for line in sys.stdin:
        assert line.strip() == "go", line
        start, runs = time.perf_counter(), 0
        while runs == 0 or time.perf_counter() - start < SAMPLE:
            engine.run()
            runs += 1
        print(f"{(time.perf_counter() - start) / runs:e}", flush=True)


def main():
    if sys.argv[1:] == ["version"]:
        for name, module in (("PyTorch", "torch"), ("ONNX Runtime", "onnxruntime"), ("OpenVINO", "openvino")):
            why = why_absent(module)
            print(f"{name}: {f'not installed ({why})' if why else sys.modules[module].__version__}")
        return
    _, engine, folder, threads = sys.argv[1:]
    kind, module, bf16 = ENGINES[engine]
    why = why_absent(module)
    if why:
        print(f"absent {why}", flush=True)
        return
    folder = pathlib.Path(folder)
    serve(kind(tomllib.loads((folder / "work.toml").read_text()), folder, int(threads), bf16))


if __name__ == "__main__":
    main()
