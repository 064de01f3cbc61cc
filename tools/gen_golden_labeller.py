#!/usr/bin/env python3
"""Records what PyTorch computes for a linear-chain CRF: tests/golden/model/crf.safetensors.

usage: gen_golden_labeller.py [OUT_DIR]      needs torch and safetensors; same values every time for the same version

A CRF written plainly below over padded ragged batches, in f64: scores, tags, -log p of each sequence, the gradients of
their sum, the best tags, and each token's probabilities, which are the gradient of log Z. Some transitions are -inf.
Padding does not come back: rows are recorded one sequence after the other.
"""
import math
import os
import sys

import torch
from safetensors.torch import save_file

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
    save_file(tensors, os.path.join(out, "crf.safetensors"), metadata={"torch": torch.__version__})


if __name__ == "__main__":
    main()
