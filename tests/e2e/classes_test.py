"""Whose classes are whose, and what weights may be, as a user of the command meets it. Standard library only, but for the
conversion of pickles, which needs the torch and safetensors of the project's .venv and is skipped without them.

    python3 tests/e2e/classes_test.py build/release/mgd
"""

import json
import math
import pathlib
import shutil
import struct
import subprocess
import unittest

from harness import WithFolder, mgd
from pictures import write_folders

PYTHON = pathlib.Path(__file__).resolve().parents[2] / ".venv/bin/python"
NAMES = ("columns", "rows")
MAKE_PICKLES = """
import argparse, torch, safetensors.torch as s
plain = s.load_file("model/model.safetensors")
torch.save({"epoch": 3, "model": plain, "best": 1.0}, "model.pth")
torch.save({"state_dict": {"module." + k: v for k, v in plain.items()}, "epoch": 1}, "module.pth")
torch.save({"opt": argparse.Namespace(a=1), "model": plain}, "namespace.pth")
average = {"module._orig_mod." + k: v for k, v in plain.items()}
other = {k: v + 1 if v.is_floating_point() else v for k, v in plain.items()}
moments = {i: {"exp_avg": v, "exp_avg_sq": v} for i, v in enumerate(plain.values())}
torch.save({"model": other, "model_ema": average, "optimizer": {"state": moments}}, "average.pth")
"""


def read_tensors(file):
    """name -> (dtype, shape, bytes)."""
    data = file.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8:8 + size]), data[8 + size:]
    header.pop("__metadata__", None)
    return {name: (t["dtype"], t["shape"], body[slice(*t["data_offsets"])]) for name, t in header.items()}


def write_tensors(file, tensors):
    header, body = {}, b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + body)


class Classes(WithFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        write_folders(cls.folder / "photos", NAMES, train=40, test=12, side=8)
        (cls.folder / "photos.yaml").write_text("data: {path: photos, validation: 0}\nstudent: {model: cifar_resnet8, width: 0.25}\n"
                                                "train: {epochs: 4, batch_size: 20, lr: 0.05}\nrun: {threads: 1}\n")
        done = mgd("train", "photos.yaml", "--run-dir", "run", cwd=cls.folder)
        assert done.returncode == 0, done.stderr
        shutil.copytree(cls.folder / "run/model", cls.folder / "model")

    def changed_model(self, name, names=None, tensors=None):
        """A copy of the model with other names of its classes, or other tensors."""
        shutil.rmtree(self.folder / name, ignore_errors=True)
        shutil.copytree(self.folder / "model", self.folder / name)
        if names is not None:
            config = json.loads((self.folder / name / "config.json").read_text())
            config.update(label_names=names, num_classes=len(names))
            config["pretrained_cfg"]["num_classes"] = len(names)
            (self.folder / name / "config.json").write_text(json.dumps(config))
        if tensors is not None:
            write_tensors(self.folder / name / "model.safetensors", tensors)
        return name

    def with_rows(self, places):
        """The tensors of the model with these rows of its head."""
        tensors = read_tensors(self.folder / "model/model.safetensors")
        for name in ("linear.weight", "linear.bias"):
            dtype, shape, data = tensors[name]
            width = len(data) // shape[0]
            tensors[name] = (dtype, [len(places), *shape[1:]], b"".join(data[width * p:width * (p + 1)] for p in places))
        return tensors

    def accuracy(self, model, *more, data="photos"):
        done = mgd("eval", model, "--data", data, "--json", *more, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(done.stdout)["metrics"]
        result["notes"] = done.stderr
        return result

    def test_another_order_is_measured_and_taught_right(self):
        expected = self.accuracy("model")
        self.assertGreater(expected["accuracy"], 0.8)
        other = self.changed_model("other", ["rows", "columns"], self.with_rows([1, 0]))
        got = self.accuracy(other)
        self.assertEqual((got["accuracy"], round(got["loss"], 5)), (expected["accuracy"], round(expected["loss"], 5)))
        self.assertIn("another order, matched by name", got["notes"])
        self.assertEqual([row["label"] for row in got["per_class"]], ["rows", "columns"])
        done = mgd("distill", "photos.yaml", "teacher=other", "losses=[kd]", "--run-dir", "taught", "--json", cwd=self.folder)
        self.expect(done, 0)
        self.assertEqual(json.loads(done.stdout)["teacher"]["metrics"]["accuracy"], expected["accuracy"])
        self.assertGreater(json.loads(done.stdout)["metrics"]["accuracy"], 0.6)  # swapped classes would give less than a half

    def test_a_part_of_the_classes_is_measured_among_all(self):
        bigger = self.changed_model("bigger", ["waves", "rows", "dots", "columns"], self.with_rows([0, 1, 1, 0]))
        got = self.accuracy(bigger)
        self.assertIn("has 4 classes, 2 of them the data's", got["notes"])
        self.assertIn("counts as wrong", got["notes"])
        self.assertEqual([row["support"] for row in got["per_class"]], [0, 12, 0, 12])
        # A test part with one class of the two.
        shutil.copytree(self.folder / "photos/test/rows", self.folder / "half/test/rows")
        self.assertEqual(self.accuracy("model", data="half")["per_class"][1]["support"], 12)

    def test_an_unknown_class_is_refused_with_the_nearest(self):
        other = self.changed_model("misspelt", ["colums", "rows"])
        self.expect(mgd("eval", other, "--data", "photos", cwd=self.folder), 2, "'columns'; did you mean 'colums'?")
        self.expect(mgd("distill", "photos.yaml", "teacher=misspelt", "--run-dir", "no", cwd=self.folder), 2, "did you mean 'colums'?")
        self.expect(mgd("train", "photos.yaml", "student=misspelt", "--run-dir", "no", cwd=self.folder), 2, "student.head: fresh")

    def test_names_for_bare_weights(self):
        write_tensors(self.folder / "bare.safetensors", self.with_rows([1, 0]))
        expected = self.accuracy("model")["accuracy"]
        arguments = ["bare.safetensors"]
        if "fit no architecture" in mgd("inspect", *arguments, cwd=self.folder).stderr:
            self.skipTest("bare weights of a narrow network do not open without a folder")
        self.assertEqual(self.accuracy(*arguments, "--classes", "rows", "--classes", "columns")["accuracy"], expected)
        self.assertIn("in the order of the data's (columns, rows)", self.accuracy(*arguments)["notes"])
        self.expect(mgd("eval", *arguments, "--data", "photos", "--classes", "rows", cwd=self.folder), 2, "--classes: 1 names")
        self.expect(mgd("predict", "model", "photos/test/rows", "--classes", "a", "--classes", "b", cwd=self.folder), 2, "of their own")

    def test_weights_that_are_no_numbers_are_refused_by_every_verb(self):
        for tensor, value in (("conv1.weight", math.nan), ("linear.bias", math.inf)):
            tensors = read_tensors(self.folder / "model/model.safetensors")
            dtype, shape, data = tensors[tensor]
            tensors[tensor] = (dtype, shape, struct.pack("<f", value) + data[4:])
            broken = self.changed_model("broken", tensors=tensors)
            for command in (("eval", broken, "--data", "photos"), ("predict", broken, "photos/test/rows"), ("inspect", broken),
                            ("train", "photos.yaml", f"student={broken}", "--run-dir", "no"),
                            ("distill", "photos.yaml", f"student={broken}", "teacher=model", "--run-dir", "no"),
                            ("distill", "photos.yaml", f"teacher={broken}", "--run-dir", "no")):
                self.expect(mgd(*command, cwd=self.folder), 65, "NaN or infinity", tensor)
        dtype, shape, data = tensors["bn1.weight"]
        tensors["bn1.weight"] = ("I32", shape, data)
        self.expect(mgd("inspect", self.changed_model("integers", tensors=tensors), cwd=self.folder), 65, "bn1.weight is Int")

    def test_what_a_download_left_in_place_of_weights(self):
        pointer = b"version https://git-lfs.test/spec/v1\noid sha256:0\nsize 1\n"
        for content, text in ((pointer, "Git LFS pointer"), (b"<!DOCTYPE html><html>", "a web page")):
            broken = self.changed_model("download")
            (self.folder / broken / "model.safetensors").write_bytes(content)
            self.expect(mgd("predict", broken, "photos/test/rows", cwd=self.folder), 65, text)
            (self.folder / broken / "config.json").write_bytes(content)
            self.expect(mgd("inspect", broken, cwd=self.folder), 65, text)
        (self.folder / "adapter").mkdir()
        (self.folder / "adapter/adapter_config.json").write_text("{}")
        self.expect(mgd("inspect", "adapter", cwd=self.folder), 65, "LoRA", "merge")
        write_tensors(self.folder / "lora.safetensors", {"base_model.model.q.lora_A.weight": ("F32", [1], bytes(4))})
        self.expect(mgd("inspect", "lora.safetensors", cwd=self.folder), 65, "LoRA", "merge")

    def test_the_printed_command_converts_pickles(self):
        probe = subprocess.run([PYTHON, "-c", "import torch, safetensors.torch"], capture_output=True) if PYTHON.exists() else None
        if probe is None or probe.returncode != 0:
            self.skipTest("no torch and safetensors in .venv")
        subprocess.run([PYTHON, "-c", MAKE_PICKLES], cwd=self.folder, check=True)
        expected = read_tensors(self.folder / "model/model.safetensors")
        for name in ("model.pth", "module.pth", "namespace.pth", "average.pth"):
            refused = mgd("inspect", name, cwd=self.folder)
            self.expect(refused, 77, "python3 -c")
            command = refused.stderr[refused.stderr.index("python3 -c"):].replace("python3", str(PYTHON), 1)
            done = subprocess.run(command, shell=True, cwd=self.folder, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(read_tensors(self.folder / f"{name}.safetensors"), expected, name)


if __name__ == "__main__":
    unittest.main(verbosity=1)
