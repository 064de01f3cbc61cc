#!/usr/bin/env python3
"""Strings of spoken digits from the recordings of the Free Spoken Digit Dataset, in rest and in noise.

usage: make_strings.py --data FSDD --out DIR [--seed N] [--train-snr clean,20,10,0] [--long] [--text digits|words]

FSDD holds recordings/{digit}_{speaker}_{index}.wav of 8 kHz. A string is 3 to 9 digits of one speaker with pauses of 0.1
to 0.5 s around them. Training takes the indices from 10 on, validation 5 to 9, the test 0 to 4. White noise has the
signal-to-noise ratio in dB over the samples of digits alone, pauses left out; train and valid draw theirs from
--train-snr, the test comes once with each of clean, 20, 10 and 0. Written are WAV files of 16 bits and the lists
train.tsv, valid.tsv, test.tsv, test-20.tsv, test-10.tsv, test-0.tsv and, with --long, test-long.tsv of 10 to 20 digits:
`path TAB text`, the path as seen from the list's folder. The same seed gives the same bytes.
"""
import argparse
import array
import os
import pathlib
import random
import re
import sys
import wave

try:
    import numpy  # faster; the bytes are the same without
except ImportError:
    numpy = None

RATE = 8000
WORDS = "zero one two three four five six seven eight nine".split()
PAUSE = (0.1, 0.5)  # seconds
LOUDEST = 32767
NOISE_POOL = 1 << 20  # numbers, of which every recording takes a run at a random place


def read_wav(path):
    with wave.open(str(path), "rb") as f:
        if (f.getnchannels(), f.getsampwidth(), f.getframerate()) != (1, 2, RATE):
            sys.exit(f"make_strings: {path}: not mono, 16 bits and {RATE} Hz")
        samples = array.array("h", f.readframes(f.getnframes()))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def write_wav(path, samples):
    if sys.byteorder == "big":
        samples = array.array("h", samples)
        samples.byteswap()
    with wave.open(str(path), "wb") as f:
        f.setparams((1, 2, RATE, len(samples), "NONE", ""))
        f.writeframes(samples.tobytes())


def load(folder):
    """speaker -> digit -> index -> samples"""
    out = {}
    for path in sorted(pathlib.Path(folder, "recordings").glob("*.wav")):
        if found := re.fullmatch(r"(\d)_(\w+)_(\d+)", path.stem):
            digit, speaker, index = int(found[1]), found[2], int(found[3])
            out.setdefault(speaker, {}).setdefault(digit, {})[index] = read_wav(path)
    if not out:
        sys.exit(f"make_strings: {folder} holds no recordings/DIGIT_SPEAKER_INDEX.wav; --data is a folder of the Free Spoken "
                 "Digit Dataset")
    return out


class Noise:
    def __init__(self, seed):
        rng = random.Random(f"noise {seed}")
        self.pool = array.array("d", (rng.gauss(0, 1) for _ in range(NOISE_POOL)))
        if numpy:
            self.pool = numpy.frombuffer(self.pool)

    def added(self, samples, power, snr, rng):
        """samples with noise `snr` dB below the mean square `power`; all of it quieter if it would be too loud."""
        deviation = (power / 10 ** (snr / 10)) ** 0.5
        begin = rng.randrange(NOISE_POOL - len(samples))
        noise = self.pool[begin:begin + len(samples)]
        if numpy:
            mixed = numpy.frombuffer(samples, dtype=numpy.int16) + deviation * noise
            top = float(abs(mixed).max())
            mixed = numpy.rint(mixed * (LOUDEST / top) if top > LOUDEST else mixed)
            return array.array("h", mixed.astype(numpy.int16).tobytes())
        mixed = [s + deviation * n for s, n in zip(samples, noise)]
        top = max(max(mixed), -min(mixed))
        if top > LOUDEST:
            mixed = [x * (LOUDEST / top) for x in mixed]
        return array.array("h", map(round, mixed))


def sum_of_squares(samples):
    if numpy:
        x = numpy.frombuffer(samples, dtype=numpy.int16).astype(numpy.int64)
        return int(x @ x)
    return sum(x * x for x in samples)


def make_string(recordings, indices, lengths, rng):
    """(digits, samples, mean square of the digits' samples)"""
    speaker = rng.choice(sorted(recordings))
    digits = [rng.randrange(10) for _ in range(rng.randint(*lengths))]

    def pause():
        return array.array("h", bytes(2 * round(RATE * rng.uniform(*PAUSE))))
    samples, squares, spoken = pause(), 0, 0
    for digit in digits:
        takes = recordings[speaker].get(digit, {})
        have = [k for k in sorted(takes) if k in indices]
        if not have:
            sys.exit(f"make_strings: no recording of {digit} by {speaker} with an index from {indices[0]} to {indices[-1]}")
        recording = takes[rng.choice(have)]
        squares, spoken = squares + sum_of_squares(recording), spoken + len(recording)
        samples += recording + pause()
    return digits, samples, squares / max(1, spoken)


def snrs(text):
    out = []
    for part in text.split(","):
        try:
            out.append(None if part.strip() == "clean" else float(part))
        except ValueError:
            sys.exit(f"make_strings: --train-snr is a list of 'clean' and of dB, as clean,20,10,0; '{part}' is neither")
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--train", type=int, default=5000, help="how many")
    parser.add_argument("--valid", type=int, default=300, help="how many")
    parser.add_argument("--test", type=int, default=500, help="how many")
    parser.add_argument("--train-snr", default="clean", help="what train and valid draw from, as clean,20,10,0")
    parser.add_argument("--long", action="store_true", help="also test-long.tsv: 200 strings of 10 to 20 digits")
    parser.add_argument("--text", choices=["digits", "words"], default="digits", help='"3 1 4" or "three one four"')
    options = parser.parse_args()
    train_snrs = snrs(options.train_snr)
    recordings, noise = load(options.data), Noise(options.seed)

    def write(part, count, indices, lengths, conditions, draw):
        """Lists by the ratio's name, of one condition drawn for each recording or of all."""
        lists = {}
        os.makedirs(os.path.join(options.out, part), exist_ok=True)
        for k in range(count):
            rng = random.Random(f"{options.seed} {part} {k}")
            digits, samples, power = make_string(recordings, indices, lengths, rng)
            text = " ".join(WORDS[d] if options.text == "words" else str(d) for d in digits)
            for snr in [rng.choice(conditions)] if draw else conditions:
                suffix = "" if draw or snr is None else f"-{snr:g}"
                name = f"{part}/{k:05}{suffix}.wav"
                write_wav(os.path.join(options.out, name),
                          samples if snr is None else noise.added(samples, power, snr, rng))
                lists.setdefault(part + suffix, []).append(f"{name}\t{text}\n")
        for name, lines in lists.items():
            pathlib.Path(options.out, name + ".tsv").write_text("".join(lines), encoding="utf-8")

    write("train", options.train, range(10, 1000), (3, 9), train_snrs, True)
    write("valid", options.valid, range(5, 10), (3, 9), train_snrs, True)
    write("test", options.test, range(5), (3, 9), [None, 20, 10, 0], False)
    if options.long:
        write("test-long", 200, range(5), (10, 20), [None], False)


if __name__ == "__main__":
    main()
