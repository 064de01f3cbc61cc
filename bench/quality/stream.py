#!/usr/bin/env python3
"""Speech as it is heard: how late words come, how much of the processor recordings take, and how much memory an hour.

    ./x bench quality-stream MODEL --data FSDD [--strings N] [--minutes N] [--at-once N] [--out FILE.json]

FSDD is the folder of the Free Spoken Digit Dataset; MODEL is one of digits (recipes/transcribe-strings-stream.toml, or
transcribe-fsdd-strings.toml, of which only whole files are measured as it cannot stream). Strings of 3 to 9 digits by
one speaker, pauses of 0.1 to 0.5 s around them, are made of the recordings 0 to 4 of each, which no recipe trains on.

  latency      each string is piped to `predict --stream --in -` as a microphone would give it, 20 ms at a time; what is
               counted is the time between the end of a word's recording and its letters on the output, over the strings
               that are right (the others have no telling which word came late)
  same text    the strings that have the same text from `predict --stream` and, whole, from `predict --beam 1`
  whole files  seconds of processing for a second of sound, all strings in one process, its start included
  an hour      the strings one after the other in one file: the same, whole (cut at silences) and streamed, and the
               most memory the process had
"""

import argparse
import array
import json
import pathlib
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import machine

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import make_strings  # noqa: E402

PIECE = make_strings.RATE // 50  # samples that come at once
FLOORS = {"latency, seconds, 9 of 10 words": 0.4, "whole files": 0.02, "an hour, streamed": 0.1, "memory, MB": 1000}


def strings(recordings, count, rng):
    """[(samples, words, where each ends in seconds)] by speakers in turn."""
    out = []
    for k in range(count):
        speaker = sorted(recordings)[k % len(recordings)]
        samples, words, ends = pause(rng), [], []
        for _ in range(rng.randint(3, 9)):
            digit = rng.randrange(10)
            samples = samples + recordings[speaker][digit][rng.randrange(5)]
            words.append(str(digit)), ends.append(len(samples) / make_strings.RATE)
            samples = samples + pause(rng)
        out.append((samples, words, ends))
    return out


def pause(rng):
    return array.array("h", bytes(2 * int(rng.uniform(*make_strings.PAUSE) * make_strings.RATE)))


def heard(program, model, samples):
    """The words of a stream, and the second at which each was there."""
    process = subprocess.Popen([program, "predict", model, "--stream", "--in", "-", "--threads", "1", "--quiet"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    said = []

    def read():
        while piece := process.stdout.read(64):
            said.append((time.monotonic(), piece.decode()))

    reader = threading.Thread(target=read)
    reader.start()
    time.sleep(0.5)  # the model is there before anybody speaks
    header = struct.pack("<4sI8sIHHIIHH4sI", b"RIFF", 0xFFFFFFFF, b"WAVEfmt ", 16, 1, 1, make_strings.RATE,
                         2 * make_strings.RATE, 2, 16, b"data", 0xFFFFFFFF)
    process.stdin.write(header)
    began = time.monotonic()
    for at in range(0, len(samples), PIECE):
        time.sleep(max(0, began + (at + PIECE) / make_strings.RATE - time.monotonic()))
        process.stdin.write(samples[at:at + PIECE].tobytes())
    process.stdin.close()
    reader.join()
    if process.wait() != 0:
        sys.exit("stream: predict --stream failed; see above")
    words, times, text = [], [], ""
    for when, piece in said:
        text += piece
        words = text.split()
        times += [when - began] * (len(words) - len(times))
    return words, times


def run(command, text=None):
    """Its output, the seconds it took and the most memory it had, in MB."""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", MEASURE, *command], input=text, capture_output=True, text=True)
    took = time.monotonic() - began
    if done.returncode != 0:
        sys.exit(f"stream: {' '.join(command)}: {done.stderr}")
    return done.stdout, took, int(done.stderr.splitlines()[-1]) / 1024


MEASURE = """import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--program", default="build/release/lookback")
    parser.add_argument("--data", required=True, help="folder of the Free Spoken Digit Dataset")
    parser.add_argument("--strings", type=int, default=60)
    parser.add_argument("--minutes", type=float, default=60, help="length of the long file")
    parser.add_argument("--at-once", type=int, default=4, help="streams at the same time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", help="a JSON file")
    args = parser.parse_args()

    rng = random.Random(args.seed)
    spoken = strings(make_strings.load(args.data), args.strings, rng)
    seconds = sum(len(samples) for samples, _, _ in spoken) / make_strings.RATE
    rows = {"strings": len(spoken), "seconds of strings": round(seconds, 1)}
    with tempfile.TemporaryDirectory() as folder:
        files = [str(pathlib.Path(folder, f"{k}.wav")) for k in range(len(spoken))]
        for file, (samples, _, _) in zip(files, spoken):
            make_strings.write_wav(file, samples)
        text, took, _ = run([args.program, "predict", args.model, "--beam", "1", "--quiet"], "\n".join(files) + "\n")
        whole = text.splitlines()
        rows["right"] = sum(line.split() == words for line, (_, words, _) in zip(whole, spoken))
        rows["whole files"] = took / seconds

        hour = array.array("h")
        while len(hour) < args.minutes * 60 * make_strings.RATE:
            hour.extend(spoken[rng.randrange(len(spoken))][0])
        long_file = str(pathlib.Path(folder, "hour.wav"))
        make_strings.write_wav(long_file, hour)
        length = len(hour) / make_strings.RATE
        _, took, memory = run([args.program, "predict", args.model, "--beam", "1", "--quiet"], long_file + "\n")
        rows["an hour, whole"], rows["memory, MB"] = took / length, memory

        streams = subprocess.run([args.program, "predict", args.model, "--stream", "--in", files[0], "--quiet"],
                                 capture_output=True, text=True).returncode == 0
        if streams:
            _, took, memory = run([args.program, "predict", args.model, "--stream", "--in", long_file, "--quiet"])
            rows["an hour, streamed"], rows["memory streamed, MB"] = took / length, memory
            with ThreadPoolExecutor(args.at_once) as pool:
                found = list(pool.map(lambda one: heard(args.program, args.model, one[0]), spoken))
            rows["same text"] = sum(line.split() == words for line, (words, _) in zip(whole, found))
            late = sorted(when - end for (words, times), (_, said, ends) in zip(found, spoken) if words == said
                          for when, end in zip(times, ends))
            if late:
                rows["words timed"] = len(late)
                rows["latency, seconds, median"] = statistics.median(late)
                rows["latency, seconds, 9 of 10 words"] = late[int(0.9 * (len(late) - 1))]
                rows["latency, seconds, worst"] = late[-1]
        else:
            print(f"{args.model} cannot stream: whole files alone")
    for name, value in rows.items():
        floor = FLOORS.get(name)
        verdict = "" if floor is None else f"   ({'at most' if value <= floor else 'TOO HIGH:'} {floor:g})"
        print(f"{name:34} {value:10.4g}{verdict}")
    environment = machine.environment(args.program)
    print(f"\n{machine.in_words(environment)}")
    if args.out:
        pathlib.Path(args.out).write_text(json.dumps({"environment": environment, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
