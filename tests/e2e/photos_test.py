#!/usr/bin/env python3
"""Folders and tables of pictures as people have them: what a run says of them, and what it refuses."""

import json
import pathlib
import random
import shutil
import struct
import tempfile
import unittest

from harness import mgd
from pictures import png, stripes, write_folders

RECIPE = """
data: {path: PATH, validation: 0.1, loader_threads: THREADS}
student: {model: cifar_resnet8, width: 0.25}
train: {epochs: 1, batch_size: 10, lr: 0.05}
run: {threads: 1}
"""


class Photos(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mgd-photos-"))

    def tearDown(self):
        shutil.rmtree(self.folder)

    def train(self, path, *args, threads=0, run="run"):
        (self.folder / "recipe.yaml").write_text(RECIPE.replace("PATH", path).replace("THREADS", str(threads)))
        return mgd("train", "recipe.yaml", "--run-dir", run, *args, cwd=self.folder)

    def expect(self, done, code, *texts):
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        for text in texts:
            self.assertIn(text, done.stdout + done.stderr)

    def test_a_broken_picture_is_left_out_of_a_measure(self):
        write_folders(self.folder / "photos", ("rows", "columns"), train=40, test=30, side=8)
        self.expect(self.train("photos"), 0)
        model = "run/model"
        whole = json.loads(mgd("eval", model, "--data", "photos", "--json", cwd=self.folder).stdout)
        answers = mgd("predict", model, *sorted((self.folder / "photos/test/rows").glob("*.png")), "--json",
                      cwd=self.folder).stdout.splitlines()
        first = json.loads(answers[0])["predictions"][0]["label"] == "rows"
        (self.folder / "photos/test/rows/000.png").write_bytes(b"")
        done = mgd("eval", model, "--data", "photos", "--json", cwd=self.folder)
        self.expect(done, 0, "1 of 60 samples could not be read and was left out", "test/rows/000.png: empty file")
        less = json.loads(done.stdout)
        self.assertEqual(less["samples"], 59)
        self.assertEqual(list(less["left_out"]), ["test/rows/000.png"])
        right = round(whole["metrics"]["accuracy"] * 60) - first
        self.assertAlmostEqual(less["metrics"]["accuracy"], right / 59)

    def test_a_run_goes_by_the_pictures_that_can_be_read(self):
        write_folders(self.folder / "photos", ("rows", "columns"), train=40, test=20, side=8)
        (self.folder / "photos/test/columns/000.png").write_bytes(b"")
        self.expect(self.train("photos"), 0, "1 of 48 samples could not be read and was left out of the measures",
                    "test/columns/000.png")
        self.assertEqual(json.loads((self.folder / "run/summary.json").read_text())["eval_samples"], 39)
        answers = [json.loads(line) for line in (self.folder / "run/answers.jsonl").read_text().splitlines()]
        self.assertEqual(len(answers), 39)
        for answer in answers:  # each row is its own picture's
            self.assertIn(f"/{answer['label']}/", answer["input"])

    def test_a_class_that_is_not_measured_is_said(self):
        write_folders(self.folder / "photos", ("rows", "columns", "dots"), train=20, test=10, side=8)
        shutil.rmtree(self.folder / "photos/test/columns")
        self.expect(self.train("photos"), 0, "the test part has no pictures of columns")

    def test_figures_that_would_promise_too_much_are_said_or_left_out(self):
        write_folders(self.folder / "photos", ("rows", "columns"), train=20, test=10, side=8)
        shutil.copy(self.folder / "photos/train/rows/000.png", self.folder / "photos/test/rows/copy.png")
        done = self.train("photos", "data.views=4")
        self.expect(done, 0, "1 of 21 test pictures is in the training part too, byte for byte: test/rows/copy.png",
                    "data.views=4 changes nothing: without data.augment a picture has one form")
        self.assertNotIn("top5", done.stdout + done.stderr + (self.folder / "run/summary.json").read_text())
        done = mgd("eval", "run/model", "--data", "photos", cwd=self.folder)
        self.expect(done, 0, "accuracy")
        self.assertNotIn("top-5", done.stdout)
        self.expect(mgd("eval", "run/model", "--data", "photos", "--split", "tset", cwd=self.folder), 66, "(eval: --split test)")
        self.expect(mgd("eval", "run/model", "--data", "photos", "--max-length", 5, cwd=self.folder), 2,
                    "--max-length: run/model reads pictures")
        done = self.train("photos", "data.views=4", "data.augment=[flip]", run="more")
        self.assertNotIn("changes nothing", done.stderr)

    def test_answers_that_are_no_numbers_are_an_error(self):
        """Weights that are finite, one by one, and overflow together."""
        write_folders(self.folder / "photos", ("rows", "columns"), train=20, test=10, side=8)
        self.expect(self.train("photos"), 0)
        weights = self.folder / "run/model/model.safetensors"
        data = bytearray(weights.read_bytes())
        start = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:start])
        for name, (first, end) in ((n, t["data_offsets"]) for n, t in header.items() if n.endswith("bn1.weight")):
            data[start + first:start + end] = struct.pack("<f", 3e38) * ((end - first) // 4)
        weights.write_bytes(data)
        done = mgd("eval", "run/model", "--data", "photos", cwd=self.folder)
        self.expect(done, 65, "its loss on photos is", "nothing was measured")
        self.assertNotIn("accuracy", done.stdout)
        for flags in ((), ("--json", "--logits")):
            done = mgd("predict", "run/model", "photos/test/rows", *flags, cwd=self.folder)
            self.expect(done, 65, "test/rows/000.png is NaN or infinite")
            self.assertEqual(done.stdout, "")

    def test_three_broken_pictures_of_57_are_too_many_whatever_the_threads(self):
        write_folders(self.folder / "photos", ("rows", "columns"), train=31, test=4, side=8)
        for name in ("rows/003.png", "rows/020.png", "columns/011.png"):
            (self.folder / "photos/train" / name).write_bytes(b"\x89PNG\r\n\x1a\n broken")
        for threads in (0, 1, 2, 4):
            done = self.train("photos", "train.epochs=3", threads=threads, run=f"run{threads}")
            self.expect(done, 65, "are corrupt, at most 1 allowed", "train/")

    def test_classes_without_splits_say_how_they_are_split(self):
        write_folders(self.folder / "photos", ("rows", "columns"), train=60, test=4, side=8)
        shutil.move(self.folder / "photos/train", self.folder / "flat")
        (self.folder / "flat/rows/notes.txt").write_text("x")
        (self.folder / "flat/columns/raw.HEIC").write_text("x")
        done = self.train("flat")
        self.expect(done, 0, "every fifth picture of each class is the test part", "files not used: 1 .heic, 1 .txt",
                    "88 train, 8 validation, 24 test")
        summary = json.loads((self.folder / "run/summary.json").read_text())
        self.assertEqual(summary["split"], "test")
        self.assertEqual(summary["eval_samples"], 24)
        done = mgd("eval", "run/model", "--data", "flat", "--json", cwd=self.folder)
        self.expect(done, 0, "every fifth")
        self.assertEqual(json.loads(done.stdout)["samples"], 24)
        report = json.loads((self.folder / "run/data_report.json").read_text())
        self.assertEqual(report["train"]["unused_files"], {".heic": 1, ".txt": 1})

    def test_what_cannot_be_right_is_refused_before_the_first_step(self):
        write_folders(self.folder / "photos", ("rows", "columns"), train=10, test=4, side=8)
        self.expect(self.train("photos/train/rows", "--dry-run"), 65, "the folder above")
        (self.folder / "deep/train").mkdir(parents=True)
        shutil.copytree(self.folder / "photos/train", self.folder / "deep/train/images")
        self.expect(self.train("deep", "--dry-run"), 65, "one class only, 'images'", "data.train=train/images")
        (self.folder / "photos/train/empty").mkdir()
        self.expect(self.train("photos", "--dry-run"), 65, "'train/empty' is empty")
        loop = self.folder / "photos/train/rows/loop"
        loop.symlink_to("..", target_is_directory=True)
        self.expect(self.train("photos", "--dry-run"), 77, "train/rows/loop", "a loop")
        self.expect(self.train("x" * 300, "--dry-run"), 66)

    def test_a_table_with_the_label_first(self):
        draw = random.Random(2)
        rows = []
        for i in range(90):
            pixels = [draw.randrange(40) for _ in range(16)]
            pixels[i % 3 * 4:i % 3 * 4 + 4] = [220] * 4
            rows.append([i % 3, *pixels])
        header = "label," + ",".join(f"pixel{i}" for i in range(16))
        (self.folder / "kaggle.csv").write_text("\n".join([header] + [",".join(map(str, r)) for r in rows]) + "\n")
        self.expect(self.train("kaggle.csv", "--dry-run"), 0, "3 classes", "the label is the column 'label', the first")
        (self.folder / "one.csv").write_text("\n".join([header] + [",".join(map(str, [0, *r[1:]])) for r in rows]) + "\n")
        self.expect(self.train("one.csv", "--dry-run"), 65, "of one class")

    def test_a_large_picture_names_the_option(self):
        write_folders(self.folder / "photos", ("rows", "columns"), train=10, test=4, side=8)
        self.expect(self.train("photos", "data.max_megapixels=1e-5", run="refused"), 65, "data.max_megapixels=")
        self.expect(self.train("photos"), 0)
        picture = self.folder / "big.png"
        picture.write_bytes(png(stripes(random.Random(1), True, 64)))
        self.expect(mgd("predict", "run/model", picture, "--max-megapixels", "0.001", cwd=self.folder), 65, "64 x 64 pixels")


if __name__ == "__main__":
    unittest.main()
