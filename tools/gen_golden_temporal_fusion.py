#!/usr/bin/env python3
"""Records what PyTorch computes for the temporal fusion transformer: temporal_fusion.safetensors of tests/golden/model.

usage: gen_golden_temporal_fusion.py [OUT_DIR]      needs torch and safetensors; same values every time for the same version

The network of Lim et al. 2021 (arXiv:1912.09363, section 4) is written plainly below, series by series, each with a
history of its own length, over torch.nn.LSTM and functions of torch.nn, in f64. Recorded of each case: inputs, parameters
(f32 numbers) under the names that lookback uses, outputs, the mean over steps of the weights of variables, attention over
history and horizon, and the gradients of an uneven sum of the outputs; metadata "CASE.option" says which.
"""
import math
import os
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

LENGTHS = [4, 1, 5, 4]
HORIZON, OUTPUTS = 3, 2

# Widths of the variables: of those that the past alone has, those known ahead, those that do not change.
CASES = {
    "all": {"own": [2, 1], "future": [3, 1, 1], "fixed": [2, 1, 1], "hidden": 4, "layers": 1, "heads": 2},
    "two_layers": {"own": [2], "future": [1], "fixed": [2], "hidden": 3, "layers": 2, "heads": 3},
    "without_future": {"own": [2, 1, 1], "future": [], "fixed": [2, 1, 1], "hidden": 3, "layers": 1, "heads": 1},
    "without_fixed": {"own": [2, 1], "future": [1, 2, 1], "fixed": [], "hidden": 3, "layers": 1, "heads": 3},
    "series": {"own": [2], "future": [], "fixed": [], "hidden": 4, "layers": 1, "heads": 2},
}


def linear_shapes(name, inputs, outputs, bias=True):
    yield name + ".weight", (outputs, inputs)
    if bias:
        yield name + ".bias", (outputs,)


def gate_shapes(name, inputs, outputs):
    yield from linear_shapes(name + ".gate", inputs, 2 * outputs)
    yield name + ".norm.gamma", (outputs,)
    yield name + ".norm.beta", (outputs,)


def grn_shapes(name, inputs, hidden, outputs, context):
    yield from linear_shapes(name + ".fc1", inputs, hidden)
    if context:
        yield from linear_shapes(name + ".context", hidden, hidden, bias=False)
    yield from linear_shapes(name + ".fc2", hidden, hidden)
    if inputs != outputs:
        yield from linear_shapes(name + ".skip", inputs, outputs)
    yield from gate_shapes(name, hidden, outputs)


def selection_shapes(name, variables, C, context):
    for k in range(variables):
        yield from grn_shapes(f"{name}.variables.{k}", C, C, C, False)
    if variables > 1:
        yield from grn_shapes(name + ".weights", variables * C, C, variables, context)


def shapes(o):
    C, past, fixed = o["hidden"], o["own"] + o["future"], o["fixed"]
    for name, widths in (("past", past), ("fixed", fixed)):
        for k, width in enumerate(widths):
            yield from linear_shapes(f"{name}.{k}", width, C)
    yield from selection_shapes("past_selection", len(past), C, bool(fixed))
    if o["future"]:
        yield from selection_shapes("future_selection", len(o["future"]), C, bool(fixed))
    else:
        yield "step.weight", (HORIZON, C)
    if fixed:
        yield from selection_shapes("fixed_selection", len(fixed), C, False)
        for name in ["selection_context"] * (len(past) > 1) + ["enrichment_context", "initial_h", "initial_c"]:
            yield from grn_shapes(name, C, C, C, False)
    for name in ("encoder", "decoder"):
        for k in range(o["layers"]):
            for part, shape in (("weight_ih", (4 * C, C)), ("weight_hh", (4 * C, C)), ("bias_ih", (4 * C,)),
                                ("bias_hh", (4 * C,))):
                yield f"{name}.{part}_l{k}", shape
    yield from gate_shapes("lstm_gate", C, C)
    yield from grn_shapes("enrichment", C, C, C, bool(fixed))
    for name, inputs, outputs in (("query", C, C), ("key", C, C), ("value", C, C // o["heads"]),
                                  ("attended", C // o["heads"], C)):
        yield from linear_shapes(name, inputs, outputs, bias=False)
    yield from gate_shapes("attention_gate", C, C)
    yield from grn_shapes("feed_forward", C, C, C, False)
    yield from gate_shapes("output_gate", C, C)
    yield from linear_shapes("output", C, OUTPUTS)


class Network:
    """One series at a time; p holds the parameters by name."""

    def __init__(self, options, p):
        self.o, self.p = options, p

    def linear(self, name, x):
        return F.linear(x, self.p[name + ".weight"], self.p.get(name + ".bias"))

    def add_and_norm(self, name, x, addend):
        p = self.p
        return F.layer_norm(addend + F.glu(self.linear(name + ".gate", x)), addend.shape[-1:], p[name + ".norm.gamma"],
                            p[name + ".norm.beta"])

    def grn(self, name, x, context=None):
        hidden = self.linear(name + ".fc1", x)
        if context is not None:
            hidden = hidden + self.linear(name + ".context", context)
        skip = self.linear(name + ".skip", x) if name + ".skip.weight" in self.p else x
        return self.add_and_norm(name, self.linear(name + ".fc2", F.elu(hidden)), skip)

    def select(self, name, variables, context=None):
        """variables [T, C] each -> [T, C], and the weights [T, variables]."""
        own = torch.stack([self.grn(f"{name}.variables.{k}", x) for k, x in enumerate(variables)], 1)
        if len(variables) == 1:
            return own[:, 0], own.new_ones(len(own), 1)
        weights = torch.softmax(self.grn(name + ".weights", torch.cat(variables, 1), context), 1)
        return (weights[:, :, None] * own).sum(1), weights

    def embed(self, x, widths, first):
        """The variables of x, by the maps of the past from `first` on."""
        return [self.linear(f"past.{first + k}", part) for k, part in enumerate(x.split(widths, 1))]

    def lstm(self, name, x, state):
        layer = nn.LSTM(self.o["hidden"], self.o["hidden"], self.o["layers"])
        return torch.func.functional_call(layer, {n: self.p[f"{name}.{n}"] for n, _ in layer.named_parameters()},
                                          (x, state))

    def __call__(self, past, future, fixed):
        """past [L, P], future [H, F], fixed [S] -> y [H, OUTPUTS], what was looked at."""
        o, C, looked, context = self.o, self.o["hidden"], {}, {}
        state = [past.new_zeros(o["layers"], C)] * 2
        if o["fixed"]:
            parts = [self.linear(f"fixed.{k}", x) for k, x in enumerate(fixed[None].split(o["fixed"], 1))]
            summary, looked["fixed"] = self.select("fixed_selection", parts)
            context = {n: self.grn(n, summary) for n in ("selection_context", "enrichment_context")
                       if n + ".fc1.weight" in self.p}
            state = [self.grn(n, summary).expand(o["layers"], C) for n in ("initial_h", "initial_c")]
        selection = context.get("selection_context")
        before, looked["past"] = self.select("past_selection", self.embed(past, o["own"] + o["future"], 0), selection)
        if o["future"]:
            after, looked["future"] = self.select("future_selection", self.embed(future, o["future"], len(o["own"])),
                                                  selection if len(o["future"]) > 1 else None)
        else:
            after = self.p["step.weight"]
        history, state = self.lstm("encoder", before, tuple(state))
        horizon, _ = self.lstm("decoder", after, state)
        temporal = self.add_and_norm("lstm_gate", torch.cat((history, horizon)), torch.cat((before, after)))
        enriched = self.grn("enrichment", temporal, context.get("enrichment_context"))

        L, T = len(past), len(past) + HORIZON
        query, key = (self.linear(n, enriched).view(T, o["heads"], -1).transpose(0, 1) for n in ("query", "key"))
        energies = query @ key.transpose(1, 2) / math.sqrt(C // o["heads"])
        visible = torch.ones(T, T, dtype=torch.bool).tril()
        weights = torch.softmax(energies.masked_fill(~visible, -math.inf), 2).mean(0)[L:]
        looked["attention"] = weights
        attended = self.linear("attended", weights @ self.linear("value", enriched))
        x = self.add_and_norm("attention_gate", attended, enriched[L:])
        x = self.add_and_norm("output_gate", self.grn("feed_forward", x), temporal[L:])
        return self.linear("output", x), looked


def record(case, o, seed):
    torch.manual_seed(seed)
    start = {n: (0.7 * torch.randn(s)).float() for n, s in shapes(o)}
    p = {n: x.double().requires_grad_() for n, x in start.items()}
    B = len(LENGTHS)
    past = torch.randn(sum(LENGTHS), sum(o["own"] + o["future"]))
    future, fixed = torch.randn(B, HORIZON, sum(o["future"])), torch.randn(B, sum(o["fixed"]))
    network = Network(o, p)
    rows = [network(*x) for x in zip(past.split(LENGTHS), future, fixed)]
    y = torch.stack([y.flatten() for y, _ in rows])
    weight = torch.randn_like(y)
    (weight * y).sum().backward()
    own = {"past": past, "y": y, "weight_of_y": weight}
    if o["future"]:
        own["future"] = future.flatten(0, 1)
    if o["fixed"]:
        own["fixed"] = fixed
    own |= {"looked." + n: torch.stack([looked[n].mean(0) for _, looked in rows]) for n in rows[0][1] if n != "attention"}
    own |= {f"attention.{b}": looked["attention"] for b, (_, looked) in enumerate(rows)}
    own |= {"param." + n: x for n, x in start.items()} | {"grad.param." + n: x.grad for n, x in p.items()}
    options = {"kind": "tft", "heads": o["heads"], "encoder.hidden": o["hidden"], "encoder.layers": o["layers"]}
    return ({f"{case}.{n}": t.detach().contiguous() for n, t in own.items()},
            {f"{case}.option.{n}": str(v) for n, v in options.items()})


def main():
    default = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden", "model")
    out = sys.argv[1] if len(sys.argv) > 1 else default
    os.makedirs(out, exist_ok=True)
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    tensors, metadata = {}, {}
    for seed, (case, o) in enumerate(CASES.items()):
        recorded, options = record(case, o, 400 + seed)
        tensors |= recorded
        metadata |= options
    save_file(tensors, os.path.join(out, "temporal_fusion.safetensors"), metadata)


if __name__ == "__main__":
    main()
