#!/usr/bin/env python3
"""Every exit code, and every mistake as one line that says what, where and what to do."""
import gzip
import json
import os
import resource
import shutil
import signal
import subprocess

import program as p


class Usage(p.Case):  # exit code 2
    def setUp(self):
        p.write_data(p.WORK / "data")
        self.recipe = p.WORK / "data/recipe.toml"

    def test_no_command_prints_the_page_on_stderr(self):
        done = p.run()
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn(b"usage: lookback COMMAND", done.stderr)

    def test_unknown_names_get_the_nearest_match(self):
        model = self.model()
        self.fails(2, "trian", says="did you mean 'train'?")
        self.fails(2, "help", "predcit", says="did you mean 'predict'?")
        self.fails(2, "predict", model, "--beem", "3", says=["'--beem'", "did you mean '--beam'?"])
        self.fails(2, "train", self.recipe, "--ot", "x", says="did you mean '--out'?")
        self.fails(2, "train", self.recipe, "--print-config", "--set", "train.max_step=3",
                   says=["'train.max_step'", "did you mean 'train.max_steps'?"])
        self.fails(2, "train", self.recipe, "--print-config", "--set", "model.score=genral",
                   says="did you mean 'general'?")
        self.fails(2, "metric", "blue", "--ref", "x", says="did you mean 'bleu'?")
        self.fails(2, "predict", model, "--format", "jsnl", says="did you mean 'jsonl'?")
        self.fails(2, "predict", model, "--xyzzy", says="lookback predict --help lists them all")

    def test_recipe_mistakes_name_file_and_line(self):
        def broken(old, new):
            path = p.WORK / "broken.toml"
            path.write_text(p.RECIPE.replace(old, new, 1))
            return path

        out = ("--out", p.WORK / "never")
        self.fails(2, "train", broken("max_steps", "max_stesp"), *out, says=["broken.toml:19", "'train.max_steps'?"])
        self.fails(2, "train", broken('"translate"', '"tranlsate"'), *out, says=["broken.toml:1", "'translate'?"])
        self.fails(2, "train", broken('task = "translate"', ""), *out, says="task = \"translate\"")
        self.fails(2, "train", broken("max_steps = 60", 'max_steps = "many"'), *out, says="must be a whole number")
        self.fails(2, "train", broken("max_steps = 60", "max_steps = -1"), *out, says="outside")
        self.fails(2, "train", broken("[data]", "[data"), *out, says="broken.toml:3")
        self.fails(2, "train", broken("max_steps = 60", ""), *out, says="max_minutes, max_steps, max_epochs")
        self.fails(2, "train", broken('keep = "loss"', 'keep = "blue"'), "--data", p.WORK / "data", *out,
                   says=["train.keep", "loss"])
        self.fails(2, "train", self.recipe, "--data", p.WORK / "data", *out, "--set", "model.decoder.checkpoint=4",
                   says=["model.decoder.checkpoint = 4", "model.encoder.checkpoint"])
        self.fails(2, "train", self.recipe, *out, "--set", "model.encoder.bptt=-1", says=["model.encoder.bptt", "outside"])
        self.assertFalse((p.WORK / "never" / "config.json").exists())

    def test_errors_are_json_where_the_log_is(self):
        done = p.run("train", self.recipe, "--out", p.WORK / "never", "--log-format", "json", "--set", "train.max_step=1")
        self.assertEqual(done.returncode, 2)
        event = json.loads(done.stderr)
        self.assertEqual((event["event"], event["severity"]), ("message", "error"))
        self.assertIn("did you mean 'train.max_steps'?", event["text"])

    def test_names_with_control_characters_do_not_reach_the_terminal(self):
        done = self.fails(4, "inspect", "no\x1b[31mwhere\n", says="where")
        self.assertNotIn(b"\x1b", done.stderr)

    def test_flags_that_miss_or_exclude_each_other(self):
        model = self.model()
        self.fails(2, "train", says="RECIPE.toml is missing")
        self.fails(2, "train", self.recipe, says="--out MODEL is missing")
        self.fails(2, "train", self.recipe, "--out", says="--out needs a value")
        self.fails(2, "train", self.recipe, self.recipe, "--out", "x", says="takes one RECIPE.toml")
        self.fails(2, "train", self.recipe, "--out", "x", "--resume", "--overwrite", says="exclude")
        self.fails(2, "train", self.recipe, "--out", "x", "--set", "nonsense", says="key=value")
        self.fails(2, "train", self.recipe, "--out", "x", "--set", "data.train=[a,b]",
                   says=["--set: data.train is not a list", 'write ["a", "b"]'])
        self.fails(2, "train", self.recipe, "--out", p.WORK / "data", "--resume", says="no run to resume")
        self.fails(2, "predict", model, "--beam", "many", says="must be a whole number")
        self.fails(2, "predict", model, "--beam", "0", says="outside")
        self.fails(2, "predict", model, "--beam", "2", "--n-best", "3", says="n_best")
        self.fails(2, "predict", model, "--threads", "0", says="outside")
        self.fails(2, "predict", model, "--prefix", "-", says="standard input")
        self.fails(2, "predict", model, env={"LOOKBACK_THREADS": "some"}, says="LOOKBACK_THREADS")
        self.fails(2, "train", self.recipe, "--out", "x", "--precision", "int8", says="f32, bf16, auto")
        self.fails(2, "predict", model, "--precision", "f16", says="'bf16'?")
        self.fails(2, "bench", "train", "--precision", "int8", says="for decoding")
        self.fails(2, "bench", "trian", says="'train'?")
        self.fails(4, "bench", "train", "--lengths", "missing", says="missing")
        self.fails(2, "evaluate", model, says="--data FILE... is missing, and the model's recipe names no data.test")
        self.fails(2, "explain", model, says="--text TEXT is missing")
        self.fails(2, "explain", model, "--text", "a", "--out", "map.hmtl", says="'.html'?")
        self.fails(2, "metric", says="bleu, chrf")
        self.fails(2, "metric", "bleu", says="--ref FILE... is missing")
        self.fails(2, "version", "please", says="takes flags only")
        self.fails(2, "export", says="MODEL is missing")
        self.fails(2, "export", model, says="--out DIR is missing")
        self.fails(2, "export", model, "--out", "x", "--quantize", "int4", says="'int8'?")
        self.fails(2, "export", model, "--out", model, says=["not empty", "--overwrite"])
        self.fails(2, "export", model, "--out", self.recipe, says="not a folder")


class BadInput(p.Case):  # exit code 3
    def damaged(self, name, change):
        """A copy of the model with one file changed."""
        folder = self.fresh("damaged")
        shutil.copytree(self.model(), folder, ignore=shutil.ignore_patterns("training"))
        path = folder / name
        path.write_bytes(change(path.read_bytes()))
        return folder

    def test_damaged_model_files(self):
        for name, change in (
            ("config.json", lambda b: b[: len(b) // 2]),
            ("config.json", lambda b: b.replace(b'"translate"', b'"translat"')),
            ("model.safetensors", lambda b: b.replace(b"decoder.readout.weight", b"decoder.readout.wieght")),
            ("config.json", lambda b: b.replace(b'"hidden": 24', b'"hiden": 24')),
            ("generation_config.json", lambda b: b.replace(b'"beam": 3', b'"beam": "wide"')),
            ("model.safetensors", lambda b: b[:-4]),
            ("model.safetensors", lambda b: b"\xff" * 8 + b[8:]),
            ("tokenizer.json", lambda b: b[: len(b) // 2]),
        ):
            folder = self.damaged(name, change)
            self.fails(3, "predict", folder, stdin="abc\n", says=name)
            self.fails(3, "export", folder, "--out", self.fresh("never"), says=name)
            self.assertFalse((p.WORK / "never").exists())
        self.fails(3, "inspect", self.damaged("model.safetensors", lambda b: b[:-4]), says="model.safetensors")

    def test_folders_that_hold_no_model(self):
        empty = p.WORK / "empty"
        empty.mkdir(exist_ok=True)
        self.fails(3, "inspect", empty, says="neither a model")
        (empty / "some.txt").write_text("x")
        self.fails(3, "inspect", empty / "some.txt", says="expected .safetensors")

    def test_line_counts_must_match(self):
        model = self.model()
        for lines in (2, 4):
            p.write_lines(p.WORK / "companion", ["A"] * lines)
            for flag in ("--prefix", "--score"):
                self.fails(3, "predict", model, flag, p.WORK / "companion", stdin="a\nb\nc\n",
                           says=[f"{lines} lines", "standard input has 3"])
        p.write_lines(p.WORK / "ref", ["a"] * 3)
        self.fails(3, "metric", "bleu", "--ref", p.WORK / "ref", stdin="a\nb\n",
                   says=["standard input: 2 lines", "ref has 3"])
        self.fails(3, "evaluate", model, "--data", p.WORK / "ref", p.WORK / "companion", says="each line needs its partner")
        out = p.WORK / "not_written.txt"
        self.fails(3, "predict", model, "--prefix", p.WORK / "companion", "--out", out, stdin="a\n")
        self.assertFalse(out.exists())

    def test_training_data(self):
        p.write_data(p.WORK / "data")
        short = p.WORK / "short"
        shutil.copytree(p.WORK / "data", short, dirs_exist_ok=True)
        (short / "train.tgt").write_text("A\n")
        self.fails(3, "train", short / "recipe.toml", "--out", self.fresh("never"), says=["train.src", "train.tgt"])

    def test_training_data_in_another_encoding(self):
        p.write_data(p.WORK / "data")
        recipe = p.WORK / "data/recipe.toml"
        lines = "".join(f"Größe {k} läuft über\n" for k in range(200))
        for encoding, says in (("latin-1", "it looks like Latin-1"), ("utf-16", "it looks like UTF-16;"),
                               ("utf-16-be", "it looks like UTF-16, big-endian; convert it (iconv -f UTF-16BE")):
            name = f"data.{encoding}.gz"
            (p.WORK / "data" / name).write_bytes(gzip.compress(lines.encode(encoding)))
            for key, of in (("train", "200"), ("valid", "40")):
                for kind in ("bpe", "char"):
                    self.fails(3, "train", recipe, "--out", self.fresh("never"), "--quiet",
                               "--set", f"data.{key}={key}.src,{name}", "--set", "data.unequal=truncate",
                               "--set", f"tokenizer.kind={kind}", "--set", "tokenizer.size=40",
                               says=[name, "lines are not UTF-8", says, "set data.max_bad = 1"])

    def test_damaged_gzip(self):
        packed = p.WORK / "cut.gz"
        packed.write_bytes(gzip.compress(b"abc\n" * 1000)[:-10])
        self.fails(3, "predict", self.model(), "--in", packed, says="cut.gz")

    def test_text_that_is_not_utf8_cannot_be_scored(self):
        (p.WORK / "bytes").write_bytes(b"a\n\xff\n")
        self.fails(3, "metric", "bleu", "--ref", p.WORK / "bytes", "--in", p.WORK / "bytes", says="2")


class System(p.Case):  # exit code 4
    def test_missing_files(self):
        model = self.model()
        self.fails(4, "predict", p.WORK / "nowhere", says="nowhere")
        self.fails(4, "predict", model, "--in", p.WORK / "nowhere", says="nowhere")
        self.fails(4, "inspect", p.WORK / "nowhere", says="nowhere")
        self.fails(4, "train", p.WORK / "nowhere.toml", "--out", "x", says="nowhere.toml")
        self.fails(4, "metric", "bleu", "--ref", p.WORK / "nowhere", says="nowhere")
        self.fails(4, "export", p.WORK / "nowhere", "--out", "x", says="nowhere")

    def test_names_that_are_no_model_folder_say_what_they_are(self):
        empty, file, model = p.WORK / "no_model", p.WORK / "file.txt", self.model()
        empty.mkdir(exist_ok=True)
        file.write_text("x")
        advice = "give the folder that train wrote with --out"
        for name, says in ((p.WORK / "nowhere", "nowhere: no such folder; "),
                           (file, "file.txt: is a file, not a model folder; "),
                           (empty, "no_model: is no model folder: it has no config.json; ")):
            for words in (("predict", name), ("predict", model, name), ("explain", name, "--text", "a"),
                          ("evaluate", name, "--data", file, file), ("export", name, "--out", self.fresh("never"))):
                self.fails(4, *words, says=says + advice)
        self.fails(4, "predict", "", says="'': no such folder")

    def test_export_replaces_only_what_an_export_wrote_and_all_or_nothing(self):
        model = self.model()
        self.fails(4, "export", model, "--out", model, "--overwrite", says="holds a training run")
        self.assertTrue((model / "training").is_dir())
        self.fails(4, "export", model, "--out", "/proc/never/small", says="/proc/never")
        out = self.fresh("limited")
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        self.fails(4, "export", model, "--out", out, preexec_fn=limit, says="File too large")
        self.assertEqual([f for f in os.listdir(p.WORK) if "limited" in f], [])

    def test_disk_full(self):
        model = self.model()
        with open("/dev/full", "wb") as full:
            for words in (["version"], ["help"], ["predict", model], ["inspect", model]):
                self.fails(4, *words, stdin="abc\n", stdout=full, says="No space left on device")
        self.fails(4, "predict", model, "--out", "/dev/full", stdin="abc\n", says=["/dev/full", "No space left"])
        self.fails(4, "explain", model, "--text", "abc", "--out", p.WORK / "nowhere/map.html", says="nowhere")

    def test_output_file_is_whole_or_not_there(self):
        out = p.WORK / "limited.txt"
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        self.fails(4, "predict", self.model(), "--out", out, stdin="abcdef ghgh\n" * 2000, preexec_fn=limit,
                   says=["limited.txt", "File too large"])
        self.assertFalse(out.exists())
        self.assertEqual([f for f in os.listdir(p.WORK) if "limited" in f], [])

    def test_links_and_devices_stay_what_they_are(self):
        real, link = p.WORK / "real.txt", p.WORK / "link.txt"
        real.write_text("old\n")
        link.unlink(missing_ok=True)
        link.symlink_to(real)
        self.ok("predict", self.model(), "--out", link, stdin="abc\n")
        self.assertTrue(link.is_symlink())
        self.assertNotEqual(real.read_text(), "old\n")
        self.ok("predict", self.model(), "--out", "/dev/null", stdin="abc\n")
        self.assertTrue(os.stat("/dev/null").st_rdev)

    def test_training_on_a_full_disk_keeps_the_checkpoints_of_before(self):
        p.write_data(p.WORK / "data")
        words = ("train", p.WORK / "data/recipe.toml", "--quiet")
        whole, model = self.fresh("whole"), self.fresh("full_disk")
        self.ok(*words, "--out", whole)
        self.ok(*words, "--out", model, "--set", "train.max_steps=20")
        size = (model / "model.safetensors").stat().st_size
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))
        self.fails(4, *words, "--out", model, "--resume", preexec_fn=limit, says="File too large")
        self.ok(*words, "--out", model, "--resume")
        self.assertEqual(p.sha256(model / "model.safetensors"), p.sha256(whole / "model.safetensors"))


class Numbers(p.Case):  # exit codes 5 and 6
    def setUp(self):
        p.write_data(p.WORK / "data")

    def test_divergence(self):
        self.fails(5, "train", p.WORK / "data/recipe.toml", "--out", self.fresh("diverged"), "--quiet", "--set",
                   "train.optimizer.kind=sgd", "--set", "train.optimizer.lr=1000", "--set", "train.optimizer.clip=0",
                   "--set", "train.optimizer.weight_decay=1",
                   says=["step ", "not finite"])

    def test_not_enough_memory(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        self.fails(6, "train", p.WORK / "data/recipe.toml", "--out", self.fresh("too_large"), "--quiet", "--set",
                   "model.decoder.hidden=30000", preexec_fn=limit, says="not enough memory")


class Streams(p.Case):  # exit code 0 where somebody stopped reading, 130 and 143 where somebody stopped us
    def test_head_ends_quietly(self):
        text = "abcdef gh\n" * 20000
        source = p.WORK / "long.txt"
        source.write_text(text)
        with p.started("predict", self.model(), "--in", source, "--beam", "1", stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE) as child:
            self.assertTrue(child.stdout.readline())
            child.stdout.close()
            self.assertEqual(child.stderr.read(), b"")
            self.assertEqual(child.wait(60), 0)

    def test_memory_does_not_grow_with_the_input(self):
        def peak(lines):
            read, write = os.pipe()
            with p.started("predict", self.model(), "--beam", "1", stdin=read, stdout=subprocess.DEVNULL) as child:
                os.close(read)
                with os.fdopen(write, "wb") as pipe:
                    for _ in range(lines // 500):
                        pipe.write(b"abcdef gh\n" * 500)
                _, status, used = os.wait4(child.pid, 0)
                child.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual(child.returncode, 0)
            return used.ru_maxrss

        short, long = peak(5_000), peak(60_000)
        self.assertLess(long, short * 1.3 + 4096, "kB")

    def test_signals_before_training_end_at_once(self):
        p.write_data(p.WORK / "data")
        fifo = p.WORK / "data/train.fifo"
        if not fifo.exists():
            os.mkfifo(fifo)
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with p.started("train", p.WORK / "data/recipe.toml", "--out", self.fresh("waits"), "--set",
                           "data.train=train.fifo,train.tgt", stderr=subprocess.PIPE) as child:
                writer = os.open(fifo, os.O_WRONLY)  # returns when the program reads
                child.send_signal(number)
                self.assertEqual(child.wait(10), code)
                os.close(writer)


if __name__ == "__main__":
    p.main()
