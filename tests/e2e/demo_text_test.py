"""`mgd demo text` on a small text of our own, with a budget of a few steps. Standard library only.

    python3 tests/e2e/demo_text_test.py build/release/mgd
"""

import collections
import json
import math
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import MGD

ROOT = pathlib.Path(__file__).resolve().parents[2]


def mgd(*args, cwd):
    # Sums this small are faster on one thread.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([MGD, *map(str, args)], cwd=cwd, capture_output=True, text=True, timeout=120, env=environment)


def notes():
    """A grammar of a few words, 24 kB, with verses of several lines."""
    draw = random.Random(1)
    who, did, where = ["king", "cat", "child", "old man"], ["sat", "slept", "sang", "wept"], ["stone", "throne", "r\u00f6ad", "roof"]
    lines = []
    while sum(map(len, lines)) < 24_000:
        a, b = draw.choice(who), draw.choice(who)
        lines.append(f"The {a} {draw.choice(did)} on the {draw.choice(where)} before the {b} came.\n"
                     f"And then the {b},\n{draw.choice(did)} with all the others <b>there</b>!\n\n")
    return "".join(lines)


class DemoText(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="mgd-demo-"))
        cls.text = notes()
        (cls.folder / "notes.txt").write_text(cls.text)
        cls.done = mgd("demo", "text", "--data", "notes.txt", "--run-dir", "out", "--steps", 3, cwd=cls.folder)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def test_tells_its_story_in_80_columns(self):
        self.assertEqual(self.done.returncode, 0, self.done.stderr)
        for part in ("masked model", "causal model", "by frequency", "Gaps filled", "Sentences continued", "out/report.html"):
            self.assertIn(part, self.done.stdout)
        self.assertLessEqual(max(map(len, (self.done.stdout + self.done.stderr).splitlines())), 80)

    def test_holds_out_the_end_of_the_text(self):
        train, held_out = ((self.folder / "out/text" / name).read_text() for name in ("train.txt", "held-out.txt"))
        self.assertEqual(train + held_out, self.text)
        self.assertTrue(train.endswith("\n\n"))
        self.assertAlmostEqual(len(held_out) / len(self.text), 0.1, delta=0.02)

    def test_baseline_is_the_frequency_of_tokens(self):
        def ids(name):
            text = (self.folder / "out/text" / name).read_text()
            return json.loads(mgd("tokenize", "out/causal-tokens", text, "--json", "--no-special", cwd=self.folder).stdout)["ids"]
        counts, held_out = collections.Counter(ids("train.txt")), ids("held-out.txt")
        size = len(json.loads((self.folder / "out/causal-tokens/tokenizer.json").read_text())["model"]["vocab"])
        total = sum(counts.values()) + size
        expected = sum(math.log(total / (counts[i] + 1)) for i in held_out) / len(held_out)
        row = next(line for line in self.done.stdout.splitlines() if line.startswith("causal model"))
        # The training blocks leave out a few tokens, and the first held-out one is no target.
        self.assertAlmostEqual(float(row.split()[5]), expected, delta=0.03)

    def test_the_report_stands_alone(self):
        html = (self.folder / "out/report.html").read_text()
        for section in ("findings", "tables", "gaps", "continuations", "curves", "masks", "attention"):
            self.assertIn(f'<section id="{section}"', html)
        self.assertNotIn("<b>there", html)
        self.assertIsNone(re.search(r"https?:|<script", html))
        heads = html.count("tokens look at")
        self.assertGreaterEqual(heads, 4 + 2 * 2 * 2)  # the masks, and two heads of two layers at least of two models
        subprocess.run(["sh", ROOT / "scripts/check_report.sh", self.folder / "out/report.html"], check=True, capture_output=True)

    def test_the_models_are_folders_to_use(self):
        self.assertIn("%", mgd("fill-mask", "out/mlm/model", "the [MASK] sat on the stone", cwd=self.folder).stdout)
        self.assertIn("The king", mgd("generate", "out/clm/model", "--prompt", "The king", cwd=self.folder).stdout)

    def test_comes_again_the_same(self):
        again = mgd("demo", "text", "--data", "notes.txt", "--run-dir", "out2", "--steps", 3, "--quiet", cwd=self.folder)
        self.assertEqual(again.stderr, "")
        shown = lambda text: text[:text.index(" s in all")].rsplit("\n", 1)[0]
        self.assertEqual(shown(again.stdout), shown(self.done.stdout))

    def test_its_own_text_is_in_the_program(self):
        self.assertIn((ROOT / "data/shakespeare.txt").read_bytes(), MGD.with_name("mgd-torch").read_bytes())

    def test_errors(self):
        (self.folder / "short.txt").write_text("too little\n" * 9)
        (self.folder / "blank.txt").write_text(" \n" * 20_000)
        for args, code, texts in (
                (("txt",), 2, ["demo: got 'txt'", "did you mean 'text'"]),
                (("text", "--seeds", 3), 2, ["--seeds and --per-class are for `mgd demo digits`"]),
                (("digits", "--steps", 3), 2, ["--steps is for `mgd demo text`"]),
                (("text", "--data", "gone.txt"), 66, ["gone.txt"]),
                (("text", "--data", "."), 77, ["."]),
                (("text", "--data", "short.txt"), 65, ["short.txt: got a text of 99 bytes, expected at least 20000"]),
                (("text", "--data", "blank.txt"), 65, ["no text"])):
            done = mgd("demo", *args, "--run-dir", "failed", cwd=self.folder)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertEqual(done.stdout, "")
            for text in texts:
                self.assertIn(text, done.stderr)


if __name__ == "__main__":
    unittest.main()
