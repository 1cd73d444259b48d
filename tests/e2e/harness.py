"""What tests of the command share: the program, a small dataset, a recipe, a teacher. Standard library only."""

import json
import pathlib
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import unittest

MGD = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else "build/release/mgd").resolve()
OTHER_TORCH = MGD.parent / "libother_torch.so"

RECIPE = """
data: {path: toy.csv, validation: 0.2, loader_threads: THREADS, mean: [0.5], std: [0.5]}
TEACHERstudent: {model: cifar_resnet8, width: 0.25}
losses: LOSSES
train: {epochs: 6, batch_size: 20, lr: 0.05, log_every: 1, checkpoint_every: 7, ema_decay: 0.9, precision: PRECISION}
run: {dir: run, seed: 5, threads: 1}
"""
LOSSES = "[{name: cross_entropy}, {name: kd, weight: 0.5}, {name: mgd, mask_ratio: 0.3}]"


def write_toy(folder):
    """300 images of 8 x 8 in three classes: rows, columns, a diagonal, each with noise."""
    draw = random.Random(1)
    with open(folder / "toy.csv", "w") as out:
        for i in range(300):
            kind = i % 3
            shift = draw.randrange(4)
            pixels = []
            for y in range(8):
                for x in range(8):
                    lit = [(y + shift) % 4 == 0, (x + shift) % 4 == 0, (x + y + shift) % 4 == 0][kind]
                    pixels.append((12 if lit else 2) + draw.randrange(4))
            out.write(",".join(map(str, pixels + [kind])) + "\n")


def write_recipe(folder, name="recipe.yaml", teacher="", losses="[{name: cross_entropy}]", threads=0, precision="fp32"):
    text = RECIPE.replace("THREADS", str(threads)).replace("LOSSES", losses).replace("PRECISION", precision)
    (folder / name).write_text(text.replace("TEACHER", teacher))


def mgd(*args, cwd, timeout=120, **options):
    return subprocess.run([MGD, *map(str, args)], cwd=cwd, capture_output=True, text=True, timeout=timeout, errors="replace", **options)


def cpu_seconds_of_children():
    """Of those that ended: unlike the time on the wall, it does not depend on what else the machine does."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rows(run):
    """metrics.jsonl without what depends on the clock."""
    result = []
    for line in (run / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        for key in ("throughput", "memory_mb", "page_faults"):
            row.pop(key, None)
        result.append(row)
    return result


def newest(run):
    return sorted((run / "checkpoints").glob("step-*"))[-1]


class WithFolder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="mgd-e2e-"))
        write_toy(cls.folder)
        write_recipe(cls.folder, "teacher.yaml")
        done = mgd("train", "teacher.yaml", "--run-dir", "teacher", "student.width=0.5", cwd=cls.folder)
        assert done.returncode == 0, done.stderr

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def expect(self, done, code, *texts):
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        for text in texts:
            self.assertIn(text, done.stderr)
