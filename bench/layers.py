#!/usr/bin/env python3
"""A BiLSTM layer and a layer of self-attention side by side, by length and by threads: time and memory.

    ./x bench layers [--steps N...] [--threads N...] [--batch N] [--rounds N] [--json FILE] [--page FILE]

Both take rows of 512 numbers and give rows of 512: a BiLSTM of 2 x 256 units (1.6 million weights), and 8 heads of 64
with a norm before and a residual around them, without a feed-forward part (1.1 million). Forward and backward of a batch
of sequences of equal length, with the gradients of input and weights. Every contender is a process of its own; in every
round each is measured once. Time is that of the clock, memory the peak resident set of the process.
"""

import argparse
import json
import os
import pathlib
import statistics

from on_request import CPU, ROOT, Ours
from page import write_section

LAYERS = {"BiLSTM": "bilstm", "self-attention": "self_attention"}
STEPS = (16, 64, 256, 1024, 4096)


def measured(args, steps):
    repeat = max(1, min(8, 1024 // steps))
    running = {(name, threads): Ours(args.program, "block", repeat, threads, "--block.kind", kind, "--batch",
                                     str(args.batch), "--source", str(steps))
               for threads in args.threads for name, kind in LAYERS.items()}
    seconds = {contender: [] for contender in running}
    for _ in range(args.rounds):
        for contender, process in running.items():
            seconds[contender].append(args.batch * steps / process.measure())
    out = []
    for (name, threads), process in running.items():
        s = seconds[name, threads]
        out.append({"name": name, "threads": threads, "steps": steps, "batch": args.batch, "seconds": statistics.median(s),
                    "seconds_min": min(s), "seconds_max": max(s), "mib": process.peak_mib()})
        process.close()
        print("{steps:>6} steps  {threads} threads  {name:<14} {seconds:8.4f} s ({seconds_min:.4f} to {seconds_max:.4f})  "
              "{mib:8.1f} MiB".format(**out[-1]), flush=True)
    return out


def table(done):
    """A row for each length, and how the longest compares with a sixteenth of it. Ratios are self-attention's over the BiLSTM's."""
    at = {(r["name"], r["threads"], r["steps"]): r for r in done}
    threads = sorted({r["threads"] for r in done})
    lengths = sorted({r["steps"] for r in done})
    columns = [(name, n) for n in threads for name in LAYERS]

    def memory(name, steps):  # where more threads need more, theirs
        return max(at[name, n, steps]["mib"] for n in threads)

    head = ["steps"]
    for n in threads:
        of = f"{n} thread{'s' if n > 1 else ''}"
        head += [f"{name}, {of}: ms" for name in LAYERS] + ["ratio"]
    head += [f"{name}: MiB" for name in LAYERS]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for steps in lengths:
        cells = [f"{steps:,}"]
        for n in threads:
            times = [at[name, n, steps]["seconds"] for name in LAYERS]
            cells += [f"{1e3 * t:,.1f}" for t in times] + [f"{times[1] / times[0]:.2f}"]
        lines.append("| " + " | ".join(cells + [f"{memory(name, steps):,.0f}" for name in LAYERS]) + " |")
    long, short = lengths[-1], lengths[-1] // 16
    if short in lengths:
        grown = {c: at[*c, long]["seconds"] / at[*c, short]["seconds"] for c in columns}
        cells = [f"{long:,} over {short:,}"]
        for n in threads:
            cells += [f"x {grown[name, n]:.1f}" for name in LAYERS] + [""]
        cells += [f"x {memory(name, long) / memory(name, short):.1f}" for name in LAYERS]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def section(done, args):
    return "\n".join([f"## Layers: {CPU}", "",
                      f"`./x bench layers --rounds {args.rounds} --batch {args.batch}`: forward and backward of {args.batch} "
                      "sequences, every contender a process of its own,",
                      "measured in turn; medians of the clock, and the peak of the process.", "", *table(done)]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build/release/lookback"))
    parser.add_argument("--steps", type=int, nargs="*", default=STEPS, metavar="N", help="lengths")
    parser.add_argument("--threads", type=int, nargs="*", default=sorted({1, len(os.sched_getaffinity(0))}), metavar="N",
                        help="one and all cores unless given")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", metavar="FILE", help="write the measurements there")
    parser.add_argument("--page", metavar="FILE", help="write a section of a page there")
    args = parser.parse_args()
    args.program = str(pathlib.Path(args.program).resolve())
    done = [row for steps in sorted(args.steps) for row in measured(args, steps)]
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(done, indent=2) + "\n")
    if args.page:
        write_section(args.page, section(done, args))
    print("\n".join(table(done)))


if __name__ == "__main__":
    main()
