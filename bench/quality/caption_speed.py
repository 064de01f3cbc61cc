#!/usr/bin/env python3
"""Speed of `task = "caption"` beside PyTorch's, of the model of recipes/caption-flickr8k-mini.toml: training, greedy
captions from features made elsewhere, and pictures into features.

    ./x bench quality-caption [--data DIR] [--rounds N] [--steps N] [--threads 2 1] [--compiled]
                              [--only train predict pictures] [--out FILE.json]

Features are synthetic, f32 [pictures, 169, 512] in one .npy that lists name as FILE.npy#K: what a relu lets through of
noise about a mean of each kind of picture, two thirds zeros. Every picture has five captions, as long as those of
Flickr8k (log-normal, mean 12 words), of words by Zipf's law, half of them instead the word that its kind has at this
place.

Training is forward, backward, clipping and Adam on batches of captions of like length, with dropout, label smoothing
and no average of the weights; units are target tokens, the ends included. PyTorch begins with our first weights; it
leaves captions that have ended in the batch, masked, or takes them out of it, and with --compiled its attention goes
through torch.compile, too: the fastest counts. Both models have to have as many parameters, the same loss of the same
weights and the same captions, and after as many steps of training losses that are alike.

Captions are greedy, in batches of 32, of --length words each; ours is the difference between a process with the whole
list three times and one with it once, PyTorch's is measured within its process. Pictures are JPEG photographs of
DIR/flickr8k-mini, or without it PNGs of 500 x 375, made here; a picture's time is that of predicting from pictures less
that from features, by the SqueezeNet of DIR/squeezenet-cnn, without which the row is left out. In every round everybody
is measured once, who is first changing; `ratio` is that of the medians, above 1 where we are faster. A row with a floor
says whether it is met.
"""

import argparse
import dataclasses
import functools
import json
import pathlib
import random
import statistics
import string
import struct
import subprocess
import tempfile
import time
import zlib

import numpy
import torch

import caption_torch
import machine
from classify_speed import compared, seconds
from classify_torch import bucketed
from transcribe_torch import tensors_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOG_EVERY = 10  # steps of a line in our log
WARM = 2  # lines of it left out
BATCH = 32
OFTEN = 3  # times that we are given the whole list, less once for the start of the process
CAPTIONS, KINDS, LONGEST = 5, 20, 35  # of a picture; of pictures; in words
FLOORS = {"train": 1.5, "predict": 300, "pictures": 20}  # ratio, captions a second, pictures a second
ALIKE = 0.05  # most that losses after as many steps may differ, relative: orders and dropout are not the same
CNN = ("squeezenet_v1.0_decoded.caffemodel", "squeezenet_v1.0_deploy.prototxt")
RECIPE = """task = "caption"
[data]
train = "train.tsv"
valid = "valid.tsv"
[features]
cnn = "{cnn}"
network = "{network}"
[tokenizer]
kind = "word"
lowercase = true
[model]
encoder = {{ blocks = [{{ kind = "convolution", hidden = {o.encoder}, kernel = 1 }}] }}
decoder.cell = "lstm"
decoder.hidden = {o.decoder}
decoder.attention = "bahdanau"
decoder.input_feeding = false
decoder.gate = "beta"
score = "additive"
attention = {o.attention}
embedding = {o.embedding}
dropout = {o.dropout}
[loss]
smoothing = {o.smoothing}
[train]
batch = {batch}
optimizer = {{ kind = "adam", lr = {o.lr}, clip = {o.clip} }}
schedule = {{ kind = "inverse_sqrt", warmup = {o.warmup} }}
log_every = {log_every}
validate_every_epochs = 100000
keep = "loss"
[valid]
metric = "none"
"""


class Pictures:
    """Features and captions, and the lists that name them, in a folder."""

    def __init__(self, folder, args, options):
        rng = numpy.random.default_rng(1)
        names = ["".join(string.ascii_lowercase[k // 26 ** p % 26] for p in (2, 1, 0)) for k in range(args.words)]
        kinds = rng.integers(KINDS, size=args.pictures)
        means = rng.normal(-0.5, 0.4, (KINDS, options.features)).astype("float32")
        self.file = folder / "features.npy"
        shape = (args.pictures, options.places, options.features)
        rows = numpy.lib.format.open_memmap(self.file, "w+", "float32", shape)
        for k, kind in enumerate(kinds):
            rows[k] = numpy.maximum(means[kind] + rng.standard_normal(rows.shape[1:], dtype="float32"), 0)
        rows.flush()
        self.features = torch.from_numpy(numpy.load(self.file))
        self.zeros = (self.features == 0).float().mean().item()
        zipf = 1 / (numpy.arange(args.words) + 2.7)
        cumulated = numpy.cumsum(zipf) / zipf.sum()
        own = rng.permutation(args.words)[:KINDS * LONGEST].reshape(KINDS, LONGEST)
        self.texts, self.picture_of = [], []
        for k, kind in enumerate(kinds):
            for _ in range(CAPTIONS):
                n = int(numpy.clip(numpy.rint(rng.lognormal(numpy.log(11.3), 0.33)), 3, LONGEST))
                any_word = numpy.searchsorted(cumulated, rng.random(n))
                words = numpy.where(rng.random(n) < 0.5, own[kind][:n], any_word)
                self.texts.append([names[w] for w in words]), self.picture_of.append(k)
        lines = [f"{self.file.name}#{k}\t{' '.join(text)}\n" for k, text in zip(self.picture_of, self.texts)]
        (folder / "train.tsv").write_text("".join(lines))
        self.valid = list(range(8 * CAPTIONS))
        (folder / "valid.tsv").write_text("".join(lines[k] for k in self.valid))
        for name, times in (("once", 1), ("often", OFTEN)):
            self.list_of(folder / name, [f"{self.file}#{k}" for k in range(args.pictures)] * times)

    @staticmethod
    def list_of(path, names):
        path.write_text("".join(f"{name}\n" for name in names))

    def targets(self, vocabulary):
        return [torch.tensor([vocabulary[word] for word in text]) for text in self.texts]


def train_ours(args, folder, out, steps, threads, *more, recipe="recipe.toml"):
    """-> the events of our log."""
    subprocess.run([args.program, "train", folder / recipe, "--out", out, "--overwrite", "--quiet", "--threads",
                    str(threads), "--set", f"train.max_steps={steps}", *more], check=True)
    return [json.loads(line) for line in (out / "training/log.jsonl").read_text().splitlines()]


class Same:
    """Our model after one step, with a rate near 0, and after some: what PyTorch begins with and is held to."""

    def __init__(self, args, options, folder, pictures):
        self.args, self.options, self.pictures = args, options, pictures
        train_ours(args, folder, folder / "first", 1, args.threads[0])
        self.model = folder / "model"
        log = train_ours(args, folder, self.model, args.trained, args.threads[0], "--set", "train.schedule.warmup=20",
                         "--set", "train.optimizer.lr=3e-3")  # in a hurry: captions should differ
        self.words = json.loads((self.model / "tokenizer.json").read_text())["model"]["vocab"]
        self.targets = pictures.targets(self.words)
        self.first, self.later = (tensors_of(folder / name / "model.safetensors") for name in ("first", "model"))
        model = self.torch(self.later)
        self.parameters, ours = model.count(), log[0]["parameters"]
        assert self.parameters == ours, f"{ours} parameters, and PyTorch has {self.parameters}"
        valid = sorted(pictures.valid, key=lambda k: -len(self.targets[k]))
        self.ours, self.theirs = log[-1]["scores"]["loss"], []
        for shrinking in (False, True):
            model.shrinking = shrinking
            with torch.inference_mode():
                rows = pictures.features[[pictures.picture_of[k] for k in valid]]
                loss = model.eval().loss(rows, *caption_torch.collate([self.targets[k] for k in valid]))
                self.theirs.append(loss.item())
            assert abs(self.theirs[-1] / self.ours - 1) < 1e-4, f"losses of one model: {self.ours}, {self.theirs}"

    def torch(self, weights, **how):
        return caption_torch.Captioner(len(self.words), self.options, **how).load(weights)

    def in_words(self):
        return (f"{self.parameters:,} parameters on both sides, {len(self.words):,} words with the specials; "
                f"{len(self.targets):,} captions of {statistics.mean(map(len, self.targets)):.1f} words, features "
                f"{self.pictures.zeros:.0%} zeros; losses of the same weights {self.ours:.5f} and {self.theirs[0]:.5f}")


class TorchTraining:
    def __init__(self, same, shrinking, compiled=False):
        self.same, self.how = same, {"shrinking": shrinking, "compiled": compiled}
        self.losses = []

    def tokens_per_second(self, threads):
        torch.set_num_threads(threads)
        self.rng, self.batches, args = random.Random(1), [], self.same.args
        torch.manual_seed(1)
        self.trainer = caption_torch.Trainer(self.same.torch(self.same.first, **self.how).train())
        for _ in range(WARM * LOG_EVERY):
            self.step()
        begin = time.perf_counter()
        done = [self.step() for _ in range(args.steps)]
        took = time.perf_counter() - begin
        tokens = sum(n for n, _ in done)
        self.losses.append(sum(n * loss for n, loss in done) / tokens)
        return tokens / took

    def step(self):
        targets, pictures = self.same.targets, self.same.pictures
        if not self.batches:
            self.batches = bucketed([len(t) for t in targets], BATCH, self.rng)
        batch = sorted(self.batches.pop(), key=lambda k: -len(targets[k]))
        rows = pictures.features[[pictures.picture_of[k] for k in batch]]
        loss = self.trainer.step(rows, [targets[k] for k in batch])
        return sum(len(targets[k]) + 1 for k in batch), loss


class OurTraining:
    def __init__(self, args, folder):
        self.args, self.folder, self.losses = args, folder, []

    def tokens_per_second(self, threads):
        """What our log says of the steps after the warm-up; validation is no part of it."""
        log = train_ours(self.args, self.folder, self.folder / "speed", self.args.steps + WARM * LOG_EVERY, threads)
        lines = [event for event in log if event["event"] == "train"]
        tokens = [b["units"] - a["units"] for a, b in zip(lines[WARM - 1:], lines[WARM:])]
        self.losses.append(sum(n * line["loss"] for n, line in zip(tokens, lines[WARM:])) / sum(tokens))
        return sum(tokens) / (lines[-1]["time"]["seconds"] - lines[WARM - 1]["time"]["seconds"])


def on(threads):
    return f"{threads} thread{'s' * (threads > 1)}"


def held(row, value, floor, unit):
    row["floor"], row["met"] = floor, value >= floor
    print(f"    floor {floor:g} {unit}: {'met' if row['met'] else 'MISSED'} with {value:,.2f}", flush=True)
    return row


def training_rows(args, folder, same):
    for threads in args.threads:
        kinds = [("PyTorch masked", TorchTraining(same, False)), ("PyTorch shrinking", TorchTraining(same, True))]
        if args.compiled:
            kinds.append(("PyTorch compiled", TorchTraining(same, False, True)))
        who = [("lookback", OurTraining(args, folder)), *kinds]
        row = compared(f"train, batches of {BATCH}, {on(threads)}", "target tokens/s", [
            (name, functools.partial(one.tokens_per_second, threads)) for name, one in who], args.rounds)
        row["losses"] = {name: statistics.mean(one.losses) for name, one in who}
        print(f"    mean loss of steps {WARM * LOG_EVERY + 1} to {WARM * LOG_EVERY + args.steps}: " +
              ", ".join(f"{name} {loss:.4f}" for name, loss in row["losses"].items()), flush=True)
        ours, *theirs = row["losses"].values()
        assert all(abs(loss / ours - 1) < ALIKE for loss in theirs), "losses after as many steps are not alike"
        yield held(row, row["ratio"], FLOORS["train"], "times PyTorch")


def predicting(args, model, inputs, said, threads):
    return [args.program, "predict", model, "--in", inputs, "--out", said, "--quiet", "--beam", "1", "--batch",
            str(BATCH), "--min-length", str(args.length), "--max-length", str(args.length), "--threads", str(threads)]


class TorchPrediction:
    def __init__(self, same):
        self.same, self.model = same, same.torch(same.later).eval()
        self.names = {k: word for word, k in same.words.items()}

    def texts(self):
        out, rows = [], self.same.pictures.features
        with torch.inference_mode():
            for part in rows.split(BATCH):
                said = self.model.greedy(part, self.same.args.length).tolist()
                out += [" ".join(self.names[k] for k in ids) for ids in said]
        return out

    def captions_per_second(self, threads):
        torch.set_num_threads(threads)
        begin = time.perf_counter()
        return len(self.texts()) / (time.perf_counter() - begin)


def prediction_rows(args, folder, same):
    theirs, said = TorchPrediction(same), folder / "said"

    def command(name, threads):
        return predicting(args, same.model, folder / name, said, threads)

    seconds(command("once", args.threads[0]))
    ours = said.read_text().splitlines()
    alike = sum(a == b for a, b in zip(ours, theirs.texts(), strict=True)) / len(ours)
    print(f"    {alike:.1%} of our captions are PyTorch's, {len(set(ours))} of {len(ours)} different", flush=True)
    assert alike > 0.98, f"only {alike:.1%} of the captions are the same"
    count = (OFTEN - 1) * len(ours)
    for threads in args.threads:
        starts = []

        def per_second(threads=threads, starts=starts):
            often, once = seconds(command("often", threads)), seconds(command("once", threads))
            starts.append(once - (often - once) / (OFTEN - 1))
            return count / (often - once)

        name = f"captions of {args.length} words from features, greedy, batches of {BATCH}, {on(threads)}"
        row = compared(name, "captions/s", [
            ("lookback", per_second), ("PyTorch", functools.partial(theirs.captions_per_second, threads))], args.rounds)
        row["seconds_to_start"] = statistics.median(starts)
        print(f"    loading the model, left out above: {row['seconds_to_start']:.2f} s", flush=True)
        yield held(row, row["medians"]["lookback"], FLOORS["predict"], "captions/s")


def png(rng, height=375, width=500):
    """Smooth light with grain, as a photograph has it."""
    coarse = rng.normal(0, 40, (height // 25 + 2, width // 25 + 2, 3))
    smooth = numpy.kron(coarse, numpy.ones((25, 25, 1)))[:height, :width]
    pixels = (128 + smooth + rng.normal(0, 6, (height, width, 3))).clip(0, 255).astype("uint8")

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    lines = numpy.concatenate([numpy.zeros((height, 1), "uint8"), pixels.reshape(height, -1)], 1).tobytes()
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(lines, 6)) + chunk(b"IEND", b""))


def some_pictures(args, folder):
    """-> what they are, and the files."""
    there = sorted((args.data / "flickr8k-mini/images").glob("*.jpg"))[:args.seen]
    if len(there) == args.seen:
        return "JPEG photographs", [path.resolve() for path in there]
    out, rng = [], numpy.random.default_rng(1)
    for k in range(args.seen):
        out.append(folder / f"{k}.png")
        out[-1].write_bytes(png(rng))
    return "PNG pictures of 500 x 375", out


def picture_rows(args, options, folder, pictures):
    cnn = [args.data / "squeezenet-cnn" / name for name in CNN]
    missing = [str(path) for path in cnn if not path.exists()]
    if missing:
        print(f"| pictures into features | left out: {', '.join(missing)} missing | | |", flush=True)
        yield {"name": "pictures into features", "left_out": missing}
        return
    write_recipe(folder / "seeing.toml", options, *(path.resolve() for path in cnn))
    model, said = folder / "seeing", folder / "said"
    train_ours(args, folder, model, LOG_EVERY, args.threads[0], recipe="seeing.toml")
    what, files = some_pictures(args, folder)
    pictures.list_of(folder / "seen", files)
    pictures.list_of(folder / "made", [f"{pictures.file}#{k % args.pictures}" for k in range(len(files))])
    for threads in args.threads:
        values, whole = [], []
        for r in range(args.rounds):
            took = {}
            for name in ("seen", "made")[::-1 if r % 2 else 1]:
                took[name] = seconds(predicting(args, model, folder / name, said, threads))
                assert all(said.read_text().splitlines()), "some pictures have no caption"
            values.append(len(files) / (took["seen"] - took["made"])), whole.append(len(files) / took["seen"])
        row = {"name": f"{len(files)} {what} into features, {on(threads)}", "unit": "pictures/s",
               "medians": {"lookback": statistics.median(values)},
               "with_captions_and_loading": statistics.median(whole), "all": {"lookback": values}}
        median = row["medians"]["lookback"]
        print(f"| {row['name']} | lookback {median:,.2f} ({min(values):,.2f} to {max(values):,.2f}); "
              f"the whole process {row['with_captions_and_loading']:,.2f} | pictures/s | |", flush=True)
        yield held(row, median, FLOORS["pictures"], "pictures/s")


def write_recipe(path, options, cnn="", network=""):
    path.write_text(RECIPE.format(o=options, batch=BATCH, log_every=LOG_EVERY, cnn=cnn, network=network))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build/release/lookback"))
    parser.add_argument("--data", type=pathlib.Path, default=ROOT.parent / "shared/data", metavar="DIR")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100, help="of training, in a round, after 20 to warm up")
    parser.add_argument("--threads", nargs="+", type=int, default=[2, 1])
    parser.add_argument("--pictures", type=int, default=600, help="that have features, of 346 kB each")
    parser.add_argument("--words", type=int, default=2400, help="that captions are made of; rare ones may not come")
    parser.add_argument("--length", type=int, default=12, help="words of a predicted caption")
    parser.add_argument("--trained", type=int, default=200, help="steps that the model has learnt for which predicts")
    parser.add_argument("--seen", type=int, default=200, help="pictures that are made into features")
    parser.add_argument("--compiled", action="store_true", help="PyTorch's attention through torch.compile, too")
    works = ("train", "predict", "pictures")
    parser.add_argument("--only", nargs="+", choices=works, default=works)
    parser.add_argument("--out", metavar="FILE", help="write everything there, as JSON")
    for field in dataclasses.fields(caption_torch.Options):
        parser.add_argument(f"--{field.name}", type=field.type, default=field.default)
    args = parser.parse_args()
    args.program = str(pathlib.Path(args.program).resolve())
    names = [field.name for field in dataclasses.fields(caption_torch.Options)]
    options = caption_torch.Options(**{name: getattr(args, name) for name in names})
    if args.steps % LOG_EVERY:
        parser.error(f"--steps has to be a multiple of {LOG_EVERY}")
    if "pictures" in args.only and options.features != caption_torch.Options.features:
        parser.error("--only pictures needs the 512 features that the network has")
    torch.set_flush_denormal(True)
    env, rows, same = machine.environment(args.program), [], None
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        pictures = Pictures(folder, args, options)
        write_recipe(folder / "recipe.toml", options)
        if {"train", "predict"} & set(args.only):
            same = Same(args, options, folder, pictures)
            print(same.in_words() + "\n")
        print("| work | medians | unit | ratio |\n|---|---|---|---|", flush=True)
        for work, measured in (("train", lambda: training_rows(args, folder, same)),
                               ("predict", lambda: prediction_rows(args, folder, same)),
                               ("pictures", lambda: picture_rows(args, options, folder, pictures))):
            if work in args.only:
                rows += measured()
    machine.report(args, env, options, rows, parameters=same and same.parameters)


if __name__ == "__main__":
    main()
