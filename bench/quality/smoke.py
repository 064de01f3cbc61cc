#!/usr/bin/env python3
"""Runs every PyTorch peer for some seconds on a little of its data, and says which one fails.

    ./x bench quality-smoke --data DIR [--minutes M] [--only WORD...]

DIR has the folders below. Each peer reads, trains, validates, and writes predictions; scores mean nothing.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
FEW = ["--limit", "150"]
PEERS = [
    ("summarise", "aeslc", FEW),
    ("summarise", "aeslc", ["--coverage", "--no-copy", *FEW]),
    ("answer", "squad11-dev", ["--limit", "100"]),
    ("babi", "babi-qa/en-valid", ["--limit", "20"]),
    ("dialogue", "dialog-babi-dstc2", ["--task", "5", "--limit", "3"]),
    ("dialogue", "dialog-babi-dstc2", ["--task", "6", "--no-copy", "--limit", "3"]),
    ("language_model", "ptb-lm", ["--unit", "word", "--hidden", "64", "--embedding", "64", "--dev-only"]),
    ("language_model", "ptb-lm", ["--unit", "character", "--hidden", "64", "--dev-only"]),
    ("classify", ".", ["--set", "trec"]),
]


def run(args, folder, name, data, more):
    out = folder / "said.json"
    out.unlink(missing_ok=True)
    words = [sys.executable, HERE / f"{name}_torch.py", "--data", args.data / data, "--minutes", str(args.minutes), "--threads",
             str(args.threads), "--json", out, *more]
    if name != "language_model":
        words += ["--out", folder / "out"]
    begin = time.monotonic()
    done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    took = time.monotonic() - begin
    if done.returncode:
        return took, done.stderr.strip().splitlines()[-1]
    said = json.loads(out.read_text())
    valid = said.get("valid")
    if isinstance(valid, float) and not math.isfinite(valid):
        return took, f"its validation score is {valid}"
    if name != "language_model" and not (folder / "out").stat().st_size:
        return took, "it predicts nothing"
    return took, None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", help=argparse.SUPPRESS)  # as all of them get it
    parser.add_argument("--data", required=True, metavar="DIR", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=0.3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[], metavar="WORD", help="peers whose name holds one of these")
    args = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, data, more in PEERS:
            if args.only and not any(word in name for word in args.only):
                continue
            took, problem = run(args, pathlib.Path(folder), name, data, more)
            failed += problem is not None
            print(f"{name}_torch.py {' '.join(more)}: {problem or 'well'}, {took:.0f} s", flush=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
