#!/usr/bin/env python3
"""Language models as a user has them: text in, perplexity, completed prompts, scored texts, pictures; exact resumes."""
import json
import math
import random

import program as p

RECIPE = """task = "language-model"

[data]
train = "train.txt"
valid = "valid.txt"
test = "test.txt"

[tokenizer]
kind = "word"
split = "space"

[model]
embedding = 16
hidden = 16
layers = 2
dropout = { words = 0.05, embedding = 0.1, hidden = 0.1, output = 0.1, recurrent_weights = 0.1 }

[loss]
activation = 1.0
temporal_activation = 1.0

[train]
max_steps = 40
batch = 8
bptt = 12
optimizer = { kind = "adam", lr = 2e-2, clip = 1.0 }
validate_every = 9
keep = "perplexity"
log_every = 1
"""
ATTENTION = ("--set", 'model.blocks.0.kind=lstm', "--set", "model.blocks.0.hidden=16", "--set",
             "model.blocks.1.kind=self_attention", "--set", "model.blocks.1.heads=2", "--set",
             "model.blocks.1.causal=true", "--set", "model.blocks.1.window=9")
NAMES, VERBS, THINGS = "ada ben cleo dan".split(), "sees likes takes".split(), "bread wine books maps".split()


def sentences(count, seed):
    """Who sees something says at the end of the line who it was: a name to be remembered."""
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        name = rng.choice(NAMES)
        out.append(f"{name} {rng.choice(VERBS)} the {rng.choice(THINGS)} of {name}")
    return out


class LanguageModel(p.Case):
    def data(self):
        folder = p.WORK / "text"
        if not folder.exists():
            folder.mkdir()

            (folder / "recipe.toml").write_text(RECIPE)
            (folder / "blocks.toml").write_text(RECIPE.replace("hidden = 16\nlayers = 2\n", ""))
            for part, count, seed in (("train", 600, 1), ("valid", 60, 2), ("test", 50, 3)):
                p.write_lines(folder / f"{part}.txt", sentences(count, seed))
        return folder

    def words(self, *more, recipe="recipe.toml"):
        return ("train", self.data() / recipe, "--quiet", *more)

    def trained(self, *more, name="model", recipe="recipe.toml"):
        model = self.fresh(name)
        self.ok(*self.words(*more, recipe=recipe), "--out", model)
        return model

    def learnt(self):
        """A model that knows the language; trained once."""
        model = p.WORK / "learnt"
        if not model.exists():
            self.ok(*self.words("--set", "train.max_steps=1500", "--set", "train.validate_every=250", "--set",
                                "model.hidden=48", "--set", "loss.activation=0", "--set", "loss.temporal_activation=0",
                                "--set", "train.bptt=30", "--set", "train.optimizer.lr=5e-3", "--set",
                                "model.embedding=48", *(w for kind in ("words", "embedding", "hidden", "output",
                                "recurrent_weights") for w in ("--set", f"model.dropout.{kind}=0"))), "--out", model)
        return model

    def scores(self, *words):
        return {line.split()[0]: (float(line.split()[1]), line.split()[2])
                for line in self.ok("evaluate", *words).stdout.decode().splitlines()}

    def test_perplexity_is_that_of_the_tokens_one_by_one(self):
        model, test = self.learnt(), self.data() / "test.txt"
        lines = test.read_text().splitlines()
        words, characters = sum(len(line.split()) for line in lines), sum(len(line) + 1 for line in lines)
        carried = self.scores(model)
        value, signature = carried["perplexity"]
        self.assertIn(f"tokens:{words + 50}|words:{words}|lines:50|characters:{characters - 50}", signature)
        self.assertIn("|unit:word|state:carried|", signature)
        nats = math.log(value) * (words + 50)
        self.assertAlmostEqual(carried["bits_per_character"][0], nats / math.log(2) / characters, delta=1e-3)
        # Of 4 names, 3 verbs and 4 things each line has log2(4 * 3 * 4) bits and no more.
        self.assertLess(value, 1.15 * (4 * 3 * 4) ** (50 / (words + 50)))
        by_line = self.scores(model, "--no-carry")
        self.assertIn("|state:by_line|", by_line["perplexity"][1])
        out = self.ok("predict", model, "--score", test).stdout.decode().splitlines()
        self.assertEqual(len(out), 50)
        sum_of_lines = sum(float(line.split("\t")[0]) for line in out)
        self.assertAlmostEqual(math.exp(-sum_of_lines / (words + 50)), by_line["perplexity"][0], delta=0.01)
        for line in out:
            whole, tokens = line.split("\t")
            parts = [float(t.rsplit(":", 1)[1]) for t in tokens.split(" ")]
            self.assertAlmostEqual(sum(parts), float(whole), delta=0.01)
            self.assertTrue(tokens.rsplit(":", 1)[0].endswith("</s>"))

    def test_cache_and_dynamic_evaluation_are_in_the_signature(self):
        model = self.trained()
        plain = self.scores(model)["perplexity"]
        for words, said in ((("--cache.size", "50"), "|cache:50,0.3,0.1|"), (("--dynamic.lr", "0.5"), "|dynamic:0.5,20,0.002|")):
            value, signature = self.scores(model, *words)["perplexity"]
            self.assertIn(said, signature)
            self.assertNotEqual(value, plain[0])
        self.fails(2, "evaluate", model, "--cache.size", "50", "--dynamic.lr", "0.5", says="one or the other")
        again = self.scores(model)["perplexity"]
        self.assertEqual(again, plain)

    def test_prompts_are_completed(self):
        model = self.learnt()
        prompts = "ada sees the bread of\nben likes the maps of\n\n"
        out = self.ok("predict", model, stdin=prompts).stdout.decode().splitlines()
        self.assertEqual(out[:2], ["ada sees the bread of ada", "ben likes the maps of ben"])
        self.assertEqual(len(out), 3)
        one = self.ok("predict", model, "--sample", "--seed", "3", stdin=prompts).stdout
        self.assertEqual(one, self.ok("predict", model, "--sample", "--seed", "3", stdin=prompts).stdout)
        beam = json.loads(self.ok("predict", model, "--beam", "3", "--n-best", "3", "--format", "jsonl",
                                  stdin="cleo takes the\n").stdout)
        self.assertEqual(len(beam["outputs"]), 3)
        for o in beam["outputs"]:
            self.assertTrue(o["text"].startswith("cleo takes the "), o)
            self.assertAlmostEqual(sum(o["token_log_probs"]), o["log_prob"], delta=1e-4)
            self.assertEqual(o["tokens"][-1], "</s>")
        stopped = self.ok("predict", model, "--stop-strings", "the,of", stdin="ada sees the bread\nben\n").stdout.decode()
        self.assertEqual([line.split()[-1] for line in stopped.splitlines()], ["of", "the"])
        for more in (("--sample", "--min-p", "0.5"), ("--repetition-penalty", "2"), ("--top-k", "2", "--sample")):
            self.assertEqual(len(self.ok("predict", model, *more, stdin=prompts).stdout.decode().splitlines()), 3)
        self.fails(2, "predict", model, "--min-p", "0.5", stdin=prompts, says="min_p")
        short = self.ok("predict", model, "--max-length", "2", stdin="dan\n").stdout.decode().split()
        self.assertEqual(len(short), 3)

    def test_a_session_goes_on_where_it_was_left(self):
        model, state, moved = self.learnt(), p.WORK / "a.state", p.WORK / "elsewhere.state"
        words = ("predict", model, "--sample", "--seed", "5", "--cache.size", "20")
        first, then = "ada sees the\nben likes\n", "cleo takes the maps of\n"
        straight = self.ok(*words, "--session", p.WORK / "straight.state", stdin=first + then).stdout
        begun = self.ok(*words, "--session", state, stdin=first).stdout
        moved.write_bytes(state.read_bytes())
        gone_on = [self.ok(*words, "--session", f, stdin=then).stdout for f in (state, moved)]
        self.assertEqual(begun + gone_on[0], straight)
        self.assertEqual(gone_on[0], gone_on[1])
        self.assertEqual(state.read_bytes(), moved.read_bytes())
        self.assertEqual(state.read_bytes(), (p.WORK / "straight.state").read_bytes())
        # By itself a text begins anew, streamed or not.
        texts = "ada sees the\nada sees the\n"
        for more in (("--stream",), ()):
            self.assertEqual(self.ok("predict", model, *more, stdin=texts).stdout,
                             2 * self.ok("predict", model, stdin="ada sees the\n").stdout)
        other = self.trained(name="other")
        self.fails(3, "predict", other, "--session", state, stdin=then, says="is a session of another model")
        self.fails(3, "predict", model, "--session", self.data() / "test.txt", stdin=then, says="test.txt")
        self.fails(2, "predict", model, "--session", state, "--beam", "3", stdin=then, says="--beam 1")
        self.fails(2, "predict", model, "--stream", "--format", "jsonl", stdin=then, says="--format jsonl")

    def test_what_it_looked_at_is_drawn(self):
        model = self.learnt()
        text = "ada sees the bread of ada"
        picture = p.WORK / "surprise.json"
        self.ok("explain", model, "--text", text, "--out", picture)
        shown = json.loads(picture.read_text())
        self.assertEqual(shown["words"], text.split() + ["</s>"])
        bits = dict(zip(range(10), shown["weights"][0]))
        self.assertLess(bits[2], 0.5)  # "the" behind every verb
        self.assertLess(bits[5], 0.5)  # the name again
        self.fails(2, "explain", model, "--text", text, "--show", "attention", says="no block of kind 'self_attention'")
        self.fails(2, "explain", model, "--text", text, "--show", "cache", says="--cache.size")
        self.ok("explain", model, "--text", text, "--show", "cache", "--cache.size", "5", "--out", picture)
        for row in json.loads(picture.read_text())["weights"]:
            self.assertAlmostEqual(sum(row), 1, delta=1e-5)
        looking = self.trained(*ATTENTION, name="looking", recipe="blocks.toml")
        self.ok("explain", looking, "--text", text, "--show", "attention", "--out", picture)
        shown = json.loads(picture.read_text())
        self.assertEqual(shown["read"], ["<s>"] + text.split())
        for k, row in enumerate(shown["weights"]):
            self.assertAlmostEqual(sum(row), 1, delta=1e-5)
            self.assertEqual(sum(row[k + 2:]), 0)  # nothing that was not read yet

    def test_a_run_stopped_at_any_of_twenty_points_ends_with_the_same_bits(self):
        for name, words, recipe in (("lstm", (), "recipe.toml"), ("attention", ATTENTION, "blocks.toml")):
            whole = p.sha256(self.trained(*words, name="whole", recipe=recipe) / "model.safetensors")
            for n in range(1, 40, 2) if name == "lstm" else (1, 8, 9, 23):
                with self.subTest(model=name, steps=n):
                    model = self.fresh("stopped")
                    self.ok(*self.words(*words, recipe=recipe), "--out", model, "--set", f"train.max_steps={n}")
                    self.ok(*self.words(*words, recipe=recipe), "--out", model, "--resume")
                    self.assertEqual(p.sha256(model / "model.safetensors"), whole)

    def test_every_unit_and_shape_of_file(self):
        rows = self.data() / "rows.csv"
        rows.write_text("id,body\n" + "".join(f'{k},"{s}, and so on"\n' for k, s in enumerate(sentences(100, 4))))
        size = ("--set", "tokenizer.size=60")
        for kind, more in (("word", size), ("bpe", size), ("char", size), ("char", ("--set", "tokenizer.unit=byte"))):
            model = self.trained(*more, "--set", "data.train=rows.csv", "--set", "data.valid=30 %", "--set",
                                 "data.columns=body", "--set", f"tokenizer.kind={kind}", "--set",
                                 "train.max_steps=4", "--set", "data.test=", name=kind)
            self.assertEqual(len(self.ok("predict", model, stdin="ada\n").stdout.decode().splitlines()), 1)
            scores = self.scores(model, "--data", rows)
            self.assertIn("words:900|lines:100|", scores["perplexity"][1])

    def test_baselines_are_n_grams(self):
        blocks = [b.splitlines() for b in
                  self.ok("baseline", self.data() / "recipe.toml").stdout.decode().split("\n\n")]
        self.assertEqual([b[0] for b in blocks], [f"{name}, data.{part}" for part in ("valid", "test")
                                                  for name in ("unigram", "3-gram", "5-gram")])
        unigram, three, five = (float(b[1].split()[1]) for b in blocks[3:])
        self.assertLess(five, three)
        self.assertLess(three, unigram)

    def test_adaptive_softmax(self):
        tied = ("--set", "model.cutoffs=[6, 10]")
        own = ("--set", "model.tied=false", "--set", "model.cutoffs=6,10", "--set", "model.div_value=2")
        b = self.scores(self.trained("--set", "model.tied=false", name="plain"))["perplexity"][0]
        for name, words in ("tied_adaptive", tied), ("adaptive", own):
            model, small = self.trained(*words, name=name), self.fresh("small")
            a = self.scores(model)["perplexity"][0]
            self.assertLess(a, 2 * b)  # after 40 steps: it learns
            for more in ((), ("--beam", "3"), ("--sample",), ("--precision", "int8"), ("--cache.size", "5")):
                self.assertEqual(len(self.ok("predict", model, *more, stdin="ada sees\n").stdout.decode().splitlines()), 1)
            self.ok("evaluate", model, "--data", self.data() / "test.txt", "--dynamic.lr", "0.5")
            self.ok("export", model, "--quantize", "int8", "--out", small)
            exported = self.scores(small, "--data", self.data() / "test.txt")["perplexity"][0]
            self.assertAlmostEqual(exported, a, delta=0.05 * a)
        self.fails(2, *self.words(*own, "--set", "model.tied=true"), "--out", self.fresh("bad"), says="tied = false")

    def test_int8_and_export(self):
        model, small = self.learnt(), self.fresh("small")
        self.ok("export", model, "--quantize", "int8", "--out", small)
        value, exported = self.scores(model)["perplexity"][0], self.scores(small, "--data", self.data() / "test.txt")
        self.assertAlmostEqual(exported["perplexity"][0], value, delta=0.05 * value)
        self.fails(2, "evaluate", small, "--data", self.data() / "test.txt", "--dynamic.lr", "0.5", says="int8")

    def test_bad_input_is_one_clear_line(self):
        model = self.fresh("bad")
        for words, said in (
                (("--set", "model.blocks.0.kind=bilstm"), "looks ahead"),
                (("--set", "train.batch=100000"), "lower the batch"),
                (("--set", "tokenizer.kind=bpe", "--set", "tokenizer.sampling=0.1"), "tokenizer.sampling"),
                (("--set", "train.window=3"), "train.window"),
                (("--set", "valid.metric=bleu"), "valid.metric")):
            self.fails(2, *self.words(*words, recipe="blocks.toml"), "--out", model, says=said)
            self.assertFalse(model.exists())
        learnt = self.learnt()
        self.fails(2, "evaluate", learnt, learnt, says="make no ensemble")
        self.fails(2, "evaluate", learnt, "--confidence", says="intervals")
        self.fails(2, "explain", learnt, "--text", "ada", "--steps", says="--steps")


if __name__ == "__main__":
    p.main()
