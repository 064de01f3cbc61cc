#!/usr/bin/env python3
"""Pictures into captions as a user does it: coloured squares, a small network of ONNX that sees them, and bad pictures."""
import json
import pathlib
import random
import shutil
import struct
import zlib

import program as p

SIZE, GRID = 32, 4
COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 50, 230)}
PLACES = {"top left": (0, 0), "top right": (0, 1), "bottom left": (1, 0), "bottom right": (1, 1)}
RECIPE = """task = "caption"

[data]
train = "train.tsv"
valid = "last 12"
test = "test.tsv"
images = "images"

[features]
cnn = "eye.onnx"
layer = ""
height = 32
width = 32
channels = "rgb"
mean = ["128"]
scale = 0.01

[augment]
views = 1

[model]
encoder = { blocks = [{ kind = "bilstm", hidden = 12 }] }
decoder = { hidden = 32, gate = "beta" }
attention = 16
embedding = 16

[loss]
doubly_stochastic = 0.01

[train]
max_steps = 600
batch = 16
optimizer = { lr = 1e-2, clip = 1.0 }
schedule = { warmup = 20 }
validate_every = 200
log_every = 1

[valid]
metric = "cider_d"
"""


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def onnx():
    """A convolution that gives the mean red, green and blue of each of 4 x 4 places."""
    cell = SIZE // GRID
    weights = [1 / cell**2 if c == o else 0.0 for o in range(3) for c in range(3) for _ in range(cell**2)]

    def tensor(name, dims, values):
        dims = b"".join(field(1, d) for d in dims)
        return field(5, dims + field(2, 1) + field(8, name) + field(9, struct.pack(f"<{len(values)}f", *values)))

    def value(name, dims):
        shape = b"".join(field(1, field(1, d)) for d in dims)
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))

    def ints(name):
        return field(5, field(1, name) + field(8, cell) + field(8, cell) + field(20, 7))

    node = b"".join(field(1, n) for n in ("data", "w", "b")) + field(2, "out") + field(3, "conv") + field(4, "Conv")
    node += ints("kernel_shape") + ints("strides")
    graph = field(1, node) + field(2, "eye") + tensor("w", (3, 3, cell, cell), weights) + tensor("b", (3,), [0.0] * 3)
    graph += field(11, value("data", (1, 3, SIZE, SIZE))) + field(12, value("out", (1, 3, GRID, GRID)))
    return field(1, 7) + field(7, graph) + field(8, field(2, 11))


def png(rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def drawn(colour, place, rng):
    """A square of 8 to 12 pixels in one quarter of a grey picture."""
    side = rng.randint(8, 12)
    y, x = (16 * at + rng.randint(1, 15 - side) for at in PLACES[place])
    rows = [[rng.randint(120, 136) for _ in range(3 * SIZE)] for _ in range(SIZE)]
    for r in range(y, y + side):
        for c in range(x, x + side):
            rows[r][3 * c : 3 * c + 3] = COLOURS[colour]
    return png(rows)


def captions_of(colour, place):
    return [f"a {colour} square at the {place} .", f"at the {place} , something {colour}"]


class Captions(p.Case):
    truth = {}  # of each part, for each picture its colour and place

    @classmethod
    def setUpClass(cls):
        cls.folder = p.WORK / "pictures"
        cls.recipe = cls.folder / "recipe.toml"
        if cls.truth:
            return
        (cls.folder / "images").mkdir(parents=True)
        for part, count, seed in (("train", 100, 1), ("test", 24, 2)):
            rng = random.Random(seed)
            cls.truth[part], lines = [], []
            for k in range(count):
                colour, place = rng.choice(list(COLOURS)), rng.choice(list(PLACES))
                name = f"{part}{k:03}.png"
                (cls.folder / "images" / name).write_bytes(drawn(colour, place, rng))
                cls.truth[part].append((colour, place))
                lines += [f"{name}\t{caption}" for caption in captions_of(colour, place)]
            p.write_lines(cls.folder / f"{part}.tsv", lines)
        (cls.folder / "eye.onnx").write_bytes(onnx())
        cls.recipe.write_text(RECIPE)

    def data(self):
        return self.folder

    def needs_opencv(self):
        if not (pathlib.Path(p.PROGRAM[-1]).parent / "lookback_opencv.so").exists():
            self.skipTest("this build runs no convolutional networks: it has no OpenCV")

    def trained(self, *words, name="model"):
        self.needs_opencv()
        model = self.folder / name
        if name != "model" or not model.exists():
            self.ok("train", self.recipe, "--data", self.folder, "--out", model, "--overwrite", "--quiet", *words)
        return model

    def images(self, part="test"):
        return [str(self.folder / "images" / f"{part}{k:03}.png") for k in range(len(self.truth[part]))]

    def test_captions_name_colour_and_place(self):
        model = self.trained()
        p.write_lines(self.folder / "list.txt", self.images())
        out = self.ok("predict", model, "--in", self.folder / "list.txt").stdout.decode().splitlines()
        right = sum(c in line and at in line for line, (c, at) in zip(out, self.truth["test"], strict=True))
        self.assertGreaterEqual(right, 20, out)
        scores = self.scores(self.ok("evaluate", model).stdout.decode())
        self.assertGreater(scores["cider_d"], 2 * scores["cider_d_exchanged"])
        self.assertGreater(scores["bleu4"], 50)

    @staticmethod
    def scores(text):
        return {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if line.strip()}

    def test_a_folder_a_file_a_prefix_and_details(self):
        model = self.trained()
        folder = self.folder / "some"
        folder.mkdir(exist_ok=True)
        for k, path in enumerate(self.images()[:3]):
            shutil.copy(path, folder / f"{k}.PNG")
        (folder / "notes.txt").write_text("no picture")
        together = self.ok("predict", model, "--in", folder).stdout.decode().splitlines()
        alone = [self.ok("predict", model, "--in", folder / f"{k}.PNG").stdout.decode().strip() for k in range(3)]
        self.assertEqual(together, alone)
        colour, place = self.truth["test"][0]
        begun = self.ok("predict", model, "--in", folder / "0.PNG", "--field", f"prefix=at the {place}").stdout.decode()
        self.assertTrue(begun.startswith(f"at the {place}") and colour in begun, begun)
        full = json.loads(
            self.ok("predict", model, "--in", folder / "0.PNG", "--format", "jsonl", "--beam", 4, "--n-best", 3).stdout.decode()
        )
        self.assertEqual(len(full["outputs"]), 3)
        self.assertEqual(len(full["outputs"][0]["alignment"][0]), GRID * GRID)
        (self.folder / "empty").mkdir(exist_ok=True)
        self.fails(4, "predict", model, "--in", self.folder / "empty", says="no file that ends in .jpg")

    def test_explain_draws_the_picture_with_a_map_for_each_word(self):
        model = self.trained()
        picture = self.folder / "explained.png"
        self.ok("explain", model, "--text", self.images()[0], "--out", picture)
        self.assertEqual(picture.read_bytes()[:4], b"\x89PNG")
        figure = self.folder / "explained.json"
        self.ok("explain", model, "--text", self.images()[0], "--out", figure)
        maps = json.loads(figure.read_text())
        self.assertEqual(len(maps["weights"][0]), GRID * GRID)
        self.assertIn("red", self.ok("explain", model, "--text", self.images()[0]).stdout.decode().replace("green", "red").replace("blue", "red"))

    def test_a_model_needs_nothing_but_its_folder(self):
        model, moved = self.trained(), self.folder / "elsewhere"
        shutil.rmtree(moved, ignore_errors=True)
        self.ok("export", model, "--out", moved)
        hidden = self.folder / "eye.hidden"
        (self.folder / "eye.onnx").rename(hidden)
        try:
            one = self.images()[0]
            self.assertEqual(*(self.ok("predict", m, "--in", one).stdout for m in (model, moved)))
        finally:
            hidden.rename(self.folder / "eye.onnx")
        (moved / "cnn.onnx").write_bytes(onnx() + field(15, "changed"))
        self.fails(3, "predict", moved, "--in", self.images()[0], says="convolutional network is not the one")

    def test_bad_pictures_are_named_and_the_others_captioned(self):
        model, good = self.trained(), self.images()[0]
        bad = self.folder / "bad"
        bad.mkdir(exist_ok=True)
        whole = pathlib.Path(good).read_bytes()
        (bad / "cut.png").write_bytes(whole[: len(whole) // 2])
        (bad / "text.jpg").write_text("not a picture\n")
        (bad / "huge.png").write_bytes(whole[:16] + struct.pack(">II", 65000, 65000) + whole[24:])
        names = [*(f"{bad}/{name}" for name in ("cut.png", "text.jpg", "huge.png", "missing.png")), good]
        p.write_lines(self.folder / "bad.txt", names)
        done = self.ok("predict", model, "--in", self.folder / "bad.txt")
        lines, said = done.stdout.decode().splitlines(), done.stderr.decode()
        self.assertEqual([bool(line) for line in lines], [False] * 4 + [True])
        for name in ("cut.png", "text.jpg", "huge.png"):
            self.assertIn(name, said)
        self.assertIn("1 more line", said)
        p.write_lines(self.folder / "withbad.tsv", [f"../bad/cut.png\ta b", f"{good}\ta red square"])
        settings = ("--set", "data.train=withbad.tsv", "--set", "data.valid=test.tsv", "--set", "train.max_steps=2")
        log = self.ok("train", self.recipe, "--data", self.folder, "--out", self.folder / "bad-model", *settings).stderr.decode()
        self.assertIn("the picture cannot be read", log)
        settings += ("--set", "data.damaged=stop")
        self.fails(3, "train", self.recipe, "--data", self.folder, "--out", self.fresh("bad2"), *settings, says="cut.png")

    def test_the_decoder_may_learn_from_captions_alone_first(self):
        self.needs_opencv()
        text, model = self.folder / "text", self.folder / "from-text"
        p.write_lines(self.folder / "alone.tsv", [f"none.jpg\t{c}" for t in self.truth["train"] for c in captions_of(*t)])
        alone = ("--set", "data.train=alone.tsv", "--set", "data.valid=alone.tsv", "--set", "data.pictures=none", "--set",
                 "train.max_steps=60", "--set", "train.validate_every=30", "--set", "train.keep=loss")
        self.fails(2, "train", self.recipe, "--data", self.folder, "--out", text, *alone, says="valid.metric")
        self.ok("train", self.recipe, "--data", self.folder, "--out", text, *alone, "--set", "valid.metric=none")
        few = ("--set", "train.max_steps=20", "--set", "train.validate_every=20")
        self.ok("train", self.recipe, "--data", self.folder, "--out", model, "--from", text, *few)
        self.assertGreater(self.scores(self.ok("evaluate", model).stdout.decode())["bleu1"], 30)

    def test_features_made_elsewhere_need_no_network(self):
        folder = self.folder / "arrays"
        folder.mkdir(exist_ok=True)

        def npy(name, shape, values):
            head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
            head = head.ljust(117) + "\n"
            (folder / name).write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode()
                                        + struct.pack(f"<{len(values)}f", *values))

        npy("one.npy", (1, 4, 2), [1.0] * 8)
        npy("many.npy", (3, 4, 2), [0.5] * 24)
        npy("wide.npy", (1, 4, 3), [0.5] * 12)
        p.write_lines(folder / "train.tsv", ["one.npy\tall ones", "many.npy#0\thalves", "many.npy#2\thalves again"])
        p.write_lines(folder / "valid.tsv", ["many.npy#1\thalves"])
        settings = ("--set", "features.cnn=", "--set", "data.valid=valid.tsv", "--set", "data.test=valid.tsv", "--set",
                    "data.images=", "--set", "train.max_steps=10", "--set", "train.validate_every=10")
        self.ok("train", self.recipe, "--data", folder, "--out", folder / "model", *settings)
        self.ok("predict", folder / "model", "--in", folder / "one.npy")
        p.write_lines(folder / "list.txt", [*(f"{folder}/{name}" for name in ("many.npy", "many.npy#7", "wide.npy")), self.images()[0]])
        said = self.ok("predict", folder / "model", "--in", folder / "list.txt").stderr.decode()
        for what in ("say which one", "no #7", "3 features at each place"):
            self.assertIn(what, said)

    def test_bits_depend_on_the_seed_alone(self):
        source = "".join(f"{path}\n" for path in self.images()[:9])
        words = ("--set", "train.max_steps=80", "--set", "train.validate_every=40", "--set", "valid.metric=none", "--set",
                 "train.keep=loss", "--set", "augment.views=4")
        for gate in ("beta", "sentinel"):
            attention = "bahdanau" if gate == "beta" else "luong"
            self.keeps_its_bits(gate, (*words, "--set", f"model.decoder.gate={gate}", "--set",
                                       f"model.decoder.attention={attention}"), source)

    def test_baselines_are_worse(self):
        self.needs_opencv()
        out = self.ok("baseline", self.recipe, "--data", self.folder).stdout.decode()
        self.assertIn("the best constant caption", out)
        self.assertIn("the caption of the nearest picture", out)


if __name__ == "__main__":
    p.main()
