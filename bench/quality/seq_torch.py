"""What the PyTorch peers of sequence tasks train with: packed LSTMs, the loop and its clock, flags, the report."""

import argparse
import copy
import dataclasses
import json
import math
import pathlib
import statistics
import time

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.optim.swa_utils import AveragedModel

import machine
from seq_data import PAD


@dataclasses.dataclass
class Training:
    """Adam, whose rate grows, stays and falls to 0 linearly with the share of the training that is over."""
    batch: int = 32
    lr: float = 1e-3
    clip: float = 2.0
    warmup: float = 0.02  # share of the training in which the rate grows from 0
    hold: float = 0.3  # share of the training after which it falls
    ema: float = 0.999  # decay of an average of the weights, which is validated and kept; 0: the weights themselves
    validations: int = 10


def padded(sequences):
    """Lists of numbers -> [B, S] and their lengths [B]."""
    rows = [torch.tensor(s) for s in sequences]
    return pad_sequence(rows, batch_first=True, padding_value=PAD), torch.tensor([len(r) for r in rows])


def begin_lstm(lstm):
    """Biases of 0, and of 1 at the forget gates."""
    for name, weight in lstm.named_parameters():
        if name.startswith("bias"):
            nn.init.zeros_(weight)
        if name.startswith("bias_ih"):
            nn.init.ones_(weight[lstm.hidden_size:2 * lstm.hidden_size])
    return lstm


def begin_output(linear, counts):
    """The bias as log frequencies; what was never seen counts as a tenth of one."""
    counts = counts + 0.1
    linear.bias.data.copy_((counts / counts.sum()).log())


class Encoder(nn.Module):
    """Layers of a bidirectional LSTM."""

    def __init__(self, width, hidden, layers=1, dropout=0.0, packed=True):
        super().__init__()
        widths = [width] + [2 * hidden] * (layers - 1)
        self.layers = nn.ModuleList(nn.LSTM(w, hidden, batch_first=True, bidirectional=True) for w in widths)
        for layer in self.layers:
            begin_lstm(layer)
        self.dropout, self.packed = nn.Dropout(dropout), packed

    def forward(self, x, lengths):
        """x [B, S, width] -> outputs [B, S, 2 hidden] of each layer; h and c [B, 2 hidden] at the last one's ends."""
        outputs = []
        for layer in self.layers:
            x = self.dropout(x) if outputs else x
            if self.packed:
                packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
                states, ends = layer(packed)
                x, _ = pad_packed_sequence(states, batch_first=True)
            else:  # for measuring speed on sequences of one length
                x, ends = layer(x)
            outputs.append(x)
        return outputs, [end.transpose(0, 1).flatten(1) for end in ends]


class Clock:
    """The share of the training that is over: of the minutes, less what a last validation needs, or of the epochs."""

    def __init__(self, minutes, epochs=None):
        self.begin, self.seconds, self.epochs, self.reserve = time.monotonic(), 60 * minutes, epochs, 0.0

    def elapsed(self):
        return time.monotonic() - self.begin

    def progress(self, epochs):
        return epochs / self.epochs if self.epochs else self.elapsed() / max(self.seconds - self.reserve, 1e-9)


def rate(options, progress):
    """Of the learning rate, after this share of the training."""
    if progress < options.warmup:
        return progress / options.warmup
    return min(1.0, max(0.0, (1 - progress) / (1 - options.hold)))


def averaging(decay):
    """Follows fast in the first steps: the beginning is soon forgotten."""
    def update(averages, weights, count):
        n = int(count)
        torch._foreach_lerp_(averages, weights, 1 - min(decay, (1 + n) / (10 + n)))
    return update


def train(model, options, clock, epoch, loss_of, validate, log):
    """The best model by validation, and of every validation (epochs, loss since the last, score).

    epoch() -> its batches; loss_of(model, batch, progress) -> the loss; validate(model) -> a score to be high."""
    optimizer = torch.optim.Adam(model.parameters(), lr=options.lr, fused=True)
    average = AveragedModel(model, multi_avg_fn=averaging(options.ema)) if options.ema else None
    judged = average.module if average else model
    due = [(k + 1) / options.validations for k in range(options.validations)]
    best, kept, history, losses, epochs = -math.inf, None, [], [], 0
    while due:
        batches = epoch()
        for k, batch in enumerate(batches):
            progress = clock.progress(epochs + k / len(batches))
            if progress >= due[0]:
                begin = time.monotonic()
                judged.eval()
                with torch.inference_mode():
                    score = validate(judged)
                clock.reserve = time.monotonic() - begin
                history.append((epochs + k / len(batches), statistics.fmean(losses or [math.nan]), score))
                log("{:.2f} epochs: training {:.4f}, validation {:.4f}".format(*history[-1]))
                if kept is None or score > best:
                    best, kept = score, copy.deepcopy(judged.state_dict())
                losses, due = [], [share for share in due if share > progress]
                if not due:
                    break
            model.train()
            for group in optimizer.param_groups:
                group["lr"] = options.lr * rate(options, progress)
            loss = loss_of(model, batch, progress)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), options.clip)
            optimizer.step()
            if average:
                average.update_parameters(model)
            losses.append(loss.item())
        epochs += 1
    judged.load_state_dict(kept)
    judged.eval()
    return judged, history


def arguments(doc, options, minutes, more=lambda parser: None):
    """The flags of a peer and its options; sets PyTorch's threads and seed, and starts the clock."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, metavar="DIR", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=minutes,
                        help=f"of reading, training and validation; {minutes} unless told")
    parser.add_argument("--epochs", type=float, help="train for so many passes instead, however long they take")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int, metavar="N", help="read only the first N of each part, to try things out")
    parser.add_argument("--dev-only", action="store_true",
                        help="leave the test part alone; --out is of the validation part")
    parser.add_argument("--out", metavar="FILE", help="predictions")
    parser.add_argument("--log", type=argparse.FileType("w"), metavar="FILE",
                        help="validations on the way; - is standard output")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--save", metavar="MODEL.pt")
    more(parser)
    for field in dataclasses.fields(options):
        how = {"action": argparse.BooleanOptionalAction} if field.type is bool else {"type": field.type}
        parser.add_argument("--" + field.name.replace("_", "-"), dest="option_" + field.name, **how)
    args = parser.parse_args()
    given = {f.name: getattr(args, "option_" + f.name) for f in dataclasses.fields(options)}
    args.options = dataclasses.replace(options, **{name: value for name, value in given.items() if value is not None})
    args.say = (lambda text: print(text, file=args.log, flush=True)) if args.log else lambda text: None
    args.clock = Clock(args.minutes, args.epochs)
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)  # Adam's moments of rare words become denormal, and slow
    torch.manual_seed(args.seed)
    return args


def so_far(args, model, history):
    """What is said of a training that has just ended."""
    return {"seed": args.seed, "threads": args.threads, "options": dataclasses.asdict(args.options),
            "parameters": sum(p.numel() for p in model.parameters()), "minutes": args.clock.elapsed() / 60,
            "epochs": history[-1][0], "history": history, "valid": max(score for _, _, score in history)}


def report(args, model, result, **saved):
    """One line of JSON; the model, where --save wants it."""
    text = json.dumps(result | {"machine": machine.environment()})
    print(text)
    if args.json:
        pathlib.Path(args.json).write_text(text + "\n")
    if args.save:
        torch.save({"weights": model.state_dict(), "options": dataclasses.asdict(args.options), **saved}, args.save)
