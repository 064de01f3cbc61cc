#!/usr/bin/env python3
"""Speed of `task = "classify"` beside PyTorch's, of the SST-2 model: training, and predicting 10,000 sentences.

    ./x bench quality-speed --data DIR [--rounds N] [--steps N] [--threads 1 2] [--only train predict]
                          [--precisions f32 bf16] [--out FILE.json]

DIR has the folder `sst`. Training is forward, backward, clipping and Adam on batches of 32 sentences of like length, with
dropout, without an average of the weights; PyTorch's LSTM reads them packed or padded (which is not the same model: its
backward direction begins with the padding), and the faster one counts; in a row of bf16 products PyTorch's autocast
stands beside its f32, and the fastest of all counts. Predicting is a whole process from its start,
file to file. In every round everybody is measured once, who is first changing; `ratio` is that of the medians.
"""

import argparse
import dataclasses
import functools
import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

import torch

import classify_data
import classify_torch
import machine

HERE = pathlib.Path(__file__).resolve().parent
SENTENCES = 10_000
LOG_EVERY = 25  # steps of a line in our log
WARM = 2  # lines of it left out


class TorchTraining:
    """The SST-2 model and its batches, trained on when asked."""

    def __init__(self, data, packed, steps, bf16=False):
        self.data, self.steps, self.bf16 = data, steps, bf16
        self.options = dataclasses.replace(classify_torch.OPTIONS["sst2"], batch=32)
        self.rng = random.Random(1)
        self.model = classify_torch.Classifier(len(data.vocabulary), len(data.labels), options=self.options, packed=packed)
        self.optimizer = classify_torch.make_optimizer(self.model, self.options)
        self.batches = []

    def examples_per_second(self, threads):
        torch.set_num_threads(threads)
        for _ in range(WARM * LOG_EVERY):
            self.step()
        begin = time.perf_counter()
        examples = sum(self.step() for _ in range(self.steps))
        return examples / (time.perf_counter() - begin)

    def step(self):
        if not self.batches:
            self.batches = classify_torch.bucketed([len(t) for t in self.data.train], self.options.batch, self.rng)
        batch = self.batches.pop()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            classify_torch.step(self.model, self.optimizer, *classify_torch.collate(self.data.train, batch),
                                self.data.classes[batch], self.options)
        return len(batch)


def train_ours(args, out, steps, threads, *more):
    subprocess.run([args.program, "train", classify_data.recipe("sst2"), "--data", classify_data.folder("sst2", args.data),
                    "--out", out, "--overwrite", "--quiet", "--threads", str(threads), "--set", f"train.max_steps={steps}",
                    "--set", "train.batch=32", "--set", f"train.log_every={LOG_EVERY}", *more], check=True)


def our_rate(log, warm):
    """Units of training a second, by the lines of a log after the first `warm` ones."""
    lines = [event for event in log if event["event"] == "train"]
    units = [b["units"] - a["units"] for a, b in zip(lines[warm - 1:], lines[warm:])]
    return sum(units) / sum(n / event["time"]["units_per_second"] for n, event in zip(units, lines[warm:]))


def our_examples_per_second(args, folder, threads, precision):
    """What our log says of the steps after the warm-up; validation is no part of it."""
    out = folder / "speed"
    train_ours(args, out, args.steps + WARM * LOG_EVERY, threads, "--set", "train.ema=0", "--set",
               "train.validate_every_epochs=100", "--set", f"train.precision={precision}")
    return our_rate([json.loads(line) for line in (out / "training/log.jsonl").read_text().splitlines()], WARM)


def compared(name, unit, contenders, rounds, lower_is_better=False):
    """A row: contenders are (name, function that measures), ours first."""
    values = {who: [] for who, _ in contenders}
    for r in range(rounds):
        for who, measure in contenders[::-1 if r % 2 else 1]:
            values[who].append(measure())
    medians = {who: statistics.median(v) for who, v in values.items()}
    ours, *peers = medians
    best = (min if lower_is_better else max)(peers, key=medians.get)
    def ratio(a, b):  # above 1: ours is faster
        return b / a if lower_is_better else a / b
    ratios = [ratio(a, b) for a, b in zip(values[ours], values[best])]
    row = {"name": name, "unit": unit, "medians": medians, "best_peer": best, "ratio": ratio(medians[ours], medians[best]),
           "ratio_min": min(ratios), "ratio_max": max(ratios), "all": values}
    others = ", ".join(f"{who} {m:,.2f}" for who, m in medians.items())
    print(f"| {name} | {others} | {unit} | {row['ratio']:.2f} ({row['ratio_min']:.2f} to {row['ratio_max']:.2f}) |",
          flush=True)
    return row


def training_rows(args, folder):
    data = classify_torch.Data("sst2", args.data, classify_torch.OPTIONS["sst2"].min_count)
    for threads in args.threads:
        for precision in args.precisions:
            peers = [(f"PyTorch {'packed' if packed else 'padded'}{' bf16' if bf16 else ''}",
                      functools.partial(TorchTraining(data, packed, args.steps, bf16).examples_per_second, threads))
                     for bf16 in ((False, True) if precision == "bf16" else (False,)) for packed in (True, False)]
            yield compared(f"train, {precision}, {threads} thread{'s' * (threads > 1)}", "examples/s", [
                ("lookback", lambda: our_examples_per_second(args, folder, threads, precision)), *peers], args.rounds)


def sentences(data):
    """Those of training, mixed, as often as 10,000 of them need."""
    texts = [text for text, _ in classify_data.read_set("sst2", data)[0]]
    texts = (texts * (SENTENCES // len(texts) + 1))[:SENTENCES]
    random.Random(1).shuffle(texts)
    return texts


def seconds(command):
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def prediction_rows(args, folder):
    """Speed does not ask how long a model was trained: some steps will do."""
    texts, script = folder / "texts", HERE / "classify_torch.py"
    texts.write_text("".join(f"{text}\n" for text in sentences(args.data)), encoding="utf-8")
    train_ours(args, folder / "model", LOG_EVERY, args.threads[-1])
    subprocess.run([sys.executable, script, "--set", "sst2", "--data", args.data, "--minutes", "0.05", "--dev-only", "--save",
                    folder / "model.pt"], check=True, stdout=subprocess.DEVNULL)
    for threads in args.threads:
        ours = [args.program, "predict", folder / "model", "--in", texts, "--out", folder / "ours", "--quiet", "--threads",
                str(threads)]
        theirs = [sys.executable, script, "--predict", folder / "model.pt", "--in", texts, "--out", folder / "theirs",
                  "--threads", str(threads)]
        yield compared(f"predict {SENTENCES:,} sentences, {threads} thread{'s' * (threads > 1)}", "s", [
            ("lookback", lambda: seconds(ours)), ("PyTorch", lambda: seconds(theirs))], args.rounds, True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(classify_data.ROOT / "build/release/lookback"))
    parser.add_argument("--data", required=True, metavar="DIR")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200, help="of training, in a round, after 50 to warm up")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--precisions", nargs="+", choices=("f32", "bf16"), default=["f32", "bf16"],
                        help="of the products of training")
    parser.add_argument("--only", nargs="+", choices=("train", "predict"), default=["train", "predict"])
    parser.add_argument("--out", metavar="FILE", help="write everything there, as JSON")
    args = parser.parse_args()
    args.program = str(pathlib.Path(args.program).resolve())
    torch.set_flush_denormal(True)
    print("| work | medians | unit | ratio |\n|---|---|---|---|")
    env, rows = machine.environment(args.program), []
    with tempfile.TemporaryDirectory() as name:
        for work, measured in (("train", training_rows), ("predict", prediction_rows)):
            if work in args.only:
                rows += measured(args, pathlib.Path(name))
    print(f"\n{machine.in_words(env)}; {args.rounds} rounds; in brackets the least and the most of one round.")
    if args.out:
        pathlib.Path(args.out).write_text(json.dumps({"environment": env, "rounds": args.rounds, "rows": rows}, indent=1) +
                                          "\n")


if __name__ == "__main__":
    main()
