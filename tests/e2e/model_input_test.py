"""The model says what it wants to see of a picture: size, crop, colours, memory (docs/model_input.md)."""

import json
import os
import pathlib
import random
import resource
import shutil
import struct
import tempfile
import unittest
import zlib

from harness import mgd
from pictures import png, stripes

RECIPE = """
data: {path: photos, validation: 0, loader_threads: 0}
student: {model: cifar_resnet8, width: 0.25}
train: {epochs: 3, batch_size: 16, lr: 0.05, log_every: 1}
run: {seed: 5, threads: 1}
"""


def grey_png(rows):
    """rows: lists of numbers -> the bytes of a PNG stored in grey."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    raw = b"".join(b"\0" + bytes(row) for row in rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def write_photos(folder, side_of, grey=False):
    draw = random.Random(3)
    for split, count in (("train", 16), ("test", 6)):
        for vertical, name in enumerate(("across", "down")):
            target = folder / split / name
            target.mkdir(parents=True)
            for i in range(count):
                rows = stripes(draw, vertical, side_of(draw))
                data = grey_png([[pixel[0] for pixel in row] for row in rows]) if grey else png(rows)
                (target / f"{i:03}.png").write_bytes(data)


class ModelInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="mgd-input-"))
        write_photos(cls.folder / "photos", lambda draw: draw.randrange(20, 90))
        (cls.folder / "recipe.yaml").write_text(RECIPE)
        cls.done = mgd("train", "recipe.yaml", "--run-dir", "run", cwd=cls.folder)
        cls.model = cls.folder / "run" / "model"

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def expect(self, done, code, *parts):
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        for part in parts:
            self.assertIn(part, done.stdout + done.stderr)

    def config(self, **changes):
        """A copy of the model whose pretrained_cfg is changed."""
        copy = self.folder / f"changed-{len(list(self.folder.iterdir()))}"
        shutil.copytree(self.model, copy)
        config = json.loads((copy / "config.json").read_text())
        config["pretrained_cfg"].update(changes)
        (copy / "config.json").write_text(json.dumps(config))
        return copy

    def test_pictures_of_several_sizes_come_to_the_habit_and_are_said(self):
        self.expect(self.done, 0, "3 x 32 x 32 (the habit of cifar_resnet8)", "sizes from ", "brought to 32 x 32")
        cfg = json.loads((self.model / "config.json").read_text())["pretrained_cfg"]
        self.assertEqual(cfg["input_size"], [3, 32, 32])
        self.assertEqual((cfg["crop_pct"], cfg["crop_mode"], cfg["interpolation"]), (1.0, "center", "bilinear"))

    def test_what_a_run_used_is_what_its_folder_says(self):
        done = mgd("train", "recipe.yaml", "--run-dir", "asked", "data.image_size=24", "data.crop_pct=0.75", "data.interpolation=lanczos",
                   cwd=self.folder)
        self.expect(done, 0, "3 x 24 x 24 (as asked for), lanczos, crop 0.75 center")
        cfg = json.loads((self.folder / "asked/model/config.json").read_text())["pretrained_cfg"]
        self.assertEqual((cfg["input_size"], cfg["crop_pct"], cfg["interpolation"]), ([3, 24, 24], 0.75, "lanczos"))
        # A student that goes on from there sees the same.
        more = mgd("train", "recipe.yaml", "--run-dir", "more", "student=asked/model", cwd=self.folder)
        self.expect(more, 0, "3 x 24 x 24 (the student's folder), lanczos, crop 0.75 center")

    def test_the_validation_part_is_seen_as_the_exported_model_will_see_it(self):
        shutil.copytree(self.folder / "photos", self.folder / "with-val")
        shutil.copytree(self.folder / "photos/test", self.folder / "with-val/val")
        for name, extra in (("trained", []), ("probe", ["student=trained/model", "train.freeze=[all but the head]"])):
            done = mgd("train", "recipe.yaml", "--run-dir", name, "data.path=with-val", "data.image_size=24", "data.crop_pct=0.6",
                       "data.validation=0.1", "train.export_weights=last", *extra, cwd=self.folder)
            self.expect(done, 0)
            rows = [json.loads(line) for line in (self.folder / name / "metrics.jsonl").read_text().splitlines()]
            last = [row for row in rows if "eval/loss" in row][-1]
            for part in ("val", "test"):  # the same pictures
                used = mgd("eval", f"{name}/model", "--data", "with-val", "--split", part, "--json", cwd=self.folder)
                self.assertAlmostEqual(json.loads(used.stdout)["metrics"]["loss"], last["eval/loss"], places=4, msg=name)

    def test_image_size_of_eval_predict_and_inspect(self):
        photo = next((self.folder / "photos/test/down").iterdir())
        for size in (32, 48):
            flag = () if size == 32 else ("--image-size", size)
            self.expect(mgd("eval", self.model, "--data", "photos", *flag, cwd=self.folder), 0, f"3 x {size} x {size}")
            self.expect(mgd("predict", self.model, photo, *flag, cwd=self.folder), 0, f"3 x {size} x {size}")
        counts = [json.loads(mgd("inspect", self.model, "--json", "--image-size", n, cwd=self.folder).stdout)["macs"] for n in (32, 64)]
        self.assertGreater(counts[1], 3.5 * counts[0])
        self.expect(mgd("inspect", "resnet18", cwd=self.folder), 0, "3 x 224 x 224")

    def test_the_crop_of_a_folder_is_honoured(self):
        answers = []
        for folder in (self.model, self.config(crop_pct=0.5), self.config(interpolation="nearest")):  # squares cannot tell squash
            done = mgd("predict", folder, "photos/test", "--json", "--logits", cwd=self.folder)
            self.expect(done, 0)
            answers.append([json.loads(line)["logits"] for line in done.stdout.splitlines()])
        for i, other in enumerate(answers[1:]):
            self.assertNotEqual(answers[0], other, i)

    def test_export_measures_on_what_the_model_sees(self):
        shutil.copytree(self.folder / "photos", self.folder / "broken")
        (self.folder / "broken/test/down/000.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        for changes in ({"crop_pct": 0.3}, {"crop_pct": 0.4, "interpolation": "nearest"}, {"crop_pct": 1.6}):
            folder = self.config(**changes)
            eval_done = mgd("eval", folder, "--data", "broken", "--json", cwd=self.folder)
            done = mgd("export", folder, "--onnx", "seen.onnx", "--data", "broken", "--int8", "broken", "--json", cwd=self.folder,
                       env=dict(os.environ, MGD_PYTHON="/bin/false"))
            self.expect(done, 0, f"crop {changes['crop_pct']:g}", "test/down/000.png")
            shown = json.loads(done.stdout)["int8"]
            self.assertEqual(shown["float_accuracy"], json.loads(eval_done.stdout)["metrics"]["accuracy"], changes)
            self.assertEqual(shown["samples"], 11)

    def test_what_a_folder_says_and_nobody_can_do_is_refused(self):
        self.expect(mgd("eval", self.config(interpolation="random"), "--data", "photos", cwd=self.folder), 2, "interpolation: got 'random'")
        fixed = self.config(fixed_input_size=True)
        self.expect(mgd("eval", fixed, "--data", "photos", cwd=self.folder), 0)
        self.expect(mgd("eval", fixed, "--data", "photos", "--image-size", 64, cwd=self.folder), 2, "fixed_input_size")

    def test_bare_weights_see_pictures_of_one_size_as_they_are(self):
        write_photos(self.folder / "even", lambda draw: 28)
        done = mgd("train", "recipe.yaml", "--run-dir", "even-run", "data.path=even", cwd=self.folder)
        self.expect(done, 0, "3 x 28 x 28 (the size of all pictures)")
        folder = mgd("eval", "even-run/model", "--data", "even", "--json", cwd=self.folder)
        bare = mgd("eval", "even-run/model/model.safetensors", "--model", "cifar_resnet8", "--data", "even", "--json", cwd=self.folder)
        if "--model" in bare.stderr or bare.returncode:  # a width of its own needs the folder
            return
        self.assertEqual(json.loads(bare.stdout)["metrics"]["loss"], json.loads(folder.stdout)["metrics"]["loss"])

    def test_grey_pictures_for_a_colour_model_and_the_reverse_are_converted(self):
        write_photos(self.folder / "grey", lambda draw: 32, grey=True)
        said = "are grey: shown to the model in three equal channels"
        self.expect(mgd("eval", self.model, "--data", "grey", cwd=self.folder), 0, "12 of 12 " + said)
        done = mgd("train", "recipe.yaml", "--run-dir", "on-grey", f"student={self.model}", "data.path=grey", cwd=self.folder)
        self.expect(done, 0, "32 of 32 " + said, "3 x 32 x 32")
        self.expect(mgd("train", "recipe.yaml", "--run-dir", "grey-run", "data.path=grey", cwd=self.folder), 0, "1 x 32 x 32")
        grey = self.folder / "grey-run/model"
        self.expect(mgd("eval", grey, "--data", "photos", cwd=self.folder), 0, "12 of 12 have colours: shown to the model in grey")
        self.expect(mgd("predict", grey, "photos/test", cwd=self.folder), 0)

    def test_memory_and_time_are_said_and_what_cannot_fit_is_refused(self):
        dry = ("train", "recipe.yaml", "--run-dir", "dry", "--dry-run", "student.model=resnet18", "data.image_size=128", "train.batch_size=32")
        self.expect(mgd(*dry, cwd=self.folder), 0, "estimate   memory about", "a step")
        for mib in range(1024, 6144, 256):  # what the program needs to start differs from machine to machine
            limit = mib << 20
            done = mgd(*dry, "student.width=2", "data.image_size=256", cwd=self.folder,
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
            if "pictures of 256 x 256 at once need" in done.stderr:
                break
        self.expect(done, 71, "at once need about", "are free", "train.check_memory=false")


if __name__ == "__main__":
    unittest.main(verbosity=1)
