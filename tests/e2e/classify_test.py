#!/usr/bin/env python3
"""Classification as a user does it: files of several shapes, a label for each line, all probabilities, pictures."""
import gzip
import json
import random
import re

import program as p

RECIPE = """task = "classify"

[data]
layout = "label_first"
train = "train.txt"
valid = "10 %"
test = "test.txt"

[tokenizer]
split = "space"

[model]
encoder = { hidden = 12 }
embedding = 16
dropout = 0.1

[train]
max_steps = 120
batch = 16
optimizer = { lr = 1e-2, clip = 1.0 }
validate_every = 40
keep = "accuracy"
"""
GOOD, BAD, OTHER = "fine lovely warm bright".split(), "dull cold bleak grim".split(), "a day in the town with some rain".split()


def texts(count, seed):
    """Reviews: a word of praise or blame among others; "not" before it turns it round."""
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        good, turned = rng.random() < 0.5, rng.random() < 0.3
        words = [rng.choice(OTHER) for _ in range(rng.randint(2, 6))]
        at = rng.randrange(len(words) + 1)
        words[at:at] = ["not"] * turned + [rng.choice(GOOD if good else BAD)]
        out.append(("good" if good != turned else "bad", " ".join(words)))
    return out


class Classify(p.Case):
    def data(self, name="reviews"):
        folder = p.WORK / name
        if not folder.exists():
            folder.mkdir()
            (folder / "recipe.toml").write_text(RECIPE)
            for part, count, seed in (("train", 600, 1), ("test", 100, 2)):
                p.write_lines(folder / f"{part}.txt", [f"{label} {text}" for label, text in texts(count, seed)])
        return folder

    def trained(self, *words, name="model"):
        folder = self.fresh(name)
        self.ok("train", self.data() / "recipe.toml", "--out", folder, "--quiet", *words)
        return folder

    def test_it_learns_beats_the_baselines_and_labels_each_line(self):
        model = self.trained("--set", "train.max_steps=400", "--set", "train.validate_every=100")
        scores = dict(line.split()[:2] for line in self.ok("evaluate", model).stdout.decode().splitlines())
        self.assertEqual(list(scores), ["accuracy", "macro_f1", "mcc", "auc", "ece"])
        self.assertGreater(float(scores["accuracy"]), 95)
        blocks = [b.splitlines() for b in
                  self.ok("baseline", self.data() / "recipe.toml").stdout.decode().split("\n\n")]
        self.assertEqual([b[0] for b in blocks], [f"{name}, data.{part}" for part in ("valid", "test") for name in
                                                  ("majority", "naive Bayes", "logistic regression")])
        for block in blocks:
            self.assertLess(float(block[1].split()[1]), float(scores["accuracy"]) + 1)
        out = self.ok("predict", model, stdin="a lovely day\nnot a lovely day\n\nzebra\n").stdout.decode().splitlines()
        self.assertEqual(len(out), 4)
        self.assertTrue(set(out) <= {"good", "bad"}, out)
        self.assertEqual(out[0], "good")

    def test_jsonl_has_all_probabilities_and_the_weights(self):
        model = self.trained("--set", "model.pooling.hops=2", "--set", "loss.penalty=0.1")
        row = json.loads(self.ok("predict", model, "--format", "jsonl", stdin="a lovely day\n").stdout)
        self.assertAlmostEqual(sum(o["score"] for o in row["outputs"]), 1, 6)
        self.assertEqual({o["text"] for o in row["outputs"]}, {"good", "bad"})
        self.assertGreaterEqual(row["outputs"][0]["score"], row["outputs"][1]["score"])
        self.assertEqual(row["tokens"], ["a", "lovely", "day"])
        self.assertEqual([len(hop) for hop in row["weights"]], [3, 3])
        for hop in row["weights"]:
            self.assertAlmostEqual(sum(hop), 1, 4)
        empty = json.loads(self.ok("predict", model, "--format", "jsonl", stdin="\n").stdout)
        self.assertEqual((empty["tokens"], empty["weights"]), ([], []))
        self.assertEqual(self.ok("predict", model, "--in-format", "jsonl", stdin='{"text": "a lovely day"}').stdout.decode(),
                         row["outputs"][0]["text"] + "\n")

    def test_the_promises_hold(self):
        kinds = {"additive": [], "last": ["--set", "model.pooling.kind=last"], "mean": ["--set", "model.pooling.kind=mean"],
                 "blocks": ["--set", "model.pooling.kind=max", "--set", "model.encoder.hidden=256",
                            "--set", "model.encoder.blocks.0.kind=convolution", "--set", "model.encoder.blocks.0.hidden=20",
                            "--set", "model.encoder.blocks.1.kind=bigru", "--set", "model.encoder.blocks.1.hidden=10",
                            "--set", "model.encoder.blocks.2.kind=self_attention", "--set", "model.encoder.blocks.2.heads=4",
                            "--set", "model.encoder.blocks.2.feed_forward=30", "--set", "model.encoder.blocks.2.relative=4"],
                 "letters": ["--set", "model.characters.kind=lstm", "--set", "model.capitals=3", "--set", "loss.class_weights=balanced"],
                 "documents": ["--set", "model.hierarchical=true", "--set", "model.sentences.encoder.hidden=7", "--set",
                               "model.characters.kind=convolution", "--set", "model.sentences.ends=day,."],
                 "several": ["--set", "label.several=true", "--set", "loss.class_weights=good=2"]}
        source = "".join(text + "\n" for _, text in texts(50, 3))
        for kind, words in kinds.items():
            self.keeps_its_bits(kind, words, source)

    def test_files_of_every_shape_train_the_same(self):
        data = self.data()
        rows = texts(600, 1)
        p.write_lines(data / "all.tsv", [f"{text}\t{label}" for label, text in rows])
        p.write_lines(data / "all.csv", ["id,label,text"] + [f'{k},{label},"{text}"' for k, (label, text) in enumerate(rows)])
        p.write_lines(data / "all.jsonl", [json.dumps({"label": label, "text": text}) for label, text in rows])
        p.write_lines(data / "marked.txt", [f"__label__{label} {text}" for label, text in rows])
        p.write_lines(data / "texts", [text for _, text in rows])
        p.write_lines(data / "labels", [label for label, _ in rows])
        want = p.sha256(self.trained("--set", "train.max_steps=20") / "model.safetensors")
        for train, layout in (("marked.txt", "label_first"), ("all.tsv", "columns"), ("all.csv", "columns"),
                              ("all.jsonl", "columns"), ("texts,labels", "columns")):
            folder = self.trained("--set", f"data.train={train}", "--set", f"data.layout={layout}", "--set",
                                  "data.test=[]", "--set", "train.max_steps=20", name="shaped")
            self.assertEqual(want, p.sha256(folder / "model.safetensors"), train)

    def test_several_labels_names_and_weights(self):
        """Two questions in one: whether it praises, and whether there is rain; a text may have both, one or none."""
        data = self.fresh("several")
        data.mkdir()
        rows = []
        for label, text in texts(500, 7):
            labels = ["praise"] * (label == "good") + ["weather"] * ("rain" in text)
            rows.append((labels, text))
        p.write_lines(data / "train.jsonl", [json.dumps({"label": labels, "text": text}) for labels, text in rows[:400]])
        p.write_lines(data / "test.csv", ["text,label"] + [f'{text},"{",".join(reversed(labels))}"' for labels, text in rows[400:]])
        (data / "recipe.toml").write_text(RECIPE.replace('layout = "label_first"\n', "").replace("train.txt", "train.jsonl").replace(
            "test.txt", "test.csv").replace("[model]", '[label]\nseveral = true\nnames = ["weather=Weather"]\n\n[model]'))
        model = self.fresh("several-model")
        self.ok("train", data / "recipe.toml", "--out", model, "--quiet", "--set", "train.max_steps=500")
        report = self.ok("evaluate", model, "--by", "label").stdout.decode().splitlines()
        scores = dict(line.split()[:2] for line in report[:5])
        self.assertEqual(list(scores), ["accuracy", "macro_f1", "micro_f1", "auc", "ece"])
        self.assertGreater(float(scores["micro_f1"]), 95)
        self.assertIn("labels:several", report[1])
        self.assertEqual([line.split()[0] for line in report[6:]], ["label", "praise", "Weather"])
        out = self.ok("predict", model, stdin="a lovely day with rain\na cold town\nsome rain\n").stdout.decode()
        self.assertEqual(out, "praise,Weather\n\nWeather\n")
        row = json.loads(self.ok("predict", model, "--format", "jsonl", stdin="some rain\n").stdout)
        self.assertEqual([x["label"] for x in row["probabilities"]], ["Weather", "praise"])
        self.fails(2, "evaluate", model, "--plot", p.WORK / "no.svg", says="one label")
        blocks = self.ok("baseline", data / "recipe.toml").stdout.decode().split("\n\n")
        self.assertIn("micro_f1", blocks[-1])
        lines = "a,b\n\nb\n"
        (data / "gold").write_text(lines)
        self.assertIn("micro_f1|", self.ok("metric", "micro_f1", "--separator", ",", "--ref", data / "gold",
                                           stdin=lines).stdout.decode())
        self.fails(2, "train", data / "recipe.toml", "--out", self.fresh("no"), "--set", "valid.metric=mcc", "--set",
                   "train.keep=mcc", says="micro_f1")

    def test_labels_by_name_and_the_confusion_matrix(self):
        model = self.trained("--set", "label.names=good=Praise,bad=Blame", "--set", "train.max_steps=300")
        self.assertIn(self.ok("predict", model, stdin="a lovely day\n").stdout, (b"Praise\n", b"Blame\n"))
        report = self.ok("evaluate", model, "--by", "label", "--confidence", "--resamples", "50").stdout.decode()
        self.assertRegex(report, r"(?m)^auc [\d.]+ \(μ = ")
        self.assertRegex(report, r"(?m)^Blame +[\d.]+ +[\d.]+ +[\d.]+ +\d+$")
        self.assertRegex(report, r"(?m)^gold \\ predicted +Blame +Praise +recall$")
        for ending in ("svg", "html", "json"):
            self.ok("evaluate", model, "--plot", p.WORK / f"confusion.{ending}")
        self.assertIn("Praise", (p.WORK / "confusion.svg").read_text())
        config = json.loads((model / "config.json").read_text())
        self.assertNotEqual(config["temperature"], 1)
        self.fails(2, "evaluate", model, "--plot", p.WORK / "confusion.txt", says="the ending says what to draw")
        fails = lambda says, *sets: self.fails(2, "train", self.data() / "recipe.toml", "--out", self.fresh("no"), *[
            w for s in sets for w in ("--set", s)], says=says)
        fails("data.train has no label 'god'; did you mean 'good'?", "label.names=god=Praise")
        fails("training has no label 'god'; did you mean 'good'?", "loss.class_weights=god=2")
        for weight in ("-2", "2x", "", "inf"):
            fails("is not LABEL=WEIGHT", f"loss.class_weights=good={weight}")
        fails("model.characters and model.capitals need them", "tokenizer.kind=bpe", "tokenizer.sampling=0.1", "model.capitals=2",
              "tokenizer.size=60", "tokenizer.split=punctuation")

    def test_naive_bayes_beside_a_network(self):
        """A network that has learnt nothing yet says what the counted words say, as naive Bayes would."""
        accuracy = lambda model, *args: float(self.ok("evaluate", model, *args).stdout.split()[1])
        early = "--set", "train.max_steps=1"
        alone = self.trained(*early, name="early-alone")
        beside = self.trained(*early, "--set", "beside.kind=naive_bayes", name="early-beside")
        said = self.ok("baseline", self.data() / "recipe.toml").stdout.decode()
        counted = [block for block in said.split("\n\n") if block.startswith("naive Bayes, data.test")]
        self.assertEqual(len(counted), 1, said)
        self.assertAlmostEqual(accuracy(beside), float(counted[0].split("accuracy")[1].split()[0]), delta=6)
        self.assertGreater(accuracy(beside), accuracy(alone) + 5)
        config = json.loads((beside / "config.json").read_text())
        self.assertGreater(config["share"], 0)
        self.assertEqual(accuracy(beside, "--threads", "1"), accuracy(beside))
        self.ok("predict", beside, beside, stdin="a lovely day\n")
        self.ok("predict", beside, alone, stdin="a lovely day\n")
        counts = beside / "naive_bayes.safetensors"
        counts.write_bytes(counts.read_bytes()[:-4])
        self.fails(3, "predict", beside, stdin="a lovely day\n", says="naive_bayes.safetensors")
        counts.unlink()
        self.fails(4, "predict", beside, stdin="a lovely day\n", says="naive_bayes.safetensors")

    def test_word_vectors_from_a_file(self):
        data = self.data()
        rng = random.Random(5)
        words = GOOD + BAD + OTHER + ["splendid", "dismal", "unheard"]
        sign = lambda w: 1 if w in GOOD + ["splendid"] else -1 if w in BAD + ["dismal"] else 0
        vectors = {w: [round(rng.gauss(0, 0.1), 3) for _ in range(15)] + [float(sign(w))] for w in words}
        lines = [w + " " + " ".join(map(str, v)) for w, v in vectors.items()]
        p.write_lines(data / "vectors.txt", lines)
        (data / "vectors.vec.gz").write_bytes(gzip.compress("\n".join([f"{len(lines)} 16"] + lines).encode() + b"\n"))
        args = ["--set", "vectors.file=vectors.txt", "--set", "vectors.words=1000", "--set", "train.freeze=embedding.weight"]
        model = self.fresh("vectors")
        said = self.ok("train", data / "recipe.toml", "--out", model, *args, "--set", "train.max_steps=300").stderr.decode()
        self.assertRegex(said, r"vectors: \S*vectors.txt \(GloVe, \d+ words\): (\d+) of \d+ entries \([\d.]+ %\)")
        # Words that training has not are known by their vectors, which stayed as they were.
        self.assertEqual(self.ok("predict", model, stdin="a splendid day\na dismal day\n").stdout, b"good\nbad\n")
        vocabulary = json.loads((model / "tokenizer.json").read_text())["model"]["vocab"]
        self.assertIn("splendid", vocabulary)
        row = p.tensor(model / "model.safetensors", "embedding.weight", vocabulary["splendid"], 16)
        for got, want in zip(row, vectors["splendid"]):
            self.assertAlmostEqual(got, want, 6)
        # The same bits from another format; frozen for one epoch only they move; a resumed run does not differ.
        short = [*args, "--set", "train.max_steps=60"]
        one = p.sha256(self.trained(*short, name="plain") / "model.safetensors")
        self.assertEqual(one, p.sha256(self.trained(*short, "--set", "vectors.file=vectors.vec.gz", name="zipped") / "model.safetensors"))
        thawed = [*short, "--set", "train.thaw_epochs=1"]
        two = p.sha256(self.trained(*thawed, name="thawed") / "model.safetensors")
        self.assertNotEqual(one, two)
        stopped = self.trained(*thawed, "--set", "train.max_steps=20", name="stopped")
        self.ok("train", data / "recipe.toml", "--out", stopped, "--resume", "--quiet", *thawed)
        self.assertEqual(two, p.sha256(stopped / "model.safetensors"))
        fails = lambda code, says, *sets: self.fails(code, "train", data / "recipe.toml", "--out", self.fresh("no"), *[
            w for s in sets for w in ("--set", s)], says=says)
        fails(2, "have a width of 16; set model.embedding = 16", "vectors.file=vectors.txt", "model.embedding=15")
        fails(2, "needs vectors.file", "vectors.words=5")
        fails(2, "tokenizer.kind = 'char' has others", "vectors.words=5", "vectors.file=vectors.txt", "tokenizer.kind=char",
              "tokenizer.split=punctuation")
        fails(2, "train.thaw_epochs = 1 has no meaning without train.freeze", "train.thaw_epochs=1")
        p.write_lines(data / "uneven.txt", ["a 1 2", "b 1 2", "c 1"])
        fails(3, "uneven.txt:3:", "vectors.file=uneven.txt")
        p.write_lines(data / "liar.vec", ["5 2", "a 1 2", "b 1 2"])
        fails(3, "liar.vec", "vectors.file=liar.vec")
        fails(4, "no.txt", "vectors.file=no.txt")

    def test_a_csv_keeps_its_columns(self):
        model = self.trained()
        table = p.WORK / "table.csv"
        table.write_text('id,review,text\n1,"a ""fine"", long\nday",x\n2,a cold town,"y, z"\n')
        out = self.ok("predict", model, "--in", table, "--columns", "review").stdout.decode()
        self.assertRegex(out, r'^id,review,text,label\n1,"a ""fine"", long\nday",x,(good|bad)\n2,a cold town,"y, z",(good|bad)\n$')
        plain = self.ok("predict", model, "--in", table, "--columns", "review", "--format", "text").stdout.decode()
        self.assertEqual(plain.split(), re.findall(r",(good|bad)\n", out))
        # By the name of the field; a label that is there stays.
        table.write_text("label,text\ngood,a day\n")
        self.assertRegex(self.ok("predict", model, "--in", table).stdout.decode(),
                         r"^label,text,predicted_label\ngood,a day,(good|bad)\n$")
        table.write_text("text\na day\n1,2\n")
        done = self.fails(3, "predict", model, "--in", table, says="table.csv:3: has 2 cells, the header has 1")
        self.assertRegex(done.stdout.decode(), r"^text,label\na day,(good|bad)\n$")
        table.write_text('text\n"a day\n')
        self.fails(3, "predict", model, "--in", table, says="table.csv:2: a quote is not closed")
        table.write_text("txt\na day\n")
        self.fails(3, "predict", model, "--in", table, says="table.csv:1: has no column 'text'; did you mean 'txt'?")
        table.write_text("")
        self.fails(3, "predict", model, "--in", table, says="is empty, without the names of its columns")
        self.fails(2, "predict", model, "--format", "csv", stdin="a\n", says="adds a column to a csv input")
        self.fails(2, "predict", model, "--columns", "a", stdin="a\n", says="are of a csv input")

    def test_documents_of_sentences(self):
        model = self.trained("--set", "model.hierarchical=true", "--set", "model.sentences.encoder.hidden=8", "--set",
                             "model.sentences.ends=day", name="documents")
        row = json.loads(self.ok("predict", model, "--format", "jsonl", stdin="a day some lovely town day day grim\n").stdout)
        self.assertEqual(row["sentences"], [2, 5, 1])
        self.assertAlmostEqual(sum(row["sentence_weights"][0]), 1, 5)
        for begin, n in ((0, 2), (2, 5), (7, 1)):
            self.assertAlmostEqual(sum(row["weights"][0][begin:begin + n]), 1, 5)
        self.ok("explain", model, "--text", "some a day a lovely town", "--out", p.WORK / "document.json")
        drawn = json.loads((p.WORK / "document.json").read_text())
        self.assertEqual([part["words"] for part in drawn["parts"]], [3, 3])
        long = " ".join(["a day in the town with some rain ."] * 11200)
        self.assertIn(self.ok("predict", model, stdin=long + "\n").stdout, (b"good\n", b"bad\n"))
        self.assertIn(self.ok("predict", self.trained(), stdin=long + "\n").stdout, (b"good\n", b"bad\n"))
        self.fails(2, "train", self.data() / "recipe.toml", "--out", self.fresh("no"), "--set", "model.sentences.encoder.hidden=3",
                   says="has no meaning without model.hierarchical = true")

    def test_explain_shades_the_words(self):
        model = self.trained()
        text = self.ok("explain", model, "--text", "a not lovely day", env={"COLUMNS": "60"}).stdout.decode()
        self.assertIn("lovely", text)
        self.assertRegex(text, r"(?m)^good\s.*0\.\d\d$")
        for ending in ("svg", "html", "json"):
            self.ok("explain", model, "--text", "a not lovely day", "--out", p.WORK / f"shaded.{ending}")
        drawn = json.loads((p.WORK / "shaded.json").read_text())
        self.assertEqual(drawn["words"], ["a", "not", "lovely", "day"])
        plain = self.trained("--set", "model.pooling.kind=mean", name="plain")
        self.fails(2, "explain", plain, "--text", "a day", says="no attention")
        self.fails(2, "explain", model, "--text", "a day", "--totals", says="--totals is for maps")
        self.fails(2, "explain", model, "--text", "a day", "--steps", says="has none")
        self.fails(2, "explain", model, "--text", "a day", "--target", "good", says="--target")
        self.fails(2, "predict", model, "--prefix", p.WORK / "reviews/test.txt", stdin="a day\n", says="have no prefix")

    def test_check_and_bad_input(self):
        data = self.data()
        out = self.ok("train", data / "recipe.toml", "--check").stdout.decode()
        self.assertRegex(out, r"(?m)^  label: (good|bad)$")
        self.assertRegex(out, r"an epoch: \d+ batches in \d+ steps, \d+ examples, about")
        fails = lambda code, says, *sets: self.fails(code, "train", data / "recipe.toml", "--out", self.fresh("no"), *[
            w for s in sets for w in ("--set", s)], says=says)
        p.write_lines(data / "one.txt", ["good a day", "good a night"])
        fails(3, "data.train: 1 label, 'good': there is nothing to tell apart", "data.train=one.txt")
        fails(2, "model.pooling.hops = 2 needs attention", "model.pooling.kind=max", "model.pooling.hops=2")
        fails(2, "loss.penalty = 1", "model.pooling.kind=mean", "loss.penalty=1")
        fails(2, "train.keep = 'bleu'", "train.keep=bleu")
        fails(2, "tokenizer.joint = false is for tasks of two texts", "tokenizer.joint=false")
        fails(2, "data.max_ratio = 3 compares two texts", "data.max_ratio=3")
        # A label that training has not, and an empty text, are left out and said; evaluate scores them as they are.
        p.write_lines(data / "odd.txt", ["good a day", "odd a day", "bad", "bad a grim day"])
        said = self.ok("train", data / "recipe.toml", "--out", self.fresh("odd"), "--set", "data.valid=odd.txt", "--set",
                       "train.max_steps=3").stderr.decode()
        self.assertIn("validation data: read 4 examples, kept 2", said)
        self.assertIn("a label that training has not: 1; the text is empty: 1", said)
        self.ok("evaluate", p.WORK / "odd", "--data", data / "odd.txt")
        model = self.trained()
        self.fails(3, "predict", model, "--in-format", "jsonl", stdin='{"label": "good"}', says="has no 'text'")
        other = self.trained("--set", "tokenizer.min_count=100", name="other")
        self.fails(3, "predict", model, other, says="its tokenizer, its labels or its sentences")
        both = self.ok("predict", model, model, "--format", "jsonl", stdin="a grim day\n").stdout
        one = self.ok("predict", model, "--format", "jsonl", stdin="a grim day\n").stdout
        self.assertEqual(json.loads(both)["outputs"][0]["text"], json.loads(one)["outputs"][0]["text"])
        self.assertTrue(re.search(r"A classify model", (model / "README.md").read_text()))


if __name__ == "__main__":
    p.main()
