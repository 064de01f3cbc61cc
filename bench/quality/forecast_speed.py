#!/usr/bin/env python3
"""Forecasters beside PyTorch: a back-test beside a loop over its windows, with the same LSTM and the same numbers, and
training on ragged series beside nn.LSTM on padded batches, in one run each: ./x bench quality-forecast"""

import argparse
import csv
import json
import math
import pathlib
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import machine
import torch
from torch import nn

HIDDEN, HORIZON = 64, 24
RECIPE = """task = "forecast"
[data]
train = "table.csv"
id = "{id}"
time = ""
targets = ["y"]
valid_from = "{valid}"
test_from = "{test}"
history = {history}
horizons = [{horizon}]
scale = "none"
calendar = false
[model]
linear = false
encoder = {{ hidden = 64, bidirectional = false }}
[train]
batch = 64
max_steps = 10
optimizer = {{ lr = 1e-3 }}
validate_every_epochs = 1
keep = "mse"
[valid]
intervals = []
"""


def value(rng, step):
    return math.sin(2 * math.pi * step / 24) + 0.3 * rng.gauss(0, 1)


def tensors_of(path):
    """f32 tensors of a safetensors file."""
    blob = path.read_bytes()
    size = struct.unpack("<Q", blob[:8])[0]
    header = json.loads(blob[8:8 + size])
    return {name: torch.frombuffer(bytearray(blob[8 + size + a:8 + size + b]), dtype=torch.float32).reshape(shape)
            for name, (a, b), shape in ((n, h["data_offsets"], h["shape"]) for n, h in header.items() if n != "__metadata__")}


class Peer(nn.Module):
    """The same model: the last state of an LSTM over values less the last one, and a map to all steps."""

    def __init__(self, horizon):
        super().__init__()
        self.lstm, self.output = nn.LSTM(2, HIDDEN, batch_first=True), nn.Linear(HIDDEN, horizon)

    def load(self, weights):
        for ours, theirs in (("encoder.lstm." + n, self.lstm.__getattr__(n)) for n in
                             ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")):
            theirs.data.copy_(weights[ours])
        self.output.weight.data.copy_(weights["output.weight"]), self.output.bias.data.copy_(weights["output.bias"])

    def forward(self, history, lengths=None):
        last = history[:, -1:] if lengths is None else history.gather(1, lengths[:, None] - 1)
        x = history - last
        if lengths is not None:
            x = x * (torch.arange(x.shape[1]) < lengths[:, None])
        states, (h, _) = self.lstm(torch.stack([x, torch.ones_like(x)], 2))
        if lengths is not None:
            h = states.gather(1, (lengths - 1)[:, None, None].expand(-1, 1, HIDDEN))[None, :, 0]
        return last + self.output(h[0])


def backtest(program, folder, windows, history=168):
    rng = random.Random(1)
    y = [round(value(rng, t), 5) for t in range(2000 + windows + HORIZON - 1)]
    (folder / "table.csv").write_text("y\n" + "\n".join(map(str, y)) + "\n")
    (folder / "recipe.toml").write_text(RECIPE.format(id="", valid=1500, test=2000, history=history, horizon=HORIZON))
    run = [program, "train", folder / "recipe.toml", "--out", folder / "model", "--quiet"]
    subprocess.run(run, check=True)
    rows = folder / "rows.csv"
    words = [program, "backtest", folder / "model", "--start", "2000", "--batch", "512"]
    ours, theirs = [], []
    peer = Peer(HORIZON)
    peer.load(tensors_of(folder / "model" / "model.safetensors"))
    series = torch.tensor(y, dtype=torch.float32)
    for _ in range(3):
        begin = time.perf_counter()
        subprocess.run(words, check=True, capture_output=True)
        ours.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        with torch.inference_mode():
            said = [peer(series[None, 2000 + k - history:2000 + k])[0] for k in range(windows)]
        theirs.append(time.perf_counter() - begin)
    subprocess.run(words + ["--out", rows], check=True, capture_output=True)
    with open(rows, encoding="utf-8", newline="") as f:
        mean = [float(row["mean"]) for row in csv.DictReader(f)]
    far = max(abs(a - b) for a, b in zip(mean, torch.stack(said).flatten().tolist(), strict=True))
    assert far < 1e-4, f"the forecasts differ by {far}"
    a, b = statistics.median(ours), statistics.median(theirs)
    return {"row": "back-test", "windows": windows, "lookback_seconds": a, "torch_loop_seconds": b, "ratio": b / a,
            "largest_difference": far}


# A child counts what its parent had when it was started as its own peak; so it is started by a process that is small.
MEASURE = """import json, os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True)
out = child.stdout.read()
_, status, usage = os.wait4(child.pid, 0)
print(json.dumps([os.waitstatus_to_exitcode(status), out, usage.ru_maxrss * 1024]))"""


def run_measured(words):
    """What a command printed, and its peak memory in bytes."""
    done = subprocess.run([sys.executable, "-c", MEASURE, *words], check=True, stdout=subprocess.PIPE, text=True)
    code, out, peak = json.loads(done.stdout)
    if code:
        raise SystemExit(f"{words[0]} failed")
    return out, peak


def ragged_series(count):
    rng = random.Random(2)
    return [[round(value(rng, t), 4) for t in range(rng.randint(50, 350))] for _ in range(count)]


def torch_training(count, epochs):
    """Training of the peer on batches padded to the longest series of all, in this process: prints a JSON object."""
    series = ragged_series(count)
    longest = max(map(len, series))
    table = torch.zeros(count, longest - 1)
    for k, s in enumerate(series):
        table[k, :len(s) - 1] = torch.tensor(s[:-1])
    lengths, targets = torch.tensor([len(s) - 1 for s in series]), torch.tensor([[s[-1]] for s in series])
    torch.manual_seed(1)
    peer = Peer(1)
    adam = torch.optim.Adam(peer.parameters(), lr=1e-3)
    times = []
    for _ in range(epochs):
        begin = time.perf_counter()
        for index in torch.randperm(count).split(64):
            adam.zero_grad()
            nn.functional.mse_loss(peer(table[index], lengths[index]), targets[index]).backward()
            adam.step()
        times.append(time.perf_counter() - begin)
    print(json.dumps({"seconds": min(times)}))


def training(program, folder, count, epochs=3):
    lines = ["unique_id,ds,y"]
    for k, series in enumerate(ragged_series(count)):
        lines += [f"s{k},{t},{y}" for t, y in enumerate(series)]
    # One more series to validate on: training has one window of each, at its end.
    lines += [f"v,{t},{value(random.Random(3), t):.4f}" for t in range(400)]
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    text = RECIPE.format(id="unique_id", valid=350, test=351, history=349, horizon=1)
    text = text.replace('time = ""', 'time = "ds"').replace("max_steps = 10", f"max_epochs = {epochs}")
    (folder / "recipe.toml").write_text(text.replace("batch = 64", "batch = 64\nlog_every = 1"))
    out, their_peak = run_measured([sys.executable, __file__, "--torch-training", str(count)])
    theirs = json.loads(out)["seconds"]
    _, our_peak = run_measured([program, "train", folder / "recipe.toml", "--out", folder / "model", "--quiet"])
    log = [json.loads(line) for line in (folder / "model/training/log.jsonl").read_text().splitlines()]
    seconds = [event["time"]["seconds"] for event in log if event["event"] == "train"]
    steps = len(seconds) // epochs
    # An epoch without the first one, which finds the memory.
    ours = (seconds[epochs * steps - 1] - seconds[steps - 1]) / (epochs - 1)
    return {"row": "training on ragged series", "series": count, "lookback_epoch_seconds": ours,
            "torch_epoch_seconds": theirs, "ratio": theirs / ours, "lookback_peak_mb": our_peak / 1e6,
            "torch_peak_mb": their_peak / 1e6, "memory_ratio": our_peak / their_peak}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default="build/release/lookback")
    parser.add_argument("--windows", type=int, default=10000)
    parser.add_argument("--series", type=int, default=10000)
    parser.add_argument("--torch-training", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.torch_training:
        return torch_training(args.torch_training, 3)
    print(machine.in_words(machine.environment(args.program)))
    for part in (lambda f: backtest(args.program, f, args.windows), lambda f: training(args.program, f, args.series)):
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(part(pathlib.Path(folder))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
