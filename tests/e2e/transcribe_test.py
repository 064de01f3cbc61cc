#!/usr/bin/env python3
"""Speech into text as a user does it, with tones for words: recordings in, text with times out, and bad recordings."""
import array
import json
import math
import random
import re
import shutil
import struct
import subprocess
import wave

import program as p

RATE = 8000
TONES = {"a": 400, "b": 700, "c": 1100, "d": 1700}
RECIPE = """task = "transcribe"

[data]
train = "train.tsv"
valid = "valid.tsv"
test = "test.tsv"

[features]
sample_rate = 8000
bins = 20
normalise = "global"

[augment]
noise = 0.3
gain_db = 3
time_masks = 1
time_mask = 2

[model]
kind = "ctc"
encoder.blocks = [{ kind = "lstm", hidden = 24 }]

[train]
max_steps = 150
batch = 16
optimizer = { lr = 1e-2, clip = 1.0 }
schedule = { warmup = 20 }
validate_every = 75
keep = "loss"
log_every = 1

[valid]
metric = "cer"

[decode]
beam = 2
"""
# Every second row, and both ways: a model that attends.
ATTENDS = """
encoder.blocks = [{ kind = "convolution", hidden = 16, kernel = 3, stride = 2 }, { kind = "bilstm", hidden = 16 }]
decoder = { hidden = 32 }
embedding = 8
attention = 16
"""


def tone(frequency, seconds):
    n = round(seconds * RATE)
    return [0.3 * min(1, i / 80, (n - i) / 80) * math.sin(2 * math.pi * frequency * i / RATE) for i in range(n)]


def spoken(text, rng):
    """Samples, and of each letter when it begins and ends."""
    out, times = [], []
    pause = lambda: out.extend(rng.gauss(0, 0.001) for _ in range(round(rng.uniform(0.06, 0.15) * RATE)))
    pause()
    for letter in text:
        begin = len(out) / RATE
        out.extend(tone(TONES[letter], rng.uniform(0.1, 0.16)) if letter != " " else [0.0] * 800)
        times.append((letter, begin, len(out) / RATE))
        pause()
    return out, times


def write_wav(path, samples, rate=RATE, channels=1):
    values = array.array("h", [max(-32768, min(32767, round(32767 * x))) for x in samples for _ in range(channels)])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(values.tobytes())


def texts(count, seed, spaces=False):
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        word = "".join(rng.choice("abc") for _ in range(rng.randint(1, 3)))
        if spaces and rng.random() < 0.7:
            word += " " + "".join(rng.choice("abc") for _ in range(rng.randint(1, 2)))
        out.append(word)
    return out


def write_part(folder, part, count, seed, spaces=True):
    rng = random.Random(seed)
    (folder / part).mkdir(parents=True)
    said = texts(count, seed, spaces)
    for k, text in enumerate(said):
        write_wav(folder / part / f"{k}.wav", spoken(text, rng)[0])
    p.write_lines(folder / f"{part}.tsv", [f"{part}/{k}.wav\t{text}" for k, text in enumerate(said)])
    return said


class Transcribe(p.Case):
    models = {}

    @classmethod
    def setUpClass(cls):
        cls.folder = p.WORK / "sound"
        if cls.folder.exists():
            return
        cls.said = {part: write_part(cls.folder, part, count, seed)
                    for part, count, seed in (("train", 160, 1), ("valid", 16, 2), ("test", 24, 3))}
        Transcribe.said = cls.said
        cls.recipe = cls.folder / "recipe.toml"
        Transcribe.folder, Transcribe.recipe = cls.folder, cls.recipe
        cls.recipe.write_text(RECIPE)
        (cls.folder / "attends.toml").write_text(
            re.sub(r"encoder.blocks.*\n", ATTENDS, RECIPE).replace('"global"', '"utterance"').replace(
                '"ctc"', '"attention"').replace("max_steps = 150", "max_steps = 200"))

    def trained(self, recipe="recipe.toml", *settings):
        key = (recipe, *settings)
        if key not in self.models:
            model = self.models[key] = p.WORK / f"model{len(self.models)}"
            self.ok("train", self.folder / recipe, "--out", model, "--quiet", *self.set(*settings), timeout=300)
        return self.models[key]

    @staticmethod
    def set(*settings):
        return [w for s in settings for w in ("--set", s)]

    def joint(self):
        return self.trained("attends.toml", "model.kind=joint", "loss.ctc=0.5")

    def scores(self, *words):
        done = self.ok("evaluate", *words).stdout.decode()
        return {line.split()[0]: float(line.split()[1].rstrip("%")) for line in done.splitlines()}

    def listed(self, *paths):
        name = p.WORK / "list.txt"
        p.write_lines(name, paths)
        return name

    def test_paths(self):
        return [self.folder / "test" / f"{k}.wav" for k in range(len(self.said["test"]))]
