"""What a comparison is made of: the machine, contenders that are measured when asked, and rows of two sides."""

import statistics
import sys
import time

import torch

from on_request import CPU, ROOT, Ours, cpu_info

THREADS = sorted({1, torch.get_num_threads()})
ALL = THREADS[-1]
FLAGS = set(cpu_info("flags").split())
HAS_BF16 = bool(FLAGS & {"avx512_bf16", "amx_bf16"})
HAS_INT8 = "avx2" in FLAGS
NO_INT8 = None if HAS_INT8 else "this processor has no fast int8 products (AVX2)"
NO_BF16 = None if HAS_BF16 else "this processor has no bf16 products (AVX512-BF16 or AMX)"
HAS_AMX = "amx_bf16" in FLAGS
# Two rows are defined as bf16 on AMX; processors with AVX512-BF16 alone have rows of other names.
NO_AMX = None if HAS_AMX else "defined as bf16 on AMX, which this processor lacks (no amx_bf16)"
NO_AVX512_BF16 = "this processor has AMX: see the row without avx512" if HAS_AMX else NO_BF16
ONE_CORE = "this machine has one core: see the row without _1t" if ALL == 1 else None


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
    """One comparison. Contenders are (name, function that makes one); without any of ours the peers are measured alone."""

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
        peer_name = max(medians[1], key=medians[1].get)
        if not sides[0]:
            return head | {"peer": medians[1][peer_name], "peer_name": peer_name, "all": medians[1]}
        best = [max(medians[0], key=medians[0].get), peer_name]
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


def torch_name(how, precision, threads):
    return f"PyTorch {torch.__version__.split('+')[0]} {how} {precision}, {threads} threads"


def onnxruntime_name(how, precision, threads):
    import onnxruntime  # slow to load, and only some rows need it
    return " ".join(f"ONNX Runtime {onnxruntime.__version__} {how} {precision}, {threads} threads".split())


def torch_peers(peer, repeat, precisions=("f32",), threads=THREADS, compiled=(False, True), **options):
    out = []
    for p in precisions:
        for c in compiled:
            if p == "int8" and c:
                continue  # quantised modules do not compile
            for n in threads:
                name = torch_name("compiled" if c else "eager", p, n)
                make = lambda p=p, c=c: peer(precision=p, compiled=c, **options)
                out.append((name, lambda make=make, n=n: Theirs(make, repeat, n)))
    return out


def onnx_peers(peer, repeat, folder, precisions=("f32",), **options):
    import peers_onnx  # slow to load
    return [(onnxruntime_name("", p, n),
             lambda p=p, n=n: Theirs(lambda: getattr(peers_onnx, peer)(folder, precision=p, threads=n, **options),
                                     repeat, n))
            for p in precisions for n in THREADS]
