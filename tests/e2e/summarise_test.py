#!/usr/bin/env python3
"""Summaries as a user does them: long texts into short ones, words copied that training has never seen."""
import json
import random
import shutil

import program as p

RECIPE = """task = "summarise"

[data]
train = "train.jsonl"
valid = "valid.jsonl"
test = "test.jsonl"
columns = ["body", "subject"]

[tokenizer]
size = 60
source_limit = 30

[model]
encoder = { hidden = 24 }
decoder = { hidden = 32 }
embedding = 24
dropout = 0.1

[loss]
smoothing = 0

[train]
max_steps = 240
batch = 20
optimizer = { lr = 1e-2, clip = 1.0 }
validate_every = 120
keep = "rougel"

[decode]
beam = 3
max_length = 12
"""

WORDS = "we the of and for about it was that this have been some more time work day only".split()


def name(rng):
    return "".join(rng.choice("bdfglmnprst") + rng.choice("aeiou") for _ in range(rng.randint(2, 3)))


def letters(count, seed):
    """Chatter around "please ask NAME about the THING"; the subject is "THING for NAME". Names are nearly all new."""
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        who, what = name(rng), rng.choice(["report", "contract", "meeting", "invoice"])
        chatter = [rng.choice(WORDS) for _ in range(rng.randint(4, 12))]
        at = rng.randint(0, len(chatter))
        body = " ".join(chatter[:at] + f"please ask {who} about the {what} .".split() + chatter[at:])
        out.append({"body": body, "subject": f"{what} for {who}"})
    return out


class Summarise(p.Case):
    def data(self):
        folder = p.WORK / "letters"
        if not folder.exists():
            folder.mkdir()
            (folder / "recipe.toml").write_text(RECIPE)
            for part, count, seed in (("train", 600, 1), ("valid", 40, 2), ("test", 60, 3)):
                p.write_lines(folder / f"{part}.jsonl", [json.dumps(row) for row in letters(count, seed)])
        return folder

    def model(self):
        folder = self.data()
        out = p.WORK / "letters-model"
        if not out.exists():
            self.ok("train", folder / "recipe.toml", "--out", out)
        return out

    def inputs(self, rows):
        path = p.WORK / "inputs.jsonl"
        p.write_lines(path, [json.dumps({"source": row["body"]}) for row in rows])
        return path

    def test_words_are_copied_that_training_has_not_seen(self):
        rows = letters(50, 77)
        known = " ".join(row["body"] for row in letters(600, 1))
        done = self.ok("predict", self.model(), "--in", self.inputs(rows), "--format", "jsonl")
        right = unseen = 0
        for row, line in zip(rows, done.stdout.decode().splitlines(), strict=True):
            output = json.loads(line)["outputs"][0]
            self.assertEqual(len(output["copying"]), len(output["token_log_probs"]))
            self.assertTrue(all(0 <= share <= 1 for share in output["copying"]))
            who = row["subject"].split()[-1]
            if f" {who} " in known:
                continue
            unseen += 1
            right += who in output["text"].split()
        self.assertGreater(unseen, 30)
        self.assertGreater(right, 0.8 * unseen)

    def test_evaluate_gives_rouge(self):
        lines = self.ok("evaluate", self.model(), "--format", "text").stdout.decode().splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["rouge1", "rouge2", "rougel", "repeated3"])
        self.assertGreater(float(lines[0].split()[1]), 60)
        plain = self.ok("baseline", self.data() / "recipe.toml").stdout.decode()
        self.assertIn("first sentence", plain)

    def test_long_texts_are_read_to_the_limit_and_that_is_said(self):
        log = self.ok("train", self.data() / "recipe.toml", "--check", "--set", "tokenizer.source_limit=12").stderr.decode()
        self.assertRegex(log, r"sources: \d+ of 600 have more than 12 tokens and are read to there")
        long = p.WORK / "long.txt"
        p.write_lines(long, ["please ask bobo about the report . " * 20])
        done = self.ok("predict", self.model(), "--in", long)
        self.assertIn("only the first 30 of 140 tokens are read", done.stderr.decode())
        self.assertEqual(len(done.stdout.decode().splitlines()), 1)

    def test_no_text_is_too_long_to_learn_from(self):
        folder = p.WORK / "letters-long"
        shutil.copytree(self.data(), folder, ignore=shutil.ignore_patterns("*-model"))
        p.write_lines(folder / "train.jsonl", [json.dumps({"body": "we have some work " * 100, "subject": "work"})] * 3)
        done = self.ok("train", folder / "recipe.toml", "--check")
        self.assertIn("read 3 examples, kept 3", done.stdout.decode())
        self.assertIn("sources: 3 of 3 have more than 30 tokens", done.stderr.decode())

    def test_explain_says_what_was_copied(self):
        text = "we have please ask mofu about the report . some more work"
        self.assertIn("[copied", self.ok("explain", self.model(), "--text", text).stdout.decode())
        steps = self.ok("explain", self.model(), "--text", text, "--steps").stdout.decode()
        self.assertIn("copying", steps)
        self.assertIn("mofu", steps)

    def test_given_outputs_are_scored_with_their_copies(self):
        rows = letters(5, 78)
        inputs, given = self.inputs(rows), p.WORK / "given.txt"
        p.write_lines(given, [row["subject"] for row in rows])
        words = ("predict", self.model(), "--in", inputs, "--score", given, "--format", "jsonl")
        done = self.ok(*words, "--threads", 1)
        self.assertEqual(done.stdout, self.ok(*words, "--batch", 1, "--threads", 3).stdout)
        wrong = p.WORK / "wrong.txt"
        p.write_lines(wrong, [row["subject"].rsplit(" ", 1)[0] + " zuzuzu" for row in rows])
        other = self.ok("predict", self.model(), "--in", inputs, "--score", wrong, "--format", "jsonl")
        for a, b in zip(done.stdout.decode().splitlines(), other.stdout.decode().splitlines(), strict=True):
            self.assertGreater(json.loads(a)["outputs"][0]["log_prob"], json.loads(b)["outputs"][0]["log_prob"])

    def test_any_batch_and_thread_count_give_the_same(self):
        inputs = self.inputs(letters(30, 79))
        one = self.ok("predict", self.model(), "--in", inputs, "--format", "jsonl", "--batch", 1, "--threads", 1).stdout
        many = self.ok("predict", self.model(), "--in", inputs, "--format", "jsonl", "--batch", 13).stdout
        self.assertEqual(one, many)

    def test_a_stopped_run_goes_on_to_the_same_bits(self):
        folder = self.data()
        whole, half = p.WORK / "whole", p.WORK / "half"
        self.ok("train", folder / "recipe.toml", "--out", whole, "--set", "train.max_steps=20", "--set",
                "train.validate_every=10")
        self.ok("train", folder / "recipe.toml", "--out", half, "--set", "train.max_steps=10", "--set",
                "train.validate_every=10")
        self.ok("train", folder / "recipe.toml", "--out", half, "--resume", "--set", "train.max_steps=20",
                "--set", "train.validate_every=10")
        self.assertEqual(p.sha256(whole / "model.safetensors"), p.sha256(half / "model.safetensors"))
        self.ok("predict", whole, half, "--in", self.inputs(letters(3, 80)))
        shutil.rmtree(whole), shutil.rmtree(half)

    def test_without_copying_and_without_attention(self):
        for settings in (["model.copy=false"], ["model.copy=false", "model.score=none"], ["loss.coverage=1"],
                         ["model.score=coverage", "model.tie=all", "model.readout=24"]):
            out = p.WORK / "variant"
            flags = [word for setting in settings for word in ("--set", setting)]
            self.ok("train", self.data() / "recipe.toml", "--out", out, "--overwrite", "--set", "train.max_steps=4",
                    "--set", "train.validate_every=4", *flags)
            self.ok("predict", out, "--in", self.inputs(letters(2, 81)))
            shutil.rmtree(out)

    def test_what_does_not_go_together_is_refused(self):
        for settings, message in ((["model.score=none"], "model.copy = true copies from where the attention is"),
                                  (["loss.sampling=linear"], "does not go with model.copy = true"),
                                  (["tokenizer.kind=bpe", "tokenizer.joint=false"], "set tokenizer.joint = true"),
                                  (["tokenizer.kind=bpe", "tokenizer.sampling=0.1"], "needs one cut of a text")):
            flags = [word for setting in settings for word in ("--set", setting)]
            self.fails(2, "train", self.data() / "recipe.toml", "--check", *flags, says=message)


if __name__ == "__main__":
    p.main()
