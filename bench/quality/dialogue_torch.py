#!/usr/bin/env python3
"""A plain, careful sequence-to-sequence model in PyTorch, with attention and copying, for task-oriented dialogue: task
5 of dialog bAbI, and 6, which is DSTC2.

    dialogue_torch.py --data DIR --task 5|6 [--minutes M | --epochs E] [--seed N] [--threads N] [--no-copy]
                      [--NAME VALUE...] [--limit N] [--dev-only] [--out LINES.txt] [--json FILE] [--save MODEL.pt]

DIR has dialog-babi-task{5,6}{trn,dev,tst}.txt.gz, and tst-OOV of task 5. The model is that of summarise_torch.py. Its
source is all that came before a response, or the last 500 words of that: utterances and facts of the knowledge base,
each behind a mark of what it is. Words are what stands between spaces, as it is. The minutes count from before the
data is read, but not the start of Python, and have room for the last validation; the weights with the most right
responses on a sample of the validation part stay. A response is right when all its words are, a dialogue when all its
responses are; what came before is always the true history. --out has one response a line, and a file of the same name
with .OOV behind it those of tst-OOV. --limit is of dialogues.
"""

import dataclasses
import pathlib

import seq_data
import seq_torch
import summarise_torch

USER, BOT, FACT = "<user>", "<bot>", "<fact>"


@dataclasses.dataclass
class Options(summarise_torch.Options):
    vocabulary: int = 20_000  # more than there are: all words of training
    source_limit: int = 500  # the last so many words
    smoothing: float = 0.0
    beam: int = 1
    max_length: int = 40
    valid_examples: int = 500


def read(path, options, limit):
    """Pairs of (history, response), and of each the number of its dialogue."""
    pairs, dialogues, history, number = [], [], [], -1
    for line in seq_data.lines(path):
        if not line.strip():
            continue
        place, _, text = line.partition(" ")
        if place == "1":
            history, number = [], number + 1
            if number == limit:
                break
        user, tab, bot = text.partition("\t")
        if not tab:
            history += [FACT, *text.split()]
            continue
        history += [USER, *user.split()]
        pairs.append((history[-options.source_limit:], bot.split()))
        dialogues.append(number)
        history += [BOT, *bot.split()]
    return pairs, dialogues


def scores(written, pairs, dialogues):
    """Percent of responses, and of dialogues, that are right."""
    right = [words == target for words, (_, target) in zip(written, pairs)]
    wrong = {number for number, fine in zip(dialogues, right) if not fine}
    count = len(set(dialogues))
    return {"responses": 100 * sum(right) / len(right), "dialogues": 100 * (count - len(wrong)) / count}


def main():
    args = seq_torch.arguments(__doc__, Options(), minutes=30,
                               more=lambda p: p.add_argument("--task", type=int, choices=(5, 6), required=True))
    o = args.options

    def part_of(name):
        return read(args.data / f"dialog-babi-task{args.task}{name}.txt.gz", o, args.limit)

    train, valid = part_of("trn")[0], part_of("dev")
    vocabulary = seq_data.Vocabulary((text for pair in train for text in pair), o.vocabulary)
    data, valid_pairs = (summarise_torch.Pairs(pairs, vocabulary, o.copy) for pairs in (train, valid[0]))
    model, history = summarise_torch.train_pairs(args, data, valid_pairs, lambda words, target: float(words == target))
    result = seq_torch.so_far(args, model, history)
    result |= {"task": args.task, "measure": "right responses, in percent", "vocabulary": len(vocabulary)}
    names = ["dev"] if args.dev_only else ["tst", "tst-OOV"] if args.task == 5 else ["tst"]
    for name in names:
        pairs, dialogues = valid if args.dev_only else part_of(name)
        encoded = summarise_torch.Pairs(pairs, vocabulary, o.copy)
        written = summarise_torch.predict(model, encoded, range(len(pairs)), o)
        result[name] = scores(written, pairs, dialogues)
        if args.out:
            text = "".join(" ".join(words) + "\n" for words in written)
            pathlib.Path(args.out + name.removeprefix(names[0]).replace("-", ".")).write_text(text, encoding="utf-8")
    seq_torch.report(args, model, result, vocabulary=vocabulary.words)


if __name__ == "__main__":
    main()
