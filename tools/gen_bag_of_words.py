#!/usr/bin/env python3
"""Records what scikit-learn's naive Bayes and logistic regression learn from sentences made here:
tests/golden/model/bag_of_words.txt.

usage: gen_bag_of_words.py [OUT.txt]      needs scikit-learn; same output every time for the same versions

Lines of the file: "train LABEL2 LABEL3 WORDS...", "test WORDS..."; then for each "case METHOD VALUES FEATURES CLASSES C"
a line "p" with the probabilities of each sentence, those of train first, and of logistic regression "bias" and a line
"weight FEATURE" for each feature, a pair as first+second, with a number for each row of its coefficients.
"""
import itertools
import os
import sys

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB

TRAIN = [  # good or bad; film, book or meal
    (1, 0, "a warm film with a warm heart"), (0, 0, "the film is long and the jokes are not funny"),
    (1, 1, "this book is a joy to read"), (0, 1, "not a book to read twice"),
    (1, 2, "the soup was warm and the bread was fresh"), (0, 2, "cold soup , cold bread , cold waiter"),
    (1, 0, "funny from start to end"), (0, 0, "from start to end it is not funny , not once"),
    (1, 1, "read it twice , and laugh twice"), (0, 2, "the waiter was long gone when the meal was cold"),
    (1, 2, "a meal to remember"), (0, 1, "the end of the book is cold")]
TEST = ["a funny book", "not fresh , not warm", "unknown words only", "", "the waiter read the film twice twice twice"]


def features(pairs):
    def analyse(text):
        words = text.split()
        return words + (["+".join(p) for p in zip(words, words[1:])] if pairs else [])
    return analyse


def numbers(values):
    return " ".join(repr(float(v)) for v in values)


def case(method, values, names, classes, strength):
    texts = [t for *_, t in TRAIN]
    labels = [row[0 if classes == 2 else 1] for row in TRAIN]
    vectorizer = CountVectorizer(analyzer=features(names == "bigrams"), binary=values == "binary")
    x = vectorizer.fit_transform(texts).astype(float)
    if method == "bayes":
        model = MultinomialNB(alpha=strength)
    else:
        model = LogisticRegression(C=strength, solver="newton-cg", tol=1e-12, max_iter=100000)
    model.fit(x, labels)
    out = [f"case {method} {values} {names} {classes} {strength}"]
    out += [f"p {numbers(p)}" for p in model.predict_proba(vectorizer.transform(texts + TEST))]
    if method == "logistic":
        out.append(f"bias {numbers(model.intercept_)}")
        columns = sorted(vectorizer.vocabulary_.items())
        out += [f"weight {name} {numbers(model.coef_[:, column])}" for name, column in columns]
    return out


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../tests/golden/model/bag_of_words.txt")
    lines = [f"train {a} {b} {text}" for a, b, text in TRAIN] + [f"test {text}".strip() for text in TEST]
    for values, names, classes in itertools.product(("counted", "binary"), ("words", "bigrams"), (2, 3)):
        lines += case("bayes", values, names, classes, 1.0)
    lines += case("bayes", "counted", "bigrams", 3, 0.1)
    for values, names, classes, strength in (("counted", "bigrams", 2, 1.0), ("counted", "words", 3, 1.0),
                                             ("binary", "bigrams", 3, 1.0), ("counted", "words", 2, 10.0)):
        lines += case("logistic", values, names, classes, strength)
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
