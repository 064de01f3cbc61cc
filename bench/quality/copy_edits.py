#!/usr/bin/env python3
"""Copying with edits: strings of up to 100 symbols to learn from, strings of 400 to copy.

    python3 bench/quality/copy_edits.py --work DIR [--rows monotonic window location additive] [--minutes M] [--seed N]
                                        [--threads N] [--program build/release/lookback] [--set KEY=VALUE ...]

A source is a random string of a-z and 0-9; its target is the same with every vowel doubled and every digit dropped.
train.tsv has 20,000 strings of length 1 to 100, valid.tsv 500 of them, test.tsv 500 of exactly 400, always the same.
Prints, for each kind of attention, the share of the test strings that is written exactly, and the same of those of
validation. An attention that has learnt to walk along the source keeps its score at a length four times what it has
seen; one that has learnt where to look from what it has seen does not.
"""

import argparse
import json
import pathlib
import random
import string
import subprocess
import sys
import time

SYMBOLS = string.ascii_lowercase + string.digits
PARTS = {"train": (20_000, 1, 100), "valid": (500, 1, 100), "test": (500, 400, 400)}  # strings, shortest, longest
SHORT = 25  # the most symbols of the strings that training begins with

RECIPE = """task = "translate"

[data]
train = "train.tsv"
valid = "valid.tsv"
test = "test.tsv"
max_length = 0

[tokenizer]
kind = "char"

[model]
encoder = { blocks = [{ kind = "convolution", kernel = 5, hidden = 128 },
                      { kind = "convolution", kernel = 5, hidden = 128, residual = true }] }
decoder = { cell = "gru", hidden = 128, attention = "luong", input_feeding = true, bridge = "zeros" }
attention = 192
embedding = 32

[loss]
smoothing = 0.0

[train]
max_minutes = 10
batch = 32
optimizer = { kind = "adam", lr = 3e-3, clip = 1.0 }
schedule = { kind = "inverse_sqrt", warmup = 200 }
ema = 0.99
validate_every = 300
keep = "loss"

[decode]
beam = 1
max_length = 1000
"""

# What each kind of attention changes of the recipe.
CHANGES = {
    "monotonic": ["model.score=monotonic", "model.monotonic.noise=2"],
    "window": ["model.score=location", "model.location.window=12"],
    "location": ["model.score=location"],
    "additive": ["model.score=additive"],
}


def edited(source):
    return "".join(c * 2 if c in "aeiou" else c for c in source if not c.isdigit())


def write_data(folder, seed):
    """The three files, if they are not there; strings of digits alone have no target and are drawn again."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, (count, shortest, longest) in PARTS.items():
        draw, lines = random.Random(f"{seed} {part}"), []
        while len(lines) < count:
            source = "".join(draw.choices(SYMBOLS, k=draw.randint(shortest, longest)))
            if edited(source):
                lines.append(f"{source}\t{edited(source)}\n")
        (folder / f"{part}.tsv").write_text("".join(lines), encoding="ascii")


def exact(program, model, data, part, threads):
    """The share of strings that come out right, in percent."""
    pairs = [line.split("\t") for line in (data / f"{part}.tsv").read_text(encoding="ascii").splitlines()]
    said = subprocess.run([program, "predict", model, "--quiet", *threads], input="".join(f"{s}\n" for s, _ in pairs),
                          check=True, capture_output=True, text=True).stdout.split("\n")[:-1]
    assert len(said) == len(pairs)
    return 100 * sum(target == output for (_, target), output in zip(pairs, said)) / len(pairs)


def run(args, kind, data):
    """Trains one recipe by the command line: a third of the time on short strings, then from there on all of them."""
    short, model = args.work / f"{kind}-{args.seed}-short", args.work / f"{kind}-{args.seed}"
    threads = ["--threads", str(args.threads)] if args.threads else []
    began, steps = time.monotonic(), 0
    for out, share, stage in ((short, 1 / 3, [f"data.max_length={SHORT}"]), (model, 2 / 3, [])):
        changes = [f"train.max_minutes={args.minutes * share:g}", *stage, *CHANGES[kind], *args.set]
        subprocess.run([args.program, "train", data / "recipe.toml", "--out", out, "--overwrite", "--quiet", "--seed",
                        str(args.seed), *threads, *(["--from", short] if out == model else []),
                        *(word for c in changes for word in ("--set", c))], check=True)
        log = (out / "training/log.jsonl").read_text(encoding="utf-8").splitlines()
        steps += max(json.loads(line).get("step", 0) for line in log)
    minutes = (time.monotonic() - began) / 60
    scores = {part: exact(args.program, model, data, part, threads) for part in ("valid", "test")}
    print(f"{kind:12}{minutes:8.1f}{steps:8}{scores['valid']:12.1f}{scores['test']:12.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True, help="the folder for data and models")
    parser.add_argument("--rows", nargs="+", choices=CHANGES, default=list(CHANGES))
    parser.add_argument("--minutes", type=float, default=10, help="of training, for each")
    parser.add_argument("--seed", type=int, default=1, help="of training; the data have their own")
    parser.add_argument("--threads", type=int, help="all cores unless given")
    parser.add_argument("--program", default="build/release/lookback")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of every recipe")
    args = parser.parse_args()
    data = args.work / "data"
    write_data(data, seed=1)
    (data / "recipe.toml").write_text(RECIPE, encoding="ascii")
    print(f"{'attention':12}{'minutes':>8}{'steps':>8}{'exact@1-100':>12}{'exact@400':>12}", flush=True)
    for kind in args.rows:
        run(args, kind, data)


if __name__ == "__main__":
    sys.exit(main())
