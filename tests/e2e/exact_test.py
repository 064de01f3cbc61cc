#!/usr/bin/env python3
"""The same bits for any number of threads, any batch, any order of the input."""
import json
import os
import random

import program as p


class Exact(p.Case):
    def outputs(self, *words, stdin, **env):
        """The outputs as JSON, without the line numbers."""
        done = self.ok("predict", self.model(), "--format", "jsonl", "--n-best", "2", "--beam", "4", *words, stdin=stdin,
                       env=env)
        return [json.dumps(json.loads(line)["outputs"]) for line in done.stdout.splitlines()]

    def setUp(self):
        self.model()
        sources = [s for s, _ in p.pairs(150, 7)]
        self.lines = sources[:70] + [""] + sources[70:] + [""]

    def text(self, lines):
        return "".join(line + "\n" for line in lines)

    def test_weights_do_not_depend_on_threads(self):
        for precision in ("f32", "bf16"):
            digests, logs = [], []
            for threads in (1, 2, 3):
                model = self.fresh("threads")
                self.ok("train", p.WORK / "data/recipe.toml", "--out", model, "--threads", threads, "--quiet", "--set",
                        "model.decoder.hidden=96", "--set", "model.encoder.hidden=64", "--set", "train.max_steps=30",
                        "--precision", precision)
                digests.append(p.sha256(model / "model.safetensors"))
                logs.append(p.log_of(model))
            self.assertEqual(digests[0], digests[1])
            self.assertEqual(digests[0], digests[2])
            self.assertEqual(logs[0], logs[1])

    def test_weights_do_not_depend_on_a_stop(self):
        for precision in ("f32", "bf16"):
            whole, stopped = self.fresh("whole"), self.fresh("stopped")
            words = ("--quiet", "--precision", precision)
            for out, steps in ((whole, 30), (stopped, 13)):
                self.ok("train", p.WORK / "data/recipe.toml", "--out", out, *words, "--set", f"train.max_steps={steps}")
            self.ok("train", p.WORK / "data/recipe.toml", "--out", stopped, "--resume", *words, "--set", "train.max_steps=30")
            self.assertEqual(p.sha256(whole / "model.safetensors"), p.sha256(stopped / "model.safetensors"), precision)

    def test_the_rung_is_the_one_asked_for(self):
        wanted = os.environ.get("LOOKBACK_CPU", "")
        self.assertIn(f"instruction sets: {wanted}", self.ok("version").stdout.decode())

    def test_weights_do_not_depend_on_checkpointing(self):
        digests = []
        for every in (0, 1, 3):
            model = self.fresh("checkpointing")
            self.ok("train", p.WORK / "data/recipe.toml", "--out", model, "--quiet", "--set", "train.max_steps=30",
                    "--set", f"model.encoder.checkpoint={every}", "--set", "model.dropout=0.2")
            digests.append(p.sha256(model / "model.safetensors"))
        self.assertEqual(digests, 3 * digests[:1])

    def test_outputs_do_not_depend_on_threads(self):
        text = self.text(self.lines)
        for precision in ("f32", "bf16", "int8"):
            one = self.outputs("--threads", "1", "--precision", precision, stdin=text)
            self.assertEqual(one, self.outputs("--threads", "2", "--precision", precision, stdin=text))
            self.assertEqual(one, self.outputs("--precision", precision, stdin=text, LOOKBACK_THREADS="3"))

    def test_outputs_do_not_depend_on_the_batch(self):
        text = self.text(self.lines)
        for precision in ("f32", "bf16", "int8"):
            one = self.outputs("--batch", "1", "--precision", precision, stdin=text)
            for batch in (7, 64):
                self.assertEqual(one, self.outputs("--batch", batch, "--precision", precision, stdin=text))

    def test_outputs_do_not_depend_on_the_order(self):
        inputs = self.outputs(stdin=self.text(self.lines))
        order = list(range(len(self.lines)))
        random.Random(5).shuffle(order)
        shuffled = self.outputs(stdin=self.text([self.lines[k] for k in order]))
        self.assertEqual([inputs[k] for k in order], shuffled)

    def test_seed_changes_the_weights(self):
        digests = []
        for seed in (1, 2):
            model = self.fresh("seeds")
            self.ok("train", p.WORK / "data/recipe.toml", "--out", model, "--seed", seed, "--quiet", "--set",
                    "train.max_steps=2")
            digests.append(p.sha256(model / "model.safetensors"))
        self.assertNotEqual(*digests)


if __name__ == "__main__":
    p.main()
