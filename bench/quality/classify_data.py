"""The data sets of the comparison, read as lookback reads them."""

import hashlib
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# Of each set: its recipe, its folder in the data folder, and the files of train, validation and test. Without a file
# validation is VALID_SHARE of train.
SETS = {
    "sst2": ("classify-sst2", "sst", "stsa.binary.train.txt", "stsa.binary.dev.txt", "stsa.binary.test.txt"),
    "sst5": ("classify-sst5", "sst", "stsa.fine.train.txt", "stsa.fine.dev.txt", "stsa.fine.test.txt"),
    "trec": ("classify-trec", "trec", "TREC.train.all.txt", None, "TREC.test.all.txt"),
}
VALID_SHARE = 0.1
# What lookback calls white space; str.split() knows four characters more.
SPACE = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")


def recipe(name):
    return ROOT / "recipes" / f"{SETS[name][0]}.toml"


def folder(name, data):
    return pathlib.Path(data) / SETS[name][1]


def words(text):
    return [w for w in SPACE.split(text) if w]


def read_rows(path):
    """(text, label) of each line, which begins with the label."""
    with open(path, encoding="utf-8", newline="\n") as lines:
        cut = [line.rstrip("\r\n").lstrip(" \t").partition(" ") for line in lines]
    return [(text.lstrip(" \t"), label) for label, _, text in cut]


def hash_of(text, label):
    """A number in [0, 1) that decides which part a row belongs to: 52 bits of SHA-256 of its cells, a line each."""
    return int(hashlib.sha256(f"{text}\n{label}\n".encode()).hexdigest()[:13], 16) / 2**52


def read_set(name, data):
    """The rows of train, validation and test; for `data.valid = "10 %"` the same ones that lookback takes."""
    _, _, train, valid, test = SETS[name]
    place = folder(name, data)
    rows = read_rows(place / train)
    if valid:
        return rows, read_rows(place / valid), read_rows(place / test)
    chosen = [hash_of(*row) < VALID_SHARE for row in rows]
    return ([row for row, c in zip(rows, chosen) if not c], [row for row, c in zip(rows, chosen) if c],
            read_rows(place / test))


def accuracy(predicted, labels):
    """In percent."""
    if len(predicted) != len(labels):
        raise ValueError(f"{len(predicted)} predictions for {len(labels)} labels")
    return 100 * sum(p == t for p, t in zip(predicted, labels)) / len(labels)
