#!/usr/bin/env python3
"""A plain, careful pointer-generator in PyTorch (See et al. 2017), for subject lines of e-mails (AESLC).

    summarise_torch.py --data DIR [--minutes M | --epochs E] [--seed N] [--threads N] [--no-copy] [--coverage]
                       [--NAME VALUE...] [--limit N] [--dev-only] [--out LINES.txt] [--json FILE] [--save MODEL.pt]

DIR has {train,dev,test}.jsonl.gz, lines with "body" and "subject". Words are runs of letters and digits or single
signs, in lower case; a body is cut to its first 400. The minutes count from before the data is read, but not the start
of Python, and have room for the last validation, which is the overlap (F1 of words) of greedy subjects with the true
ones on a sample of the validation part; the best weights stay. --out has one line of words for each e-mail, found by a
beam that writes neither <unk> nor an empty line. ROUGE is left to `lookback metric`; where the package rouge_score is
there, its own is in the line of JSON too, without stemming.
"""

import dataclasses
import json
import pathlib
import random
from collections import namedtuple

import torch
from torch import nn

import seq_data
import seq_torch
from classify_torch import bucketed
from seq_data import BEGIN, END, PAD, UNKNOWN

TINY = 1e-12  # of a probability, before its logarithm


@dataclasses.dataclass
class Options(seq_torch.Training):
    vocabulary: int = 20_000  # specials included; of sources and targets
    source_limit: int = 400
    embedding: int = 128
    hidden: int = 256  # of the decoder, and of each direction of the encoder
    attention: int = 256
    copy: bool = True
    coverage: bool = False  # a score that sees the sum of the weights before, and a loss against looking twice
    coverage_from: float = 0.75  # that loss counts after this share of the training; before it would disturb
    dropout: float = 0.3  # of embeddings and of what the output reads
    smoothing: float = 0.1  # of labels, in what the vocabulary gives
    beam: int = 4
    max_length: int = 20
    length_power: float = 1.0  # a finished hypothesis counts by its log probability over its length to this power
    block_trigrams: bool = False
    valid_examples: int = 500


Memory = namedtuple("Memory", "states keys mask extended")  # [B, S, 2 hidden], [B, S, attention], [B, S], [B, S]
Batch = namedtuple("Batch", "source lengths extended unknown target")


class PointerGenerator(nn.Module):
    """The output's second weights are the embedding, and its bias begins at the frequencies of target words."""

    def __init__(self, vocabulary, options=Options(), counts=None, packed=True):
        super().__init__()
        o = self.options = options
        self.embedding = nn.Embedding(vocabulary, o.embedding, padding_idx=PAD)
        self.encoder = seq_torch.Encoder(o.embedding, o.hidden, packed=packed)
        self.first = nn.ModuleList(nn.Linear(2 * o.hidden, o.hidden) for _ in "hc")
        self.cell = seq_torch.begin_lstm(nn.LSTMCell(o.embedding + 2 * o.hidden, o.hidden))
        self.key = nn.Linear(2 * o.hidden, o.attention)
        self.query = nn.Linear(o.hidden, o.attention, bias=False)
        self.energy = nn.Linear(o.attention, 1, bias=False)
        self.covered = nn.Linear(1, o.attention, bias=False) if o.coverage else None
        self.readout = nn.Linear(3 * o.hidden, o.embedding)
        self.output = nn.Linear(o.embedding, vocabulary)
        self.gate = nn.Linear(3 * o.hidden + o.embedding, 1) if o.copy else None
        self.dropout = nn.Dropout(o.dropout)
        nn.init.normal_(self.embedding.weight, std=0.1)
        nn.init.zeros_(self.embedding.weight[PAD])
        self.output.weight = self.embedding.weight
        nn.init.zeros_(self.output.bias)
        if counts is not None:
            seq_torch.begin_output(self.output, counts)

    def encode(self, source, lengths, extended):
        """The memory, and the decoder's first state: h, c, context [B, 2 hidden], weights so far [B, S]."""
        (states,), ends = self.encoder(self.dropout(self.embedding(source)), lengths)
        h, c = (torch.relu(first(end)) for first, end in zip(self.first, ends))
        mask = source != PAD
        state = h, c, torch.zeros_like(states[:, 0]), torch.zeros_like(states[:, :, 0])
        return Memory(states, self.key(states), mask, extended), state

    def step(self, words, state, memory):
        """words [B] -> the next state, and what the output reads: embedding, h, context and weights [B, S]."""
        h, c, context, so_far = state
        x = self.dropout(self.embedding(words.masked_fill(words >= self.embedding.num_embeddings, UNKNOWN)))
        h, c = self.cell(torch.cat([x, context], 1), (h, c))
        keys = memory.keys + self.query(h).unsqueeze(1)
        if self.covered:
            keys = keys + self.covered(so_far.unsqueeze(2))
        energies = self.energy(torch.tanh(keys)).squeeze(2).masked_fill(~memory.mask, float("-inf"))
        weights = torch.softmax(energies, 1)
        context = torch.bmm(weights.unsqueeze(1), memory.states).squeeze(1)
        return (h, c, context, so_far + weights), (x, h, context, weights)

    def read(self, x, h, context):
        """Logits of the vocabulary, and that of generating rather than copying [..., 1]."""
        seen = torch.cat([h, context], -1)
        return self.output(self.dropout(self.readout(seen))), self.gate(torch.cat([x, seen], -1)) if self.gate else None

    def forward(self, source, lengths, extended, target, cover=0.0):
        """source and extended [B, S], target [B, T] (extended, END last) -> mean loss of a target word."""
        memory, state = self.encode(source, lengths, extended)
        kept, seen, twice = target != PAD, [], []
        for t in range(target.shape[1]):
            so_far, words = state[3], target[:, t - 1] if t else torch.full_like(target[:, 0], BEGIN)
            state, parts = self.step(words, state, memory)
            seen.append(parts)
            if cover:
                twice.append(torch.minimum(parts[3], so_far).sum(1))
        x, h, context, weights = (torch.stack(part, 1) for part in zip(*seen))
        logits, gate = self.read(x, h, context)
        logs = torch.log_softmax(logits, -1)
        size, smoothing = logits.shape[-1], self.options.smoothing if self.training else 0.0
        right = logs.gather(2, target.clamp(max=size - 1).unsqueeze(2)).squeeze(2)
        if self.gate:
            gate = gate.squeeze(2)
            right = right.masked_fill(target >= size, float("-inf")) + nn.functional.logsigmoid(gate)
            copied = (weights * (extended.unsqueeze(1) == target.unsqueeze(2))).sum(2)
            right = torch.logaddexp(right, (copied + TINY).log() + nn.functional.logsigmoid(-gate))
        loss = -(1 - smoothing) * right - smoothing * logs.mean(2)
        if cover:
            loss = loss + cover * torch.stack(twice, 1)
        return (loss * kept).sum() / kept.sum()

    def probabilities(self, parts, extended, first, extra):
        """Of the vocabulary and `extra` words of the source [B, size + extra]; nothing begins with END."""
        x, h, context, weights = parts
        logits, gate = self.read(x, h, context)
        p = torch.softmax(logits, -1)
        if self.gate:
            generate = torch.sigmoid(gate)
            p = nn.functional.pad(p * generate, (0, extra)).scatter_add(1, extended, weights * (1 - generate))
        p[:, [PAD, UNKNOWN, BEGIN] + [END] * first] = 0
        return p


class Pairs:
    """Texts as numbers. Unknown words have numbers of their own in each source, behind the vocabulary."""

    def __init__(self, pairs, vocabulary, copy):
        self.pairs, self.vocabulary = pairs, vocabulary
        self.rows = []
        for source, target in pairs:
            unknown = {}
            extended = vocabulary.extended(source or ["<unk>"], unknown, learn=True)
            self.rows.append((extended, list(unknown), vocabulary.extended(target, unknown if copy else {}) + [END]))
        self.lengths = [len(extended) for extended, _, _ in self.rows]

    def batch(self, chosen):
        extended, unknown, target = zip(*(self.rows[k] for k in chosen))
        extended, lengths = seq_torch.padded(extended)
        source = extended.masked_fill(extended >= len(self.vocabulary), UNKNOWN)
        return Batch(source, lengths, extended, unknown, seq_torch.padded(target)[0])

    def batches(self, size, rng):
        return bucketed(self.lengths, size, rng)

    def by_length(self, chosen, size):
        order = sorted(chosen, key=lambda k: self.lengths[k])
        return [order[k:k + size] for k in range(0, len(order), size)]

    def counts(self):
        """Of the words of targets that the vocabulary has."""
        size = len(self.vocabulary)
        ids = torch.tensor([w for _, _, target in self.rows for w in target if w < size])
        return torch.bincount(ids, minlength=size)

    def text(self, ids, unknown):
        known = self.vocabulary.words
        return [known[w] if w < len(known) else unknown[w - len(known)] for w in ids]


def extra_words(batch):
    return max(len(words) for words in batch.unknown)


def greedy(model, batch, length, stop=True):
    """The likeliest word, step by step [B, T]."""
    memory, state = model.encode(batch.source, batch.lengths, batch.extended)
    words, out = torch.full_like(batch.lengths, BEGIN), []
    done, extra = words == END, extra_words(batch)
    while len(out) < length and not (stop and bool(done.all())):
        state, parts = model.step(words, state, memory)
        words = model.probabilities(parts, memory.extended, not out, extra).argmax(1)
        done = done | (words == END)
        out.append(words)
    return torch.stack(out, 1)


def has_trigram_twice(words):
    return len(words) > 3 and tuple(words[-3:]) in zip(words[:-3], words[1:-2], words[2:-1])


def beam_search(model, batch, o):
    """Lists of ids without END: of each source the best of the first `beam` finished, or of those at the limit."""
    count, beam, extra = len(batch.source), o.beam, extra_words(batch)
    memory, state = model.encode(batch.source, batch.lengths, batch.extended)
    memory = Memory(*(part.repeat_interleave(beam, 0) for part in memory))
    state = tuple(part.repeat_interleave(beam, 0) for part in state)
    words = torch.full((count * beam,), BEGIN)
    scores = torch.tensor([0.0] + [float("-inf")] * (beam - 1)).repeat(count)
    texts, finished = [[]] * (count * beam), [[] for _ in range(count)]
    for length in range(1, o.max_length + 1):
        state, parts = model.step(words, state, memory)
        logs = model.probabilities(parts, memory.extended, length == 1, extra).log() + scores.unsqueeze(1)
        best, at = logs.view(count, -1).topk((4 if o.block_trigrams else 2) * beam, 1)
        rows = []
        for k in range(count):
            kept = []
            for rank, (score, place) in enumerate(zip(best[k].tolist(), at[k].tolist())):
                row, word = k * beam + place // logs.shape[1], place % logs.shape[1]
                text = texts[row] + [word]
                if score == float("-inf") or len(kept) == beam or (o.block_trigrams and has_trigram_twice(text)):
                    continue
                if word != END:
                    kept.append((row, word, score, text))
                elif rank < beam:
                    finished[k].append((score / length**o.length_power, texts[row]))
            if len(finished[k]) >= beam:
                kept = []
            elif length == o.max_length and not finished[k]:
                finished[k] = [(score, text) for _, _, score, text in kept]
            rows += kept + [(k * beam, END, float("-inf"), [])] * (beam - len(kept))
        chosen, words, scores, texts = zip(*rows)
        if max(scores) == float("-inf"):
            break
        words, scores, chosen = torch.tensor(words), torch.tensor(scores), torch.tensor(chosen)
        state = tuple(part[chosen] for part in state)
    return [max(found, key=lambda f: f[0])[1] if found else [] for found in finished]


def until_end(ids):
    return ids[:ids.index(END)] if END in ids else ids


def predict(model, pairs, chosen, o, beam=True):
    """The words that the model writes for each of the chosen pairs."""
    out = {}
    with torch.inference_mode():
        for part in pairs.by_length(chosen, 16 if beam else 64):
            batch = pairs.batch(part)
            if beam and o.beam > 1:
                found = beam_search(model, batch, o)
            else:
                found = [until_end(ids) for ids in greedy(model, batch, o.max_length).tolist()]
            out |= {k: pairs.text(ids, unknown) for k, ids, unknown in zip(part, found, batch.unknown)}
    return [out[k] for k in chosen]


def train_pairs(args, data, valid, score):
    """The best model and its history. score: (words written, words wanted) -> what is to be high on average."""
    o, rng = args.options, random.Random(args.seed)
    model = PointerGenerator(len(data.vocabulary), o, data.counts())
    chosen = seq_data.some(range(len(valid.pairs)), o.valid_examples)

    def loss_of(model, batch, progress):
        batch = data.batch(batch)
        cover = float(o.coverage and progress >= o.coverage_from)
        return model(batch.source, batch.lengths, batch.extended, batch.target, cover)

    def validate(model):
        written = predict(model, valid, chosen, o, beam=False)
        return 100 * sum(score(w, valid.pairs[k][1]) for w, k in zip(written, chosen)) / len(chosen)

    return seq_torch.train(model, o, args.clock, lambda: data.batches(o.batch, rng), loss_of, validate, args.say)


def read(path, o, limit):
    rows = [json.loads(line) for line in seq_data.lines(path)][:limit]
    return [(seq_data.words(row["body"])[:o.source_limit], seq_data.words(row["subject"])) for row in rows]


def rouge(written, wanted):
    """Mean F of ROUGE-1, -2 and -L in percent, where the package is there."""
    try:
        from rouge_score import rouge_scorer
    except ImportError:
        return None
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"])
    scores = [scorer.score(" ".join(b), " ".join(a)) for a, b in zip(written, wanted)]
    return {name: 100 * sum(s[name].fmeasure for s in scores) / len(scores) for name in scores[0]}


def main():
    args = seq_torch.arguments(__doc__, Options(), minutes=30)
    o = args.options
    train, valid = (read(args.data / f"{part}.jsonl.gz", o, args.limit) for part in ("train", "dev"))
    vocabulary = seq_data.Vocabulary((text for pair in train for text in pair), o.vocabulary)
    data, valid = (Pairs(pairs, vocabulary, o.copy) for pairs in (train, valid))
    model, history = train_pairs(args, data, valid, seq_data.overlap)
    result = seq_torch.so_far(args, model, history)
    result |= {"measure": "overlap of greedy words, in percent", "vocabulary": len(vocabulary)}
    part = valid if args.dev_only else Pairs(read(args.data / "test.jsonl.gz", o, args.limit), vocabulary, o.copy)
    written = predict(model, part, range(len(part.pairs)), o)
    wanted = [target for _, target in part.pairs]
    overlaps = list(map(seq_data.overlap, written, wanted))
    scores = {"overlap": 100 * sum(overlaps) / len(overlaps)} | (rouge(written, wanted) or {})
    result["dev" if args.dev_only else "test"] = scores
    if args.out:
        pathlib.Path(args.out).write_text("".join(" ".join(words) + "\n" for words in written), encoding="utf-8")
    seq_torch.report(args, model, result, vocabulary=vocabulary.words)


if __name__ == "__main__":
    main()
