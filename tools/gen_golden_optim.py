#!/usr/bin/env python3
"""Records ten steps of every torch.optim optimiser that train/optimizer.h has: tests/golden/optim/KIND.json.

usage: gen_golden_optim.py [OUT_DIR]      needs torch; same output every time for the same version

Per case: `options` as the recipe has them, `lr` of each step, two parameters with their start and the gradient of
each step ("-" where there is none), and their values after each step in f32 and f64 (and `f64_average` where the
mean of the weights is kept). Numbers are text, so that every digit survives.
"""
import json
import os
import random
import sys

import torch

STEPS = 10
torch.set_default_dtype(torch.float64)  # else ASGD rounds lr to f32 in f64 runs
SIZES = {"w": 6, "b": 3}


def words(tensor):
    return " ".join(repr(x) for x in tensor.double().tolist())


def gradients(rng):
    out = []
    for step in range(STEPS):
        grads = {name: [rng.gauss(0, 1) * 10 ** rng.uniform(-3, 1) for _ in range(n)] for name, n in SIZES.items()}
        grads["w"][step % 6] = 0.0
        if step in (0, 4):
            grads["b"] = None  # unused in this step
        out.append(grads)
    return out


def run(make, dtype, start, grads, lrs, clip):
    params = {n: torch.tensor(x, dtype=dtype, requires_grad=True) for n, x in start.items()}
    optimizer = make(list(params.values()))
    values, averages = {n: [] for n in params}, {n: [] for n in params}
    for step in range(STEPS):
        for name, p in params.items():
            g = grads[step][name]
            p.grad = None if g is None else torch.tensor(g, dtype=dtype)
        if clip:
            torch.nn.utils.clip_grad_norm_(list(params.values()), clip)
        for group in optimizer.param_groups:
            group["lr"] = lrs[step]
        if isinstance(optimizer, torch.optim.ASGD):
            for p in params.values():  # torch takes a new lr into account only one step later
                if p in optimizer.state:
                    optimizer.state[p]["eta"].fill_(lrs[step])
        optimizer.step()
        for name, p in params.items():
            values[name].append(words(p.detach()))
            ax = optimizer.state[p]["ax"] if isinstance(optimizer, torch.optim.ASGD) and p in optimizer.state else p
            averages[name].append(words(ax.detach()))
    return values, averages


def case(options, make, average=False):
    """options: recipe names; make: parameters -> torch optimiser."""
    rng = random.Random(json.dumps(options, sort_keys=True))
    start = {n: [rng.gauss(0, 1) for _ in range(k)] for n, k in SIZES.items()}
    grads = gradients(rng)
    if average:  # ASGD counts steps per parameter, the average here counts updates
        for g in grads:
            g["b"] = g["b"] or [0.5, -0.25, 0.125]
    lr = options.get("lr", {"adadelta": 1.0, "sgd": 0.01, "adagrad": 0.01}.get(options["kind"], 0.001))
    lrs = [lr * (1 if k < 5 else 0.5) for k in range(STEPS)]
    out = {"options": [f"{k}={str(v).lower()}" for k, v in options.items()], "lr": " ".join(map(repr, lrs))}
    for name in SIZES:
        out[name] = {
            "start": words(torch.tensor(start[name], dtype=torch.float64)),
            "grads": ["-" if g[name] is None else " ".join(map(repr, g[name])) for g in grads],
        }
    for label, dtype in (("f32", torch.float32), ("f64", torch.float64)):
        values, averages = run(make, dtype, start, grads, lrs, options.get("clip", 0))
        for name in SIZES:
            out[name][label] = values[name]
            if average and label == "f64":
                out[name]["f64_average"] = averages[name]
    return out


def cases():
    o = torch.optim
    yield "sgd", {
        "plain": case({"kind": "sgd", "lr": 0.1}, lambda p: o.SGD(p, lr=0.1)),
        "decay": case({"kind": "sgd", "lr": 0.1, "weight_decay": 0.05}, lambda p: o.SGD(p, lr=0.1, weight_decay=0.05)),
        "momentum": case({"kind": "sgd", "lr": 0.1, "momentum": 0.9}, lambda p: o.SGD(p, lr=0.1, momentum=0.9)),
        "nesterov": case(
            {"kind": "sgd", "lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.02},
            lambda p: o.SGD(p, lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.02),
        ),
        "clip": case({"kind": "sgd", "lr": 0.1, "clip": 1.5}, lambda p: o.SGD(p, lr=0.1)),
        "averaged": case(
            {"kind": "sgd", "lr": 0.1, "weight_decay": 0.01, "averaged": True, "average_start": 5},
            lambda p: o.ASGD(p, lr=0.1, lambd=0.0, t0=3, weight_decay=0.01),
            average=True,
        ),
    }
    yield "adagrad", {
        "plain": case({"kind": "adagrad"}, lambda p: o.Adagrad(p)),
        "decay": case(
            {"kind": "adagrad", "lr": 0.2, "weight_decay": 0.1, "epsilon": 1e-3},
            lambda p: o.Adagrad(p, lr=0.2, weight_decay=0.1, eps=1e-3),
        ),
    }
    yield "adadelta", {
        "plain": case({"kind": "adadelta"}, lambda p: o.Adadelta(p)),
        "decay": case(
            {"kind": "adadelta", "lr": 0.5, "rho": 0.8, "epsilon": 1e-4, "weight_decay": 0.1},
            lambda p: o.Adadelta(p, lr=0.5, rho=0.8, eps=1e-4, weight_decay=0.1),
        ),
    }
    for kind, cls in (("adam", o.Adam), ("adamw", o.AdamW), ("radam", o.RAdam)):
        yield kind, {
            "plain": case({"kind": kind}, lambda p: cls(p, weight_decay=0)),
            "decay": case({"kind": kind, "lr": 0.05, "weight_decay": 0.3}, lambda p: cls(p, lr=0.05, weight_decay=0.3)),
            "betas": case(
                {"kind": kind, "lr": 0.02, "beta1": 0.6, "beta2": 0.95, "epsilon": 1e-2},
                lambda p: cls(p, lr=0.02, betas=(0.6, 0.95), eps=1e-2, weight_decay=0),
            ),
            "clip": case({"kind": kind, "lr": 0.02, "clip": 0.5}, lambda p: cls(p, lr=0.02, weight_decay=0)),
        }


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../tests/golden/optim")
    os.makedirs(out, exist_ok=True)
    for kind, table in cases():
        with open(os.path.join(out, kind + ".json"), "w", encoding="utf-8") as f:
            json.dump(table, f, indent=1)
            f.write("\n")


if __name__ == "__main__":
    main()
