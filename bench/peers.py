#!/usr/bin/env python3
"""Lookback beside PyTorch: the same model, the same sizes, measured in turn in one run.

    ./x bench peers [--rounds N] [--json FILE]

The model is an encoder-decoder with one bidirectional LSTM layer (2 x H/2), one LSTM decoder
layer (H), Luong's general attention and input feeding: V 8000, E 256, H 512. Training is forward,
backward, clipping to norm 1 and Adam on 64 pairs of 16 x 16 tokens; decoding is greedy, one
sentence of 16 tokens into 16. A ratio is ours / theirs of one round; the better of eager and
compiled PyTorch, and of one and two threads for decoding, stands for PyTorch.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

V, E, H, BATCH, SOURCE, TARGET = 8000, 256, 512, 64, 16, 16
BOS = 1


class Seq2Seq(nn.Module):
    """As a careful PyTorch user writes it: fused nn.LSTM for the encoder, batched attention."""

    def __init__(self):
        super().__init__()
        self.source = nn.Embedding(V, E)
        self.target = nn.Embedding(V, E)
        self.encoder = nn.LSTM(E, H // 2, bidirectional=True)
        self.bridge_h = nn.Linear(H, H)
        self.bridge_c = nn.Linear(H, H)
        self.cell = nn.LSTMCell(E + H, H)
        self.key = nn.Linear(H, H, bias=False)
        self.readout = nn.Linear(2 * H, H)
        self.output = nn.Linear(H, V)

    def encode(self, source):  # [T, B]
        memory, (h, c) = self.encoder(self.source(source))
        memory = memory.transpose(0, 1).contiguous()  # [B, T, H]
        both = lambda x: torch.cat([x[0], x[1]], 1)
        h, c = torch.tanh(self.bridge_h(both(h))), torch.tanh(self.bridge_c(both(c)))
        return memory, self.key(memory), h, c

    def step(self, embedded, feed, h, c, memory, keys):
        h, c = self.cell(torch.cat([embedded, feed], 1), (h, c))
        weights = torch.softmax(torch.bmm(keys, h.unsqueeze(2)).squeeze(2), 1)
        context = torch.bmm(weights.unsqueeze(1), memory).squeeze(1)
        return torch.tanh(self.readout(torch.cat([context, h], 1))), h, c

    def forward(self, source, inputs, targets):  # [T, B], [U, B], [U, B]
        memory, keys, h, c = self.encode(source)
        embedded = self.target(inputs)
        feed = torch.zeros(source.shape[1], H)
        outputs = []
        for t in range(inputs.shape[0]):
            feed, h, c = self.step(embedded[t], feed, h, c, memory, keys)
            outputs.append(feed)
        logits = self.output(torch.stack(outputs))
        return F.cross_entropy(logits.view(-1, V), targets.reshape(-1))


class TorchTraining:
    def __init__(self, compiled):
        torch.manual_seed(1)
        self.model = Seq2Seq()
        self.run = torch.compile(self.model) if compiled else self.model
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        self.source = torch.randint(4, V, (SOURCE, BATCH))
        self.targets = torch.randint(4, V, (TARGET, BATCH))
        self.inputs = torch.cat([torch.full((1, BATCH), BOS), self.targets[:-1]])

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        self.run(self.source, self.inputs, self.targets).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return TARGET * BATCH


class TorchDecoding:
    def __init__(self, compiled, threads):
        torch.manual_seed(1)
        self.model = Seq2Seq().eval()
        self.next = torch.compile(self.next_token) if compiled else self.next_token
        self.source = torch.randint(4, V, (SOURCE, 1))
        self.threads = threads

    def next_token(self, token, feed, h, c, memory, keys):
        feed, h, c = self.model.step(self.model.target(token), feed, h, c, memory, keys)
        return self.model.output(feed).argmax(1), feed, h, c

    def step(self):
        torch.set_num_threads(self.threads)
        with torch.inference_mode():
            memory, keys, h, c = self.model.encode(self.source)
            token, feed = torch.full((1,), BOS), torch.zeros(1, H)
            for _ in range(TARGET):
                token, feed, h, c = self.next(token, feed, h, c, memory, keys)
        return TARGET


class Ours:
    """`lookback bench` that measures when asked."""

    def __init__(self, program, work, repeat, threads, *flags):
        command = [program, "bench", work, "--on-request", "--repeat", str(repeat), "--threads", str(threads), *flags]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def measure(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"peers: lookback bench ended with code {self.process.wait()}")
        return float(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def torch_speed(peer, repeat):
    begin = time.perf_counter()
    tokens = sum(peer.step() for _ in range(repeat))
    return tokens / (time.perf_counter() - begin)


def attempt(name, make):
    """A peer that is warm, or None with the reason said: a machine may lack what compiling needs."""
    try:
        peer = make()
        for _ in range(3):
            peer.step()
        return peer
    except Exception as error:  # whatever torch.compile could not do here
        print(f"peers: {name} left out: {str(error).splitlines()[0]}", file=sys.stderr)
        return None


def compare(name, unit, ours, peers, rounds, repeat):
    speeds = {key: [] for key in ["ours", *peers]}
    for _ in range(rounds):
        speeds["ours"].append(max(o.measure() for o in ours))
        for key, peer in peers.items():
            speeds[key].append(torch_speed(peer, repeat))
    for o in ours:
        o.close()
    median = {key: statistics.median(values) for key, values in speeds.items()}
    best = max(peers, key=median.get)
    ratios = [a / b for a, b in zip(speeds["ours"], speeds[best])]
    return {
        "name": name, "ours": median["ours"], "peer": median[best], "peer_name": best, "unit": unit,
        "ratio": median["ours"] / median[best], "ratio_min": min(ratios), "ratio_max": max(ratios), "cpu": cpu_name(),
        "all": median,
    }


def cpu_name():
    with open("/proc/cpuinfo") as info:
        return next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), "unknown")


def peer_set(kinds):
    made = {name: attempt(name, make) for name, make in kinds.items()}
    return {name: peer for name, peer in made.items() if peer}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/lookback")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", metavar="FILE", help="write the rows there too")
    args = parser.parse_args()
    threads = torch.get_num_threads()
    version = torch.__version__
    rows = []

    peers = peer_set({
        f"PyTorch {version} eager": lambda: TorchTraining(compiled=False),
        f"PyTorch {version} compiled": lambda: TorchTraining(compiled=True),
    })
    ours = [Ours(args.program, "train", 3, threads)]
    rows.append(compare("train_luong_feed_f32", "target tokens/s", ours, peers, args.rounds, 3))

    counts = sorted({1, threads})
    peers = peer_set({
        f"PyTorch {version} {'compiled' if compiled else 'eager'}, {n} threads":
            lambda compiled=compiled, n=n: TorchDecoding(compiled, n)
        for compiled in (False, True) for n in counts
    })
    ours = [Ours(args.program, "decode", 20, n, "--batch", "1") for n in counts]
    rows.append(compare("greedy_b1_f32", "tokens/s", ours, peers, args.rounds, 20))

    for row in rows:
        print(f"{row['name']:<24} ours {row['ours']:8.0f}  {row['peer_name']} {row['peer']:8.0f} {row['unit']}  "
              f"ratio {row['ratio']:.2f} ({row['ratio_min']:.2f} to {row['ratio_max']:.2f})")
    if args.json:
        with open(args.json, "w") as out:
            json.dump(rows, out, indent=2)
            out.write("\n")


if __name__ == "__main__":
    main()
