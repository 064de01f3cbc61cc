#!/usr/bin/env python3
"""Records what PyTorch computes for layers and whole models: tests/golden/model/*.safetensors.

usage: gen_golden.py [OUT_DIR]      needs torch and safetensors; same values every time for the same version

layers.safetensors   torch.nn.LSTM and torch.nn.GRU over packed ragged batches, in f64: inputs, weights, outputs,
                     last states and the gradients of an uneven sum of them
seq2seq_NAME         an encoder-decoder written plainly below, sentence by sentence; metadata "option.*" says which.
                     Parameters and gradients under the names that lookback uses, the loss (f64 arithmetic), and
                     the losses of ten steps of torch.optim.Adam (f32 arithmetic)
"""
import os
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

BOS, EOS = 1, 2
SMOOTHING, LR, STEPS = 0.1, 0.01, 10
SOURCE = [[4, 9, 5, 6], [], [7, 4, 4, 8, 10, 5], [6, 5, 9], [8]]
TARGET = [[5, 6, 11], [7, 7, 4, 9, 5], [10], [], [8, 12]]
SOURCE_VOCABULARY, TARGET_VOCABULARY = 11, 13

# What the cases have in common; each case below says where it differs.
DEFAULTS = {
    "encoder.cell": "lstm", "encoder.layers": 1, "encoder.hidden": 3, "encoder.bidirectional": True,
    "encoder.residual": False, "encoder.layer_norm": False,
    "decoder.cell": "lstm", "decoder.layers": 1, "decoder.hidden": 6, "decoder.attention": "luong",
    "decoder.input_feeding": True, "decoder.readout": "tanh", "decoder.residual": False, "decoder.layer_norm": False,
    "decoder.bridge": "tanh", "score": "general", "attention": 4, "embedding": 5, "readout": 7, "tie": "none",
}
CASES = {
    "luong_dot": {"score": "dot"},
    "luong_general_plain": {"decoder.input_feeding": False, "decoder.bridge": "linear"},
    "luong_concat": {"score": "concat", "encoder.bidirectional": False, "decoder.hidden": 4},
    "luong_concat_plain_gru": {"score": "concat", "decoder.input_feeding": False, "decoder.cell": "gru",
                               "encoder.cell": "gru", "decoder.hidden": 4},
    "luong_two_layers": {"encoder.layers": 2, "decoder.layers": 2, "encoder.residual": True, "decoder.residual": True,
                         "encoder.layer_norm": True, "decoder.layer_norm": True},
    "luong_scaled_tied": {"score": "scaled_dot", "encoder.bidirectional": False, "encoder.hidden": 4,
                          "decoder.hidden": 4, "decoder.bridge": "copy", "tie": "decoder", "readout": 5,
                          "decoder.input_feeding": False, "decoder.layers": 2, "decoder.residual": True},
    "bahdanau_gru": {"decoder.attention": "bahdanau", "score": "additive", "encoder.cell": "gru",
                     "decoder.cell": "gru", "decoder.input_feeding": False, "decoder.readout": "maxout"},
    "bahdanau_lstm": {"decoder.attention": "bahdanau", "score": "additive", "decoder.bridge": "zeros",
                      "decoder.hidden": 4, "encoder.layers": 2},
}


def width(o):
    return o["encoder.hidden"] * (2 if o["encoder.bidirectional"] else 1)


def recurrent_shapes(prefix, cell, layers, first, H, above, directions):
    G = (4 if cell == "lstm" else 3) * H
    for k in range(layers):
        for d in directions:
            I = first if k == 0 else above
            for name, shape in (("weight_ih", (G, I)), ("weight_hh", (G, H)), ("bias_ih", (G,)), ("bias_hh", (G,))):
                yield f"{prefix}.{cell}.{name}_l{k}{d}", shape


def shapes(o):
    """Every parameter of a model with these options."""
    E, R, H, M, A = o["embedding"], o["readout"], o["decoder.hidden"], width(o), o["attention"]
    bahdanau = o["decoder.attention"] == "bahdanau"
    yield "encoder.embedding.weight", (SOURCE_VOCABULARY, E)
    directions = ("", "_reverse") if o["encoder.bidirectional"] else ("",)
    yield from recurrent_shapes("encoder", o["encoder.cell"], o["encoder.layers"], E, o["encoder.hidden"], M, directions)
    for side, C in (("encoder", M), ("decoder", H)):
        for k in range(o[side + ".layers"] if o[side + ".layer_norm"] else 0):
            yield f"{side}.layers.{k}.norm.gamma", (C,)
            yield f"{side}.layers.{k}.norm.beta", (C,)
    yield "decoder.embedding.weight", (TARGET_VOCABULARY, E)
    first = E + (R if o["decoder.input_feeding"] else 0) + (M if bahdanau else 0)
    yield from recurrent_shapes("decoder", o["decoder.cell"], o["decoder.layers"], first, H, H, ("",))
    if o["score"] == "general":
        yield "decoder.score.memory.weight", (H, M)
    if o["score"] == "concat":
        yield "decoder.score.both.weight", (A, H + M)
    if o["score"] == "additive":
        yield "decoder.score.query.weight", (A, H)
        yield "decoder.score.memory.weight", (A, M)
        yield "decoder.score.memory.bias", (A,)
    if o["score"] in ("concat", "additive"):
        yield "decoder.score.v", (A,)
    out = 2 * R if o["decoder.readout"] == "maxout" else R
    yield "decoder.readout.weight", (out, M + H + (E if bahdanau else 0))
    yield "decoder.readout.bias", (out,)
    for k in range(o["decoder.layers"] if o["decoder.bridge"] in ("tanh", "linear") else 0):
        for part in ("h", "c") if o["decoder.cell"] == "lstm" else ("h",):
            yield f"decoder.bridge.{part}.{k}.weight", (H, M)
            yield f"decoder.bridge.{part}.{k}.bias", (H,)
    if o["tie"] == "none":
        yield "output.weight", (TARGET_VOCABULARY, R)
    yield "output.bias", (TARGET_VOCABULARY,)


class Model:
    """Encoder, attention and decoder for one sentence at a time; p holds the parameters by name."""

    def __init__(self, options, p):
        self.o, self.p = options, p
        self.kind = p["output.bias"]

    def linear(self, name, x):
        return F.linear(x, self.p[name + ".weight"], self.p.get(name + ".bias"))

    def norm(self, side, k, x):
        if not self.o[side + ".layer_norm"]:
            return x
        name = f"{side}.layers.{k}.norm"
        return F.layer_norm(x, x.shape[-1:], self.p[name + ".gamma"], self.p[name + ".beta"])

    def cell(self, side, k, direction, x, state):
        kind = self.o[side + ".cell"]
        w = [self.p[f"{side}.{kind}.{n}_l{k}{direction}"] for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        if kind == "gru":
            return (torch.gru_cell(x[None], state[0][None], *w)[0],)
        h, c = torch.lstm_cell(x[None], (state[0][None], state[1][None]), *w)
        return (h[0], c[0])

    def encode(self, words):
        o, H = self.o, self.o["encoder.hidden"]
        x = [self.p["encoder.embedding.weight"][w] for w in words]
        last = []
        for k in range(o["encoder.layers"]):
            sides, ends = [], []
            for direction in ("", "_reverse") if o["encoder.bidirectional"] else ("",):
                state = tuple(self.kind.new_zeros(H) for _ in range(2 if o["encoder.cell"] == "lstm" else 1))
                out = []
                for e in reversed(x) if direction else x:
                    state = self.cell("encoder", k, direction, e, state)
                    out.append(state[0])
                sides.append(out[::-1] if direction else out)
                ends.append(state)
            y = [self.norm("encoder", k, torch.cat(parts)) for parts in zip(*sides)]
            skip = o["encoder.residual"] and x and x[0].shape == y[0].shape
            x = [a + b for a, b in zip(x, y)] if skip else y
            last.append([torch.cat(parts) for parts in zip(*ends)])
        return x, last

    def start(self, last):
        o, L, H = self.o, self.o["decoder.layers"], self.o["decoder.hidden"]
        states = []
        for k in range(L):
            h = last[max(0, len(last) - (L - k))]
            state = []
            for part, x in zip(("h", "c") if o["decoder.cell"] == "lstm" else ("h",), (h[0], h[-1])):
                if o["decoder.bridge"] == "zeros":
                    x = self.kind.new_zeros(H)
                elif o["decoder.bridge"] != "copy":
                    x = self.linear(f"decoder.bridge.{part}.{k}", x)
                state.append(torch.tanh(x) if o["decoder.bridge"] == "tanh" else x)
            states.append(tuple(state))
        return states

    def energy(self, q, m):
        p, score = self.p, self.o["score"]
        if score == "dot":
            return q @ m
        if score == "scaled_dot":
            return q @ m / len(q) ** 0.5
        if score == "general":
            return q @ p["decoder.score.memory.weight"] @ m
        if score == "concat":
            return p["decoder.score.v"] @ torch.tanh(p["decoder.score.both.weight"] @ torch.cat((q, m)))
        return p["decoder.score.v"] @ torch.tanh(
            p["decoder.score.query.weight"] @ q + p["decoder.score.memory.weight"] @ m + p["decoder.score.memory.bias"])

    def attend(self, q, memory):
        if not memory:
            return self.kind.new_zeros(width(self.o))
        weights = torch.softmax(torch.stack([self.energy(q, m) for m in memory]), 0)
        return weights @ torch.stack(memory)

    def logits(self, source, target):
        o, p = self.o, self.p
        memory, last = self.encode(source)
        states, feed, rows = self.start(last), self.kind.new_zeros(o["readout"]), []
        bahdanau = o["decoder.attention"] == "bahdanau"
        for word in [BOS] + target:
            embedded = p["decoder.embedding.weight"][word]
            x = torch.cat((embedded, feed)) if o["decoder.input_feeding"] else embedded
            if bahdanau:
                context = self.attend(states[-1][0], memory)
                x = torch.cat((x, context))
            for k in range(o["decoder.layers"]):
                states[k] = self.cell("decoder", k, "", x, states[k])
                y = self.norm("decoder", k, states[k][0])
                x = x + y if k and o["decoder.residual"] else y
            if not bahdanau:
                context = self.attend(x, memory)
            read = self.linear("decoder.readout", torch.cat((context, x) + ((embedded,) if bahdanau else ())))
            feed = read.view(-1, 2).amax(1) if o["decoder.readout"] == "maxout" else torch.tanh(read)
            table = p["output.weight"] if o["tie"] == "none" else p["decoder.embedding.weight"]
            rows.append(F.linear(feed, table, p["output.bias"]))
        return torch.stack(rows)

    def loss(self):
        """Mean over target tokens: with smoothing, and without."""
        total, nll, tokens = 0, 0, 0
        for source, target in zip(SOURCE, TARGET):
            logits, truth = self.logits(source, target), torch.tensor(target + [EOS])
            total = total + F.cross_entropy(logits, truth, label_smoothing=SMOOTHING, reduction="sum")
            nll = nll + F.cross_entropy(logits, truth, reduction="sum")
            tokens += len(truth)
        return total / tokens, nll / tokens


def record_model(out, name, changes, seed):
    o = {**DEFAULTS, **changes}
    generator = torch.Generator().manual_seed(seed)
    start = {n: 0.6 * torch.randn(s, generator=generator) for n, s in shapes(o)}
    p = {n: x.double().requires_grad_() for n, x in start.items()}
    loss, nll = Model(o, p).loss()
    loss.backward()
    tensors = {"param." + n: x for n, x in start.items()}
    tensors |= {"grad." + n: x.grad.float() for n, x in p.items()}
    p = {n: x.clone().requires_grad_() for n, x in start.items()}
    adam, losses = torch.optim.Adam(p.values(), lr=LR), []
    for _ in range(STEPS):
        adam.zero_grad()
        value = Model(o, p).loss()[0]
        value.backward()
        adam.step()
        losses.append(value.item())
    tensors["loss"] = torch.tensor([loss.item(), nll.item()], dtype=torch.float64)
    tensors["adam_losses"] = torch.tensor(losses, dtype=torch.float64)
    metadata = {"option." + k: str(v).lower() for k, v in o.items()}
    save_file(tensors, os.path.join(out, f"seq2seq_{name}.safetensors"), metadata)


def record_layers(out):
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(7)
    lengths, I, H, tensors = [5, 3, 3, 1], 3, 4, {}
    for name, kind, both in (("lstm", torch.nn.LSTM, False), ("bilstm", torch.nn.LSTM, True),
                             ("gru", torch.nn.GRU, False), ("bigru", torch.nn.GRU, True)):
        layer = kind(I, H, bidirectional=both)
        x = torch.randn(sum(lengths), I, requires_grad=True)
        h0 = torch.randn(2 if both else 1, len(lengths), H, requires_grad=True)
        c0 = torch.randn(2 if both else 1, len(lengths), H, requires_grad=True)
        sizes = torch.tensor([sum(n > t for n in lengths) for t in range(max(lengths))])
        packed = torch.nn.utils.rnn.PackedSequence(x, sizes)
        is_lstm = kind is torch.nn.LSTM
        y, last = layer(packed, (h0, c0) if is_lstm else h0)
        h, c = last if is_lstm else (last, None)
        weights = {"y": torch.randn_like(y.data), "h": torch.randn_like(h), "c": torch.randn_like(h)}
        loss = (weights["y"] * y.data).sum() + (weights["h"] * h).sum()
        if is_lstm:
            loss = loss + (weights["c"] * c).sum()
        loss.backward()
        named = {"x": x, "h0": h0, **dict(layer.named_parameters()), **({"c0": c0} if is_lstm else {})}
        tensors |= {f"{name}.{n}": t for n, t in named.items()}
        tensors |= {f"{name}.grad.{n}": t.grad for n, t in named.items()}
        tensors |= {f"{name}.weight_of_{n}": t for n, t in weights.items()}
        tensors |= {f"{name}.out_y": y.data, f"{name}.out_h": h} | ({f"{name}.out_c": c} if is_lstm else {})
    save_file({n: t.detach().contiguous() for n, t in tensors.items()}, os.path.join(out, "layers.safetensors"))
    torch.set_default_dtype(torch.float32)


def main():
    default = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden", "model")
    out = sys.argv[1] if len(sys.argv) > 1 else default
    os.makedirs(out, exist_ok=True)
    torch.set_num_threads(1)
    record_layers(out)
    for seed, (name, changes) in enumerate(CASES.items()):
        record_model(out, name, changes, seed + 1)


if __name__ == "__main__":
    main()
