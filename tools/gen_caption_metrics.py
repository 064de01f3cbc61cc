#!/usr/bin/env python3
"""Records what pycocoevalcap says about captions made here: tests/golden/metrics/captions.json.

usage: gen_caption_metrics.py [OUT.json]      needs pycocoevalcap, numpy; same output every time for the same versions

Its Bleu, Rouge and Cider take lines that are tokenized already, as here; its tokenizer, which needs Java, is not run.
"""
import contextlib
import importlib.metadata
import io
import json
import os
import random
import sys

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

SUBJECTS = "a dog|two dogs|the brown dog|a man|a woman in red|three children|a boy|a group of people|a little girl".split("|")
VERBS = "runs|is running|jumps|plays|are playing|sits|walks|is standing|looks|rides a bike|catches a ball".split("|")
PLACES = ("in the grass|on the beach|through the water|in front of a house|on a street|at night|with a t-shirt on|"
          "near a café|in the snow|over a fence 'n trees|n't|up 3.5 stairs").split("|")


def caption(rng):
    words = f"{rng.choice(SUBJECTS)} {rng.choice(VERBS)} {rng.choice(PLACES)}"
    return words + (" " + rng.choice(PLACES) if rng.random() < 0.3 else "")


def disturbed(rng, text):
    words = text.split()
    for _ in range(rng.randint(0, 3)):
        what, at = rng.randrange(4), rng.randrange(len(words) + 1)
        if what == 0:
            words.insert(at, rng.choice(caption(rng).split()))
        elif what == 1:
            del words[at:at + 1]
        elif what == 2:
            words.insert(at, rng.choice(words) if words else "a")
        else:
            words = words[at:] + words[:at]
    return " ".join(words)


def made(rng, images, references):
    out = []
    for _ in range(images):
        first = caption(rng)
        refs = [first] + [disturbed(rng, rng.choice([first, caption(rng)])) for _ in range(references(rng) - 1)]
        out.append((disturbed(rng, rng.choice(refs)), refs))
    return out


def sets():
    rng = random.Random(1)
    yield "five references", made(rng, 60, lambda r: 5)
    yield "one reference", made(rng, 30, lambda r: 1)
    yield "any number", made(rng, 40, lambda r: r.randint(1, 7))
    yield "one image", made(rng, 1, lambda r: 3)
    yield "two images", made(rng, 2, lambda r: 2)
    yield "nothing right", [("x y z", ["a b c d", "e f"]), ("q", ["r s"]), ("t u", ["a b"])]
    yield "empty and short", [("", ["a dog runs"]), ("a", ["a"]), ("a dog", ["", "a dog"]), ("", [""]), ("cat", ["dog"])]
    yield "the same words", [("a a a a a a", ["a a b", "b a a a"]), ("a b a b a b", ["a b a b", "b a"]), ("c", ["d"])]
    yield "too short", [("a dog", ["a dog runs in the grass today", "a dog runs"]), ("two", ["two men on a boat"])]


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../tests/golden/metrics/captions.json")
    out = []
    for name, segments in sets():
        res = {k: [h] for k, (h, _) in enumerate(segments)}
        gts = {k: r for k, (_, r) in enumerate(segments)}
        with contextlib.redirect_stdout(io.StringIO()):
            bleu, _ = Bleu(4).compute_score(gts, res)
        rouge, each_rouge = Rouge().compute_score(gts, res)
        cider, each_cider = Cider().compute_score(gts, res)
        out.append({"name": name, "bleu": [float(b) for b in bleu], "rouge": float(rouge), "cider": float(cider),
                    "segments": [{"hyp": h, "refs": r, "rouge": float(a), "cider": float(b)}
                                 for (h, r), a, b in zip(segments, each_rouge, each_cider)]})
    with open(path, "w", encoding="utf-8") as f:
        f.write(f'{{\n"pycocoevalcap": "{importlib.metadata.version("pycocoevalcap")}",\n"sets": [\n')
        for k, row in enumerate(out):  # one case per line, so that a change can be read
            segments = ",\n".join(json.dumps(s, ensure_ascii=False, separators=(",", ":")) for s in row.pop("segments"))
            f.write(json.dumps(row)[:-1] + f', "segments": [\n{segments}\n]}}' + (",\n" if k + 1 < len(out) else "\n"))
        f.write("]\n}\n")
    print(f"{path}: {len(out)} sets", file=sys.stderr)


if __name__ == "__main__":
    main()
