#!/usr/bin/env python3
"""Speed of PyTorch's pointer-generator (summarise_torch.py): training, and greedy subjects of e-mails of 400 words.

    summarise_speed.py [--rounds N] [--threads N] [--only WORD...] [--coverage] [--json FILE]

Everybody works on synthetic numbers: batches of 16 sources of 400 words, 2 in 100 of them not in the vocabulary of
20,000; 10 words of a target, of which none ends early. Training is forward, backward, clipping and Adam, with dropout,
smoothing and no average of the weights; words/s counts sources and targets, sentences/s stands behind it. Writing is
greedy from a source to 10 words, encoding included. As all sources are of one length, nothing is packed. Eager, and
compiled by torch.compile (writing: encoder and step), which is left out with the reason where it fails. On all cores,
and in rows that end in _1t on one thread; in every round everybody is measured once.
"""

import argparse
import json
import logging
import pathlib
import sys
import warnings

import torch
from torch import nn

import machine
import summarise_torch
from seq_data import BEGIN, SPECIALS, UNKNOWN

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from page import say  # noqa: E402
from side_by_side import Row, Theirs, torch_name  # noqa: E402

BATCH, SOURCE, TARGET, NEW = 16, 400, 10, 0.02
EACH = SOURCE + TARGET  # words of a sentence in training


def new_model(options):
    torch.manual_seed(1)
    return summarise_torch.PointerGenerator(options.vocabulary, options, packed=False)


def new_batch(options):
    """Each source has its unknown words numbered from the vocabulary's size on; a target has words of the source."""
    extended = torch.randint(len(SPECIALS), options.vocabulary, (BATCH, SOURCE))
    new = torch.rand(BATCH, SOURCE) < NEW
    extended = torch.where(new, options.vocabulary - 1 + new.cumsum(1), extended)
    unknown = [[""] * count for count in new.sum(1).tolist()]
    source = extended.masked_fill(new, UNKNOWN)
    target = torch.randint(len(SPECIALS), options.vocabulary, (BATCH, TARGET))
    target[:, ::2] = extended[:, :TARGET:2]
    return summarise_torch.Batch(source, torch.full((BATCH,), SOURCE), extended, unknown, target)


class Training:
    """run() gives the words trained on."""

    def __init__(self, options, compiled=False):
        self.options, self.model, self.batch = options, new_model(options), new_batch(options)
        self.call = torch.compile(self.model) if compiled else self.model
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-4, fused=True)

    def run(self):
        b = self.batch
        loss = self.call(b.source, b.lengths, b.extended, b.target, float(self.options.coverage))
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip)
        self.optimizer.step()
        return BATCH * EACH


class Step(nn.Module):
    """From a word to the next."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, words, state, memory, first, extra):
        state, parts = self.model.step(words, state, memory)
        return self.model.probabilities(parts, memory.extended, first, extra).argmax(1), state


class Writing:
    """run() gives the sentences; `greedy` of summarise_torch without the stop at END."""

    def __init__(self, options, compiled=False):
        self.options, self.batch, model = options, new_batch(options), new_model(options).eval()
        self.extra = summarise_torch.extra_words(self.batch)
        want = summarise_torch.greedy(model, self.batch, TARGET, stop=False)
        self.encode = torch.compile(model.encode) if compiled else model.encode
        self.step = torch.compile(Step(model)) if compiled else Step(model)
        same = (self.words() == want).float().mean().item()
        if same < 0.9:  # a near tie may fall the other way, and what follows with it
            raise RuntimeError(f"it writes other words than greedy does: {same:.0%} are the same")

    def words(self):
        out = []
        with torch.inference_mode():
            memory, state = self.encode(self.batch.source, self.batch.lengths, self.batch.extended)
            words = torch.full((BATCH,), BEGIN)
            for t in range(TARGET):
                words, state = self.step(words, state, memory, t == 0, self.extra)
                out.append(words)
        return torch.stack(out, 1)

    def run(self):
        return len(self.words())


def peers(kind, options, repeat, threads):
    return [(torch_name("compiled" if c else "eager", "f32", threads),
             lambda c=c: Theirs(lambda: kind(options, c), repeat, threads)) for c in (False, True)]


def ours(args, work, threads):
    """The contenders of lookback: none, until `lookback bench` has these works; side_by_side.ours makes them then."""
    return []


def rows(args, options):
    works = ("summarise_train", "words/s", Training), ("summarise_greedy", "sentences/s", Writing)
    for threads in sorted({args.threads, 1}, reverse=True):
        suffix = "_1t" if threads == 1 and args.threads > 1 else ""
        for work, unit, kind in works:
            yield Row(work + suffix, unit, ours(args, work, threads), peers(kind, options, 2, threads))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only", nargs="*", default=[], metavar="WORD", help="rows whose name holds one of these")
    parser.add_argument("--coverage", action="store_true")
    parser.add_argument("--json", metavar="FILE", help="write everything there")
    args = parser.parse_args()
    options = summarise_torch.Options(coverage=args.coverage)
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_flush_denormal(True)
    env, done = machine.environment(), []
    print(machine.in_words(env), flush=True)
    for row in rows(args, options):
        if args.only and not any(word in row.name for word in args.only):
            continue
        done.append(row.measure(args.rounds))
        say(done[-1])
        for name, speed in sorted(done[-1].get("all", {}).items(), key=lambda pair: -pair[1]):
            both = f" {speed / EACH:9.2f} sentences/s" if row.unit == "words/s" else f" {speed * TARGET:9.1f} words/s"
            print(f"    {speed:9.1f} {row.unit}{both}  {name}", flush=True)
        if args.json:
            text = json.dumps({"environment": env, "rounds": args.rounds, "rows": done}, indent=1)
            pathlib.Path(args.json).write_text(text + "\n")


if __name__ == "__main__":
    main()
