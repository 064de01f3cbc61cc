#!/usr/bin/env python3
"""Speed of `task = "transcribe"` beside PyTorch's, of the model of recipes/transcribe-fsdd.toml or another size: steps of
training, and greedy decoding of recordings.

    ./x bench quality-transcribe [--rounds N] [--steps N] [--threads 2 1] [--seconds FROM TO] [--words N]
                                 [--hidden N] [--decoder N] ... [--only train predict] [--out FILE.json]

Recordings are noise between FROM and TO seconds long, each said to be --words words of 10. A step of training is
forward, backward, clipping and Adam on a batch of recordings of like length, with dropout, CTC and attention, from
features that are there; PyTorch's LSTMs read them packed or padded (which is not the same model: the backward direction
begins with the padding), and the faster one counts. Predicting is from WAV files to words: features, encoder, and the
decoder's likeliest word so often as there are words, by attention alone; ours is the difference between a process with
all recordings four times and one with them once, PyTorch's is measured within its process. Its parameters are those of our
model, and its words have to be ours. In every round everybody is measured once, who is first changing; `ratio` is that
of the medians, above 1 where we are faster.
"""

import argparse
import dataclasses
import functools
import json
import pathlib
import random
import subprocess
import tempfile
import time
import wave

import numpy
import torch

import machine
import transcribe_torch
from classify_speed import compared, seconds
from classify_torch import bucketed

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
LOG_EVERY = 10  # steps of a line in our log
WARM = 2  # lines of it left out
PREDICT_BATCH = 64
OFTEN = 4  # times that we are given all recordings, less once for the start of the process
RECIPE = """task = "transcribe"
[data]
train = "train.tsv"
valid = "valid.tsv"
[features]
sample_rate = {o.rate}
bins = {o.bins}
normalise = "utterance"
[tokenizer]
kind = "word"
[model]
kind = "joint"
encoder.blocks = [
  {{ kind = "convolution", hidden = {o.convolution}, kernel = 3, stride = 2 }},
  {{ kind = "bilstm", hidden = {o.hidden} }},
  {{ kind = "pyramid", factor = 2 }},
  {{ kind = "bilstm", hidden = {o.hidden} }},
]
decoder = {{ cell = "lstm", layers = 1, hidden = {o.decoder}, attention = "luong", input_feeding = true }}
score = "location"
location = {{ filters = {o.filters}, width = {o.width} }}
attention = {o.attention}
embedding = {o.embedding}
dropout = {o.dropout}
[loss]
smoothing = {o.smoothing}
ctc = {o.ctc}
[train]
batch = {batch}
optimizer = {{ kind = "adam", lr = {o.lr}, clip = {o.clip} }}
log_every = {log_every}
validate_every_epochs = 1000
keep = "loss"
[valid]
metric = "none"
"""


class Recordings:
    """Noise as WAV files in a folder, and what is said in each."""

    def __init__(self, folder, args, options):
        rng, noise = random.Random(1), numpy.random.default_rng(1)
        self.paths, self.texts, lines = [], [], []
        for k in range(args.recordings):
            samples = noise.normal(0, 3000, int(options.rate * rng.uniform(*args.seconds))).clip(-32768, 32767)
            self.paths.append(folder / f"{k}.wav")
            self.texts.append([rng.choice(WORDS) for _ in range(args.words)])
            with wave.open(str(self.paths[-1]), "wb") as f:
                f.setnchannels(1), f.setsampwidth(2), f.setframerate(options.rate)
                f.writeframes(samples.astype("<i2").tobytes())
            lines.append(f"{self.paths[-1].name}\t{' '.join(self.texts[-1])}\n")
        (folder / "train.tsv").write_text("".join(lines))
        (folder / "valid.tsv").write_text("".join(lines[:4]))
        for name, times in (("once", 1), ("often", OFTEN)):
            (folder / name).write_text("".join(f"{path}\n" for path in self.paths * times))
        bank = transcribe_torch.FilterBank(options)
        self.rows = [bank(transcribe_torch.read_wav(path)) for path in self.paths]


class TorchTraining:
    def __init__(self, args, options, recordings, packed):
        self.args, self.rng, self.batches = args, random.Random(1), []
        self.rows = recordings.rows
        ids = {word: transcribe_torch.SPECIALS + k for k, word in enumerate(WORDS)}
        self.targets = [torch.tensor([ids[word] for word in text]) for text in recordings.texts]
        torch.manual_seed(1)
        self.model = transcribe_torch.Transcriber(transcribe_torch.SPECIALS + len(WORDS), options, packed)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=options.lr, fused=True)

    def seconds_per_step(self, threads):
        torch.set_num_threads(threads)
        for _ in range(WARM * LOG_EVERY):
            self.step()
        begin = time.perf_counter()
        for _ in range(self.args.steps):
            self.step()
        return (time.perf_counter() - begin) / self.args.steps

    def step(self):
        if not self.batches:
            self.batches = bucketed([len(r) for r in self.rows], self.args.batch, self.rng)
        batch = self.batches.pop()
        transcribe_torch.train_step(self.model, self.optimizer, [self.rows[k] for k in batch],
                                    [self.targets[k] for k in batch])


def train_ours(args, folder, out, steps, threads):
    subprocess.run([args.program, "train", folder / "recipe.toml", "--out", out, "--overwrite", "--quiet", "--threads",
                    str(threads), "--set", f"train.max_steps={steps}"], check=True)


def our_seconds_per_step(args, folder, threads):
    """What our log says of the steps after the warm-up; validation is no part of it."""
    out = folder / "speed"
    train_ours(args, folder, out, args.steps + WARM * LOG_EVERY, threads)
    log = [json.loads(line) for line in (out / "training/log.jsonl").read_text().splitlines()]
    lines = [event["time"]["seconds"] for event in log if event["event"] == "train"]
    return (lines[-1] - lines[WARM - 1]) / (len(lines) - WARM) / LOG_EVERY


def training_rows(args, options, folder, recordings):
    for threads in args.threads:
        peers = [(f"PyTorch {'packed' if packed else 'padded'}",
                  functools.partial(TorchTraining(args, options, recordings, packed).seconds_per_step, threads))
                 for packed in (True, False)]
        yield compared(f"train, a step of {args.batch}, {threads} thread{'s' * (threads > 1)}", "ms", [
            ("lookback", lambda: 1000 * our_seconds_per_step(args, folder, threads)),
            *((name, lambda f=f: 1000 * f()) for name, f in peers)], args.rounds, True)


class TorchPrediction:
    def __init__(self, args, options, recordings, model):
        self.args, self.paths, self.bank = args, recordings.paths, transcribe_torch.FilterBank(options)
        vocabulary = json.loads((model / "tokenizer.json").read_text())["model"]["vocab"]
        self.words = {k: word for word, k in vocabulary.items()}
        self.model = transcribe_torch.Transcriber(len(vocabulary), options)
        self.model.load(transcribe_torch.tensors_of(model / "model.safetensors")).eval()

    def texts(self):
        out = [None] * len(self.paths)
        with torch.inference_mode():
            rows = [self.bank(transcribe_torch.read_wav(path)) for path in self.paths]
            order = sorted(range(len(rows)), key=lambda k: -len(rows[k]))
            for begin in range(0, len(order), PREDICT_BATCH):
                part = order[begin:begin + PREDICT_BATCH]
                said = self.model.greedy(*transcribe_torch.collate([rows[k] for k in part]), self.args.words)
                for k, ids in zip(part, said.tolist()):
                    out[k] = " ".join(self.words[i] for i in ids)
        return out

    def milliseconds(self, threads):
        torch.set_num_threads(threads)
        begin = time.perf_counter()
        self.texts()
        return 1000 * (time.perf_counter() - begin) / len(self.paths)


def prediction_rows(args, options, folder, recordings):
    model, said = folder / "model", folder / "said"
    # Speed does not ask how long a model was trained: some steps will do.
    train_ours(args, folder, model, 60, args.threads[0])
    theirs = TorchPrediction(args, options, recordings, model)

    def command(name, threads):
        return [args.program, "predict", model, "--in", folder / name, "--out", said, "--quiet", "--beam", "1",
                "--ctc-weight", "0", "--longest-piece", "0", "--batch", str(PREDICT_BATCH), "--min-length", str(args.words),
                "--max-length", str(args.words), "--max-length-offset", str(args.words), "--threads", str(threads)]

    seconds(command("once", args.threads[0]))
    ours = said.read_text().splitlines()
    same = sum(a == b for a, b in zip(ours, theirs.texts(), strict=True)) / len(ours)
    assert same > 0.98, f"only {same:.1%} of the outputs are the same"
    count = (OFTEN - 1) * len(ours)
    for threads in args.threads:
        yield compared(f"predict, {threads} thread{'s' * (threads > 1)}", "ms a recording", [
            ("lookback", lambda: 1000 * (seconds(command("often", threads)) - seconds(command("once", threads))) / count),
            ("PyTorch packed", lambda: theirs.milliseconds(threads))], args.rounds, True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build/release/lookback"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100, help="of training, in a round, after 20 to warm up")
    parser.add_argument("--threads", nargs="+", type=int, default=[2, 1])
    parser.add_argument("--recordings", type=int, default=1600)
    parser.add_argument("--seconds", nargs=2, type=float, default=[0.3, 0.6], metavar=("FROM", "TO"))
    parser.add_argument("--words", type=int, default=1, help="that are said in each")
    parser.add_argument("--batch", type=int, default=32)
    for field in dataclasses.fields(transcribe_torch.Options):
        parser.add_argument(f"--{field.name}", type=field.type, default=field.default)
    parser.add_argument("--only", nargs="+", choices=("train", "predict"), default=["train", "predict"])
    parser.add_argument("--out", metavar="FILE", help="write everything there, as JSON")
    args = parser.parse_args()
    args.program = str(pathlib.Path(args.program).resolve())
    options = transcribe_torch.Options(**{f.name: getattr(args, f.name) for f in dataclasses.fields(transcribe_torch.Options)})
    torch.set_flush_denormal(True)
    print("| work | medians | unit | ratio |\n|---|---|---|---|")
    env, rows = machine.environment(args.program), []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        recordings = Recordings(folder, args, options)
        (folder / "recipe.toml").write_text(RECIPE.format(o=options, batch=args.batch, log_every=LOG_EVERY))
        for work, measured in (("train", training_rows), ("predict", prediction_rows)):
            if work in args.only:
                rows += measured(args, options, folder, recordings)
    machine.report(args, env, options, rows)


if __name__ == "__main__":
    main()
