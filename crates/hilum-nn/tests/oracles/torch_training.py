"""Records what PyTorch computes for the optimisers, schedules and losses of hilum-nn.

    python torch_training.py > torch_training.json

Needs torch and numpy; the versions are written into the file. Everything runs in float64, so that the record is more exact than what is compared.
"""

import json
import platform

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
rng = np.random.default_rng(20260)


def numbers(tensor):
    """Flat list, rounded to float32 so that both sides start from the same values."""
    return [float(np.float32(v)) for v in tensor.detach().numpy().ravel()]


def exact(tensor):
    return [float(v) for v in tensor.detach().numpy().ravel()]


def normal(*shape):
    return torch.tensor(rng.standard_normal(shape).astype(np.float32).astype(np.float64))


# Optimisers: a small network, six steps at changing learning rates.

N, C, H, W, HIDDEN = 2, 2, 5, 4, 3
STEPS = 6


def rate(step):
    return 0.02 * (1 + step % 3)


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Conv2d(C, HIDDEN, 3, padding=1, bias=False)
        self.bn = torch.nn.BatchNorm2d(HIDDEN)
        self.head = torch.nn.Conv2d(HIDDEN, 1, 1)

    def forward(self, x):
        return self.head(torch.relu(self.bn(self.a(x))))


start = {
    "a.weight": 0.5 * normal(HIDDEN, C, 3, 3),
    "bn.weight": 1 + 0.2 * normal(HIDDEN),
    "bn.bias": 0.1 * normal(HIDDEN),
    "bn.running_mean": 0.1 * normal(HIDDEN),
    "bn.running_var": 1 + 0.5 * normal(HIDDEN).abs(),
    "head.weight": normal(1, HIDDEN, 1, 1),
    "head.bias": 0.1 * normal(1),
}
start = {k: v.float().double() for k, v in start.items()}
batches = [(normal(N, C, H, W), (normal(N, 1, H, W) > 0.3).double()) for _ in range(STEPS)]

OPTIMISERS = [
    ("sgd", {}, {}),
    ("sgd", {"momentum": 0.9}, {}),
    ("sgd", {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.02}, {}),
    ("sgd", {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01}, {}),
    ("adam", {}, {}),
    ("adam", {"beta1": 0.8, "beta2": 0.95, "eps": 1e-3, "weight_decay": 0.05}, {}),
    ("adamw", {}, {}),
    ("adamw", {"weight_decay": 0.3}, {}),
    ("sgd", {"momentum": 0.9}, {"norm": 0.1}),
    ("adam", {}, {"value": 0.01}),
    ("sgd", {"momentum": 0.9}, {"value": 0.03, "norm": 0.05}),
]


def optimiser(rule, config, parameters):
    config = dict(config)
    if rule == "sgd":
        return torch.optim.SGD(parameters, lr=1.0, **config)
    betas = (config.pop("beta1", 0.9), config.pop("beta2", 0.999))
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[rule](parameters, betas=betas, **config)


def train(rule, config, clipping):
    net = Small()
    net.load_state_dict(start, strict=False)
    opt = optimiser(rule, config, net.parameters())
    losses = []
    for step, (x, y) in enumerate(batches):
        for group in opt.param_groups:
            group["lr"] = rate(step)
        opt.zero_grad()
        loss = F.binary_cross_entropy_with_logits(net(x), y)
        loss.backward()
        if "value" in clipping:
            torch.nn.utils.clip_grad_value_(net.parameters(), clipping["value"])
        if "norm" in clipping:
            torch.nn.utils.clip_grad_norm_(net.parameters(), clipping["norm"])
        opt.step()
        losses.append(float(loss.detach()))
    end = {k: exact(v) for k, v in net.state_dict().items() if "num_batches" not in k}
    return {"rule": rule, "config": config, "clipping": clipping, "losses": losses, "weights": end}


# Schedules.


def rates(make, count, losses=None):
    opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = make(opt)
    out = [opt.param_groups[0]["lr"]]
    for t in range(count):
        opt.step()
        schedule.step(*([] if losses is None else [losses[t]]))
        out.append(opt.param_groups[0]["lr"])
    return out


S = torch.optim.lr_scheduler
falling = [1.0 / (1 + 0.2 * t) if t < 12 else 0.5 + 0.01 * (t % 5) for t in range(60)]
flat = [1.0 - 1e-6 * t for t in range(40)]


def cosine(opt):
    warm = S.LinearLR(opt, start_factor=0.25, total_iters=5)
    return S.SequentialLR(opt, [warm, S.CosineAnnealingLR(opt, T_max=20, eta_min=0.01)], milestones=[5])


schedules = [
    ({"kind": "step", "rate": 0.1, "every": 4}, rates(lambda o: S.StepLR(o, 4), 20), []),
    ({"kind": "step", "rate": 0.1, "every": 3, "factor": 0.5}, rates(lambda o: S.StepLR(o, 3, gamma=0.5), 20), []),
    ({"kind": "cosine", "rate": 0.1, "length": 20, "floor": 0.01},
     rates(lambda o: S.CosineAnnealingLR(o, 20, eta_min=0.01), 20), []),
    ({"kind": "cosine", "rate": 0.1, "length": 25, "floor": 0.01, "warm_up": 5, "start_factor": 0.25}, rates(cosine, 25), []),
    ({"kind": "polynomial", "rate": 0.1, "length": 15}, rates(lambda o: S.PolynomialLR(o, 15, power=0.9), 18), []),
    ({"kind": "plateau", "rate": 0.1}, rates(lambda o: S.ReduceLROnPlateau(o), 60, falling), falling),
    ({"kind": "plateau", "rate": 0.1, "factor": 0.5, "patience": 2, "cooldown": 3, "floor": 0.01},
     rates(lambda o: S.ReduceLROnPlateau(o, factor=0.5, patience=2, cooldown=3, min_lr=0.01), 60, falling), falling),
    ({"kind": "plateau", "rate": 0.1, "factor": 0.2, "patience": 4, "threshold": 0.0},
     rates(lambda o: S.ReduceLROnPlateau(o, factor=0.2, patience=4, threshold=0.0), 40, flat), flat),
]

record = {
    "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
    "shape": [N, C, H, W],
    "start": {k: {"shape": list(v.shape), "data": numbers(v)} for k, v in start.items()},
    "batches": [{"x": numbers(x), "y": numbers(y), "rate": rate(i)} for i, (x, y) in enumerate(batches)],
    "optimisers": [train(rule, config, clipping) for rule, config, clipping in OPTIMISERS],
    "schedules": [{"schedule": s, "rates": r, "losses": l} for s, r, l in schedules],
}
print(json.dumps(record, indent=None, separators=(",", ":")))
