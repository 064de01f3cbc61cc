#!/usr/bin/env python3
"""Records a small fastText model and the vectors that fastText has for words, known to it or not:
tests/golden/data/fasttext.bin and fasttext.txt.

usage: gen_word_vectors.py [FOLDER]      needs fasttext (or fasttext-wheel); same output every time for the same versions

Lines of fasttext.txt: a word, then its vector, each value as the hexadecimal digits of its 32 bits.
"""
import itertools
import os
import struct
import sys
import tempfile

import fasttext

SYLLABLES = ["ka", "lo", "mi", "été", "ß", "да", "中", "x"]
UNSEEN = ["kalomika", "миß", "y", "xy", "Ωmega", "a-much-longer-word"]


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "tests", "golden", "data")
    os.makedirs(folder, exist_ok=True)
    words = ["".join(pair) for pair in itertools.product(SYLLABLES, repeat=2)][::2]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as corpus:
        for k in range(200):
            corpus.write(" ".join(words[(k * 7 + j * j) % len(words)] for j in range(8)) + "\n")
        corpus.flush()
        model = fasttext.train_unsupervised(corpus.name, model="skipgram", dim=5, bucket=97, minn=1, maxn=4,
                                            minCount=1, epoch=2, thread=1, verbose=0)
    path = os.path.join(folder, "fasttext.bin")
    model.save_model(path)
    with open(os.path.join(folder, "fasttext.txt"), "w", encoding="utf-8") as out:
        for word in model.get_words() + UNSEEN:
            bits = (struct.pack(">f", value).hex() for value in model.get_word_vector(word))
            out.write(f"{word} {' '.join(bits)}\n")


if __name__ == "__main__":
    main()
