#!/usr/bin/env python3
"""The guard of the bench fails when, and only when, a step costs more than its limit."""
import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import check

MADE_BY = {"compiler": "GCC 12.2.0", "Highway": "1.0.3"}

# Two callers of malloc, one of them through operator new; the second time a name is its number.
CALLGRIND = """version: 1
events: Ir
fl=(1) bench.cpp
fn=(1) main
10 5
cfn=(2) operator new(unsigned long)
calls=4 0
10 80
fn=(2)
20 8
cfn=(3) malloc
calls=4 0
20 40
fn=(4) lookback::Storage'2
cfn=(3)
calls=3 0
30 30
totals: 163
"""


class Counts(unittest.TestCase):
    def test_allocations_are_calls_of_malloc_from_everywhere(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "callgrind"
            path.write_text(CALLGRIND)
            self.assertEqual(check.read_counts(path), {"instructions": 163, "allocations": 7})


class Guard(unittest.TestCase):
    def run_check(self, instructions, allocations, made_by=MADE_BY, *flags):
        """Exit code and talk where every work costs this and the limits are 1,000 and 10."""
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            limits = pathlib.Path(folder) / "limits.json"
            limit = {"instructions": 1000, "allocations": 10}
            limits.write_text(json.dumps({"toolchain": MADE_BY, "tolerance": 0.02,
                                          "limits": {name: limit for name in check.WORKS}}))
            counts = {"instructions": instructions, "allocations": allocations}
            stack.enter_context(mock.patch.object(check, "step", lambda program, work: dict(counts)))
            stack.enter_context(mock.patch.object(check, "toolchain", lambda program: made_by))
            stack.enter_context(mock.patch.object(sys, "argv", ["check.py", "--limits", str(limits), *flags]))
            stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
            talk = stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
            return check.main(), talk.getvalue(), json.loads(limits.read_text())

    def test_at_the_limit_and_within_the_tolerance_it_passes(self):
        self.assertEqual(self.run_check(1000, 10)[:2], (0, ""))
        self.assertEqual(self.run_check(1020, 10)[:2], (0, ""))

    def test_more_instructions_than_the_tolerance_fail_for_every_work(self):
        code, talk, _ = self.run_check(1021, 10)
        self.assertEqual(code, 1)
        for name in check.WORKS:
            self.assertIn(f"{name}: 1,021 instructions a step, limit 1,000 (+2.1%)", talk)

    def test_one_more_allocation_fails(self):
        code, talk, _ = self.run_check(1000, 11)
        self.assertEqual(code, 1)
        self.assertIn("11 allocations a step, limit 10", talk)

    def test_much_less_passes_and_is_told(self):
        code, talk, _ = self.run_check(900, 10)
        self.assertEqual(code, 0)
        self.assertIn("--update", talk)

    def test_another_compiler_is_held_to_nothing_and_says_so(self):
        code, talk, _ = self.run_check(5000, 99, MADE_BY | {"compiler": "GCC 13.2.0"})
        self.assertEqual(code, 0)
        self.assertIn("not held to the limits", talk)

    def test_a_work_without_a_limit_fails(self):
        lines, code = check.judge({"new": {"instructions": 1, "allocations": 1}},
                                  {"toolchain": MADE_BY, "tolerance": 0.02, "limits": {}}, MADE_BY)
        self.assertEqual(code, 1)
        self.assertIn("no limit", lines[0])

    def test_update_writes_what_was_counted(self):
        code, _, written = self.run_check(5000, 99, MADE_BY, "--update")
        self.assertEqual(code, 0)
        self.assertEqual(written["limits"]["train"], {"instructions": 5000, "allocations": 99})


if __name__ == "__main__":
    unittest.main()
