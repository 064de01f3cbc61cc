#!/usr/bin/env python3
"""Word vectors beside gensim's, speed and loss in one run: ./x bench quality-vectors --data FOLDER

FOLDER has ptb.train.txt.gz and ptb.valid.txt.gz, the Penn Treebank in lines of words. Both sides learn from the same
lines with the same numbers: skip-gram, 100 values, window 5, 5 negatives, 5 epochs, words seen 5 times, sample 1e-3,
rate 0.025, two threads. In every round each is measured once, from the file of text to the file of vectors. gensim reads
the file by itself (corpus_file), its fastest way. Speed is that of all words of all epochs; `ratio` is of medians.

The loss is of pairs of neighbours in the text for validation, window 5, both known:
  -log sigmoid(u.v) - sum over 5 negatives n of log sigmoid(-u.v_n)
with u the vector of the one and v, v_n context vectors; negatives are drawn once from count^0.75 of the training text,
the same for both sides.
"""

import argparse
import gzip
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import gensim
import numpy as np

import machine

DIM, WINDOW, NEGATIVES, EPOCHS, MIN_COUNT, SAMPLE, RATE = 100, 5, 5, 5, 5, 1e-3, 0.025


def run_lookback(args, text, folder, seed, *more):
    out, context = folder / "ours.bin", folder / "ours-context.bin"
    subprocess.run([args.program, "vectors", text, "--out", out, "--context", context, "--dim", str(DIM), "--window", str(WINDOW),
                    "--negatives", str(NEGATIVES), "--epochs", str(EPOCHS), "--min-count", str(MIN_COUNT), "--sample", str(SAMPLE),
                    "--lr", str(RATE), "--seed", str(seed), "--threads", str(args.threads), "--quiet", *more], check=True)
    return out, context


def read_bin(path):
    """Words and their vectors, of word2vec's binary format."""
    data = path.read_bytes()
    end = data.index(b"\n")
    count, width = map(int, data[:end].split())
    at, words, rows = end + 1, [], np.empty((count, width), np.float32)
    for k in range(count):
        space = data.index(b" ", at)
        words.append(data[at:space].decode("utf-8"))
        rows[k] = np.frombuffer(data, "<f4", width, space + 1)
        at = space + 1 + 4 * width
        at += data[at:at + 1] == b"\n"
    return words, rows


def run_gensim(args, text, folder, seed):
    model = gensim.models.Word2Vec(corpus_file=str(text), vector_size=DIM, window=WINDOW, min_count=MIN_COUNT, sample=SAMPLE,
                                   alpha=RATE, sg=1, hs=0, negative=NEGATIVES, epochs=EPOCHS, workers=args.threads, seed=seed)
    model.wv.save_word2vec_format(str(folder / "theirs.bin"), binary=True)
    return model


class HeldOut:
    """Pairs and negatives, the same for everybody: numbers of `words`."""

    def __init__(self, train, valid, seed=1):
        counts = {}
        for line in train:
            for word in line.split():
                counts[word] = counts.get(word, 0) + 1
        self.words = [w for w, n in counts.items() if n >= MIN_COUNT]
        number = {w: k for k, w in enumerate(self.words)}
        inputs, outputs = [], []
        for line in valid:
            ids = [number[w] for w in line.split() if w in number]
            for n, word in enumerate(ids):
                near = ids[max(0, n - WINDOW):n] + ids[n + 1:n + 1 + WINDOW]
                inputs += near
                outputs += [word] * len(near)
        self.inputs, self.outputs = np.array(inputs), np.array(outputs)
        weights = np.array([counts[w] for w in self.words]) ** 0.75
        draw = np.random.default_rng(seed)
        self.negatives = draw.choice(len(self.words), (len(inputs), NEGATIVES), p=weights / weights.sum())

    def loss(self, words, vectors, contexts):
        """Of a pair, with what belongs to it, on average."""
        row = {w: k for k, w in enumerate(words)}
        order = np.array([row[w] for w in self.words])
        u, v = vectors[order].astype(np.float64), contexts[order].astype(np.float64)
        total, chunk = 0.0, 50_000
        for k in range(0, len(self.inputs), chunk):
            x = u[self.inputs[k:k + chunk]]
            total += np.logaddexp(0, -np.einsum("nd,nd->n", x, v[self.outputs[k:k + chunk]])).sum()
            for j in range(NEGATIVES):
                total += np.logaddexp(0, np.einsum("nd,nd->n", x, v[self.negatives[k:k + chunk, j]])).sum()
        return total / len(self.inputs)


def measure(args, text, lines, held_out):
    tokens = EPOCHS * sum(len(line.split()) for line in lines)
    seconds, losses = {"lookback": [], "gensim": []}, {"lookback": [], "gensim": []}
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        for seed in range(1, args.rounds + 1):
            begin = time.monotonic()
            out, context = run_lookback(args, text, folder, seed)
            seconds["lookback"].append(time.monotonic() - begin)
            words, rows = read_bin(out)
            losses["lookback"].append(held_out.loss(words, rows, read_bin(context)[1]))
            begin = time.monotonic()
            model = run_gensim(args, text, folder, seed)
            seconds["gensim"].append(time.monotonic() - begin)
            losses["gensim"].append(held_out.loss(model.wv.index_to_key, model.wv.vectors, model.syn1neg))
            print(*(f"{side}: {tokens / s[-1]:,.0f} words/s, loss {losses[side][-1]:.4f}" for side, s in seconds.items()), sep="; ", flush=True)
    return {side: {"words_per_second": tokens / statistics.median(seconds[side]), "loss": statistics.median(losses[side]),
                   "seconds": seconds[side], "losses": losses[side]} for side in seconds}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="the folder with ptb.train.txt.gz and ptb.valid.txt.gz")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--program", default="build/release/lookback")
    parser.add_argument("--json", type=pathlib.Path, help="also written to this file")
    args = parser.parse_args()
    train, valid = (gzip.open(args.data / f"ptb.{part}.txt.gz", "rt", encoding="utf-8").read().splitlines() for part in ("train", "valid"))
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as text:
        text.writelines(line + "\n" for line in train)  # gensim's workers do not read .gz
        text.flush()
        out = measure(args, pathlib.Path(text.name), train, HeldOut(train, valid))
    ours, theirs = out["lookback"], out["gensim"]
    print(machine.in_words(machine.environment(args.program)) + f", gensim {gensim.__version__}, {args.threads} threads")
    for side, r in out.items():
        print(f"{side:10}{r['words_per_second']:12,.0f} words/s   held-out loss {r['loss']:.4f}")
    print(f"ratio{ours['words_per_second'] / theirs['words_per_second']:11.2f}   loss {100 * (ours['loss'] / theirs['loss'] - 1):+.2f} %")
    if args.json:
        args.json.write_text(json.dumps(out | {"machine": machine.environment(args.program)}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
