#!/usr/bin/env python3
"""Trains the variants of a translation recipe for the same time each, and tabulates their scores.

    python3 bench/variants.py --data DIR [--table decoders|ladder|attention] [--minutes 10] [--threads N] [--only WORD...]

decoders: cell, score and order of attention; the test set is translated once, with the weights that validation chose.
ladder: the recipe with one of its choices undone or replaced, scored on the validation set, so that choosing by it
leaves the test set alone.
attention: the recipe without attention and with several kinds of it, and BLEU for the shortest, the middle and the
longest third of the sources.

The cores are the run's: start nothing else on them. Results do not depend on the number of threads,
so 20 minutes on one core are about the same steps as 10 minutes on two. A variant whose score is in OUT already is
not trained again, so a table can be made in several sittings.
"""

import argparse
import gzip
import itertools
import json
import pathlib
import re
import subprocess
import time

def decoders():
    for cell, feeding in itertools.product(("lstm", "gru"), (True, False)):
        feed = "feeding" if feeding else "no feeding"
        common = {"model.encoder.cell": cell, "model.decoder.cell": cell,
                  "model.decoder.input_feeding": str(feeding).lower()}
        for score in ("dot", "general", "concat"):
            yield f"{cell} luong {score} {feed}", {**common, "model.decoder.attention": "luong", "model.score": score}
        yield f"{cell} bahdanau additive {feed}", {
            **common, "model.decoder.attention": "bahdanau", "model.score": "additive"}


def ladder():
    yield "the recipe", {}
    yield "no BPE-dropout", {"tokenizer.sampling": "0"}
    yield "embeddings not tied", {"model.tie": "none"}
    yield "two layers", {"model.encoder.layers": "2", "model.decoder.layers": "2"}
    yield "locked dropout", {"model.locked_dropout": "true"}
    yield "no running mean of the weights", {"train.ema": "0"}
    yield "mean of the best 5 instead", {
        "train.ema": "0", "train.average_best": "5", "train.validate_every_epochs": "0", "train.validate_every": "100"}
    yield "score dot", {"model.score": "dot"}
    yield "weight drop 0.2", {"model.weight_drop": "0.2"}
    yield "dropout 0.2", {"model.dropout": "0.2"}


def attention():
    for score in ("none", "dot", "additive", "location", "coverage"):
        yield score, {"model.score": score}
    yield "dot, coverage loss", {"loss.coverage": "0.5"}


# What there is to compare, and the set that it is scored on.
TABLES = {"decoders": (decoders, "test_2016_flickr"), "ladder": (ladder, "val"),
          "attention": (attention, "test_2016_flickr")}


def bleu_by_thirds(args, folder, pairs):
    """BLEU of the shortest, the middle and the longest third of the sources, by words."""
    sources, references = (gzip.open(path, "rt", encoding="utf-8").read().splitlines() for path in pairs)
    outputs = subprocess.run([args.program, "predict", str(folder), "--in", pairs[0]], check=True, capture_output=True,
                             text=True).stdout.splitlines()
    order = sorted(range(len(sources)), key=lambda k: len(sources[k].split()))
    scores = []
    for third in range(3):
        part = order[len(order) * third // 3:len(order) * (third + 1) // 3]
        reference = folder / "third.txt"
        reference.write_text("".join(references[k] + "\n" for k in part), encoding="utf-8")
        said = subprocess.run([args.program, "metric", "bleu", "--format", "json", "--ref", str(reference)], check=True,
                              input="".join(outputs[k] + "\n" for k in part), capture_output=True, text=True).stdout
        reference.unlink()
        scores.append(json.loads(said)["score"])
    return scores


def trained(args, name, settings, score_on):
    folder = args.out / name.replace(" ", "-").replace(",", "")
    result = folder / "variant.json"
    if result.exists():
        return json.loads(result.read_text())
    command = [args.program, "train", args.recipe, "--data", args.data, "--out", str(folder), "--overwrite", "--quiet",
               "--set", f"train.max_minutes={0 if args.steps else args.minutes}"]
    if args.steps:
        command += ["--set", f"train.max_steps={args.steps}"]
    if args.threads:
        command += ["--threads", str(args.threads)]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    begin = time.monotonic()
    subprocess.run(command, check=True)
    pairs = [f"{args.data}/raw/{score_on}.{side}.gz" for side in ("de", "en")]
    evaluation = subprocess.run([args.program, "evaluate", str(folder), "--data", *pairs, "--format", "json"],
                                check=True, capture_output=True, text=True).stdout
    card = (folder / "README.md").read_text()
    row = {"name": name, "evaluation": json.loads(evaluation), "seconds": time.monotonic() - begin,
           "run": re.search(r"^- (\d+ steps, .*)$", card, re.M).group(1),
           "command": " ".join(command)}
    if args.table == "attention":
        row["thirds"] = bleu_by_thirds(args, folder, pairs)
    result.write_text(json.dumps(row, indent=2) + "\n")
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/lookback")
    parser.add_argument("--recipe", default="recipes/translate-multi30k-de-en.toml")
    parser.add_argument("--data", required=True)
    parser.add_argument("--table", choices=TABLES, default="decoders")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--steps", type=int, help="train so many steps instead of minutes")
    parser.add_argument("--threads", type=int, help="all cores unless given")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("out/variants"))
    parser.add_argument("--only", nargs="*", default=[], help="variants whose names hold all of these words")
    args = parser.parse_args()
    thirds = " shortest, middle, longest third |" if args.table == "attention" else ""
    print(f"| variant | BLEU | chrF2 | TER |{thirds} run |\n|---|---|---|---|---|{'---|' if thirds else ''}")
    variants, score_on = TABLES[args.table]
    for name, settings in variants():
        if not all(word in name.split() for word in args.only):
            continue
        row = trained(args, name, settings, score_on)
        scores = " | ".join(f"{row['evaluation'][metric]['score']:.2f}" for metric in ("bleu", "chrf", "ter"))
        if thirds:
            scores += " | " + ", ".join(f"{score:.2f}" for score in row["thirds"])
        print(f"| {name} | {scores} | {row['run']} |", flush=True)


if __name__ == "__main__":
    main()
