#!/usr/bin/env python3
"""lookback bench: the same measurements as a table and as JSON; and how long training takes to a score."""
import gzip
import json
import pathlib
import subprocess
import sys

import program as p

SMALL = ("--rounds", "1", "--repeat", "1", "--threads", "1", "--vocabulary", "50", "--batch", "2", "--source", "3",
         "--target", "3", "--model.encoder.hidden", "8", "--model.decoder.hidden", "16", "--model.embedding", "8")


class Bench(p.Case):
    def lines(self, *words):
        return [json.loads(line) for line in self.ok("bench", *words, *SMALL, "--format", "json").stdout.splitlines()]

    def test_a_work_is_one_object_with_its_share_of_the_peak_and_its_memory(self):
        for work in ("train", "lstm", "product"):
            [row] = self.lines(work)
            self.assertEqual((row["work"], row["threads"], row["precision"]), (work, 1, "f32"))
            self.assertGreater(row["median"], 0)
            self.assertAlmostEqual(row["share_of_peak"], row["gflops"] / row["peak_gflops"], 3)
            self.assertGreater(row["peak_mib"], 5)

    def test_kernels_have_operations_or_bytes(self):
        rows = self.lines("kernels")
        names = [row["case"] for row in rows if row["precision"] == "f32"]
        for name in ("product 1 x 16 x 64", "product 1024 x 16 x 50", "softmax cross-entropy 6 x 16 x 50",
                     "LSTM gates 2 x 64", "dot score 6 x 3 x 16", "additive score 6 x 3 x 16", "attend 6 x 3 x 16",
                     "dropout 6 x 16", "Adam 2400"):
            self.assertIn(name, names)
        for row in rows:
            self.assertTrue(("gflops" in row) != ("gbytes" in row), row)

    def test_every_fusion_is_held_against_its_parts(self):
        rows = self.lines("fused")
        self.assertGreater(len(rows), 8)
        for row in rows:
            self.assertLessEqual(row["ratio_min"], row["ratio"])
            self.assertAlmostEqual(row["ratio"], row["composed_seconds"] / row["seconds"], 3)

    def test_only_the_wanted_cases(self):
        self.assertEqual({row["case"] for row in self.lines("kernels", "--only", "Adam")}, {"Adam 2400"})
        self.fails(2, "bench", "kernels", *SMALL, "--only", "Adom", says="no case of kernels holds 'Adom'")

    def test_loading_is_that_of_the_given_folder(self):
        [row] = self.lines("load", "--folder", self.model())
        self.assertEqual(row["unit"], "loads/s")
        self.fails(2, "bench", "load", says="--folder MODEL is missing")
        self.fails(4, "bench", "load", "--folder", "missing", says="missing")

    def test_a_block_is_of_any_kind(self):
        for kind in ("self_attention", "bilstm", "convolution", "pyramid"):
            [row] = self.lines("block", "--block.kind", kind)
            self.assertEqual((row["work"], row["unit"]), ("block", "steps/s"))
        self.fails(2, "bench", "block", *SMALL, "--block.kind", "self_attention", "--block.heads", "5",
                   says="block.heads = 5 does not divide")
        self.fails(2, "bench", "block", *SMALL, "--precision", "int8", says="for decoding")

    def test_without_a_work_it_is_a_table_of_all(self):
        done = self.ok("bench", *SMALL, "--format", "text")
        table = done.stdout.decode()
        for part in ("of best", "\ntrain ", "\ndecode ", "\nlstm ", "\nblock ", "\nstream ", "\nproduct ", "\nAdam 2400 ",
                     "\nLSTM layer / cells ", "times as fast"):
            self.assertIn(part, table)
        self.assertIn(b"left out, load: bench load: --folder MODEL is missing", done.stderr)

    def test_on_request_answers_each_line_and_takes_one_case(self):
        done = self.ok("bench", "stream", *SMALL, "--on-request", stdin="go\ngo\n")
        self.assertEqual(len(done.stdout.splitlines()), 2)
        self.fails(2, "bench", "kernels", "--on-request", says="one case")
        self.fails(2, "bench", "--on-request", says="needs a WORK")


class Minutes(p.Case):
    def measure(self, goal):
        script = pathlib.Path(__file__).resolve().parents[2] / "bench/minutes.py"
        done = subprocess.run([sys.executable, script, "--program", *p.PROGRAM, "--data", p.WORK / "captions", "--recipe",
                               p.WORK / "captions/recipe.toml", "--minutes", "0.05", "0.02", "--goal", str(goal)],
                              env=p.environment(), check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    def test_runs_from_nothing_until_the_goal(self):
        data = p.WORK / "captions"
        p.write_data(data)
        (data / "raw").mkdir()
        for side, language in (("src", "de"), ("tgt", "en")):
            with gzip.open(data / f"raw/test_2016_flickr.{language}.gz", "wb") as out:
                out.write((data / f"test.{side}").read_bytes())
        row = self.measure(0)
        self.assertEqual((row["ours"], len(row["runs"])), (0.02, 1))
        self.assertIn("up to 0.05 minutes reached 100.0 BLEU", self.measure(100)["skipped"])


if __name__ == "__main__":
    p.main()
