#!/usr/bin/env python3
"""The demo learns what it promises, and what it suggests works."""
import re
import shlex

import program as p


class Demo(p.Case):
    def test_demo_reaches_99_percent_and_its_suggestions_run(self):
        folder = p.WORK / "demo"
        done = self.ok("demo", "--out", folder, timeout=300, env={"OMP_NUM_THREADS": "2"})
        page = done.stdout.decode()
        accuracy = float(re.search(r"exact match: ([\d.]+) %", page)[1])
        self.assertGreaterEqual(accuracy, 99.0)
        self.assertIn("<html", (folder / "alignment.html").read_text())
        test = (folder / "data/test.human").read_text().splitlines()
        trained_on = set((folder / "data/train.iso").read_text().splitlines())
        self.assertEqual(len(test), 1000)
        self.assertFalse(trained_on & set((folder / "data/test.iso").read_text().splitlines()))

        suggestions = [line.strip() for line in page[page.index("What to try next") :].splitlines()[1:]]
        self.assertEqual(len(suggestions), 5)
        for line in suggestions:
            stdin = ""
            if "|" in line:
                said, line = line.split("|")
                stdin = shlex.split(said)[1] + "\n"
            words = shlex.split(line)[1:]
            if words[0] == "train":
                words += ["--set", "train.max_steps=5", "--quiet"]
            out = self.ok(*words, stdin=stdin, cwd=p.WORK).stdout.decode()
            if words[0] == "predict":
                self.assertEqual(out, "1990-10-03\n")

    def test_folder_with_something_else_is_left_alone(self):
        folder = p.WORK / "precious"
        folder.mkdir()
        (folder / "recipe.toml").write_text("mine")
        self.fails(2, "demo", "--out", folder, says="recipe.toml: exists and is not the demo's")
        self.assertEqual((folder / "recipe.toml").read_text(), "mine")


if __name__ == "__main__":
    p.main()
