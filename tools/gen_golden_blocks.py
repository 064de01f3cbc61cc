#!/usr/bin/env python3
"""Records what PyTorch computes for blocks, pooling and classifiers: files of tests/golden/model, beside gen_golden.py.

usage: gen_golden_blocks.py [OUT_DIR]      needs torch and safetensors; same values every time for the same version

blocks.safetensors   torch.nn.MultiheadAttention between a LayerNorm and a residual, and torch.nn.TransformerEncoderLayer,
                     over padded ragged batches, in f64: inputs, parameters under the names that lookback uses, outputs
                     and the gradients of an uneven sum of them; metadata "CASE.option" says which
pooling.safetensors  attention pooling written plainly, with the penalty of its hops, the same way
classifier_NAME      a classifier written plainly below, text by text; metadata "option.*" and "loss.*" say which.
                     Parameters and gradients, the loss (f64 arithmetic), and the losses of ten steps of
                     torch.optim.Adam (f32 arithmetic)

Padding does not come back: rows of a batch are recorded one sequence after the other, each of its own length.
"""
import math
import os
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from gen_golden import LR, STEPS, recurrent_shapes

LENGTHS = [5, 4, 2, 1]
WIDTH = 6  # of the rows of blocks and pooling
INSIDE = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS).unsqueeze(1)  # [B, T] what is not padding

# What the cases have in common; each case below says where it differs.
ATTENTION = {"heads": 2, "feed_forward": 0, "norm": "before", "causal": False, "window": 0, "relative": 0}
BLOCKS = {
    "attention": {},
    "attention_after": {"norm": "after", "heads": 3},
    "layer": {"feed_forward": 7},
    "layer_after": {"feed_forward": 7, "norm": "after"},
    "causal": {"causal": True},
    "window": {"window": 1},
    "causal_window": {"causal": True, "window": 2, "feed_forward": 7},
    "relative": {"relative": 2},
    "everything": {"causal": True, "window": 2, "relative": 1, "feed_forward": 7, "norm": "after", "heads": 3},
}
POOLINGS = {
    "additive": {"kind": "additive", "attention": 4, "hops": 1},
    "additive_hops": {"kind": "additive", "attention": 4, "hops": 3},
    "dot_hops": {"kind": "dot", "attention": 0, "hops": 2},
}
PENALTY = 0.5

TEXTS = [[4, 9, 5, 6], [7], [], [7, 4, 4, 8, 10, 5], [6, 5, 9]]
LABELS = [2, 0, 1, 3, 2]
VOCABULARY, CLASSES, EMBEDDING = 11, 4, 6


def recurrent(kind):
    return {"kind": kind, "hidden": 3}


def self_attention(**changes):
    return {"kind": "self_attention", **ATTENTION, **changes}


BETWEEN = [recurrent("bilstm"), self_attention(feed_forward=7), recurrent("bilstm")]
CLASSIFIERS = {
    "attention": {"blocks": BETWEEN, "pooling": {"kind": "additive", "attention": 4, "hops": 1}, "smoothing": 0.1},
    "hops": {"blocks": BETWEEN, "pooling": {"kind": "additive", "attention": 4, "hops": 3}, "smoothing": 0.1,
             "penalty": 0.3},
    "dot": {"blocks": [self_attention(relative=2), recurrent("bigru"),
                       self_attention(norm="after", causal=True, window=2, heads=3)],
            "pooling": {"kind": "dot", "attention": 0, "hops": 1}, "smoothing": 0.0},
    "last": {"blocks": [recurrent("lstm"), recurrent("bilstm")],
             "pooling": {"kind": "last", "attention": 0, "hops": 1}, "smoothing": 0.1},
    "max": {"blocks": [recurrent("bigru")], "pooling": {"kind": "max", "attention": 0, "hops": 1}, "smoothing": 0.1},
    "mean": {"blocks": [recurrent("bilstm"), self_attention()],
             "pooling": {"kind": "mean", "attention": 0, "hops": 1}, "smoothing": 0.1},
}


class Attention(nn.Module):
    """A layer of an encoder without its feed-forward part, its modules named as in nn.TransformerEncoderLayer."""

    def __init__(self, heads, norm_first):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(WIDTH, heads, batch_first=True)
        self.norm1, self.norm_first = nn.LayerNorm(WIDTH), norm_first

    def forward(self, x, src_mask, src_key_padding_mask):
        y = self.norm1(x) if self.norm_first else x
        y = x + self.self_attn(y, y, y, key_padding_mask=src_key_padding_mask, attn_mask=src_mask, need_weights=False)[0]
        return y if self.norm_first else self.norm1(y)


def named_parameters(layer, of=lambda p: p):
    """Under the names of lookback: of(p) of each parameter p, or the part that is meant."""
    names = {"self_attn.out_proj.weight": "output.weight", "self_attn.out_proj.bias": "output.bias",
             "norm1.weight": "norm.gamma", "norm1.bias": "norm.beta",
             "linear1.weight": "feed_forward.up.weight", "linear1.bias": "feed_forward.up.bias",
             "linear2.weight": "feed_forward.down.weight", "linear2.bias": "feed_forward.down.bias",
             "norm2.weight": "feed_forward.norm.gamma", "norm2.bias": "feed_forward.norm.beta"}
    for name, p in layer.named_parameters():
        if name.startswith("self_attn.in_proj_"):
            for part, x in zip(("query", "key", "value"), of(p).chunk(3)):
                yield f"{part}.{name.removeprefix('self_attn.in_proj_')}", x
        else:
            yield names[name], of(p)


def sees(o, T):
    """[T, T]: whether position t sees position u."""
    distance = torch.arange(T).unsqueeze(1) - torch.arange(T)
    return ((distance >= 0) | (not o["causal"])) & ((distance.abs() <= o["window"]) | (o["window"] == 0))


def bias_by_distance(o, table, T):
    """[heads, T, T] from the table's [heads, 2R + 1]."""
    distance = torch.arange(T).unsqueeze(1) - torch.arange(T)
    return table[:, distance.clamp(-o["relative"], o["relative"]) + o["relative"]]


def closed(visible):
    return torch.zeros(visible.shape).masked_fill(~visible, -math.inf)


def added_to_energies(o, table):
    """[B * heads, T, T]. Queries that are padding see everything: a row that saw nothing would be NaN, and its gradient."""
    T = max(LENGTHS)
    visible = sees(o, T) | ~INSIDE.unsqueeze(2)  # [B, T, T]
    mask = closed(visible).unsqueeze(1).expand(-1, o["heads"], -1, -1)
    return (mask if table is None else mask + bias_by_distance(o, table, T)).reshape(-1, T, T)


def record_blocks(out):
    tensors, metadata = {}, {}
    for seed, (case, changes) in enumerate(BLOCKS.items()):
        torch.manual_seed(100 + seed)
        o = ATTENTION | changes
        if o["feed_forward"]:
            layer = nn.TransformerEncoderLayer(WIDTH, o["heads"], o["feed_forward"], dropout=0.0, batch_first=True,
                                               norm_first=o["norm"] == "before")
        else:
            layer = Attention(o["heads"], o["norm"] == "before")
        for p in layer.parameters():
            p.data = 0.6 * torch.randn(p.shape)
        table = torch.randn(o["heads"], 2 * o["relative"] + 1, requires_grad=True) if o["relative"] else None
        plain = table is None and not o["causal"] and not o["window"]
        x = torch.randn(len(LENGTHS), max(LENGTHS), WIDTH, requires_grad=True)
        y = layer(x, src_mask=None if plain else added_to_energies(o, table), src_key_padding_mask=closed(INSIDE))[INSIDE]
        weight = torch.randn_like(y)
        (weight * y).sum().backward()
        own = {"x": x[INSIDE], "y": y, "weight_of_y": weight, "grad.x": x.grad[INSIDE]}
        own |= {"param." + n: p for n, p in named_parameters(layer)}
        own |= {"grad.param." + n: g for n, g in named_parameters(layer, lambda p: p.grad)}
        if table is not None:
            own |= {"param.relative_bias": table, "grad.param.relative_bias": table.grad}
        tensors |= {f"{case}.{n}": t for n, t in own.items()}
        metadata |= {f"{case}.{k}": str(v).lower() for k, v in o.items()}
    save(out, "blocks", tensors, metadata)


def pooled(o, p, x, inside):
    """x [B, T, C] -> [B, hops * C], and the weights [B, hops, T]. Yang et al. 2016; with hops Lin et al. 2017."""
    keys = torch.tanh(F.linear(x, p["projection.weight"], p["projection.bias"])) if o["kind"] == "additive" else x
    energies = torch.einsum("ka,bta->bkt", p["query"], keys)
    weights = torch.softmax(energies.masked_fill(~inside.unsqueeze(1), -math.inf), 2)
    return (weights @ x).flatten(1), weights


def hops_penalty(weights):
    """The sum of |A A^T - I|^2 over the sequences' A [hops, T]."""
    return (weights @ weights.transpose(1, 2) - torch.eye(weights.shape[1])).pow(2).sum()


def pooling_shapes(o, C):
    A = o["attention"] or C
    if o["kind"] == "additive":
        yield "projection.weight", (A, C)
        yield "projection.bias", (A,)
    if o["kind"] in ("additive", "dot"):
        yield "query", (o["hops"], A)


def record_pooling(out):
    tensors, metadata = {}, {}
    for seed, (case, o) in enumerate(POOLINGS.items()):
        torch.manual_seed(200 + seed)
        p = {n: torch.randn(s, requires_grad=True) for n, s in pooling_shapes(o, WIDTH)}
        x = torch.randn(len(LENGTHS), max(LENGTHS), WIDTH, requires_grad=True)
        y, weights = pooled(o, p, x, INSIDE)
        penalty, weight = hops_penalty(weights), torch.randn_like(y)
        ((weight * y).sum() + PENALTY * penalty).backward()
        own = {"x": x[INSIDE], "y": y, "weights": weights.flatten(0, 1), "penalty": penalty.reshape(1), "weight_of_y": weight,
               "grad.x": x.grad[INSIDE]}
        own |= {"param." + n: t for n, t in p.items()} | {"grad.param." + n: t.grad for n, t in p.items()}
        tensors |= {f"{case}.{n}": t for n, t in own.items()}
        metadata |= {f"{case}.{k}": str(v) for k, v in o.items()}
    save(out, "pooling", tensors, metadata)


def attention_shapes(o, C):
    for part in ("query", "key", "value", "output"):
        yield part + ".weight", (C, C)
        yield part + ".bias", (C,)
    if o["relative"]:
        yield "relative_bias", (o["heads"], 2 * o["relative"] + 1)
    norms = ["norm"]
    if o["feed_forward"]:
        for part, shape in (("up", (o["feed_forward"], C)), ("down", (C, o["feed_forward"]))):
            yield f"feed_forward.{part}.weight", shape
            yield f"feed_forward.{part}.bias", shape[:1]
        norms.append("feed_forward.norm")
    for norm in norms:
        yield norm + ".gamma", (C,)
        yield norm + ".beta", (C,)


def classifier_shapes(o):
    yield "embedding.weight", (VOCABULARY, EMBEDDING)
    C = EMBEDDING
    for k, block in enumerate(o["blocks"]):
        prefix, kind = f"encoder.blocks.{k}", block["kind"]
        if kind == "self_attention":
            yield from ((f"{prefix}.{n}", s) for n, s in attention_shapes(block, C))
            continue
        both, H = kind.startswith("bi"), block["hidden"]
        directions = ("", "_reverse") if both else ("",)
        yield from recurrent_shapes(prefix, kind.removeprefix("bi"), 1, C, H, None, directions)
        C = len(directions) * H
    yield from (("pooling." + n, s) for n, s in pooling_shapes(o["pooling"], C))
    yield "output.weight", (CLASSES, o["pooling"]["hops"] * C)
    yield "output.bias", (CLASSES,)


class Classifier:
    """Embedding, blocks, pooling and output for one text at a time; p holds the parameters by name."""

    def __init__(self, options, p):
        self.o, self.p = options, p

    def linear(self, name, x):
        return F.linear(x, self.p[name + ".weight"], self.p[name + ".bias"])

    def norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.p[name + ".gamma"], self.p[name + ".beta"])

    def recurrent(self, prefix, block, x):  # [T, C] -> [T, width], the last states
        kind, sides, ends = block["kind"].removeprefix("bi"), [], []
        for direction in ("", "_reverse") if block["kind"].startswith("bi") else ("",):
            w = [self.p[f"{prefix}.{kind}.{n}_l0{direction}"] for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
            h, c, states = x.new_zeros(1, block["hidden"]), x.new_zeros(1, block["hidden"]), []
            for row in x.flip(0) if direction else x:
                h, c = torch.lstm_cell(row[None], (h, c), *w) if kind == "lstm" else (torch.gru_cell(row[None], h, *w), c)
                states.append(h)
            y = torch.cat(states) if states else x.new_zeros(0, block["hidden"])
            sides.append(y.flip(0) if direction else y)
            ends.append(h[0])
        return torch.cat(sides, 1), torch.cat(ends)

    def self_attention(self, prefix, o, x):
        def attend(x):
            heads = [self.linear(f"{prefix}.{n}", x).view(len(x), o["heads"], -1).transpose(0, 1)
                     for n in ("query", "key", "value")]
            energies = heads[0] @ heads[1].transpose(1, 2) / heads[0].shape[2] ** 0.5
            if o["relative"]:
                energies = energies + bias_by_distance(o, self.p[prefix + ".relative_bias"], len(x))
            weights = torch.softmax(energies.masked_fill(~sees(o, len(x)), -math.inf), 2)
            return self.linear(prefix + ".output", (weights @ heads[2]).transpose(0, 1).reshape(len(x), -1))

        def feed_forward(x):
            return self.linear(prefix + ".feed_forward.down", torch.relu(self.linear(prefix + ".feed_forward.up", x)))

        parts = [("norm", attend)] + ([("feed_forward.norm", feed_forward)] if o["feed_forward"] else [])
        for norm, part in parts:
            norm = f"{prefix}.{norm}"
            x = x + part(self.norm(norm, x)) if o["norm"] == "before" else self.norm(norm, x + part(x))
        return x

    def features(self, text):
        """One row [hops * C], and the penalty of the hops."""
        x, last, o = F.embedding(torch.tensor(text, dtype=torch.long), self.p["embedding.weight"]), None, self.o["pooling"]
        for k, block in enumerate(self.o["blocks"]):
            prefix = f"encoder.blocks.{k}"
            if block["kind"] == "self_attention":
                x = self.self_attention(prefix, block, x) if len(x) else x
            else:
                x, last = self.recurrent(prefix, block, x)
        if o["kind"] == "last":
            return last, 0
        if not len(x):
            return x.new_zeros(o["hops"] * x.shape[1]), 0
        if o["kind"] in ("mean", "max"):
            return (x.mean(0) if o["kind"] == "mean" else x.amax(0)), 0
        own = {n.removeprefix("pooling."): t for n, t in self.p.items() if n.startswith("pooling.")}
        y, weights = pooled(o, own, x[None], torch.ones(1, len(x), dtype=torch.bool))
        return y[0], hops_penalty(weights)

    def loss(self):
        """Mean over texts: with smoothing and penalty, and without."""
        rows, penalties = zip(*(self.features(text) for text in TEXTS))
        logits, truth = self.linear("output", torch.stack(rows)), torch.tensor(LABELS)
        penalty = self.o.get("penalty", 0) * sum(penalties) / len(TEXTS)
        return F.cross_entropy(logits, truth, label_smoothing=self.o["smoothing"]) + penalty, F.cross_entropy(logits, truth)


def record_classifier(out, name, o, seed):
    torch.set_default_dtype(torch.float32)
    generator = torch.Generator().manual_seed(seed)
    start = {n: 0.6 * torch.randn(s, generator=generator) for n, s in classifier_shapes(o)}
    torch.set_default_dtype(torch.float64)
    p = {n: x.double().requires_grad_() for n, x in start.items()}
    loss, nll = Classifier(o, p).loss()
    loss.backward()
    tensors = {"param." + n: x for n, x in start.items()} | {"grad." + n: x.grad.float() for n, x in p.items()}
    torch.set_default_dtype(torch.float32)
    p = {n: x.clone().requires_grad_() for n, x in start.items()}
    adam, losses = torch.optim.Adam(p.values(), lr=LR), []
    for _ in range(STEPS):
        adam.zero_grad()
        value = Classifier(o, p).loss()[0]
        value.backward()
        adam.step()
        losses.append(value.item())
    tensors["loss"] = torch.tensor([loss.item(), nll.item()], dtype=torch.float64)
    tensors["adam_losses"] = torch.tensor(losses, dtype=torch.float64)
    options = {f"encoder.blocks.{k}.{n}": v for k, block in enumerate(o["blocks"]) for n, v in block.items()}
    options |= {"pooling." + k: v for k, v in o["pooling"].items()} | {"embedding": EMBEDDING}
    metadata = {"option." + k: str(v).lower() for k, v in options.items()}
    metadata |= {"loss." + k: str(o[k]) for k in ("smoothing", "penalty") if k in o}
    save(out, "classifier_" + name, tensors, metadata)


def save(out, name, tensors, metadata):
    save_file({n: t.detach().contiguous() for n, t in tensors.items()}, os.path.join(out, name + ".safetensors"), metadata)


def main():
    default = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden", "model")
    out = sys.argv[1] if len(sys.argv) > 1 else default
    os.makedirs(out, exist_ok=True)
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    record_blocks(out)
    record_pooling(out)
    for seed, (name, o) in enumerate(CLASSIFIERS.items()):
        record_classifier(out, name, o, 300 + seed)


if __name__ == "__main__":
    main()
