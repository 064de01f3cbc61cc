#!/usr/bin/env python3
"""Records what PyTorch computes for a linear-chain CRF and for labellers: files of tests/golden/model.

usage: gen_golden_labeller.py [OUT_DIR]      needs torch and safetensors; same values every time for the same version

labeller_NAME.safetensors   a BiLSTM with a CRF, or with softmax, written plainly below, text by text: parameters and
                            gradients, the loss (f64 arithmetic), and the losses of ten steps of torch.optim.Adam (f32)
crf.safetensors, below. A CRF written plainly below over padded ragged batches, in f64: scores, tags, -log p of each sequence, the gradients of
their sum, the best tags, and each token's probabilities, which are the gradient of log Z. Some transitions are -inf.
Padding does not come back: rows are recorded one sequence after the other.
"""
import math
import os
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from gen_golden import LR, STEPS, recurrent_shapes
from gen_golden_blocks import Classifier, save

# K tags, lengths, what scores are multiplied by, forbidden (from, to); -1 is the border.
CASES = {
    "plain": (4, [7, 5, 5, 2, 1], 1.0, []),
    "wide": (25, [12, 9, 3], 2.0, []),
    "forbidden": (5, [8, 6, 1], 1.5, [(0, 2), (0, 4), (1, 4), (3, 2), (-1, 2), (-1, 4), (2, -1)]),
    "large": (3, [40, 17], 30.0, []),
}


def padded(rows, lengths):
    out = rows.new_zeros(len(lengths), max(lengths), *rows.shape[1:])
    for b, part in enumerate(rows.split(lengths)):
        out[b, : len(part)] = part
    return out


def log_z(e, t, start, end, inside):
    """e [B, T, K]; log of the sum over all sequences of tags, [B]"""
    alpha = start + e[:, 0]
    for k in range(1, e.shape[1]):
        step = torch.logsumexp(alpha.unsqueeze(2) + t, 1) + e[:, k]
        alpha = torch.where(inside[:, k].unsqueeze(1), step, alpha)
    return torch.logsumexp(alpha + end, 1)


def score(e, t, start, end, y, inside, lengths):
    B = torch.arange(len(lengths))
    out = start[y[:, 0]] + end[y[B, torch.tensor(lengths) - 1]]
    out = out + (e.gather(2, y.unsqueeze(2)).squeeze(2) * inside).sum(1)
    return out + torch.where(inside[:, 1:], t[y[:, :-1], y[:, 1:]], 0.0).sum(1)


def viterbi(e, t, start, end):
    """The best tags of one sequence, e [T, K]."""
    value, back = start + e[0], []
    for row in e[1:]:
        best, previous = (value.unsqueeze(1) + t).max(0)
        value = best + row
        back.append(previous)
    y = [int((value + end).argmax())]
    for previous in reversed(back):
        y.append(int(previous[y[-1]]))
    return y[::-1]


TEXTS = [[4, 9, 5, 6], [7], [], [7, 4, 4, 8, 10, 5], [6, 5, 9]]
TAGS = [[2, 0, 1, 1], [0], [], [1, 3, 2, 2, 0, 1], [3, 3, 0]]
VOCABULARY, TAG_COUNT, EMBEDDING, HIDDEN = 11, 4, 6, 3
LABELLERS = {"crf": True, "softmax": False}


def labeller_shapes(crf):
    yield "embedding.weight", (VOCABULARY, EMBEDDING)
    yield from recurrent_shapes("encoder.blocks.0", "lstm", 1, EMBEDDING, HIDDEN, None, ("", "_reverse"))
    yield "output.weight", (TAG_COUNT, 2 * HIDDEN)
    yield "output.bias", (TAG_COUNT,)
    if crf:
        yield "crf.transitions", (TAG_COUNT, TAG_COUNT)
        yield "crf.start", (TAG_COUNT,)
        yield "crf.end", (TAG_COUNT,)


def labeller_loss(p, crf):
    """Mean over tags of -log p of the texts' tags."""
    model, total = Classifier({"blocks": []}, p), 0
    for text, tags in zip(TEXTS, TAGS):
        if not text:
            continue
        x = F.embedding(torch.tensor(text), p["embedding.weight"])
        x = model.linear("output", model.recurrent("encoder.blocks.0", {"kind": "bilstm", "hidden": HIDDEN}, x)[0])
        y = torch.tensor(tags)
        if not crf:
            total = total + F.cross_entropy(x, y, reduction="sum")
            continue
        own = x[None], p["crf.transitions"], p["crf.start"], p["crf.end"]
        inside = torch.ones(1, len(text), dtype=torch.bool)
        total = total + (log_z(*own, inside) - score(*own, y[None], inside, [len(text)])).sum()
    return total / sum(map(len, TAGS))


def record_labeller(out, name, crf, seed):
    generator = torch.Generator().manual_seed(seed)
    start = {n: 0.6 * torch.randn(s, generator=generator, dtype=torch.float32) for n, s in labeller_shapes(crf)}
    p = {n: x.double().requires_grad_() for n, x in start.items()}
    loss = labeller_loss(p, crf)
    loss.backward()
    tensors = {"param." + n: x for n, x in start.items()} | {"grad." + n: x.grad.float() for n, x in p.items()}
    torch.set_default_dtype(torch.float32)
    p = {n: x.clone().requires_grad_() for n, x in start.items()}
    adam, losses = torch.optim.Adam(p.values(), lr=LR), []
    for _ in range(STEPS):
        adam.zero_grad()
        value = labeller_loss(p, crf)
        value.backward()
        adam.step()
        losses.append(value.item())
    torch.set_default_dtype(torch.float64)
    tensors["loss"] = loss.reshape(1)
    tensors["adam_losses"] = torch.tensor(losses, dtype=torch.float64)
    options = {"encoder.blocks.0.kind": "bilstm", "encoder.blocks.0.hidden": HIDDEN, "embedding": EMBEDDING,
               "crf": str(crf).lower()}
    save(out, "labeller_" + name, tensors, {"option." + k: str(v) for k, v in options.items()})


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../tests/golden/model")
    torch.set_default_dtype(torch.float64)
    tensors = {}
    for seed, (case, (K, lengths, size, forbidden)) in enumerate(CASES.items()):
        torch.manual_seed(300 + seed)
        e, t, start, end = (size * torch.randn(s) for s in ((sum(lengths), K), (K, K), (K,), (K,)))
        for i, j in forbidden:
            (start if i < 0 else end if j < 0 else t)[j if i < 0 else i if j < 0 else (i, j)] = -math.inf
        for x in (e, t, start, end):
            x.requires_grad_()
        inside = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
        best = [viterbi(part, t, start, end) for part in e.detach().split(lengths)]
        # Tags that are allowed: the best ones of other emissions.
        y = torch.tensor(sum((viterbi(part, t.detach(), start.detach(), end.detach())
                              for part in (size * torch.randn_like(e)).split(lengths)), []))
        z = log_z(padded(e, lengths), t, start, end, inside)
        (marginals,) = torch.autograd.grad(z.sum(), e, retain_graph=True)
        nll = z - score(padded(e, lengths), t, start, end, padded(y, lengths), inside, lengths)
        nll.sum().backward()
        own = {"emissions": e, "transitions": t, "start": start, "end": end, "nll": nll, "log_z": z,
               "marginals": marginals}
        own |= {"grad." + n: own[n].grad for n in ("emissions", "transitions", "start", "end")}
        own |= {"lengths": torch.tensor(lengths, dtype=torch.float64), "tags": y.double(),
                "best": torch.tensor(sum(best, []), dtype=torch.float64)}
        tensors |= {f"{case}.{n}": x.detach().contiguous() for n, x in own.items()}
    save_file(tensors, os.path.join(out, "crf.safetensors"))
    for seed, (name, crf) in enumerate(LABELLERS.items()):
        record_labeller(out, name, crf, 400 + seed)


if __name__ == "__main__":
    main()
