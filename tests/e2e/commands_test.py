#!/usr/bin/env python3
"""Every command does what its page says."""
import gzip
import json
import os
import pty
import random
import re
import subprocess
import time

import program as p


class Help(p.Case):
    def test_check_tells_what_train_would_do_and_writes_nothing(self):
        p.write_data(p.WORK / "data")
        before = sorted(p.WORK.rglob("*"))
        out = self.ok("train", p.WORK / "data/recipe.toml", "--check", "--out", p.WORK / "never", "--set",
                      "train.freeze=encoder.*").stdout.decode()
        self.assertEqual(sorted(p.WORK.rglob("*")), before)
        self.assertIn("training data: read 200 examples, kept 200 (", out)
        self.assertRegex(out, r"(?m)^  source: .+\n  target: .+$")
        self.assertRegex(out, r"(?m)^parameters: \d+, of which \d+ are frozen$")
        self.assertRegex(out, r"(?m)^an epoch: 13 batches in 13 steps, \d+ target tokens, about \d+s here \(")
        self.assertRegex(out, r"(?m)^train.max_steps = 60: about \d+s$")
        self.fails(2, "train", p.WORK / "data/recipe.toml", "--check", "--set", "model.score=none", "--set",
                   "model.decoder.bridge=zeros", says="model.decoder.bridge")
        self.fails(4, "train", p.WORK / "data/recipe.toml", "--check", "--set", "data.train=a,b", says="data/a")

    def test_program_page_names_every_command(self):
        page = self.ok("--help").stdout.decode()
        for name in "train predict evaluate baseline explain metric inspect export demo version help".split():
            self.assertRegex(page, rf"(?m)^  {name} ")

    def test_every_command_has_a_page_by_flag_and_by_help(self):
        for name in "train predict evaluate baseline explain metric inspect export demo version help".split():
            page = self.ok(name, "--help").stdout
            self.assertIn(f"usage: lookback {name}".encode(), page)
            self.assertEqual(page, self.ok("help", name).stdout)

    def test_pages_explain_options_with_defaults(self):
        self.assertRegex(self.ok("help", "predict").stdout.decode(), r"--max-length N +most tokens[^)]*\(default 200\)")
        self.assertRegex(self.ok("help", "train").stdout.decode(), r"train\.save_minutes +minutes between")
        self.assertIn(b"model.encoder.layers", self.ok("help", "recipe", "translate").stdout)
        self.assertIn(b"--no-allow-unk", self.ok("help", "predict").stdout)

    def test_version(self):
        out = self.ok("version").stdout.decode()
        for word in ("lookback ", "compiler: ", "Highway: ", "processor: ", "instruction sets: "):
            self.assertIn(word, out)
        self.assertEqual(self.ok("--version").stdout.decode(), out)


class Train(p.Case):
    def setUp(self):
        p.write_data(p.WORK / "data")
        self.recipe = p.WORK / "data/recipe.toml"

    def test_model_folder_holds_what_other_tools_expect(self):
        model = self.model()
        for name in ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "README.md"):
            self.assertTrue((model / name).is_file(), name)
        self.assertEqual(json.loads((model / "generation_config.json").read_text())["beam"], 3)

    def test_plain_log_has_validations_samples_and_no_control_characters(self):
        done = self.ok("train", self.recipe, "--out", self.fresh("plain"))
        talk = done.stderr.decode()
        self.assertEqual(done.stdout, b"")
        self.assertNotRegex(talk, r"[\x00-\x09\x0b-\x1f]")
        self.assertRegex(talk, r"step 20  epoch 1  validation: .*chrf .*loss .*\* best")
        self.assertRegex(talk, r"(?m)^    source  [a-h ]+\n    target  [A-H ]+\n    output  ")
        self.assertRegex(talk, r"done, max_steps after 60 steps")

    def test_what_was_left_out_is_said_in_lines_of_its_own(self):
        bad = p.WORK / "data/bad.src"
        lines = (p.WORK / "data/train.src").read_bytes().splitlines()
        bad.write_bytes(b"".join(line + b"\n" for line in [b"\xff", b"", *lines[2:]]))
        words = ("train", self.recipe, "--set", f"data.train={bad},train.tgt", "--set", "train.max_steps=1", "--out")
        talk = self.ok(*words, self.fresh("left_out")).stderr.decode()
        self.assertRegex(talk, r"(?m)^training data: read 200 examples, kept 198 .*\n"
                               r"left out: invalid UTF-8: 1; the source is empty: 1\n  .*bad.src:1: invalid UTF-8\n  .*bad.src:2: ")
        talk = self.ok(*words, self.fresh("left_out"), "--log-format", "json").stderr.decode()
        told = [event["text"] for event in map(json.loads, talk.splitlines()) if "training data" in event.get("text", "")]
        self.assertEqual(len(told), 1)
        self.assertIn("\nleft out: invalid UTF-8: 1", told[0])

    def test_json_log_is_one_object_per_line(self):
        done = self.ok("train", self.recipe, "--out", self.fresh("jsonlog"), "--log-format", "json")
        events = [json.loads(line) for line in done.stderr.splitlines()]
        kinds = {e["event"] for e in events}
        self.assertLessEqual({"message", "progress", "valid", "end"}, kinds)
        end = events[-1]
        self.assertEqual((end["event"], end["reason"], end["steps"]), ("end", "max_steps", 60))
        valid = [e for e in events if e["event"] == "valid"]
        self.assertEqual([e["step"] for e in valid], [20, 40, 60])
        self.assertLessEqual({"loss", "ppl", "chrf"}, set(valid[0]["scores"]))

    def test_quiet_says_nothing(self):
        self.assertEqual(self.ok("train", self.recipe, "--out", self.fresh("quiet"), "--quiet").stderr, b"")

    def test_precedence_is_flag_environment_recipe_default(self):
        def value(key, *flags, **env):
            done = self.ok("train", self.recipe, "--print-config", *flags, env=env)
            found = []
            group = ""
            for line in done.stdout.decode().splitlines():
                if line.startswith("["):
                    group = line.strip("[]") + "."
                elif match := re.match(r"(\w+) = (.*?)  # (.*)", line):
                    if group + match[1] == key:
                        found.append((match[2], match[3]))
            self.assertEqual(len(found), 1, (key, found))
            return found[0]

        recipe = str(self.recipe)
        self.assertEqual(value("train.accumulate"), ("1", "default"))
        self.assertEqual(value("train.max_steps"), ("60", f"{recipe}:19"))
        env = {"LOOKBACK_TRAIN_MAX_STEPS": "7", "LOOKBACK_SEED": "5"}
        self.assertEqual(value("train.max_steps", **env), ("7", "LOOKBACK_TRAIN_MAX_STEPS"))
        self.assertEqual(value("train.max_steps", "--set", "train.max_steps=8", **env), ("8", "--set"))
        self.assertEqual(value("train.seed", **env), ("5", "LOOKBACK_SEED"))
        self.assertEqual(value("train.seed", "--seed", "6", **env), ("6", "--seed"))

    def test_lists_are_written_with_commas_or_as_in_a_recipe(self):
        for value, meant in (("a.de,b.en", b'["a.de", "b.en"]'), ('["a,1.de", \'b.en\']', b'["a,1.de", "b.en"]')):
            for more in ({"env": {"LOOKBACK_DATA_TRAIN": value}}, {}):
                words = () if more else ("--set", f"data.train={value}")
                out = self.ok("train", self.recipe, "--print-config", *words, **more).stdout
                self.assertIn(b"train = " + meant, out)

    def test_print_config_is_a_recipe_again(self):
        first = self.ok("train", self.recipe, "--print-config", "--set", "model.dropout=0.25").stdout
        again = p.WORK / "again.toml"
        again.write_bytes(first)
        second = self.ok("train", again, "--print-config").stdout
        strip = lambda toml: [line.split("  # ")[0] for line in toml.decode().splitlines()]
        self.assertEqual(strip(first), strip(second))

    def test_unknown_variable_is_a_warning_with_the_nearest_name(self):
        done = self.ok("train", self.recipe, "--print-config", env={"LOOKBACK_TRAIN_MAX_STEP": "7"})
        self.assertIn(b"warning: environment variable LOOKBACK_TRAIN_MAX_STEP", done.stderr)
        self.assertIn(b"did you mean 'LOOKBACK_TRAIN_MAX_STEPS'?", done.stderr)

    def test_data_folder_comes_from_flag_or_variable(self):
        alone = p.WORK / "elsewhere.toml"
        alone.write_text(p.RECIPE)
        short = ("--set", "train.max_steps=2", "--quiet")
        self.ok("train", alone, "--out", self.fresh("by_flag"), "--data", p.WORK / "data", *short)
        self.ok("train", alone, "--out", self.fresh("by_variable"), *short, env={"LOOKBACK_DATA": str(p.WORK / "data")})
        self.fails(4, "train", alone, "--out", self.fresh("by_neither"), *short, says="train.src")

    def test_overwrite_and_resume_of_a_finished_run(self):
        model = self.fresh("finished")
        self.ok("train", self.recipe, "--out", model, "--quiet")
        before = p.sha256(model / "model.safetensors")
        self.fails(2, "train", self.recipe, "--out", model, says=["not empty", "resume"])
        done = self.ok("train", self.recipe, "--out", model, "--resume")
        self.assertIn(b"had finished already (max_steps)", done.stderr)
        self.assertEqual(p.sha256(model / "model.safetensors"), before)
        done = self.ok("train", self.recipe, "--out", model, "--resume", "--set", "train.max_steps=70")
        self.assertIn(b"after 70 steps", done.stderr)
        self.ok("train", self.recipe, "--out", model, "--overwrite", "--quiet")
        self.assertEqual(p.sha256(model / "model.safetensors"), before)

    def test_progress_is_redrawn_on_a_terminal_and_colour_can_be_refused(self):
        slow = ("--set", "model.decoder.hidden=64", "--set", "train.max_steps=150")
        for env, color in (({}, True), ({"NO_COLOR": "1"}, False)):
            ours, theirs = pty.openpty()
            model = self.fresh("on_terminal")
            talk = b""
            with p.started("train", self.recipe, "--out", model, *slow, stderr=theirs,
                           env={"TERM": "xterm"} | env) as child:
                os.close(theirs)
                try:
                    while chunk := os.read(ours, 65536):
                        talk += chunk
                except OSError:  # Linux says so when the other end is closed
                    pass
            os.close(ours)
            self.assertEqual(child.returncode, 0)
            self.assertRegex(talk, rb"\rstep \d+  epoch [^\n\r]*ETA[^\n\r]*\x1b\[K")
            self.assertEqual(b"\x1b[32m" in talk, color)


class Predict(p.Case):
    def test_one_line_out_for_each_line_in_empty_ones_too(self):
        done = self.ok("predict", self.model(), stdin="abc\n\nfed\n\n")
        lines = done.stdout.decode().split("\n")
        self.assertEqual(len(lines), 5)
        self.assertEqual([lines[1], lines[3], lines[4]], ["", "", ""])
        self.assertTrue(lines[0] and lines[2])

    def test_nothing_in_nothing_out(self):
        self.assertEqual(self.ok("predict", self.model()).stdout, b"")

    def test_files_and_gzip(self):
        model, data = self.model(), p.WORK / "data"
        out = p.WORK / "out.txt"
        self.ok("predict", model, "--in", data / "test.src", "--out", out)
        text = (data / "test.src").read_bytes()
        self.assertEqual(out.read_bytes(), self.ok("predict", model, stdin=text).stdout)
        packed = p.WORK / "test.gz"
        packed.write_bytes(gzip.compress(text))
        self.assertEqual(out.read_bytes(), self.ok("predict", model, "--in", packed).stdout)

    def test_inputs_as_json_lines_have_fields_each_of_its_own(self):
        model = self.model()
        plain = self.ok("predict", model, stdin="abc\nfed\n").stdout.decode().splitlines()
        rows = [{"source": "abc", "id": [7]}, {"source": "fed", "prefix": "HH"}, {"source": "fed"}, {"source": ""}]
        inputs = p.WORK / "inputs.jsonl"
        p.write_lines(inputs, [json.dumps(r) for r in rows])
        out = self.ok("predict", model, "--in", inputs).stdout.decode().splitlines()
        self.assertEqual([out[0], out[2], out[3]], [plain[0], plain[1], ""])
        self.assertTrue(out[1].startswith("HH"), out)
        self.assertEqual(self.ok("predict", model, "--in-format", "jsonl", stdin=inputs.read_bytes()).stdout.decode().splitlines(),
                         out)
        self.assertTrue(self.ok("predict", model, "--field", "prefix=HH", stdin="abc\n").stdout.startswith(b"HH"))
        # Scored beside those that are searched for.
        rows[0]["score"] = "XYZ"
        both = self.ok("predict", model, "--in-format", "jsonl", stdin="\n".join(map(json.dumps, rows[:3])))
        self.assertEqual(both.stdout.decode().splitlines()[1:], out[1:3])

    def test_a_bad_json_line_stops_there_and_what_came_before_is_written(self):
        done = self.fails(3, "predict", self.model(), "--in-format", "jsonl", stdin='{"source": "abc"}\n{"text": "abc"}\n',
                          says="standard input:2: has no 'source'; an input has source, prefix, score")
        self.assertEqual(done.stdout, self.ok("predict", self.model(), stdin="abc\n").stdout)
        self.fails(3, "predict", self.model(), "--in-format", "jsonl", stdin="abc\n", says="standard input:1: not JSON")

    def test_formats(self):
        model = self.model()
        done = self.ok("predict", model, "--format", "jsonl", "--n-best", "2", "--beam", "4", stdin="abc d\ngh\n")
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([r["line"] for r in rows], [1, 2])
        self.assertEqual([len(r["outputs"]) for r in rows], [2, 2])
        best = rows[0]["outputs"][0]
        self.assertGreaterEqual(best["score"], rows[0]["outputs"][1]["score"])
        self.assertEqual(len(best["alignment"][0]), len(rows[0]["source"]))
        for row in best["alignment"]:
            self.assertAlmostEqual(sum(row), 1, places=4)
        nbest = self.ok("predict", model, "--format", "nbest", "--n-best", "2", "--beam", "4", stdin="abc d\ngh\n")
        self.assertEqual([line.split(b" ||| ")[0] for line in nbest.stdout.splitlines()], [b"0", b"0", b"1", b"1"])

    def test_text_format_warns_of_outputs_it_drops(self):
        done = self.ok("predict", self.model(), "--n-best", "2", stdin="abc\n")
        self.assertIn(b"warning: --format text writes the best output only", done.stderr)

    def test_prefix_begins_the_output(self):
        prefix = p.WORK / "prefix.txt"
        p.write_lines(prefix, ["HH", "B"])
        out = self.ok("predict", self.model(), "--prefix", prefix, stdin="abc\nfed\n").stdout.decode().splitlines()
        self.assertTrue(out[0].startswith("HH") and out[1].startswith("B"), out)

    def test_prefix_with_unknown_characters_is_a_warning_for_a_few_lines(self):
        prefix = p.WORK / "prefix.txt"
        p.write_lines(prefix, ["A", "Ax\u0436", "", "y", "zzzzzzz", "y", "B"])
        done = self.ok("predict", self.model(), "--prefix", prefix, "--quiet", stdin="abc\n" * 7)
        self.assertEqual(done.stdout.count(b"\n"), 7)
        warnings = done.stderr.decode().splitlines()
        self.assertEqual(len(warnings), 4, warnings)
        for warning, says in zip(warnings, (":2: the model does not know 'x', '\u0436';", ":4: the model does not know 'y';",
                                            ":5: the model does not know 'z', 'z', 'z', 'z', 'z' and 2 more;",
                                            "1 more line")):
            self.assertIn(says, warning)
            self.assertTrue(warning.startswith("lookback: warning: "), warning)

    def test_score_of_the_models_own_output_is_what_search_said(self):
        model = self.model()
        found = self.ok("predict", model, "--format", "jsonl", "--beam", "1", stdin="abc d\ngh ef\n").stdout
        rows = [json.loads(line)["outputs"][0] for line in found.splitlines()]
        target = p.WORK / "target.txt"
        p.write_lines(target, [r["text"] for r in rows])
        scored = self.ok("predict", model, "--score", target, "--format", "jsonl", stdin="abc d\ngh ef\n").stdout
        for row, line in zip(rows, scored.splitlines()):
            again = json.loads(line)["outputs"][0]
            self.assertEqual(again["text"], row["text"])
            self.assertAlmostEqual(again["log_prob"], row["log_prob"], places=4)

    def test_several_models_vote(self):
        model = self.model()
        alone = self.ok("predict", model, stdin="abc\n").stdout
        self.assertEqual(self.ok("predict", model, model, stdin="abc\n").stdout, alone)

    def test_invalid_utf8_is_a_warning_with_its_line_and_work_goes_on(self):
        done = self.ok("predict", self.model(), stdin=b"abc\nd\xff\xfe\nfed\n")
        self.assertEqual(len(done.stdout.splitlines()), 3)
        self.assertIn(b"standard input:2: byte 2 is not UTF-8", done.stderr)

    def test_options_come_from_flag_environment_and_model(self):
        model = self.model()
        by_flag = self.ok("predict", model, "--beam", "1", "--format", "nbest", stdin="abc\n").stdout
        by_variable = self.ok("predict", model, "--format", "nbest", stdin="abc\n", env={"LOOKBACK_DECODE_BEAM": "1"})
        self.assertEqual(by_variable.stdout, by_flag)
        self.assertEqual(by_variable.stderr, b"")

    def test_sampling_repeats_with_its_seed(self):
        draw = lambda seed: self.ok("predict", self.model(), "--sample", "--beam", "1", "--temperature", "2", "--seed",
                                    seed, stdin="abcdef gh\n" * 8).stdout
        self.assertEqual(draw(1), draw(1))
        self.assertNotEqual(draw(1), draw(2))

    def test_first_answer_comes_at_once(self):
        model = self.model()
        times = []
        for _ in range(5):
            begin = time.monotonic()
            self.ok("predict", model, stdin="abc\n")
            times.append(time.monotonic() - begin)
        self.assertLess(min(times), 0.15, times)

    def test_a_terminal_is_told_that_it_is_read(self):
        for words, told in (((), True), (("--quiet",), False)):
            ours, theirs = pty.openpty()
            with p.started("predict", self.model(), *words, stdin=theirs, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE) as child:
                os.close(theirs)
                os.write(ours, b"abc\n\x04")
                out, talk = child.communicate(timeout=60)
            os.close(ours)
            self.assertEqual((child.returncode, out.count(b"\n")), (0, 1))
            self.assertEqual(b"reading from the terminal" in talk and b"Ctrl-D" in talk, told, talk)
        self.assertEqual(self.ok("predict", self.model(), stdin="abc\n").stderr, b"")

    def test_answers_while_input_stays_open(self):
        with p.started("predict", self.model(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            for line in (b"abc\n", b"fed\n"):
                child.stdin.write(line)
                child.stdin.flush()
                self.assertTrue(child.stdout.readline().strip())
            child.stdin.close()
            self.assertEqual(child.wait(10), 0)


class Evaluate(p.Case):
    def test_scores_equal_predict_piped_into_metric(self):
        model, data = self.model(), p.WORK / "data"
        scores = self.ok("evaluate", model, "--data", data / "test.src", data / "test.tgt").stdout.decode().splitlines()
        out = self.ok("predict", model, "--in", data / "test.src").stdout
        self.assertEqual(len(scores), 3)
        for name, line in zip(("bleu", "chrf", "ter"), scores):
            alone = json.loads(self.ok("metric", name, "--format", "json", "--ref", data / "test.tgt", stdin=out).stdout)
            self.assertEqual(line, f"{name} {alone['score']:.2f} {alone['signature']}")

    def test_json(self):
        data = p.WORK / "data"
        done = self.ok("evaluate", self.model(), "--format", "json", "--data", data / "test.src", data / "test.tgt")
        scores = json.loads(done.stdout)
        self.assertIn("bleu", scores)
        self.assertGreaterEqual(scores["chrf"]["score"], 0)

    def test_intervals_are_those_of_metric(self):
        model, data = self.model(), p.WORK / "data"
        words = ("evaluate", model, "--data", data / "test.src", data / "test.tgt", "--confidence", "--resamples", "50")
        line = self.ok(*words).stdout.decode().splitlines()[1]
        out = self.ok("predict", model, "--in", data / "test.src").stdout
        alone = self.ok("metric", "chrf", "--confidence", "--resamples", "50", "--ref", data / "test.tgt", stdin=out)
        interval = re.search(r"\(μ = .*?\)", alone.stdout.decode())[0]
        self.assertRegex(line, r"^chrf [\d.]+ " + re.escape(interval) + r" nrefs:1\|bs:50\|")
        self.assertIn("confidence_95", json.loads(self.ok(*words, "--format", "json").stdout)["ter"])

    def test_tables_of_any_shape_give_the_same_scores(self):
        model, data = self.model(), p.WORK / "data"
        rows = list(zip(*((data / f"test.{side}").read_text().splitlines() for side in ("src", "tgt"))))
        p.write_lines(p.WORK / "test.tsv", ["\t".join(r) for r in rows])
        p.write_lines(p.WORK / "test.csv", ["target,source"] + [f'"{t}",{s}' for s, t in rows])
        p.write_lines(p.WORK / "test.jsonl", [json.dumps({"source": s, "target": t}) for s, t in rows])
        want = self.ok("evaluate", model, "--data", data / "test.src", data / "test.tgt").stdout
        for name in ("test.tsv", "test.csv", "test.jsonl"):
            self.assertEqual(self.ok("evaluate", model, "--data", p.WORK / name).stdout, want, name)
        p.write_lines(p.WORK / "bad.jsonl", ['{"source": "a", "target": "A"}', '{"source": "a"}'])
        self.fails(3, "evaluate", model, "--data", p.WORK / "bad.jsonl", says="bad.jsonl:2: a column is missing")


class Splits(p.Case):
    """One file, of which a tenth validates and a fifth tests."""
    def test_evaluate_scores_the_test_part_that_training_never_read(self):
        folder = self.fresh("splits")
        folder.mkdir()
        rng = random.Random(3)
        for part in ("1", "2"):
            words = ["".join(rng.choice("abcdef") for _ in range(rng.randint(2, 6))) for _ in range(200)]
            p.write_lines(folder / f"all-{part}.jsonl", [json.dumps({"source": s, "target": s.upper()}) for s in words])
        (folder / "recipe.toml").write_text(p.RECIPE)
        sets = [w for s in ("data.train=all-*.jsonl", "data.valid=10 %", "data.test=20 %", "train.max_steps=5")
                for w in ("--set", s)]
        said = self.ok("train", folder / "recipe.toml", *sets, "--out", folder / "m").stderr.decode()
        read = {part: int(re.search(part + r" data: read (\d+) examples, kept", said)[1])
                for part in ("training", "validation")}
        self.assertTrue(230 < read["training"] < 330, read)
        self.assertTrue(15 < read["validation"] < 70, read)
        scores = self.ok("evaluate", folder / "m").stdout.decode().splitlines()
        self.assertEqual([s.split()[0] for s in scores], ["bleu", "chrf", "ter"])
        self.assertEqual(len(self.ok("baseline", folder / "recipe.toml", *sets).stdout.decode().split("\n\n")), 4)
        # From the recipe's own folder, where paths have no root, to be scored from another one.
        self.ok("train", "recipe.toml", *sets, "--out", "here", cwd=folder)
        self.assertEqual(self.ok("evaluate", folder / "here").stdout.decode().splitlines(), scores)
        check = self.ok("train", folder / "recipe.toml", *sets, "--check").stdout.decode()
        self.assertRegex(check, r"(?m)^test data: \d+ examples$")
        self.fails(4, "train", folder / "recipe.toml", *sets, "--set", "data.test=no.jsonl", "--out", folder / "n",
                   says="data.test: " + str(folder / "no.jsonl"))
        exported = self.fresh("splits_exported")
        self.ok("export", folder / "m", "--out", exported)
        self.fails(2, "evaluate", exported, says="names no data.test")


class Baseline(p.Case):
    def test_copy_and_word_by_word_are_scored_on_validation_and_test(self):
        data = self.fresh("words")
        data.mkdir()
        rng = random.Random(5)
        for name, count in (("train", 300), ("valid", 20), ("test", 30)):
            lines = [[rng.randrange(12) for _ in range(rng.randint(4, 7))] for _ in range(count)]
            p.write_lines(data / f"{name}.src", [" ".join(f"s{k}x" for k in line) for line in lines])
            p.write_lines(data / f"{name}.tgt", [" ".join(f"t{k}x" for k in line) for line in lines])
        (data / "recipe.toml").write_text(p.RECIPE)
        words = ("baseline", data / "recipe.toml", "--set", "data.test=test.src,test.tgt")
        blocks = [b.splitlines() for b in self.ok(*words).stdout.decode().split("\n\n")]
        self.assertEqual([b[0] for b in blocks], [f"{name}, data.{part}" for part in ("valid", "test")
                                                  for name in ("copy", "word by word")])
        for block in blocks:
            bleu = float(block[1].split()[1])
            self.assertEqual([line.split()[0] for line in block[1:]], ["bleu", "chrf", "ter"])
            self.assertLess(bleu, 5) if block[0].startswith("copy") else self.assertEqual(bleu, 100)
        self.assertEqual(sorted(f.name for f in data.iterdir()), sorted(
            [f"{n}.{side}" for n in ("train", "valid", "test") for side in ("src", "tgt")] + ["recipe.toml"]))
        (p.WORK / "elsewhere.toml").write_text(p.RECIPE)
        there = self.ok("baseline", p.WORK / "elsewhere.toml", env={"LOOKBACK_DATA": str(data)}).stdout.decode().split("\n\n")
        self.assertEqual([b.splitlines() for b in there], blocks[:2])
        self.fails(2, *words[:3], "data.test=test.src", says="data.test must name a file each for source and target")
        self.fails(4, *words[:3], "data.test=no.src,test.tgt", says="no.src")


class Explain(p.Case):
    def test_totals_are_the_sums_of_the_columns(self):
        words = ("explain", self.model(), "--text", "abc de", "--out", p.WORK / "map.json")
        self.ok(*words)
        plain = json.loads((p.WORK / "map.json").read_text())
        self.ok(*words, "--totals")
        with_totals = json.loads((p.WORK / "map.json").read_text())
        self.assertEqual(with_totals["target"], plain["target"] + ["\u03a3"])
        for total, column in zip(with_totals["weights"][-1], zip(*plain["weights"])):
            self.assertAlmostEqual(total, sum(column), 4)
        self.assertIn("\u03a3", self.ok(*words[:4], "--totals").stdout.decode())

    def test_fields_of_the_input(self):
        words = ("explain", self.model(), "--text", "abc de", "--out", p.WORK / "map.json")
        self.ok(*words, "--field", "prefix=HH")
        self.assertEqual(json.loads((p.WORK / "map.json").read_text())["target"][:2], ["H", "H"])
        self.fails(2, *words, "--field", "prefx=HH", says="did you mean 'prefix'?")
        self.fails(2, *words, "--field", "prefix", says="--field name=value")

    def test_terminal_has_a_row_per_token_and_fits(self):
        done = self.ok("explain", self.model(), "--text", "abc de", env={"COLUMNS": "40"})
        text = done.stdout.decode()
        self.assertNotIn("\x1b", text)
        self.assertLessEqual(max(len(line) for line in text.splitlines()), 40)

    def test_every_picture(self):
        for ending, begins in ((".html", b"<!"), (".svg", b"<"), (".png", b"\x89PNG"), (".json", b"{")):
            if ending == ".png" and b"PNG pictures: yes" not in self.ok("version").stdout:
                continue
            out = p.WORK / ("map" + ending)
            self.ok("explain", self.model(), "--text", "abc de", "--out", out)
            self.assertTrue(out.read_bytes().startswith(begins), ending)

    def test_several_texts_and_targets(self):
        out = p.WORK / "maps.html"
        self.ok("explain", self.model(), "--text", "abc", "--text", "ef", "--out", out)
        self.assertGreaterEqual(out.read_text().count("<table"), 2)
        done = self.ok("explain", self.model(), "--text", "abc", "--target", "HGF")
        self.assertIn("HGF", done.stdout.decode())
        self.fails(2, "explain", self.model(), "--text", "a", "--text", "b", "--out", p.WORK / "x.svg", says="one picture")
        self.fails(2, "explain", self.model(), "--text", "a", "--text", "b", "--target", "A", says="--target")

    def test_empty_text(self):
        self.ok("explain", self.model(), "--text", "")


class Metric(p.Case):
    REF = ["the cat sat on the mat .", "a dog barked at the moon ."]
    HYP = ["the cat sat on a mat .", "a dog barked at the moon ."]

    def setUp(self):
        p.write_lines(p.WORK / "ref", self.REF)
        p.write_lines(p.WORK / "hyp", self.HYP)
        (p.WORK / "ref.gz").write_bytes(gzip.compress((p.WORK / "ref").read_bytes()))

    def score(self, *words, **more):
        return self.ok("metric", *words, "--ref", p.WORK / "ref", "--in", p.WORK / "hyp", **more).stdout.decode()

    def test_lines_are_those_of_sacrebleu(self):
        self.assertRegex(self.score("bleu"), r"^BLEU\|nrefs:1\|case:mixed\|eff:no\|tok:13a\|smooth:exp\|version:\S+ = "
                         r"76\.28 92\.9/83\.3/70\.0/62\.5 \(BP = 1\.000 ratio = 1\.000 hyp_len = 14 ref_len = 14\)\n$")
        self.assertRegex(self.score("chrf++"), r"^chrF2\+\+\|.*nw:2.* = ")
        self.assertRegex(self.score("ter", "--digits", "1"), r"^TER\|.* = 7\.1\b")
        self.assertRegex(self.score("wer"), r"^WER\|.* = 7\.14\b")
        self.assertRegex(self.score("accuracy"), r" = 50\.00\b")
        self.assertRegex(self.score("cer"), r"^CER\|")

    def test_word_errors_one_by_one(self):
        p.write_lines(p.WORK / "hyp", ["the cat sat on a mat", "a dog barked at the moon .", "it is a a"])
        p.write_lines(p.WORK / "ref", self.REF + ["it is"])
        score, blank, *lines = self.score("wer", "--alignment", "--confusions", "2").splitlines()
        self.assertRegex(score, r"^WER\|.* = 25\.00 \(sub = 1 del = 1 ins = 2 ref_len = 16\)$")
        self.assertEqual(lines, ["line 1: 2 errors in 7 words",
                                 "REF: the cat sat on the mat .",
                                 "HYP: the cat sat on   a mat *",
                                 "                      S     D",
                                 "",
                                 "line 3: 2 errors in 2 words",
                                 "REF: it is * *",
                                 "HYP: it is a a",
                                 "           I I",
                                 "",
                                 "2 inserted a",
                                 "1 the -> a"])
        out = json.loads(self.score("wer", "--alignment", "--confusions", "9", "--format", "json", "--confidence"))
        self.assertEqual([a["line"] for a in out["alignments"]], [1, 3])
        self.assertEqual(out["alignments"][1]["words"][2:],
                         [{"reference": None, "hypothesis": "a", "kind": "insertion"}] * 2)
        self.assertEqual(out["confusions"][1], {"kind": "substitution", "reference": "the", "hypothesis": "a", "count": 1})
        self.assertEqual(len(out["confusions"]), 3)
        lower = ["it IS a a"]
        p.write_lines(p.WORK / "hyp", lower)
        p.write_lines(p.WORK / "ref", ["It is a a"])
        self.assertEqual(len(self.score("wer", "--alignment", "--confusions", "5", "--lowercase").splitlines()), 1)
        self.fails(2, "metric", "cer", "--alignment", "--ref", p.WORK / "ref", says="--alignment is of words; it goes with wer, not with cer")
        self.fails(2, "metric", "bleu", "--confusions", "3", "--ref", p.WORK / "ref", says="--confusions is of words")
        self.fails(2, "metric", "wer", "--alignment", "--sentence", "--ref", p.WORK / "ref", says="not with --sentence")
        self.fails(2, "metric", "wer", "--confusions", "0", "--ref", p.WORK / "ref", says="--confusions")

    def test_options_gzip_stdin_and_several_references(self):
        done = self.ok("metric", "bleu", "--ref", p.WORK / "ref.gz", p.WORK / "hyp", "--lowercase", "--tokenize", "none",
                       stdin="\n".join(self.HYP) + "\n")
        self.assertRegex(done.stdout.decode(), r"^BLEU\|nrefs:2\|case:lc\|eff:no\|tok:none\|.* = 100\.00")

    def test_labels(self):
        gold, first, second = ["pos", "neg", "pos", "neutral"] * 5, ["pos", "neg", "neg", "pos"] * 5, ["pos"] * 19 + ["other"]
        for name, lines in (("ref", gold), ("hyp", first), ("second", second)):
            p.write_lines(p.WORK / name, lines)
        self.assertRegex(self.score("macro_f1"), r"^macro_f1\|nrefs:1\|.* = 38\.89 \(10 of 20, 3 labels\)\n$")
        self.assertRegex(self.score("micro_f1"), r" = 50\.00 \(10 of 20, 3 labels\)\n$")
        self.assertRegex(self.score("mcc", "--confidence", "--digits", "4"), r" = 0\.2236 \(μ = 0\.\d+ ± 0\.\d+\) ")
        # Labels that only another system knows change nothing.
        lines = self.score("macro_f1", "--paired", p.WORK / "second").splitlines()
        self.assertRegex(lines[1], r"macro_f1 = 38\.89 .*baseline")
        self.assertRegex(lines[2], r"macro_f1 = 17\.24 .*p = ")

    def test_summaries_and_answers(self):
        self.assertRegex(self.score("rougel", "--stem"),
                         r"^rougeL\|nrefs:1\|stem:yes\|sep:\\n\|version:\S+ = 91\.67 \(P = 91\.67 R = 91\.67\)\n$")
        self.assertRegex(self.score("rougelsum", "--separator", "on"), r"\|sep:on\|.* = 90\.00 ")
        self.assertRegex(self.score("exact_match"), r" = 100\.00 \(2 of 2\)\n$")
        self.assertRegex(self.score("f1", "--confidence"), r" = 100\.00 \(μ = 100\.00 ± 0\.00\)\n$")

    def test_sentences_json_confidence_and_pairs(self):
        self.assertEqual(self.score("accuracy", "--sentence"), "0.00\n100.00\n")
        row = json.loads(self.score("bleu", "--format", "json", "--confidence", "--resamples", "50"))
        self.assertAlmostEqual(row["score"], 76.28, places=2)
        self.assertIn("bs:50", row["signature"])
        self.assertGreater(row["confidence_95"], 0)
        paired = self.score("bleu", "--paired", p.WORK / "ref", p.WORK / "hyp", "--resamples", "100")
        lines = paired.splitlines()
        self.assertEqual(len(lines), 4)
        self.assertIn("baseline", lines[1])
        self.assertRegex(lines[2], r"BLEU = 100\.00 .*p = 0\.\d+|BLEU = 100\.00 .*p = 1\.0")
        report = json.loads(self.score("bleu", "--paired", p.WORK / "ref", "--paired-test", "ar", "--format", "json"))
        self.assertEqual([s["p_value"] is None for s in report["systems"]], [True, False])


class Inspect(p.Case):
    def look(self, path):
        text = self.ok("inspect", path).stdout.decode()
        self.assertTrue(text)
        return text, json.loads(self.ok("inspect", path, "--format", "json").stdout)

    def test_model_folder(self):
        text, found = self.look(self.model())
        self.assertEqual((found["kind"], found["task"]), ("model folder", "translate"))
        sizes = {t["name"]: t["parameters"] for t in found["weights"]["tensors"]}
        self.assertEqual(sum(sizes.values()), found["weights"]["parameters"])
        self.assertEqual(sizes["decoder.lstm.weight_hh_l0"], 4 * 24 * 24)
        self.assertEqual(found["training"]["validations"][-1]["step"], 400)
        self.assertIn("decoder.lstm.weight_hh_l0", text)

    def test_checkpoint_weights_tokenizer_and_recipe(self):
        model = self.model()
        _, found = self.look(model / "training/checkpoint-400")
        self.assertEqual((found["kind"], found["state"]["step"]), ("checkpoint", 400))
        self.assertEqual(self.look(model / "model.safetensors")[1]["dtypes"], ["f32"])
        _, found = self.look(model / "tokenizer.json")
        self.assertEqual(found["entries"], len(json.loads((model / "tokenizer.json").read_text())["model"]["vocab"]))
        self.assertEqual(self.look(p.WORK / "data/recipe.toml")[1]["keys"]["train.max_steps"], 60)

    def test_sentencepiece_model(self):
        folder = self.fresh("with_bpe")
        self.ok("train", p.WORK / "data/recipe.toml", "--out", folder, "--set", "tokenizer.kind=bpe", "--set",
                "tokenizer.size=40", "--set", "train.max_steps=1", "--quiet")
        _, found = self.look(folder / "spm.model")
        self.assertEqual((found["type"], found["entries"]), ("SentencePiece bpe", 40))


class Export(p.Case):
    def test_int8_model_says_what_the_trained_one_says_in_int8(self):
        model, small = self.model(), self.fresh("small")
        done = self.ok("export", model, "--out", small, "--quantize", "int8")
        self.assertIn(b"of weights, from ", done.stderr)
        self.assertEqual(done.stdout, b"")
        text = "abcdef gh\nfed\n\nabc\n"
        words = ("--format", "jsonl", "--n-best", "2")
        trained = self.ok("predict", model, *words, "--precision", "int8", stdin=text)
        exported = self.ok("predict", small, *words, stdin=text)
        self.assertEqual((exported.stderr, trained.stderr), (b"", b""))
        self.assertEqual(exported.stdout, trained.stdout)
        for precision in ("f32", "bf16"):
            self.assertEqual(len(self.ok("predict", small, "--precision", precision, stdin=text).stdout.splitlines()), 4)
        found = json.loads(self.ok("inspect", small, "--format", "json").stdout)
        whole = json.loads(self.ok("inspect", model, "--format", "json").stdout)
        self.assertEqual(found["weights"]["parameters"], whole["weights"]["parameters"])
        self.assertEqual(sorted(found["weights"]["dtypes"]), ["f32", "i8"])
        self.assertNotIn("training", found)
        self.ok("evaluate", small, "--data", p.WORK / "data/test.src", p.WORK / "data/test.tgt")
        self.ok("explain", small, "--text", "abc")

    def test_export_without_quantisation_and_overwriting(self):
        model, out = self.model(), self.fresh("made/by/export")
        self.ok("export", model, "--out", out, "--quiet")
        self.assertEqual(p.sha256(out / "model.safetensors"), p.sha256(model / "model.safetensors"))
        self.assertFalse((out / "training").exists())
        self.fails(2, "export", model, "--out", out, says=["made/by/export", "--overwrite"])
        self.ok("export", out, "--out", out, "--overwrite", "--quantize", "int8")
        self.assertLess((out / "model.safetensors").stat().st_size, (model / "model.safetensors").stat().st_size)
        self.assertEqual(os.listdir(out.parent), ["export"])


if __name__ == "__main__":
    p.main()
