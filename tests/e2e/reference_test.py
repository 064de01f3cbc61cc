#!/usr/bin/env python3
"""docs/reference.md is what the program says about itself."""
import pathlib

import program as p


class Reference(p.Case):
    def test_page_in_docs_is_current(self):
        page = pathlib.Path(__file__).resolve().parents[2] / "docs/reference.md"
        self.maxDiff = None
        self.assertEqual(page.read_text(), self.ok("help", "--markdown").stdout.decode(),
                         "run: lookback help --markdown > docs/reference.md")


if __name__ == "__main__":
    p.main()
