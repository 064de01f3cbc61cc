#!/usr/bin/env python3
"""Records what seqeval says about tags made here: tests/golden/metrics/spans.json.

usage: gen_span_metrics.py [OUT.json]      needs seqeval and scikit-learn; same output every time for the same versions

Tags of BIO and BIOES, as they should be and drawn at random, with types that have hyphens, and with none. Tags that begin
otherwise are not here: seqeval warns of them, and lets a span of them begin in the sentence before. Where it divides by
0 it says 0.
"""
import json
import os
import random
import sys
import warnings

import seqeval
from seqeval import metrics
from seqeval.metrics.sequence_labeling import get_entities
from sklearn.metrics import accuracy_score, f1_score

warnings.filterwarnings("ignore")


def well_formed(rng, n, types, bioes):
    tags = []
    while len(tags) < n:
        if rng.random() < 0.4:
            tags.append("O")
            continue
        kind, length = rng.choice(types), rng.randint(1, 3)
        if bioes:
            tags += [f"S-{kind}"] if length == 1 else [f"B-{kind}"] + [f"I-{kind}"] * (length - 2) + [f"E-{kind}"]
        else:
            tags += [f"B-{kind}"] + [f"I-{kind}"] * (length - 1)
    return tags[:n]


def corrupted(rng, tags, others, rate):
    return [rng.choice(others) if rng.random() < rate else t for t in tags]


def cases():
    types = ["PER", "LOC", "A-B"]
    for seed, (name, bioes, others, rate) in enumerate([
            ("bio", False, ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "I-A-B"], 0.2),
            ("bioes", True, ["O", "B-PER", "E-PER", "S-LOC", "I-LOC", "E-A-B", "I-A-B"], 0.2),
            ("wild", True, ["O", "B", "I", "E", "S", "B-", "I-PER", "E-PER", "B-PER", "I--LOC", "S-PER", "I-Ü"], 0.9),
            ("right", False, ["O"], 0.0)]):
        rng = random.Random(seed)
        gold = [well_formed(rng, rng.randint(1, 12), types, bioes) for _ in range(40)]
        if name == "wild":
            gold = [corrupted(rng, t, others, 0.5) for t in gold]
        yield name, gold, [corrupted(rng, t, others, rate) for t in gold]
    yield "none predicted", [["B-PER", "O"]], [["O", "O"]]
    yield "none at all", [["O", "O"]], [["O", "O"]]


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../tests/golden/metrics/spans.json")
    recorded = []
    for name, gold, predicted in cases():
        flat_gold, flat_predicted = sum(gold, []), sum(predicted, [])
        by_type = metrics.classification_report(gold, predicted, output_dict=True, zero_division=0)
        recorded.append({
            "name": name, "gold": [" ".join(t) for t in gold], "predicted": [" ".join(t) for t in predicted],
            "spans": [[[t, b, e + 1] for t, b, e in get_entities(tags)] for tags in gold],
            "precision": float(metrics.precision_score(gold, predicted, zero_division=0)),
            "recall": float(metrics.recall_score(gold, predicted, zero_division=0)),
            "f1": float(metrics.f1_score(gold, predicted, zero_division=0)),
            "accuracy": float(metrics.accuracy_score(gold, predicted)),
            "macro_f1": float(f1_score(flat_gold, flat_predicted, average="macro", zero_division=0)),
            "by_type": {t: {k: float(v) for k, v in s.items()} for t, s in by_type.items() if not t.endswith(" avg")},
        })
        assert abs(accuracy_score(flat_gold, flat_predicted) - recorded[-1]["accuracy"]) < 1e-12
    with open(out, "w") as f:
        json.dump({"seqeval": seqeval.__version__ if hasattr(seqeval, "__version__") else "1.2.2", "cases": recorded}, f,
                  ensure_ascii=False, indent=0)
        f.write("\n")


if __name__ == "__main__":
    main()
