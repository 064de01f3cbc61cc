#!/usr/bin/env python3
"""The table of layers: a row for each length, what one takes of the other, how both grow."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import layers


def measured(name, threads, steps, seconds, mib):
    return {"name": name, "threads": threads, "steps": steps, "batch": 8, "seconds": seconds, "mib": mib}


DONE = [measured("BiLSTM", 1, 16, 0.02, 40), measured("self-attention", 1, 16, 0.01, 30),
        measured("BiLSTM", 1, 256, 0.4, 400), measured("self-attention", 1, 256, 0.5, 90),
        measured("BiLSTM", 2, 16, 0.01, 41), measured("self-attention", 2, 16, 0.008, 30),
        measured("BiLSTM", 2, 256, 0.2, 401), measured("self-attention", 2, 256, 0.25, 90)]


class Table(unittest.TestCase):
    def test_a_row_for_each_length_and_one_for_growth(self):
        lines = layers.table(DONE)
        self.assertEqual(len(lines), 5)
        self.assertEqual(len({line.count("|") for line in lines}), 1)
        self.assertEqual(lines[2], "| 16 | 20.0 | 10.0 | 0.50 | 10.0 | 8.0 | 0.80 | 41 | 30 |")
        self.assertEqual(lines[4], "| 256 over 16 | x 20.0 | x 50.0 |  | x 20.0 | x 31.2 |  | x 9.8 | x 3.0 |")

    def test_without_a_sixteenth_nothing_is_said_of_growth(self):
        lines = layers.table([r for r in DONE if r["steps"] == 256 and r["threads"] == 1])
        self.assertEqual(lines[2:], ["| 256 | 400.0 | 500.0 | 1.25 | 400 | 90 |"])


if __name__ == "__main__":
    unittest.main()
