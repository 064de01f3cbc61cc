#!/usr/bin/env python3
"""The logistic regression of `lookback baseline` beside scikit-learn's on the same features: words, and pairs of
neighbours, by how often a text has them.

    .venv/quality/bin/python bench/quality/classify_logistic.py --data DIR [--sets sst2 sst5 trec] [--out FILE.json]

DIR has the folders `sst` and `trec`. The accuracies, on the test sets, are to differ by 0.3 at most: what is minimised
is the same, and strictly convex but for the bias. Ends with 1 where they do not.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

import classify_data
import machine

BOUND = 0.3


def features(text):
    words = classify_data.words(text)
    return words + [" ".join(pair) for pair in zip(words, words[1:])]  # no word has a space


def theirs(name, data):
    train, _, test = classify_data.read_set(name, data)
    vectorizer = CountVectorizer(analyzer=features)
    x = vectorizer.fit_transform(text for text, _ in train)
    model = LogisticRegression(C=1.0, solver="newton-cg", tol=1e-8, max_iter=10_000).fit(x, [label for _, label in train])
    return classify_data.accuracy(list(model.predict(vectorizer.transform(text for text, _ in test))),
                                  [label for _, label in test])


def ours(program, name, data):
    said = subprocess.run([program, "baseline", classify_data.recipe(name), "--data", classify_data.folder(name, data),
                           "--threads", "1"], check=True, capture_output=True, text=True).stdout
    return float(re.search(r"^logistic regression, data\.test\naccuracy (\S+)", said, re.MULTILINE)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(classify_data.ROOT / "build/release/lookback"))
    parser.add_argument("--data", required=True, metavar="DIR")
    parser.add_argument("--sets", nargs="+", choices=classify_data.SETS, default=list(classify_data.SETS))
    parser.add_argument("--out", metavar="FILE", help="write the rows there, as JSON")
    args = parser.parse_args()
    program = str(pathlib.Path(args.program).resolve())
    env, rows = machine.environment(program), []
    print("| set | lookback | scikit-learn | difference |\n|---|---|---|---|")
    for name in args.sets:
        row = {"set": name, "ours": ours(program, name, args.data), "theirs": theirs(name, args.data)}
        row["difference"] = row["ours"] - row["theirs"]
        rows.append(row)
        print(f"| {name} | {row['ours']:.2f} | {row['theirs']:.2f} | {row['difference']:+.2f} |", flush=True)
    print(f"\n{machine.in_words(env)}.")
    if args.out:
        pathlib.Path(args.out).write_text(json.dumps({"environment": env, "bound": BOUND, "rows": rows}, indent=1) + "\n")
    sys.exit(any(abs(row["difference"]) > BOUND for row in rows))


if __name__ == "__main__":
    main()
