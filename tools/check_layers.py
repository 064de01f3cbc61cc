#!/usr/bin/env python3
"""Holds the house up: who may include whom. Usage: check_layers.py [ROOT]

Prints file:line for every #include that crosses a wall or takes what is private
to another layer, for every header that is slow to compile and included where it
was not before, for every call of a function of the C library whose bits depend
on the processor, for every name of tools/words.txt, for every layer without a
short README.md, and for every line of CMakeLists.txt that disagrees.
"""
import os
import pathlib
import re
import sys

BELOW_TASKS = "base tensor autograd ops nn data io decode viz metrics sound picture models train"
MAY_SEE = {layer: set(names.split()) for layer, names in {
    "base": "", "tensor": "base", "kernels": "base", "autograd": "base tensor",
    "ops": "base tensor kernels autograd", "nn": "base tensor autograd ops",
    "data": "base tensor", "io": "base tensor", "decode": "base tensor", "viz": "base tensor", "metrics": "base tensor",
    "sound": "base tensor io", "picture": "base tensor io",
    "models": "base tensor autograd ops nn data decode", "train": "base tensor autograd ops nn data io",
    "tasks": BELOW_TASKS, "bench": BELOW_TASKS + " tasks", "cli": "base io viz metrics sound picture tasks bench",
}.items()}
README_LINES = 10
NEVER_INSTALLED = {"kernels", "bench", "cli"}
# Each costs every file that includes it a second or more. A new place is a line here, with docs/build.md in mind.
HEAVY = {header: tuple(places.split()) for header, places in {
    "nlohmann/": "cli/inspect.h data/json_line.cpp data/squad_file.cpp data/word_tokenizer.cpp io/json.cpp io/json_events.cpp viz/json.cpp",
    "toml++/": "io/toml.cpp",
    "hwy/": "kernels/cpu/ base/rung decode/row_scan.cpp sound/fft.cpp sound/window_rows.cpp train/update_rules.cpp cli/version.cpp",
    "sentencepiece_": "data/spm_tokenizer.cpp",
    "pango/": "viz/png.cpp",
}.items()}
# Other code on each kind of processor; lookback/base/elementary.h has what gives the same bits everywhere.
LIBM = re.compile(r"\bstd::(exp|exp2|expm1|log|log2|log10|log1p|pow|sin|cos|tan|tanh|sinh|cosh|atan2?|cbrt|erfc?|lgamma|hypot)f?\(")


# The first words of a header that is not installed (cmake/Install.cmake).
NOT_INSTALLED = re.compile(r"// (Private to (\w+)(?: and (\w+))?|For tests)")
STRINGS_AND_COMMENTS = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*')


def banned_words():
    """Identifier -> what is written instead."""
    lines = (pathlib.Path(__file__).parent / "words.txt").read_text().splitlines()
    return dict(line.split(None, 1) for line in lines if line and not line.startswith("#"))


def check_words(file, text, banned, errors):
    code = STRINGS_AND_COMMENTS.sub("", text)
    for number, line in enumerate(code.splitlines(), 1):
        for word in re.findall(r"\w+", line):
            if word in banned:
                errors.append(f"{file}:{number}: '{word}' is called {banned[word]} here; see tools/words.txt")


def check_private(file, number, included, errors):
    """Nothing private is included by another layer, or by a header that is installed."""
    header = pathlib.Path(included)
    found = NOT_INSTALLED.match(header.read_text()) if header.is_file() else None
    if not found or NOT_INSTALLED.match(file.read_text()) or file.stem.endswith("_test"):
        return
    if found[2] and file.parts[1] not in found.groups()[1:]:
        errors.append(f"{file}:{number}: {included} is private to {found[2]}")
    elif file.suffix == ".h" and file.parts[1] not in NEVER_INSTALLED:
        errors.append(f"{file}:{number}: {included} is not installed, and this header is")


def linked_layers(cmake, errors):
    """Layer -> every layer its lookback_layer line links, directly or through PUBLIC ones."""
    direct, public = {}, {}
    for number, line in enumerate(cmake.read_text().splitlines(), 1):
        if not (found := re.match(r"\s*lookback_layer\((\w+)(.*)\)", line)):
            continue
        layer, words = found[1], found[2].partition("PRIVATE")
        direct[layer] = {w for w in found[2].split() if w in MAY_SEE}
        public[layer] = {w for w in words[0].split() if w in MAY_SEE}
        for dep in sorted(direct[layer] - MAY_SEE.get(layer, set())):
            errors.append(f"{cmake}:{number}: {layer} may not link {dep}")
    for layer in direct:
        pending = list(direct[layer])
        while pending:
            new = public.get(pending.pop(), set()) - direct[layer]
            direct[layer] |= new
            pending += new
    return direct


def check_layer(folder, linked, banned, errors):
    layer, readme = folder.name, folder / "README.md"
    files = sorted(f for f in folder.rglob("*") if f.suffix in {".h", ".cpp", ".cu", ".cuh", ".inc"})
    if files and layer not in MAY_SEE:
        errors.append(f"{folder}:1: '{layer}' is not a layer that tools/check_layers.py knows")
    if files and layer not in linked:
        errors.append(f"{folder}:1: CMakeLists.txt has no lookback_layer({layer} ...)")
    if files and not readme.is_file():
        errors.append(f"{readme}:1: missing; say what lives here, what it may include, how to add one")
    elif files and len(readme.read_text().splitlines()) > README_LINES:
        errors.append(f"{readme}:{README_LINES + 1}: longer than {README_LINES} lines")
    for file in files:
        text = file.read_text()
        check_words(file, text, banned, errors)
        if file.suffix == ".h" and re.search(r"^//.*\bprivate to", text, re.M | re.I) and not NOT_INSTALLED.match(text):
            errors.append(f"{file}:1: a header that is private begins with '// Private to'")
        only_checks = file.stem.endswith("_test") or "ref" in file.parts or text.startswith("// For tests")
        for number, line in enumerate(text.splitlines(), 1):
            if not only_checks and (found := LIBM.search(line)):
                errors.append(f"{file}:{number}: {found[0]}...) is the C library's; take lookback/base/elementary.h")
            if not (found := re.match(r'\s*#\s*include\s*["<]([^">]+)[">]', line)):
                continue
            for header, places in HEAVY.items():
                if found[1].startswith(header) and not only_checks and not str(file).startswith(
                        tuple(f"lookback/{place}" for place in places)):
                    errors.append(f"{file}:{number}: {found[1]} is slow to compile; tools/check_layers.py lists who may include it")
            if "<" in line.partition("//")[0]:
                continue
            parts = found[1].split("/")
            if parts[0] != "lookback":
                if (file.parent / found[1]).exists():  # ours, by a path that hides its layer
                    errors.append(f'{file}:{number}: write "lookback/LAYER/FILE", not "{found[1]}"')
                continue
            check_private(file, number, found[1], errors)
            if parts[1] != layer and parts[1] not in MAY_SEE.get(layer, set()):
                errors.append(f"{file}:{number}: {layer} may not include {parts[1]}")
            elif parts[1] != layer and parts[1] not in linked.get(layer, set()):
                errors.append(f"{file}:{number}: {layer} includes {parts[1]} but CMakeLists.txt does not link it")


def main():
    os.chdir(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    errors = []
    banned = banned_words()
    linked = linked_layers(pathlib.Path("CMakeLists.txt"), errors)
    for folder in sorted(f for f in pathlib.Path("lookback").iterdir() if f.is_dir()):
        check_layer(folder, linked, banned, errors)
    print("\n".join(errors) or "layers hold", file=sys.stderr if errors else sys.stdout)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
