#!/usr/bin/env python3
"""How many minutes of training, from nothing, reach a BLEU score on Multi30k, German to English.

    python3 bench/minutes.py --data DIR [--minutes 3 4 5 6 8 10] [--goal 36]

Every schedule of the list is a run of its own, from short to long: the recipe with that `train.max_minutes`, which
counts the tokenizer and all validation, then the test set of 2016 by beam search of 5 with the weights that validation
chose. The first that reaches the goal is the answer; it is looked for among the listed minutes only, with one seed.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECIPE = ROOT / "recipes/translate-multi30k-de-en.toml"
TEST = ("raw/test_2016_flickr.de.gz", "raw/test_2016_flickr.en.gz")
MINUTES = (3, 4, 5, 6, 8, 10)
GOAL = 36


def trained(program, recipe, data, minutes, folder):
    """The run of one schedule: BLEU, and the seconds of training by the clock on the wall."""
    begin = time.monotonic()
    subprocess.run([program, "train", recipe, "--data", data, "--out", folder, "--overwrite", "--quiet", "--set",
                    f"train.max_minutes={minutes}"], check=True)
    seconds = time.monotonic() - begin
    said = subprocess.run([program, "evaluate", folder, "--data", *(f"{data}/{name}" for name in TEST), "--beam", "5",
                           "--format", "json"], check=True, capture_output=True, text=True).stdout
    return {"minutes": minutes, "bleu": json.loads(said)["bleu"]["score"], "seconds": seconds}


def shortest(schedule, goal, run):
    """The runs up to the first that reaches the goal; and that one, or None."""
    runs = []
    for minutes in sorted(schedule):
        runs.append(run(minutes))
        print(f"minutes: {minutes} give {runs[-1]['bleu']:.2f} BLEU", file=sys.stderr, flush=True)
        if runs[-1]["bleu"] >= goal:
            return runs, runs[-1]
    return runs, None


def measure(program, data, schedule=MINUTES, goal=GOAL, recipe=RECIPE):
    """The row of the bench, without its name, unit and processor."""
    with tempfile.TemporaryDirectory() as folder:
        runs, found = shortest(schedule, goal, lambda m: trained(program, recipe, data, m, pathlib.Path(folder) / "model"))
    if not found:
        best = max(runs, key=lambda r: r["bleu"])
        return {"skipped": f"no schedule up to {runs[-1]['minutes']} minutes reached {goal} BLEU; the best was "
                           f"{best['bleu']:.2f} after {best['minutes']}", "runs": runs}
    least = found["minutes"]
    return {"ours": least, "peer": least, "peer_name": "-", "ratio": least, "ratio_min": least, "ratio_max": least,
            "runs": runs}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build/release/lookback"))
    parser.add_argument("--recipe", default=str(RECIPE))
    parser.add_argument("--data", required=True)
    parser.add_argument("--minutes", type=float, nargs="+", default=MINUTES)
    parser.add_argument("--goal", type=float, default=GOAL)
    args = parser.parse_args()
    print(json.dumps(measure(args.program, args.data, args.minutes, args.goal, args.recipe), indent=2))


if __name__ == "__main__":
    main()
