#!/usr/bin/env python3
"""A run that was stopped at any step, in any way, ends with the bits of one that never stopped."""
import pathlib
import random
import re
import shutil
import signal
import time

import program as p

# Epochs are 13 steps, validations come every 20.
LIMITS = (1, 2, 7, 12, 13, 14, 19, 20, 21, 33, 39, 40, 41, 59)
SIGNALS = (3, 11, 13, 24, 38, 52)
KILLS = (2, 9, 20, 27, 45, 58)


class Resume(p.Case):
    @classmethod
    def setUpClass(cls):
        p.write_data(p.WORK / "data")
        cls.words = ("train", p.WORK / "data/recipe.toml", "--quiet")
        cls.whole = p.WORK / "whole"
        assert p.run(*cls.words, "--out", cls.whole).returncode == 0
        cls.digest, cls.log = p.sha256(cls.whole / "model.safetensors"), p.log_of(cls.whole)
        assert [e["step"] for e in cls.log if e["event"] == "train"] == list(range(1, 61))

    def same(self, model):
        self.assertEqual(p.log_of(model), self.log)
        self.assertEqual(p.sha256(model / "model.safetensors"), self.digest)

    def stop_after(self, model, step, number, *more):
        """Starts or resumes a run and sends a signal once `step` is in the log; its exit code."""
        log = model / "training/log.jsonl"
        with p.started(*self.words, "--out", model, *more) as child:
            begin = time.monotonic()
            while child.poll() is None and time.monotonic() - begin < 60:
                if log.exists() and re.search(rb'"step": ?%d\b' % step, log.read_bytes()):
                    child.send_signal(number)
                    break
                time.sleep(0.001)
            return child.wait(60)

    def test_the_same_run_twice_is_the_same(self):
        model = self.fresh("again")
        self.ok(*self.words, "--out", model)
        self.same(model)

    def test_stopped_by_a_limit(self):
        for n in LIMITS:
            with self.subTest(steps=n):
                model = self.fresh("limit")
                self.ok(*self.words, "--out", model, "--set", f"train.max_steps={n}")
                self.ok(*self.words, "--out", model, "--resume")
                self.same(model)

    def test_stopped_by_a_signal_saves_and_says_so(self):
        stopped = 0
        for n, number in zip(SIGNALS, (signal.SIGTERM, signal.SIGINT) * 3):
            with self.subTest(after=n, signal=number):
                model = self.fresh("signal")
                code = self.stop_after(model, n, number)
                self.assertIn(code, (0, 128 + number))  # 0: it was faster than the signal
                if code != 0:
                    stopped += 1
                    saved = max(int(f.name.split("-")[1]) for f in (model / "training").glob("checkpoint-*"))
                    self.assertGreaterEqual(saved, n)
                    self.assertTrue((model / "model.safetensors").exists())
                self.ok(*self.words, "--out", model, "--resume")
                self.same(model)
        self.assertGreater(stopped, len(SIGNALS) // 2)

    def test_killed(self):
        killed = 0
        for n in KILLS:
            with self.subTest(after=n):
                model = self.fresh("kill")
                killed += self.stop_after(model, n, signal.SIGKILL) == -signal.SIGKILL
                self.ok(*self.words, "--out", model, "--resume")
                self.same(model)
        self.assertGreater(killed, len(KILLS) // 2)

    def test_killed_ten_times_while_saving_at_every_step(self):
        rng = random.Random(1)
        words = (*self.words, "--set", "train.save_every=1")
        whole, model = self.fresh("saves"), self.fresh("killed_saves")
        begin = time.monotonic()
        self.ok(*words, "--out", whole)
        span = time.monotonic() - begin
        self.assertEqual(p.sha256(whole / "model.safetensors"), self.digest)
        for _ in range(10):
            with p.started(*words, "--out", model, "--resume") as child:
                time.sleep(rng.uniform(0.05, 0.05 + span / 3))
                child.kill()
            self.assertIn(child.returncode, (-signal.SIGKILL, 0))
        self.ok(*words, "--out", model, "--resume")
        self.same(model)
        self.assertEqual([f.name for f in (model / "training").iterdir() if f.name.startswith(".")], [])

    def test_the_second_signal_ends_at_once(self):
        model = self.fresh("impatient")
        slow = ("--set", "model.decoder.hidden=1500", "--set", "train.accumulate=13", "--set", "train.max_steps=1000",
                "--set", "model.init.kind=uniform", "--threads", "2")
        with p.started(*self.words, "--out", model, *slow) as child:
            while not (model / "training/checkpoint-0").exists():
                time.sleep(0.005)
            time.sleep(0.3)
            # A handler on top of a kernel made at run time destroyed memory: only the thread that waits for
            # signals may get them.
            masks = [int(re.search(r"SigBlk:\s*(\w+)", status.read_text())[1], 16)
                     for status in pathlib.Path(f"/proc/{child.pid}/task").glob("*/status")]
            child.send_signal(signal.SIGTERM)
            time.sleep(0.05)
            begin = time.monotonic()
            child.send_signal(signal.SIGTERM)
            code, seconds = child.wait(60), time.monotonic() - begin
        self.assertEqual(code, 143)
        self.assertLess(seconds, 1.0)
        for number in (signal.SIGINT, signal.SIGTERM):
            self.assertEqual(sum(not mask >> (number - 1) & 1 for mask in masks), 1, (number, masks))
        self.assertGreater(len(masks), 2)

    def test_a_resumed_run_takes_no_other_options(self):
        model = self.fresh("other_seed")
        self.ok(*self.words, "--out", model, "--set", "train.max_steps=20")
        before = {path: p.sha256(path) for path in model.rglob("*") if path.is_file()}
        self.fails(2, *self.words, "--out", model, "--resume", "--seed", "9", says=["seed", "started with"])
        changes = {"tokenizer.kind": '"word" (was "char")', "loss.smoothing": "0.0 (was ", "train.batch": "200 (was 16)",
                   "model.dropout": "0.5 (was 0.1)"}
        values = {"tokenizer.kind": "word", "loss.smoothing": "0", "train.batch": "200", "model.dropout": "0.5"}
        self.fails(2, *self.words, "--out", model, "--resume",
                   *(word for key, value in values.items() for word in ("--set", f"{key}={value}")),
                   says=[f"{key} = {value}" for key, value in changes.items()])
        self.fails(2, *self.words, "--out", model, "--resume", "--set", "data.train=valid.src,valid.tgt",
                   says="data.train's SHA-256")
        self.assertEqual(before, {path: p.sha256(path) for path in model.rglob("*") if path.is_file()})
        shutil.rmtree(model / "training" / "checkpoint-20")
        self.ok(*self.words, "--out", model, "--resume")
        self.same(model)


if __name__ == "__main__":
    p.main()
