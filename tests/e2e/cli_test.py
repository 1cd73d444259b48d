"""The command as a user meets it: exit codes, messages, what a stranger may hand it. Standard library only.

    python3 tests/e2e/cli_test.py build/release/mgd
"""

import json
import os
import random
import shutil
import subprocess
import tarfile
import unittest

from harness import LOSSES, MGD, WithFolder, cpu_seconds_of_children, mgd, rows, write_recipe
from pictures import png, stripes, write_folders


class MainPath(WithFolder):
    def test_distil_evaluate_predict_inspect(self):
        write_recipe(self.folder, teacher="teacher: {path: teacher/model}\n", losses=LOSSES)
        done = mgd("distill", "recipe.yaml", "--json", cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 1, "nothing but one object on stdout")
        summary = json.loads(lines[0])
        self.assertEqual(summary["model_dir"], "student")
        self.assertGreater(summary["teacher"]["metrics"]["accuracy"], 0.8)
        run = self.folder / "run"
        for name in ("config.yaml", "env.json", "metrics.jsonl", "data_report.json", "summary.json", "report.html"):
            self.assertTrue((run / name).stat().st_size > 0, name)
        self.assertTrue(list(run.glob("events.out.tfevents.*")))
        self.assertEqual(sorted(p.name for p in (run / "student").iterdir() if p.name != "manifest.json"),
                         ["config.json", "model.safetensors"])

        done = mgd("eval", "run/student", "--data", "toy.csv", "--json", cwd=self.folder)
        metrics = json.loads(done.stdout)["metrics"]
        self.assertAlmostEqual(metrics["accuracy"], summary["metrics"]["accuracy"], places=6)

        done = mgd("inspect", "run/student", "--json", cwd=self.folder)
        described = json.loads(done.stdout)
        self.assertEqual(described["parameters"], summary["student"]["parameters"])
        self.assertIn("layer3", [tap["name"] for tap in described["taps"]])

        pair = mgd("inspect", "resnet18", "run/student", "--image-size", "64", cwd=self.folder)
        self.assertEqual(pair.returncode, 0, pair.stderr)
        self.assertIn("student's stage", pair.stdout)
        self.assertIn("resize: true brings 64 x 64 to 32 x 32", pair.stdout)
        self.assertIn("losses: [{name: mgd, student_tap: layer3, teacher_tap: layer1}]", pair.stdout)
        self.expect(mgd("inspect", "resnet18", "resnet34", "resnet50", cwd=self.folder), 2, "a teacher and a student; got 3")
        self.expect(mgd("inspect", "resnet18", "bert", cwd=self.folder), 2, "'bert' reads texts")

        alone = mgd("distill", "recipe.yaml", "losses=[cross_entropy]", "--dry-run", cwd=self.folder)
        self.expect(alone, 0, "none of them learns from the teacher")
        self.assertNotIn("none of them learns", done.stderr)

        again = mgd("distill", "recipe.yaml", cwd=self.folder)
        self.expect(again, 73, "already holds a run", "--resume", "--overwrite")

    def test_pictures_without_labels_make_a_backbone(self):
        write_folders(self.folder / "shapes", ("rows", "columns"), train=30, test=12, side=8)
        (self.folder / "shapes.yaml").write_text("data: {path: shapes, validation: 0}\nstudent: {model: cifar_resnet8, width: 0.25}\n"
                                                 "train: {epochs: 2, batch_size: 20}\nrun: {threads: 1}\n")
        self.expect(mgd("train", "shapes.yaml", "--run-dir", "shapes-teacher", cwd=self.folder), 0)
        flat = self.folder / "flat"
        flat.mkdir()
        for i, picture in enumerate(sorted((self.folder / "shapes" / "train").rglob("*.png"))):
            shutil.copy(picture, flat / f"{i:03}.png")
        learn = ["distill", "shapes.yaml", "data.path=flat", "teacher=shapes-teacher/model", "losses=[mimic, similarity]"]
        self.expect(mgd(*learn, "--run-dir", "backbone", cwd=self.folder), 0, "no labels", "exported without a classifier")
        summary = json.loads((self.folder / "backbone" / "summary.json").read_text())
        self.assertNotIn("accuracy", summary["metrics"])
        shown = mgd("inspect", "backbone/student", cwd=self.folder)
        self.assertIn("no classifier", shown.stdout)
        self.assertNotIn("\nlinear ", shown.stdout)
        probed = mgd("probe", "backbone/student", "shapes", "--json", "--neighbours", "5", cwd=self.folder)
        self.assertGreater(json.loads(probed.stdout)["linear"], 0.5, probed.stderr)
        self.expect(mgd("train", "shapes.yaml", "student={path: backbone/student}", "--run-dir", "headed", cwd=self.folder), 0,
                    "none -> 2 classes")
        self.expect(mgd("train", "shapes", "--from", "backbone/student", "train.epochs=1", "--run-dir", "from", cwd=self.folder), 0,
                    "none -> 2 classes")
        self.expect(mgd("distill", "flat", "--teacher", "backbone/student", "train.epochs=1", "--run-dir", "again", cwd=self.folder), 0,
                    "similarity", "no classifier")
        self.expect(mgd("answer", "backbone/student", "flat", "--out", "a.safetensors", cwd=self.folder), 2, "--taps")
        self.expect(mgd("answer", "backbone/student", "flat", "--taps", "layer3", "--taps", "pool", "--out", "a.safetensors", cwd=self.folder), 0)
        self.expect(mgd("distill", "flat", "--teacher", "a.safetensors", cwd=self.folder), 2, "teacher: {answers: a.safetensors}")
        # The same pictures beside some with labels: the former are those without.
        both = mgd(*learn[:2], "data.per_class=5", "data.unlabelled=flat", "teacher=shapes-teacher/model",
                   "losses=[cross_entropy, kd]", "--run-dir", "both", cwd=self.folder)
        self.expect(both, 0, "10 train and 50 without labels", "10 of 60 pictures are in data.path too")
        report = json.loads((self.folder / "both" / "data_report.json").read_text())
        self.assertEqual(report["train"]["without_label"], 50)
        self.expect(mgd("train", "shapes.yaml", "data.per_class=5", "data.unlabelled=flat", "--run-dir", "none", cwd=self.folder), 2, "every loss")

    def test_an_archive_gives_what_its_folder_gives(self):
        write_folders(self.folder / "photos", ("rows", "columns"), train=30, test=12, side=8)
        with tarfile.open(self.folder / "photos.tar.xz", "w:xz") as archive:
            archive.add(self.folder / "photos", arcname=".")
        (self.folder / "photos.yaml").write_text("data: {path: photos, validation: 0}\nstudent: {model: cifar_resnet8, width: 0.25}\n"
                                                 "train: {epochs: 1, batch_size: 20}\nrun: {threads: 1}\n")
        self.expect(mgd("train", "photos.yaml", "--run-dir", "photos-run", cwd=self.folder), 0)
        results = [json.loads(mgd("eval", "photos-run/model", "--data", data, "--json", cwd=self.folder).stdout)["metrics"]
                   for data in ("photos", "photos.tar.xz")]
        for key in ("accuracy", "loss", "confusion"):
            self.assertEqual(results[0][key], results[1][key])
        done = mgd("predict", "photos-run/model", "photos/test/rows", "--json", "--logits", cwd=self.folder)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(len(lines), 12)
        self.assertEqual(len(lines[0]["logits"]), 2)
        self.assertIn(lines[0]["predictions"][0]["label"], ("rows", "columns"))

        listed = mgd("predict", "photos-run/model", "-", "--json", "--logits", cwd=self.folder,
                     input="".join(line["input"] + "\n" for line in lines[:3]) + "\n" + lines[3]["input"] + "\r\n")
        self.expect(listed, 0)
        self.assertEqual([(row["input"], row["predictions"][0]["label"]) for row in map(json.loads, listed.stdout.splitlines())],
                         [(row["input"], row["predictions"][0]["label"]) for row in lines[:4]])
        self.expect(mgd("predict", "photos-run/model", "-", cwd=self.folder, input="\n"), 66, "no path on standard input")
        self.expect(mgd("predict", "photos-run/model", "-", cwd=self.folder, input="gone.png\n"), 66, "gone.png")
        self.expect(mgd("predict", "photos-run/model", "-", cwd=self.folder, input="\x7fELF\0\0\n"), 65, "line 1", "one path a line")

    def test_hostile_names_are_text_everywhere(self):
        """faults.md row 25."""
        script, odd = "<script>alert(1)<", "new\nline \x1b[31mred"
        write_folders(self.folder / "odd", (script, odd), train=20, test=4, side=8)
        (self.folder / "odd.yaml").write_text("data: {path: odd, validation: 0}\nstudent: {model: cifar_resnet8, width: 0.25}\n"
                                              "train: {epochs: 1, batch_size: 20}\nrun: {threads: 1}\n")
        done = mgd("train", "odd.yaml", "--run-dir", "odd-run", cwd=self.folder)
        self.expect(done, 0)
        report = (self.folder / "odd-run/report.html").read_text()
        self.assertNotIn(script, report)
        self.assertNotIn("\x1b", report + done.stderr + done.stdout)
        evaluated = mgd("eval", "odd-run/model", "--data", "odd", cwd=self.folder)
        self.expect(evaluated, 0)
        self.assertNotIn("\x1b", evaluated.stdout + evaluated.stderr)
        json.loads(mgd("eval", "odd-run/model", "--data", "odd", "--json", cwd=self.folder).stdout)

    def test_broken_pictures_are_counted_up_to_a_limit(self):
        """faults.md row 15 through the command."""
        write_folders(self.folder / "some", ("rows", "columns"), train=100, test=4, side=8)
        (self.folder / "some/train/rows/000.png").write_bytes(b"not a picture")
        recipe = ("data: {path: some, validation: 0, loader_threads: 1}\nstudent: {model: cifar_resnet8, width: 0.25}\n"
                  "train: {epochs: 1, batch_size: 20}\nrun: {threads: 1}\n")
        (self.folder / "some.yaml").write_text(recipe)
        self.expect(mgd("train", "some.yaml", "--run-dir", "some-run", cwd=self.folder), 0)
        corrupt = json.loads((self.folder / "some-run/data_report.json").read_text())["corrupt"]
        self.assertEqual(len(corrupt), 1)
        self.assertIn("rows/000.png", next(iter(corrupt)))
        for i in range(1, 30):
            (self.folder / f"some/train/rows/{i:03}.png").write_bytes(png(stripes(random.Random(i), False, 8))[:60])
        done = mgd("train", "some.yaml", "--run-dir", "some-more", cwd=self.folder)
        self.expect(done, 65, "rows/0")

    def test_dry_run_writes_nothing(self):
        done = mgd("train", "teacher.yaml", "--dry-run", "--run-dir", "dry", cwd=self.folder)
        self.expect(done, 0, "dry run: loss")
        self.assertFalse((self.folder / "dry").exists())

    def test_verbs_explain_themselves(self):
        for verb in ("distill", "train", "eval", "predict", "inspect", "tokenize", "fill-mask", "generate", "config", "doctor",
                     "demo"):
            done = mgd(verb, "--help", cwd=self.folder)
            self.assertEqual(done.returncode, 0)
            lines = done.stdout.splitlines()
            self.assertLessEqual(len(lines), 40, f"{verb} --help does not fit a screen of 40 lines")
            self.assertLessEqual(max(map(len, lines)), 80)
            self.assertIn(f"mgd {verb}", done.stdout)
        self.assertEqual(mgd("doctor", cwd=self.folder).returncode, 0)
        self.assertIn("train.epochs", mgd("config", "--schema", cwd=self.folder).stdout)
        self.assertIn("command line", mgd("config", "teacher.yaml", "train.epochs=3", cwd=self.folder).stdout)


class Typos(WithFolder):
    """Acceptance: one message with the place and the nearest right name, exit 2 or 66, in under a second."""

    def check(self, args, code, *texts):
        before = cpu_seconds_of_children()
        done = mgd(*args, cwd=self.folder)
        seconds = cpu_seconds_of_children() - before
        self.expect(done, code, *texts)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertLess(seconds, 1.0)

    def test_everywhere(self):
        base = "data: {path: toy.csv, mean: [0.5], std: [0.5]}\nteacher: {path: teacher/model}\nstudent: {model: cifar_resnet8}\n"
        cases = [
            ("train: {epohcs: 3}", 2, ["bad.yaml:4:9", "'epochs'"]),
            ("train: {lr: fast}", 2, ["bad.yaml:4:", "train.lr", "fast"]),
            ("train: {optimizer: sdg}", 2, ["'sgd'"]),
            ("losses: [{name: mdg}]", 2, ["bad.yaml:4:", "'mgd'"]),
            ("losses: [{name: mgd, mask: chanel}]", 2, ["'channel'"]),
            ("losses: [{name: mgd, student_tap: layr3}]", 2, ["'layer3'"]),
            ("losses: [{name: mgd, mask_ratio: 1.5}]", 2, ["mask_ratio", "1.5"]),
            ("losses: [{name: mgd, mask_rato: 0.5}]", 2, ["'mask_ratio'"]),
            ("masks: [{node: inptu, mask: block}]", 2, ["'input'"]),
        ]
        for text, code, expected in cases:
            (self.folder / "bad.yaml").write_text(base + text + "\n")
            self.check(["distill", "bad.yaml", "--run-dir", "never"], code, *expected)
        (self.folder / "bad.yaml").write_text(base.replace("cifar_resnet8", "cifar_resnet9"))
        self.check(["distill", "bad.yaml", "--run-dir", "never"], 2, "'cifar_resnet8'")
        (self.folder / "bad.yaml").write_text(base.replace("toy.csv", "toi.csv"))
        self.check(["distill", "bad.yaml", "--run-dir", "never"], 66, "toi.csv")
        self.check(["distil", "teacher.yaml"], 2, "'distill'")
        self.check(["train", "teacher.yaml", "--run-dri", "x"], 2, "--run-dir")
        self.check(["train", "techer.yaml"], 66, "teacher.yaml")
        self.check(["train", "teacher.yaml", "train.epohcs=3"], 2, "'epochs'")
        self.check(["eval", "teacher/modle", "--data", "toy.csv"], 66, "teacher/modle")

    def test_class_counts_that_differ(self):
        lines = (self.folder / "toy.csv").read_text().splitlines()
        (self.folder / "four.csv").write_text("\n".join(lines + [l.rsplit(",", 1)[0] + ",3" for l in lines[:60]]) + "\n")
        done = mgd("eval", "teacher/model", "--data", "four.csv", cwd=self.folder)
        self.expect(done, 2, "1 of the data's 4 classes is not among its 3: '3'")
        write_recipe(self.folder, "four.yaml", "teacher: {path: teacher/model}\n", LOSSES)
        done = mgd("distill", "four.yaml", "data.path=four.csv", "--run-dir", "never", cwd=self.folder)
        self.expect(done, 2, "teacher: 1 of the data's 4 classes is not among its 3")
        self.assertFalse((self.folder / "never").exists(), "a refused run leaves nothing behind")


class Inputs(WithFolder):
    def test_tokenizer_learned_and_used(self):
        (self.folder / "prose.txt").write_text("The cat sat on the mat. The cats sat.\n" * 3)
        done = mgd("tokenize", "--train", "prose.txt", "--vocab-size", "60", "--out", "tokens", "--json", cwd=self.folder)
        self.expect(done, 0)
        self.assertLessEqual(json.loads(done.stdout)["vocab_size"], 60)
        done = mgd("tokenize", "tokens", "Mats sat", "--json", "--decode", cwd=self.folder)
        row = json.loads(done.stdout)
        self.assertEqual(row["tokens"], ["[CLS]", "mat", "##s", "sat", "[SEP]"])
        self.assertEqual(row["offsets"], [[0, 0], [0, 3], [3, 4], [5, 8], [0, 0]])
        self.assertEqual(row["decoded"], "mats sat")
        again = mgd("tokenize", "--train", "prose.txt", "--vocab-size", "60", "--out", "tokens", cwd=self.folder)
        self.expect(again, 73, "is there already")
        stdin = b"the mat\n\xff cat\n" + b"cat " * 400_000 + b"\n"
        done = subprocess.run([MGD, "tokenize", "tokens", "-", "--json"], cwd=self.folder, input=stdin, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 2 + 2, "the long line comes in two parts")
        self.assertIn(b"1 lines of more than 1048576 bytes came in parts", done.stderr)
        self.assertIn(b"1 places were no UTF-8", done.stderr)
        (self.folder / "bad.json").write_text('{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]}}')
        self.expect(mgd("tokenize", "bad.json", "a", cwd=self.folder), 65, "model.merges[0]")
        self.expect(mgd("tokenize", "tokens", cwd=self.folder), 2, "no text")
        self.expect(mgd("tokenize", "nowhere", "a", cwd=self.folder), 66, "nowhere")

    def test_pickle_is_refused(self):
        (self.folder / "model.pth").write_bytes(b"\x80\x02}q\x00.")
        done = mgd("eval", "model.pth", "--data", "toy.csv", cwd=self.folder)
        self.expect(done, 77, "python")

    def test_strange_model_paths(self):
        os.mkfifo(self.folder / "fifo")
        self.expect(mgd("inspect", "fifo", cwd=self.folder, timeout=20), 77)
        self.expect(mgd("inspect", "/dev/zero", cwd=self.folder, timeout=20), 77)
        self.assertIn(mgd("inspect", ".", cwd=self.folder).returncode, (65, 66))


if __name__ == "__main__":
    unittest.main(verbosity=1)
