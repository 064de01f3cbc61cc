#!/usr/bin/env python3
"""Speech into text as a user does it, with tones for words: recordings in, text with times out, and bad recordings."""
import array
import json
import math
import random
import re
import shutil
import struct
import subprocess
import wave

import program as p

RATE = 8000
TONES = {"a": 400, "b": 700, "c": 1100}
RECIPE = """task = "transcribe"

[data]
train = "train.tsv"
valid = "valid.tsv"
test = "test.tsv"

[features]
sample_rate = 8000
bins = 20
shift_ms = 20
window_ms = 40
normalise = "global"

[augment]
noise = 0.3
gain_db = 3
time_masks = 1
time_mask = 2

[tokenizer]
kind = "word"

[model]
kind = "ctc"
encoder.blocks = [{ kind = "lstm", hidden = 24 }]

[train]
max_steps = 150
batch = 16
optimizer = { lr = 1e-2, clip = 1.0 }
schedule = { warmup = 20 }
validate_every = 75
keep = "loss"
log_every = 1

[valid]
metric = "cer"

[decode]
beam = 2
"""
# Every second row, and both ways: a model that attends.
ATTENDS = """
encoder.blocks = [{ kind = "convolution", hidden = 16, kernel = 3, stride = 2 }, { kind = "bilstm", hidden = 16 }]
decoder = { hidden = 32 }
embedding = 8
attention = 16
"""


def tone(frequency, seconds):
    n = round(seconds * RATE)
    return [0.3 * min(1, i / 80, (n - i) / 80) * math.sin(2 * math.pi * frequency * i / RATE) for i in range(n)]


def spoken(text, rng):
    """Samples, and of each word when it begins and ends."""
    out, times = [], []
    pause = lambda: out.extend(rng.gauss(0, 0.001) for _ in range(round(rng.uniform(0.06, 0.15) * RATE)))
    pause()
    for word in text.split():
        begin = len(out) / RATE
        out.extend(tone(TONES[word], rng.uniform(0.1, 0.16)))
        times.append((word, begin, len(out) / RATE))
        pause()
    return out, times


def write_wav(path, samples, rate=RATE, channels=1):
    values = array.array("h", [max(-32768, min(32767, round(32767 * x))) for x in samples for _ in range(channels)])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(values.tobytes())


def write_part(folder, part, count, seed):
    """Recordings of one to three words, and their list; returns the texts and the times of their words."""
    rng = random.Random(seed)
    (folder / part).mkdir(parents=True)
    said = []
    for k in range(count):
        text = " ".join(rng.choice("abc") for _ in range(rng.randint(1, 3)))
        samples, times = spoken(text, rng)
        write_wav(folder / part / f"{k}.wav", samples)
        said.append((text, times))
    p.write_lines(folder / f"{part}.tsv", [f"{part}/{k}.wav\t{text}" for k, (text, _) in enumerate(said)])
    return said


class Speech(p.Case):
    models = {}
    said = {}  # of each part (text, times) of its recordings

    @classmethod
    def setUpClass(cls):
        cls.folder = p.WORK / "sound"
        cls.recipe, cls.attends = cls.folder / "recipe.toml", cls.folder / "attends.toml"
        if cls.said:
            return
        for part, count, seed in (("train", 160, 1), ("valid", 16, 2), ("test", 24, 3)):
            cls.said[part] = write_part(cls.folder, part, count, seed)
        cls.recipe.write_text(RECIPE)
        cls.attends.write_text(re.sub(r"encoder.blocks.*\n", ATTENDS, RECIPE).replace('"global"', '"utterance"').replace(
            '"ctc"', '"joint"').replace("max_steps = 150", "max_steps = 200") + "\n[loss]\nctc = 0.5\n")

    def trained(self, recipe, *settings):
        """The folder of a model, trained once."""
        key = (recipe, *settings)
        if key not in self.models:
            model = self.fresh(f"model{len(self.models)}")
            self.ok("train", recipe, "--out", model, "--quiet", *self.set(*settings), timeout=300)
            self.models[key] = model
        return self.models[key]

    def ctc(self):
        return self.trained(self.recipe)

    def joint(self):
        return self.trained(self.attends)

    def attention(self):
        return self.trained(self.attends, "model.kind=attention", "loss.ctc=0.3")

    @staticmethod
    def set(*settings):
        return [w for s in settings for w in ("--set", s)]

    def scores(self, *words):
        done = self.ok("evaluate", *words).stdout.decode()
        return {line.split()[0]: float(line.split()[1]) for line in done.splitlines()}

    def listed(self, *paths):
        name = p.WORK / "list.txt"
        p.write_lines(name, map(str, paths))
        return name

    def paths(self, count=24):
        return [self.folder / "test" / f"{k}.wav" for k in range(count)]

    def heard(self, model, paths, *words):
        """What is written for each recording."""
        models = model if isinstance(model, list) else [model]
        done = self.ok("predict", *models, "--in", self.listed(*paths), "--quiet", *words)
        return done.stdout.decode().splitlines()

    def texts(self, count=24):
        return [text for text, _ in self.said["test"][:count]]


class Models(Speech):
    def test_every_kind_learns_and_says_when(self):
        # Of attention alone a word is where it looks most, which may be a little beside what it has read there.
        for model, within, ways in ((self.ctc(), 0.1, [[]]), (self.attention(), 0.3, [[]]),
                                    (self.joint(), 0.1, [[], ["--ctc-weight", 0], ["--ctc-weight", 1], ["--beam", 1]])):
            scores = self.scores(model)
            self.assertEqual(list(scores), ["wer", "cer", "skips", "loops"])
            self.assertLess(scores["wer"], 10)
            for words in ways:
                found = self.heard(model, self.paths(), "--format", "jsonl", *words)
                right = 0
                for line, (text, times) in zip(map(json.loads, found), self.said["test"], strict=True):
                    best = line["outputs"][0]
                    self.assertEqual(" ".join(w["text"] for w in best["words"]), best["text"])
                    if best["text"] != text:
                        continue
                    right += 1
                    for word, (_, begin, end) in zip(best["words"], times, strict=True):
                        self.assertLess(begin - within, word["begin"])
                        self.assertLess(word["begin"], word["end"])
                        self.assertLess(word["end"], end + within)
                self.assertGreater(right, 20, words)

    def test_a_weight_that_a_model_has_no_use_for(self):
        one = self.listed(self.paths()[0])
        self.fails(2, "predict", self.ctc(), "--in", one, "--ctc-weight", 0.5, says=["ctc_weight = 0.5", "'ctc'"])
        self.fails(2, "predict", self.attention(), "--in", one, "--ctc-weight", 1, says=["ctc_weight = 1", "'attention'"])
        self.fails(2, "predict", self.ctc(), "--in", one, "--ctc-weight", 2, says="outside")
        for seconds in (0.4, 3601):
            self.fails(2, "predict", self.ctc(), "--in", one, "--longest-piece", seconds, says="longest_piece = ")

    def test_evaluate_other_recordings(self):
        self.assertEqual(self.scores(self.ctc(), "--data", self.folder / "test.tsv"), self.scores(self.ctc()))
        for lines, code, says in ((["test/0.wav\tc", "ragged"], 3, "bad.tsv:2: a column is missing"),
                                  (["test/0.wav\tc", "nowhere.wav\tc"], 3, ["bad.tsv:2", "nowhere.wav: cannot open"]),
                                  ([], 3, "no recording")):
            p.write_lines(self.folder / "bad.tsv", lines)
            self.fails(code, "evaluate", self.ctc(), "--data", self.folder / "bad.tsv", says=says)
        self.fails(4, "evaluate", self.ctc(), "--data", self.folder / "nowhere.tsv", says="nowhere.tsv")
        p.write_lines(self.folder / "silent.tsv", ["test/0.wav\t", f"test/1.wav\t{self.texts()[1]}"])
        self.assertGreater(self.scores(self.ctc(), "--data", self.folder / "silent.tsv")["wer"], 0)

    def test_n_best(self):
        for model in (self.ctc(), self.joint()):
            lines = self.heard(model, self.paths(3), "--n-best", 3, "--beam", 4, "--format", "nbest")
            self.assertEqual([line.split(" ||| ")[0] for line in lines], ["0"] * 3 + ["1"] * 3 + ["2"] * 3)
            for k in range(3):
                self.assertEqual(len({line.split(" ||| ")[1] for line in lines[3 * k:3 * k + 3]}), 3)
            full = json.loads(self.heard(model, self.paths(1), "--n-best", 3, "--beam", 4, "--format", "jsonl")[0])
            scores = [o["score"] for o in full["outputs"]]
            self.assertEqual(scores, sorted(scores, reverse=True))

    def test_batches_threads_and_ensembles_write_the_same(self):
        for model in (self.ctc(), self.joint()):
            for words in ([], ["--beam", 1]):
                one = self.heard(model, self.paths(), "--batch", 16, "--threads", 1, *words)
                self.assertEqual(one, self.heard(model, self.paths(), "--batch", 1, "--threads", 2, *words))
                self.assertEqual(one, self.heard([model, model], self.paths(), *words))
        other = self.trained(self.attends, "train.seed=2", "train.max_steps=100")
        self.assertEqual(len(self.heard([self.joint(), other], self.paths(4))), 4)
        self.assertLess(self.scores(self.joint(), other, "--data", self.folder / "test.tsv")["wer"], 30)
        self.fails(3, "predict", self.joint(), self.ctc(), "--in", self.listed(self.paths()[0]),
                   says="an ensemble needs the same")

    def test_exported(self):
        for model in (self.ctc(), self.joint()):
            for words in ([], ["--quantize", "int8"]):
                small = self.fresh("small")
                self.ok("export", model, "--out", small, *words)
                said = self.heard(small, self.paths())
                same = [a == b for a, b in zip(said, self.heard(model, self.paths()), strict=True)]
                self.assertGreater(sum(same), 20 if words else 23)
                self.assertEqual(self.heard([small, small], self.paths()), said)

    def test_best_path_is_what_search_finds_here(self):
        for model in (self.ctc(), self.joint()):
            plain = self.heard(model, self.paths(), "--beam", 1, "--ctc-weight", 1, "--format", "jsonl")
            wide = self.heard(model, self.paths(), "--beam", 8, "--ctc-weight", 1, "--format", "jsonl")
            same = 0
            for a, b in zip(map(json.loads, plain), map(json.loads, wide), strict=True):
                a, b = a["outputs"][0], b["outputs"][0]
                self.assertAlmostEqual(sum(a["token_log_probs"]), a["log_prob"], 4)
                self.assertEqual(len(a["token_log_probs"]), len(a["tokens"]) + 1)
                if a["text"] == b["text"]:
                    same += 1
                    self.assertLessEqual(a["log_prob"], b["log_prob"] + 1e-4)  # one path of all those of this text
            self.assertGreater(same, 20)
        # Where search has rules, it searches.
        for line in self.heard(self.ctc(), self.paths(), "--beam", 1, "--min-length", 4):
            self.assertGreater(len(line.split()), 3)
        for line in self.heard(self.ctc(), self.paths(), "--beam", 1, "--max-length", 1):
            self.assertEqual(len(line.split()), 1)

    def test_subtitles(self):
        text, times = self.said["test"][1]
        one = self.listed(self.paths()[1])
        srt = self.ok("predict", self.ctc(), "--in", one, "--format", "srt").stdout.decode().splitlines()
        found = re.fullmatch(r"00:00:(\d\d),(\d{3}) --> 00:00:(\d\d),(\d{3})", srt[1])
        self.assertLess(abs(int(found[1]) + int(found[2]) / 1000 - times[0][1]), 0.1)
        self.assertLess(abs(int(found[3]) + int(found[4]) / 1000 - times[-1][2]), 0.15)
        self.assertEqual((srt[0], srt[2]), ("1", text))
        vtt = self.ok("predict", self.joint(), "--in", one, "--format", "vtt").stdout.decode().splitlines()
        self.assertEqual(vtt[0], "WEBVTT")
        self.assertEqual(vtt[-1], text)
        self.fails(2, "predict", self.ctc(), "--in", self.listed(*self.paths(2)), "--format", "srt",
                   says="is of one recording")

    def test_a_long_recording_is_cut_at_silences(self):
        rng = random.Random(9)
        samples, times = [], []
        for k in range(6):
            part, of_part = spoken(self.said["test"][k][0], rng)
            times += [(w, begin + len(samples) / RATE, end + len(samples) / RATE) for w, begin, end in of_part]
            samples += part + [rng.gauss(0, 0.001) for _ in range(RATE // 2)]
        write_wav(p.WORK / "long.wav", samples)
        for model in (self.ctc(), self.joint()):
            line = json.loads(self.heard(model, [p.WORK / "long.wav"], "--longest-piece", 2, "--format", "jsonl")[0])
            words = line["outputs"][0]["words"]
            self.assertEqual([w["text"] for w in words], [w for w, _, _ in times])
            for word, (_, begin, end) in zip(words, times):
                self.assertTrue(begin - 0.1 < word["begin"] < word["end"] < end + 0.1, (word, begin, end))
            self.assertEqual(self.heard(model, [p.WORK / "long.wav"], "--longest-piece", 2), [" ".join(self.texts(6))])
        srt = self.ok("predict", self.ctc(), "--in", self.listed(p.WORK / "long.wav"), "--longest-piece", 2, "--format", "srt")
        self.assertGreaterEqual(srt.stdout.count(b" --> "), 4)
        self.assertEqual(len(self.heard(self.ctc(), [p.WORK / "long.wav"], "--longest-piece", 0)), 1)

    def test_explain_draws_the_attention(self):
        sound = self.paths()[1]
        drawn = self.ok("explain", self.joint(), "--text", sound).stdout.decode()
        self.assertTrue(drawn.startswith(self.texts()[1]), drawn)
        for ending, begins in (("svg", b"<?xml"), ("html", b"<!doctype html>"), ("png", b"\x89PNG"), ("json", b"{")):
            path = p.WORK / f"map.{ending}"
            self.ok("explain", self.joint(), "--text", sound, "--out", path)
            self.assertTrue(path.read_bytes().startswith(begins))
        weights = json.loads(path.read_bytes())["weights"]
        self.assertEqual(len(weights), len(self.said["test"][1][1]) + 1)
        for row in weights:
            self.assertAlmostEqual(sum(row), 1, 3)
        self.fails(2, "explain", self.ctc(), "--text", sound, says="no attention")
        self.fails(2, "explain", self.joint(), "--text", sound, "--steps", says="sound")
        self.fails(3, "explain", self.joint(), "--text", p.WORK / "nowhere.wav", says="nowhere.wav: cannot open")

    def test_streamed_words_are_those_of_the_whole(self):
        running = self.trained(self.recipe, "features.normalise=running", "train.max_steps=60")
        other_rate = p.WORK / "rate.wav"
        samples, _ = spoken("a b c", random.Random(4))
        write_wav(other_rate, [x for x in samples for _ in (0, 1)], rate=2 * RATE)
        for model in (self.ctc(), running):
            said = self.heard(model, [*self.paths(6), other_rate], "--beam", 1)
            for path, text in zip([*self.paths(6), other_rate], said):
                self.assertEqual(self.ok("predict", model, "--in", path, "--stream").stdout.decode(), text + "\n")
                done = self.ok("predict", model, "--stream", stdin=path.read_bytes())
                self.assertEqual(done.stdout.decode(), text + "\n")
        # Words come while the sound does.
        data = self.paths()[1].read_bytes()
        first = int(self.said["test"][1][1][1][2] * RATE) * 2 + 44  # until the second word has ended
        with p.started("predict", self.ctc(), "--stream", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            child.stdin.write(data[:first])
            child.stdin.flush()
            self.assertEqual(child.stdout.read(1).decode(), self.texts()[1][0])
            child.stdin.write(data[first:])
            child.stdin.close()
            self.assertEqual(child.stdout.read().decode(), self.texts()[1][1:] + "\n")
            self.assertEqual(child.wait(10), 0)

    def test_what_cannot_be_streamed(self):
        sound = self.paths()[0]
        self.fails(2, "predict", self.joint(), "--in", sound, "--stream", says=["--stream", "looks ahead"])
        self.fails(2, "predict", self.attention(), "--in", sound, "--stream", says="the whole recording")
        whole = self.trained(self.recipe, "features.normalise=utterance", "train.max_steps=2")
        self.fails(2, "predict", whole, "--in", sound, "--stream", says="needs the whole recording")
        self.fails(2, "predict", self.ctc(), self.ctc(), "--in", sound, "--stream", says="ensemble")
        for words in (["--format", "jsonl"], ["--session", "x"], ["--field", "audio=x"], ["--beam", "4"],
                      ["--beam", 2, "--n-best", 2], ["--longest-piece", 5], ["--min-length", 3]):
            self.fails(2, "predict", self.ctc(), "--in", sound, "--stream", *words, says=words[0])
        self.ok("predict", self.ctc(), "--in", sound, "--stream", "--beam", 1, "--ctc-weight", 1)


class Training(Speech):
    def test_a_run_that_was_broken_off_ends_as_an_unbroken_one(self):
        settings = ["augment.speed=0.9,1.0,1.1", "augment.noise=1", "model.dropout=0.1", "train.validate_every=10",
                    "train.ema=0.9", "model.word_dropout=0.05"]
        for recipe in (self.recipe, self.attends):
            words = ["train", recipe, "--quiet", *self.set(*(settings if recipe == self.attends else settings[:-1]))]
            whole, parts = self.fresh("whole"), self.fresh("parts")
            self.ok(*words, "--out", whole, "--set", "train.max_steps=25", "--threads", 2)
            self.ok(*words, "--out", parts, "--set", "train.max_steps=13")
            self.ok(*words, "--out", parts, "--set", "train.max_steps=25", "--resume")
            self.assertEqual(p.sha256(parts / "model.safetensors"), p.sha256(whole / "model.safetensors"))

    def test_from_another_model(self):
        model = self.fresh("from")
        self.ok("train", self.recipe, "--quiet", "--out", model, "--from", self.ctc(), "--set", "train.max_steps=5")
        first = next(e for e in p.log_of(model) if e["event"] == "train")
        self.assertLess(first["loss"], 1)  # it goes on from what it knew
        self.fails(2, "train", self.recipe, "--out", self.fresh("never"), "--from", self.ctc(), "--set",
                   "features.bins=21", says="other [features]")
        self.fails(2, "train", self.recipe, "--check", *self.set("features.normalise=speaker", "data.pattern={text}_{who}.wav"),
                   says="has no {speaker}")

    def check(self, *settings, recipe=None):
        done = self.ok("train", recipe or self.recipe, "--check", *self.set(*settings))
        return (done.stdout + done.stderr).decode()

    def test_check_shows_what_is_read(self):
        talk = self.check()
        for part in ("read 160 examples, kept 160", "tokenizer: word, 7 entries", "20 features a row",
                     "test data: 24 recordings", "  text:"):
            self.assertIn(part, talk)

    def test_what_is_left_out_is_counted_and_named(self):
        (self.folder / "text.wav").write_text("no sound")
        write_wav(self.folder / "one.wav", [0.1])
        p.write_lines(self.folder / "mixed.tsv", [
            *[f"train/{k}.wav\t{text}" for k, (text, _) in enumerate(self.said["train"][:40])],
            "ragged", "text.wav\ta", "nowhere.wav\ta", "one.wav\ta", "train/0.wav\t", "train/1.wav\t" + "a b " * 60,
            "train/2.wav\t" + "a " * 30, "\ta"])
        talk = self.check("data.train=mixed.tsv", "data.max_length=100")
        self.assertIn("read 48 examples, kept 40", talk)
        for reason in ("a column is missing: 1", "the recording cannot be read: 2", "shorter than one frame: 1",
                       "the text is empty: 1", "the text is too long: 1", "the text is too long for its rows (CTC): 1",
                       "the path of the recording is empty: 1", "text.wav: not a recording of a known format"):
            self.assertIn(reason, talk)
        # Attention alone writes as much as it likes.
        talk = self.check("data.train=mixed.tsv", "model.kind=attention", "loss.ctc=0.3", recipe=self.attends)
        self.assertNotIn("(CTC)", talk)
        self.assertIn("read 48 examples, kept 42", talk)
        for setting, says in (("data.bad_lines=stop", "mixed.tsv:41: "), ("data.damaged=stop", "text.wav: not a rec")):
            self.fails(3, "train", self.recipe, "--check", *self.set("data.train=mixed.tsv", setting), says=says)
        p.write_lines(self.folder / "none.tsv", ["text.wav\ta"])
        self.fails(3, "train", self.recipe, "--check", *self.set("data.train=none.tsv"), says="data.train")
        self.fails(3, "train", self.recipe, "--check", *self.set("data.valid=none.tsv"), says="data.valid")
        self.fails(4, "train", self.recipe, "--check", *self.set("data.train=nowhere.tsv"), says="nowhere.tsv")
        self.fails(4, "train", self.recipe, "--check", *self.set("data.test=nowhere.tsv"), says="nowhere.tsv")

    def named(self):
        """Recordings that say in their names what is in them, and who speaks."""
        folder = self.folder / "named"
        if not folder.exists():
            folder.mkdir()
            for k, (text, _) in enumerate(self.said["train"]):
                name = f"{text.replace(' ', '_')}_{['ann', 'bob', 'eve'][k % 3]}_{k}.wav"
                shutil.copy(self.folder / "train" / f"{k}.wav", folder / name)
        return ["data.train=named/*.wav", "data.valid=", "data.test=", "data.pattern={text}_{speaker}_{index}.wav",
                "data.train_where=index=40-159", "data.valid_where=index=20-39", "data.test_where=index=0-19"]

    def test_names_and_a_speaker_held_out(self):
        talk = self.check(*self.named())
        for part in ("read 120 examples, kept 120", "read 20 examples, kept 20", "test data: 20 recordings"):
            self.assertIn(part, talk)
        model = self.trained(self.recipe, *self.named(), "data.hold_out=speaker=eve")
        talk = self.check(*self.named(), "data.hold_out=speaker=eve")
        for part in ("read 80 examples", "read 13 examples", "test data: 53 recordings"):
            self.assertIn(part, talk)
        self.assertLess(self.scores(model)["wer"], 15)
        self.assertIn("wer", self.scores(self.trained(self.recipe, *self.named(), "train.max_steps=5")))
        for setting, says in (("data.hold_out=speeker=eve", "did you mean 'speaker'?"),
                              ("data.hold_out=speaker", "is no condition"), ("data.pattern=", "needs data.pattern"),
                              ("data.train=named/*.flac", "there is no file like")):
            code = 4 if "flac" in setting else 2
            self.fails(code, "train", self.recipe, "--check", *self.set(*self.named(), setting), says=says)

    def test_features_by_speaker(self):
        """Names say who speaks, or the third column of lists does; predict is told by a list."""
        by_speaker = "features.normalise=speaker"
        model = self.trained(self.recipe, *self.named(), by_speaker)
        self.assertLess(self.scores(model)["wer"], 15)
        paths = sorted((self.folder / "named").glob("*.wav"))
        test = [path for path in paths if int(path.stem.split("_")[-1]) < 20]
        speakers = self.folder / "speakers.tsv"
        p.write_lines(speakers, [f"named/{path.name}\t{path.stem.split('_')[-2]}" for path in test])
        texts = self.heard(model, test, "--speakers", speakers)
        right = sum(text == " ".join(path.stem.split("_")[:-2]) for path, text in zip(test, texts))
        self.assertGreater(right, 14)
        # A recording by itself is heard as among others, and what the list has not is left empty.
        self.assertEqual(self.heard(model, test[3:4], "--speakers", speakers), texts[3:4])
        self.assertEqual(self.heard(model, [paths[-1], test[0]], "--speakers", speakers), ["", texts[0]])
        self.ok("explain", self.trained(self.attends, *self.named(), by_speaker, "train.max_steps=5"), "--text", test[0],
                "--speakers", speakers)
        self.fails(2, "predict", model, "--in", self.listed(*test), says="--speakers")
        self.fails(2, "predict", self.ctc(), "--in", self.listed(*test), "--speakers", speakers, says="normalise is 'global'")
        self.fails(2, "predict", model, "--in", test[0], "--stream", says="what a speaker is going to say")
        p.write_lines(self.folder / "bad.tsv", [f"named/{test[0].name}"])
        self.fails(3, "predict", model, "--in", self.listed(*test), "--speakers", self.folder / "bad.tsv", says="bad.tsv:1")
        columns = []
        for part in ("train", "valid", "test"):
            lines = (self.folder / f"{part}.tsv").read_text().splitlines()
            p.write_lines(self.folder / f"{part}3.tsv", [f"{line}\t{'ab'[k % 2]}" for k, line in enumerate(lines)])
            columns.append(f"data.{part}={part}3.tsv")
        listed = self.trained(self.recipe, *columns, by_speaker)
        self.assertLess(self.scores(listed)["wer"], 15)
        self.assertIn("wer", self.scores(listed, "--data", self.folder / "test3.tsv"))
        self.fails(3, "train", self.recipe, "--check", *self.set(by_speaker, "data.bad_lines=stop"), says=".tsv:1: a column is missing")

    def test_shares(self):
        talk = self.check("data.valid=20 %", "data.test=10 %")
        read = [int(n) for n in re.findall(r"read (\d+) examples", talk)]
        test = int(re.search(r"test data: (\d+) recordings", talk)[1])
        self.assertEqual(sum(read) + test, 160)
        self.assertTrue(15 < read[1] < 50 and 5 < test < 35, talk)

    def test_baselines(self):
        talk = self.ok("baseline", self.recipe).stdout.decode()
        wer = {block.splitlines()[0]: float(re.search(r"\nwer (\S+)", block)[1]) for block in talk.strip().split("\n\n")}
        self.assertEqual(list(wer), [f"{name}, data.{part}" for part in ("valid", "test") for name in
                                     ("the most frequent text", "the nearest recording, time warped")])
        self.assertLess(wer["the nearest recording, time warped, data.test"], wer["the most frequent text, data.test"])

    def test_characters_and_subwords(self):
        for kind in ("char", "bpe"):
            model = self.trained(self.recipe, f"tokenizer.kind={kind}", "tokenizer.size=20", "train.max_steps=30")
            lines = self.heard(model, self.paths(), "--format", "jsonl")
            for line in map(json.loads, lines):
                best = line["outputs"][0]
                self.assertEqual(" ".join(w["text"] for w in best["words"]), " ".join(best["text"].split()))
                for a, b in zip(best["words"], best["words"][1:]):
                    self.assertLessEqual(a["begin"], b["begin"])
            for path, line in zip(self.paths(4), self.heard(model, self.paths(4), "--beam", 1)):
                self.assertEqual(self.ok("predict", model, "--in", path, "--stream").stdout.decode(), line + "\n")


def real_wav(values, rate=RATE):
    """A WAV file of floating-point samples."""
    data = struct.pack(f"<{len(values)}f", *values)
    chunks = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 3, 1, rate, 4 * rate, 4, 32) + b"data" + struct.pack(
        "<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


class BadRecordings(Speech):
    """Each gives a text, or a line that names it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        bad = cls.bad = p.WORK / "bad"
        bad.mkdir()
        write_wav(bad / "silence.wav", [0.0] * RATE)
        write_wav(bad / "none.wav", [])
        write_wav(bad / "one.wav", [0.1])
        write_wav(bad / "slow.wav", [0.1, -0.1] * 200, rate=1)
        write_wav(bad / "many.wav", spoken("a b", random.Random(5))[0], channels=16)
        (bad / "nan.wav").write_bytes(real_wav([math.nan if k == 3000 else 0.1 for k in range(4000)]))
        (bad / "loud.wav").write_bytes(real_wav([3e38 * (-1) ** k for k in range(4000)]))
        (bad / "empty.wav").write_bytes(b"")
        (bad / "text.wav").write_text("this is no sound\n" * 20)
        (bad / "cut.wav").write_bytes((cls.folder / "test/0.wav").read_bytes()[:-100])
        (bad / "folder.wav").mkdir()

    said_of = {"slow": "from 1 Hz to 8000 Hz", "nan": "the sample at 0.3750 s is not a finite number",
               "empty": "the file is empty", "text": "not a recording of a known format", "cut": "cut.wav: ",
               "folder": "Is a directory", "missing": "cannot open: No such file"}

    def test_predict(self):
        for model in (self.ctc(), self.joint()):
            for name in ("silence", "none", "one", "many", "loud"):
                done = self.ok("predict", model, "--in", self.listed(self.bad / f"{name}.wav"), "--format", "jsonl")
                self.assertEqual(done.stderr, b"", name)
                text = json.loads(done.stdout)["outputs"][0]["text"]
                self.assertTrue(text == "" or name not in ("none", "one"), name)
                self.assertTrue(text == "a b" or name != "many", text)
            for name, says in self.said_of.items():
                done = self.ok("predict", model, "--in", self.listed(self.bad / f"{name}.wav"))
                self.assertEqual(done.stdout, b"\n")
                talk = done.stderr.decode()
                self.assertEqual(talk.count("\n"), 1, talk)
                for part in (f"list.txt:1: {self.bad}/{name}.wav: ", says):
                    self.assertIn(part, talk)
                for format in ("jsonl", "srt"):
                    self.ok("predict", model, "--in", self.listed(self.bad / f"{name}.wav"), "--format", format)

    def test_one_among_others(self):
        for model in (self.ctc(), self.joint()):
            good = self.heard(model, self.paths(8))
            for name, says in self.said_of.items():
                paths = self.paths(8)
                paths[3] = self.bad / f"{name}.wav"
                done = self.ok("predict", model, "--in", self.listed(*paths))
                self.assertEqual(done.stdout.decode().splitlines(), good[:3] + [""] + good[4:])
                self.assertIn(f"list.txt:4: {paths[3]}: ", done.stderr.decode())
        done = self.ok("predict", self.ctc(), "--in", self.listed(*[self.bad / "nan.wav"] * 9))
        self.assertIn(b"6 more line(s)", done.stderr)

    def test_stream(self):
        for name in ("silence", "none", "one", "many"):
            data = (self.bad / f"{name}.wav").read_bytes()
            whole = self.heard(self.ctc(), [self.bad / f"{name}.wav"], "--beam", 1)
            for done in (self.ok("predict", self.ctc(), "--in", self.bad / f"{name}.wav", "--stream"),
                         self.ok("predict", self.ctc(), "--stream", stdin=data)):
                self.assertEqual(done.stdout.decode().splitlines(), whole, name)
        for name, says in self.said_of.items():
            path = self.bad / f"{name}.wav"
            code = 4 if name in ("folder", "missing") else 3
            self.fails(code, "predict", self.ctc(), "--in", path, "--stream", says=[f"{name}.wav: ", says])
            if code == 3 and name != "cut":
                self.fails(3, "predict", self.ctc(), "--stream", stdin=path.read_bytes(), says=["standard input", says])

    def test_a_list_that_is_no_list(self):
        self.fails(4, "predict", self.ctc(), "--in", p.WORK / "nowhere.txt", says="nowhere.txt")
        self.assertEqual(self.heard(self.ctc(), []), [])
        self.assertEqual(self.heard(self.ctc(), [""]), [""])


if __name__ == "__main__":
    p.main()
