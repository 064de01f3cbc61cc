#!/usr/bin/env python3
"""The shortest schedule that reaches a score: tried from short to long, and not a run longer than needed."""
import contextlib
import io
import pathlib
import sys
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import minutes

SCORES = {3: 30.5, 4: 35.99, 5: 36.0, 6: 37.0}


class Shortest(unittest.TestCase):
    def measure(self, goal, schedule=(6, 5, 4, 3)):
        run = lambda program, recipe, data, m, folder: {"minutes": m, "bleu": SCORES[m], "seconds": 60 * m}
        with mock.patch.object(minutes, "trained", run), contextlib.redirect_stderr(io.StringIO()):
            return minutes.measure("lookback", "data", schedule, goal)

    def test_the_first_that_reaches_the_goal_is_the_answer(self):
        row = self.measure(36)
        self.assertEqual((row["ours"], row["ratio"], row["peer_name"]), (5, 5, "-"))
        self.assertEqual([r["minutes"] for r in row["runs"]], [3, 4, 5])

    def test_a_goal_out_of_reach_is_skipped_with_the_best(self):
        row = self.measure(50)
        self.assertIn("no schedule up to 6 minutes reached 50 BLEU; the best was 37.00 after 6", row["skipped"])
        self.assertEqual(len(row["runs"]), 4)
        self.assertNotIn("ours", row)


if __name__ == "__main__":
    unittest.main()
