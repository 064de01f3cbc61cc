#!/usr/bin/env python3
"""Records what PyTorch computes for CTC: tests/golden/model/ctc.safetensors.

usage: gen_golden_ctc.py [OUT_DIR]      needs torch and safetensors; same values every time for the same version

torch.nn.functional.ctc_loss in f64, over the softmax of random logits [T, B, V] with ragged lengths; one case for each
blank. Recorded: logits of the frames that count, one sequence after the other, lengths, targets one after the other and
how many each has, -log p of each, and the gradient of an uneven sum of them. Impossible ones have 0 (zero_infinity).
"""
import os
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

FRAMES = [40, 23, 12, 6, 3, 9]
TARGETS = [[1, 2, 2, 5, 3, 3, 3, 1], [4, 4, 1, 5, 2, 3, 1], [5], [2, 2, 2, 2], [], [1, 3, 1, 3, 1, 4, 2, 5, 1]]
V = 6


def record(tensors, name, blank, spread, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = (spread * torch.randn(max(FRAMES), len(FRAMES), V, generator=generator)).requires_grad_()
    targets = [[t - 1 if t <= blank else t for t in target] for target in TARGETS]  # every class but the blank
    frames, sizes = torch.tensor(FRAMES), torch.tensor([len(t) for t in targets])
    losses = F.ctc_loss(logits.log_softmax(-1), torch.tensor(sum(targets, [])), frames, sizes, blank=blank,
                        reduction="none", zero_infinity=True)
    losses.sum().backward()
    inside = (torch.arange(max(FRAMES)) < frames.unsqueeze(1))
    tensors[name + ".logits"] = logits.detach().transpose(0, 1)[inside]
    tensors[name + ".grad"] = logits.grad.transpose(0, 1)[inside]
    tensors[name + ".losses"] = losses.detach()
    tensors[name + ".targets"] = torch.tensor(sum(targets, []), dtype=torch.float64)


def main():
    default = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden", "model")
    out = sys.argv[1] if len(sys.argv) > 1 else default
    os.makedirs(out, exist_ok=True)
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    tensors = {"frames": torch.tensor(FRAMES, dtype=torch.float64),
               "sizes": torch.tensor([len(t) for t in TARGETS], dtype=torch.float64)}
    record(tensors, "first", 0, 1, 1)
    record(tensors, "last", V - 1, 3, 2)
    record(tensors, "between", 2, 10, 3)
    save_file({n: t.contiguous() for n, t in tensors.items()}, os.path.join(out, "ctc.safetensors"))


if __name__ == "__main__":
    main()
