#!/usr/bin/env python3
"""Conversations as a user has them: lines in, replies out, commands between them."""
import gzip
import json
import os
import pty
import random
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


class OtherModels(p.Case):
    def test_a_model_of_another_task_is_refused(self):
        self.fails(2, "chat", self.model(), stdin="abc\n",
                   says=f"chat needs a model of task chat; {self.model()} is of task translate: use lookback predict")
        self.fails(2, "chat", says="MODEL... is missing")
        self.fails(4, "chat", p.WORK / "no_such_model", says="no_such_model")


if __name__ == "__main__":
    p.main()
