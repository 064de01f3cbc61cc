#!/usr/bin/env python3
"""Strings to strings as a user does it: features, several references, what is taken out of targets, several seeds."""
import gzip
import json
import random
import shutil
import signal
import time

import program as p

RECIPE = """task = "transduce"

[data]
train = "train.tsv"
valid = "valid.tsv"
test = "test.tsv"
features = true

[model]
encoder = { hidden = 24 }
decoder = { hidden = 32 }
score = "additive"
embedding = 16
dropout = 0.1

[loss]
smoothing = 0

[train]
max_steps = 60
batch = 20
optimizer = { lr = 1e-2, clip = 1.0 }
validate_every = 30
keep = "word_error_rate"

[decode]
beam = 3
"""
SPELLED = RECIPE.replace("features = true\n", 'target_remove = "[0-9]"\n').replace(
    "[model]", '[tokenizer]\ntarget = { kind = "word" }\n\n[model]')


def forms(count, seed):
    """Invented inflection: the past has a prefix and another ending, the plural another ending and a vowel that changes."""
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        stem = "".join(rng.choice(c) for c in ("bdgk", "ao", "lmnr"))
        past = rng.random() < 0.5
        form = f"ge{stem}t" if past else stem.replace("a", "ä") + "er"
        out.append((stem + "en", "pos=V,tense=PST" if past else "pos=N,num=PL", form))
    return out


def sounds(count, seed):
    """Letters and how they sound, with a stress; c is K or, now and then, S as well."""
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        word = "".join(rng.choice("abcd") for _ in range(rng.randint(1, 5)))
        for c in ("K", "S") if rng.random() < 0.3 and "c" in word else ("K",):
            out.append((word, " ".join({"a": f"AH{rng.randint(0, 2)}", "b": "B", "c": c, "d": "D"}[x] for x in word)))
    return out


def write_rows(path, rows):
    p.write_lines(path, ["\t".join(row) for row in rows])


class Transduce(p.Case):
    def data(self, name="forms", recipe=RECIPE, make=forms):
        folder = p.WORK / name
        if not folder.exists():
            folder.mkdir()
            (folder / "recipe.toml").write_text(recipe)
            for part, count, seed in (("train", 500, 1), ("valid", 40, 2), ("test", 60, 3)):
                write_rows(folder / f"{part}.tsv", make(count, seed))
        return folder

    def sounds(self):
        return self.data("sounds", SPELLED, sounds)

    def trained(self, *words, data=None, name="model"):
        folder = self.fresh(name)
        self.ok("train", (data or self.data()) / "recipe.toml", "--out", folder, "--quiet", *words)
        return folder

    def good(self):
        """A model that has learnt the forms, trained once; not to be changed."""
        folder = p.WORK / "good"
        return folder if folder.exists() else self.trained("--set", "train.max_steps=300", "--set",
                                                           "train.validate_every=100", name="good")

    def scores(self, *words):
        return {line.split()[0]: float(line.split()[1]) for line in self.ok("evaluate", *words).stdout.decode().splitlines()}

    def test_outputs_copy_characters_and_no_features(self):
        """With model.copy a character that no training has is written as the source has it."""
        out = self.fresh("copying")
        self.ok("train", self.data() / "recipe.toml", "--out", out, "--set", "model.copy=true", "--set",
                "train.max_steps=300", "--set", "train.validate_every=150")
        asked = p.WORK / "asked.tsv"
        p.write_lines(asked, ["\t".join(("b\u00e6nen", "pos=V,tense=PST")), "\t".join(("galen", "pos=N,num=PL"))])
        lines = self.ok("predict", out, "--in", asked).stdout.decode().splitlines()
        self.assertEqual(lines[1], "g\u00e4ler")
        self.assertIn("\u00e6", lines[0])

    def test_it_learns_and_beats_copying(self):
        scores = self.scores(self.good())
        self.assertEqual(list(scores), ["word_error_rate", "symbol_error_rate"])
        self.assertLess(scores["word_error_rate"], 5)
        blocks = [b.splitlines() for b in self.ok("baseline", self.data() / "recipe.toml").stdout.decode().split("\n\n")]
        self.assertEqual([b[0] for b in blocks], [f"{name}, data.{part}" for part in ("valid", "test") for name in
                                                  ("copy", "nearest pair", "nearest pair's change")])
        self.assertEqual([line.split()[0] for line in blocks[0][1:]], list(scores))
        self.assertEqual(float(blocks[3][1].split()[1]), 100)
        self.assertLess(float(blocks[5][1].split()[1]), 50)

    def test_inputs_come_in_every_shape(self):
        model = self.good()
        asked = [("baren", "pos=V,tense=PST"), ("galen", "pos=N,num=PL"), ("galen", "pos=V,tense=PST")]
        want = b"gebart\ng\xc3\xa4ler\ngegalt\n"
        self.assertEqual(self.ok("predict", model, stdin="".join(f"{s}\t{f}\n" for s, f in asked)).stdout, want)
        rows = "".join(json.dumps({"source": s, "features": f.split(",")}) + "\n" for s, f in asked)
        self.assertEqual(self.ok("predict", model, "--in-format", "jsonl", stdin=rows).stdout, want)
        table = p.WORK / "asked.csv"
        p.write_lines(table, ["lemma,tags"] + [f'{s},"{f}"' for s, f in asked])
        out = self.ok("predict", model, "--in", table, "--columns", "lemma", "tags").stdout.decode().splitlines()
        self.assertEqual(out, ["lemma,tags,target"] + [f'{s},"{f}",{t}' for (s, f), t in zip(asked, want.decode().split())])
        self.assertEqual(self.ok("predict", model, "--in-format", "jsonl", "--field", "features=pos=V,tense=PST",
                                 stdin='{"source": "baren", "features": "pos=V,tense=PST"}\n').stdout, b"gebart\n")
        n_best = self.ok("predict", model, "--format", "nbest", "--n-best", "3", stdin="baren\tpos=V,tense=PST\n").stdout
        self.assertEqual(len(n_best.splitlines()), 3)
        self.assertTrue(n_best.startswith(b"0 ||| gebart ||| LogProb= "))
        row = json.loads(self.ok("predict", model, "--format", "jsonl", stdin="baren\tpos=V,tense=PST\n").stdout)
        self.assertEqual(row["source"], ["pos=V", "tense=PST", "b", "a", "r", "e", "n"])
        self.assertEqual([len(r) for r in row["outputs"][0]["alignment"]], [7] * 7)

    def test_explain_shows_features_and_characters(self):
        picture = json.loads(self.explained("--out", p.WORK / "map.json"))
        text = json.dumps(picture)
        for piece in ('"pos=V"', '"tense=PST"', '"b"', '"t"'):
            self.assertIn(piece, text)
        drawn = self.ok("explain", self.good(), "--text", "baren", "--field", "features=pos=V,tense=PST").stdout.decode()
        self.assertIn("baren → gebart", drawn)
        self.fails(2, "explain", self.good(), "--text", "baren", says=["'features' is missing", "--field features="])
        self.assertIn(b"step 1", self.ok("explain", self.good(), "--text", "baren", "--field",
                                         "features=pos=V,tense=PST", "--steps").stdout.lower())

    def explained(self, *words):
        self.ok("explain", self.good(), "--text", "baren", "--field", "features=pos=V,tense=PST", *words)
        return (p.WORK / "map.json").read_text()

    def test_the_promises_hold(self):
        source = "".join(f"{s}\t{f}\n" for s, f, _ in forms(30, 4))
        one, two = (p.sha256(self.trained("--threads", n, name=f"t{n}") / "model.safetensors") for n in (1, 2))
        self.assertEqual(one, two)
        stopped = self.trained("--set", "train.max_steps=25", name="stopped")
        self.ok("train", self.data() / "recipe.toml", "--out", stopped, "--resume", "--quiet")
        self.assertEqual(one, p.sha256(stopped / "model.safetensors"))
        said = {b: self.ok("predict", stopped, "--format", "jsonl", "--batch", b, stdin=source).stdout for b in (1, 64)}
        self.assertEqual(said[1], said[64])
        export = self.fresh("export")
        self.ok("export", stopped, "--out", export, "--quantize", "int8", "--quiet")
        self.assertEqual(self.ok("predict", stopped, "--precision", "int8", "--format", "jsonl", stdin=source).stdout,
                         self.ok("predict", export, "--format", "jsonl", stdin=source).stdout)
        started = self.fresh("started")
        self.ok("train", self.data() / "recipe.toml", "--out", started, "--from", stopped, "--quiet")
        self.fails(2, "train", self.sounds() / "recipe.toml", "--out", self.fresh("other"), "--from", stopped,
                   says=["reads features", "data.features = false"])

    def test_files_of_every_shape_train_the_same(self):
        data, rows = self.data(), forms(500, 1)
        p.write_lines(data / "all.csv", ["id,target,source,features"] + [f'{k},{t},{s},"{f}"' for k, (s, f, t) in enumerate(rows)])
        p.write_lines(data / "all.jsonl", [json.dumps({"target": t, "source": s, "features": f}) for s, f, t in rows])
        for k, name in enumerate(("lemmas", "features", "forms")):
            p.write_lines(data / name, [row[k] for row in rows])
        (data / "all.tsv.gz").write_bytes(gzip.compress((data / "train.tsv").read_bytes()))
        want = p.sha256(self.trained("--set", "train.max_steps=10") / "model.safetensors")
        for train in ("all.csv", "all.jsonl", "all.tsv.gz", "lemmas,features,forms"):
            folder = self.trained("--set", f"data.train={train}", "--set", "train.max_steps=10", name="shaped")
            self.assertEqual(want, p.sha256(folder / "model.safetensors"), train)

    def test_any_pronunciation_is_right_and_stress_counts_nowhere(self):
        model = self.trained("--set", "train.max_steps=500", "--set", "train.validate_every=100", "--set",
                             "train.optimizer.lr=5e-3", data=self.sounds(), name="g2p")
        scores = self.scores(model)
        self.assertLess(scores["word_error_rate"], 5)
        self.assertEqual(self.ok("predict", model, stdin="abcd\n").stdout, b"AH B K D\n")
        rows = p.WORK / "rows.tsv"
        write_rows(rows, [("abcd", "X"), ("abcd", "AH7 B K D"), ("bad", "B AH2 D"), ("bad", "wrong"), ("dab", "wrong")])
        self.assertEqual(self.scores(model, "--data", rows)["word_error_rate"], 33.33)
        line = self.ok("evaluate", model, "--data", rows, "--confidence", "--resamples", "50").stdout.decode().splitlines()[0]
        self.assertIn("removed:[0-9]|nrefs:var|bs:50|", line)
        self.assertIn("μ", line)
        names = [b.split(",")[0] for b in self.ok("baseline", self.sounds() / "recipe.toml").stdout.decode().split("\n\n")]
        self.assertEqual(names, ["nearest pair"] * 2)

    def test_a_symbol_never_seen_an_empty_source_and_an_unknown_feature(self):
        done = self.ok("predict", self.good(), stdin="b\u4e16ren\tpos=V,tense=PST\n\tpos=V\nbaren\tpos=V,tense=FUT\nbaren\t\n")
        out = done.stdout.decode().splitlines()
        self.assertEqual(len(out), 4)
        self.assertEqual(out[1], "")
        self.assertIn("standard input:3: the model does not know the feature 'tense=FUT'", done.stderr.decode())
        out = self.ok("predict", self.good(), "--replace-unk", stdin="b\u4e16ren\tpos=V,tense=PST\n").stdout.decode()
        self.assertEqual(len(out.splitlines()), 1)

    def test_what_cannot_be_is_refused(self):
        model, recipe = self.good(), self.data() / "recipe.toml"
        train = ("train", recipe, "--out", self.fresh("none"))
        self.fails(3, "predict", model, stdin="baren\n", says=["standard input:1", "fewer columns than source, features"])
        self.fails(3, "predict", model, "--in-format", "jsonl", stdin='{"source": "baren"}\n', says="has no 'features'")
        self.fails(2, "predict", model, "--in-format", "lines", stdin="baren\n", says=["source, features", "tsv or jsonl"])
        self.fails(2, "predict", model, "--shortlist", "5", stdin="baren\tx\n", says="shortlist = 5")
        self.fails(2, *train, "--set", "data.target_remove=[0-9", says=["data.target_remove = '[0-9'", "no regular expression"])
        self.fails(2, *train, "--set", "model.tie=all", says="one vocabulary for both sides")
        self.fails(2, *train, "--set", "tokenizer.target.kind=bpe", says="tokenizer.target.kind")
        two = p.WORK / "two.tsv"
        write_rows(two, [(s, t) for s, _, t in forms(40, 5)])
        self.fails(3, "evaluate", model, "--data", two, says=["two.tsv:1", "a column is missing"])
        done = p.run(*train, "--set", f"data.train={two}")
        self.assertEqual(done.returncode, 3)
        blank = p.WORK / "blank.tsv"
        write_rows(blank, [("", "pos=V", "x"), ("a", "", "x"), ("a", "pos=V", "")] + forms(40, 6))
        report = self.ok("train", recipe, "--check", "--set", f"data.train={blank}").stdout.decode()
        for why in ("the source is empty: 1", "the features is empty: 1", "the target is empty: 1", "kept 40"):
            self.assertIn(why, report)

    def test_seeds_train_an_ensemble_that_can_be_stopped(self):
        recipe, out = self.data() / "recipe.toml", self.fresh("seeds")
        words = ("train", recipe, "--out", out, "--seeds", "3")
        done = self.ok(*words)
        self.assertIn(f"3 models; together: lookback evaluate {out}/seed-*", done.stderr.decode())
        folders = sorted(f.name for f in out.iterdir())
        self.assertEqual(folders, ["seed-1", "seed-2", "seed-3"])
        digests = {f: p.sha256(out / f / "model.safetensors") for f in folders}
        self.assertEqual(len(set(digests.values())), 3)
        second = self.trained("--seed", "2", name="second")
        self.assertEqual(p.sha256(second / "model.safetensors"), digests["seed-2"])
        scores = self.scores(*(out / f for f in folders))
        self.assertEqual(list(scores), ["word_error_rate", "symbol_error_rate"])
        self.fails(2, *words, says=["seed-1", "not empty"])
        self.fails(2, "train", recipe, "--out", second, "--seeds", "2", says="folder of one model")
        # One that has finished stays, one that was stopped goes on, one that is missing is trained.
        shutil.rmtree(out / "seed-3")
        shutil.rmtree(out / "seed-2")
        self.trained("--seed", "2", "--set", "train.max_steps=25", name="seeds/seed-2")
        self.ok(*words, "--resume", "--quiet")
        self.assertEqual(digests, {f: p.sha256(out / f / "model.safetensors") for f in folders})

    def test_a_signal_ends_all_seeds(self):
        out = self.fresh("stopped-seeds")
        log = out / "seed-1" / "training" / "log.jsonl"
        with p.started("train", self.data() / "recipe.toml", "--out", out, "--seeds", "2", "--quiet", "--set",
                       "train.max_steps=100000", "--set", "train.log_every=1") as child:
            begin = time.monotonic()
            while child.poll() is None and time.monotonic() - begin < 60 and not (log.exists() and b'"step"' in log.read_bytes()):
                time.sleep(0.01)
            child.send_signal(signal.SIGINT)
            self.assertEqual(child.wait(60), 130)
        self.assertEqual([f.name for f in out.iterdir()], ["seed-1"])


if __name__ == "__main__":
    p.main()
