#!/usr/bin/env python3
"""Rows of the bench as a section of a page, which replaces the one of the same machine."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import page


def row(name, ours, peer):
    return {"name": name, "unit": "tokens/s", "cpu": "A", "ours": ours, "ours_name": "lookback", "peer": peer,
            "peer_name": "PyTorch", "ratio": ours / peer, "ratio_min": 0.9, "ratio_max": 2.0}


ROWS = [row("train_f32", 300.0, 150.0), row("train_f32_1t", 200.0, 120.0), row("greedy", 10.0, 5.0),
        {"name": "train_bf16", "unit": "tokens/s", "cpu": "A", "skipped": "no AMX"},
        {"name": "train_bf16_1t", "unit": "tokens/s", "cpu": "A", "skipped": "no AMX"}]


class Section(unittest.TestCase):
    def test_rows_skipped_rows_and_scaling(self):
        text = page.section(ROWS, 7, "A", 2)
        self.assertIn("## A, 2 threads\n", text)
        self.assertIn("| train_f32 | 300.0 (lookback) | 150.0 (PyTorch) | tokens/s | 2.00 (0.90 to 2.00) |", text)
        self.assertIn("| train_bf16 | | | | skipped: no AMX |", text)
        self.assertIn("| train_f32 | 200.0 | 300.0 | 1.50 | 120.0 | 150.0 | 1.25 |", text)
        self.assertEqual(text.count("scaling"), 2)

    def test_without_rows_of_one_thread_there_is_no_table_of_threads(self):
        self.assertNotIn("scaling", page.section(ROWS[2:], 7, "A", 2))

    def test_a_section_replaces_that_of_the_same_machine_only(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "page.md"
            for cpu, rounds in (("A", 1), ("B", 2), ("A", 3)):
                page.write_section(path, page.section(ROWS, rounds, cpu, 2))
            text = path.read_text()
        self.assertEqual((text.count("## A,"), text.count("## B,")), (1, 1))
        self.assertIn("--rounds 3", text)
        self.assertNotIn("--rounds 1", text)


if __name__ == "__main__":
    unittest.main()
