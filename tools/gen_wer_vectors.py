#!/usr/bin/env python3
"""Records what jiwer says about sentences made here: tests/golden/metrics/wer.json.

usage: gen_wer_vectors.py [OUT.json]      needs jiwer; same output every time for the same versions
"""
import importlib.metadata
import json
import os
import random
import sys

import jiwer

WORDS = ("the a cat dog house tree runs sleeps under over quickly green old small it's don't straße für été "
         "naïve 学校 東京 кот собака 3.14 Monday end").split()


def disturbed(rng, words):
    """The words as a middling recogniser would write them."""
    words = list(words)
    for _ in range(rng.randint(0, 5)):
        at = rng.randrange(len(words)) if words else 0
        what = rng.randrange(6)
        if what == 0:
            del words[at:at + rng.randint(1, 4)]
        elif what == 1:
            words.insert(at, rng.choice(WORDS))
        elif what == 2 and words:
            words[at] = rng.choice(WORDS)
        elif what == 3 and words:
            words[at] = words[at][:-1] + rng.choice("aest")
        elif what == 4 and words:
            words[at:at] = words[max(0, at - rng.randint(1, 3)):at] * rng.randint(1, 3)
        elif what == 5:
            words[at:at + 2] = ["".join(words[at:at + 2])] if words else []
    return words


def pairs():
    """(hypothesis, reference)"""
    out = [("", "a b"), ("a b", ""), ("", ""), ("a", "a"), ("b", "a"), ("a b c d", "b c d e"), ("a a a a", "a b a"),
           ("the chats is sat", "the cat sat"), ("c b a", "a b c"), ("a b b b b c", "a b c"), ("a f", "a b c d e f")]
    rng = random.Random(20240611)
    for k in range(160):
        reference = [rng.choice(WORDS[:3 if k % 4 == 0 else len(WORDS)]) for _ in range(rng.randint(1, 18))]
        out.append((" ".join(disturbed(rng, reference)), " ".join(reference)))
    return out


def optimal_alignments(h, r):
    """How many alignments have the fewest errors."""
    best = {}
    for i in range(len(r) + 1):
        for j in range(len(h) + 1):
            ways = [(0, 1)] if i == j == 0 else []
            if i and j:
                ways.append((best[i - 1, j - 1][0] + (r[i - 1] != h[j - 1]), best[i - 1, j - 1][1]))
            if i:
                ways.append((best[i - 1, j][0] + 1, best[i - 1, j][1]))
            if j:
                ways.append((best[i, j - 1][0] + 1, best[i, j - 1][1]))
            least = min(cost for cost, _ in ways)
            best[i, j] = (least, sum(n for cost, n in ways if cost == least))
    return best[len(r), len(h)][1]


def counts(out):
    return [out.hits, out.substitutions, out.deletions, out.insertions]


def text(out):
    """The lines of the alignment without the heading, or nothing."""
    shown = jiwer.visualize_alignment(out, show_measures=False).split("\n")
    return [line.rstrip(" ") for line in shown[2:5]]


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../tests/golden/metrics/wer.json")
    rows = []
    for h, r in pairs():
        words, characters = jiwer.process_words(r, h), jiwer.process_characters(r, h)
        rows.append({"hyp": h, "ref": r, "words": counts(words), "chars": counts(characters),
                     "alignments": optimal_alignments(h.split(), r.split()), "text": text(words)})
    hypotheses, references = [row["hyp"] for row in rows], [row["ref"] for row in rows]
    head = {"jiwer": importlib.metadata.version("jiwer"), "rapidfuzz": importlib.metadata.version("rapidfuzz"),
            "wer": jiwer.wer(references, hypotheses), "cer": jiwer.cer(references, hypotheses)}
    with open(path, "w", encoding="utf-8") as f:
        f.write("{\n" + "".join(f"{json.dumps(k)}: {json.dumps(v)},\n" for k, v in head.items()))
        body = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
        f.write(f'"segments": [\n{body}\n]\n}}\n')
    print(f"{path}: {len(rows)} segments, {sum(row['alignments'] == 1 for row in rows)} of one alignment",
          file=sys.stderr)


if __name__ == "__main__":
    main()
