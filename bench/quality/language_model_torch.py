#!/usr/bin/env python3
"""A plain, careful LSTM language model in PyTorch, for the Penn Treebank.

    language_model_torch.py --data DIR --unit word|character [--minutes M | --epochs E] [--seed N] [--threads N]
                            [--NAME VALUE...] [--dev-only] [--json FILE] [--save MODEL.pt]

DIR has ptb.train.txt.gz, ptb.valid.txt.gz and ptb.test.txt.gz. A word model reads words and line ends; a character model
reads the characters of a line as they are, and line ends: `<unk>` is five characters. Every symbol of
a part is scored once, the first after a line end; states go on from window to window. The learning rate follows the
share of the minutes that are over, which count from before the data is read, but not the start of Python; validation on
the way picks the weights that stay, and the test part is scored once, after the minutes. Prints one line of JSON.
"""

import argparse
import copy
import dataclasses
import gzip
import json
import math
import pathlib
import random
import time

import torch
from torch import nn

import machine

EOS = "\n"
VALIDATE_AT = (0.25, 0.5, 0.75, 0.9, 0.97, 1.0)  # shares of the training


@dataclasses.dataclass
class Options:
    layers: int = 2
    hidden: int = 650
    embedding: int = 650
    tied: bool = True  # the output's weights are those of the embedding, and the last layer is as wide
    dropout: float = 0.5  # of embeddings, between the layers and of the last states
    locked: bool = True  # one mask for all steps of a window (variational dropout), or a new one each step
    forget_bias: float = 1.0
    unigram: bool = True  # the output's bias begins as the log frequencies of the symbols
    reset: float = 0.01  # share of the columns whose state begins anew at a window, so that the model knows beginnings
    batch: int = 20
    bptt: int = 35
    optimizer: str = "sgd"
    lr: float = 20.0
    clip: float = 0.25
    warmup: float = 0.0  # share of the training in which the rate grows from 0
    hold: float = 0.3  # share of the training after which it decays
    decay: str = "linear"  # to 0, or cosine
    valid_symbols: int = 0  # of the validation part to choose weights by; 0: all
    test_columns: int = 1  # the test part is read in so many pieces side by side


OPTIONS = {
    "word": Options(dropout=0.2, optimizer="adam", lr=4e-3, clip=1.0, warmup=0.05, hold=0.05, decay="cosine"),
    "character": Options(layers=1, hidden=1000, embedding=128, tied=False, dropout=0.1, batch=32, bptt=100,
                         optimizer="adam", lr=2e-3, clip=1.0, warmup=0.02, hold=0.1, decay="cosine",
                         valid_symbols=100_000, test_columns=32),
}


class Dropout(nn.Module):
    def __init__(self, share, locked):
        super().__init__()
        self.share, self.locked = share, locked

    def forward(self, x):  # [T, B, N]
        if not self.locked or not self.training or not self.share:
            return nn.functional.dropout(x, self.share, self.training)
        mask = torch.empty(1, *x.shape[1:]).bernoulli_(1 - self.share)
        return x * (mask / (1 - self.share))


class LanguageModel(nn.Module):
    def __init__(self, vocabulary, options=OPTIONS["word"], counts=None):
        super().__init__()
        o = options
        widths = [o.embedding] + [o.hidden] * (o.layers - 1) + [o.embedding if o.tied else o.hidden]
        self.embedding = nn.Embedding(vocabulary, o.embedding)
        self.layers = nn.ModuleList(nn.LSTM(a, b) for a, b in zip(widths, widths[1:]))
        self.output = nn.Linear(widths[-1], vocabulary)
        self.dropout = Dropout(o.dropout, o.locked)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.zeros_(self.output.bias)
        if counts is not None:
            self.output.bias.data.copy_((counts / counts.sum()).log())
        if o.tied:
            self.output.weight = self.embedding.weight
        for layer in self.layers:
            nn.init.zeros_(layer.bias_hh_l0)
            nn.init.zeros_(layer.bias_ih_l0)
            nn.init.constant_(layer.bias_ih_l0[layer.hidden_size:2 * layer.hidden_size], o.forget_bias)

    def start(self, batch):
        return [(torch.zeros(1, batch, layer.hidden_size), torch.zeros(1, batch, layer.hidden_size))
                for layer in self.layers]

    def forward(self, ids, states):
        """ids [T, B], a state of each layer -> logits [T, B, vocabulary], the states after them."""
        x, after = self.dropout(self.embedding(ids)), []
        for layer, state in zip(self.layers, states):
            x, state = layer(x, state)
            x = self.dropout(x)
            after.append(state)
        return self.output(x), after


def detached(states):
    return [(h.detach(), c.detach()) for h, c in states]


def some_anew(states, share):
    """The states, those of this share of the columns zero."""
    if not share:
        return states
    keep = torch.empty(1, states[0][0].shape[1], 1).bernoulli_(1 - share)
    return [(h * keep, c * keep) for h, c in states]


def symbols(path, unit):
    out = []
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            out += [*(line.split() if unit == "word" else line.rstrip("\n")), EOS]
    return out


class Data:
    """The three parts as numbers."""

    def __init__(self, folder, unit):
        parts = [symbols(pathlib.Path(folder) / f"ptb.{name}.txt.gz", unit) for name in ("train", "valid", "test")]
        self.vocabulary = {s: k for k, s in enumerate(sorted(set(parts[0])))}
        unseen = sorted(set(parts[1] + parts[2]) - self.vocabulary.keys())
        if unseen:
            raise SystemExit(f"language_model_torch: {folder} has symbols that training does not: {' '.join(unseen[:5])}")
        self.train, self.valid, self.test = (torch.tensor([self.vocabulary[s] for s in part]) for part in parts)


def score(model, part, eos, columns, lead=500, window=100):
    """Nats of each symbol, on average. Every column but the first reads `lead` symbols before its own, for a state."""
    length = -(-len(part) // columns)
    lead = min(lead, length)
    inputs = torch.cat([torch.tensor([eos]), part[:-1]])
    at = torch.arange(length).unsqueeze(1) + length * torch.arange(columns)  # [T, B]
    targets = torch.where(at < len(part), part[at.clamp(max=len(part) - 1)], -100)
    take = lambda at: inputs[at.clamp(0, len(part) - 1)]
    model.eval()
    nats, states = 0.0, model.start(columns)
    with torch.inference_mode():
        if columns > 1:
            _, states = model(take(at[:lead] - lead), states)
            for h, c in states:
                h[:, 0], c[:, 0] = 0, 0
        for t in range(0, length, window):
            logits, states = model(take(at[t:t + window]), states)
            nats += nn.functional.cross_entropy(logits.flatten(0, 1), targets[t:t + window].flatten(),
                                                reduction="sum").item()
    model.train()
    return nats / len(part)


def rate(options, progress):
    """Of the learning rate, after this share of the training."""
    if progress < options.warmup:
        return progress / options.warmup
    x = max(0.0, (progress - options.hold) / (1 - options.hold))
    return 1 - x if options.decay == "linear" else 0.5 * (1 + math.cos(math.pi * x))


def make_optimizer(model, options):
    make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[options.optimizer]
    return make(model.parameters(), lr=options.lr, fused=True)


def step(model, optimizer, ids, targets, states, clip):
    """The loss in nats a symbol, and the states after the window."""
    logits, states = model(ids, states)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    return loss, detached(states)


def windows(part, options, rng):
    """Without end: (inputs, targets, whether an epoch begins); the first window of an epoch is of any length."""
    columns = part[:len(part) // options.batch * options.batch].view(options.batch, -1).t().contiguous()  # [T, B]
    while True:
        begin, end = 0, rng.randint(1, options.bptt)
        while begin < len(columns) - 1:
            end = min(end, len(columns) - 1)
            yield columns[begin:end], columns[begin + 1:end + 1], begin == 0
            begin, end = end, end + options.bptt


def train(data, options, seed, progress_of, log):
    """The best model by validation, and (progress, nats of training since the last, of validation). progress_of: symbols -> share."""
    torch.manual_seed(seed)
    counts = torch.bincount(data.train, minlength=len(data.vocabulary)) if options.unigram else None
    model = LanguageModel(len(data.vocabulary), options, counts)
    optimizer = make_optimizer(model, options)
    valid = data.valid[:options.valid_symbols or None]
    best, kept, history, pending = math.inf, None, [], list(VALIDATE_AT)
    seen, nats, count, states = 0, 0.0, 0, None
    for ids, targets, first in windows(data.train, options, random.Random(seed)):
        progress = progress_of(seen)
        if progress >= pending[0]:
            nats_valid = score(model, valid, data.vocabulary[EOS], 10)
            history.append((seen, nats / max(count, 1), nats_valid))
            log(f"{progress:.2f}: {seen} symbols, training {history[-1][1]:.4f}, validation {nats_valid:.4f} nats")
            if nats_valid < best:
                best, kept = nats_valid, copy.deepcopy(model.state_dict())
            nats, count = 0.0, 0
            pending = [share for share in pending if share > progress]
            if not pending:
                break
        for group in optimizer.param_groups:
            group["lr"] = options.lr * rate(options, min(progress, 1.0))
        # Short windows make small steps, so that each symbol counts alike.
        for group in optimizer.param_groups if options.optimizer == "sgd" else ():
            group["lr"] *= len(ids) / options.bptt
        states = model.start(options.batch) if first else some_anew(states, options.reset)
        loss, states = step(model, optimizer, ids, targets, states, options.clip)
        seen, nats, count = seen + ids.numel(), nats + loss.item(), count + 1
    model.load_state_dict(kept)
    return model, history


def in_unit(unit, nats):
    return math.exp(nats) if unit == "word" else nats / math.log(2)


def run(args, options):
    begin = time.monotonic()
    data = Data(args.data, args.unit)
    if args.epochs:
        progress_of = lambda seen: seen / (args.epochs * len(data.train))
    else:
        progress_of = lambda seen: (time.monotonic() - begin) / (60 * args.minutes)
    log = (lambda text: print(text, file=args.log, flush=True)) if args.log else lambda text: None
    model, history = train(data, options, args.seed, progress_of, log)
    seconds = time.monotonic() - begin
    result = {"unit": args.unit, "seed": args.seed, "options": dataclasses.asdict(options), "threads": args.threads,
              "parameters": sum(p.numel() for p in model.parameters()), "vocabulary": len(data.vocabulary),
              "minutes": seconds / 60, "epochs": history[-1][0] / len(data.train),
              "symbols_per_second": history[-1][0] / seconds,  # validation included
              "measure": "perplexity" if args.unit == "word" else "bits per character",
              "history": [[seen / len(data.train), in_unit(args.unit, a), in_unit(args.unit, b)] for seen, a, b in history],
              "valid": in_unit(args.unit, min(b for _, _, b in history))}
    if not args.dev_only:
        result["test_symbols"] = len(data.test)
        result["test"] = in_unit(args.unit, score(model, data.test, data.vocabulary[EOS], options.test_columns))
    result["machine"] = machine.environment()
    text = json.dumps(result)
    print(text)
    if args.json:
        pathlib.Path(args.json).write_text(text + "\n")
    if args.save:
        torch.save({"weights": model.state_dict(), "vocabulary": data.vocabulary, "options": result["options"]}, args.save)


def add_options(parser):
    for field in dataclasses.fields(Options):
        name = "--" + field.name.replace("_", "-")
        if field.type is bool:
            parser.add_argument(name, action=argparse.BooleanOptionalAction)
        else:
            choices = {"optimizer": ("sgd", "adam"), "decay": ("linear", "cosine")}.get(field.name)
            parser.add_argument(name, type=field.type, choices=choices)


def chosen(args):
    changes = {f.name: getattr(args, f.name) for f in dataclasses.fields(Options) if getattr(args, f.name) is not None}
    return dataclasses.replace(OPTIONS[args.unit], **changes)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, metavar="DIR")
    parser.add_argument("--unit", choices=tuple(OPTIONS), default="word")
    parser.add_argument("--minutes", type=float, help="of training; 60 for words and 30 for characters, unless told")
    parser.add_argument("--epochs", type=float, help="train for so many passes instead, however long they take")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dev-only", action="store_true", help="leave the test part alone")
    parser.add_argument("--log", type=argparse.FileType("w"), metavar="FILE", help="validations on the way; - is standard output")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--save", metavar="FILE")
    add_options(parser)
    args = parser.parse_args()
    if args.minutes is None:
        args.minutes = {"word": 60, "character": 30}[args.unit]
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)  # Adam's moments of rare symbols become denormal, and slow
    run(args, chosen(args))


if __name__ == "__main__":
    main()
