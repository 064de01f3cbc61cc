#!/usr/bin/env python3
"""Questions about passages as a user asks them: SQuAD files and tables, long passages, no answer, several windows."""
import json
import random
import shutil

import program as p

RECIPE = """task = "answer"

[data]
train = "train.json"
valid = "valid.json"
test = "test.json"

[tokenizer]
size = 200

[model]
embedding = 24
passage = { hidden = 24 }
question = { hidden = 24 }
dropout = 0.1

[train]
max_steps = 240
batch = 20
optimizer = { lr = 1e-2, clip = 1.0 }
validate_every = 120
keep = "f1"

[decode]
longest = 6
"""


def name(rng):
    return "".join(rng.choice("bdfglmnprst") + rng.choice("aeiou") for _ in range(rng.randint(2, 3))).capitalize()


def passage(rng):
    """People, where they live and what they do, and questions with the stretch that answers each."""
    facts, questions = [], []
    for _ in range(rng.randint(2, 4)):
        who, town, job = name(rng), name(rng), f"{rng.choice(['old', 'young'])} {rng.choice(['baker', 'smith', 'tailor'])}"
        text = f"{who} lives in {town} and works as a {job}."
        facts.append((text, [(f"Where does {who} live?", town), (f"What is {who}'s work?", job)]))
    context, starts = "", []
    for text, asked in facts:
        context += (" " if context else "")
        for question, answer in asked:
            starts.append((question, answer, len(context) + text.index(f" {answer}") + 1))
        context += text
    return context, starts


def squad(count, seed):
    rng = random.Random(seed)
    paragraphs = []
    for k in range(count):
        context, asked = passage(rng)
        qas = [{"id": f"{seed}-{k}-{n}", "question": q, "answers": [{"text": a, "answer_start": s}]}
               for n, (q, a, s) in enumerate(asked)]
        paragraphs.append({"context": context, "qas": qas})
    return {"version": "1.1", "data": [{"title": "people", "paragraphs": paragraphs}]}


class Answer(p.Case):
    def data(self):
        folder = p.WORK / "people"
        if not folder.exists():
            folder.mkdir()
            (folder / "recipe.toml").write_text(RECIPE)
            for part, count, seed in (("train", 150, 1), ("valid", 10, 2), ("test", 20, 3)):
                (folder / f"{part}.json").write_text(json.dumps(squad(count, seed)))
        return folder

    def reader(self):
        folder = self.data()
        out = p.WORK / "people-model"
        if not out.exists():
            self.ok("train", folder / "recipe.toml", "--out", out, "--quiet")
        return out

    def asked(self, count=5, seed=9, context=lambda text: text):
        rng = random.Random(seed)
        rows = []
        for _ in range(count):
            text, questions = passage(rng)
            rows += [{"question": q, "context": context(text), "answer": a} for q, a, _ in questions]
        path = p.WORK / "asked.jsonl"
        p.write_lines(path, [json.dumps({k: row[k] for k in ("question", "context")}) for row in rows])
        return path, rows

    def test_it_learns_and_evaluate_scores_as_squad_does(self):
        lines = self.ok("evaluate", self.reader()).stdout.decode().splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["exact_match", "f1"])
        self.assertGreater(float(lines[0].split()[1]), 80)
        plain = self.ok("baseline", self.data() / "recipe.toml").stdout.decode()
        self.assertIn("sentence with most of the question's words", plain)
        self.assertIn("most frequent answer", plain)

    def test_answers_are_stretches_of_the_passage_as_it_is_written(self):
        path, rows = self.asked(context=lambda text: "  Größe: " + text)
        lines = self.ok("predict", self.reader(), "--in", path, "--format", "jsonl", "--n-best", 2).stdout.decode().splitlines()
        right = 0
        for row, line in zip(rows, lines, strict=True):
            outputs = json.loads(line)["outputs"]
            self.assertEqual(len(outputs), 2)
            for output in outputs:
                self.assertEqual(row["context"][output["start"]:output["end"]], output["text"])
            spans = sorted((output["start"], output["end"]) for output in outputs)
            self.assertLessEqual(spans[0][1], spans[1][0])
            right += outputs[0]["text"] == row["answer"]
        self.assertGreater(right, 0.7 * len(rows))

    def test_a_long_passage_is_read_in_windows(self):
        filler = "The weather was fine and the roads were dry. " * 120
        path, rows = self.asked(context=lambda text: filler + text + " " + filler)
        one = self.ok("predict", self.reader(), "--in", path, "--batch", 1).stdout.decode().splitlines()
        many = self.ok("predict", self.reader(), "--in", path, "--batch", 50).stdout.decode().splitlines()
        self.assertEqual(one, many)
        self.assertGreater(sum(a == row["answer"] for a, row in zip(one, rows, strict=True)), 0.6 * len(rows))

    def test_a_table_trains_as_the_json_does(self):
        folder = p.WORK / "table"
        folder.mkdir()
        (folder / "recipe.toml").write_text(RECIPE.replace(".json", ".tsv").replace("240", "10").replace("120", "10"))
        for part, count, seed in (("train", 150, 1), ("valid", 10, 2), ("test", 20, 3)):
            rows = [(q["question"], para["context"], q["answers"][0]["text"])
                    for para in squad(count, seed)["data"][0]["paragraphs"] for q in para["qas"]]
            p.write_lines(folder / f"{part}.tsv", ["\t".join(row) for row in rows])
        self.ok("train", folder / "recipe.toml", "--out", folder / "model", "--quiet")
        other = self.fresh("from-json")
        self.ok("train", self.data() / "recipe.toml", "--out", other, "--quiet", "--set", "train.max_steps=10", "--set",
                "train.validate_every=10")
        self.assertEqual(p.sha256(folder / "model/model.safetensors"), p.sha256(other / "model.safetensors"))

    def test_empty_ones_and_one_word(self):
        path = p.WORK / "small.jsonl"
        p.write_lines(path, [json.dumps({"question": q, "context": c}) for q, c in
                             (("", "Bodo lives in Rana."), ("Where?", ""), ("Where?", "Rana"), ("", ""))])
        self.assertEqual(self.ok("predict", self.reader(), "--in", path).stdout.decode().splitlines(), ["", "", "Rana", ""])
        self.fails(2, "explain", self.reader(), "--field", "question=Where?", "--field", "context=",
                   says="a question and a passage that are not empty")

    def test_an_answer_that_is_not_in_its_passage(self):
        folder = p.WORK / "astray"
        shutil.copytree(self.data(), folder)
        rows = squad(20, 5)
        rows["data"][0]["paragraphs"][0]["qas"][0]["answers"] = [{"text": "nowhere", "answer_start": 3}]
        (folder / "train.json").write_text(json.dumps(rows))
        log = self.ok("train", folder / "recipe.toml", "--check").stderr.decode()
        self.assertIn("left out: the answer is not in its passage: 1", log)
        (folder / "test.json").write_text(json.dumps(rows))
        self.ok("evaluate", self.reader(), "--data", folder / "test.json")

    def test_no_answer(self):
        folder = p.WORK / "none"
        folder.mkdir()
        (folder / "recipe.toml").write_text(RECIPE.replace("[model]", "[model]\nno_answer = true"))
        for part, count, seed in (("train", 150, 1), ("valid", 10, 2), ("test", 20, 3)):
            rows, rng = squad(count, seed), random.Random(seed)
            for paragraph in rows["data"][0]["paragraphs"]:
                paragraph["qas"].append({"id": "x", "question": f"Where does {name(rng)}x live?", "answers": []})
            (folder / f"{part}.json").write_text(json.dumps(rows))
        self.ok("train", folder / "recipe.toml", "--out", folder / "model", "--quiet")
        path = p.WORK / "unknown.jsonl"
        p.write_lines(path, [json.dumps({"question": f"Where does {w} live?", "context": "Bodo lives in Rana and works as a old baker."})
                             for w in ("Bodo", "Tugix")])
        self.assertEqual(self.ok("predict", folder / "model", "--in", path).stdout.decode().splitlines(), ["Rana", ""])
        always = self.ok("predict", folder / "model", "--in", path, "--null-threshold", 1000).stdout.decode().splitlines()
        self.assertNotIn("", always)

    def test_the_promises_hold(self):
        path, _ = self.asked(20)
        flow = ["--set", "model.flow=true", "--set", "model.flow_encoder.hidden=12", "--set", "model.aligned=false"]
        for more in ([], flow):
            files = []
            for run in (["--threads", "1"], ["--threads", "2"]):
                out = self.fresh("promise" + run[1])
                self.ok("train", self.data() / "recipe.toml", "--out", out, "--quiet", "--set", "train.max_steps=20",
                        "--set", "train.validate_every=10", *more, *run)
                files.append(p.sha256(out / "model.safetensors"))
            stopped = self.fresh("stopped")
            self.ok("train", self.data() / "recipe.toml", "--out", stopped, "--quiet", "--set", "train.max_steps=10",
                    "--set", "train.validate_every=10", *more)
            self.ok("train", self.data() / "recipe.toml", "--out", stopped, "--quiet", "--resume", "--set",
                    "train.max_steps=20", "--set", "train.validate_every=10", *more)
            self.assertEqual({*files, p.sha256(stopped / "model.safetensors")}, {files[0]})
            both = self.ok("predict", out, stopped, "--in", path, "--format", "jsonl").stdout
            self.assertEqual(len(both.splitlines()), len(path.read_text().splitlines()))

    def test_explain_marks_the_answer_and_what_was_read_of_the_question(self):
        fields = ["--field", "question=Where does Bodo live?", "--field", "context=Bodo lives in Rana and works as a old baker."]
        page = self.ok("explain", self.reader(), *fields).stdout.decode()
        self.assertIn("Rana", page)
        self.assertIn("Bodo", self.ok("explain", self.reader(), *fields, "--show", "question").stdout.decode())

    def test_what_cannot_be_is_refused(self):
        for setting, says in (("tokenizer.kind=bpe", "take word or char"), ("tokenizer.normalization=nfkc", "take identity"),
                              ("windows.stride=500", "would leave tokens out"),
                              ("model.flow_encoder.hidden=9", "has no meaning without model.flow = true")):
            self.fails(2, "train", self.data() / "recipe.toml", "--check", "--set", setting, says=says)


if __name__ == "__main__":
    p.main()
