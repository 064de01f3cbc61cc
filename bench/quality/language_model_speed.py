#!/usr/bin/env python3
"""Speed of the Penn Treebank's word model beside PyTorch's and ONNX Runtime's: training, and one stream of words.

    ./x bench quality-language-model [--rounds N] [--threads N] [--only WORD...] [--json FILE]

The model is two LSTM layers of 650, 10,000 words, the output's weights those of the embedding. Training is forward,
backward, clipping to norm 0.25 and SGD on windows of 35 steps of 20 columns, with dropout of 0.5 and states that go on.
A stream is greedy, one word at a time from a state to the next: PyTorch's nn.LSTM, and its LSTMCell as it is, compiled or
traced; ONNX Runtime's LSTM, and products of the cell. On all cores, and in rows that end in _1t on one thread. In every
round everybody is measured once; the best median stands for its side, and `ratio` is that of the medians. Ours are the
works `language_model_train` and `language_model_stream` of `lookback bench`; without a program that has them the peers
are measured alone.
"""

import argparse
import contextlib
import copy
import dataclasses
import json
import logging
import pathlib
import re
import subprocess
import sys
import tempfile
import warnings

import torch
from torch import nn

import language_model_torch
import machine

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from page import say  # noqa: E402
from side_by_side import NO_BF16, NO_INT8, ONE_CORE, ROOT, Row, Theirs, onnxruntime_name, ours, torch_name  # noqa: E402

VOCABULARY, STEPS, BATCH, CLIP = 10_000, 35, 20, 0.25
WORDS = 32  # of one run of a stream
OPTIONS = dataclasses.replace(language_model_torch.Options(), locked=False)  # plain SGD
SIZES = ("--vocabulary", str(VOCABULARY), "--language.layers", str(OPTIONS.layers), "--language.hidden", str(OPTIONS.hidden),
         "--language.embedding", str(OPTIONS.embedding))
DROPOUT = [word for place in ("embedding", "hidden", "output")
           for word in (f"--language.dropout.{place}", str(OPTIONS.dropout))]
TRAIN_FLAGS = (*SIZES, *DROPOUT, "--no-language.dropout.locked", "--batch", str(BATCH), "--target", str(STEPS))
STREAM_FLAGS = (*SIZES, "--batch", "1", "--target", str(WORDS))


def new_model():
    torch.manual_seed(1)
    return language_model_torch.LanguageModel(VOCABULARY, OPTIONS)


class Training:
    """run() gives the words trained on. precision: f32, autocast (to bf16) or bf16 (weights too)."""

    def __init__(self, precision="f32", compiled=False):
        self.autocast = precision == "autocast"
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.model = new_model().to(dtype)
        self.call = torch.compile(self.model) if compiled else self.model
        self.optimizer = language_model_torch.make_optimizer(self.model, dataclasses.replace(OPTIONS, lr=1.0))
        words = torch.randint(VOCABULARY, (STEPS + 1, BATCH))
        self.inputs, self.targets = words[:-1], words[1:]
        self.states = [(h.to(dtype), c.to(dtype)) for h, c in self.model.start(BATCH)]

    def run(self):
        with torch.autocast("cpu", dtype=torch.bfloat16) if self.autocast else contextlib.nullcontext():
            logits, states = self.call(self.inputs, self.states)
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), self.targets.flatten())
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        self.states = language_model_torch.detached(states)
        return self.targets.numel()


class LayerStep(nn.Module):
    """A step by nn.LSTM: a word [1], h and c of both layers -> the best next word and the states."""

    def __init__(self, model):
        super().__init__()
        self.embedding, self.layers = copy.deepcopy(model.embedding), copy.deepcopy(model.layers)
        self.output = copy.deepcopy(model.output)

    def state(self):
        return [torch.zeros(1, 1, layer.hidden_size) for layer in self.layers for _ in "hc"]

    def forward(self, word, *states):
        x, after = self.embedding(word).unsqueeze(0), []
        for layer, h, c in zip(self.layers, states[::2], states[1::2]):
            x, state = layer(x, (h, c))
            after += state
        return self.output(x[0]).argmax(1), *after


class CellStep(LayerStep):
    """The same by LSTMCell."""

    def __init__(self, model):
        super().__init__(model)
        cells = [nn.LSTMCell(layer.input_size, layer.hidden_size) for layer in self.layers]
        for cell, layer in zip(cells, self.layers):
            cell.load_state_dict({name.removesuffix("_l0"): w for name, w in layer.state_dict().items()})
        self.layers = nn.ModuleList(cells)

    def state(self):
        return [torch.zeros(1, layer.hidden_size) for layer in self.layers for _ in "hc"]

    def forward(self, word, *states):
        x, after = self.embedding(word), []
        for layer, h, c in zip(self.layers, states[::2], states[1::2]):
            x, c = layer(x, (h, c))
            after += x, c
        return self.output(x).argmax(1), *after


STEPS_BY = {"nn.LSTM": LayerStep, "LSTMCell": CellStep}


class Stream:
    """run() gives the words."""

    def __init__(self, kind, precision="f32", how="eager"):
        step = STEPS_BY[kind](new_model()).eval()
        self.states = step.state()
        if precision == "int8":
            step = torch.ao.quantization.quantize_dynamic(step, {nn.Linear, nn.LSTM, nn.LSTMCell}, dtype=torch.qint8)
        if precision == "bf16":
            step, self.states = step.bfloat16(), [s.bfloat16() for s in self.states]
        if how == "traced":
            with torch.no_grad():
                step = torch.jit.freeze(torch.jit.trace(step, (torch.zeros(1, dtype=torch.long), *self.states)))
        self.step = torch.compile(step) if how == "compiled" else step

    def run(self):
        with torch.inference_mode():
            word, states = torch.zeros(1, dtype=torch.long), self.states
            for _ in range(WORDS):
                word, *states = self.step(word, *states)
        return WORDS

    def states_after(self, words):
        with torch.inference_mode():
            states = self.states
            for word in words:
                _, *states = self.step(torch.tensor([word]), *states)
        return torch.cat([s.flatten().float() for s in states])


class Product(nn.Module):
    """What a Linear does, of weights that no embedding has: exporting would make them one again, and not int8."""

    def __init__(self, linear):
        super().__init__()
        self.weight, self.bias = nn.Parameter(linear.weight.detach().t().contiguous()), linear.bias

    def forward(self, x):
        return x @ self.weight + self.bias


class OnnxStream:
    def __init__(self, kind, precision, threads, folder):
        import peers_onnx  # slow to load
        step = STEPS_BY[kind](new_model()).eval()
        step.output, states = Product(step.output), step.state()
        names = [f"state{k}" for k in range(len(states))]
        path = pathlib.Path(folder) / f"{kind}.onnx"
        if not path.exists():
            peers_onnx.exported(step, (torch.zeros(1, dtype=torch.long), *states), ["word", *names],
                                ["next", *(f"{name}after" for name in names)], path)
        self.session, self.names = peers_onnx.session(path, threads, precision), ["word", *names]
        self.states = [s.numpy() for s in states]

    def step(self, word, states):
        word, *states = self.session.run(None, dict(zip(self.names, [word, *states])))
        return word, states

    def run(self):
        word, states = torch.zeros(1, dtype=torch.long).numpy(), self.states
        for _ in range(WORDS):
            word, states = self.step(word, states)
        return WORDS

    def states_after(self, words):
        states = self.states
        for word in words:
            _, states = self.step(torch.tensor([word]).numpy(), states)
        return torch.cat([torch.from_numpy(s).flatten() for s in states])


def right(stream, precision):
    """The stream, whose states have been seen to be those of nn.LSTM, as far as the precision goes."""
    words = torch.randint(VOCABULARY, (20,), generator=torch.Generator().manual_seed(1)).tolist()
    want, got = Stream("nn.LSTM").states_after(words), stream.states_after(words)
    far = ((got - want).norm() / want.norm()).item()
    if far > {"f32": 1e-4, "bf16": 0.05, "int8": 0.1}[precision]:
        raise RuntimeError(f"its states are not those of nn.LSTM: {far:.2g} of their norm off")
    return stream


def training_peers(threads, repeat, precisions):
    return [(torch_name("compiled" if c else "eager", p, threads),
             lambda p=p, c=c: Theirs(lambda: Training(p, c), repeat, threads))
            for p in precisions for c in (False, True)]


def stream_peers(threads, repeat, precisions, folder):
    out = []
    for p in precisions:
        for kind, how in (("nn.LSTM", "eager"), ("LSTMCell", "eager"), ("LSTMCell", "compiled"), ("LSTMCell", "traced")):
            if p == "int8" and how == "compiled":
                continue  # quantised modules do not compile
            out.append((torch_name(f"{kind} {how}", p, threads),
                        lambda k=kind, h=how, p=p: Theirs(lambda: right(Stream(k, p, h), p), repeat, threads)))
        if p != "bf16":  # of which its processors' products are slower than f32
            out += [(onnxruntime_name(kind, p, threads),
                     lambda k=kind, p=p: Theirs(lambda: right(OnnxStream(k, p, threads, folder), p), repeat, threads))
                    for kind in STEPS_BY]
    return out


def works(program):
    """The works of `lookback bench`, of a program that there is."""
    if not program.exists():
        return set()
    said = subprocess.run([program, "bench", "--help"], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"language_model_(?:train|stream)(?=:)", said))


def rows(args, folder):
    have = works(args.program)

    def mine(work, repeat, flags, precisions, threads):
        return ours(args, work, repeat, *flags, precisions=precisions, threads=[threads]) if work in have else []

    every = sorted({args.threads, 1}, reverse=True)
    for threads in every:
        suffix = "_1t" if threads == 1 and args.threads > 1 else ""
        for name, ours_in, theirs_in, skipped in (("f32", ["f32"], ["f32"], None),
                                                  ("bf16", ["bf16"], ["f32", "autocast", "bf16"], NO_BF16)):
            work = "language_model_train"
            yield Row(f"{work}_{name}{suffix}", "words/s", mine(work, 3, TRAIN_FLAGS, ours_in, threads),
                      training_peers(threads, 3, theirs_in), skipped)
        for name, precisions, skipped in (("f32", ["f32"], None), ("best", ["f32", "bf16", "int8"], NO_INT8)):
            work = "language_model_stream"
            yield Row(f"{work}_{name}{suffix}", "words/s", mine(work, 4, STREAM_FLAGS, precisions, threads),
                      stream_peers(threads, 4, precisions, folder), skipped)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/release/lookback")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only", nargs="*", default=[], metavar="WORD", help="rows whose name holds one of these")
    parser.add_argument("--json", metavar="FILE", help="write everything there")
    args = parser.parse_args()
    args.program = args.program.resolve()
    warnings.filterwarnings("ignore")  # of what is deprecated in tracing and quantising
    logging.disable(logging.WARNING)
    torch.set_flush_denormal(True)
    env, done = machine.environment(args.program if args.program.exists() else None), []
    print(machine.in_words(env), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(args, folder):
            if args.only and not any(word in row.name for word in args.only):
                continue
            done.append(row.measure(args.rounds))
            say(done[-1])
            for name, speed in sorted(done[-1].get("all", {}).items(), key=lambda pair: -pair[1]):
                print(f"    {speed:9.1f}  {name}", flush=True)
            if args.json:
                text = json.dumps({"environment": env, "rounds": args.rounds, "rows": done}, indent=1)
                pathlib.Path(args.json).write_text(text + "\n")


if __name__ == "__main__":
    main()
