#!/usr/bin/env python3
"""Speed of `task = "summarise"` beside PyTorch's, of the pointer-generator of recipes/summarise-aeslc.toml: steps of
training, and greedy decoding of e-mails of 400 words.

    ./x bench quality-summarise [--rounds N] [--steps N] [--threads 2 1] [--rows N] [--coverage] [--eager]
                                [--only train predict] [--precisions f32 int8] [--out FILE.json]

Sources are 400 words drawn from 20,408 equally frequent ones, of which the vocabulary of 20,000, specials included,
lacks 2 in 100; targets are 9 words, every second one of the source. Training is forward, backward, clipping and Adam on
batches of 16 pairs, with dropout and smoothing, without an average of the weights. Decoding is greedy, 10 words for
each source, which may all be copied: ours is the difference between a process with all sources three times and one with
them once, PyTorch's is measured within its process. PyTorch has the very model (summarise_torch.py's, with what its
decoder reads as ours has it: the last readout, not the wider context): our parameters, hence our perplexity of the
validation part and our words, which is checked. As all sources are of one length, nothing is packed. PyTorch eager and,
unless --eager, compiled by torch.compile, where that works; beside our int8 its dynamic int8 too; the fastest one
counts. In every round everybody is measured once, who is first changing; `ratio` is that of the medians, above 1 where
we are faster.
"""

import argparse
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import warnings

import torch
from torch import nn

import machine
import summarise_torch
from classify_speed import compared, our_rate, seconds
from transcribe_torch import tensors_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE, TARGET = 400, 10  # words, of the target with its end
WORDS = 20_408
LOG_EVERY = 5  # steps of a line in our log
WARM = 2  # lines of it left out
OFTEN = 3  # times that we are given all sources, less once for the start of the process
OUR_UNKNOWN, OUR_BEGIN, OUR_END, OUR_PAD = range(4)
FLOORS, AIMS = {"train": 1.5, "predict": 3.0}, {"train": 2.5, "predict": 6.0}


class Pointer(summarise_torch.PointerGenerator):
    """The decoder as ours has it: the cell reads the last readout, a tanh layer, and so does the gate; ids are ours."""

    def __init__(self, vocabulary, options):
        super().__init__(vocabulary, options, packed=False)
        o = options
        self.embedding = nn.Embedding(vocabulary, o.embedding)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.output.weight = self.embedding.weight
        self.cell = nn.LSTMCell(2 * o.embedding, o.hidden)
        self.gate = nn.Linear(o.embedding, 1)

    def encode(self, source, extended):
        (states,), ends = self.encoder(self.dropout(self.embedding(source)), None)
        h, c = (torch.tanh(first(end)) for first, end in zip(self.first, ends))
        feed = h.new_zeros(len(h), self.options.embedding)
        return (states, self.key(states), extended), (h, c, feed, torch.zeros_like(states[:, :, 0]))

    def step(self, words, state, memory):
        """words [B] -> the next state, which has the readout, and the weights [B, S]."""
        states, keys, _ = memory
        h, c, feed, so_far = state
        x = self.dropout(self.embedding(words.masked_fill(words >= self.embedding.num_embeddings, OUR_UNKNOWN)))
        h, c = self.cell(torch.cat([x, feed], 1), (h, c))
        keys = keys + self.query(h).unsqueeze(1)
        if self.covered:
            keys = keys + self.covered(so_far.unsqueeze(2))
        weights = torch.softmax(self.energy(torch.tanh(keys)).squeeze(2), 1)
        context = torch.bmm(weights.unsqueeze(1), states).squeeze(1)
        feed = self.dropout(torch.tanh(self.readout(torch.cat([context, h], 1))))
        return (h, c, feed, so_far + weights), weights

    def forward(self, source, extended, target, cover=0.0):
        """source and extended [B, S], target [B, T] (extended, the end last) -> mean loss of a target word."""
        memory, state = self.encode(source, extended)
        readouts, looked, twice = [], [], []
        for t in range(target.shape[1]):
            so_far, words = state[3], target[:, t - 1] if t else torch.full_like(target[:, 0], OUR_BEGIN)
            state, weights = self.step(words, state, memory)
            readouts.append(state[2])
            looked.append(weights)
            if cover:
                twice.append(torch.minimum(weights, so_far).sum(1))
        feed, weights = torch.stack(readouts, 1), torch.stack(looked, 1)
        logs = torch.log_softmax(self.output(feed), -1)
        gate, size = self.gate(feed).squeeze(2), logs.shape[-1]
        smoothing = self.options.smoothing if self.training else 0.0
        right = logs.gather(2, target.clamp(max=size - 1).unsqueeze(2)).squeeze(2)
        right = right.masked_fill(target >= size, float("-inf")) + nn.functional.logsigmoid(gate)
        copied = (weights * (extended.unsqueeze(1) == target.unsqueeze(2))).sum(2)
        right = torch.logaddexp(right, (copied + summarise_torch.TINY).log() + nn.functional.logsigmoid(-gate))
        loss = -(1 - smoothing) * right - smoothing * logs.mean(2)
        if cover:
            loss = loss + cover * torch.stack(twice, 1)
        return loss.mean()

    def write(self, words, state, memory, extra):
        """The likeliest next word [B], which is no special, and the state."""
        state, weights = self.step(words, state, memory)
        generate = torch.sigmoid(self.gate(state[2]))
        p = torch.softmax(self.output(state[2]), -1) * generate
        p = nn.functional.pad(p, (0, extra)).scatter_add(1, memory[2], weights * (1 - generate))
        p[:, :4] = 0
        return p.argmax(1), state

    def load(self, w):
        """Parameters of a model folder, by their names there."""
        def linear(layer, name):
            layer.weight.copy_(w[name + ".weight"].reshape(layer.weight.shape))
            if layer.bias is not None:
                layer.bias.copy_(w[name + ".bias"])

        with torch.no_grad():
            for key, value in self.encoder.layers[0].state_dict().items():
                value.copy_(w[f"encoder.lstm.{key}"])
            for key, value in self.cell.state_dict().items():
                value.copy_(w[f"decoder.lstm.{key}_l0"])
            self.embedding.weight.copy_(w["decoder.embedding.weight"])
            self.output.bias.copy_(w["output.bias"])
            self.energy.weight.copy_(w["decoder.score.v"][None])
            if self.covered:
                self.covered.weight.copy_(w["decoder.score.coverage"].reshape(self.covered.weight.shape))
            for layer, name in ((self.query, "decoder.score.query"), (self.key, "decoder.score.memory"),
                                (self.readout, "decoder.readout"), (self.first[0], "decoder.bridge.h.0"),
                                (self.first[1], "decoder.bridge.c.0"), (self.gate, "copy_gate")):
                linear(layer, name)
        return self


class Pairs:
    """Sources and targets in files, and as batches of numbers once our vocabulary is there."""

    def __init__(self, folder, rows):
        rng, words = random.Random(1), [f"w{k}" for k in range(WORDS)]
        self.pairs = []
        for _ in range(rows):
            source, target = rng.choices(words, k=SOURCE), rng.choices(words, k=TARGET - 1)
            target[::2] = rng.sample(source, len(target[::2]))
            self.pairs.append((source, target))
        for name, pairs in ("train", self.pairs), ("valid", self.pairs[:32]):
            lines = [f"{' '.join(source)}\t{' '.join(target)}\n" for source, target in pairs]
            (folder / f"{name}.tsv").write_text("body\tsubject\n" + "".join(lines))
        for name, times in ("once", 1), ("often", OFTEN):
            (folder / name).write_text("".join(" ".join(source) + "\n" for source, _ in self.pairs * times))

    def read_vocabulary(self, model):
        self.ids = json.loads((model / "tokenizer.json").read_text())["model"]["vocab"]
        self.words = {k: word for word, k in self.ids.items()}

    def row(self, source, target):
        """A source with its unknown words behind the vocabulary, these words, and the target in the same numbers."""
        known, unknown = len(self.ids), {}
        extended = [self.ids[w] if w in self.ids else known + unknown.setdefault(w, len(unknown)) for w in source]
        wanted = [self.ids[w] if w in self.ids else known + unknown[w] if w in unknown else OUR_UNKNOWN for w in target]
        return extended, list(unknown), wanted + [OUR_END]

    def batches(self, size):
        out = []
        for k in range(0, len(self.pairs) - size + 1, size):
            extended, unknown, target = zip(*(self.row(*pair) for pair in self.pairs[k:k + size]))
            extended = torch.tensor(extended)
            out.append((extended.masked_fill(extended >= len(self.ids), OUR_UNKNOWN), extended, torch.tensor(target),
                        unknown))
        return out


class TorchTraining:
    def __init__(self, args, options, pairs, compiled):
        self.args, self.options = args, options
        self.batches, self.at = pairs.batches(args.batch), 0
        torch.manual_seed(1)
        self.model = Pointer(len(pairs.ids), options)
        self.call = torch.compile(self.model) if compiled else self.model
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=options.lr, fused=True)

    def pairs_per_second(self, threads):
        torch.set_num_threads(threads)
        for _ in range(WARM * LOG_EVERY):
            self.step()
        begin = time.perf_counter()
        for _ in range(self.args.steps):
            self.step()
        return self.args.steps * self.args.batch / (time.perf_counter() - begin)

    def step(self):
        source, extended, target, _ = self.batches[self.at % len(self.batches)]
        self.at += 1
        loss = self.call(source, extended, target, float(self.args.coverage))
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip)
        self.optimizer.step()


class TorchWriting:
    """`limit` words of every source, and no end."""

    def __init__(self, model, pairs, batch, compiled, int8):
        self.pairs, self.batches = pairs, pairs.batches(batch)
        if int8:
            model = torch.ao.quantization.quantize_dynamic(model, {nn.Linear, nn.LSTM, nn.LSTMCell}, dtype=torch.qint8)
        self.encode, self.write = model.encode, model.write
        if compiled:
            self.encode, self.write = torch.compile(model.encode), torch.compile(model.write)

    def texts(self):
        out, known = [], len(self.pairs.ids)
        with torch.inference_mode():
            for source, extended, _, unknown in self.batches:
                memory, state = self.encode(source, extended)
                words, said, extra = torch.full((len(source),), OUR_BEGIN), [], max(map(len, unknown))
                for _ in range(TARGET):
                    words, state = self.write(words, state, memory, extra)
                    said.append(words)
                for ids, its in zip(torch.stack(said, 1).tolist(), unknown):
                    out.append(" ".join(self.pairs.words[i] if i < known else its[i - known] for i in ids))
        return out

    def sources_per_second(self, threads):
        torch.set_num_threads(threads)
        begin = time.perf_counter()
        return len(self.texts()) / (time.perf_counter() - begin)


def recipe(folder, args):
    """recipes/summarise-aeslc.toml on our files, without its average of the weights and its minutes."""
    text = (ROOT / "recipes/summarise-aeslc.toml").read_text()
    changes = [("train.jsonl.gz", "train.tsv"), ("dev.jsonl.gz", "valid.tsv"), ('test = "test.jsonl.gz"\n', ""),
               ("max_minutes = 30\n", ""), ("ema = 0.999\n", ""), ('keep = "rougel"', 'keep = "loss"'),
               ("validate_every_epochs = 1", f"validate_every_epochs = 1000\nlog_every = {LOG_EVERY}")]
    if not args.coverage:
        changes += [('score = "coverage"', 'score = "additive"'), ("coverage = 1 ", "coverage = 0 ")]
    for old, new in changes:
        if old not in text:
            raise SystemExit(f"recipes/summarise-aeslc.toml has no {old.strip()} any more; see {__file__}")
        text = text.replace(old, new)
    (folder / "recipe.toml").write_text(text + "\n[valid]\nmetric = \"none\"\n")


def train_ours(args, folder, out, steps, threads):
    subprocess.run([args.program, "train", folder / "recipe.toml", "--out", out, "--overwrite", "--quiet", "--threads",
                    str(threads), "--set", f"train.max_steps={steps}", "--set", f"train.batch={args.batch}"], check=True)


def our_log(out):
    return [json.loads(line) for line in (out / "training/log.jsonl").read_text().splitlines()]


def our_pairs_per_second(args, folder, threads):
    """What our log says of the steps after the warm-up; validation is no part of it."""
    train_ours(args, folder, folder / "speed", args.steps + WARM * LOG_EVERY, threads)
    return our_rate(our_log(folder / "speed"), WARM) / TARGET


def threads_in_words(threads):
    return f"{threads} thread{'s' * (threads > 1)}"


def kinds(args):
    return ((False, "eager"),) if args.eager else ((False, "eager"), (True, "compiled"))


def those_that_run(makers):
    """(name, contender) of those that can be made; a machine may lack what compiling needs."""
    out = []
    for name, make in makers:
        try:
            out.append((name, make()))
        except Exception as error:  # whatever a peer could not do here
            print(f"{name} left out: {str(error).strip().splitlines()[0]}", file=sys.stderr)
    return out


def training_rows(args, options, folder, pairs):
    def make(compiled, threads):
        torch.set_num_threads(threads)  # before compiling, which counts on them
        theirs = TorchTraining(args, options, pairs, compiled)
        theirs.step()
        return theirs

    for threads in args.threads:
        peers = those_that_run([(f"PyTorch {how}", lambda c=c: make(c, threads)) for c, how in kinds(args)])
        yield compared(f"train on batches of {args.batch}, {threads_in_words(threads)}", "pairs/s", [
            ("lookback", lambda: our_pairs_per_second(args, folder, threads)),
            *((name, lambda p=p: p.pairs_per_second(threads)) for name, p in peers)], args.rounds)


def prediction_rows(args, options, folder, pairs):
    said = folder / "said"

    def command(name, threads, precision):
        return [args.program, "predict", folder / "model", "--in", folder / name, "--out", said, "--quiet", "--beam", "1",
                "--no-allow-unk", "--batch", str(args.predict_batch), "--min-length", str(TARGET), "--max-length",
                str(TARGET), "--threads", str(threads), "--precision", precision]

    model = Pointer(len(pairs.ids), options)
    model.load(tensors_of(folder / "model/model.safetensors")).eval()
    seconds(command("once", args.threads[0], "f32"))
    exact = said.read_text().splitlines()

    def share_of_same(texts):
        return sum(a == b for a, b in zip(exact, texts)) / len(exact)

    def make(compiled, int8, threads):
        torch.set_num_threads(threads)
        theirs = TorchWriting(model, pairs, args.predict_batch, compiled, int8)
        same = share_of_same(theirs.texts())
        if int8:
            print(f"PyTorch int8: {same:.1%} of the outputs are those of f32", file=sys.stderr)
        else:
            assert same > 0.95, f"only {same:.1%} of the outputs are the same"  # of near ties either may be taken
        return theirs

    def ours(threads, precision):
        return count / (seconds(command("often", threads, precision)) - seconds(command("once", threads, precision)))

    count = (OFTEN - 1) * len(exact)
    for threads in args.threads:
        makers = [(f"PyTorch {how}", lambda c=c: make(c, False, threads)) for c, how in kinds(args)]
        for precision in args.precisions:
            if precision == "int8":
                makers.append(("PyTorch int8", lambda: make(False, True, threads)))
                seconds(command("once", threads, "int8"))
                print(f"our int8: {share_of_same(said.read_text().splitlines()):.1%} of the outputs are those of f32",
                      file=sys.stderr)
            peers = those_that_run(makers)
            yield compared(f"predict, {precision}, {threads_in_words(threads)}", "sources/s", [
                ("lookback", lambda: ours(threads, precision)),
                *((name, lambda p=p: p.sources_per_second(threads)) for name, p in peers)], args.rounds)


def check_model(args, options, folder, pairs):
    """Trains a model for some steps: PyTorch with its parameters has to have its perplexity."""
    train_ours(args, folder, folder / "model", args.model_steps, args.threads[0])
    pairs.read_vocabulary(folder / "model")
    log = our_log(folder / "model")
    theirs = Pointer(len(pairs.ids), options)
    count = sum(p.numel() for p in theirs.parameters())
    assert count == log[0]["parameters"], f"PyTorch has {count} parameters, we have {log[0]['parameters']}"
    theirs.load(tensors_of(folder / "model/model.safetensors")).eval()
    with torch.inference_mode():
        source, extended, target, _ = pairs.batches(32)[0]
        loss = theirs(source, extended, target).item()
    wanted = math.log(next(event for event in reversed(log) if event["event"] == "valid")["scores"]["ppl"])
    assert abs(loss - wanted) < 1e-4 * wanted, f"PyTorch's target words cost {loss} nats, ours {wanted}"
    print(f"{count:,} parameters on both sides; with ours, a target word costs {wanted:.5f} here, {loss:.5f} nats in PyTorch.\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build/release/lookback"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40, help="of training, in a round, after 10 to warm up")
    parser.add_argument("--model-steps", type=int, default=60, help="of the model that predicts")
    parser.add_argument("--threads", nargs="+", type=int, default=[2, 1])
    parser.add_argument("--rows", type=int, default=640)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--predict-batch", type=int, default=16)
    parser.add_argument("--coverage", action="store_true", help="attention that remembers, and its loss")
    parser.add_argument("--eager", action="store_true", help="no torch.compile")
    parser.add_argument("--only", nargs="+", choices=("train", "predict"), default=["train", "predict"])
    parser.add_argument("--precisions", nargs="+", choices=("f32", "int8"), default=["f32", "int8"], help="of decoding")
    parser.add_argument("--out", metavar="FILE", help="write everything there, as JSON")
    args = parser.parse_args()
    args.program = str(pathlib.Path(args.program).resolve())
    if args.rows % args.batch or args.rows % args.predict_batch:
        parser.error("--rows has to be a multiple of both sizes of batches")
    options = summarise_torch.Options(coverage=args.coverage)
    warnings.filterwarnings("ignore")
    torch.set_flush_denormal(True)
    env, rows = machine.environment(args.program), []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        pairs = Pairs(folder, args.rows)
        recipe(folder, args)
        check_model(args, options, folder, pairs)
        print("| work | medians | unit | ratio |\n|---|---|---|---|")
        for work, measured in (("train", training_rows), ("predict", prediction_rows)):
            if work in args.only:
                rows += [row | {"floor": FLOORS[work], "aim": AIMS[work]}
                         for row in measured(args, options, folder, pairs)]
    machine.say_floors(rows)
    machine.report(args, env, options, rows)


if __name__ == "__main__":
    main()
