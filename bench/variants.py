#!/usr/bin/env python3
"""Trains the variants of a translation recipe for the same time each, and tabulates their scores.

    python3 bench/variants.py --data DIR [--minutes 10] [--threads N] [--out out/variants] [--only NAME...]

The cores are the run's: start nothing else on them. Results do not depend on the number of threads,
so 20 minutes on one core are about the same steps as 10 minutes on two. A variant whose score is in OUT already is
not trained again, so the table can be made in several sittings. The test set is translated once,
with the weights that validation chose.
"""

import argparse
import itertools
import json
import pathlib
import re
import subprocess
import time

TEST = ("raw/test_2016_flickr.de.gz", "raw/test_2016_flickr.en.gz")


def variants():
    for cell, feeding in itertools.product(("lstm", "gru"), (True, False)):
        feed = "feeding" if feeding else "no feeding"
        common = {"model.encoder.cell": cell, "model.decoder.cell": cell,
                  "model.decoder.input_feeding": str(feeding).lower()}
        for score in ("dot", "general", "concat"):
            yield f"{cell} luong {score} {feed}", {**common, "model.decoder.attention": "luong", "model.score": score}
        yield f"{cell} bahdanau additive {feed}", {
            **common, "model.decoder.attention": "bahdanau", "model.score": "additive"}


def trained(args, name, settings):
    folder = args.out / name.replace(" ", "-")
    result = folder / "variant.json"
    if result.exists():
        return json.loads(result.read_text())
    command = [args.program, "train", args.recipe, "--data", args.data, "--out", str(folder), "--overwrite", "--quiet",
               "--set", f"train.max_minutes={args.minutes}"]
    if args.threads:
        command += ["--threads", str(args.threads)]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    begin = time.monotonic()
    subprocess.run(command, check=True)
    evaluation = subprocess.run([args.program, "evaluate", str(folder), "--data", *(f"{args.data}/{t}" for t in TEST),
                                 "--format", "json"], check=True, capture_output=True, text=True).stdout
    card = (folder / "README.md").read_text()
    row = {"name": name, "evaluation": json.loads(evaluation), "seconds": time.monotonic() - begin,
           "run": re.search(r"^- (\d+ steps, .*)$", card, re.M).group(1),
           "command": " ".join(command)}
    result.write_text(json.dumps(row, indent=2) + "\n")
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/lookback")
    parser.add_argument("--recipe", default="recipes/translate-multi30k-de-en.toml")
    parser.add_argument("--data", required=True)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--threads", type=int, help="all cores unless given")

    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("out/variants"))
    parser.add_argument("--only", nargs="*", default=[], help="variants whose names hold all of these words")
    args = parser.parse_args()
    print("| variant | BLEU | chrF2 | TER | run |\n|---|---|---|---|---|")
    for name, settings in variants():
        if not all(word in name.split() for word in args.only):
            continue
        row = trained(args, name, settings)
        scores = " | ".join(f"{row['evaluation'][metric]['score']:.2f}" for metric in ("BLEU", "chrF2", "TER"))
        print(f"| {name} | {scores} | {row['run']} |", flush=True)


if __name__ == "__main__":
    main()
