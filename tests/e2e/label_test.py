#!/usr/bin/env python3
"""Sequence labelling as a user does it: columns in and out, other files, turns of a dialogue, restored text, pictures."""
import json
import random
import re

import program as p

RECIPE = """task = "label"

[data]
layout = "conll"
train = "train.conll"
valid = "10 %"
test = "test.conll"

[model]
encoder = { hidden = 12 }
embedding = 16
forbid = "bio"
dropout = 0.1
word_dropout = 0.05

[train]
max_steps = 120
batch = 16
optimizer = { lr = 1e-2, clip = 1.0 }
validate_every = 40
keep = "span_f1"

[valid]
metric = "span_f1"
"""
PEOPLE, PLACES = "anna ben carla dora emil".split(), "paris rome new_york old_town".split()
OTHER = "we met in the town of and they saw was there".split()


def sentences(count, seed):
    """Words with tags: people, of one word or two; places behind "in", other words the same as persons elsewhere."""
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        words = []
        for _ in range(rng.randint(2, 5)):
            kind = rng.random()
            if kind < 0.3:
                words.append((rng.choice(PEOPLE), "B-PER"))
                if rng.random() < 0.4:
                    words.append((rng.choice(PEOPLE), "I-PER"))
                words.append(("and", "O"))
            elif kind < 0.6:
                place = rng.choice(PLACES).split("_")
                words += [("in", "O")] + [(w, "BI"[k > 0] + "-LOC") for k, w in enumerate(place)] + [(".", "O")]
            else:
                words.append((rng.choice(OTHER), "O"))
        out.append(words)
    return out


def conll(rows, columns=2):
    return [line for row in rows for line in [" ".join([w] + ["x"] * (columns - 2) + [t]) for w, t in row] + [""]]


class Label(p.Case):
    def data(self):
        folder = p.WORK / "tagged"
        if not folder.exists():
            folder.mkdir()
            (folder / "recipe.toml").write_text(RECIPE)
            for part, count, seed in (("train", 400, 1), ("test", 80, 2)):
                p.write_lines(folder / f"{part}.conll", conll(sentences(count, seed)))
        return folder

    def trained(self, *words, name="model"):
        folder = self.fresh(name)
        self.ok("train", self.data() / "recipe.toml", "--out", folder, "--quiet", *words)
        return folder

    def scores(self, *words):
        return dict(line.split()[:2] for line in self.ok("evaluate", *words).stdout.decode().splitlines() if "version:" in line)

    def test_it_learns_beats_the_baselines_and_tags_each_word(self):
        model = self.trained("--set", "train.max_steps=300", "--set", "train.validate_every=100")
        scores = self.scores(model)
        self.assertEqual(list(scores), ["span_f1", "span_precision", "span_recall", "accuracy", "macro_f1"])
        self.assertGreater(float(scores["span_f1"]), 95)
        blocks = [b.splitlines() for b in self.ok("baseline", self.data() / "recipe.toml").stdout.decode().split("\n\n")]
        self.assertEqual([b[0] for b in blocks], [f"{name}, data.{part}" for part in ("valid", "test")
                                                  for name in ("most frequent", "logistic regression")])
        for block in blocks:
            self.assertLess(float(block[1].split()[1]), float(scores["span_f1"]) + 1)
        out = self.ok("predict", model, stdin="we met anna ben and they\n\nin new york .\nzebra\n").stdout.decode().splitlines()
        self.assertEqual(out[0], "we/O met/O anna/B-PER ben/I-PER and/O they/O")
        self.assertEqual(out[1], "")
        self.assertEqual(out[2], "in/O new/B-LOC york/I-LOC ./O")
        self.assertRegex(out[3], r"^zebra/(O|B-\w+)$")
        self.assertEqual(self.ok("predict", model, "--in-format", "jsonl", stdin='{"tokens": ["in", "new", "york", "."]}\n').stdout,
                         b"in/O new/B-LOC york/I-LOC ./O\n")
        report = self.ok("evaluate", model, "--by", "type").stdout.decode()
        for row in ("type", "LOC", "PER", "tag", "B-LOC", "O"):
            self.assertRegex(report, rf"(?m)^{row} ")
        for ending in ("svg", "html", "json"):
            self.ok("evaluate", model, "--plot", p.WORK / f"confusion.{ending}")
            self.ok("explain", model, "--text", "we met anna in rome .", "--out", p.WORK / f"tags.{ending}")
        self.assertIn("anna/B-PER", (p.WORK / "tags.svg").read_text())
        self.assertIn("anna/B-PER", self.ok("explain", model, "--text", "we met anna in rome .").stdout.decode())

    def test_jsonl_has_the_probabilities_of_tags(self):
        model = self.trained()
        row, empty = map(json.loads, self.ok("predict", model, "--format", "jsonl", stdin="we met anna\n\n").stdout.splitlines())
        self.assertEqual(row["tokens"], ["we", "met", "anna"])
        self.assertEqual(len(row["tags"]), 3)
        for of_tag in row["probabilities"]:
            self.assertEqual(list(of_tag), ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"])
            self.assertAlmostEqual(sum(of_tag.values()), 1, 4)
        self.assertEqual(row["probabilities"][0]["I-LOC"], 0)
        self.assertLessEqual(row["outputs"][0]["log_prob"], 0)
        self.assertEqual((empty["tokens"], empty["tags"], empty["probabilities"]), ([], [], []))

    def test_columns_keep_their_lines(self):
        model = self.trained()
        text = "-DOCSTART- -X-\n\nwe x\nanna\ty\n\n\n \nin z\nrome z"
        out = self.ok("predict", model, "--in-format", "conll", stdin=text.replace("\ty", " y") + "\n").stdout.decode().split("\n")
        self.assertEqual(len(out), len(text.split("\n")) + 1)
        self.assertEqual([line for line in out if " " not in line.strip()], [line for line in text.split("\n") if not line.strip()] + [""])
        for before, after in zip(text.replace("\ty", " y").split("\n"), out):
            self.assertTrue(after == before if not before.strip() or before.startswith("-DOC") else
                            re.fullmatch(re.escape(before) + r" [A-Z-]+", after), after)
        path = p.WORK / "some.conllu"
        p.write_lines(path, ["# text = in rome", "1-2\tinrome\t_", "1\tin\t_", "2\trome\t_", "", "# end"])
        lines = self.ok("predict", model, "--in", path).stdout.decode().split("\n")
        self.assertEqual([line.count("\t") for line in lines], [0, 2, 3, 3, 0, 0, 0])
        self.assertEqual(self.ok("predict", model, "--in", path, "--columns", "1").stdout.count(b"\n"), 6)
        self.fails(3, "predict", model, "--in-format", "conll", stdin="a b\nc\n", says="standard input:2: has 1 column, and")
        self.fails(3, "predict", model, "--in-format", "conll", "--columns", "3", stdin="a b\n", says="column 3")
        self.fails(2, "predict", model, "--in-format", "conll", "--format", "jsonl", stdin="a b\n", says="--format")

    def test_the_promises_hold(self):
        sets = lambda *pairs: [w for pair in pairs for w in ("--set", pair)]
        kinds = {"crf": [], "softmax": sets("model.crf=false", "loss.smoothing=0.1"),
                 "letters": sets("model.characters.kind=lstm", "model.capitals=3", "model.forbid=none"),
                 "blocks": sets("model.encoder.hidden=256", "model.encoder.blocks.0.kind=convolution", "model.encoder.blocks.0.hidden=20",
                                "model.encoder.blocks.1.kind=self_attention", "model.encoder.blocks.1.heads=4",
                                "model.encoder.blocks.2.kind=bigru", "model.encoder.blocks.2.hidden=10",
                                "model.characters.kind=convolution")}
        source = "".join(" ".join(w for w, _ in row) + "\n" for row in sentences(50, 3)) + "\n"
        for kind, words in kinds.items():
            self.keeps_its_bits(kind, words, source)
        other = self.trained("--set", "train.seed=2", name="other")
        both = self.trained(name="first")
        self.assertEqual(self.ok("predict", both, other, stdin=source).stdout.count(b"\n"), 51)
        self.fails(3, "predict", both, self.trained("--set", "model.crf=false", name="plain"), stdin=source, says="an ensemble needs")

    def test_files_of_every_shape_train_the_same(self):
        data = self.data()
        rows = sentences(400, 1)
        p.write_lines(data / "all.conll", ["-DOCSTART- x x", ""] + conll(rows, 4))
        p.write_lines(data / "all.conllu", [line for row in rows for line in
                                            ["# one"] + [f"{k + 1}\t{w}\t_\t{t}\t_" for k, (w, t) in enumerate(row)] + [""]])
        p.write_lines(data / "all.txt", [" ".join(f"{w}/{t}" for w, t in row) for row in rows])
        p.write_lines(data / "all.jsonl", [json.dumps({"tags": [t for _, t in row], "tokens": [w for w, _ in row]}) for row in rows])
        p.write_lines(data / "all.tsv", [" ".join(w for w, _ in row) + "\t" + " ".join(t for _, t in row) for row in rows])
        p.write_lines(data / "words", [" ".join(w for w, _ in row) for row in rows])
        p.write_lines(data / "tags", [" ".join(t for _, t in row) for row in rows])
        steps = ["--set", "train.max_steps=20", "--set", "data.test=[]", "--set", "data.valid=test.conll"]
        # The validation data would have to be of the same shape, so all of it is training data here.
        hashes = {}
        for train, layout in (("all.conll", "conll"), ("all.conllu", "conllu"), ("all.txt", "tagged"), ("all.jsonl", "columns"),
                              ("all.tsv", "columns"), ("words,tags", "columns")):
            folder = self.trained("--set", f"data.train={train}", "--set", f"data.valid={train}", "--set", f"data.layout={layout}",
                                  "--set", "data.test=[]", "--set", "train.max_steps=20", name="shaped")
            hashes[train] = p.sha256(folder / "model.safetensors")
        self.assertEqual(len(set(hashes.values())), 1, hashes)

    def test_bad_input_is_left_out_and_counted_or_an_error(self):
        data = self.data()
        good = conll(sentences(60, 5))
        bad = {"ragged": (["a O", "b x O", ""], "has 3 columns, and its sentence begins with 2"),
               "forbidden": (["a O", "b I-PER", ""], "tags that bio forbids")}
        for name, (lines, why) in bad.items():
            p.write_lines(data / "bad.conll", good + lines)
            words = ["--set", "data.train=bad.conll", "--set", "data.valid=bad.conll", "--set", "data.test=[]", "--set", "train.max_steps=2",
                     "--set", "train.validate_every=2"]
            run = self.ok("train", data / "recipe.toml", "--out", self.fresh("bad"), *words)
            self.assertIn(why, run.stderr.decode() + run.stdout.decode(), name)
            self.fails(3, "train", data / "recipe.toml", "--out", self.fresh("bad"), *words, "--set", "data.bad_lines=stop",
                       says=f"bad.conll:{len(good) + (2 if name == 'ragged' else 1)}: {why}")
        p.write_lines(data / "other.jsonl", [json.dumps({"tokens": ["we", "met"], "tags": ["O"]})])
        model = self.trained("--set", "data.train=all.jsonl", "--set", "data.valid=all.jsonl", "--set", "data.layout=columns", "--set",
                             "data.test=[]", "--set", "train.max_steps=2", "--set", "train.validate_every=2") if (
            data / "all.jsonl").exists() else None
        if model:
            self.fails(3, "evaluate", model, "--data", data / "other.jsonl", says="example 1 has 2 tokens and 1 tags")
        fails = lambda says, *sets: self.fails(2, "train", data / "recipe.toml", "--out", self.fresh("no"), *[
            w for s in sets for w in ("--set", s)], says=says)
        fails("tokenizer.split = \"space\"", "tokenizer.kind=char")
        fails("set model.unit = \"token\"", "model.unit=text")
        fails("set model.crf = false", "loss.smoothing=0.1")
        fails("data.unseen is of", "data.unseen=true")
        fails("valid.metric = 'bleu'", "valid.metric=bleu", "train.keep=loss")
        fails("each has a tag of its own", "model.encoder.blocks.0.kind=pyramid", "model.encoder.hidden=256")

    def test_a_tag_for_each_turn_of_a_dialogue(self):
        """A question is answered by what follows it: only who reads the turn before knows an answer."""
        data = self.fresh("turns")
        data.mkdir()
        rng = random.Random(3)
        turns, labels = [], []
        for _ in range(300):
            said, tags = [], []
            for _ in range(rng.randint(2, 6)):
                asked = rng.random() < 0.5
                tags.append("2" if asked else "3" if tags and tags[-1] == "2" else "1")
                said.append(rng.choice(["what is it ?", "who came ?"]) if asked else rng.choice(["the rain", "anna came", "so it is"]))
            turns.append(" __eou__ ".join(said) + " __eou__")
            labels.append(" ".join(tags))
        for part, a, b in (("train", 0, 220), ("valid", 220, 260), ("test", 260, 300)):
            p.write_lines(data / f"{part}.txt", turns[a:b] + (turns[:7] if part == "test" else []))
            p.write_lines(data / f"{part}.labels", labels[a:b] + (labels[:7] if part == "test" else []))
        (data / "recipe.toml").write_text("""task = "label"
[data]
layout = "turns"
train = ["train.txt", "train.labels"]
valid = ["valid.txt", "valid.labels"]
test = ["test.txt", "test.labels"]
unseen = true
[model]
unit = "text"
encoder = { hidden = 8 }
texts = { encoder = { hidden = 8 } }
embedding = 12
[train]
max_steps = 200
batch = 16
optimizer = { lr = 1e-2 }
validate_every = 100
keep = "macro_f1"
[valid]
metric = "macro_f1"
""")
        model, alone = self.fresh("turns-model"), self.fresh("alone-model")
        run = self.ok("train", data / "recipe.toml", "--out", model)
        self.assertRegex(run.stderr.decode() + run.stdout.decode(), r"not read: \d+ dialogues")
        self.ok("train", data / "recipe.toml", "--out", alone, "--quiet", "--set", "model.texts.alone=true", "--set", "model.crf=false")
        self.assertGreater(float(self.scores(model)["macro_f1"]), 99)
        self.assertLess(float(self.scores(alone)["macro_f1"]), 90)
        line = "who came ? __eou__ anna came __eou__ so it is __eou__\n"
        self.assertEqual(self.ok("predict", model, stdin=line + "\n").stdout, b"2 3 1\n\n")
        self.assertEqual(self.ok("predict", model, "--in-format", "jsonl", stdin='{"texts": ["who came ?", "anna came"]}\n').stdout, b"2 3\n")
        row = json.loads(self.ok("predict", model, "--format", "jsonl", stdin=line).stdout)
        self.assertEqual(row["texts"], ["who came ?", "anna came", "so it is"])
        self.assertEqual([len(w) for w in row["words"]], [len(w[0]) for w in row["weights"]])
        self.ok("explain", model, "--text", line.strip(), "--out", p.WORK / "turns.svg")
        self.fails(2, "predict", model, "--in-format", "conll", stdin="a b\n", says="tags whole texts")
        one, two = self.fresh("one"), self.fresh("two")
        for folder, n in ((one, 1), (two, 2)):
            self.ok("train", data / "recipe.toml", "--out", folder, "--quiet", "--threads", n, "--set", "train.max_steps=20",
                    "--set", "train.validate_every=20")
        self.assertEqual(p.sha256(one / "model.safetensors"), p.sha256(two / "model.safetensors"))

    def test_case_and_punctuation_are_restored(self):
        data = self.fresh("plain")
        data.mkdir()
        rng = random.Random(4)
        lines = []
        for _ in range(500):
            name, place = rng.choice(PEOPLE).capitalize(), rng.choice(["Rome", "the USA", "McTown"])
            lines.append(rng.choice([f"Did you see {name} ?", f"Yes, {name} was in {place} .", f"No! I saw {name} in {place} ."]))
        for part, a, b in (("train", 0, 400), ("valid", 400, 450), ("test", 450, 500)):
            p.write_lines(data / f"{part}.txt", lines[a:b])
        (data / "recipe.toml").write_text("""task = "label"
[data]
layout = "restore"
train = "train.txt"
valid = "valid.txt"
test = "test.txt"
[model]
encoder = { hidden = 16 }
embedding = 16
[train]
max_steps = 200
batch = 16
optimizer = { lr = 1e-2 }
validate_every = 100
keep = "mark_f1"
[valid]
metric = "mark_f1"
""")
        model = self.fresh("restore-model")
        self.ok("train", data / "recipe.toml", "--out", model, "--quiet")
        scores = self.scores(model)
        self.assertEqual(list(scores), ["capital_f1", "mark_f1", "accuracy", "macro_f1"])
        self.assertGreater(float(scores["mark_f1"]), 98)
        out = self.ok("predict", model, stdin="did you see anna\nyes ben was in the usa\nNO, I saw ANNA in mctown!\n\n").stdout.decode()
        self.assertEqual(out, "Did you see Anna?\nYes, Ben was in the USA.\nNo! I saw Anna in McTown.\n\n")
        row = json.loads(self.ok("predict", model, "--format", "jsonl", stdin="did you see anna\n").stdout)
        self.assertEqual(row["tokens"], ["did", "you", "see", "anna"])
        self.assertEqual(row["outputs"][0]["text"], "Did you see Anna?")
        blocks = self.ok("baseline", data / "recipe.toml").stdout.decode().split("\n\n")
        self.assertIn("capital_f1", blocks[0])


if __name__ == "__main__":
    p.main()
