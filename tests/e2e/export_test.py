#!/usr/bin/env python3
"""mgd export as a user meets it. ONNX Runtime itself judges where this Python has it; a stand-in that answers wrongly always does."""

import importlib.util
import json
import os
import stat
import sys
import unittest

import harness
from harness import mgd

# A "Python" that has onnxruntime, but whose answers are not the model's: what a broken operator looks like from outside.
WRONG = """#!/usr/bin/env python3
import pathlib, struct, sys
if len(sys.argv) == 3:
    print("0.0-wrong")
    sys.exit(0)
folder = pathlib.Path(sys.argv[4])
for n in range(1000):
    file = folder / f"{n}.npy"
    if not file.exists():
        break
    head = file.read_bytes()[:128].decode("latin1")
    batch = int(head.split("'shape': (")[1].split(",")[0])
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 3)}" % batch
    text += " " * (-(10 + len(text) + 1) % 64) + chr(10)
    (folder / f"out-{n}.npy").write_bytes(b"\\x93NUMPY\\x01\\x00" + struct.pack("<H", len(text)) + text.encode() + struct.pack("<f", 0.5) * 3 * batch)
print('{"latency_ms": 1}')
"""
CRASHES = """#!/bin/sh
[ $# = 2 ] && echo 0.0-crash && exit 0
echo "Fatal error: Foo(17) is not a registered function" >&2
exit 1
"""


class Export(harness.WithFolder):
    def export(self, *args, python="/bin/false", cwd=None):
        return mgd("export", "teacher/model", *args, cwd=cwd or self.folder, env=dict(os.environ, MGD_PYTHON=str(python)))

    def script(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def staged(self):
        return [path.name for path in self.folder.iterdir() if path.name.startswith(".tmp-")]

    def test_without_a_runtime_it_says_not_checked(self):
        done = self.export("--onnx", "plain.onnx")
        self.expect(done, 0, "not checked", "/bin/false")
        self.assertIn("not checked", done.stdout)
        self.assertGreater((self.folder / "plain.onnx").stat().st_size, 1000)
        shown = json.loads(self.export("--onnx", "plain.onnx", "--json", "--quiet").stdout)
        self.assertIs(shown["checked"], False)
        self.assertEqual(self.staged(), [])

    def test_what_differs_is_not_published_and_the_old_file_stays(self):
        target = self.folder / "kept.onnx"
        target.write_text("the old file")
        done = self.export("--onnx", target.name, python=self.script("wrong", WRONG))
        self.expect(done, 70, "not published", "0.0-wrong", "differ from the model's by")
        self.assertEqual(target.read_text(), "the old file")
        self.assertEqual(self.staged(), [])

    def test_what_the_runtime_refuses_is_not_published(self):
        done = self.export("--onnx", "refused.onnx", python=self.script("crashes", CRASHES))
        self.expect(done, 70, "Foo(17) is not a registered function", "0.0-crash")
        self.assertFalse((self.folder / "refused.onnx").exists())

    def test_int8_without_a_runtime_is_measured_by_libtorch(self):
        done = self.export("--onnx", "small.onnx", "--int8", "toy.csv", "--json")
        self.expect(done, 0)
        int8 = json.loads(done.stdout)["int8"]
        self.assertGreater(int8["accuracy"], int8["float_accuracy"] - 0.05)
        self.assertEqual(len(int8["layers"]), 5)
        self.assertIn("LibTorch", int8["measured_with"])
        self.assertIn("(train)", int8["calibrated_on"])
        self.assertLess(int8["bytes"], (self.folder / "small.onnx").stat().st_size)
        self.assertTrue((self.folder / "small.int8.onnx").exists())

    def test_mistakes_name_what_is_wrong(self):
        self.expect(self.export(), 2, "--onnx FILE is missing")
        self.expect(self.export("--onnx", "a.onnx", "--int8-keep", "first"), 2, "--int8 DATA")
        self.expect(self.export("--onnx", "a.onnx", "--int8", "toy.csv", "--int8-keep", "lats"), 2, "last")
        self.expect(self.export("--onnx", "none/a.onnx"), 73, "none/a.onnx")
        self.expect(self.export("--onnx", "teacher"), 73, "folder")
        self.expect(self.export("--onnx", "a.onnx", "--data", "nothing.csv"), 66, "nothing.csv")

    @unittest.skipUnless(importlib.util.find_spec("onnxruntime"), "this Python has no onnxruntime")
    def test_in_onnxruntime_the_predictions_are_the_same(self):
        for more in ((), ("--with-preprocessing",)):
            done = self.export("--onnx", "real.onnx", "--data", "toy.csv", "--int8", "toy.csv", "--json", *more, python=sys.executable)
            self.expect(done, 0)
            shown = json.loads(done.stdout)
            self.assertEqual(shown["check"]["same_predictions"], shown["check"]["samples"])
            self.assertLess(shown["check"]["difference"], 1e-4)
            self.assertGreater(shown["int8"]["accuracy"], shown["int8"]["float_accuracy"] - 0.05)


if __name__ == "__main__":
    unittest.main()
