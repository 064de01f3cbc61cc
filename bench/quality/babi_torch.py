#!/usr/bin/env python3
"""A plain, careful memory network in PyTorch, for the 20 bAbI tasks at once (after Sukhbaatar et al. 2015).

    babi_torch.py --data DIR [--minutes M | --epochs E] [--seed N] [--threads N] [--NAME VALUE...] [--limit N]
                  [--dev-only] [--out ANSWERS.txt] [--json FILE] [--save MODEL.pt]

DIR has qa{1..20}_{train,valid,test}.txt.gz: `en-valid`, with about 900 questions of training a task. One model learns
all tasks and is not told which it has. A BiLSTM encodes each sentence of the story before a question, and the
question; three hops attend to the sentences, with keys and values of their own (the values of a hop are the keys of
the next) and an embedding of how many sentences ago each was. An answer is one class, also where it is a list. The
minutes count from before the data is read, but not the start of Python, and have room for the last validation; the
weights of the best mean accuracy stay. --out has one answer a line, task after task. The scores are error rates in
percent of each task, their mean, and how many tasks fail by the usual measure: more than 5 % of errors. --limit is of
a task.
"""

import dataclasses
import pathlib
import random
from collections import Counter, namedtuple

import torch
from torch import nn

import seq_data
import seq_torch
from classify_torch import bucketed
from seq_data import PAD

TASKS = range(1, 21)
FAILED = 5.0  # percent of errors


@dataclasses.dataclass
class Options(seq_torch.Training):
    lr: float = 2e-3
    embedding: int = 64
    hidden: int = 64  # of the sentences' LSTM, in each direction
    memory: int = 128  # width of keys, values and queries
    hops: int = 3
    sentences: int = 130  # the last so many of a story are read
    dropout: float = 0.1
    noise: float = 0.1  # share of empty places between the sentences of training, so that times are not learnt by heart


Question = namedtuple("Question", "task story words answer")
Batch = namedtuple("Batch", "sentences lengths story ago question question_lengths")


def read(folder, part, options, limit):
    out = []
    for task in TASKS:
        questions, story = [], []
        for line in seq_data.lines(folder / f"qa{task}_{part}.txt.gz"):
            number, _, text = line.partition(" ")
            story = [] if number == "1" else story
            if "\t" in text:
                question, answer = text.split("\t")[:2]
                questions.append(Question(task, story[-options.sentences:], seq_data.words(question), answer.strip()))
            else:
                story.append(tuple(seq_data.words(text)))
        out += questions[:limit]
    return out


class MemoryNetwork(nn.Module):
    def __init__(self, vocabulary, classes, options=Options(), counts=None):
        super().__init__()
        o = self.options = options
        self.embedding = nn.Embedding(vocabulary, o.embedding, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, std=0.1)
        nn.init.zeros_(self.embedding.weight[PAD])
        self.encoder = seq_torch.Encoder(o.embedding, o.hidden)
        self.asked = nn.Linear(2 * o.hidden, o.memory)
        self.stored = nn.ModuleList(nn.Linear(2 * o.hidden, o.memory) for _ in range(o.hops + 1))
        self.time = nn.ModuleList(nn.Embedding(2 * o.sentences, o.memory) for _ in range(o.hops + 1))
        for table in self.time:
            nn.init.normal_(table.weight, std=0.1)
        self.again = nn.Linear(o.memory, o.memory)
        self.output = nn.Linear(o.memory, classes)
        self.dropout = nn.Dropout(o.dropout)
        if counts is not None:
            seq_torch.begin_output(self.output, counts)

    def encode(self, ids, lengths):
        """Sentences [N, L] -> [N, 2 hidden]."""
        return self.dropout(self.encoder(self.dropout(self.embedding(ids)), lengths)[1][0])

    def forward(self, sentences, lengths, story, ago, question, question_lengths):
        """sentences [N, L] are the distinct ones of the batch; story [B, S] says which a story has (-1: none), and ago
        [B, S] how long before the question -> logits [B, classes]."""
        mask = story >= 0
        known = self.encode(sentences, lengths)
        slots = [nn.functional.embedding(story.clamp(min=0), stored(known)) + time(ago)
                 for stored, time in zip(self.stored, self.time)]
        query = self.asked(self.encode(question, question_lengths))
        for keys, values in zip(slots, slots[1:]):
            energies = torch.bmm(keys, query.unsqueeze(2)).squeeze(2).masked_fill(~mask, float("-inf"))
            seen = torch.bmm(torch.softmax(energies, 1).unsqueeze(1), values).squeeze(1)
            query = self.again(query) + seen
        return self.output(self.dropout(query))


class Data:
    """Questions as numbers; each sentence once."""

    def __init__(self, questions, vocabulary, classes, options):
        self.questions, self.options = questions, options
        numbers = {}
        self.stories = [[numbers.setdefault(s, len(numbers)) for s in q.story] for q in questions]
        self.sentences = [vocabulary.encode(s) for s in numbers]
        self.asked = [vocabulary.encode(q.words) for q in questions]
        self.answers = torch.tensor([classes.get(q.answer, -1) for q in questions])
        self.lengths = [len(s) for s in self.stories]
        if not all(self.lengths):
            raise SystemExit("babi_torch: a question has no story before it")

    def batch(self, chosen, training=False):
        distinct = sorted({s for k in chosen for s in self.stories[k]})
        place = {s: k for k, s in enumerate(distinct)}
        stories = [torch.tensor([place[s] for s in self.stories[k]]) for k in chosen]
        story = nn.utils.rnn.pad_sequence(stories, batch_first=True, padding_value=-1)
        ago = torch.tensor([self.lengths[k] for k in chosen]).unsqueeze(1) - 1 - torch.arange(story.shape[1])
        ago = ago.clamp(min=0)
        if training:
            gaps = torch.rand(story.shape) < self.options.noise
            ago = (ago + (gaps & (story >= 0)).flip(1).cumsum(1).flip(1)).clamp(max=2 * self.options.sentences - 1)
        return Batch(*seq_torch.padded(self.sentences[s] for s in distinct), story, ago,
                     *seq_torch.padded(self.asked[k] for k in chosen))


def predict(model, data):
    """The class of each question's answer."""
    order = sorted(range(len(data.stories)), key=lambda k: data.lengths[k])
    out = torch.empty(len(order), dtype=torch.long)
    with torch.inference_mode():
        for begin in range(0, len(order), 128):
            part = order[begin:begin + 128]
            out[part] = model(*data.batch(part)).argmax(1)
    return out


def errors(predicted, data):
    """Percent of each task."""
    wrong, asked = Counter(), Counter(q.task for q in data.questions)
    for q, right in zip(data.questions, (predicted == data.answers).tolist()):
        wrong[q.task] += not right
    return {task: 100 * wrong[task] / n for task, n in sorted(asked.items())}


def mean(values):
    return sum(values) / len(values)


def main():
    args = seq_torch.arguments(__doc__, Options(), minutes=15)
    o, rng = args.options, random.Random(args.seed)
    train, valid = (read(args.data, part, o, args.limit) for part in ("train", "valid"))
    vocabulary = seq_data.Vocabulary(text for q in train for text in (*q.story, q.words))
    names = sorted({q.answer for q in train})
    classes = {answer: k for k, answer in enumerate(names)}
    data, valid = (Data(questions, vocabulary, classes, o) for questions in (train, valid))
    counts = torch.bincount(data.answers, minlength=len(names))

    def loss_of(model, chosen, progress):
        return nn.functional.cross_entropy(model(*data.batch(chosen, training=True)), data.answers[chosen])

    def validate(model):
        return 100 - mean(errors(predict(model, valid), valid).values())

    model = MemoryNetwork(len(vocabulary), len(names), o, counts)
    model, history = seq_torch.train(model, o, args.clock, lambda: bucketed(data.lengths, o.batch, rng), loss_of,
                                     validate, args.say)
    result = seq_torch.so_far(args, model, history)
    result |= {"measure": "mean accuracy in percent", "vocabulary": len(vocabulary), "classes": len(names)}
    part = valid if args.dev_only else Data(read(args.data, "test", o, args.limit), vocabulary, classes, o)
    predicted = predict(model, part)
    each = errors(predicted, part)
    result["dev" if args.dev_only else "test"] = {"mean_error": mean(each.values()), "tasks": each,
                                                  "failed": sum(e > FAILED for e in each.values())}
    if args.out:
        pathlib.Path(args.out).write_text("".join(f"{names[k]}\n" for k in predicted.tolist()), encoding="utf-8")
    seq_torch.report(args, model, result, vocabulary=vocabulary.words, answers=names)


if __name__ == "__main__":
    main()
