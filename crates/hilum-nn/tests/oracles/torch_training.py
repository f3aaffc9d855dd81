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


# Losses: values and gradients of logits. Probabilities are float64's; the formulas of focal, Dice and Tversky are those of the papers.


def dice(p, t, keep, smooth=1.0, scope="batch", background=True, **_):
    axes = (0, 2) if scope == "batch" else (2,)
    p, t = p * keep, t * keep
    value = 1 - (2 * (p * t).sum(axes) + smooth) / (p.sum(axes) + t.sum(axes) + smooth)
    return (value if background else value[..., 1:]).mean()


def tversky(p, t, keep, alpha=0.3, beta=0.7, smooth=1.0, scope="batch", background=True, **_):
    axes = (0, 2) if scope == "batch" else (2,)
    p, t = p * keep, t * keep
    hit, false, missed = (p * t).sum(axes), (p * (1 - t) * keep).sum(axes), ((1 - p) * t).sum(axes)
    value = 1 - (hit + smooth) / (hit + alpha * false + beta * missed + smooth)
    return (value if background else value[..., 1:]).mean()


def sigmoid_loss(term, x, t, keep, w):
    if term["kind"] == "bce":
        pos = torch.tensor(term["positive_weights"]).view(1, -1, 1) if "positive_weights" in term else None
        each = F.binary_cross_entropy_with_logits(x, t, pos_weight=pos, reduction="none")
        return (each * w * keep).sum() / keep.sum()
    p = torch.sigmoid(x)
    if term["kind"] == "focal":  # as torchvision.ops.sigmoid_focal_loss
        entropy = F.binary_cross_entropy_with_logits(x, t, reduction="none")
        q = p * t + (1 - p) * (1 - t)
        each = entropy * (1 - q) ** term.get("gamma", 2.0)
        if "alpha" in term:
            a = torch.tensor(term["alpha"]).view(1, -1, 1)
            each = each * (a * t + (1 - a) * (1 - t))
        return (each * w * keep).sum() / keep.sum()
    return {"dice": dice, "tversky": tversky}[term["kind"]](p, t, keep, **{k: v for k, v in term.items() if k != "kind"})


def softmax_loss(term, x, labels, ignore, w):
    keep = (labels != ignore).double()
    safe = torch.where(labels == ignore, torch.zeros_like(labels), labels).long()
    if term["kind"] == "cross_entropy":
        cw = torch.tensor(term["class_weights"]) if "class_weights" in term else None
        plain = F.cross_entropy(x, labels.long(), weight=cw, ignore_index=ignore)
        each = F.cross_entropy(x, labels.long(), weight=cw, ignore_index=ignore, reduction="none")
        of_class = (cw if cw is not None else torch.ones(x.shape[1]))[safe]
        weighted = (each * w).sum() / (of_class * keep * w).sum()
        if bool((w == 1).all()):
            assert abs(float((plain - weighted).detach())) < 1e-12
        return weighted
    if term["kind"] == "focal":
        log_q = F.log_softmax(x, 1).gather(1, safe[:, None])[:, 0]
        a = torch.tensor(term["alpha"])[safe] if "alpha" in term else 1.0
        each = -a * (1 - log_q.exp()) ** term.get("gamma", 2.0) * log_q
        return (each * w * keep).sum() / keep.sum()
    t = F.one_hot(safe, x.shape[1]).movedim(-1, 1).double()
    return {"dice": dice, "tversky": tversky}[term["kind"]](
        F.softmax(x, 1), t, keep[:, None], **{k: v for k, v in term.items() if k != "kind"}
    )


IMAGES, CLASSES, PIXELS = 2, 3, 11
logits = 2.5 * normal(IMAGES, CLASSES, PIXELS)
logits = logits.float().double()
hard = (normal(IMAGES, CLASSES, PIXELS) > 0.4).double()
soft = torch.sigmoid(normal(IMAGES, CLASSES, PIXELS)).float().double()
holes = hard.clone()
holes[torch.tensor(rng.random((IMAGES, CLASSES, PIXELS)) < 0.3)] = -1.0
labels = torch.tensor(rng.integers(0, CLASSES, (IMAGES, PIXELS)).astype(np.float64))
label_holes = labels.clone()
label_holes[torch.tensor(rng.random((IMAGES, PIXELS)) < 0.3)] = 255.0
pixel_weights = torch.tensor(rng.random((IMAGES, PIXELS)).astype(np.float32).astype(np.float64)) * 2

SIGMOID = [
    ([{"kind": "bce"}], hard, None, None),
    ([{"kind": "bce"}], soft, None, None),
    ([{"kind": "bce", "positive_weights": [0.5, 2.0, 7.0]}], soft, None, pixel_weights),
    ([{"kind": "bce", "weight": 0.3}, {"kind": "dice", "weight": 1.5}], holes, -1, pixel_weights),
    ([{"kind": "dice", "scope": "image", "smooth": 0.5}], hard, None, None),
    ([{"kind": "dice", "background": False}], holes, -1, None),
    ([{"kind": "focal"}], hard, None, None),
    ([{"kind": "focal", "gamma": 1.5, "alpha": [0.25, 0.5, 0.9]}], soft, None, pixel_weights),
    ([{"kind": "focal", "gamma": 0.0, "alpha": [0.25, 0.25, 0.25]}], holes, -1, None),
    ([{"kind": "tversky"}], hard, None, None),
    ([{"kind": "tversky", "alpha": 0.6, "beta": 0.2, "smooth": 0.1, "scope": "image", "background": False}], holes, -1, None),
]
SOFTMAX = [
    ([{"kind": "cross_entropy"}], labels, None, None),
    ([{"kind": "cross_entropy", "class_weights": [0.2, 1.0, 3.0]}], labels, None, None),
    ([{"kind": "cross_entropy", "class_weights": [0.2, 1.0, 3.0]}], label_holes, 255, pixel_weights),
    ([{"kind": "focal"}], labels, None, None),
    ([{"kind": "focal", "gamma": 0.5, "alpha": [0.1, 0.5, 0.4]}], label_holes, 255, pixel_weights),
    ([{"kind": "dice"}], labels, None, None),
    ([{"kind": "cross_entropy"}, {"kind": "dice", "scope": "image", "background": False, "weight": 0.7}], label_holes, 255, None),
    ([{"kind": "tversky", "scope": "image"}, {"kind": "tversky", "alpha": 0.5, "beta": 0.5, "weight": 2.0}], label_holes, 255, None),
]


def loss_case(activation, terms, target, ignore, weights):
    x = logits.clone().requires_grad_(True)
    w = torch.ones(IMAGES, PIXELS) if weights is None else weights
    total = 0.0
    for term in terms:
        if activation == "sigmoid":
            keep = (target != ignore).double() if ignore is not None else torch.ones_like(target)
            one = sigmoid_loss(term, x, torch.where(keep > 0, target, 0.0), keep, w[:, None])
        else:
            one = softmax_loss(term, x, target, -100 if ignore is None else ignore, w)
        total = total + term.get("weight", 1.0) * one
    total.backward()
    loss = {"activation": activation, "term": terms} | ({} if ignore is None else {"ignore": ignore})
    return {
        "loss": loss,
        "target": numbers(target),
        "weights": None if weights is None else numbers(weights),
        "value": float(total.detach()),
        "gradient": exact(x.grad),
    }


losses = [loss_case("sigmoid", *c) for c in SIGMOID] + [loss_case("softmax", *c) for c in SOFTMAX]

record = {
    "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
    "shape": [N, C, H, W],
    "start": {k: {"shape": list(v.shape), "data": numbers(v)} for k, v in start.items()},
    "batches": [{"x": numbers(x), "y": numbers(y), "rate": rate(i)} for i, (x, y) in enumerate(batches)],
    "optimisers": [train(rule, config, clipping) for rule, config, clipping in OPTIMISERS],
    "losses": {"shape": [IMAGES, CLASSES, PIXELS], "logits": numbers(logits), "cases": losses},
    "schedules": [{"schedule": s, "rates": r, "losses": l} for s, r, l in schedules],
}
print(json.dumps(record, indent=None, separators=(",", ":")))
