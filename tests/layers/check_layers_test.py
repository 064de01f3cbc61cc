#!/usr/bin/env python3
"""tools/check_layers.py must accept a clean tree and name file:line of every kind of violation."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "check_layers.py"
CLEAN = {
    "CMakeLists.txt": "lookback_layer(base)\nlookback_layer(tensor PUBLIC base)\nlookback_layer(data PUBLIC tensor)\n",
    "lookback/base/README.md": "# base\n", "lookback/tensor/README.md": "# tensor\n", "lookback/data/README.md": "# data\n",
    "lookback/base/error.h": "#pragma once\n#include <string>\n",
    "lookback/tensor/shape.h": '#pragma once\n#include "lookback/base/error.h"\n',
    "lookback/data/vocab.cpp": '#include "lookback/base/error.h"\n#include "lookback/tensor/shape.h"\n',
}


def run(changes):
    """The tool's exit status and complaints over CLEAN with some files changed; None removes one."""
    with tempfile.TemporaryDirectory() as root:
        for name, content in (CLEAN | changes).items():
            if content is not None:
                path = pathlib.Path(root, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
        done = subprocess.run([sys.executable, str(TOOL), root], capture_output=True, text=True)
        return done.returncode, done.stderr


class CheckLayers(unittest.TestCase):
    def complains(self, changes, message):
        status, errors = run(changes)
        self.assertEqual(status, 1, errors)
        self.assertIn(message, errors)
        self.assertEqual(len(errors.splitlines()), 1, errors)

    def test_clean_tree_passes(self):
        self.assertEqual(run({}), (0, ""))

    def test_no_transcendental_of_the_c_library_but_in_tests(self):
        line = "double f(double x) { return std::exp(x); }\n"
        self.complains({"lookback/data/f.cpp": "\n" + line}, "lookback/data/f.cpp:2: std::exp(...) is the C library's")
        self.assertEqual(run({"lookback/data/f_test.cpp": line, "lookback/data/fakes.h": "// For tests\n" + line}), (0, ""))

    def test_slow_headers_stay_where_they_are(self):
        for line in ('#include <nlohmann/json.hpp>\n', '#include "nlohmann/json.hpp"\n'):
            self.complains({"lookback/data/f.cpp": line}, "lookback/data/f.cpp:1: nlohmann/json.hpp is slow to compile")
            self.assertEqual(run({"lookback/data/word_tokenizer.cpp": line, "lookback/data/f_test.cpp": line}), (0, ""))

    def test_what_is_private_is_included_by_its_own_layer_alone(self):
        private = {"lookback/tensor/inner.h": "// Private to tensor: it.\n#pragma once\n"}
        line = '#include "lookback/tensor/inner.h"\n'
        self.assertEqual(run(private | {"lookback/tensor/a.cpp": line, "lookback/data/a_test.cpp": line}), (0, ""))
        self.complains(private | {"lookback/data/a.cpp": line}, "lookback/data/a.cpp:1: lookback/tensor/inner.h is private to tensor")
        self.complains(private | {"lookback/tensor/a.h": "#pragma once\n" + line},
                       "lookback/tensor/a.h:2: lookback/tensor/inner.h is not installed, and this header is")
        self.complains({"lookback/tensor/a.h": "// A thing. Private to tensor.\n#pragma once\n"}, "lookback/tensor/a.h:1: a header")

    def test_words_that_have_another_name_here(self):
        self.complains({"lookback/data/f.cpp": "\nint teach();\n"}, "lookback/data/f.cpp:2: 'teach' is called teacher_force")
        self.assertEqual(run({"lookback/data/f.cpp": 'int x;  // teach\nconst char* y = "teach";\n'}), (0, ""))

    def test_upward_include(self):
        self.complains({"lookback/base/error.h": '#pragma once\n\n#include "lookback/tensor/shape.h"\n'},
                       "lookback/base/error.h:3: base may not include tensor")

    def test_include_in_subfolder(self):
        self.complains({"lookback/tensor/deep/a.h": '  #  include "lookback/data/vocab.h"\n'},
                       "lookback/tensor/deep/a.h:1: tensor may not include data")

    def test_include_without_layer(self):
        self.complains({"lookback/data/vocab.cpp": '#include "../base/error.h"\n'}, "lookback/data/vocab.cpp:1: write")

    def test_readme_missing(self):
        self.complains({"lookback/data/README.md": None}, "lookback/data/README.md:1: missing")

    def test_readme_too_long(self):
        self.complains({"lookback/data/README.md": "line\n" * 11}, "lookback/data/README.md:11: longer")

    def test_unknown_layer(self):
        self.complains({"CMakeLists.txt": CLEAN["CMakeLists.txt"] + "lookback_layer(misc)\n",
                        "lookback/misc/README.md": "# misc\n", "lookback/misc/a.h": "\n"}, "lookback/misc:1: 'misc' is not")

    def test_cmake_links_too_much(self):
        self.complains({"CMakeLists.txt": CLEAN["CMakeLists.txt"].replace("tensor PUBLIC base", "tensor PUBLIC base data")},
                       "CMakeLists.txt:2: tensor may not link data")

    def test_cmake_links_too_little(self):
        self.complains({"CMakeLists.txt": CLEAN["CMakeLists.txt"].replace("tensor PUBLIC base", "tensor")
                        .replace("data PUBLIC tensor", "data PUBLIC base tensor")},
                       "lookback/tensor/shape.h:2: tensor includes base but CMakeLists.txt does not link it")

    def test_cmake_misses_layer(self):
        self.complains({"CMakeLists.txt": CLEAN["CMakeLists.txt"].replace("lookback_layer(data PUBLIC tensor)\n", ""),
                        "lookback/data/vocab.cpp": "\n"}, "lookback/data:1: CMakeLists.txt has no lookback_layer(data")


if __name__ == "__main__":
    unittest.main()
