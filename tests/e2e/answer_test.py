#!/usr/bin/env python3
"""Questions about passages as a user asks them: SQuAD files and tables, long passages, no answer, several windows."""
import gzip
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
            rows = [(q["question"], para["context"], json.dumps(q["answers"]))
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
        self.fails(2, "explain", self.reader(), "--text", "Where?", "--field", "context=",
                   says="a question and a passage that are not empty")

    def test_an_answer_that_is_not_in_its_passage(self):
        folder = p.WORK / "astray"
        shutil.copytree(self.data(), folder)
        rows = squad(20, 5)
        rows["data"][0]["paragraphs"][0]["qas"][0]["answers"] = [{"text": "nowhere", "answer_start": 3}]
        (folder / "train.json").write_text(json.dumps(rows))
        log = self.ok("train", folder / "recipe.toml", "--check").stdout.decode()
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
        for who, marked in (("Bodo", ["Rana"]), ("Tugix", None)):
            self.ok("explain", folder / "model", "--text", f"Where does {who} live?", "--field",
                    "context=Bodo lives in Rana and works as a old baker.", "--out", self.fresh(who + ".json"))
            figure = json.loads((p.WORK / (who + ".json")).read_text())
            self.assertEqual(figure["words"][slice(*figure["marked"])] if "marked" in figure else None, marked)

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
        fields = ["--text", "Where does Bodo live?", "--field", "context=Bodo lives in Rana and works as a old baker."]
        page = self.ok("explain", self.reader(), *fields).stdout.decode()
        self.assertIn("Rana", page)
        self.assertIn("Bodo", self.ok("explain", self.reader(), *fields, "--draw", "question").stdout.decode())
        self.ok("explain", self.reader(), *fields, "--out", p.WORK / "answer.json")
        figure = json.loads((p.WORK / "answer.json").read_text())
        self.assertEqual(figure["title"], "Where does Bodo live? → Rana")
        self.assertEqual(figure["words"][figure["weights"][0].index(max(figure["weights"][0]))], "Rana")
        self.assertEqual(figure["words"][slice(*figure["marked"])], ["Rana"])

    def test_explain_draws_attention_in_both_directions(self):
        def trained(folder, *more):
            out = self.fresh(folder)
            self.ok("train", self.data() / "recipe.toml", "--out", out, "--quiet", "--set", "train.max_steps=20", "--set",
                    "train.validate_every=20", "--set", "model.flow=true", "--set", "model.flow_encoder.hidden=12", *more)
            return out

        flow = trained("both-directions", "--set", "windows.size=12", "--set", "windows.stride=6")
        # Several windows, each of which speaks for what is nearest to its middle.
        fields = ["--text", "Where does Bodo live?", "--field", "context=" + "Bodo lives in Rana and works as a old baker. " * 2]
        figures = {}
        for draw in ("answer", "question", "passage"):
            self.ok("explain", flow, *fields, "--draw", draw, "--out", self.fresh(draw + ".json"))
            figures[draw] = json.loads((p.WORK / (draw + ".json")).read_text())
        words = figures["answer"]["words"]
        self.assertEqual([figures["passage"]["words"], figures["question"]["passage"]], [words, words])
        self.assertEqual(len({tuple(figure["marked"]) for figure in figures.values()}), 1)
        shown = figures["answer"]["title"].split(" → ")[1].replace(" ", "")
        self.assertEqual("".join(words[slice(*figures["answer"]["marked"])]).replace(" ", ""), shown)
        for row in figures["question"]["weights"]:
            self.assertAlmostEqual(sum(row), 1, places=5)
        self.assertEqual([len(row) for row in figures["passage"]["weights"]], [len(words)])
        self.assertGreater(min(figures["passage"]["weights"][0]), 0)
        self.fails(2, "explain", self.reader(), *fields, "--draw", "passage", says="needs a model with model.flow = true")
        both = trained("both-directions-at-once"), self.reader()
        self.ok("explain", *both, *fields, "--draw", "question")
        self.fails(2, "explain", *both, *fields, "--draw", "passage", says="needs a model with model.flow = true")

    def test_a_passage_of_100000_words(self):
        text, questions = passage(random.Random(4))
        filler = "the weather was fine and the roads were dry all over the land . " * 3850  # of 14 words, before and behind
        path = p.WORK / "huge.jsonl"
        p.write_lines(path, [json.dumps({"question": questions[0][0], "context": filler + text + " " + filler})])
        output = json.loads(self.ok("predict", self.reader(), "--in", path, "--format", "jsonl").stdout)["outputs"][0]
        self.assertNotEqual(output["text"], "")
        self.assertGreater(output["end"], output["start"])

    def test_what_cannot_be_is_refused(self):
        for setting, says in (("tokenizer.kind=bpe", "take word or char"), ("tokenizer.normalization=nfkc", "take identity"),
                              ("windows.stride=500", "would leave tokens out"),
                              ("model.flow_encoder.hidden=9", "has no meaning without model.flow = true"),
                              ("model.hops=2", "model.hops = 2 has no meaning with model.kind = 'span'")):
            self.fails(2, "train", self.data() / "recipe.toml", "--check", "--set", setting, says=says)


STORY_RECIPE = """task = "answer"

[data]
train = "qa*_train.txt.gz"
valid = "qa*_valid.txt"
test = "qa*_test.txt"
layout = "babi"

[tokenizer]
size = 200
min_count = 1

[model]
kind = "story"
embedding = 16
sentence = { hidden = 16 }
story = { hidden = 16 }
hops = 2

[train]
max_steps = 300
batch = 32
optimizer = { lr = 1e-2, clip = 1.0 }
validate_every = 150
keep = "accuracy"

[valid]
metric = "accuracy"
"""

PEOPLE, ROOMS = ("Ana", "Bo", "Cy"), ("attic", "cellar", "kitchen", "stable")


def stories(count, seed, both):
    """A file of bAbI: where somebody is, or who is with somebody, as a list."""
    rng, lines = random.Random(seed), []
    for _ in range(count):
        number, where, told = 1, {}, []
        for step in range(8):
            who = PEOPLE[step] if step < 3 else rng.choice(PEOPLE)
            where[who] = rng.choice(ROOMS)
            told.append(number)
            lines.append(f"{number} {who} went to the {where[who]}.")
            number += 1
            if step % 2 == 1 and step > 2:
                asked = rng.choice(PEOPLE)
                if both:
                    others = ",".join(w for w in PEOPLE if w != asked and where[w] == where[asked]) or "nobody"
                    lines.append(f"{number} Who is with {asked}? \t{others}\t{told[-1]}")
                else:
                    lines.append(f"{number} Where is {asked}? \t{where[asked]}\t{told[-1]}")
                number += 1
    return "\n".join(lines) + "\n"


class Story(p.Case):
    def data(self):
        folder = p.WORK / "stories"
        if not folder.exists():
            folder.mkdir()
            (folder / "recipe.toml").write_text(STORY_RECIPE)
            for task, both in (("qa1", False), ("qa2", True)):
                (folder / f"{task}_train.txt.gz").write_bytes(gzip.compress(stories(200, 1 + both, both).encode()))
                (folder / f"{task}_valid.txt").write_text(stories(10, 3 + both, both))
                (folder / f"{task}_test.txt").write_text(stories(30, 5 + both, both))
        return folder

    def reader(self):
        out = p.WORK / "story-model"
        if not out.exists():
            self.ok("train", self.data() / "recipe.toml", "--out", out, "--quiet")
        return out

    def predicted(self, rows, *flags):
        path = p.WORK / "stories.jsonl"
        p.write_lines(path, [json.dumps(row) for row in rows])
        return self.ok("predict", self.reader(), "--in", path, *flags).stdout.decode().splitlines()

    def accuracy(self, *args):
        lines = self.ok("evaluate", self.reader(), *args).stdout.decode().splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["accuracy"])
        return float(lines[0].split()[1])

    def test_it_learns_and_evaluate_scores_classes(self):
        both = self.accuracy()
        self.assertGreater(both, 70)
        each = [self.accuracy("--data", self.data() / f"qa{k}_test.txt") for k in (1, 2)]
        self.assertAlmostEqual(both, sum(each) / 2, delta=0.02)
        plain = self.ok("baseline", self.data() / "recipe.toml").stdout.decode()
        self.assertIn("most frequent answer to the same question", plain)

    def test_what_a_question_gets_does_not_depend_on_the_others(self):
        told = "Ana went to the attic.\nBo went to the cellar.\nCy went to the attic.\nAna went to the stable."
        rows = [{"story": told, "question": f"Where is {who}?"} for who in PEOPLE] + [{"story": "Bo went to the cellar.",
                                                                                  "question": "Where is Bo?"}] * 5
        one = self.predicted(rows, "--batch", 1, "--format", "jsonl", "--n-best", 3)
        self.assertEqual(one, self.predicted(rows, "--batch", 50, "--format", "jsonl", "--n-best", 3))
        first = json.loads(one[0])
        self.assertEqual([len(first["outputs"]), len(first["sentences"]), len(first["weights"])], [3, 4, 2])
        self.assertEqual(self.predicted(rows)[:3], ["stable", "cellar", "attic"])
        lists = [{"story": row["story"].split("\n"), "question": row["question"]} for row in rows]
        self.assertEqual(self.predicted(lists), self.predicted(rows))

    def test_nothing_told_and_nothing_asked(self):
        rows = [{"story": "", "question": "Where is Ana?"}, {"story": "Ana went to the attic.", "question": ""},
                {"story": "\n \n", "question": "Where?"}, {"story": "Ana went to the attic.", "question": "Where is Ana?"}]
        lines = self.predicted(rows)
        self.assertEqual(lines[:3], ["", "", ""])
        self.assertNotEqual(lines[3], "")
        self.fails(2, "explain", self.reader(), "--text", "Where?", "--field", "story=",
                   says="a question and a story that are not empty")

    def test_answers_that_training_has_not_count_as_wrong(self):
        right = "1 Ana went to the attic.\n2 Where is Ana? \tattic\t1\n"
        path = p.WORK / "unknown.txt"
        path.write_text(right)
        self.assertEqual(self.accuracy("--data", path), 100)
        path.write_text(right + "3 Where is Ana? \tmoon\t1\n")
        self.assertEqual(self.accuracy("--data", path), 50)
        path.write_text("1 Where is Ana?\tattic\n2 Ana went to the attic.\n3 Where is Ana?\tattic\t2\n")
        self.assertEqual(self.accuracy("--data", path), 50)  # nothing was told before the first

    def test_files_that_are_not_so(self):
        path = p.WORK / "broken.txt"
        path.write_text("Ana went to the attic.\n")
        self.fails(3, "evaluate", self.reader(), "--data", path, says="broken.txt:1: neither 'NUMBER text' nor")
        folder = p.WORK / "without"
        shutil.copytree(self.data(), folder)
        (folder / "qa3_train.txt.gz").write_bytes(gzip.compress(b"1 Where is Ana?\tattic\nnonsense\n"))
        log = self.ok("train", folder / "recipe.toml", "--check").stdout.decode()
        self.assertIn("the story is empty: 1", log)
        self.assertIn("neither 'NUMBER text' nor 'NUMBER question TAB answer': 1", log)

    def test_a_table_trains_as_the_stories_do(self):
        folder = p.WORK / "story-table"
        folder.mkdir()
        (folder / "recipe.toml").write_text(STORY_RECIPE.replace('layout = "babi"\n', "").replace(".txt.gz", ".jsonl")
                                            .replace(".txt", ".jsonl"))
        for task, both in (("qa1", False), ("qa2", True)):
            for part, count, seed in (("train", 200, 1), ("valid", 10, 3), ("test", 30, 5)):
                rows, story = [], []
                for line in stories(count, seed + both, both).splitlines():
                    number, rest = line.split(" ", 1)
                    story = [] if number == "1" else story
                    if "\t" in rest:
                        question, answer, _ = rest.split("\t")
                        rows.append(json.dumps({"story": "\n".join(story), "question": question.strip(), "answer": answer}))
                    else:
                        story.append(rest)
                p.write_lines(folder / f"{task}_{part}.jsonl", rows)
        files = []
        for recipe in (folder, self.data()):
            out = self.fresh("story-" + str(len(files)))
            self.ok("train", recipe / "recipe.toml", "--out", out, "--quiet", "--set", "train.max_steps=10", "--set",
                    "train.validate_every=10")
            files.append(p.sha256(out / "model.safetensors"))
        self.assertEqual(files[0], files[1])

    def test_the_promises_hold(self):
        aged = ["--set", "model.told_in_order=false", "--set", "model.story.hidden=64", "--set", "model.ages=10", "--set",
                "model.age_noise=0.1", "--set", "model.dropout=0.1"]
        for more in ([], aged):
            files = []
            for run in (["--threads", "1"], ["--threads", "2"]):
                out = self.fresh("story-promise" + run[1])
                self.ok("train", self.data() / "recipe.toml", "--out", out, "--quiet", "--set", "train.max_steps=20",
                        "--set", "train.validate_every=10", *more, *run)
                files.append(p.sha256(out / "model.safetensors"))
            stopped = self.fresh("story-stopped")
            self.ok("train", self.data() / "recipe.toml", "--out", stopped, "--quiet", "--set", "train.max_steps=10",
                    "--set", "train.validate_every=10", *more)
            self.ok("train", self.data() / "recipe.toml", "--out", stopped, "--quiet", "--resume", "--set",
                    "train.max_steps=20", "--set", "train.validate_every=10", *more)
            self.assertEqual({*files, p.sha256(stopped / "model.safetensors")}, {files[0]})
            self.accuracy_of_both(out, stopped)

    def accuracy_of_both(self, *models):
        path = p.WORK / "both.jsonl"
        p.write_lines(path, [json.dumps({"story": "Ana went to the attic.", "question": "Where is Ana?"})])
        self.assertEqual(len(self.ok("predict", *models, "--in", path).stdout.splitlines()), 1)
        small = self.fresh("story-int8")
        self.ok("export", models[0], "--out", small, "--quantize", "int8")
        self.assertEqual(len(self.ok("predict", small, "--in", path).stdout.splitlines()), 1)

    def test_explain_has_a_row_for_each_hop(self):
        fields = ["--text", "Where is Ana?", "--field", "story=Ana went to the attic.\nBo went to the cellar."]
        self.assertIn("went to the attic", self.ok("explain", self.reader(), *fields).stdout.decode())
        self.ok("explain", self.reader(), *fields, "--out", p.WORK / "hops.json")
        figure = json.loads((p.WORK / "hops.json").read_text())
        self.assertEqual([len(figure["words"]), len(figure["weights"])], [2, 2])

    def test_what_cannot_be_is_refused(self):
        for setting, says in (("model.exact_match=false", "has no meaning with model.kind = 'story'"),
                              ("windows.size=7", "has no meaning with model.kind = 'story'"),
                              ("decode.longest=7", "has no meaning with model.kind = 'story'"),
                              ("model.age_noise=0.1", "has no meaning without model.ages"),
                              ("model.told_in_order=false", "has no meaning without model.told_in_order = true")):
            self.fails(2, "train", self.data() / "recipe.toml", "--check", "--set", setting, says=says)
        self.fails(2, "predict", self.reader(), "--longest", 3, says="longest")


if __name__ == "__main__":
    p.main()
