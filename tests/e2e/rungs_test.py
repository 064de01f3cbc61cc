#!/usr/bin/env python3
"""The same bits on every instruction set that has fused multiply-add; and how one is chosen."""
import re

import program as p

ALL = ["baseline", "avx2", "avx512", "avx512_vnni", "avx512_bf16", "amx"]


def there():
    """Those of this machine."""
    out = p.run("version").stdout.decode()
    return re.search(r"^instruction sets: \w+, of (.*)$", out, re.M)[1].split(", ")


class Rungs(p.Case):
    def test_version_tells_what_is_there_and_what_is_in_use(self):
        rungs = there()
        self.assertEqual(rungs, ALL[:len(rungs)])
        for rung in rungs:
            out = self.ok("version", env={"LOOKBACK_CPU": rung}).stdout.decode()
            self.assertIn(f"instruction sets: {rung}, of {', '.join(rungs)}\n", out)

    def test_a_name_that_is_not_there_lists_those_that_are(self):
        names = ", ".join(there())
        p.write_data(p.WORK / "data")
        train = ["train", p.WORK / "data/recipe.toml", "--out", p.WORK / "never"]
        self.fails(2, *train, "--cpu", "sse9", says=[f"--cpu: there is no instruction set 'sse9'; there are {names}"])
        self.fails(2, *train, env={"LOOKBACK_CPU": "sse9"}, says=["LOOKBACK_CPU: there is no", names])
        self.fails(2, "version", env={"LOOKBACK_CPU": "sse9"}, says=["LOOKBACK_CPU: there is no", names])
        for missing in ALL[len(there()):]:
            self.fails(2, *train, "--cpu", missing, says=[f"this processor has no '{missing}'; there are {names}"])
        self.assertFalse((p.WORK / "never").exists())

    def test_tiles_are_emulated_where_they_are_named(self):
        names = ", ".join(there())
        out = self.ok("version", env={"LOOKBACK_CPU": "amx_emulated"}).stdout.decode()
        self.assertIn(f"instruction sets: amx_emulated, of {names}\n", out)
        p.write_data(p.WORK / "data")
        digests = {}
        for precision in ("f32", "bf16"):
            out = self.fresh(precision)
            done = self.ok("train", p.WORK / "data/recipe.toml", "--out", out, "--cpu", "amx_emulated", "--precision",
                           precision, "--set", "train.max_steps=20")
            self.assertNotIn(b"no such products", done.stderr)
            digests[precision] = p.sha256(out / "model.safetensors")
        self.assertNotEqual(digests["f32"], digests["bf16"])

    def test_the_flag_goes_before_the_variable(self):
        for words in (["predict", self.model()], ["evaluate", self.model(), "--data", p.WORK / "data/test.src",
                                                  p.WORK / "data/test.tgt"]):
            self.ok(*words, "--cpu", "baseline", stdin="abc\n", env={"LOOKBACK_CPU": "sse9"})

    def test_weights_and_outputs_in_f32_are_the_same_bits(self):
        for score in ("general", "additive"):
            results = {rung: self.results_of_sixty_steps(f"{score}-{rung}", score, "--cpu", rung) for rung in there()}
            for rung in there()[1:]:
                for what, got, wanted in zip(("weights", "log", "outputs"), results[rung], results["avx2"]):
                    self.assertEqual(got, wanted, f"{what} of {rung}, {score}")


if __name__ == "__main__":
    p.main()
