#!/usr/bin/env python3
"""A plain, careful text classifier in PyTorch: a bidirectional LSTM and attention pooling with a learnt query.

    classify_torch.py --set sst2|sst5|trec --data DIR [--minutes M] [--seed N] [--threads N]
                      [--pooling attention|last|mean] [--with NAME=VALUE...] [--dev-only]
                      [--out LABELS.txt] [--json FILE] [--save MODEL.pt]
    classify_torch.py --predict MODEL.pt --in FILE --out LABELS.txt [--threads N]

DIR has the folders `sst` and `trec`. Training goes on until the minutes are over, which count from before the data is
read, but not the start of Python; validation after each epoch, and once more at the end, picks the weights that stay.
OPTIONS were chosen by validation accuracy alone.
"""

import argparse
import copy
import dataclasses
import json
import pathlib
import random
import sys
import time
from collections import Counter

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import classify_data

PAD, UNKNOWN = 0, 1
EMBEDDING, HIDDEN = 300, 150  # HIDDEN units in each direction


@dataclasses.dataclass
class Options:
    dropout: float = 0.5
    word_dropout: float = 0.1
    min_count: int = 2
    batch: int = 32
    lr: float = 1e-3
    weight_decay: float = 0.0
    smoothing: float = 0.1
    ema: float = 0.995  # decay of an average of the weights, which is what is validated and kept; 0: the weights themselves
    embedding_std: float = 0.06


OPTIONS = {
    "sst2": Options(),
    "sst5": Options(),
    "trec": Options(min_count=1, batch=64, lr=2e-3, ema=0.99),
}


class Classifier(nn.Module):
    def __init__(self, vocabulary, classes, pooling="attention", options=Options(), packed=True):
        super().__init__()
        self.pooling, self.packed = pooling, packed
        self.embedding = nn.Embedding(vocabulary, EMBEDDING, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, std=options.embedding_std)
        self.lstm = nn.LSTM(EMBEDDING, HIDDEN, batch_first=True, bidirectional=True)
        self.project = nn.Linear(2 * HIDDEN, 2 * HIDDEN)
        self.query = nn.Linear(2 * HIDDEN, 1, bias=False)
        self.dropout = nn.Dropout(options.dropout)
        self.output = nn.Linear(2 * HIDDEN, classes)

    def forward(self, ids, lengths):
        """ids [B, T], lengths [B] -> logits [B, classes]."""
        x = self.dropout(self.embedding(ids))
        if self.packed:
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            states, (last, _) = self.lstm(packed)
            states, _ = pad_packed_sequence(states, batch_first=True)
        else:  # for measuring speed: the backward direction reads the padding first
            states, (last, _) = self.lstm(x)
        mask = (ids != PAD).unsqueeze(2)
        return self.output(self.dropout(self.pool(states, last, mask, lengths)))

    def pool(self, states, last, mask, lengths):
        if self.pooling == "last":
            return torch.cat([last[0], last[1]], dim=1)
        if self.pooling == "mean":
            return (states * mask).sum(1) / lengths.unsqueeze(1)
        energies = self.query(torch.tanh(self.project(states))).masked_fill(~mask, float("-inf"))
        return (torch.softmax(energies, dim=1) * states).sum(1)


def learn_vocabulary(texts, min_count):
    counts = Counter(w for text in texts for w in text)
    kept = [w for w, n in counts.most_common() if n >= min_count]
    return {w: k for k, w in enumerate(["<pad>", "<unk>", *kept])}


def encode(text, vocabulary):
    """One unknown word at least: packing wants no empty sequence."""
    return torch.tensor([vocabulary.get(w, UNKNOWN) for w in text] or [UNKNOWN])


def bucketed(lengths, batch, rng, window=100):
    """An epoch of batches of like length: shuffled, sorted within windows, cut, and the batches shuffled."""
    order = list(range(len(lengths)))
    rng.shuffle(order)
    batches = []
    for begin in range(0, len(order), window * batch):
        part = sorted(order[begin:begin + window * batch], key=lambda k: lengths[k])
        batches += [part[k:k + batch] for k in range(0, len(part), batch)]
    rng.shuffle(batches)
    return batches


def collate(encoded, batch):
    texts = [encoded[k] for k in batch]
    return pad_sequence(texts, batch_first=True, padding_value=PAD), torch.tensor([len(t) for t in texts])


def predict(model, encoded, batch=64):
    """The class of each text; sorted by length on the way."""
    order = sorted(range(len(encoded)), key=lambda k: len(encoded[k]))
    out = torch.empty(len(encoded), dtype=torch.long)
    model.eval()
    with torch.inference_mode():
        for begin in range(0, len(order), batch):
            part = order[begin:begin + batch]
            out[part] = model(*collate(encoded, part)).argmax(1)
    return out.tolist()


def drop_words(ids, share):
    """Some words become unknown."""
    return torch.where((torch.rand(ids.shape) < share) & (ids != PAD), UNKNOWN, ids)


def make_optimizer(model, options):
    """Adam, where nothing decays the weights."""
    return torch.optim.AdamW(model.parameters(), lr=options.lr, weight_decay=options.weight_decay, fused=True)


def step(model, optimizer, ids, lengths, labels, options):
    loss = nn.functional.cross_entropy(model(drop_words(ids, options.word_dropout), lengths), labels,
                                       label_smoothing=options.smoothing)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


class Data:
    """A set, as numbers."""

    def __init__(self, name, folder, min_count):
        train, valid, test = classify_data.read_set(name, folder)
        self.vocabulary = learn_vocabulary([classify_data.words(text) for text, _ in train], min_count)
        self.labels = sorted({label for _, label in train})
        self.train, self.valid, self.test = (self.texts(rows) for rows in (train, valid, test))
        self.classes = torch.tensor([self.labels.index(label) for _, label in train])
        self.valid_labels, self.test_labels = ([label for _, label in rows] for rows in (valid, test))

    def texts(self, rows):
        return [encode(classify_data.words(text), self.vocabulary) for text, _ in rows]

    def named(self, classes):
        return [self.labels[c] for c in classes]


def train(data, options, pooling, seed, deadline):
    """The best model by validation accuracy, and a list of (epoch, accuracy)."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    model = Classifier(len(data.vocabulary), len(data.labels), pooling, options)
    optimizer = make_optimizer(model, options)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(options.ema)) if options.ema else None
    judged = average.module if average else model
    lengths = [len(t) for t in data.train]
    best, kept, history, over = -1.0, None, [], False
    while not over:
        model.train()
        for batch in bucketed(lengths, options.batch, rng):
            step(model, optimizer, *collate(data.train, batch), data.classes[batch], options)
            if average:
                average.update_parameters(model)
            over = time.monotonic() > deadline
            if over:
                break
        accuracy = classify_data.accuracy(data.named(predict(judged, data.valid)), data.valid_labels)
        history.append((len(history) + 1, accuracy))
        if accuracy > best:
            best, kept = accuracy, copy.deepcopy(judged.state_dict())
    judged.load_state_dict(kept)
    return judged, history


def run_training(args, options):
    begin = time.monotonic()
    data = Data(args.set, args.data, options.min_count)
    model, history = train(data, options, args.pooling, args.seed, begin + 60 * args.minutes)
    result = {"set": args.set, "seed": args.seed, "pooling": args.pooling, "options": dataclasses.asdict(options),
              "seconds": time.monotonic() - begin, "epochs": len(history), "dev": max(a for _, a in history),
              "best_epoch": max(history, key=lambda h: h[1])[0], "train": len(data.train), "valid": len(data.valid)}
    if not args.dev_only:
        labels = data.named(predict(model, data.test))
        result["test"] = classify_data.accuracy(labels, data.test_labels)
        if args.out:
            pathlib.Path(args.out).write_text("".join(f"{label}\n" for label in labels))
    if args.save:
        torch.save({"weights": model.state_dict(), "vocabulary": data.vocabulary, "labels": data.labels,
                    "pooling": args.pooling}, args.save)
    text = json.dumps(result)
    print(text)
    if args.json:
        pathlib.Path(args.json).write_text(text + "\n")


def run_prediction(args):
    saved = torch.load(args.predict, weights_only=True)
    model = Classifier(len(saved["vocabulary"]), len(saved["labels"]), saved["pooling"])
    model.load_state_dict(saved["weights"])
    with open(args.input, encoding="utf-8", newline="\n") as lines:
        encoded = [encode(classify_data.words(line), saved["vocabulary"]) for line in lines]
    with open(args.out, "w", encoding="utf-8") as out:
        out.writelines(f"{saved['labels'][c]}\n" for c in predict(model, encoded))


def with_changes(options, changes):
    """Options with NAME=VALUE for some of them."""
    types = {f.name: f.type for f in dataclasses.fields(options)}
    pairs = dict(change.split("=", 1) for change in changes)
    unknown = pairs.keys() - types.keys()
    if unknown:
        sys.exit(f"classify_torch: no option {', '.join(sorted(unknown))}; there are {', '.join(types)}")
    return dataclasses.replace(options, **{name: types[name](value) for name, value in pairs.items()})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=classify_data.SETS)
    parser.add_argument("--data", metavar="DIR")
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pooling", choices=("attention", "last", "mean"), default="attention")
    parser.add_argument("--with", dest="changes", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--dev-only", action="store_true", help="leave the test set alone")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--save", metavar="FILE")
    parser.add_argument("--predict", metavar="MODEL.pt")
    parser.add_argument("--in", dest="input", metavar="FILE")
    parser.add_argument("--out", metavar="FILE")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)  # Adam's moments of rare words become denormal, and slow
    if args.predict:
        if not (args.input and args.out):
            parser.error("--predict needs --in and --out")
        return run_prediction(args)
    if not (args.set and args.data):
        parser.error("training needs --set and --data")
    run_training(args, with_changes(OPTIONS[args.set], args.changes))


if __name__ == "__main__":
    main()
