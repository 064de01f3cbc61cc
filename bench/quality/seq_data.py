"""What the peers of summarising, answering and dialogue read with: words, vocabularies, overlaps."""

import gzip
import re
from collections import Counter

PAD, UNKNOWN, BEGIN, END = range(4)
SPECIALS = ("<pad>", "<unk>", "<s>", "</s>")
WORD = re.compile(r"\w+|[^\w\s]")


def words(text):
    """Runs of letters and digits, and every other sign by itself, in lower case."""
    return WORD.findall(text.lower())


def lines(path):
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        for line in file:
            yield line.rstrip("\r\n")


def some(items, count):
    """So many of them, evenly spread; all, if there are fewer."""
    return items if len(items) <= count else [items[k * len(items) // count] for k in range(count)]


class Vocabulary:
    """The most frequent words behind the specials, `size` with these; of equally frequent ones those seen first."""

    def __init__(self, texts, size=None, min_count=1):
        counts = Counter(w for text in texts for w in text if w not in SPECIALS)
        most = counts.most_common(size - len(SPECIALS) if size else None)
        self.words = [*SPECIALS, *(w for w, n in most if n >= min_count)]
        self.ids = {w: k for k, w in enumerate(self.words)}

    def __len__(self):
        return len(self.words)

    def encode(self, text):
        return [self.ids.get(w, UNKNOWN) for w in text]

    def extended(self, text, unknown, learn=False):
        """Ids; a word that only `unknown` has gets one behind the vocabulary. learn: it takes up unknown words."""
        out = []
        for w in text:
            if learn and w not in self.ids:
                unknown.setdefault(w, len(unknown))
            out.append(self.ids.get(w, len(self.words) + unknown[w] if w in unknown else UNKNOWN))
        return out


def overlap(predicted, wanted):
    """F1 of the words of two texts as bags: 0 to 1."""
    both = sum((Counter(predicted) & Counter(wanted)).values())
    return 2 * both / (len(predicted) + len(wanted)) if both else 0.0
