#!/usr/bin/env python3
"""Attention that remembers, and none at all, and encoders of blocks: the promises hold for every kind, and it learns."""
import json

import program as p

# What differs from the general score that all other tests train.
KINDS = {
    "location": ["--set", "model.score=location", "--set", "model.location.filters=4", "--set", "model.location.width=5"],
    "coverage": ["--set", "model.score=coverage", "--set", "model.decoder.attention=bahdanau", "--set",
                 "loss.coverage=0.3"],
    # A bias of 0, so that the little that is learnt here is enough for walks along the source.
    "monotonic": ["--set", "model.score=monotonic", "--set", "model.monotonic.bias=0"],
    "covered general": ["--set", "loss.coverage=0.3"],
    "none": ["--set", "model.score=none"],
    # An encoder of blocks, two tokens to a row of the memory.
    "blocks": [w for s in ("hidden=256", "blocks.0.kind=bilstm", "blocks.0.hidden=12", "blocks.1.kind=pyramid",
                           "blocks.2.kind=convolution", "blocks.2.hidden=20", "blocks.2.layer_norm=true")
               for w in ("--set", "model.encoder." + s)],
    # Sources by their words, with the characters and the case of each.
    "spelling": [w for s in ("tokenizer.kind=word", "tokenizer.joint=false", "model.characters.kind=convolution",
                             "model.characters.hidden=12", "model.capitals=2") for w in ("--set", s)],
    "copying": ["--set", "model.copy=true", "--set", "model.score=coverage", "--set", "loss.coverage=0.3"],
}
KINDS["copying from blocks"] = [*KINDS["blocks"], "--set", "model.copy=true"]
KINDS["copying of spelt words"] = [*KINDS["spelling"], "--set", "model.copy=true"]


class Attention(p.Case):
    def trained(self, kind, name, *more):
        """The model folder after sixty steps, or as many as `more` says."""
        p.write_data(p.WORK / "data")
        folder = self.fresh(name)
        self.ok("train", p.WORK / "data/recipe.toml", "--out", folder, "--quiet", *KINDS[kind], *more)
        return folder

    def outputs(self, folder, *words):
        sources = "".join(s + "\n" for s, _ in p.pairs(60, 7))
        return self.ok("predict", folder, "--format", "jsonl", "--beam", "4", "--n-best", "2", *words, stdin=sources).stdout

    def test_weights_do_not_depend_on_threads(self):
        for kind in KINDS:
            one, two = (p.sha256(self.trained(kind, f"threads-{n}", "--threads", n) / "model.safetensors") for n in (1, 2))
            self.assertEqual(one, two, kind)

    def test_a_resumed_run_ends_with_the_same_bits(self):
        for kind in KINDS:
            whole = self.trained(kind, "whole")
            stopped = self.trained(kind, "stopped", "--set", "train.max_steps=33")
            self.ok("train", p.WORK / "data/recipe.toml", "--out", stopped, "--resume", "--quiet", *KINDS[kind])
            self.assertEqual(p.sha256(whole / "model.safetensors"), p.sha256(stopped / "model.safetensors"), kind)
            self.assertEqual(p.log_of(whole), p.log_of(stopped), kind)

    def test_outputs_do_not_depend_on_the_batch(self):
        for kind in KINDS:
            model = self.trained(kind, "batches", "--set", "train.max_steps=200", "--set", "train.validate_every=100")
            for precision in ("f32", "int8"):
                one = self.outputs(model, "--batch", "1", "--precision", precision)
                for batch in (7, 64):
                    self.assertEqual(one, self.outputs(model, "--batch", batch, "--precision", precision), kind)

    def test_an_export_in_int8_predicts_as_the_model_does_in_int8(self):
        for kind in KINDS:
            model, export = self.trained(kind, "exported"), self.fresh("export")
            self.ok("export", model, "--out", export, "--quantize", "int8", "--quiet")
            self.assertEqual(self.outputs(model, "--precision", "int8"), self.outputs(export), kind)

    def test_without_attention_nothing_is_shown_and_less_is_learnt(self):
        scores = {}
        for kind in ("location", "none"):
            model = self.trained(kind, kind, "--set", "train.max_steps=400", "--set", "train.validate_every=100")
            out = self.ok("evaluate", model, "--data", p.WORK / "data/test.src", p.WORK / "data/test.tgt").stdout.decode()
            scores[kind] = float(next(line for line in out.splitlines() if line.startswith("chrf ")).split()[1])
        self.assertGreater(scores["location"], scores["none"] + 30)
        self.assertEqual(json.loads(self.outputs(model).splitlines()[0])["outputs"][0]["alignment"], [])
        self.fails(2, "explain", model, "--text", "abc", says="no attention")

    def test_monotonic_attention_looks_at_one_position_and_never_goes_back(self):
        model = self.trained("monotonic", "monotonic", "--set", "train.max_steps=400", "--set",
                             "train.validate_every=100")
        looked = 0
        for beam in ("1", "4"):
            for line in self.outputs(model, "--beam", beam, "--n-best", "1").splitlines():
                for output in json.loads(line)["outputs"]:
                    last, ended = 0, False
                    for row in output["alignment"]:
                        at = [t for t, weight in enumerate(row) if weight != 0]
                        self.assertLessEqual(len(at), 1)
                        self.assertTrue(not at or (not ended and row[at[0]] == 1 and at[0] >= last))
                        last, ended = (at[0] if at else last), not at
                        looked += len(at)
        self.assertGreater(looked, 60)
        page = self.ok("explain", model, "--text", "abc").stdout.decode()
        self.assertIn("a", page)
        two = self.trained("monotonic", "another", "--seed", "2", "--set", "train.max_steps=400")
        both = json.loads(self.ok("predict", model, two, "--format", "jsonl", stdin="abc\n").stdout)
        self.assertEqual({len(row) for row in both["outputs"][0]["alignment"]}, {3})

    def test_vectors_of_either_side(self):
        data = p.WORK / "data"
        p.write_data(data)
        p.write_lines(data / "letters.txt", [f"{c} " + " ".join(str(round((k + d) % 7 / 10, 1)) for d in range(8))
                                             for k, c in enumerate("abcdefgh" + "ABCDEFGH")])
        words = [w for s in ("tokenizer.kind=char", "tokenizer.joint=false", "model.embedding=8", "model.readout=8",
                             "vectors.source.file=letters.txt", "vectors.target.file=letters.txt",
                             "train.freeze=encoder.embedding.weight,decoder.embedding.weight", "train.max_steps=10")
                 for w in ("--set", s)]
        folder = self.fresh("vectors")
        said = self.ok("train", data / "recipe.toml", "--out", folder, *words).stderr.decode()
        self.assertEqual(said.count("letters.txt (GloVe, 16 words): "), 2)
        for side, letter, k in (("source", "c", 2), ("target", "C", 10)):
            vocabulary = json.loads((folder / side / "tokenizer.json").read_text())["model"]["vocab"]
            row = p.tensor(folder / "model.safetensors", {"source": "encoder", "target": "decoder"}[side] + ".embedding.weight",
                           vocabulary[letter], 8)
            for d, got in enumerate(row):
                self.assertAlmostEqual(got, (k + d) % 7 / 10, 6)
        self.fails(2, "train", data / "recipe.toml", "--out", self.fresh("no"), *words, "--set", "model.tie=all", "--set",
                   "tokenizer.joint=true", says="there is one table, that of vectors.source.file")
        self.fails(2, "train", data / "recipe.toml", "--out", self.fresh("no"), "--from", folder, *words,
                   says="do not go with --from")

    def test_blocks_in_a_recipe_are_a_list_of_tables(self):
        p.write_data(p.WORK / "data")
        text = p.RECIPE.replace('encoder = { cell = "lstm", layers = 1, hidden = 16, bidirectional = true }', """
encoder = { blocks = [{ kind = "bilstm", hidden = 12 }, { kind = "pyramid" },
                      { kind = "convolution", hidden = 20, layer_norm = true }] }""")
        recipe = p.WORK / "data/blocks.toml"
        recipe.write_text(text)
        folder = self.fresh("listed")
        self.ok("train", recipe, "--out", folder, "--quiet")
        self.assertEqual(p.sha256(folder / "model.safetensors"),
                         p.sha256(self.trained("blocks", "set") / "model.safetensors"))
        self.assertEqual([b["kind"] for b in json.loads((folder / "config.json").read_text())["model"]["encoder"]["blocks"]],
                         ["bilstm", "pyramid", "convolution"])
        printed = self.ok("train", recipe, "--print-config", "--set", "model.encoder.blocks.0.hidden=13").stdout.decode()
        self.assertIn("[model.encoder.blocks.2]", printed)
        self.assertRegex(printed, r"(?m)^hidden = 13  # --set$")
        again = p.WORK / "data/again.toml"
        again.write_text(printed)
        self.assertEqual([line.split("  #")[0] for line in self.ok("train", again, "--print-config").stdout.decode().splitlines()],
                         [line.split("  #")[0] for line in printed.splitlines()])
        out = self.ok("predict", folder, "--format", "jsonl", stdin="abcde\n").stdout
        for row in json.loads(out)["outputs"][0]["alignment"]:
            self.assertEqual(len(row), 5)
            self.assertAlmostEqual(sum(row), 1, 4)
            self.assertEqual((row[0], row[2]), (row[1], row[3]))
        self.ok("explain", folder, "--text", "abcde", "--steps")
        self.fails(2, "train", recipe, "--out", self.fresh("no"), "--set", "model.encoder.blocks.4.kind=gru",
                   says="model.encoder.blocks has 3 entries; the next one is number 3")
        self.fails(2, "train", recipe, "--out", self.fresh("no"), "--set", "model.encoder.blocks.1.hiden=3",
                   says="did you mean 'model.encoder.blocks.1.hidden'?")
        self.fails(2, "train", recipe, "--out", self.fresh("no"), "--set", "model.encoder.blocks.1.hidden=3",
                   says="model.encoder.blocks.1.hidden = 3: a block of kind 'pyramid' has no such option")

    def test_steps_tell_what_predict_said(self):
        for kind in ("location", "monotonic", "none"):
            model = self.trained(kind, f"steps-{kind}", "--set", "train.max_steps=200", "--set", "train.validate_every=100")
            said = json.loads(self.ok("predict", model, "--format", "jsonl", "--beam", "1", stdin="abc\n").stdout)["outputs"][0]
            out = self.ok("explain", model, "--text", "abc", "--steps", "--beam", "1").stdout.decode()
            written = [line.rpartition(" ")[2] for line in out.splitlines() if line.startswith("step ")]
            self.assertEqual(written, said["tokens"] + ["</s>"])
            self.assertEqual(out.count("  forget gate"), len(written))
            self.assertEqual("weight\n" in out, kind != "none")
            weights = [float(line.split()[-1]) for line in out.splitlines() if line.split()[:1] in (["a"], ["b"], ["c"])]
            if kind != "none":
                for k, row in enumerate(said["alignment"]):
                    for shown, weight in zip(weights[3 * k:], row):
                        self.assertAlmostEqual(shown, weight, places=3)
        self.fails(2, "explain", model, model, "--text", "abc", "--steps", says="one model")
        self.fails(2, "explain", model, "--text", "", "--steps", says="not empty")
        self.fails(2, "explain", model, "--text", "abc", "--steps", "--out", p.WORK / "x.html", says="--out")

    def test_what_cannot_be_is_refused_before_anything_is_written(self):
        p.write_data(p.WORK / "data")
        never = p.WORK / "never"
        for settings, says in ((["model.score=none", "model.decoder.bridge=zeros"], "model.decoder.bridge"),
                               (["model.score=none", "loss.coverage=1"], "loss.coverage"),
                               *((["model.score=" + score, "model.decoder.input_feeding=false",
                                   "model.decoder.checkpoint=2"], "model.decoder.checkpoint")
                                 for score in ("location", "monotonic")),
                               (["loss.coverage=1", "model.decoder.input_feeding=false", "model.decoder.checkpoint=2"],
                                "loss.coverage")):
            words = [word for s in settings for word in ("--set", s)]
            self.fails(2, "train", p.WORK / "data/recipe.toml", "--out", never, *words, says=says)
            self.assertFalse(never.exists(), settings)


if __name__ == "__main__":
    p.main()
