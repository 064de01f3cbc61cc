#!/usr/bin/env python3
"""Records what scikit-learn says about labels and probabilities made here: tests/golden/metrics/labels.json.

usage: gen_label_metrics.py [OUT.json]      needs scikit-learn; same output every time for the same versions

Expected calibration error, which scikit-learn does not have, is computed here by its definition (Guo et al. 2017), and
the temperature is the root of the derivative of the negative log-likelihood.
"""
import json
import os
import sys

import numpy as np
import scipy.optimize
import scipy.special
import sklearn
from sklearn import metrics

LEAST = 0.01  # inverse temperature

def drawn(seed, classes, n, never_gold=(), never_predicted=(), strength=1.5, rounded=None):
    """Gold classes, logits that know something about them, and what they predict."""
    rng = np.random.default_rng(seed)
    gold = rng.choice([k for k in range(classes) if k not in never_gold], size=n)
    logits = rng.normal(size=(n, classes)) * 1.3
    logits[np.arange(n), gold] += strength
    logits[:, list(never_predicted)] -= 30
    if rounded is not None:
        logits = np.round(logits, rounded)
    return gold, logits


def averages(gold, predicted, average):
    p, r, f, _ = metrics.precision_recall_fscore_support(gold, predicted, average=average, zero_division=0)
    return {"precision": float(p), "recall": float(r), "f1": float(f)}


def calibration_error(gold, probabilities, bins):
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == gold
    error = 0.0
    for k in range(bins):
        inside = (confidence > k / bins) & (confidence <= (k + 1) / bins)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return float(error)


def nll(gold, logits):
    return float(np.mean(scipy.special.logsumexp(logits, axis=1) - logits[np.arange(len(gold)), gold]))


def temperature(gold, logits):
    def slope(inverse):
        p = scipy.special.softmax(logits * inverse, axis=1)
        return np.mean((p * logits).sum(axis=1) - logits[np.arange(len(gold)), gold])
    if slope(LEAST) >= 0:  # worse than chance: the flattest is the best
        return 1 / LEAST
    return float(1 / scipy.optimize.brentq(slope, LEAST, 1 / LEAST, xtol=1e-15, rtol=1e-14))


def auc(gold, probabilities, classes):
    if classes == 2:
        return float(metrics.roc_auc_score(gold, probabilities[:, 1]))
    return float(metrics.roc_auc_score(gold, probabilities, multi_class="ovr", average="macro", labels=range(classes)))


def case(name, gold, logits):
    n, classes = logits.shape
    probabilities = scipy.special.softmax(logits, axis=1)
    predicted = probabilities.argmax(axis=1)
    p, r, f, support = metrics.precision_recall_fscore_support(gold, predicted, labels=range(classes), zero_division=0)
    out = {
        "name": name, "classes": classes, "gold": gold.tolist(), "predicted": predicted.tolist(),
        "logits": logits.ravel().tolist(), "probabilities": probabilities.ravel().tolist(),
        "confusion": metrics.confusion_matrix(gold, predicted, labels=range(classes)).ravel().tolist(),
        "precision": p.tolist(), "recall": r.tolist(), "f1": f.tolist(), "support": support.tolist(),
        "macro": averages(gold, predicted, "macro"), "micro": averages(gold, predicted, "micro"),
        "mcc": float(metrics.matthews_corrcoef(gold, predicted)), "nll": nll(gold, logits),
        "log_loss": float(metrics.log_loss(gold, probabilities, labels=range(classes))),
        "temperature": temperature(gold, logits),
        "calibration_error": {str(bins): calibration_error(gold, probabilities, bins) for bins in (1, 10, 15)},
    }
    if len(set(gold.tolist())) == classes:  # else scikit-learn has no number for it
        out["auc"] = auc(gold, probabilities, classes)
    return out


def cases():
    out = [
        case("binary", *drawn(1, 2, 40)),
        case("binary, worse than chance", *drawn(2, 2, 25, strength=-0.4)),
        case("three classes", *drawn(3, 3, 60)),
        case("six classes", *drawn(4, 6, 80, strength=2)),
        case("a class never predicted", *drawn(5, 3, 40, never_predicted=[1])),
        case("a class never gold", *drawn(6, 4, 40, never_gold=[2])),
        case("a class neither gold nor predicted", *drawn(7, 4, 40, never_gold=[0], never_predicted=[0])),
        case("always the same prediction", *drawn(8, 3, 30, never_predicted=[0, 2])),
        case("ties in scores", *drawn(9, 2, 50, rounded=0)),
        case("ties in scores of three", *drawn(10, 3, 50, rounded=0)),
        case("overconfident", *(lambda g, z: (g, 4 * z))(*drawn(11, 5, 60))),
    ]
    return out


def ranks():
    """Binary scores with many ties, of any sign."""
    rng = np.random.default_rng(12)
    out = []
    for values in (2, 3, 7, 1000):
        scores = rng.integers(values, size=30) / 4 - 1
        gold = (rng.random(30) + scores / values > 0.5).astype(int)
        out.append({"gold": gold.tolist(), "scores": scores.tolist(), "auc": float(metrics.roc_auc_score(gold, scores))})
    return out


def texts():
    """Lines as the metrics over text see them: scores in per cent, Matthews' as it is."""
    rng = np.random.default_rng(13)
    names = np.array(["pos", "neg", "neutral", "läuft", "New York"])
    out = []
    for classes, n in ((2, 20), (3, 30), (5, 40)):
        gold, predicted = names[rng.integers(classes, size=n)], names[rng.integers(classes, size=n)]
        predicted = np.where(rng.random(n) < 0.5, gold, predicted)
        out.append({"gold": gold.tolist(), "predicted": predicted.tolist(),
                    "macro_f1": 100 * metrics.f1_score(gold, predicted, average="macro", zero_division=0),
                    "micro_f1": 100 * metrics.f1_score(gold, predicted, average="micro", zero_division=0),
                    "mcc": float(metrics.matthews_corrcoef(gold, predicted)),
                    "accuracy": 100 * metrics.accuracy_score(gold, predicted)})
    return out


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../tests/golden/metrics/labels.json")
    out = {"cases": cases(), "ranks": ranks(), "texts": texts()}
    with open(path, "w", encoding="utf-8") as f:
        f.write(f'{{\n"scikit-learn": "{sklearn.__version__}"')
        for key, rows in out.items():  # one case per line, so that a change can be read
            body = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
            f.write(f',\n"{key}": [\n{body}\n]')
        f.write("\n}\n")
    print(f"{path}: {len(out['cases'])} cases", file=sys.stderr)


if __name__ == "__main__":
    main()
