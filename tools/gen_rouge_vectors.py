#!/usr/bin/env python3
"""Records what rouge_score and NLTK's stemmer say about texts made here: tests/golden/metrics/rouge.json.

usage: gen_rouge_vectors.py [OUT.json]      needs rouge-score, nltk; same output every time for the same versions
"""
import importlib.metadata
import json
import os
import random
import sys

from nltk.stem.porter import PorterStemmer
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.scoring import Score

TYPES = ["rouge1", "rouge2", "rouge9", "rougeL", "rougeLsum"]
WORDS = ("the a of and was police Police officers said saying says flood floods flooded flooding river rivers' town's "
         "evacuated evacuation evacuees 1,000 3.5 2024 2nd e-mail well-known don't it's U.S. NASA's running ran runs "
         "happily happiness relational skies dying news sized agreed hopping hoping falling national generously "
         "Straße café naïve Ünal İzmir ΟΔΟΣ 東京 ½ x² 10% $5 – … “so” a_b C++ ab1ing 11ed K").split()
ROOTS = ("relat condit valen hesit digit conform radic differ vile analog vietnam predic operat feud decis hope call "
         "formal sensit sensib triplic form electr reviv allow infer airlin gyroscop adjust defens irrit replac depend "
         "adopt homolog commun activ angular effect bowdl prob rat ceas contr roll hop tann fall hiss fizz fail fil "
         "happ sk fl cr d l t sp agr pl bl mot conflat troubl siz geo theo archaeo philo play enjoy boy say try dry "
         "syzyg rhyth yell ey y oy qu lying tie gener nation logic art box show snow e ab us ing").split()
SUFFIXES = ("|s|es|ies|sses|ss|ed|eed|ied|ing|ying|y|ly|ational|tional|enci|anci|izer|bli|abli|alli|ally|entli|eli|ely|"
            "ousli|ization|ation|ator|alism|iveness|fulness|ousness|aliti|iviti|biliti|fulli|logi|logy|icate|ative|alize|"
            "iciti|ical|ful|ness|al|ance|ence|er|ic|able|ible|ant|ement|ment|ent|sion|tion|ion|ou|ism|ate|iti|ous|ive|"
            "ize|e|ll|lle|rationalli").split("|")
IRREGULAR = ("sky skies dying lying tying news inning innings outing outings canning cannings howe proceed exceed "
             "succeed proceeds exceeded succeeding skied").split()


def stems():
    rng = random.Random(1)
    words = set(IRREGULAR) | {r + s for r in ROOTS for s in rng.sample(SUFFIXES, 24)}
    for letters in ("aeyblst", "abeilnosty", "dinguzy", "aeioubcdfghjklmnpqrstvwxyz0123456789"):
        for _ in range(120):
            word = "".join(rng.choice(letters) for _ in range(rng.randint(1, 7)))
            words.add(word + rng.choice(SUFFIXES))
    stemmer = PorterStemmer()
    return [[w, stemmer.stem(w)] for w in sorted(words) if w]


def sentence(rng):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 12))) + rng.choice(["", ".", " .", "!"])


def summary(rng):
    return "\n".join(sentence(rng) for _ in range(rng.randint(1, 4)))


def disturbed(rng, text):
    """As a middling system would write it: sentences in another order, words changed, left out, said twice."""
    lines = text.split("\n")
    if rng.random() < 0.5:
        rng.shuffle(lines)
    if rng.random() < 0.2:
        lines.append(rng.choice(lines))
    out = []
    for line in lines:
        words = line.split(" ")
        for _ in range(rng.randint(0, 5)):
            at = rng.randrange(len(words) + 1)
            what = rng.randrange(4)
            if what == 0:
                words.insert(at, rng.choice(WORDS))
            elif what == 1:
                del words[at:at + rng.randint(1, 3)]
            elif what == 2:
                words.insert(at, rng.choice(words) if words else "the")
            else:
                words = words[at:] + words[:at]
        out.append(" ".join(words))
    return "\n".join(out)


def pairs():
    rng = random.Random(2)
    out = [("", [""]), ("", ["a"]), ("a", [""]), (" .!\n… ", ["東京"]), ("a b", ["a b", ""]), ("\n\na\n", ["a\n\n"]),
           ("a", ["a"]), ("The cat", ["the CAT sat"]), ("a b c", ["c b a", "a c b", "b"]), ("a a a a", ["a a b"]),
           ("a b\na b", ["a b"]), ("a b", ["a b\na b"]), ("a b c d e", ["a x c y e\nb d", "e d c b a"]),
           ("w1 w2 w3 w4 w5", ["w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5"]), ("w1 w2 w3 w4 w5\nw1 w3 w8 w9 w5", ["w1 w2 w3 w4 w5"]),
           ("b a", ["a b"]), ("a\nb", ["a b"]), ("it's John's", ["its Johns", "it s John s"]),
           ("running dies skies", ["runs died sky"]), ("İİ K", ["i i k"]),
           ("1 2 3 4 5 6 7 8 9 10 11 12", ["0 1 2 3 4 5 6 7 8 9 11 12"])]
    for k in range(130):
        text = summary(rng)
        references = [text] + [disturbed(rng, text) for _ in range(k % 3)]
        rng.shuffle(references)
        out.append((disturbed(rng, text), references))
    return out


def scored(scorer, hypothesis, references):
    """score_multi by hand: rougeLsum is a plain 0 where a side has no words, which score_multi cannot take."""
    each = [scorer.score(r, hypothesis) for r in references]
    each = [{k: v or Score(0.0, 0.0, 0.0) for k, v in e.items()} for e in each]
    out = {k: max((e[k] for e in each), key=lambda s: s.fmeasure) for k in TYPES}
    try:
        assert out == scorer.score_multi(references, hypothesis)
    except AttributeError:
        pass
    return {k: [float(s.precision), float(s.recall), float(s.fmeasure)] for k, s in out.items()}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../tests/golden/metrics/rouge.json")
    plain, stemming = RougeScorer(TYPES), RougeScorer(TYPES, use_stemmer=True)
    segments = [{"hyp": h, "refs": r, "plain": scored(plain, h, r), "stem": scored(stemming, h, r)}
                for h, r in pairs()]
    out = {"segments": segments, "stems": stems()}
    with open(path, "w", encoding="utf-8") as f:
        f.write(f'{{\n"rouge_score": "{importlib.metadata.version("rouge-score")}",\n'
                f'"nltk": "{importlib.metadata.version("nltk")}"')
        for key, rows in out.items():  # one case per line, so that a change can be read
            body = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
            f.write(f',\n"{key}": [\n{body}\n]')
        f.write("\n}\n")
    print(f"{path}: {len(segments)} segments, {len(out['stems'])} stems", file=sys.stderr)


if __name__ == "__main__":
    main()
