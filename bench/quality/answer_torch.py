#!/usr/bin/env python3
"""A plain, careful document reader in PyTorch (DrQA's, Chen et al. 2017), for questions whose answer is a span
(SQuAD).

    answer_torch.py --data DIR [--minutes M | --epochs E] [--seed N] [--threads N] [--NAME VALUE...] [--limit N]
                    [--dev-only] [--out ANSWERS.json] [--json FILE] [--save MODEL.pt]

DIR has {train,dev,test}.json.gz in SQuAD's format. A word of the paragraph is read as its embedding, the question's
embeddings aligned with it by attention, and whether the question has it as it is written or in lower case; embeddings
are learnt from nothing, and lemmas, tags and named entities, which need other models, are left out. Of several
annotators' answers each step of training takes one by lot. The minutes count from before the data is read, but not the
start of Python, and have room for the last validation; the weights of the best F1 stay. --out is an object of answers
by id. EM and F1 are those of SQuAD's own evaluation: the best over the annotators, without case, punctuation and
articles.
"""

import dataclasses
import gzip
import json
import pathlib
import random
import re
import string
from collections import namedtuple

import torch
from torch import nn

import seq_data
import seq_torch
from classify_torch import bucketed
from seq_data import PAD


@dataclasses.dataclass
class Options(seq_torch.Training):
    lr: float = 2e-3
    min_count: int = 2  # of a word; rarer ones are unknown, and so the unknown word is learnt
    embedding: int = 128
    hidden: int = 128  # in each direction
    layers: int = 3
    dropout: float = 0.4  # of embeddings, between the layers and of what is read from them
    longest: int = 15  # words of an answer
    clip: float = 10.0


Paragraph = namedtuple("Paragraph", "text places words")  # places: of each word where it begins and ends in the text
Question = namedtuple("Question", "id paragraph words spans answers")  # spans: first and last word of each answer
Batch = namedtuple("Batch", "context lengths same question question_lengths")


def split(text):
    """Words as they are written, and their places."""
    found = list(seq_data.WORD.finditer(text))
    return [m.group() for m in found], [m.span() for m in found]


def lower(words):
    return [w.lower() for w in words]


def words_of(places, begin, end):
    """The first and the last word that characters [begin, end) touch, or None."""
    inside = [k for k, (a, b) in enumerate(places) if a < end and b > begin]
    return (inside[0], inside[-1]) if inside else None


def read(path, limit):
    out = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        articles = json.load(file)["data"]
    for row in (paragraph for article in articles for paragraph in article["paragraphs"]):
        words, places = split(row["context"])
        paragraph = Paragraph(row["context"], places, words)
        for q in row["qas"]:
            spans = [words_of(places, a["answer_start"], a["answer_start"] + len(a["text"])) for a in q["answers"]]
            out.append(Question(q["id"], paragraph, split(q["question"])[0] or ["?"], [s for s in spans if s],
                                [a["text"] for a in q["answers"]]))
    return out[:limit]


def plain(text):
    """Lower case, no punctuation, no articles, single spaces."""
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def scores(answers, questions):
    """EM and F1 in percent. answers: id -> text."""
    exact = [max(plain(answers[q.id]) == plain(a) for a in q.answers) for q in questions]
    f1 = [max(seq_data.overlap(plain(answers[q.id]), plain(a)) for a in q.answers) for q in questions]
    return {"em": 100 * sum(exact) / len(questions), "f1": 100 * sum(f1) / len(questions)}


class Reader(nn.Module):
    def __init__(self, vocabulary, options=Options()):
        super().__init__()
        o, wide = options, 2 * options.hidden * options.layers  # the outputs of all layers count
        self.embedding = nn.Embedding(vocabulary, o.embedding, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, std=0.1)
        nn.init.zeros_(self.embedding.weight[PAD])
        self.align = nn.Linear(o.embedding, o.embedding)
        self.context = seq_torch.Encoder(2 * o.embedding + 2, o.hidden, o.layers, o.dropout)
        self.question = seq_torch.Encoder(o.embedding, o.hidden, o.layers, o.dropout)
        self.weigh = nn.Linear(wide, 1)
        self.start, self.end = nn.Linear(wide, wide, bias=False), nn.Linear(wide, wide, bias=False)
        self.dropout = nn.Dropout(o.dropout)

    def aligned(self, context, question, mask):
        """Embeddings of the question [B, S, E], weighed by how like they are to each word of the context."""
        a, b = torch.relu(self.align(context)), torch.relu(self.align(question))
        likeness = torch.bmm(a, b.transpose(1, 2)).masked_fill(~mask.unsqueeze(1), float("-inf"))
        return torch.bmm(torch.softmax(likeness, 2), question)

    def forward(self, context, lengths, same, question, question_lengths):
        """context [B, S], same [B, S, 2], question [B, Q] -> log probabilities of start and end, [B, S] each."""
        mask, question_mask = context != PAD, question != PAD
        x, q = self.dropout(self.embedding(context)), self.dropout(self.embedding(question))
        states, _ = self.context(torch.cat([x, self.aligned(x, q, question_mask), same], 2), lengths)
        states = self.dropout(torch.cat(states, 2))
        asked, _ = self.question(q, question_lengths)
        asked = self.dropout(torch.cat(asked, 2))
        weights = torch.softmax(self.weigh(asked).squeeze(2).masked_fill(~question_mask, float("-inf")), 1)
        asked = torch.bmm(weights.unsqueeze(1), asked).squeeze(1)
        return [torch.bmm(states, score(asked).unsqueeze(2)).squeeze(2).masked_fill(~mask, float("-inf")).log_softmax(1)
                for score in (self.start, self.end)]


class Data:
    """Questions as numbers."""

    def __init__(self, questions, vocabulary):
        self.questions, self.rows, read = questions, [], {}
        for q in questions:
            key = id(q.paragraph)
            if key not in read:
                read[key] = vocabulary.encode(lower(q.paragraph.words))
            written, lowered = set(q.words), set(lower(q.words))
            same = [[w in written, w.lower() in lowered] for w in q.paragraph.words]
            self.rows.append((read[key], torch.tensor(same, dtype=torch.float), vocabulary.encode(lower(q.words))))
        self.lengths = [len(context) for context, _, _ in self.rows]

    def batch(self, chosen):
        context, same, question = zip(*(self.rows[k] for k in chosen))
        same = nn.utils.rnn.pad_sequence(same, batch_first=True)
        return Batch(*seq_torch.padded(context), same, *seq_torch.padded(question))

    def targets(self, chosen, rng):
        """The first and the last words of answers: [B] each."""
        return [torch.tensor(side) for side in zip(*(rng.choice(self.questions[k].spans) for k in chosen))]


def best_spans(start, end, longest):
    """The likeliest (first, last) of each row, of `longest` words at most."""
    sums = start.unsqueeze(2) + end.unsqueeze(1)
    allowed = torch.ones(sums.shape[1:], dtype=torch.bool).triu().tril(longest - 1)
    at = sums.masked_fill(~allowed, float("-inf")).flatten(1).argmax(1)
    return list(zip((at // sums.shape[1]).tolist(), (at % sums.shape[1]).tolist()))


def predict(model, data, options):
    """Question id -> the text of its answer."""
    order = sorted(range(len(data.rows)), key=lambda k: data.lengths[k])
    out = {}
    with torch.inference_mode():
        for begin in range(0, len(order), 32):
            part = order[begin:begin + 32]
            for k, (first, last) in zip(part, best_spans(*model(*data.batch(part)), options.longest)):
                paragraph = data.questions[k].paragraph
                out[data.questions[k].id] = paragraph.text[paragraph.places[first][0]:paragraph.places[last][1]]
    return out


def main():
    args = seq_torch.arguments(__doc__, Options(), minutes=30)
    o, rng = args.options, random.Random(args.seed)
    train, valid = (read(args.data / f"{part}.json.gz", args.limit) for part in ("train", "dev"))
    train = [q for q in train if q.spans]
    paragraphs = {id(q.paragraph): q.paragraph for q in train}.values()
    texts = [*(lower(p.words) for p in paragraphs), *(lower(q.words) for q in train)]
    vocabulary = seq_data.Vocabulary(texts, min_count=o.min_count)
    data, valid = Data(train, vocabulary), Data(valid, vocabulary)

    def loss_of(model, chosen, progress):
        start, end = model(*data.batch(chosen))
        first, last = data.targets(chosen, rng)
        return nn.functional.nll_loss(start, first) + nn.functional.nll_loss(end, last)

    def validate(model):
        return scores(predict(model, valid, o), valid.questions)["f1"]

    model, history = seq_torch.train(Reader(len(vocabulary), o), o, args.clock,
                                     lambda: bucketed(data.lengths, o.batch, rng), loss_of, validate, args.say)
    result = seq_torch.so_far(args, model, history) | {"measure": "F1", "vocabulary": len(vocabulary)}
    part = valid if args.dev_only else Data(read(args.data / "test.json.gz", args.limit), vocabulary)
    answers = predict(model, part, o)
    result["dev" if args.dev_only else "test"] = scores(answers, part.questions)
    if args.out:
        pathlib.Path(args.out).write_text(json.dumps(answers, ensure_ascii=False) + "\n", encoding="utf-8")
    seq_torch.report(args, model, result, vocabulary=vocabulary.words)


if __name__ == "__main__":
    main()
