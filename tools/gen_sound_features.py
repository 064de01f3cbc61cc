#!/usr/bin/env python3
"""Records what torchaudio's copy of Kaldi says about sounds made here: tests/golden/sound/features.json.

usage: gen_sound_features.py [OUT.json]      needs torch, torchaudio; same output every time for the same versions
"""
import importlib.metadata
import json
import math
import os
import random
import sys

import torch
from torchaudio.compliance import kaldi
from torchaudio.functional import compute_deltas

# Our options, and the same in torchaudio's words.
NAMES = {"sample_rate": "sample_frequency", "bins": "num_mel_bins", "ceps": "num_ceps", "window_ms": "frame_length",
         "shift_ms": "frame_shift", "low": "low_freq", "high": "high_freq", "preemphasis": "preemphasis_coefficient",
         "window": "window_type", "snip_edges": "snip_edges"}
CASES = [{"kind": "fbank"}, {"kind": "mfcc"}, {"kind": "fbank", "sample_rate": 8000, "bins": 40, "window": "hamming"},
         {"kind": "fbank", "bins": 23, "window": "hanning", "snip_edges": False},
         {"kind": "fbank", "sample_rate": 11025, "bins": 30, "window_ms": 20.0, "shift_ms": 7.5, "snip_edges": False},
         {"kind": "fbank", "bins": 40, "low": 60.0, "high": -400.0, "preemphasis": 0.0},
         {"kind": "fbank", "bins": 24, "high": 3800.0, "shift_ms": 30.0},
         {"kind": "mfcc", "sample_rate": 8000, "bins": 40, "ceps": 40, "window": "hamming"},
         {"kind": "mfcc", "sample_rate": 44100, "ceps": 20, "window": "hanning", "snip_edges": False},
         {"kind": "mfcc", "deltas": 1}, {"kind": "mfcc", "deltas": 2},
         {"kind": "fbank", "sample_rate": 8000, "bins": 23, "deltas": 2, "snip_edges": False}]


def sound(rng, rate):
    """16-bit numbers: a gliding tone with overtones, noise, and a constant; somewhat over 0.1 s."""
    count = int(rate * 0.12) + rng.randint(0, 40)
    pitch, glide = rng.uniform(90, 250), rng.uniform(0, 1000)
    out = []
    for k in range(count):
        t = k / rate
        angle = 2 * math.pi * (pitch * t + glide * t * t)
        voice = sum(math.sin(h * angle) / h for h in range(1, 12))
        out.append(int(3000 * voice * math.exp(-4 * t) + rng.gauss(0, 300) + 150))
    return out


def with_deltas(rows, orders):
    """Kaldi's: each order is a filter over the rows themselves, the outermost of which are repeated beyond the ends."""
    reach = 2 * orders
    padded = torch.cat([rows[:1].repeat(reach, 1), rows, rows[-1:].repeat(reach, 1)]).T.unsqueeze(0)
    parts = [padded]
    for _ in range(orders):
        parts.append(compute_deltas(parts[-1], win_length=5))
    return torch.cat([p[0, :, reach:reach + len(rows)].T for p in parts], dim=1)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../tests/golden/sound/features.json")
    rng = random.Random(1)
    rows = []
    for options in CASES:
        rate = options.get("sample_rate", 16000)
        samples = sound(rng, rate)
        theirs = {NAMES[k]: v for k, v in options.items() if k in NAMES}
        theirs.setdefault("num_mel_bins", 80 if options["kind"] == "fbank" else 23)
        make = kaldi.fbank if options["kind"] == "fbank" else kaldi.mfcc
        # Kaldi's scale is that of 16-bit files.
        values = make(torch.tensor([samples], dtype=torch.float32), dither=0.0, **theirs)
        if "deltas" in options:
            values = with_deltas(values, options["deltas"])
        rows.append({"options": options, "samples": samples,
                     "rows": [[round(v, 5) for v in row] for row in values.tolist()]})
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        body = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
        f.write(f'{{\n"torchaudio": "{importlib.metadata.version("torchaudio")}",\n'
                f'"torch": "{torch.__version__.partition("+")[0]}",\n"cases": [\n{body}\n]\n}}\n')
    print(f"{path}: {len(rows)} cases", file=sys.stderr)


if __name__ == "__main__":
    main()
