#!/usr/bin/env python3
"""What the build costs: all of it compiled anew, without a cache, in a folder of its own.

    ./x bench build [--jobs N] [--json FILE]

A line for each layer: files and seconds of the library and of its tests; a precompiled header counts where it is
made. The seconds of a compiler are those of the clock: with no more jobs than cores, and nothing else running, they
are about its CPU time. docs/build.md has the budget.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TESTS = re.compile(r"lookback_test_|golden|tests/")


def steps(log):
    """[(output, seconds)] of a .ninja_log; a step with several outputs counts once."""
    seen = {}
    for line in log.read_text().splitlines()[1:]:
        begin, end, _, output, command = line.split("\t")
        seen.setdefault((begin, end, command), (output, (int(end) - int(begin)) / 1000))
    return list(seen.values())


def place(output):
    """(row, is it for tests) of a step's output: CMakeFiles/TARGET.dir/lookback/LAYER/FILE.cpp.o, or what is linked."""
    tests = bool(TESTS.search(output))
    if "cmake_pch" in output:
        return "precompiled headers", tests
    if found := re.search(r"\.dir/lookback/(\w+)/", output):
        return found[1], tests
    return ("tests/" if output.endswith(".o") else "archives and linking"), tests


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--jobs", type=int, default=os.cpu_count())
    options.add_argument("--json", type=pathlib.Path)
    args = options.parse_args()
    env = {name: value for name, value in os.environ.items() if name != "CMAKE_CXX_COMPILER_LAUNCHER"}
    with tempfile.TemporaryDirectory(prefix="lookback-build-") as folder:
        for command in (["cmake", "--preset", "release", "-Wno-dev", "-B", folder],
                        ["cmake", "--build", folder, "--parallel", str(args.jobs)]):
            done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode:
                sys.exit(f"{done.stdout[-4000:]}\nbuild.py: `{' '.join(command)}` failed")
        done = steps(pathlib.Path(folder) / ".ninja_log")
    rows = collections.defaultdict(lambda: [[0, 0.0], [0, 0.0]])
    for output, seconds in done:
        row, tests = place(output)
        cell = rows[row][tests]
        cell[0] += 1
        cell[1] += seconds
    print("| what | program: files | seconds | tests: files | seconds |\n|---|---|---|---|---|")
    for name, (own, tests) in sorted(rows.items(), key=lambda row: -row[1][0][1] - row[1][1][1]):
        print(f"| {name} | {own[0]} | {own[1]:.0f} | {tests[0]} | {tests[1]:.0f} |")
    totals = [[sum(row[k][i] for row in rows.values()) for i in (0, 1)] for k in (0, 1)]
    print(f"| all | {totals[0][0]} | {totals[0][1]:.0f} | {totals[1][0]} | {totals[1][1]:.0f} |")
    print("slowest: " + ", ".join(f"{pathlib.Path(output).name.removesuffix('.o')} {seconds:.1f}"
                                  for output, seconds in sorted(done, key=lambda step: -step[1])[:8]))
    if args.json:
        args.json.write_text(json.dumps({"rows": rows, "all": totals}) + "\n")


if __name__ == "__main__":
    main()
