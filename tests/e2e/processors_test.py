#!/usr/bin/env python3
"""The same bits on another processor, which qemu plays: `processors_test.py "QEMU ... PROGRAM" PROGRAM`."""
import shlex
import sys

import program as p

OTHER = shlex.split(sys.argv.pop(1))


class Processors(p.Case):
    def test_weights_and_outputs_in_f32_are_the_same_bits(self):
        for score in ("general", "additive"):
            here = self.results_of_sixty_steps(f"{score}-here", score)
            there = self.results_of_sixty_steps(f"{score}-there", score, program=OTHER)
            for what, got, wanted in zip(("weights", "log", "outputs"), there, here):
                self.assertEqual(got, wanted, f"{what}, {score}")


if __name__ == "__main__":
    p.main()
