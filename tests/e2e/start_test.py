#!/usr/bin/env python3
"""Runs that start from another model's weights, and parameters that stay as they are."""
import json
import struct

import program as p


def tensors(folder):
    """Name -> bytes of every tensor of a model folder."""
    raw = (folder / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + length])
    return {name: raw[8 + length + t["data_offsets"][0]:8 + length + t["data_offsets"][1]]
            for name, t in header.items() if name != "__metadata__"}


class Start(p.Case):
    def train(self, out, *more):
        return self.ok("train", p.WORK / "data/recipe.toml", "--out", out, *more).stderr.decode()

    def setUp(self):
        self.base = self.model()

    def test_weights_and_tokenizer_are_those_of_the_other_model(self):
        out = self.fresh("from")
        said = self.train(out, "--from", self.base, "--set", "train.max_steps=1", "--set", "train.optimizer.lr=1e-12",
                          "--set", "train.ema=0")
        before, after = tensors(self.base), tensors(out)
        self.assertIn(f"from {self.base}: {len(before)} of {len(before)} parameters\n", said)
        self.assertIn(f"tokenizer: that of {self.base}\n", said)
        self.assertEqual((self.base / "tokenizer.json").read_bytes(), (out / "tokenizer.json").read_bytes())
        self.assertEqual(before.keys(), after.keys())
        changed = [name for name in before if before[name] != after[name]]
        self.assertLess(len(changed), len(before) / 2, "a step of 1e-12 hardly changes a float")

    def test_what_is_frozen_keeps_its_bits_and_the_rest_learns(self):
        out = self.fresh("frozen")
        self.train(out, "--from", self.base, "--quiet", "--set", 'train.freeze=["encoder.*", "output.bias"]')
        before, after = tensors(self.base), tensors(out)
        for name in before:
            frozen = name.startswith("encoder.") or name == "output.bias"
            self.assertEqual(before[name] == after[name], frozen, name)

    def test_a_resumed_run_is_the_same(self):
        words = ("--from", self.base, "--quiet", "--set", "train.freeze=encoder.*")
        whole, stopped = self.fresh("whole"), self.fresh("stopped")
        self.train(whole, *words)
        self.train(stopped, *words, "--set", "train.max_steps=33")
        self.fails(2, "train", p.WORK / "data/recipe.toml", "--out", stopped, "--resume", says="train.freeze")
        self.train(stopped, "--resume", "--quiet", "--set", "train.freeze=encoder.*")
        self.assertEqual(p.sha256(whole / "model.safetensors"), p.sha256(stopped / "model.safetensors"))
        self.assertEqual(p.log_of(whole), p.log_of(stopped))

    def test_parameters_of_other_sizes_are_new_and_told(self):
        said = self.train(self.fresh("wider"), "--from", self.base, "--set", "train.max_steps=1", "--set",
                          "model.decoder.hidden=32")
        self.assertIn("  new: decoder.lstm.weight_hh_l0 [128,32], there [96,24]\n", said)
        said = self.train(self.fresh("fewer"), "--from", self.base, "--set", "train.max_steps=1", "--set", "model.score=none")
        self.assertIn("  not used: decoder.score.memory.weight\n", said)

    def test_what_cannot_be_is_refused_before_anything_is_written(self):
        never, recipe = p.WORK / "never", p.WORK / "data/recipe.toml"
        export = self.fresh("export")
        self.ok("export", self.base, "--out", export, "--quantize", "int8", "--quiet")
        for code, words, says in (
                (4, ["--from", p.WORK / "nowhere"], "no such folder"),
                (2, ["--set", "train.freeze=encodr.*"], ["train.freeze: no parameter is called 'encodr.*'"]),
                (2, ["--set", "train.freeze=*"], "nothing to train"),
                (3, ["--from", export], "int8"),
                (2, ["--from", self.base, "--set", "tokenizer.joint=false"], "tokenizer.joint")):
            self.fails(code, "train", recipe, "--out", never, *words, says=says)
            self.assertFalse(never.exists(), words)


if __name__ == "__main__":
    p.main()
