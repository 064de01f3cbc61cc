#!/usr/bin/env python3
"""Time and memory of a training step as the source grows: lookback, with and without checkpointing, beside PyTorch.

    ./x bench lengths [--steps N...] [--rounds N] [--json FILE] [--page FILE] [--picture FILE]

The models are those of `./x bench peers`: V 8000, E 256, encoder 2 x 256, decoder 512; general attention
with input feeding, and additive attention in Bahdanau's order. A step is forward, backward, clipping to norm 1 and
Adam on one pair of N source and 16 target tokens. Every contender is a process of its own with one thread,
all on one core; in every round each is measured once. Time is the processor time of the process, which other
programs on the machine do not add to; memory is its peak resident set. Checkpointing keeps every sqrt(N)-th cell.
"""

import argparse
import json
import math
import os
import pathlib
import statistics
import sys

import lengths_picture
import on_request
import peers
import peers_torch

SCORES = {"general": (peers.FEEDING, {"attention": "luong", "feeding": True}),
          "additive": (peers.ADDITIVE, {"attention": "additive", "feeding": False})}
CONTENDERS = ("lookback", "lookback, checkpointing", f"PyTorch {peers.torch.__version__.split('+')[0]}, eager")
STEPS = (16, 64, 256, 1024, 4096, 16384)


class Training(peers_torch.Training):
    """One pair of `steps` source tokens."""

    def __init__(self, steps, **options):
        super().__init__(batch=1, **options)
        self.source = peers.torch.randint(4, peers_torch.V, (steps, 1))


def serve(score, steps, repeat):
    """A PyTorch contender: trains `repeat` steps for each line of standard input, and answers with a line."""
    peers.torch.set_num_threads(1)
    training = Training(steps, **SCORES[score][1])
    for _ in sys.stdin:
        for _ in range(repeat):
            training.run()
        print("done", flush=True)


class Contender(on_request.OnRequest):
    """A process that trains when asked."""

    def __init__(self, command, repeat):
        super().__init__(command)
        self.repeat = repeat
        self.seconds()  # to warm up

    def processor_time(self):
        """Seconds, of all its threads."""
        threads = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((t / "schedstat").read_text().split()[0]) for t in threads) * 1e-9

    def seconds(self):
        """Of processor time, for one training step."""
        begin = self.processor_time()
        self.ask()
        return (self.processor_time() - begin) / self.repeat


def contenders(args, score, steps):
    repeat = max(1, min(4, 512 // steps))
    ours = [args.program, "bench", "train", "--on-request", "--repeat", str(repeat), "--threads", "1", "--batch", "1",
            "--source", str(steps), *SCORES[score][0]]
    commands = (ours, [*ours, "--model.encoder.checkpoint", str(math.isqrt(steps))],
                [sys.executable, __file__, "--serve", score, str(steps), str(repeat)])
    return {name: Contender(command, repeat) for name, command in zip(CONTENDERS, commands)}


def measured(args, score, steps):
    running = contenders(args, score, steps)
    times = {name: [] for name in running}
    for _ in range(args.rounds):
        for name, contender in running.items():
            times[name].append(contender.seconds())
    out = []
    for name, contender in running.items():
        out.append({"score": score, "steps": steps, "name": name, "seconds": statistics.median(times[name]),
                    "seconds_min": min(times[name]), "seconds_max": max(times[name]), "mib": contender.peak_mib()})
        contender.close()
        print("{score:<9} {steps:>6} steps  {name:<26} {seconds:8.3f} s ({seconds_min:.3f} to {seconds_max:.3f})  "
              "{mib:8.1f} MiB".format(**out[-1]), flush=True)
    return out


def table(done):
    """A row for each score and length, and how the last compares with a source of a sixteenth."""
    at = {(r["score"], r["steps"], r["name"]): r for r in done}
    lengths = sorted({r["steps"] for r in done})
    lines = ["| score | source | " + " | ".join(f"{n}: s" for n in CONTENDERS) + " | "
             + " | ".join(f"{n}: MiB" for n in CONTENDERS) + " |", "|---|---|" + "---|" * 2 * len(CONTENDERS)]
    for score in SCORES:
        for steps in lengths:
            rows = [at[score, steps, name] for name in CONTENDERS]
            lines.append(f"| {score} | {steps:,} | " + " | ".join(f"{r['seconds']:.3f}" for r in rows) + " | "
                         + " | ".join(f"{r['mib']:,.0f}" for r in rows) + " |")
        long, short = lengths[-1], lengths[-1] // 16
        if short in lengths:
            pairs = [(at[score, long, n], at[score, short, n]) for n in CONTENDERS]
            lines.append(f"| {score} | {long:,} over {short:,} | "
                         + " | ".join(f"x {a['seconds'] / b['seconds']:.1f}" for a, b in pairs) + " | "
                         + " | ".join(f"x {a['mib'] / b['mib']:.2f}, +{a['mib'] - b['mib']:,.0f}" for a, b in pairs) + " |")
    return lines


def section(done, args):
    lines = [f"## Long sources: {peers.CPU}, 1 thread", "",
             f"`./x bench lengths --rounds {args.rounds}`: one training step on one pair of N source and 16 target tokens, "
             "every contender a process of its own with one thread,", f"all on core {args.core}, measured in turn. Time is "
             "the median of the processor time of a step (other programs may run beside), memory the peak of the process,",
             "libraries included. Checkpointing keeps every sqrt(N)-th cell of the encoder (`model.encoder.checkpoint`), and weights "
             "come out the same to the last bit.", ""]
    if args.picture:
        there = os.path.relpath(args.picture, pathlib.Path(args.page).parent)
        lines += [f"![Time and memory of a training step, by the length of the source]({there})", ""]
    return "\n".join(lines + table(done)) + "\n"


def main():
    if sys.argv[1:2] == ["--serve"]:
        return serve(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(peers.ROOT / "build/release/lookback"))
    parser.add_argument("--steps", type=int, nargs="*", default=STEPS, metavar="N", help="source lengths")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="the last one unless given")
    parser.add_argument("--from-json", metavar="FILE", help="measure nothing: what --json has written before")
    parser.add_argument("--json", metavar="FILE", help="write the measurements there")
    parser.add_argument("--page", metavar="FILE", help="write a section of a page there")
    parser.add_argument("--picture", metavar="FILE", help="draw them there, as SVG")
    args = parser.parse_args()
    args.program = str(pathlib.Path(args.program).resolve())
    os.sched_setaffinity(0, {args.core})
    if args.from_json:
        done = json.loads(pathlib.Path(args.from_json).read_text())
    else:
        done = [row for steps in sorted(args.steps, reverse=True) for score in SCORES for row in measured(args, score, steps)]
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(done, indent=2) + "\n")
    if args.picture:
        pathlib.Path(args.picture).write_text(lengths_picture.drawn(done, list(SCORES), list(CONTENDERS)))
    if args.page:
        peers.write_section(args.page, section(done, args))
    print("\n".join(table(done)))


if __name__ == "__main__":
    main()
