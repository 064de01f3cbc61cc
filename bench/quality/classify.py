#!/usr/bin/env python3
"""Accuracy of `task = "classify"` beside a plain, careful PyTorch model, by seeds, in the same minutes on one thread.

    ./x bench quality --data DIR [--sets sst2 sst5 trec] [--seeds 1 2 3 4 5] [--minutes M] [--rows ours torch last mean stack hybrid]
                      [--concurrent] [--work DIR] [--out FILE.json]

DIR has the folders `sst` and `trec`. `ours` is the recipe as it stands, `torch` is classify_torch.py, `last` and `mean`
are ours without attention, `stack` and `hybrid` have more blocks. A row's difference is ours minus that row; its interval is that of a paired bootstrap over
the sentences of the test set, of the mean over seeds. Runs are kept in --work, by minutes and by what was run, and not
repeated.
"""

import argparse
import functools
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import tomllib

import numpy as np

import classify_data
import machine

HERE = pathlib.Path(__file__).resolve().parent
ROWS = {"ours": "lookback", "torch": "PyTorch", "last": "lookback, last state", "mean": "lookback, mean of states",
        "stack": "lookback, BiLSTM, BiLSTM", "hybrid": "lookback, BiLSTM, self-attention, BiLSTM"}
# What a row changes of the recipe. The two stacks have as many parameters as each other (640 thousand besides the
# embeddings), and as the one BiLSTM of the recipes.
CHANGES = {
    "last": ["model.pooling.kind=last"],
    "mean": ["model.pooling.kind=mean"],
    "stack": ["model.encoder.blocks.0.hidden=120", "model.encoder.blocks.1.kind=bilstm", "model.encoder.blocks.1.hidden=80"],
    "hybrid": ["model.encoder.blocks.0.hidden=98", "model.encoder.blocks.1.kind=self_attention",
               "model.encoder.blocks.1.heads=4", "model.encoder.blocks.2.kind=bilstm", "model.encoder.blocks.2.hidden=70"],
}
RESAMPLES = 10_000


@functools.cache
def digest(files):
    return hashlib.sha256(b"".join(pathlib.Path(f).read_bytes() for f in files)).hexdigest()[:8]


class Run:
    """One training and the labels it gives the test set."""

    def __init__(self, args, name, row, seed):
        self.args, self.name, self.row, self.seed = args, name, row, seed
        self.minutes = args.minutes or tomllib.loads(classify_data.recipe(name).read_text())["train"]["max_minutes"]
        of = (HERE / "classify_torch.py",) if row == "torch" else (args.program, str(classify_data.recipe(name)))
        self.kept = pathlib.Path(args.work) / f"{name}-{row}-{seed}-{self.minutes:g}min-{digest(of)}.json"

    def commands(self, folder):
        """What is run, in turn; the labels are in `labels` afterwards."""
        args, labels = self.args, folder / "labels"
        if self.row == "torch":
            return [[sys.executable, HERE / "classify_torch.py", "--set", self.name, "--data", args.data, "--minutes",
                     f"{self.minutes:g}", "--seed", str(self.seed), "--threads", "1", "--out", labels, "--json",
                     folder / "result.json"]]
        texts = folder / "texts"
        test = classify_data.read_set(self.name, args.data)[2]
        texts.write_text("".join(f"{text}\n" for text, _ in test), encoding="utf-8")
        changes = [word for change in CHANGES.get(self.row, []) for word in ("--set", change)]
        return [[args.program, "train", classify_data.recipe(self.name), "--data",
                 classify_data.folder(self.name, args.data), "--out", folder / "model", "--seed", str(self.seed),
                 "--threads", "1", "--quiet", "--set", f"train.max_minutes={self.minutes:g}", *changes],
                [args.program, "predict", folder / "model", "--in", texts, "--out", labels, "--threads", "1", "--quiet"]]

    def validation(self, folder):
        """The best accuracy on the validation part."""
        if self.row == "torch":
            return json.loads((folder / "result.json").read_text())["dev"]
        log = [json.loads(line) for line in (folder / "model/training/log.jsonl").read_text().splitlines()]
        return max(event["scores"]["accuracy"] for event in log if event["event"] == "valid")

    def start(self, core):
        """A process that does it all; pinned to a core where one is given."""
        self.folder = tempfile.TemporaryDirectory()
        self.begin = time.monotonic()
        self.rest = self.commands(pathlib.Path(self.folder.name))
        self.core = core
        self.process = self.next_process()

    def next_process(self):
        pin = None if self.core is None else lambda: os.sched_setaffinity(0, {self.core})
        return subprocess.Popen(self.rest.pop(0), stdout=subprocess.DEVNULL, preexec_fn=pin)

    def finish(self):
        while True:
            if self.process.wait():
                sys.exit(f"quality: {self.name}, {self.row}, seed {self.seed}: a run failed; see the lines above")
            if not self.rest:
                break
            self.process = self.next_process()
        folder = pathlib.Path(self.folder.name)
        predicted = (folder / "labels").read_text().splitlines()
        truth = [label for _, label in classify_data.read_set(self.name, self.args.data)[2]]
        result = {"set": self.name, "row": self.row, "seed": self.seed, "minutes": self.minutes, "core": self.core,
                  "seconds": time.monotonic() - self.begin, "valid": self.validation(folder),
                  "test": classify_data.accuracy(predicted, truth), "labels": predicted}
        part = self.kept.with_suffix(".part")
        part.write_text(json.dumps(result) + "\n")
        part.replace(self.kept)
        self.folder.cleanup()
        print(f"quality: {self.name}, {self.row}, seed {self.seed}: validation {result['valid']:.2f}, test "
              f"{result['test']:.2f}", file=sys.stderr, flush=True)

    def result(self):
        return json.loads(self.kept.read_text())


def run_all(args):
    """What is not there yet. In turn, who is first changing with the seed; or two at a time, who has which core changing."""
    cores = sorted(os.sched_getaffinity(0))
    width = 2 if args.concurrent else 1
    if args.concurrent and len(cores) < 2:
        sys.exit("quality: --concurrent needs two cores")
    runs = []
    for name in args.sets:
        for turn, seed in enumerate(args.seeds):
            here = [Run(args, name, row, seed) for row in args.rows]
            runs += here
            for k in range(0, len(here), 2):
                pair = here[k:k + 2][::-1 if turn % 2 else 1]
                missing = [(r, cores[c] if width == 2 else None) for c, r in enumerate(pair) if not r.kept.exists()]
                for at in range(0, len(missing), width):
                    together = missing[at:at + width]
                    for r, core in together:
                        r.start(core)
                    for r, _ in together:
                        r.finish()
    return [r.result() for r in runs]


def interval(ours, theirs):
    """The difference in percent, and its 95 % interval; ours and theirs are [seeds, sentences] of right or wrong."""
    difference = 100 * (ours.mean(axis=0) - theirs.mean(axis=0))  # of each sentence, by its mean over seeds
    rng = np.random.default_rng(1)
    n = len(difference)
    means = [difference[rng.integers(n, size=n)].mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return {"difference": float(difference.mean()), "low": float(low), "high": float(high)}


def summary(results, args):
    """A row for each set and kind of model."""
    out = []
    for name in args.sets:
        truth = np.array([label for _, label in classify_data.read_set(name, args.data)[2]])
        right = {}
        for row in args.rows:
            mine = [r for r in results if (r["set"], r["row"]) == (name, row)]
            right[row] = np.array([np.array(r["labels"]) == truth for r in mine], dtype=float)
            line = {"set": name, "row": row, "minutes": mine[0]["minutes"], "mean": float(100 * right[row].mean()),
                    "seeds": {r["seed"]: r["test"] for r in mine},
                    "valid": float(np.mean([r["valid"] for r in mine]))}
            if row != "ours" and "ours" in right:
                line |= interval(right["ours"], right[row])
            out.append(line)
    return out


def table(lines):
    """As Markdown."""
    out = ["| set | model | minutes | test, mean | each seed | validation | ours minus it | 95 % |",
           "|---|---|---|---|---|---|---|---|"]
    for r in lines:
        seeds = ", ".join(f"{test:.2f}" for test in r["seeds"].values())
        against = f"{r['difference']:+.2f} | {r['low']:+.2f} to {r['high']:+.2f}" if "difference" in r else "|"
        out.append(f"| {r['set']} | {ROWS[r['row']]} | {r['minutes']:g} | {r['mean']:.2f} | {seeds} | {r['valid']:.2f} | "
                   f"{against} |")
    return "\n".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(classify_data.ROOT / "build/release/lookback"))
    parser.add_argument("--data", required=True, metavar="DIR")
    parser.add_argument("--sets", nargs="+", choices=classify_data.SETS, default=list(classify_data.SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--minutes", type=float, help="of every training; those of the recipe unless given")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=["ours", "torch"])
    parser.add_argument("--concurrent", action="store_true",
                        help="two runs at a time, each on a core of its own; they swap cores at each seed")
    parser.add_argument("--work", default="out/quality", metavar="DIR", help="where finished runs are kept")
    parser.add_argument("--out", metavar="FILE", help="write everything there, as JSON")
    args = parser.parse_args()
    args.program = str(pathlib.Path(args.program).resolve())
    args.rows.sort(key=lambda row: list(ROWS).index(row))
    pathlib.Path(args.work).mkdir(parents=True, exist_ok=True)
    results = run_all(args)
    lines, env = summary(results, args), machine.environment(args.program)
    how = "two at a time, a core each" if args.concurrent else "in turn"
    print(f"{table(lines)}\n\n{machine.in_words(env)}; one thread, {how}.")
    if args.out:
        everything = {"environment": env, "concurrent": args.concurrent, "resamples": RESAMPLES, "rows": lines,
                      "runs": results}
        pathlib.Path(args.out).write_text(json.dumps(everything, indent=1) + "\n")


if __name__ == "__main__":
    main()
