#!/usr/bin/env python3
"""Records what KenLM learns from sentences made here: tests/golden/model/ngram.txt.

usage: gen_ngram.py LMPLZ [OUT.txt]      LMPLZ: KenLM's program lmplz; needs its Python module, built with MAX_ORDER=8
                                         same output every time for the same versions

Lines of the file: "train WORDS...", "test WORDS..."; then for each "case UNIT ORDER" (a sentence is its words, or its
characters, "_" for a space) "sizes" and "discounts", the number of n-grams and D1 D2 D3+ of each order, "perplexity" of
the test sentences with and without unknown words, and for each of them "p LOG10 UNKNOWN", its log10 probability with
</s> and how many of its words are unknown.

lmplz takes its discounts from numbers of n-grams in which the last n-gram of each order, in its own sorting, has its
count instead of its adjusted count. The last training sentence has a new last word, of which both are 1.
"""
import itertools
import os
import random
import re
import subprocess
import sys
import tempfile

import kenlm

CONSONANTS, VOWELS = "bdfgklmnprst", "aeiou"


def words(rng, count):
    syllables = [c + v for c in CONSONANTS for v in VOWELS]
    out = set()
    while len(out) < count:
        out.add("".join(rng.choice(syllables) for _ in range(rng.choice([1, 2, 2, 3]))))
    out = sorted(out)
    rng.shuffle(out)
    return out


class Grammar:
    """Noun phrases and verbs, each kind of word as frequent as Zipf has it."""

    def __init__(self, rng):
        self.rng = rng
        every = words(rng, 330)
        self.kinds = {"noun": every[:180], "verb": every[180:260], "adjective": every[260:310], "name": every[310:]}

    def word(self, kind):
        listed = self.kinds[kind]
        return self.rng.choices(listed, weights=[1 / (rank + 1) for rank in range(len(listed))])[0]

    def noun_phrase(self):
        if self.rng.random() < 0.2:
            return [self.word("name")]
        out = [self.rng.choice(["the", "the", "a"])]
        while self.rng.random() < 0.3:
            out.append(self.word("adjective"))
        out.append(self.word("noun"))
        return out + (["of"] + self.noun_phrase() if self.rng.random() < 0.2 else [])

    def sentence(self):
        out = self.noun_phrase() + [self.word("verb")]
        if self.rng.random() < 0.7:
            out += self.noun_phrase()
        return out + (["and"] + self.sentence() if self.rng.random() < 0.15 else ["."])


def spaced(sentence, unit):
    return " ".join(sentence) if unit == "words" else " ".join("_".join(sentence))


def case(lmplz, unit, order, train, test):
    with tempfile.TemporaryDirectory() as folder:
        text, arpa = os.path.join(folder, "text"), os.path.join(folder, "lm.arpa")
        with open(text, "w") as f:
            f.writelines(spaced(s, unit) + "\n" for s in train)
        run = subprocess.run([lmplz, "-o", str(order), "--discount_fallback", "-S", "100M", "-T", folder, "--text", text,
                              "--arpa", arpa], check=True, capture_output=True, text=True)
        model = kenlm.Model(arpa)
    statistics = re.findall(r"^\d+ (\d+) D1=(\S+) D2=(\S+) D3\+=(\S+)$", run.stderr, re.M)
    assert len(statistics) == order, run.stderr
    scored = [list(model.full_scores(spaced(s, unit))) for s in test]
    tokens = list(itertools.chain(*scored))
    known = [t for t in tokens if not t[2]]
    perplexity = [10 ** (-sum(t[0] for t in group) / len(group)) for group in (tokens, known)]
    out = [f"case {unit} {order}",
           "sizes " + " ".join(s[0] for s in statistics),  # of one word with <unk> and <s>
           "discounts " + " ".join(" ".join(s[1:]) for s in statistics),
           "perplexity " + " ".join(f"{p:.8g}" for p in perplexity)]
    out += [f"p {sum(t[0] for t in s):.8g} {sum(t[2] for t in s)}" for s in scored]
    return out


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    lmplz = sys.argv[1]
    path = sys.argv[2] if len(sys.argv) > 2 else os.path.join(here, "../tests/golden/model/ngram.txt")
    grammar = Grammar(random.Random(1))
    train = [grammar.sentence() for _ in range(900)]
    train[100] = []
    train.append(grammar.sentence() + ["z"])
    test = [grammar.sentence() for _ in range(60)]
    test += [[], ["the"], ["xylophone"], ["xylophone", "quartet", "."], train[0], train[1] + train[2]]
    lines = [" ".join(["train"] + s) for s in train] + [" ".join(["test"] + s) for s in test]
    for unit, order in (("words", 2), ("words", 3), ("words", 5), ("characters", 4), ("characters", 8)):
        lines += case(lmplz, unit, order, train, test)
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(line + "\n" for line in lines)
    print(f"{path}: {len(lines)} lines", file=sys.stderr)


if __name__ == "__main__":
    main()
