#!/usr/bin/env python3
"""Word vectors of a text, as a user makes them and looks at them."""
import gzip
import json
import os
import random
import signal
import struct
import subprocess

import program as p


def text(sentences=3000, seed=5):
    """Five topics of eight words; a sentence has words of one topic. `glad` and `happy` stand in the first, never together."""
    rng = random.Random(seed)
    lines = []
    for _ in range(sentences):
        topic = rng.randrange(5)
        words = [f"Topic{topic}_{rng.randrange(8)}" for _ in range(7)]
        if topic == 0:
            words[rng.randrange(7)] = rng.choice(["glad", "happy"])
        lines.append(" ".join(words))
    return lines


def read_vec(path):
    """Word -> its values, of a text file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    count, width = map(int, lines[0].split())
    rows = {line.split(" ")[0]: [float(x) for x in line.split(" ")[1:]] for line in lines[1:]}
    assert len(rows) == count and all(len(row) == width for row in rows.values())
    return rows


class Vectors(p.Case):
    FLAGS = ("--dim", "24", "--epochs", "4", "--lr", "0.05", "--sample", "0")

    def text(self):
        path = p.WORK / "text.txt"
        if not path.exists():
            p.write_lines(path, text())
        return path

    def made(self, *flags, name="words.vec"):
        out = p.WORK / name
        self.ok("vectors", self.text(), "--out", out, *self.FLAGS, *flags, "--quiet")
        return out

    def test_neighbours(self):
        out = self.made()
        done = self.ok("inspect", out, "--near", "glad", "--n", "3").stdout.decode()
        self.assertRegex(done, r"\A0\.\d{4}  happy\n0\.\d{4}  Topic0_\d\n0\.\d{4}  Topic0_\d\n\Z")
        said = json.loads(self.ok("inspect", out, "--near", "Topic3_1", "--n", "7", "--format", "json").stdout)
        self.assertEqual({w["word"] for w in said["neighbours"]}, {f"Topic3_{k}" for k in range(8) if k != 1})
        cosines = [w["cosine"] for w in said["neighbours"]]
        self.assertEqual(cosines, sorted(cosines, reverse=True))
        said = json.loads(self.ok("inspect", out, "--format", "json").stdout)
        self.assertEqual((said["words"], said["dimension"], said["format"]), (42, 24, "word2vec text"))
        self.fails(2, "inspect", out, "--near", "hapy", says=["no vector for 'hapy'", "'happy'?"])
        self.fails(2, "inspect", self.text().with_suffix(".toml"), "--near", "glad", says="--near goes with a file of word vectors")
        self.fails(2, "inspect", p.WORK, "--near", "glad", says="--near goes with a file of word vectors")
        self.fails(3, "inspect", self.text(), "--near", "glad", says="text.txt")
        self.fails(4, "inspect", p.WORK / "none.vec", "--near", "glad", says="none.vec")

    def test_files_of_both_formats_hold_the_same(self):
        rows = read_vec(self.made("--context", p.WORK / "context.vec"))
        contexts = read_vec(p.WORK / "context.vec")
        self.assertEqual(list(rows), list(contexts))
        self.assertNotEqual(rows, contexts)
        data = self.made(name="words.bin").read_bytes()
        head, data = data.split(b"\n", 1)
        self.assertEqual(head, b"42 24")
        for word, row in rows.items():
            name, data = data.split(b" ", 1)
            self.assertEqual(name.decode(), word)
            self.assertEqual(list(struct.unpack("<24f", data[:96])), [struct.unpack("f", struct.pack("f", x))[0] for x in row])
            data = data[97:]
        self.assertEqual(data, b"")
        packed = p.WORK / "words.vec.gz"
        packed.write_bytes(gzip.compress((p.WORK / "words.vec").read_bytes()))
        near = [self.ok("inspect", p.WORK / name, "--near", "happy").stdout for name in ("words.vec", "words.bin", "words.vec.gz")]
        self.assertEqual(near, near[:1] * 3)
        counts = {}
        for line in text():
            for word in line.split():
                counts[word] = counts.get(word, 0) + 1
        self.assertEqual([counts[w] for w in rows], sorted(counts.values(), reverse=True))

    def test_bits_depend_on_the_seed_and_nothing_else(self):
        packed = p.WORK / "text.gz"
        packed.write_bytes(gzip.compress(self.text().read_bytes()))
        for more in ((), ("--subwords",)):
            one = self.made("--threads", "1", *more).read_bytes()
            self.assertEqual(one, self.made("--threads", "3", *more).read_bytes())
            self.ok("vectors", packed, "--out", p.WORK / "packed.vec", *self.FLAGS, *more, "--threads", "2", "--quiet")
            self.assertEqual(one, (p.WORK / "packed.vec").read_bytes())
            done = self.ok("vectors", "-", "--out", "-", *self.FLAGS, *more, "--quiet", stdin=self.text().read_bytes())
            self.assertEqual(one, done.stdout)
            self.assertNotEqual(one, self.made("--seed", "2", *more).read_bytes())

    def test_rungs_have_the_same_bits(self):
        one = self.made("--subwords").read_bytes()
        if b"avx2" not in self.ok("version").stdout:
            self.skipTest("this processor has no avx2")
        self.assertEqual(one, self.made("--subwords", "--cpu", "avx2").read_bytes())

    def test_options_reach_the_text(self):
        lower = read_vec(self.made("--lowercase", "--min-count", "400"))
        self.assertTrue(all(word.islower() and word.startswith("topic") for word in lower))
        self.assertLess(len(lower), 42)
        both = p.WORK / "both.vec"
        self.ok("vectors", self.text(), self.text(), "--out", both, "--dim", "8", "--epochs", "1", "--quiet")
        self.assertEqual(len(read_vec(both)), 42)

    def test_talk(self):
        done = self.ok("vectors", self.text(), "--out", p.WORK / "talk.vec", "--epochs", "1")
        self.assertEqual(done.stdout, b"")
        self.assertRegex(done.stderr.decode(), r"(?m)^21,000 words, 42 different ones; 42 are there 5 times or more, in 21,000 places\n")
        self.assertRegex(done.stderr.decode(), r"(?m)^42 vectors of 100 values after 1 epochs, ")
        done = self.ok("vectors", self.text(), "--out", p.WORK / "talk.vec", "--log-format", "json")
        self.assertTrue(all(json.loads(line) for line in done.stderr.splitlines()))

    def test_errors(self):
        out, place = p.WORK / "never.vec", p.WORK / "texts"
        place.mkdir(exist_ok=True)
        for name, words in {"empty": "", "rare": "a b c d\n", "one": "a a a a a a\n", "alone": "a\nb\n" * 6}.items():
            (place / name).write_text(words)
        self.fails(3, "vectors", place / "empty", "--out", out, says=["empty: no words in it"])
        self.fails(2, "vectors", place / "rare", "--out", out, says=["rare: no word is there 5 times", "min_count"])
        self.fails(3, "vectors", place / "one", "--out", out, says="one word")
        self.fails(3, "vectors", place / "alone", "--out", out, says="no line of the text has two words")
        self.fails(4, "vectors", place / "none", "--out", out, says="none: ")
        self.fails(4, "vectors", self.text(), "--out", p.WORK / "no/where.vec", says=["no: cannot", "No such file or directory"])
        self.fails(4, "vectors", self.text(), "--out", place, says="is a folder")
        self.fails(2, "vectors", self.text(), says="--out FILE is missing")
        self.fails(2, "vectors", "--out", out, says="TEXT")
        self.fails(2, "vectors", self.text(), "--out", out, "--dim", "0", says=["--dim", "1"])
        self.fails(2, "vectors", self.text(), "--out", out, "--window", "1000", says="--window")
        self.fails(2, "vectors", self.text(), "--out", out, "--subwords", "--min-n", "5", "--max-n", "4", says=["min_n", "max_n"])
        self.fails(2, "vectors", self.text(), "--out", out, "--context", out, says="name the same file")
        self.fails(2, "vectors", self.text(), "--out", f"{out}.gz", says="compressed")
        self.assertFalse(out.exists())
        with open("/dev/full", "wb") as full:
            self.fails(4, "vectors", self.text(), "--out", "-", stdout=full, says="No space left on device")

    def test_interrupted_training_leaves_nothing(self):
        place = self.fresh("interrupted")
        place.mkdir()
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with p.started("vectors", self.text(), "--out", place / "words.vec", "--epochs", "100000",
                           stderr=subprocess.PIPE) as child:
                while b"epoch" not in child.stderr.readline():
                    pass
                child.send_signal(number)
                self.assertEqual(child.wait(20), code)
                self.assertIn(b"nothing was written", child.stderr.read())
            self.assertEqual(os.listdir(place), [])


if __name__ == "__main__":
    p.main()
