#!/usr/bin/env python3
"""Lookback beside PyTorch and ONNX Runtime: the same models, the same sizes, measured in turn in one run.

    ./x bench peers [--rounds N] [--data DIR] [--only WORD...] [--all] [--page FILE] [--json FILE]

The model is an encoder-decoder with one bidirectional LSTM layer (2 x 256), one LSTM decoder
layer (512) and attention: V 8000, E 256. Training is forward, backward, clipping to norm 1 and
Adam on 64 pairs of 16 x 16 tokens, on all cores, and in the rows that end in _1t on one thread;
decoding is of 16 tokens into 16. Rows of self-attention are one layer, forward and backward: 32
sequences of so many steps, 8 heads of 64, no feed-forward part. In every round everybody is
measured once. On both sides the contender with the best median stands for its side: eager or
compiled, one thread or all of them, and where a row allows it the precision. `ratio` is that of
the medians; ratio_min and ratio_max are the least and the most of one round.
"""

import argparse
import functools
import gzip
import json
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

import torch

import minutes
import peers_torch
from page import say, section, write_section
from side_by_side import (ALL, CPU, HAS_AMX, NO_AMX, NO_AVX512_BF16, NO_INT8, ONE_CORE, ROOT, Row, onnx_peers, ours,
                          torch_peers)

FEEDING = ("--model.decoder.input-feeding",)
NO_FEEDING = ("--no-model.decoder.input-feeding",)
ADDITIVE = ("--model.decoder.attention", "bahdanau", "--model.score", "additive", *NO_FEEDING)
BOTH = ("f32", "bf16")
EVERY = (*BOTH, "int8")
ATTENTION_STEPS = (16, 64, 256, 1024)
NO_DATA = "no --data DIR with Multi30k was given"


def real_batches(data):
    """Sentence lengths of Multi30k in batches of 64, bucketed by length; every twentieth, so that a round is not an epoch."""
    sides = []
    for language in ("de", "en"):
        with gzip.open(pathlib.Path(data) / f"raw/train.{language}.gz", "rt", encoding="utf-8") as lines:
            sides.append([len(re.findall(r"\w+|[^\w\s]", line)) for line in lines])
    pairs = sorted((s, t + 1) for s, t in zip(*sides) if s and t)
    batches = [pairs[k:k + 64] for k in range(0, len(pairs) - 63, 64)]
    random.Random(1).shuffle(batches)
    return batches[::20]


def training_rows(args, folder):
    """On all cores, and on one thread."""
    def both(name, repeat, peer, flags=FEEDING, precision="f32", skipped=None, **options):
        options = {"precisions": ("f32",) if precision == "f32" else BOTH} | options
        for suffix, threads in (("", ALL), ("_1t", 1)):
            yield Row(name + suffix, "target tokens/s",
                      ours(args, "train", repeat, *flags, precisions=[precision], threads=[threads]),
                      torch_peers(peer, repeat, threads=[threads], **options), skipped or (suffix and ONE_CORE))

    training = peers_torch.Training
    yield from both("train_luong_feed_f32", 3, training)
    yield from both("train_luong_f32", 3, training, NO_FEEDING, feeding=False)
    yield from both("train_additive_feed_f32", 3, training, ADDITIVE, attention="additive", feeding=False)
    yield from both("train_luong_feed_bf16", 3, training, precision="bf16", skipped=NO_AMX)
    yield from both("train_luong_feed_avx512_bf16", 3, training, precision="bf16", skipped=NO_AVX512_BF16)
    batches, skipped, lengths = [], NO_DATA, pathlib.Path(folder) / "lengths"
    if args.data:
        batches, skipped = real_batches(args.data), None
        lengths.write_text("".join(" ".join(f"{s}:{t}" for s, t in b) + "\n" for b in batches))
    yield from both("train_ragged", len(batches), peers_torch.RaggedTraining, (*FEEDING, "--lengths", str(lengths)),
                    skipped=skipped, compiled=[False], batches=batches)


def attention_flags(steps):
    return "--block.kind", "self_attention", "--batch", "32", "--source", str(steps)


def attention_rows(args):
    """One layer on 32 sequences, on all cores and on one thread."""
    for steps in ATTENTION_STEPS:
        for suffix, threads in (("", ALL), ("_1t", 1)):
            repeat = max(1, 64 // steps)
            yield Row(f"self_attention_{steps}{suffix}", "steps/s",
                      ours(args, "block", repeat, *attention_flags(steps), threads=[threads]),
                      torch_peers(peers_torch.SelfAttention, repeat, threads=[threads], steps=steps),
                      suffix and ONE_CORE)


def rows(args, folder):
    yield from training_rows(args, folder)

    def layer(name, precision="f32", skipped=None):
        return Row(name, "GFLOP/s", ours(args, "lstm", 3, "--source", "32", threads=[ALL], precisions=[precision]),
                   torch_peers(peers_torch.Lstm, 3, [precision], threads=[ALL]), skipped)

    yield layer("lstm_f32")
    yield layer("lstm_bf16", "bf16", NO_AMX)
    yield layer("lstm_avx512_bf16", "bf16", NO_AVX512_BF16)
    yield from attention_rows(args)
    yield Row("greedy_b1_f32", "tokens/s", ours(args, "decode", 20, "--batch", "1"),
              torch_peers(peers_torch.Decoding, 20) + onnx_peers("Decoding", 20, folder))
    yield Row("greedy_b1_int8", "tokens/s", ours(args, "decode", 20, "--batch", "1", precisions=["int8"]),
              torch_peers(peers_torch.Decoding, 20, EVERY) + onnx_peers("Decoding", 20, folder, ("f32", "int8")),
              NO_INT8)
    yield Row("greedy_b64_best", "tokens/s", ours(args, "decode", 3, precisions=EVERY),
              torch_peers(peers_torch.Decoding, 3, EVERY, batch=64)
              + onnx_peers("Decoding", 3, folder, ("f32", "int8"), batch=64))
    yield Row("beam5_b32_best", "tokens/s", ours(args, "decode", 3, "--batch", "32", "--beam", "5", precisions=EVERY),
              torch_peers(peers_torch.Decoding, 3, BOTH, batch=32, beam=5))
    yield Row("stream_step_b1", "steps/s",
              ours(args, "stream", 20, "--batch", "1", "--source", "64", precisions=EVERY),
              torch_peers(peers_torch.Streaming, 20, EVERY, kind="cell")
              + torch_peers(peers_torch.Streaming, 20, ("f32", "bf16"), kind="layer", compiled=[False])
              + onnx_peers("Streaming", 20, folder, ("f32", "int8")))


# Rows that are not two speeds: each gives ours and theirs once, or a share.

def share_row(args):
    """Of the machine's matrix products; measured in turn with them by `lookback bench` itself."""
    done = subprocess.run([args.program, "bench", "train", "--rounds", str(args.rounds), "--repeat", "3", "--format",
                           "json", *FEEDING], check=True, capture_output=True, text=True)
    r = json.loads(done.stdout)
    return {"name": "train_share_f32", "unit": "share of the matmul peak", "cpu": CPU, "ours": r["gflops"],
            "peer": r["peak_gflops"], "peer_name": "packed product 1024 x 1024 x 1024",
            "ratio": r["share_of_peak"], "ratio_min": r["min"] / r["median"] * r["share_of_peak"],
            "ratio_max": r["max"] / r["median"] * r["share_of_peak"]}


def peak_mib(command):
    """Peak resident memory of a process, run to its end.

    Started by a small process of its own: the system counts the memory of the one that starts a process as that
    process's too, and this one is large.
    """
    script = ("import resource, subprocess, sys\n"
              "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    done = subprocess.run([sys.executable, "-c", script, *command], check=True, capture_output=True, text=True, cwd=ROOT)
    return int(done.stdout) / 1024


def beside_torch(args, name, flags, peer):
    """Peak memory of six runs each, libraries included."""
    mine = peak_mib([args.program, "bench", *flags, "--rounds", "1", "--repeat", "5"])
    script = f"import sys; sys.path.insert(0, 'bench'); import peers_torch as p; t = p.{peer}; [t.run() for _ in range(6)]"
    theirs = peak_mib([sys.executable, "-c", script])
    return {"name": name, "unit": "MiB", "cpu": CPU, "ours": mine, "peer": theirs,
            "peer_name": f"PyTorch {torch.__version__.split('+')[0]} eager", "ratio": mine / theirs,
            "ratio_min": mine / theirs, "ratio_max": mine / theirs}


def memory_row(args):
    return beside_torch(args, "train_memory", ["train", *FEEDING], "Training()")


def attention_memory_row(args, steps):
    return beside_torch(args, f"self_attention_memory_{steps}", ["block", *attention_flags(steps)],
                        f"SelfAttention({steps})")


def long_memory_row(args):
    """Ours against ours: how peak memory grows with the source."""
    def peak(steps):
        return peak_mib([args.program, "bench", "train", "--rounds", "1", "--repeat", "1", "--batch", "1", "--source",
                         str(steps), *ADDITIVE])
    long, short = peak(16384), peak(1024)
    return {"name": "long_memory", "unit": "MiB", "cpu": CPU, "ours": long, "peer": short,
            "peer_name": "lookback, 1,024 source steps", "ratio": long / short, "ratio_min": long / short,
            "ratio_max": long / short}


STARTUP_RECIPE = """
task = "translate"
[data]
train = ["s", "t"]
valid = ["s", "t"]
[tokenizer]
kind = "word"
joint = true
[model]
encoder = { hidden = 448, bidirectional = true }
decoder = { hidden = 896 }
embedding = 384
[train]
max_steps = 1
"""


@functools.cache
def startup_model(program):
    """A folder, until the end of the program, with a model of 20 million parameters in it: `model`, and in int8 `exported`."""
    kept = tempfile.TemporaryDirectory()
    folder = pathlib.Path(kept.name)
    text = "".join(" ".join(f"w{k}" for k in range(n, n + 8)) + "\n" for n in range(0, 3000, 8))
    (folder / "s").write_text(text), (folder / "t").write_text(text)
    (folder / "recipe.toml").write_text(STARTUP_RECIPE)
    subprocess.run([program, "train", folder / "recipe.toml", "--out", folder / "model", "--quiet"], check=True)
    subprocess.run([program, "export", folder / "model", "--out", folder / "exported", "--quantize", "int8"], check=True,
                   capture_output=True)
    return kept


def startup_row(args, name, model):
    """From process start to the first translated sentence."""
    folder = pathlib.Path(startup_model(args.program).name)
    size = (folder / "model/model.safetensors").stat().st_size / 4e6
    times = []
    for _ in range(3 * args.rounds):
        begin = time.perf_counter()
        process = subprocess.Popen([args.program, "predict", folder / model, "--max-length", "8"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdin.write(b"w1 w2 w3 w4 w5 w6 w7 w8\n")
        process.stdin.close()
        process.stdout.readline()
        times.append(1e3 * (time.perf_counter() - begin))
        process.wait()
    median = statistics.median(times)
    return {"name": name, "unit": f"ms, {size:.1f} million parameters", "cpu": CPU, "ours": median, "peer": median,
            "peer_name": "-", "ratio": median, "ratio_min": min(times), "ratio_max": max(times)}


def size_row(args):
    with tempfile.TemporaryDirectory() as folder:
        stripped = pathlib.Path(folder) / "lookback"
        subprocess.run(["strip", "-o", stripped, args.program], check=True)
        size = stripped.stat().st_size / 1e6
    return {"name": "program_mb", "unit": "MB", "cpu": CPU, "ours": size, "peer": size, "peer_name": "-",
            "ratio": size, "ratio_min": size, "ratio_max": size}


def minutes_row(args):
    """Defined on AMX, and up to forty minutes long; see minutes.py."""
    head = {"name": "bleu36_minutes", "unit": f"minutes to {minutes.GOAL} BLEU", "cpu": CPU}
    if not args.data:
        return head | {"skipped": NO_DATA}
    if not HAS_AMX and not args.all:
        return head | {"skipped": f"{NO_AMX}; --all measures it all the same"}
    return head | minutes.measure(args.program, args.data)


SINGLE = {"train_share_f32": share_row, "train_memory": memory_row,
          "startup_ms": functools.partial(startup_row, name="startup_ms", model="model"),
          "startup_int8_ms": functools.partial(startup_row, name="startup_int8_ms", model="exported"),
          **{f"self_attention_memory_{steps}": functools.partial(attention_memory_row, steps=steps)
             for steps in ATTENTION_STEPS},
          "long_memory": long_memory_row, "program_mb": size_row, "bleu36_minutes": minutes_row}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build/release/lookback"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="*", default=[], metavar="WORD", help="rows whose name holds one of these")
    parser.add_argument("--data", metavar="DIR", help="Multi30k, for the rows that need it")
    parser.add_argument("--all", action="store_true",
                        help="also the minutes to 36 BLEU, up to forty of them, where they are not defined: without AMX")
    parser.add_argument("--page", metavar="FILE", help="write this machine's section of a page there")
    parser.add_argument("--json", metavar="FILE", help="write the rows there too")
    args = parser.parse_args()
    args.program = str(pathlib.Path(args.program).resolve())
    wanted = lambda name: not args.only or any(word in name for word in args.only)
    done = []

    def add(row):  # and keep what there is: a run may be stopped
        done.append(row)
        say(row)
        if args.page:
            write_section(args.page, section(done, args.rounds, CPU, ALL))
        if args.json:
            pathlib.Path(args.json).write_text(json.dumps(done, indent=2) + "\n")

    with tempfile.TemporaryDirectory() as folder:
        for row in rows(args, folder):
            if wanted(row.name):
                add(row.measure(args.rounds))
    for name, measure in SINGLE.items():
        if wanted(name):
            add(measure(args))


if __name__ == "__main__":
    main()
