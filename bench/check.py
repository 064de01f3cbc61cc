#!/usr/bin/env python3
"""Holds training and decoding to counts that no clock and no neighbour changes.

    ./x bench check [--update] [--only WORK...]

Counted are the instructions and the memory allocations of one steady step, by valgrind's callgrind. Valgrind shows
every program the same processor (AVX2, no AVX-512), whatever the machine has, so bench/limits.json holds everywhere
where the same compiler and libraries made the program; with others the counts are told and held to nothing. A step may
cost `tolerance` more instructions than the limit, and no more allocations. --update writes what was counted as the
limits.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMITS = ROOT / "bench/limits.json"
TOLERANCE = 0.02
# Counted is what happens inside, run by run: at start libraries do what the clock tells them to. The two patterns mean
# the same functions: callgrind gives a pattern one meaning only, and looks at the wider one first if it comes first.
BEGIN, END = "lookback::tasks::*::run()", "lookback::*::run()"
ALLOCATORS = {prefix + name for prefix in ("", "__libc_") for name in
              ("malloc", "calloc", "realloc", "aligned_alloc", "memalign", "posix_memalign")}

SMALL = ("--vocabulary", "300", "--model.encoder.hidden", "48", "--model.decoder.hidden", "64", "--model.embedding", "32",
         "--source", "6", "--target", "6")
WORKS = {
    "train": ("train", *SMALL, "--batch", "6"),
    "train_additive": ("train", *SMALL, "--batch", "6", "--model.decoder.attention", "bahdanau", "--model.score",
                       "additive", "--no-model.decoder.input-feeding"),
    "greedy": ("decode", *SMALL, "--batch", "1"),
    "beam5": ("decode", *SMALL, "--batch", "2", "--beam", "5"),
    "stream": ("stream", *SMALL, "--batch", "1"),
}


def read_counts(path):
    """Instructions, and calls of what allocates. A function's name is spelled out once."""
    names, instructions, allocations, callee = {}, None, 0, None
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith(("fn=", "cfn=")):
            number, name = re.match(r"c?fn=\((\d+)\)(?: (.*))?", line).groups()
            if name:
                names[number] = re.sub(r"'\d+$", "", name)
            if line.startswith("cfn="):
                callee = names[number]
        elif line.startswith("calls=") and callee in ALLOCATORS:
            allocations += int(line[6:].split()[0])
        elif line.startswith(("totals:", "summary:")):
            instructions = int(line.split()[1])
    return {"instructions": instructions, "allocations": allocations}


def step(program, work):
    """One run of the work, the fourth."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "callgrind"
        command = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}", f"--dump-after={END}",
                   f"--zero-before={BEGIN}", program, "bench", *work, "--on-request", "--repeat", "1", "--threads", "1",
                   "--precision", "f32"]
        done = subprocess.run(command, input="go\n" * 3, capture_output=True, text=True, cwd=folder,
                              env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "OMP_NUM_THREADS": "1"})
        if done.returncode:
            sys.exit(f"bench check: {' '.join(command)} ended with code {done.returncode}: {done.stderr.strip()}")
        fourth = out.with_name("callgrind.4")  # the first one warms up
        if not fourth.exists():
            sys.exit(f"bench check: not counted run by run: {program} has no function {BEGIN}, or it lost its symbols")
        return read_counts(fourth)


def toolchain(program):
    """What the counts depend on."""
    said = subprocess.run([program, "version"], check=True, capture_output=True, text=True).stdout
    valgrind = subprocess.run(["valgrind", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    simd = "AVX2" if "avx2" in pathlib.Path("/proc/cpuinfo").read_text() else "none"
    return dict(re.findall(r"(?m)^(compiler|Highway): (.*)$", said)) | {"valgrind": valgrind, "SIMD": simd}


def broken(name, counts, limit, tolerance):
    """What is above its limit, in words."""
    allowed = {"instructions": limit["instructions"] * (1 + tolerance), "allocations": limit["allocations"]}
    return [f"{name}: {counts[key]:,} {key} a step, limit {limit[key]:,} ({counts[key] / max(1, limit[key]) - 1:+.1%})"
            for key in allowed if counts[key] > allowed[key]]


def judge(counts, held, made_by):
    """The lines to say, and the exit code."""
    if held["toolchain"] != made_by:
        return [f"not held to the limits: they are for {held['toolchain']}, this is {made_by}"], 0
    missing = [f"{name}: no limit; run ./x bench check --update" for name in counts if name not in held["limits"]]
    wrong = [line for name in counts if name in held["limits"]
             for line in broken(name, counts[name], held["limits"][name], held["tolerance"])]
    lower = [f"{name}: less than the limit by more than the tolerance; ./x bench check --update holds it there"
             for name in counts if name in held["limits"]
             and counts[name]["instructions"] < held["limits"][name]["instructions"] * (1 - held["tolerance"])]
    return lower + missing + wrong, 1 if missing or wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build/release/lookback"))
    parser.add_argument("--limits", type=pathlib.Path, default=LIMITS, metavar="FILE")
    parser.add_argument("--only", nargs="*", default=[], metavar="WORK", help=", ".join(WORKS))
    parser.add_argument("--update", action="store_true", help="write the limits instead of holding to them")
    args = parser.parse_args()
    args.program = str(pathlib.Path(args.program).resolve())
    if unknown := set(args.only) - set(WORKS):
        parser.error(f"unknown work {', '.join(sorted(unknown))}; there is {', '.join(WORKS)}")
    counts = {}
    for name in args.only or WORKS:
        counts[name] = step(args.program, WORKS[name])
        print(f"{name:<16} {counts[name]['instructions']:>13,} instructions  {counts[name]['allocations']:>7,} "
              "allocations a step", flush=True)
    made_by = toolchain(args.program)
    if args.update:
        before = json.loads(args.limits.read_text())["limits"] if args.only and args.limits.exists() else {}
        args.limits.write_text(json.dumps({"toolchain": made_by, "tolerance": TOLERANCE, "limits": before | counts},
                                          indent=2) + "\n")
        return 0
    lines, code = judge(counts, json.loads(args.limits.read_text()), made_by)
    for line in lines:
        print(f"bench check: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
