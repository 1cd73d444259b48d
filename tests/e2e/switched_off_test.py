"""What makes a run fast, switched off: the same losses but for rounding. Standard library only.

    python3 tests/e2e/switched_off_test.py build/release/mgd
"""

import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest

from harness import MGD
from pictures import write_folders

# Both masks of MGD, a teacher whose outputs are kept from the second epoch on, maps on which Winograd pays.
IMAGES = """
data: {path: pictures, validation: 0, loader_threads: 0}
student: {model: cifar_resnet8}
teacher: {path: teacher/model}
losses:
  - {name: cross_entropy}
  - {name: kd, weight: 0.5}
  - {name: mgd, label: positions, mask: spatial, mask_ratio: 0.5}
  - {name: mgd, label: channels, mask: channel, mask_ratio: 0.5, skip: always}
train: {epochs: 3, batch_size: 20, lr: 0.01, log_every: 1, check_teacher: false, teacher_cache: kept}
run: {seed: 5, threads: 1}
"""
TEXTS = """
task: TASK
data: {path: ragged.txt, validation: 0.2, loader_threads: 0}
text: {tokenizer: tokens, samples: SAMPLES, max_length: 64, cache_dir: store}
student: {model: MODEL, hidden_size: 32, layers: 2, heads: 2, intermediate_size: 64, dropout: 0.1}
train: {optimizer: adamw, max_steps: 4, batch_size: 16, lr: 0.001, log_every: 1}
run: {seed: 5, threads: 1}
"""


class SwitchedOff(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="mgd-off-"))
        write_folders(cls.folder / "pictures", ("rows", "columns"), train=20, test=2)
        (cls.folder / "images.yaml").write_text(IMAGES)
        draw = random.Random(2)
        words = ["moon", "sea", "hill", "stone", "river", "wolf", "crow", "rain", "gate", "king", "song", "fire"]
        lines = [" ".join(draw.choice(words) for _ in range(draw.choice([1, 2, 5, 9, 30]))) for _ in range(200)]
        (cls.folder / "ragged.txt").write_text("\n".join(lines) + "\n")
        cls.mgd("train", "images.yaml", "--run-dir", "teacher", "teacher.path=", "losses=[{name: cross_entropy}]", "train.epochs=1",
                "student.width=1.5", "--no-cache")
        cls.mgd("tokenize", "--train", "ragged.txt", "--vocab-size", "120", "--out", "tokens")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @classmethod
    def mgd(cls, *args, code=0):
        done = subprocess.run([MGD, *map(str, args)], cwd=cls.folder, capture_output=True, text=True, timeout=300,
                              env={**os.environ, "OMP_NUM_THREADS": "1"})
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr

    def losses(self, verb, recipe, run, *flags):
        """The losses of each step, whole and by name."""
        self.mgd(verb, recipe, "--run-dir", run, *flags)
        rows = [json.loads(line) for line in (self.folder / run / "metrics.jsonl").read_text().splitlines()]
        return [{key: value for key, value in row.items() if key == "loss" or key.startswith("loss/")} for row in rows if "loss" in row]

    def assert_close(self, ours, theirs, tolerance):
        self.assertGreaterEqual(len(ours), 4)
        self.assertEqual(len(ours), len(theirs))
        for step, (a, b) in enumerate(zip(ours, theirs)):
            self.assertEqual(a.keys(), b.keys())
            for key in a:
                self.assertLessEqual(abs(a[key] - b[key]), tolerance * abs(b[key]), f"step {step}, {key}: {a[key]} and {b[key]}")

    def test_image_distillation(self):
        fast = self.losses("distill", "images.yaml", "fast")
        plain = self.losses("distill", "images.yaml", "plain", "--no-skip", "--no-cache", "--allocator", "system")
        self.assertIn("loss/channels", fast[0])
        self.assert_close(fast, plain, 1e-4)
        self.assert_close(self.losses("distill", "images.yaml", "system", "--allocator", "system"), fast, 1e-4)
        winograd = self.losses("distill", "images.yaml", "winograd", "--winograd", "--no-cache")
        self.assertNotEqual(winograd, fast)
        self.assert_close(winograd, fast, 5e-4)
        for run, text in (("plain", "skip_hidden: false"), ("winograd", "winograd: true"), ("fast", "skip_hidden: true")):
            self.assertIn(text, (self.folder / run / "config.yaml").read_text())
        # A run goes on as it began.
        for flag in ("--no-skip", "--winograd"):
            self.assertIn("precision", self.mgd("distill", "--resume", "--run-dir", "fast", flag, code=2))

    def test_language_models_of_ragged_documents(self):
        for task, model, samples in (("mlm", "bert", "documents"), ("mlm", "bert", "packed"), ("clm", "gpt2", "packed")):
            with self.subTest(task=task, samples=samples):
                recipe, run = f"{task}-{samples}.yaml", f"{task}-{samples}"
                (self.folder / recipe).write_text(TEXTS.replace("TASK", task).replace("MODEL", model).replace("SAMPLES", samples))
                fast = self.losses("train", recipe, run)
                plain = self.losses("train", recipe, run + "-plain", "--no-skip", "--allocator", "system")
                self.assertNotEqual(fast, plain, "rounding alone shows that the other way was taken")
                self.assert_close(fast, plain, 1e-4)


if __name__ == "__main__":
    unittest.main(verbosity=1)
