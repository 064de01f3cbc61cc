#!/usr/bin/env python3
"""Records exact match and F1, as SQuAD's scripts compute them, of answers made here: tests/golden/metrics/answers.json.

usage: gen_answer_metrics.py [OUT.json] [--score ANSWERS.json PREDICTIONS.json]

Needs nothing. The formulas are those of evaluate-v1.1.py and evaluate-v2.0.py. With --score it prints the figures of
1.1 for a file of questions and one of predictions, plain or .gz, and records nothing: questions that have no prediction
are left out.
"""
import collections
import gzip
import json
import os
import random
import re
import string
import sys

WORDS = ("the The a an AN A in of 1990 1,000 3.5 Paris paris, (Paris) Washington, D.C. U.S. Denver Broncos New York "
         "don't theatre other's the-end “the” the… a_b 50% $5 C++ Zürich São a\u0301 á été ΟΔΟΣ 東京 a\u00a0b \u2019s the\u2019 "
         "½ x² a½ ¿qué? İstanbul anthem another Ana ı K. © a©the №a aⅧ").split(" ")


def normalized(text):
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def f1(answer, gold, empty_agree):
    a, g = normalized(answer).split(), normalized(gold).split()
    if empty_agree and (not a or not g):
        return float(a == g)
    same = sum((collections.Counter(a) & collections.Counter(g)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(a), same / len(g)
    return 2 * precision * recall / (precision + recall)


def exact(answer, gold):
    return float(normalized(answer) == normalized(gold))


def version_1(answer, references):
    return {"exact": max(exact(answer, g) for g in references), "f1": max(f1(answer, g, False) for g in references)}


def version_2(answer, references):
    references = [g for g in references if normalized(g)] or [""]
    return {"exact": max(exact(answer, g) for g in references), "f1": max(f1(answer, g, True) for g in references)}


def answers():
    rng = random.Random(4)
    out = [("", [""]), ("a", [""]), ("x", [""]), ("", ["x"]), ("the", ["a", "an"]), ("", ["x", ""]), ("x", ["", "x", "y"]),
           (".", ["!", "x"]), ("the cat", ["a cat!"]), ("cat the", ["Cat"]), ("x y", ["y x"]), ("x x y", ["x y y", "x"]),
           ("  x \t y ", ["x y"]), ("theatre", ["the atre", "atre"]), ("a-b", ["ab", "a b"]), ("1,000", ["1000", "1 000"]),
           ("an apple a day", ["apple day"]), ("the_the", ["thethe", "the the"]), ("A.", [""]), ("x", ["y", "z"])]
    for k in range(200):
        gold = " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 6)))
        references, hypothesis = [gold], gold.split(" ")
        for _ in range(k % 4):
            words = gold.split(" ")
            words[rng.randrange(len(words))] = rng.choice(WORDS)
            references.append(" ".join(words))
        for _ in range(rng.randint(0, 3)):
            hypothesis.insert(rng.randrange(len(hypothesis) + 1), rng.choice(WORDS))
        if rng.random() < 0.5:
            hypothesis = hypothesis[rng.randrange(len(hypothesis)):]
        out.append((" ".join(hypothesis), references))
    return out


def load(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as f:
        return json.load(f)


def print_scores(questions, predictions):
    predictions = load(predictions)
    scores = [version_1(predictions[qa["id"]], [a["text"] for a in qa["answers"]])
              for article in load(questions)["data"] for paragraph in article["paragraphs"] for qa in paragraph["qas"]
              if qa["id"] in predictions]
    for key in ("exact", "f1"):
        print(key, 100 * sum(s[key] for s in scores) / len(scores), "of", len(scores))


def main():
    if "--score" in sys.argv:
        return print_scores(*sys.argv[sys.argv.index("--score") + 1:])
    here = os.path.dirname(os.path.abspath(__file__))
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../tests/golden/metrics/answers.json")
    rows = [{"hyp": h, "refs": r, "normalized": normalized(h), "v1": version_1(h, r), "v2": version_2(h, r)}
            for h, r in answers()]
    with open(path, "w", encoding="utf-8") as f:  # one case per line, so that a change can be read
        body = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
        f.write(f'{{\n"answers": [\n{body}\n]\n}}\n')
    print(f"{path}: {len(rows)} answers", file=sys.stderr)


if __name__ == "__main__":
    main()
