"""The built program under test, small data for it, and a model trained once per test file."""
import contextlib
import hashlib
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

PROGRAM = []  # the words it is started with
WORK = pathlib.Path()  # gone when the tests end

# Small enough to train in about a second; dropout, scheduled learning rate and averaging make a resume hard.
RECIPE = """task = "translate"

[data]
train = ["train.src", "train.tgt"]
valid = ["valid.src", "valid.tgt"]

[tokenizer]
kind = "char"

[model]
encoder = { cell = "lstm", layers = 1, hidden = 16, bidirectional = true }
decoder = { cell = "lstm", layers = 1, hidden = 24, attention = "luong", input_feeding = true }
score = "general"
embedding = 12
dropout = 0.1
word_dropout = 0.05

[train]
max_steps = 60
batch = 16
ema = 0.9
optimizer = { kind = "adam", lr = 1e-2, clip = 1.0 }
schedule = { kind = "inverse_sqrt", warmup = 10 }
validate_every = 20
keep = "loss"
log_every = 1

[valid]
metric = "chrf"

[decode]
beam = 3
"""

LETTERS = "abcdefgh"


def tensor(path, name, row, width):
    """One row of an f32 matrix in a safetensors file."""
    data = pathlib.Path(path).read_bytes()
    size = int.from_bytes(data[:8], "little")
    begin = json.loads(data[8:8 + size])[name]["data_offsets"][0] + 8 + size + 4 * row * width
    return struct.unpack(f"<{width}f", data[begin:begin + 4 * width])


def pairs(count, seed):
    """Words of a few letters; their translation is the letters in upper case, backwards."""
    rng = random.Random(seed)
    words = lambda: "".join(rng.choice(LETTERS) for _ in range(rng.randint(1, 6)))
    sources = [" ".join(words() for _ in range(rng.randint(1, 3))) for _ in range(count)]
    return [(s, s[::-1].upper()) for s in sources]


def write_lines(path, lines):
    pathlib.Path(path).write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def write_data(folder, count=200):
    folder.mkdir(parents=True, exist_ok=True)
    for name, n, seed in (("train", count, 1), ("valid", 40, 2), ("test", 60, 3)):
        made = pairs(n, seed)
        write_lines(folder / f"{name}.src", [s for s, _ in made])
        write_lines(folder / f"{name}.tgt", [t for _, t in made])
    (folder / "recipe.toml").write_text(RECIPE)


def command(*words, program=None):
    return [*(program or PROGRAM), *map(str, words)]


def environment(**changes):
    """A plain one: no LOOKBACK_* but the rung that a test is run on, no colours, one thread."""
    env = {k: v for k, v in os.environ.items()
           if (k == "LOOKBACK_CPU" or not k.startswith("LOOKBACK_")) and k not in ("NO_COLOR", "COLUMNS")}
    return env | {"OMP_NUM_THREADS": "1"} | changes


def run(*words, stdin=b"", env=None, program=None, **more):
    """What PROGRAM, or another one, did: returncode, stdout and stderr as bytes."""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    more = {"timeout": 120, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more
    return subprocess.run(command(*words, program=program), input=stdin, env=environment(**(env or {})), **more)


@contextlib.contextmanager
def started(*words, env=None, **more):
    """The running program; it does not outlive a test that fails."""
    with subprocess.Popen(command(*words), env=environment(**(env or {})), **more) as child:
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def log_of(model):
    """training/log.jsonl without what the clock said."""
    lines = (pathlib.Path(model) / "training" / "log.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "time"} for line in lines]


def shared_data(name):
    """A real data set beside the repository, or None; a missing one is printed and counted as a skip."""
    folder = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "data" / name
    return folder if folder.is_dir() else None


class Case(unittest.TestCase):
    """Fails with the program's own words."""

    def ok(self, *words, **more):
        done = run(*words, **more)
        self.assertEqual(done.returncode, 0, f"{words}: {done.stderr.decode(errors='replace')}")
        return done

    def fails(self, code, *words, says=(), **more):
        """Exits with `code` and one line on stderr that holds each of `says`."""
        done = run(*words, **more)
        talk = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, code, f"{words}: {talk}")
        errors = [line for line in talk.splitlines() if line.startswith("lookback: error: ")]
        self.assertEqual(len(errors), 1, f"{words}: {talk}")
        self.assertEqual(talk.splitlines()[-1], errors[0], talk)
        for part in [says] if isinstance(says, str) else says:
            self.assertIn(part, errors[0])
        return done

    def model(self):
        """A model of the small recipe, trained once; not to be changed."""
        folder = WORK / "model"
        if not folder.exists():
            write_data(WORK / "data")
            self.ok("train", WORK / "data/recipe.toml", "--out", folder, "--set", "train.max_steps=400", "--set",
                    "train.validate_every=100", "--quiet")
        return folder

    def results_of_sixty_steps(self, name, score, *flags, program=None):
        """SHA-256 of the weights, the log and the outputs of a model trained and run in f32, with sums over more
        elements than a vector of any instruction set has."""
        write_data(WORK / "data")
        out = self.fresh(name)
        self.ok("train", WORK / "data/recipe.toml", "--out", out, "--quiet", "--precision", "f32",
                "--set", "model.encoder.hidden=40", "--set", "model.decoder.hidden=72",
                "--set", "model.decoder.layers=2", "--set", f"model.score={score}", *flags, program=program, timeout=600)
        sources = "".join(s + "\n" for s, _ in pairs(120, 7))
        done = self.ok("predict", out, "--format", "jsonl", "--n-best", "2", "--beam", "4", "--precision", "f32", *flags,
                       stdin=sources, program=program, timeout=600)
        self.assertIn(b"outputs", done.stdout)
        return sha256(out / "model.safetensors"), log_of(out), done.stdout

    def keeps_its_bits(self, kind, words, source):
        """A model of a test case that has `trained` and `data`: the same weights for any number of
        threads and after a resume, the same outputs in any batch, and those of int8 from its export."""
        one, two = (sha256(self.trained(*words, "--threads", n, name=f"t{n}") / "model.safetensors") for n in (1, 2))
        self.assertEqual(one, two, kind)
        stopped = self.trained(*words, "--set", "train.max_steps=50", name="stopped")
        self.ok("train", self.data() / "recipe.toml", "--out", stopped, "--resume", "--quiet", *words)
        self.assertEqual(one, sha256(stopped / "model.safetensors"), kind)
        said = {b: self.ok("predict", stopped, "--format", "jsonl", "--batch", b, stdin=source).stdout for b in (1, 64)}
        self.assertEqual(said[1], said[64], kind)
        export = self.fresh("export")
        self.ok("export", stopped, "--out", export, "--quantize", "int8", "--quiet")
        self.assertEqual(self.ok("predict", stopped, "--precision", "int8", "--format", "jsonl", stdin=source).stdout,
                         self.ok("predict", export, "--format", "jsonl", stdin=source).stdout, kind)

    def fresh(self, name):
        """A folder name that is not there yet."""
        folder = WORK / name
        shutil.rmtree(folder, ignore_errors=True)
        return folder


def work_place():
    """Memory where there is plenty of it: the tests save thousands of files and wait for each to be on disk."""
    shm = "/dev/shm"
    roomy = os.path.isdir(shm) and os.access(shm, os.W_OK) and shutil.disk_usage(shm).free > 2 << 30
    return shm if roomy else None


def main():
    """Runs the tests of the file that calls; its last argument is the program."""
    global PROGRAM, WORK
    PROGRAM = [str(pathlib.Path(sys.argv.pop()).resolve())]
    with tempfile.TemporaryDirectory(prefix="lookback-e2e-", dir=work_place()) as work:
        WORK = pathlib.Path(work)
        outcome = unittest.main(exit=False, verbosity=2).result
    print(f"{outcome.testsRun} tests, {len(outcome.skipped)} skipped")
    sys.exit(0 if outcome.wasSuccessful() else 1)
