#!/usr/bin/env python3
"""Lookback beside PyTorch and ONNX Runtime: the same models, the same sizes, measured in turn in one run.

    ./x bench peers [--rounds N] [--data DIR] [--only WORD...] [--json FILE]

The model is an encoder-decoder with one bidirectional LSTM layer (2 x 256), one LSTM decoder
layer (512) and attention: V 8000, E 256. Training is forward, backward, clipping to norm 1 and
Adam on 64 pairs of 16 x 16 tokens, on all cores; decoding is of 16 tokens into 16. In every round
everybody is measured once. On both sides the contender with the best median stands for its side:
eager or compiled, one thread or all of them, and where a row allows it the precision. `ratio` is
that of the medians; ratio_min and ratio_max are the least and the most of one round.
"""

import argparse
import gzip
import json
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

import torch

import peers_torch

ROOT = pathlib.Path(__file__).resolve().parent.parent
THREADS = sorted({1, torch.get_num_threads()})
ALL = THREADS[-1]


def cpu_info(key):
    with open("/proc/cpuinfo") as info:
        return next((line.split(":", 1)[1].strip() for line in info if line.startswith(key)), "")


FLAGS = set(cpu_info("flags").split())
CPU = cpu_info("model name") or "unknown"
HAS_BF16 = bool(FLAGS & {"avx512_bf16", "amx_bf16"})
HAS_INT8 = bool(FLAGS & {"avx512_vnni"})
NO_INT8 = None if HAS_INT8 else "this processor has no int8 products (AVX512-VNNI)"
NO_BF16 = None if HAS_BF16 else "this processor has no bf16 products (AVX512-BF16 or AMX)"


class Ours:
    """`lookback bench` that measures when asked."""

    def __init__(self, program, work, repeat, threads, *flags):
        command = [program, "bench", work, "--on-request", "--repeat", str(repeat), "--threads", str(threads), *flags]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.measure()

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


class Theirs:
    """A peer in this process."""

    def __init__(self, make, repeat, threads):
        self.threads, self.repeat = threads, repeat
        torch.set_num_threads(threads)
        self.peer = make()
        for _ in range(3):
            self.peer.run()

    def measure(self):
        torch.set_num_threads(self.threads)
        begin = time.perf_counter()
        amount = sum(self.peer.run() for _ in range(self.repeat))
        return amount / (time.perf_counter() - begin)

    def close(self):
        self.peer = None


class Row:
    """One comparison. Contenders are (name, function that makes one)."""

    def __init__(self, name, unit, ours, theirs, skipped=None):
        self.name, self.unit, self.ours, self.theirs, self.skipped = name, unit, ours, theirs, skipped

    def measure(self, rounds):
        head = {"name": self.name, "unit": self.unit, "cpu": CPU}
        if self.skipped:
            return head | {"skipped": self.skipped}
        sides = [ready(self.ours), ready(self.theirs)]
        if not sides[1]:
            return head | {"skipped": "no peer runs here; see the lines above"}
        speeds = [{name: [] for name in side} for side in sides]
        for _ in range(rounds):
            for side, values in zip(sides, speeds):
                for name, contender in side.items():
                    values[name].append(contender.measure())
        for side in sides:
            for contender in side.values():
                contender.close()
        medians = [{name: statistics.median(v) for name, v in values.items()} for values in speeds]
        best = [max(m, key=m.get) for m in medians]
        ratios = [a / b for a, b in zip(speeds[0][best[0]], speeds[1][best[1]])]
        mine, peer = medians[0][best[0]], medians[1][best[1]]
        return head | {
            "ours": mine, "ours_name": best[0], "peer": peer, "peer_name": best[1], "ratio": mine / peer,
            "ratio_min": min(ratios), "ratio_max": max(ratios), "all": medians[0] | medians[1],
        }


def ready(contenders):
    """Those that run; the others are named, with the reason: a machine may lack what compiling needs."""
    out = {}
    for name, make in contenders:
        try:
            out[name] = make()
        except Exception as error:  # whatever a peer could not do here
            print(f"peers: {name} left out: {str(error).strip().splitlines()[0]}", file=sys.stderr)
    return out


def ours(args, work, repeat, *flags, precisions=("f32",), threads=THREADS):
    return [(f"lookback {p}, {n} threads",
             lambda p=p, n=n: Ours(args.program, work, repeat, n, *flags, "--precision", p))
            for p in precisions if {"bf16": HAS_BF16, "int8": HAS_INT8}.get(p, True) for n in threads]


def torch_peers(peer, repeat, precisions=("f32",), threads=THREADS, compiled=(False, True), **options):
    version = torch.__version__.split("+")[0]
    out = []
    for p in precisions:
        for c in compiled:
            if p == "int8" and c:
                continue  # quantised modules do not compile
            for n in threads:
                name = f"PyTorch {version} {'compiled' if c else 'eager'} {p}, {n} threads"
                make = lambda p=p, c=c: peer(precision=p, compiled=c, **options)
                out.append((name, lambda make=make, n=n: Theirs(make, repeat, n)))
    return out


def onnx_peers(peer, repeat, folder, precisions=("f32",), **options):
    import peers_onnx  # slow to load, and only some rows need it
    return [(f"ONNX Runtime {peers_onnx.onnxruntime.__version__} {p}, {n} threads",
             lambda p=p, n=n: Theirs(lambda: getattr(peers_onnx, peer)(folder, precision=p, threads=n, **options),
                                     repeat, n))
            for p in precisions for n in THREADS]


FEEDING = ("--model.decoder.input-feeding",)
NO_FEEDING = ("--no-model.decoder.input-feeding",)
ADDITIVE = ("--model.decoder.attention", "bahdanau", "--model.score", "additive", *NO_FEEDING)
BOTH = ("f32", "bf16")
EVERY = (*BOTH, "int8")


def real_batches(data):
    """Sentence lengths of Multi30k in batches of 64, bucketed by length; every twentieth, so that a round is not an epoch."""
    sides = []
    for language in ("de", "en"):
        with gzip.open(pathlib.Path(data) / f"raw/train.{language}.gz", "rt", encoding="utf-8") as lines:
            sides.append([len(re.findall(r"\w+|[^\w\s]", line)) for line in lines])
    pairs = sorted((s, t + 1) for s, t in zip(*sides) if s and t)
    batches = [pairs[k:k + 64] for k in range(0, len(pairs) - 63, 64)]
    random.Random(1).shuffle(batches)
    return batches[::20]


def rows(args, folder):
    torch_training = lambda **o: torch_peers(peers_torch.Training, 3, threads=[ALL], **o)
    training = lambda *flags, **o: ours(args, "train", 3, *flags, threads=[ALL], **o)
    tokens = "target tokens/s"
    yield Row("train_luong_feed_f32", tokens, training(*FEEDING), torch_training())
    yield Row("train_luong_f32", tokens, training(*NO_FEEDING), torch_training(feeding=False))
    yield Row("train_additive_feed_f32", tokens, training(*ADDITIVE),
              torch_training(attention="additive", feeding=False))
    yield Row("train_luong_feed_bf16", tokens, training(*FEEDING, precisions=["bf16"]),
              torch_training(precisions=BOTH), NO_BF16)
    if args.data:
        batches = real_batches(args.data)
        lengths = pathlib.Path(folder) / "lengths"
        lengths.write_text("".join(" ".join(f"{s}:{t}" for s, t in b) + "\n" for b in batches))
        yield Row("train_ragged", tokens, ours(args, "train", len(batches), *FEEDING, "--lengths", str(lengths),
                                              threads=[ALL]),
                  torch_peers(peers_torch.RaggedTraining, len(batches), threads=[ALL], compiled=[False],
                              batches=batches))
    else:
        yield Row("train_ragged", tokens, [], [], "no --data DIR with Multi30k was given")
    layer = ("--source", "32")
    yield Row("lstm_f32", "GFLOP/s", ours(args, "lstm", 3, *layer, threads=[ALL]),
              torch_peers(peers_torch.Lstm, 3, threads=[ALL]))
    yield Row("lstm_bf16", "GFLOP/s", ours(args, "lstm", 3, *layer, threads=[ALL], precisions=["bf16"]),
              torch_peers(peers_torch.Lstm, 3, ["bf16"], threads=[ALL]), NO_BF16)
    yield Row("greedy_b1_f32", "tokens/s", ours(args, "decode", 20, "--batch", "1"),
              torch_peers(peers_torch.Decoding, 20) + onnx_peers("Decoding", 20, folder))
    yield Row("greedy_b1_int8", "tokens/s", ours(args, "decode", 20, "--batch", "1", precisions=["int8"]),
              torch_peers(peers_torch.Decoding, 20, EVERY) + onnx_peers("Decoding", 20, folder, ("f32", "int8")),
              NO_INT8)
    yield Row("greedy_b64_best", "tokens/s", ours(args, "decode", 3, precisions=EVERY),
              torch_peers(peers_torch.Decoding, 3, EVERY, batch=64)
              + onnx_peers("Decoding", 3, folder, ("f32", "int8"), batch=64))
    yield Row("beam5_b32_best", "tokens/s", ours(args, "decode", 3, "--batch", "32", "--beam", "5", precisions=EVERY),
              torch_peers(peers_torch.Decoding, 3, BOTH, batch=32, beam=5))
    yield Row("stream_step_b1", "steps/s",
              ours(args, "stream", 20, "--batch", "1", "--source", "64", precisions=EVERY),
              torch_peers(peers_torch.Streaming, 20, EVERY, kind="cell")
              + torch_peers(peers_torch.Streaming, 20, ("f32", "bf16"), kind="layer", compiled=[False])
              + onnx_peers("Streaming", 20, folder, ("f32", "int8")))


# Rows that are not two speeds: each gives ours and theirs once, or a share.

def share_row(args):
    """Of the machine's matrix products; measured in turn with them by `lookback bench` itself."""
    done = subprocess.run([args.program, "bench", "train", "--rounds", str(args.rounds), "--repeat", "3", *FEEDING],
                          check=True, capture_output=True, text=True)
    r = json.loads(done.stdout)
    return {"name": "train_share_f32", "unit": "share of the matmul peak", "cpu": CPU, "ours": r["gflops"],
            "peer": r["peak_gflops"], "peer_name": "oneDNN product 1024 x 1024 x 1024, packed",
            "ratio": r["share_of_peak"], "ratio_min": r["min"] / r["median"] * r["share_of_peak"],
            "ratio_max": r["max"] / r["median"] * r["share_of_peak"]}


def peak_mib(command):
    """Peak resident memory of a process, run to its end.

    Started by a small process of its own: the system counts the memory of the one that starts a process as that
    process's too, and this one is large.
    """
    script = ("import resource, subprocess, sys\n"
              "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    done = subprocess.run([sys.executable, "-c", script, *command], check=True, capture_output=True, text=True, cwd=ROOT)
    return int(done.stdout) / 1024


def memory_row(args):
    mine = peak_mib([args.program, "bench", "train", "--rounds", "2", "--repeat", "3", *FEEDING])
    script = "import sys; sys.path.insert(0, 'bench'); import peers_torch as p; t = p.Training(); [t.run() for _ in range(6)]"
    peer = peak_mib([sys.executable, "-c", script])
    return {"name": "train_memory", "unit": "MiB", "cpu": CPU, "ours": mine, "peer": peer,
            "peer_name": f"PyTorch {torch.__version__.split('+')[0]} eager", "ratio": mine / peer,
            "ratio_min": mine / peer, "ratio_max": mine / peer}


def long_memory_row(args):
    """Ours against ours: how peak memory grows with the source."""
    def peak(steps):
        return peak_mib([args.program, "bench", "train", "--rounds", "1", "--repeat", "1", "--batch", "1", "--source",
                         str(steps), *ADDITIVE])
    long, short = peak(16384), peak(1024)
    return {"name": "long_memory", "unit": "MiB", "cpu": CPU, "ours": long, "peer": short,
            "peer_name": "lookback, 1,024 source steps", "ratio": long / short, "ratio_min": long / short,
            "ratio_max": long / short}


STARTUP_RECIPE = """
task = "translate"
[data]
train = ["s", "t"]
valid = ["s", "t"]
[tokenizer]
kind = "word"
joint = true
[model]
encoder = { hidden = 448, bidirectional = true }
decoder = { hidden = 896 }
embedding = 384
[train]
max_steps = 1
"""


def startup_row(args):
    """From process start to the first translated sentence, with a model of 20 million parameters."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        text = "".join(" ".join(f"w{k}" for k in range(n, n + 8)) + "\n" for n in range(0, 3000, 8))
        (folder / "s").write_text(text), (folder / "t").write_text(text)
        (folder / "recipe.toml").write_text(STARTUP_RECIPE)
        subprocess.run([args.program, "train", folder / "recipe.toml", "--out", folder / "model", "--quiet"], check=True)
        size = (folder / "model/model.safetensors").stat().st_size / 4e6
        times = []
        for _ in range(3 * args.rounds):
            begin = time.perf_counter()
            process = subprocess.Popen([args.program, "predict", folder / "model", "--max-length", "8"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            process.stdin.write(b"w1 w2 w3 w4 w5 w6 w7 w8\n")
            process.stdin.close()
            process.stdout.readline()
            times.append(1e3 * (time.perf_counter() - begin))
            process.wait()
    median = statistics.median(times)
    return {"name": "startup_ms", "unit": f"ms, {size:.1f} million parameters", "cpu": CPU, "ours": median,
            "peer": median, "peer_name": "-", "ratio": median, "ratio_min": min(times), "ratio_max": max(times)}


def size_row(args):
    with tempfile.TemporaryDirectory() as folder:
        stripped = pathlib.Path(folder) / "lookback"
        subprocess.run(["strip", "-o", stripped, args.program], check=True)
        size = stripped.stat().st_size / 1e6
    return {"name": "program_mb", "unit": "MB", "cpu": CPU, "ours": size, "peer": size, "peer_name": "-",
            "ratio": size, "ratio_min": size, "ratio_max": size}


SINGLE = {"train_share_f32": share_row, "train_memory": memory_row, "startup_ms": startup_row,
          "long_memory": long_memory_row,
          "program_mb": size_row}


def say(row):
    if "skipped" in row:
        return print(f"{row['name']:<24} skipped: {row['skipped']}", flush=True)
    print(f"{row['name']:<24} ours {row['ours']:9.1f}  {row['peer_name']} {row['peer']:9.1f} {row['unit']}  "
          f"ratio {row['ratio']:.2f} ({row['ratio_min']:.2f} to {row['ratio_max']:.2f})", flush=True)


def section(done, rounds):
    """The rows as a section of a page."""
    lines = [f"## {CPU}, {ALL} thread{'s' if ALL > 1 else ''}", "",
             f"`./x bench peers --rounds {rounds}`; medians, in brackets the least and the most of one round.", "",
             "| row | ours | peer | unit | ratio |", "|---|---|---|---|---|"]
    for r in done:
        if "skipped" in r:
            lines.append(f"| {r['name']} | | | | skipped: {r['skipped']} |")
            continue
        peer = "" if r["peer_name"] == "-" else f"{r['peer']:,.1f} ({r['peer_name']})"
        mine = f"{r['ours']:,.1f}" + (f" ({r['ours_name']})" if "ours_name" in r else "")
        lines.append(f"| {r['name']} | {mine} | {peer} | {r['unit']} | {r['ratio']:.2f} "
                     f"({r['ratio_min']:.2f} to {r['ratio_max']:.2f}) |")
    return "\n".join(lines) + "\n"


def write_section(page, text):
    """Replaces the section of the same title, or adds it at the end."""
    page = pathlib.Path(page)
    parts = re.split(r"(?m)^(?=## )", page.read_text() if page.exists() else "# Results of the bench\n\n")
    title = text.splitlines()[0]
    same = [k for k, part in enumerate(parts) if part.splitlines()[:1] == [title]]
    if same:
        parts[same[0]] = text + ("" if same[0] == len(parts) - 1 else "\n")
    else:
        parts[-1] = parts[-1].rstrip("\n") + "\n\n"
        parts.append(text)
    page.write_text("".join(parts))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build/release/lookback"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="*", default=[], metavar="WORD", help="rows whose name holds one of these")
    parser.add_argument("--data", metavar="DIR", help="Multi30k, for the row that needs real lengths")
    parser.add_argument("--page", metavar="FILE", help="write this machine's section of a page there")
    parser.add_argument("--json", metavar="FILE", help="write the rows there too")
    args = parser.parse_args()
    args.program = str(pathlib.Path(args.program).resolve())
    wanted = lambda name: not args.only or any(word in name for word in args.only)
    done = []
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(args, folder):
            if wanted(row.name):
                done.append(row.measure(args.rounds))
                say(done[-1])
    for name, measure in SINGLE.items():
        if wanted(name):
            done.append(measure(args))
            say(done[-1])
    if args.page:
        write_section(args.page, section(done, args.rounds))
    if args.json:
        with open(args.json, "w") as out:
            json.dump(done, out, indent=2)
            out.write("\n")


if __name__ == "__main__":
    main()
