#!/usr/bin/env python3
"""Sentences of a grammar of 200 words about ordinary things, spoken by eSpeak NG: recordings to learn speech recognition from.

usage: make_speech.py --out DIR [--seed N]      needs espeak-ng

Eight voices speak the training and the validation sentences, four others the test. Speed and pitch vary around each
voice's own. No test sentence is among those of training. Written are WAV files and the lists train.tsv, valid.tsv,
test.tsv: `path TAB text`, the path as seen from the list's folder. The same seed and eSpeak NG give the same bytes.
"""
import argparse
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys

# Each rule is a list of alternatives; a word in capitals is another rule.
GRAMMAR = {
    "SENTENCE": ["NP SEES NP", "NP SEES NP PLACE", "NP IS ADJECTIVE", "NP IS VERY ADJECTIVE AND ADJECTIVE", "NP GOES PLACE TIME",
                 "PERSON GIVES NP to PERSON", "TIME NP GOES PLACE", "please VERB NP PLACE", "do not VERB NP TIME",
                 "where is NP", "when does NP GO PLACE", "there are NUMBER NOUNS PLACE", "PERSON has NUMBER ADJECTIVE NOUNS",
                 "can you VERB NP for PERSON", "PERSON says that NP IS ADJECTIVE", "NP IS PLACE and NP IS PLACE",
                 "it is WEATHER TIME", "PERSON wants to VERB NP", "we need NUMBER NOUNS TIME", "who SEES NP PLACE"],
    "NP": ["the NOUN", "the ADJECTIVE NOUN", "a NOUN", "my NOUN", "your NOUN", "the COLOUR NOUN", "PERSON", "this NOUN"],
    "PERSON": "anna peter thomas julia robert my_mother my_father her_brother his_sister our_teacher the_doctor".split(),
    "SEES": "sees finds likes buys takes hears knows wants keeps brings".split(),
    "GIVES": "gives sends shows sells offers".split(),
    "IS": ["is", "was", "seems"],
    "GOES": "goes walks runs drives waits stays sleeps".split(),
    "GO": "go walk run stop wait".split(),
    "VERB": "open close clean move find bring paint wash repair call".split(),
    "NOUN": ("house garden table window door kitchen letter book picture horse cow bird fish cat dog apple orange cake cup plate bottle "
             "hat coat shirt clock chair boat train bus car bridge farmer baker child").split(),
    "NOUNS": "apples eggs cups plates books letters horses birds chairs flowers".split(),
    "ADJECTIVE": "old new small large heavy quiet clean dirty happy tired young beautiful cold".split(),
    "COLOUR": "red blue green yellow white black".split(),
    "VERY": ["very", "quite", "too", "really"],
    "AND": ["and", "but"],
    "NUMBER": "one two three four five six seven eight nine ten twelve twenty".split(),
    "PLACE": ["PREPOSITION the SPOT"],
    "PREPOSITION": "in near behind under across from".split(),
    "SPOT": "market station river forest school church city street park office hotel field".split(),
    "TIME": ["today", "tomorrow", "tonight", "in the morning", "at noon", "every day", "on DAY", "after lunch", "before dinner"],
    "DAY": "monday tuesday wednesday thursday friday saturday sunday".split(),
    "WEATHER": "raining snowing sunny windy".split(),
}
# name, voice of eSpeak NG, words a minute, pitch
TRAIN_VOICES = [("en-us+m1", 160, 45), ("en-us+f1", 170, 55), ("en-gb+m2", 150, 40), ("en-gb+f2", 165, 60),
                ("en-gb-scotland+m3", 155, 45), ("en-gb-x-rp+f3", 160, 50), ("en-029+m4", 150, 50), ("en-gb-x-gbclan+f4", 170, 55)]
TEST_VOICES = [("en-us+m7", 155, 40), ("en-gb+f5", 165, 58), ("en-gb-x-gbcwmd+m5", 160, 48), ("en-gb-x-rp+m6", 150, 42)]


def vocabulary():
    words = {w for alternatives in GRAMMAR.values() for a in alternatives for w in re.split(r"[ _]", a)}
    return sorted(w for w in words if w not in GRAMMAR)


def grow(rule, rng):
    out = []
    for word in rng.choice(GRAMMAR[rule]).split():
        out += grow(word, rng) if word in GRAMMAR else word.split("_")
    return out


def sentences(count, rng, taken):
    out = []
    while len(out) < count:
        text = " ".join(grow("SENTENCE", rng))
        if text not in taken:
            taken.add(text)
            out.append(text)
    return out


def speak(program, path, text, voice, rng):
    name, speed, pitch = voice
    result = subprocess.run([program, "-v", name, "-s", str(speed + rng.randint(-15, 15)), "-p", str(pitch + rng.randint(-8, 8)),
                             "-w", path, text], capture_output=True, text=True)
    if result.returncode != 0 or not os.path.isfile(path):
        sys.exit(f"make_speech: espeak-ng cannot speak as {name}: {result.stderr.strip()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--train", type=int, default=2000, help="how many")
    parser.add_argument("--valid", type=int, default=100, help="how many")
    parser.add_argument("--test", type=int, default=300, help="how many")
    options = parser.parse_args()
    program = shutil.which("espeak-ng")
    if program is None:
        sys.exit("make_speech: espeak-ng is missing; install it (Debian: espeak-ng)")
    taken = set()
    for part, count, voices in [("test", options.test, TEST_VOICES), ("valid", options.valid, TRAIN_VOICES),
                                ("train", options.train, TRAIN_VOICES)]:
        rng = random.Random(f"{options.seed} {part}")
        os.makedirs(os.path.join(options.out, part), exist_ok=True)
        lines = []
        for k, text in enumerate(sentences(count, rng, taken)):
            name = f"{part}/{k:05}.wav"
            speak(program, os.path.join(options.out, name), text, voices[k % len(voices)], rng)
            lines.append(f"{name}\t{text}\n")
        pathlib.Path(options.out, part + ".tsv").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
