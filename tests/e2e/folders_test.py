"""Folders: what is read from them, what may be overwritten, and whether what they say is true."""
import json
import shutil

import program as p


def copy_of(model, name):
    folder = p.WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(model, folder, symlinks=True)
    return folder


def contents(folder):
    return {str(path.relative_to(folder)): p.sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}


class Folders(p.Case):
    def setUp(self):
        self.trained = self.model()
        self.data = p.WORK / "data"
        self.recipe = self.data / "recipe.toml"
        self.source = (self.data / "test.src").read_text()

    def train(self, folder, *words):
        return self.ok("train", self.recipe, "--out", folder, "--quiet", "--set", "train.max_steps=5", *words)

    def test_an_overwritten_folder_keeps_nothing(self):
        model, fresh = self.fresh("twice"), self.fresh("once")
        bpe = ("--set", "tokenizer.kind=bpe", "--set", "tokenizer.size=40", "--set", "shortlist.per_token=3",
               "--set", "tokenizer.joint=false")
        word = ("--set", "tokenizer.kind=word")
        self.train(model, *bpe)
        self.assertTrue((model / "source/spm.model").exists() and (model / "shortlist.safetensors").exists())
        self.train(model, *word, "--overwrite")
        self.train(fresh, *word)
        same = lambda folder: {k: v for k, v in contents(folder).items() if not k.startswith("training")
                               and k != "README.md"}
        self.assertEqual(same(model), same(fresh))
        exported = self.fresh("exported")
        self.ok("export", model, "--out", exported)
        self.assertTrue((exported / "tokenizer.json").exists() and not (exported / "spm.model").exists())

    def test_a_file_that_the_manifest_does_not_list_is_not_read(self):
        model = copy_of(self.trained, "stale")
        expected = self.ok("predict", model, stdin=self.source).stdout
        shutil.copy(self.recipe, model / "spm.model")
        shutil.copy(self.recipe, model / "shortlist.safetensors")
        self.assertEqual(self.ok("predict", model, stdin=self.source).stdout, expected)
        # Without a manifest, as before there was one, nobody can tell which tokenizer is the model's.
        (model / "manifest.json").unlink()
        (model / "shortlist.safetensors").unlink()
        self.fails(3, "predict", model, stdin=self.source, says=["spm.model", "tokenizer.json"])
        (model / "spm.model").unlink()
        self.assertEqual(self.ok("predict", model, stdin=self.source).stdout, expected)

    def test_only_what_a_run_wrote_is_overwritten(self):
        mine = self.fresh("mine")
        (mine / "training").mkdir(parents=True)
        for name, text in (("README.md", "my notes"), ("config.json", "{}"), ("training/plan.txt", "run")):
            (mine / name).write_text(text)
        before = contents(mine)
        self.fails(2, "train", self.recipe, "--out", mine, "--overwrite", says=["mine", "did not write"])
        self.fails(4, "export", self.trained, "--out", mine, "--overwrite", says=["mine", "was not written"])
        self.assertEqual(contents(mine), before)
        model = copy_of(self.trained, "mixed")
        for name in ("notes.txt", "training/notes.txt", "source/notes.txt"):
            (model / name).parent.mkdir(exist_ok=True)
            (model / name).write_text("mine")
            self.fails(2, "train", self.recipe, "--out", model, "--overwrite", says=name)
            self.assertEqual((model / name).read_text(), "mine")
            (model / name).unlink()
        (model / "source").rmdir()
        self.train(model, "--overwrite")

    def test_an_export_with_something_of_ones_own_in_it_stays(self):
        out = self.fresh("export")
        self.ok("export", self.trained, "--out", out)
        (out / "notes.txt").write_text("mine")
        self.fails(4, "export", self.trained, "--out", out, "--overwrite", says="notes.txt")
        (out / "notes.txt").unlink()
        self.ok("export", self.trained, "--out", out, "--overwrite")

    def test_drawings_replace_drawings_alone(self):
        for ending in ("html", "svg", "json"):
            drawing = p.WORK / f"map.{ending}"
            drawing.write_text("mine")
            words = ("explain", self.trained, "--text", "abc", "--out", drawing)
            self.fails(2, *words, says=["exists", "not drawn by this program"])
            self.assertEqual(drawing.read_text(), "mine")
            drawing.unlink()
            self.ok(*words)
            self.ok(*words)

    def test_demo_leaves_what_is_not_its_own(self):
        for name in ("data/train.human", "model/notes.txt", "recipe.toml", "alignment.html"):
            folder = self.fresh("demo")
            (folder / name).parent.mkdir(parents=True)
            (folder / name).write_text("mine")
            done = p.run("demo", "--out", folder, "--minutes", "0.01", "--quiet")
            self.assertIn(done.returncode, (2, 4), done.stderr)
            self.assertEqual({k for k in contents(folder)}, {name})

    def test_an_interrupted_overwrite_leaves_the_old_model(self):
        model = copy_of(self.trained, "kept")
        before = contents(model)
        self.fails(4, "train", self.recipe, "--out", model, "--overwrite", "--set", "data.valid=nowhere,valid.tgt",
                   says="nowhere")
        self.assertEqual(contents(model), before)

    def test_no_link_in_a_folder_is_followed(self):
        secret = p.WORK / "secret"
        self.train(two := self.fresh("two_sides"), "--set", "tokenizer.joint=false", "--set", "shortlist.per_token=3")
        names = [str(path.relative_to(two)) for path in two.rglob("*") if "events" not in str(path)]
        self.assertIn("source", names)
        self.assertIn("training/checkpoint-5", names)
        for name in names:
            shutil.rmtree(secret, ignore_errors=True) if secret.is_dir() else secret.unlink(missing_ok=True)
            model = copy_of(two, "linked")
            (model / name).rename(secret)
            (model / name).symlink_to(secret)
            before = p.sha256(secret) if secret.is_file() else contents(secret)
            out = self.fresh("linked_export")
            for words in (("predict", model), ("export", model, "--out", out), ("inspect", model),
                          ("train", self.recipe, "--out", model, "--resume", "--set", "train.max_steps=6", "--set",
                           "tokenizer.joint=false", "--set", "shortlist.per_token=3", "--quiet")):
                done = p.run(*words, stdin="abc\n")
                read = self.reads(words[0], name)
                if read:
                    self.assertIn(done.returncode, (3, 4), f"{words} {name}: {done.stderr.decode()}")
                    self.assertIn("link", done.stderr.decode())
                elif words[0] != "train":
                    self.assertEqual(done.returncode, 0, f"{words} {name}: {done.stderr.decode()}")
            self.assertEqual(before, p.sha256(secret) if secret.is_file() else contents(secret), name)

    @staticmethod
    def reads(command, name):
        """Whether a command opens this file of a model folder."""
        if command == "train":
            return False  # resumes from what is whole, or rewrites without following: checked in the unit tests
        if name.startswith("training"):
            return command == "inspect" and name in ("training", "training/checkpoint-5",
                                                     "training/checkpoint-5/state.json",
                                                     "training/checkpoint-5/manifest.json")
        if name == "README.md":
            return command == "export"
        if name == "data.json":
            return False  # only evaluate does, without --data
        if name == "shortlist.safetensors":
            return command != "inspect"
        return True

    def test_the_folder_itself_may_be_a_link(self):
        link = p.WORK / "link"
        link.unlink(missing_ok=True)
        link.symlink_to(self.trained)
        self.assertEqual(self.ok("predict", link, stdin=self.source).stdout,
                         self.ok("predict", self.trained, stdin=self.source).stdout)
        model = copy_of(self.trained, "behind_a_link")
        link.unlink()
        link.symlink_to(model)
        self.train(link, "--overwrite")
        self.assertTrue(link.is_symlink() and (model / "training/checkpoint-5").exists())

    def test_what_the_card_says_of_the_run_is_true(self):
        model = self.fresh("card")
        self.train(model, "--set", "model.dropout=0.25", "--seed", "7", "--set", "train.validate_every=5")
        exported = self.fresh("card_export")
        self.ok("export", model, "--out", exported)
        for folder in (model, exported):
            card = (folder / "README.md").read_text()
            options = card.split("```toml\n")[1].split("```")[0].splitlines()
            said = dict(line.split(" = ", 1) for line in options)
            self.assertEqual(said["model.dropout"], "0.25")
            self.assertEqual(said["train.seed"], "7")
            self.assertEqual(said["train.max_steps"], "5")
            self.assertEqual(said["tokenizer.kind"], '"char"')
            self.assertNotIn("train.patience", said)  # a default
        state = json.loads((model / "training/checkpoint-5/state.json").read_text())
        config = json.loads((model / "config.json").read_text())
        start, *rest = p.log_of(model)
        last = [line for line in rest if line["event"] == "valid"][-1]
        self.assertEqual(state["options"]["seed"], 7)
        self.assertEqual(start["seed"], 7)
        self.assertEqual(config["model"]["dropout"], 0.25)
        self.assertIn(f"{start['parameters']} parameters", card)
        self.assertIn("- 5 steps, ", card)
        self.assertIn(f"{state['units']} target tokens", card)
        self.assertIn(f"chosen by validation loss = {last['scores']['loss']:.6g} at step {last['step']}", card)
        for key, value in said.items():
            if key.startswith("model."):
                at = config
                for part in key.split("."):
                    at = at[part]
                self.assertEqual(json.loads(value), at, key)


if __name__ == "__main__":
    p.main()
