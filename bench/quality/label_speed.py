#!/usr/bin/env python3
"""Speed of `task = "label"` beside PyTorch's, of a BiLSTM-CRF with characters: steps of training, and tagging 100,000
words.

    ./x bench quality-label --data DIR [--rounds N] [--steps N] [--threads 2 1] [--only train predict] [--out FILE.json]

DIR has the Penn Treebank's ptb.train.txt.gz; its lines are the sentences. Their tags are made up: one word in 20 begins
one of four kinds of spans, and one in three of those behind goes on with it, by a hash of their letters. The model is
that of recipes/label-conll.toml (words of 100, characters of 25, LSTMs of 2 x 25 and 2 x 100, a CRF that forbids what
is not BIO), without the five numbers of a word's case, as the text has none, without dropped words and an average of
the weights. Training is forward, backward, clipping and Adam on batches of 32 sentences of like length; PyTorch's LSTM
reads the sentences packed or padded (which is not the same model: its backward direction begins with the padding), and
the faster one counts. Tagging is from lines of words to lines of words with their tags: ours is the difference between
a process with all of them and one with the first of them, as a process keeps what it made of a word; PyTorch's is
measured within its process, packed, every word new to it, its parameters are ours, and its tags have to be. In every
round everybody is measured once, who is first changing; `ratio` is that of the medians, above 1 where we are faster.
Before that both are trained for as many steps, and the losses of the last ones are shown.
"""

import argparse
import functools
import json
import pathlib
import random
import statistics
import subprocess
import tempfile
import time
import zlib

import torch

import label_torch
import machine
import seq_data
from classify_speed import compared, our_rate, seconds
from classify_torch import bucketed
from transcribe_torch import tensors_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
KINDS = "PER", "ORG", "LOC", "MISC"
TAGGED = 100_000  # words
LOG_EVERY = 10  # steps of a line in our log
WARM = 2  # lines of it left out
PREDICT_BATCH = 64
FLOORS, AIMS = {"train": 3, "predict": 5}, {"train": 8, "predict": 15}
RECIPE = """task = "label"
[data]
layout = "conll"
train = "train.conll"
valid = "valid.conll"
[tokenizer]
kind = "word"
split = "space"
size = 50000
min_count = 1
[model]
encoder = {{ cell = "lstm", layers = 1, hidden = {o.hidden}, bidirectional = true }}
characters = {{ kind = "lstm", embedding = {o.characters}, hidden = {o.spelling} }}
embedding = {o.words}
crf = true
forbid = "bio"
dropout = {o.dropout}
[train]
batch = {batch}
optimizer = {{ kind = "adam", lr = {o.lr}, clip = {o.clip} }}
log_every = {log_every}
validate_every_epochs = 1000
keep = "loss"
[valid]
metric = "none"
"""


def made_up_tags(words):
    out, kind = [], None
    for word in words:
        h = zlib.crc32(word.encode())
        if h % 20 == 0:
            kind = KINDS[h // 20 % len(KINDS)]
            out.append("B-" + kind)
        elif kind and h % 3 == 0:
            out.append("I-" + kind)
        else:
            kind = None
            out.append("O")
    return out


class Sentences:
    """Some to train on, of which a few validate, and others to tag, in files and as lists of words."""

    def __init__(self, folder, args):
        every = [line.split() for line in seq_data.lines(args.data / "ptb.train.txt.gz")]
        self.train, self.tagged, count = every[:args.sentences], [], 0
        for words in every[args.sentences:]:
            if count >= args.words:
                break
            self.tagged.append(words)
            count += len(words)
        self.words = count
        self.tags = [made_up_tags(words) for words in self.train]
        for name, part in ("train", slice(None)), ("valid", slice(200)):
            rows = ["".join(f"{word} {tag}\n" for word, tag in zip(words, tags)) + "\n"
                    for words, tags in zip(self.train[part], self.tags[part])]
            (folder / f"{name}.conll").write_text("".join(rows), encoding="utf-8")
        lines = [" ".join(words) + "\n" for words in self.tagged]
        for name, some in ("all", lines), ("first", lines[:1]):
            (folder / name).write_text("".join(some), encoding="utf-8")

    def like(self, model):
        """Words by number, tags by name, and the sizes of a tagger, as a model folder has them."""
        config = json.loads((model / "config.json").read_text())
        vocabulary = json.loads((model / "tokenizer.json").read_text())["model"]["vocab"]
        return (functools.partial(label_torch.Words, vocabulary, config["characters"]), config["tags"],
                (len(vocabulary), len(config["characters"]) + 1, config["tags"]))


class TorchTraining:
    def __init__(self, args, options, sentences, like, packed):
        make, names, sizes = like
        number = {tag: k for k, tag in enumerate(names)}
        self.args, self.options, self.rng, self.batches = args, options, random.Random(1), []
        self.words = make()
        self.rows = [self.words.encode(words) for words in sentences.train]
        self.tags = [torch.tensor([number[tag] for tag in tags]) for tags in sentences.tags]
        torch.manual_seed(1)
        self.model = label_torch.Tagger(*sizes, options, packed)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=options.lr, fused=True)

    def words_per_second(self, threads):
        torch.set_num_threads(threads)
        for _ in range(WARM * LOG_EVERY):
            self.step()
        begin = time.perf_counter()
        count = sum(self.step()[1] for _ in range(self.args.steps))
        return count / (time.perf_counter() - begin)

    def step(self):
        if not self.batches:
            self.batches = bucketed([len(r) for r in self.rows], self.args.batch, self.rng)
        batch = self.batches.pop()
        return label_torch.train_step(self.model, self.optimizer, self.words.batch([self.rows[k] for k in batch]),
                                      [self.tags[k] for k in batch], self.options.clip)


def train_ours(args, folder, out, steps, threads):
    subprocess.run([args.program, "train", folder / "recipe.toml", "--out", out, "--overwrite", "--quiet", "--threads",
                    str(threads), "--set", f"train.max_steps={steps}"], check=True)
    return [json.loads(line) for line in (out / "training/log.jsonl").read_text().splitlines()]


def our_words_per_second(args, folder, threads):
    """What our log says of the steps after the warm-up; validation is no part of it."""
    return our_rate(train_ours(args, folder, folder / "speed", args.steps + WARM * LOG_EVERY, threads), WARM)


def in_words(threads):
    return f"{threads} thread{'s' * (threads > 1)}"


def training_rows(args, options, folder, sentences):
    like = sentences.like(folder / "model")
    peers = [(f"PyTorch {'packed' if packed else 'padded'}",
              TorchTraining(args, options, sentences, like, packed).words_per_second) for packed in (True, False)]
    for threads in args.threads:
        yield compared(f"train on batches of {args.batch}, {in_words(threads)}", "words/s", [
            ("lookback", lambda: our_words_per_second(args, folder, threads)),
            *((name, lambda f=f: f(threads)) for name, f in peers)], args.rounds)


class TorchTagging:
    def __init__(self, options, sentences, model):
        self.make, self.names, sizes = sentences.like(model)
        self.lines = [" ".join(words) for words in sentences.tagged]
        self.model = label_torch.Tagger(*sizes, options).load(tensors_of(model / "model.safetensors")).eval()

    def tagged(self):
        """Lines of word/tag; every word is new to it, as to a process that has just begun."""
        words, texts = self.make(), [line.split() for line in self.lines]
        out, rows = [None] * len(texts), [words.encode(text) for text in texts]
        with torch.inference_mode():
            order = sorted(range(len(rows)), key=lambda k: -len(rows[k]))
            for begin in range(0, len(order), PREDICT_BATCH):
                part = order[begin:begin + PREDICT_BATCH]
                for k, tags in zip(part, self.model.best(words.batch([rows[k] for k in part]))):
                    out[k] = " ".join(f"{word}/{self.names[tag]}" for word, tag in zip(texts[k], tags))
        return out

    def seconds(self, threads):
        torch.set_num_threads(threads)
        begin = time.perf_counter()
        self.tagged()
        return time.perf_counter() - begin


def prediction_rows(args, options, folder, sentences):
    model, said = folder / "model", folder / "said"
    theirs = TorchTagging(options, sentences, model)

    def command(name, threads):
        return [args.program, "predict", model, "--in", folder / name, "--out", said, "--quiet", "--batch",
                str(PREDICT_BATCH), "--threads", str(threads)]

    seconds(command("all", args.threads[0]))
    lines = said.read_text(encoding="utf-8").splitlines()
    ours, wanted = (" ".join(all_of_them).split(" ") for all_of_them in (lines, theirs.tagged()))
    same = sum(a == b for a, b in zip(ours, wanted, strict=True)) / len(ours)
    assert same > 0.999, f"only {same:.2%} of the tags are the same"
    spans = sum(not word.endswith("/O") for word in ours) / len(ours)
    print(f"\n{same:.3%} of the tags are the same on both sides, {spans:.1%} of them in spans.\n", flush=True)
    for threads in args.threads:
        yield compared(f"tag {sentences.words:,} words, {in_words(threads)}", "s", [
            ("lookback", lambda: seconds(command("all", threads)) - seconds(command("first", threads))),
            ("PyTorch packed", lambda: theirs.seconds(threads))], args.rounds, True)


def compare_training(args, options, folder, sentences):
    """Leaves a model in the folder; both sides have as many parameters, and PyTorch learns alike."""
    log = train_ours(args, folder, folder / "model", args.model_steps, args.threads[0])
    torch.set_num_threads(args.threads[0])
    theirs = TorchTraining(args, options, sentences, sentences.like(folder / "model"), True)
    count = sum(p.numel() for p in theirs.model.parameters())
    assert count == log[0]["parameters"], f"PyTorch has {count} parameters, we have {log[0]['parameters']}"
    losses = [theirs.step()[0] for _ in range(args.model_steps)]
    last = [event["loss"] for event in log if event["event"] == "train"][-3:]
    ours, wanted = statistics.fmean(last), statistics.fmean(losses[-3 * LOG_EVERY:])
    print(f"{count:,} parameters on both sides; after {args.model_steps} steps a tag in training costs {ours:.4f} nats here, "
          f"{wanted:.4f} in PyTorch (of the last {3 * LOG_EVERY} steps).\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build/release/lookback"))
    parser.add_argument("--data", required=True, metavar="DIR", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200, help="of training, in a round, after 20 to warm up")
    parser.add_argument("--model-steps", type=int, default=400, help="of the model that tags")
    parser.add_argument("--threads", nargs="+", type=int, default=[2, 1])
    parser.add_argument("--sentences", type=int, default=14_000, help="to train on")
    parser.add_argument("--words", type=int, default=TAGGED, help="to tag")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--only", nargs="+", choices=("train", "predict"), default=["train", "predict"])
    parser.add_argument("--out", metavar="FILE", help="write everything there, as JSON")
    args = parser.parse_args()
    args.program = str(pathlib.Path(args.program).resolve())
    options = label_torch.Options()
    torch.set_flush_denormal(True)
    env, rows = machine.environment(args.program), []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        sentences = Sentences(folder, args)
        (folder / "recipe.toml").write_text(RECIPE.format(o=options, batch=args.batch, log_every=LOG_EVERY))
        compare_training(args, options, folder, sentences)
        print("| work | medians | unit | ratio |\n|---|---|---|---|")
        for work, measured in (("train", training_rows), ("predict", prediction_rows)):
            if work in args.only:
                rows += [row | {"floor": FLOORS[work], "aim": AIMS[work]}
                         for row in measured(args, options, folder, sentences)]
    machine.say_floors(rows)
    machine.report(args, env, options, rows)


if __name__ == "__main__":
    main()
