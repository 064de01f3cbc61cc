#!/usr/bin/env python3
"""Real data, where it is: the formats it comes in are read, and a little training helps."""
import json

import program as p


class RealData(p.Case):
    def test_multi30k_trains_predicts_and_evaluates(self):
        data = p.shared_data("multi30k-de-en")
        if data is None:
            self.skipTest("../shared/data/multi30k-de-en is not here")
        recipe = p.WORK / "real.toml"
        files = {name: [next(data.rglob(f"{name}.{side}*")) for side in ("de", "en")] for name in ("train", "val")}
        recipe.write_text(p.RECIPE.replace('"train.src", "train.tgt"', ", ".join(f'"{f}"' for f in files["train"]))
                          .replace('"valid.src", "valid.tgt"', ", ".join(f'"{f}"' for f in files["val"]))
                          .replace('kind = "char"', 'kind = "bpe"\nsize = 2000\nmax_lines = 5000'))
        model = self.fresh("real")
        self.ok("train", recipe, "--out", model, "--quiet", "--set", "train.max_steps=120", "--set", "train.batch=32",
                "--set", "train.validate_every=60", "--set", "valid.lines=100", "--set", "data.max_length=40")
        losses = [e["scores"]["loss"] for e in p.log_of(model) if e["event"] == "valid"]
        self.assertEqual(len(losses), 2)
        self.assertLess(losses[1], losses[0])
        out = self.ok("predict", model, "--in", files["val"][0], "--beam", "1").stdout
        self.assertEqual(len(out.splitlines()), 1014)
        scores = json.loads(self.ok("evaluate", model, "--format", "json", "--beam", "1", "--data", *files["val"]).stdout)
        again = self.ok("metric", "bleu", "--format", "json", "--ref", files["val"][1], stdin=out).stdout
        self.assertAlmostEqual(scores["bleu"]["score"], json.loads(again)["score"], places=9)


if __name__ == "__main__":
    p.main()
