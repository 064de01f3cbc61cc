#!/usr/bin/env python3
"""Conversations as a user has them: lines in, replies out, commands between them."""
import gzip
import json
import math
import os
import pty
import random
import re
import shutil
import signal
import subprocess

import program as p

RECIPE = """task = "chat"

[data]
train = "train.jsonl"
valid = "valid.jsonl"

[model]
encoder = { hidden = 24 }
decoder = { hidden = 32 }
embedding = 24

[train]
max_steps = 120
batch = 20
optimizer = { lr = 1e-2, clip = 1.0 }
validate_every = 60
keep = "loss"

[decode]
beam = 2
max_length = 12
"""


def rows(count, seed):
    """Greetings, and prices of things that the knowledge names."""
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        prices = {thing: str(rng.randint(1, 9)) for thing in rng.sample(["apples", "bread", "tea", "milk"], 2)}
        known = [f"{thing} {price}" for thing, price in prices.items()]
        thing = rng.choice(list(prices))
        history, reply = rng.choice([
            (["hello"], "hello , what do you want ?"),
            (["hello", "hello , what do you want ?", f"how much is {thing} ?"], f"{thing} is {prices[thing]}"),
            ([f"how much is {thing} ?"], f"{thing} is {prices[thing]}")])
        out.append({"history": history, "knowledge": known, "reply": reply})
    return out


def train_model(tmp):
    """The folder of a small model of task chat; trained once."""
    data, out = tmp / "chat-data", tmp / "chat-model"
    if not out.exists():
        data.mkdir()
        (data / "recipe.toml").write_text(RECIPE)
        for part, count, seed in (("train", 400, 1), ("valid", 40, 2)):
            p.write_lines(data / f"{part}.jsonl", [json.dumps(row) for row in rows(count, seed)])
        done = p.run("train", data / "recipe.toml", "--out", out, "--quiet")
        assert done.returncode == 0, done.stderr.decode()
    return out


def read(transcript):
    return [json.loads(line) for line in transcript.read_text(encoding="utf-8").splitlines()]


class Chat(p.Case):
    def model(self):
        return train_model(p.WORK)

    def talk(self, lines, *flags, model=None, **more):
        """The lines that a conversation writes."""
        return self.ok("chat", model or self.model(), *flags, stdin=lines, **more).stdout.decode().splitlines()

    def transcript(self, lines, *flags):
        """What a conversation writes down."""
        path = p.WORK / "transcript.jsonl"
        path.unlink(missing_ok=True)
        replies = self.talk(lines, "--transcript", path, *flags)
        written = read(path)
        self.assertEqual([row["reply"] for row in written], replies)
        return written

    def test_replies_are_what_predict_says_of_the_same_turns(self):
        written = self.transcript("/know apples 3\nhello\nhow much is apples ?\n/know tea 4\nhow much is tea ?\n")
        self.assertEqual([len(row["history"]) for row in written], [1, 3, 5])
        self.assertEqual([row["knowledge"] for row in written], [["apples 3"]] * 2 + [["apples 3", "tea 4"]])
        self.assertEqual(written[2]["history"], ["hello", written[0]["reply"], "how much is apples ?",
                                                 written[1]["reply"], "how much is tea ?"])
        inputs = p.WORK / "inputs.jsonl"
        p.write_lines(inputs, [json.dumps({k: "\n".join(row[k]) for k in ("history", "knowledge")}) for row in written])
        done = self.ok("predict", self.model(), "--in", inputs)
        self.assertEqual(done.stdout.decode().splitlines(), [row["reply"] for row in written])

    def test_reset_undo_and_slashes(self):
        written = self.transcript("hello\n/undo\nhello\n/know tea 4\n/reset\n//reset\n\n/quit\nhello\n")
        self.assertEqual([(row["history"], row["knowledge"]) for row in written],
                         [(["hello"], [])] * 2 + [(["/reset"], [])])

    def test_the_newest_turns_only(self):
        written = self.transcript("a\nb\nc\n", "--history", 2)
        self.assertEqual([row["history"] for row in written],
                         [["a"], [written[0]["reply"], "b"], [written[1]["reply"], "c"]])
        self.fails(2, "chat", self.model(), "--history", 0, says="--history")

    def test_knowledge_from_a_file(self):
        plain, packed = p.WORK / "known.txt", p.WORK / "known.txt.gz"
        plain.write_text("apples 3\r\n\ntea 4\n")
        packed.write_bytes(gzip.compress(plain.read_bytes()))
        for path in (plain, packed):
            written = self.transcript("hello\n/know milk 5\n/reset\nhello\n", "--knowledge", path)
            self.assertEqual([row["knowledge"] for row in written], [["apples 3", "tea 4"]] * 2)
        plain.write_bytes(b"apples 3\ntea \xff\n")
        self.fails(3, "chat", self.model(), "--knowledge", plain, says="known.txt:2: byte 5 is not UTF-8")
        self.fails(4, "chat", self.model(), "--knowledge", p.WORK / "no_such", says="no_such")
        self.fails(2, "chat", self.model(), "--knowledge", "-", says="standard input is what is said")

    def test_a_transcript_grows_and_can_be_learnt_from(self):
        path = p.WORK / "grows.jsonl"
        before = sorted(os.listdir(p.WORK))
        self.talk("hello\n")
        self.assertEqual(sorted(os.listdir(p.WORK)), before)
        path.write_text(json.dumps(rows(1, 5)[0]))  # a line without its end
        self.talk("hello\nhello\n", "--transcript", path)
        self.talk("", "--transcript", path)
        self.talk("hello\n", "--transcript", path)
        written = read(path)
        self.assertEqual(len(written), 4)
        self.assertEqual(written[0], rows(1, 5)[0])
        recipe = p.WORK / "chat-data/recipe.toml"
        done = self.ok("train", recipe, "--check", "--set", f"data.train={path}")
        self.assertIn("read 4 examples", done.stdout.decode())
        self.ok("evaluate", self.model(), "--data", path)
        for name, code, says in (("-", 2, "standard output has the replies"), (p.WORK / "x.gz", 2, "without .gz"),
                                 (p.WORK, 4, "cannot open"), (p.WORK / "nowhere/t.jsonl", 4, "nowhere")):
            self.fails(code, "chat", self.model(), "--transcript", name, stdin="hello\n", says=says)
        self.fails(4, "chat", self.model(), "--transcript", "/dev/full", stdin="hello\n", says="No space left")

    def test_sampling_draws_each_turn_anew_and_repeats_with_its_seed(self):
        flags = ["--beam", 1, "--sample", "--temperature", 5]
        lines = "hello\n" + "/undo\nhello\n" * 5
        draw = lambda seed: self.talk(lines, *flags, "--seed", seed)
        self.assertEqual(draw(1), draw(1))
        self.assertNotEqual(draw(1), draw(2))
        self.assertGreater(len(set(draw(1))), 3)

    def test_any_thread_count_gives_the_same(self):
        lines = "/know tea 4\nhello\nhow much is tea ?\n"
        self.assertEqual(self.talk(lines, "--threads", 1), self.talk(lines, "--threads", 3))

    def test_why_draws_the_last_reply(self):
        drawn = self.talk("hello\n/why\n")
        self.assertGreater(len(drawn), 3)
        self.assertIn("hello", "\n".join(drawn[1:]))
        for name, begins in (("w.svg", b"<?xml"), ("w.html", b"<!doctype html>"), ("w.json", b"{")):
            path = p.WORK / name
            self.assertEqual(len(self.talk(f"hello\n/why {path}\nhello\n")), 2)
            self.assertTrue(path.read_bytes().startswith(begins), path.read_bytes()[:30])
        mine = p.WORK / "mine.svg"
        mine.write_text("my own")
        done = self.ok("chat", self.model(), stdin=f"hello\n/why {mine}\nhello\n")
        self.assertIn("mine.svg: exists and was not drawn by this program", done.stderr.decode())
        self.assertEqual((mine.read_text(), done.stdout.count(b"\n")), ("my own", 2))

    def test_lines_that_cannot_be_followed_are_said_and_passed_over(self):
        done = self.ok("chat", self.model(), stdin=b"hello\n/und\nhell\xff\n/why now\n/know\n\nhello\n")
        talk = done.stderr.decode().splitlines()
        self.assertEqual((len(talk), done.stdout.count(b"\n")), (4, 2), talk)
        self.assertIn("unknown command '/und'; did you mean '/undo'?", talk[0])
        self.assertIn("line 3: byte 5 is not UTF-8", talk[1])
        self.assertIn("/why now: the ending says what to draw", talk[2])
        self.assertIn("/know: TEXT is missing", talk[3])

    def test_help_is_that_of_the_command_line(self):
        for line in self.talk("/help\n"):
            self.assertIn(line.split()[0], self.ok("help", "chat").stdout.decode())

    def test_replies_come_while_input_stays_open(self):
        path = p.WORK / "at_once.jsonl"
        with p.started("chat", self.model(), "--transcript", path, stdin=subprocess.PIPE,
                       stdout=subprocess.PIPE) as child:
            for count, line in enumerate((b"a\n", b"hello\n"), 1):
                child.stdin.write(line)
                child.stdin.flush()
                self.assertTrue(child.stdout.readline().endswith(b"\n"))
                self.assertEqual(len(read(path)), count)
            child.stdin.close()
            self.assertEqual(child.wait(10), 0)

    def test_a_terminal_has_prompts_and_hints(self):
        model = self.model()
        for words, told in (((), True), (("--quiet",), False)):
            ours, theirs = pty.openpty()
            with p.started("chat", model, *words, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE) as child:
                os.close(theirs)
                seen = b""
                for line in (b"", b"\n", b"hello\n", b"/undo\n", b"\x04"):
                    os.write(ours, line)
                    while not seen.endswith(b"> ") and line != b"\x04":
                        seen += os.read(ours, 65536)
                    seen += b"|"
                talk = child.stderr.read()
                self.assertEqual(child.wait(10), 0)
            os.close(ours)
            self.assertEqual(seen.count(b"> |"), 4, seen)
            for hint in (b"Ctrl-D", b"/help", b"an empty line", b"taken back"):
                self.assertEqual(hint in talk, told, talk)

    def test_control_c_ends_it(self):
        path = p.WORK / "stopped.jsonl"
        with p.started("chat", self.model(), "--transcript", path, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE) as child:
            child.stdin.write(b"hello\n")
            child.stdin.flush()
            child.stdout.readline()
            child.send_signal(signal.SIGINT)
            self.assertEqual(child.wait(10), 130)
            self.assertEqual(child.stderr.read(), b"")
        self.assertEqual(len(read(path)), 1)

    def test_output_that_nobody_reads(self):
        with p.started("chat", self.model(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE) as child:
            child.stdout.close()
            child.stdin.write(b"hello\nhello\n")
            child.stdin.close()
            self.assertEqual((child.wait(10), child.stderr.read()), (0, b""))
        with open("/dev/full", "wb") as full:
            self.fails(4, "chat", self.model(), stdin="hello\n", stdout=full, says="No space left on device")

    def test_several_models_answer_together(self):
        self.assertEqual(self.talk("hello\n"), self.talk("hello\n", self.model()))

    def test_only_the_best_reply_is_shown(self):
        done = self.ok("chat", self.model(), "--n-best", 2, stdin="hello\n")
        self.assertIn("only the best of --n-best", done.stderr.decode())
        self.assertEqual(done.stdout.count(b"\n"), 1)


DIALOGUES = RECIPE.replace('"train.jsonl"', '"train.txt"').replace(
    '"valid.jsonl"', '"valid.txt"\ntest = "test.txt"\nlayout = "dialogues"').replace(
    "[model]", "[model]\nturns = { encoder = { hidden = 32 } }").replace("max_steps = 120", "max_steps = 200").replace(
    "validate_every = 60", "validate_every = 100\nlog_every = 1\nema = 0.9").replace(
    "[model]", "[tokenizer]\nsize = 150\n\n[model]")
TOWNS = "Bonn Kiel Ulm Jena Trier Mainz Halle Worms".split()
FAR = "Rom Prag Wien Oslo".split()  # training never goes there


def journey(rng, towns):
    """Turns, "user TAB bot", and known things; which of two trains goes to a town, and when."""
    there, other = rng.sample(towns, 2)
    trains = [(f"train{rng.randint(100, 9999)}", town, f"{rng.randint(5, 22)}h{rng.randint(10, 59)}")
              for town in (there, other)]
    name, _, time = trains[0]
    rng.shuffle(trains)
    out = ["hello\twhere do you want to go ?"]
    out += [f"{t[0]} {relation} {value}" for t in trains for relation, value in (("goes_to", t[1]), ("leaves_at", t[2]))]
    out.append(rng.choice(["to {} please", "i want to go to {}"]).format(there) + f"\t{name} goes to {there}")
    if rng.random() < 0.7:
        out.append(rng.choice(["when does it leave ?", "what time ?"]) + f"\t{name} leaves at {time}")
    return out + ["thanks\thave a good trip"]


def write_journeys(path, count, seed, towns=TOWNS):
    """As bAbI's dialogues are written. Of each reply its dialogue's number and what it is a reply to."""
    rng = random.Random(seed)
    lines, replies = [], []
    for dialogue in range(count):
        history, known = [], []
        for n, line in enumerate(journey(rng, towns), 1):
            lines.append(f"{n} {line}")
            if "\t" not in line:
                known.append(line)
                continue
            user, bot = line.split("\t")
            replies.append((dialogue, {"history": [*history, user], "knowledge": list(known), "reply": bot}))
            history += [user, bot]
        lines.append("")
    p.write_lines(path, lines)
    return replies


class Dialogues(p.Case):
    """Training on files of dialogues."""

    @classmethod
    def setUpClass(cls):
        cls.folder = p.WORK / "journeys"
        cls.folder.mkdir()
        (cls.folder / "recipe.toml").write_text(DIALOGUES)
        cls.recipe = cls.folder / "recipe.toml"
        for part, count, seed in (("train", 300, 1), ("valid", 30, 2)):
            write_journeys(cls.folder / f"{part}.txt", count, seed)
        cls.test = write_journeys(cls.folder / "test.txt", 40, 3)
        cls.far = write_journeys(cls.folder / "far.txt", 40, 4, FAR)

    def trained(self, *options):
        """The model of the recipe with these options; trained once."""
        out = self.folder / ("model " + " ".join(options)).replace("/", "_")
        if not out.exists():
            self.ok("train", self.recipe, "--out", out, "--quiet", *(w for o in options for w in ("--set", o)))
        return out

    def copying(self):
        return self.trained("model.copy=true", "train.max_steps=500")

    def inputs(self, replies, name="inputs.jsonl"):
        path = p.WORK / name
        p.write_lines(path, [json.dumps({k: row[k] for k in ("history", "knowledge")}) for _, row in replies])
        return path

    def predicted(self, model, replies, *flags):
        models = model if isinstance(model, list) else [model]
        return self.ok("predict", *models, "--in", self.inputs(replies), *flags).stdout.decode().splitlines()

    def scores(self, *words):
        """By name, value and signature."""
        lines = self.ok("evaluate", *words, "--format", "text").stdout.decode().splitlines()
        return {line.split()[0]: (float(line.split()[1]), line.split()[2]) for line in lines}

    def test_evaluate_scores_what_predict_says(self):
        for model in (self.trained(), self.copying()):
            scores = self.scores(model)
            self.assertEqual(list(scores), ["perplexity", "bleu", "accuracy", "accuracy_dialogue", "distinct1",
                                            "distinct2"])
            for value, signature in scores.values():
                self.assertIn("version:lookback-", signature)
            said = self.predicted(model, self.test)
            right = [one == row["reply"] for one, (_, row) in zip(said, self.test, strict=True)]
            whole = [all(r for r, (d, _) in zip(right, self.test) if d == k) for k in range(40)]
            self.assertAlmostEqual(scores["accuracy"][0], 100 * sum(right) / len(right), 2)
            self.assertAlmostEqual(scores["accuracy_dialogue"][0], 100 * sum(whole) / 40, 2)
            for n in (1, 2):
                grams = [tuple(w[k:k + n]) for w in map(str.split, said) for k in range(len(w) - n + 1)]
                self.assertAlmostEqual(scores[f"distinct{n}"][0], 100 * len(set(grams)) / len(grams), 2)
            given = p.WORK / "given.txt"
            p.write_lines(given, [row["reply"] for _, row in self.test])
            scored = self.predicted(model, self.test, "--score", given, "--format", "jsonl")
            nats = -sum(json.loads(line)["outputs"][0]["log_prob"] for line in scored)
            words = sum(len(row["reply"].split()) + 1 for _, row in self.test)
            self.assertAlmostEqual(scores["perplexity"][0], math.exp(nats / words), 2)
        self.assertIn("unk:copied_or_counted", scores["perplexity"][1])

    def test_copies_and_placeholders_say_what_training_never_had(self):
        known = (self.folder / "train.txt").read_text()
        self.assertFalse(any(town in known for town in FAR))
        # Unknown words look alike to a model that copies: it says one that is there, not always the right one.
        said = self.predicted(self.copying(), self.far)
        asked = [(one.split(), row) for one, (_, row) in zip(said, self.far) if " goes to " in row["reply"]]
        there = [one[1:3] == ["goes", "to"] and {one[0], one[3]} <= set(" ".join(row["knowledge"]).split())
                 for one, row in asked]
        self.assertEqual(len(there), 40)
        self.assertGreater(sum(there), 36)
        # Placeholders tell them apart.
        model = self.trained("dialogue.delexicalise=true", "train.max_steps=600")
        said = self.predicted(model, self.far)
        self.assertGreater(sum(one == row["reply"] for one, (_, row) in zip(said, self.far)), 0.9 * len(said))
        self.assertFalse(any("@" in one for one in said))
        self.assertIn("|values:placeholders|", self.scores(model)["perplexity"][1])
        plain = self.predicted(self.trained(), self.far)
        self.assertFalse(any(town in " ".join(plain) for town in FAR))

    def test_a_vocabulary_counts_what_was_said_once(self):
        log = self.ok("train", self.recipe, "--check", "--set", "tokenizer.size=50000")
        size = int(re.search(r"tokenizer: word, (\d+) entries", log.stderr.decode())[1])
        words = {w for line in (self.folder / "train.txt").read_text().splitlines() for w in line.split()[1:]}
        self.assertEqual(size, len(words) + 4)
        counted = self.ok("train", self.recipe, "--check", "--set", "tokenizer.size=50000", "--set",
                          "tokenizer.min_count=300").stderr.decode()
        # Once in each of the 300 dialogues: these; "Bonn" and all trains are rarer.
        text = (self.folder / "train.txt").read_text()
        often = [w for w in words if text.replace("\t", " ").replace("\n", " ").split(" ").count(w) >= 300]
        self.assertEqual(int(re.search(r"word, (\d+) entries", counted)[1]), len(often) + 4)

    def test_turns_that_each_reply_to_the_one_before(self):
        rng = random.Random(5)
        numbers = "zero one two three four five six seven".split()
        write = lambda name, starts: p.write_lines(self.folder / name, [
            "".join(f"{w} , ok ? __eou__ " for w in numbers[s:s + n]) for s, n in starts])
        write("eou-train.txt", [(rng.randint(0, 3), rng.randint(3, 4)) for _ in range(60)])
        write("eou-valid.txt", [(s, 4) for s in range(4)])
        files = [w for part in ("train", "valid") for w in ("--set", f"data.{part}=eou-{part}.txt")]
        check = self.ok("train", self.recipe, "--check", *files, "--set", "tokenizer.min_count=60")
        text = (self.folder / "eou-train.txt").read_text().replace("__eou__", "").split()
        self.assertIn(f"read {text.count('ok') - 60} examples", check.stdout.decode())
        often = [w for w in set(text) if text.count(w) >= 60]  # each turn is counted once
        self.assertIn(f"tokenizer: word, {len(often) + 4} entries", check.stderr.decode())
        self.assertLess(len(often), 7)
        model = self.fresh("eou")
        self.ok("train", self.recipe, "--out", model, "--quiet", *files)
        scores = self.scores(model, "--data", self.folder / "eou-valid.txt")
        self.assertEqual(scores["accuracy"][0], 100)
        (self.folder / "eou-wrong.txt").write_text(
            "one , ok ? __eou__ two , ok ? __eou__ nine , ok ? __eou__\ntwo , ok ? __eou__ three , ok ? __eou__\n")
        scores = self.scores(model, "--data", self.folder / "eou-wrong.txt")
        self.assertAlmostEqual(scores["accuracy"][0], 200 / 3, 2)  # of three replies
        self.assertEqual(scores["accuracy_dialogue"][0], 50)  # of two dialogues

    def test_dialogues_of_training_are_left_out_and_counted(self):
        known = (self.folder / "train.txt").read_text().split("\n\n")[:7]
        own = (self.folder / "test.txt").read_text()
        (self.folder / "mixed.txt").write_text("\n\n".join(known).upper() + "\n\n" + own)
        check = self.ok("train", self.recipe, "--check", "--set", "data.unseen=true", "--set", "data.test=mixed.txt")
        self.assertRegex((check.stdout + check.stderr).decode(),
                         rf"test data: {len(self.test)} examples; 7 dialogues of training left out")
        model = self.trained("data.unseen=true", "train.max_steps=20")
        for words in ((), ("--data", self.folder / "mixed.txt")):
            _, signature = self.scores(model, *words)["perplexity"]
            self.assertEqual("|seen_dialogues_left_out:7|" in signature, bool(words), signature)
        mixed = self.scores(model, "--data", self.folder / "mixed.txt")
        self.assertEqual(mixed["bleu"], self.scores(model)["bleu"])
        self.fails(3, "evaluate", model, "--data", self.folder / "train.txt", says="train.txt")

    def test_only_the_last_turns_are_read(self):
        one = self.trained("dialogue.turns=1")
        row = {"history": ["hello", "where do you want to go ?", "thanks"], "knowledge": ["train1 goes_to Kiel"]}
        line = json.loads(self.predicted(one, [(0, row)], "--format", "jsonl")[0])
        self.assertEqual(line["source"][-1], "thanks")
        self.assertEqual(len(line["source"]), 4)
        other = row | {"history": ["what time ?", "thanks"]}
        self.assertEqual(*self.predicted(one, [(0, row), (0, other)]))

    def test_prefixes_and_n_best(self):
        model = self.copying()
        row = {"history": ["hello", "where do you want to go ?", "to Kiel please"],
               "knowledge": ["train1 goes_to Kiel", "train1 leaves_at 9h15"]}
        self.assertEqual(self.predicted(model, [(0, row)], "--field", "prefix=train1 leaves at"),
                         ["train1 leaves at 9h15"])
        best = json.loads(self.predicted(model, [(0, row)], "--n-best", 2, "--format", "jsonl")[0])["outputs"]
        self.assertEqual(len({one["text"] for one in best}), 2)
        self.assertGreaterEqual(best[0]["score"], best[1]["score"])

    def test_candidates_are_chosen_from(self):
        """The likeliest of some replies is that whose score is the highest."""
        model = self.copying()
        file = p.WORK / "candidates.txt"
        replies = sorted({row["reply"] for _, row in self.test})[:12] + ["a reply with wordsneverseen"]
        p.write_lines(file, replies + [""])
        asked = self.test[:6]
        path = self.inputs(asked)
        words = ("predict", model, "--in", path, "--candidates", file)
        best = self.ok(*words, "--threads", 1).stdout.decode().splitlines()
        self.assertEqual(best, self.ok(*words, "--threads", 3).stdout.decode().splitlines())
        for (_, row), said in zip(asked, best):
            rows = [{"history": row["history"], "knowledge": row["knowledge"], "score": reply} for reply in replies]
            p.write_lines(p.WORK / "scored.jsonl", [json.dumps(r) for r in rows])
            done = self.ok("predict", model, "--in", p.WORK / "scored.jsonl", "--format", "jsonl")
            scores = [json.loads(line)["outputs"][0]["score"] for line in done.stdout.decode().splitlines()]
            self.assertAlmostEqual(max(scores), scores[replies.index(said)], places=4)
        nbest = self.ok("predict", model, "--in", path, "--candidates", file, "--n-best", 3, "--beam", 3,
                        "--format", "nbest").stdout.decode().splitlines()
        self.assertEqual(len(nbest), 3 * len(asked))
        p.write_lines(file, [""])
        self.fails(3, "predict", model, "--in", path, "--candidates", file, says="there is no reply in it")
        self.fails(4, "predict", model, "--in", path, "--candidates", p.WORK / "nothing", says="nothing")

    def test_without_attention_to_turns_or_words(self):
        for score in ("model.turns.score", "model.score"):
            model = self.trained(f"{score}=none")
            self.assertGreater(self.scores(model)["bleu"][0], 50)
            self.assertIn("hello", self.ok("explain", model, "--text", "hello").stdout.decode())
        self.fails(2, "train", self.recipe, "--check", "--set", "model.score=none", "--set", "model.copy=true",
                   says="model.copy = true copies from where the attention is")

    def test_other_tokenizers(self):
        for kind in ("char", "bpe", "unigram"):
            model = self.trained(f"tokenizer.kind={kind}", "model.copy=true", "decode.max_length=60",
                                 "train.max_steps=40")
            scores = self.scores(model)
            self.assertIn("unit:word|", scores["perplexity"][1])
            self.assertEqual(len(self.predicted(model, self.test)), len(self.test))
        for option, says in (("tokenizer.joint=false", "set it to true"), ("tokenizer.sampling=0.1", "set it to 0"),
                             ("dialogue.delexicalise=true", "needs tokenizer.kind = 'word'")):
            self.fails(2, "train", self.recipe, "--check", "--set", option, "--set", "tokenizer.lowercase=true",
                       says=says)

    def test_exported_and_several_models(self):
        model, small = self.copying(), self.fresh("int8")
        self.ok("export", model, "--out", small, "--quantize", "int8")
        said = self.predicted(model, self.test)
        same = [a == b for a, b in zip(self.predicted(small, self.test), said, strict=True)]
        self.assertGreater(sum(same), 0.95 * len(same))
        self.assertEqual(self.predicted([model, model], self.test), said)
        other = self.trained("model.copy=true", "train.seed=2")
        both = self.scores(model, other, "--data", self.folder / "test.txt")
        self.assertGreater(both["accuracy"][0], 65)
        self.fails(3, "predict", model, self.trained(), stdin="hello\n", says="an ensemble needs the same")

    def test_training_from_a_model_and_resuming(self):
        words = ("train", self.recipe, "--quiet", "--set", "model.copy=true", "--from", self.copying())
        whole, parts = self.fresh("from"), self.fresh("parts")
        self.ok(*words, "--out", whole, "--set", "train.max_steps=40")
        first = next(e for e in p.log_of(whole) if e["event"] == "train")
        self.assertLess(first["loss"], 1.5)  # it goes on from what it knew
        for steps in (1, 13, 29):
            shutil.rmtree(parts, ignore_errors=True)
            self.ok(*words, "--out", parts, "--set", f"train.max_steps={steps}")
            self.ok("train", self.recipe, "--quiet", "--set", "model.copy=true", "--out", parts, "--resume", "--set",
                    "train.max_steps=40", "--from", self.copying())
            self.assertEqual(p.sha256(parts / "model.safetensors"), p.sha256(whole / "model.safetensors"), steps)

    def test_baselines(self):
        talk = self.ok("baseline", self.recipe).stdout.decode()
        self.assertEqual(talk.count("accuracy_dialogue"), 4)
        block = talk[talk.index("most frequent reply, data.test"):]
        count = sum(row["reply"] == "have a good trip" for _, row in self.test)
        self.assertAlmostEqual(float(re.search(r"\naccuracy (\S+)", block)[1]), 100 * count / len(self.test), 2)

    def test_explain_draws_turns_and_words(self):
        words = ["explain", self.copying(), "--text", "hello\nwhere do you want to go ?\nto Kiel please", "--field",
                 "knowledge=train1 goes_to Kiel\ntrain1 leaves_at 9h15"]
        drawn = self.ok(*words).stdout.decode()
        for part in ("→ train1 goes to Kiel", "goes_to Kiel", "to Kiel please", "hello"):
            self.assertIn(part, drawn)
        for ending, begins in (("svg", b"<?xml"), ("html", b"<!doctype html>"), ("png", b"\x89PNG"), ("json", b"{")):
            path = p.WORK / f"dialogue.{ending}"
            self.ok(*words, "--out", path)
            self.assertTrue(path.read_bytes().startswith(begins))
        figure = json.loads(path.read_bytes())
        self.assertEqual([part["words"] for part in figure["parts"]], [3, 3, 1, 7, 3])
        self.assertAlmostEqual(sum(part["weight"] for part in figure["parts"]), 1, 4)
        at = 0
        for part in figure["parts"]:
            self.assertAlmostEqual(sum(figure["weights"][0][at:at + part["words"]]), 1, 4)
            at += part["words"]
        self.assertIn("copying", self.ok(*words, "--steps").stdout.decode())

    def test_little_and_much_to_read(self):
        model = self.copying()
        rows = [{"history": ""}, {"history": "hello"}, {"history": " \n ", "knowledge": ""},
                {"history": "hello", "knowledge": "\n\n"}]
        p.write_lines(p.WORK / "little.jsonl", [json.dumps(row) for row in rows])
        said = self.ok("predict", model, "--in", p.WORK / "little.jsonl").stdout.decode().split("\n")
        hello = "where do you want to go ?"
        self.assertEqual(said, ["", hello, "", hello, ""])
        rng = random.Random(1)
        words = "hello to please goes leaves Kiel Ulm thanks a b c".split()
        for lines, each in ((10_000, 10), (1, 100_000)):
            turns = [" ".join(rng.choice(words) for _ in range(each)) for _ in range(lines)]
            done = self.predicted(model, [(0, {"history": [*turns, "thanks"], "knowledge": []})])
            self.assertEqual(len(done), 1)

    def test_rows_without_knowledge_and_with_nothing_to_read(self):
        rows = [{"history": ["hello"], "reply": "good day"}, {"history": ["bye"], "reply": "good bye"}] * 20
        p.write_lines(self.folder / "plain.jsonl", map(json.dumps, rows))
        flags = ["--set", "data.layout=columns", "--set", "data.train=plain.jsonl", "--set", "data.valid=plain.jsonl",
                 "--set", "data.test="]
        self.assertIn("read 40 examples, kept 40", self.ok("train", self.recipe, "--check", *flags).stdout.decode())
        model = self.fresh("plain")
        self.ok("train", self.recipe, "--quiet", "--out", model, *flags)
        part, all_rows = p.WORK / "part.jsonl", p.WORK / "all.jsonl"
        p.write_lines(part, map(json.dumps, rows[:2]))
        p.write_lines(all_rows, map(json.dumps, [*rows[:2], {"history": " ", "reply": "good"}]))
        one, two = self.scores(model, "--data", part), self.scores(model, "--data", all_rows)
        self.assertEqual(one["accuracy"][0], 100)
        self.assertAlmostEqual(two["accuracy"][0], 200 / 3, 2)
        self.assertEqual(one["perplexity"][0], two["perplexity"][0])
        self.assertIn("|nothing_to_read:1|", two["perplexity"][1])
        p.write_lines(part, map(json.dumps, [{"history": " ", "reply": "good"}]))
        self.fails(3, "evaluate", model, "--data", part, says="none of the 1 rows has a turn")


class OtherModels(p.Case):
    def test_a_model_of_another_task_is_refused(self):
        self.fails(2, "chat", self.model(), stdin="abc\n",
                   says=f"chat needs a model of task chat; {self.model()} is of task translate: use lookback predict")
        self.fails(2, "chat", says="MODEL... is missing")
        self.fails(4, "chat", p.WORK / "no_such_model", says="no_such_model")


if __name__ == "__main__":
    p.main()
