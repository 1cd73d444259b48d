"""`mgd distill --static` on the encoder of scripts/fixtures/make_static.py. Standard library only.

    python3 tests/e2e/static_test.py build/release/mgd
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from harness import MGD

STATIC = pathlib.Path(__file__).parents[1] / "train/fixtures/static"
PAIRS = [("the cat sat", "a cat sat", 4), ("the dog", "the mat", 1), ("zebra", "the cat", 0), ("a b c", "c b a", 5)]


class DistillStatic(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def mgd(self, *args):
        return subprocess.run([MGD, *map(str, args)], cwd=self.folder, capture_output=True, text=True, timeout=120,
                              env={**os.environ, "OMP_NUM_THREADS": "1"})

    def make(self, *args):
        done = self.mgd("distill", "--static", STATIC / "encoder", "--out", "static", "--components", 5, *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def fails(self, code, text, *args):
        done = self.mgd("distill", *args)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertIn(text, done.stderr)

    def test_a_model_that_the_other_verbs_open(self):
        done = self.make()
        self.assertIn("26 vectors of 5 numbers", done.stdout)
        self.assertIn("3 placeholders [unusedN] are left out", done.stderr)
        self.assertEqual({path.name for path in (self.folder / "static").iterdir()},
                         {"config.json", "model.safetensors", "modules.json", "tokenizer.json"})
        rows = [json.loads(line) for line in self.mgd("predict", "static", "--json", "the cat", "", "zebra").stdout.splitlines()]
        self.assertAlmostEqual(sum(x * x for x in rows[0]["embedding"]), 1, delta=1e-5)
        self.assertEqual([row["embedding"] for row in rows[1:]], [[0] * 5] * 2)
        self.assertIn("130 parameters", self.mgd("inspect", "static").stdout)
        (self.folder / "pairs.jsonl").write_text(
            "".join(json.dumps({"first": a, "second": b, "score": score}) + "\n" for a, b, score in PAIRS))
        measured = self.mgd("eval", "static", "--data", "pairs.jsonl", "--columns", "first", "--columns", "second", "--target", "score",
                            "--json")
        self.assertEqual(measured.returncode, 0, measured.stderr)
        self.assertEqual(json.loads(measured.stdout)["samples"], 4)

    def test_a_signal_leaves_nothing_staged(self):
        """The tokens of a measure are staged as long as it lasts."""
        self.make()
        (self.folder / "pairs.jsonl").write_text(
            "".join(json.dumps({"first": f"the cat {i}", "second": "a dog", "score": i % 6}) + "\n" for i in range(200_000)))
        (self.folder / "scratch").mkdir()
        for end in (signal.SIGTERM, signal.SIGINT):
            process = subprocess.Popen([MGD, "eval", "static", "--data", "pairs.jsonl", "--columns", "first", "--columns", "second",
                                        "--target", "score"], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(self.folder / "scratch")})
            while not list((self.folder / "scratch").glob(".tmp-mgd-tokens-*/.tmp-*/tokens.bin")):
                self.assertIsNone(process.poll())
                time.sleep(0.01)
            process.send_signal(end)
            process.communicate(timeout=60)
            self.assertEqual(process.returncode, -end, "as if nobody had watched")
            self.assertEqual(list((self.folder / "scratch").iterdir()), [])

    def test_what_a_killed_one_left_goes_with_the_next(self):
        (self.folder / ".tmp-static-1-0").mkdir()
        (self.folder / ".tmp-static-1-0/model.safetensors").write_bytes(b"half")
        self.make()
        self.assertEqual({path.name for path in self.folder.iterdir()}, {"static"})

    def test_what_stands_there_is_replaced_only_when_asked(self):
        self.make()
        again = ("--static", STATIC / "encoder", "--out", "static", "--components", 3)
        self.fails(73, "replace it with --overwrite", *again)
        self.assertEqual(self.mgd("distill", *again, "--overwrite").returncode, 0)
        self.assertEqual(json.loads((self.folder / "static/config.json").read_text())["apply_pca"], 3)
        (self.folder / "mine").mkdir()
        (self.folder / "mine/letter.txt").write_text("mine")
        self.fails(73, "no static model", "--static", STATIC / "encoder", "--out", "mine", "--overwrite")
        self.assertTrue((self.folder / "mine/letter.txt").exists())

    def test_flags_that_do_not_belong_together(self):
        teacher = ("--static", STATIC / "encoder")
        self.fails(2, "--out is missing", *teacher)
        self.fails(2, "--seed: it belongs to a recipe", *teacher, "--out", "x", "--seed", 3)
        self.fails(2, "--teacher: it belongs to a recipe", *teacher, "--out", "x", "--teacher", "y")
        self.fails(2, "--static takes no recipe", "recipe.yaml", *teacher, "--out", "x")
        self.fails(2, "--components: it belongs to --static", "recipe.yaml", "--components", 5)
        self.fails(2, "--components", *teacher, "--out", "x", "--component", 5)
        self.fails(2, "did you mean 'output'", *teacher, "--out", "x", "--vectors", "outputs")

    def test_wrong_teachers(self):
        fixtures = STATIC.parents[2]
        for teacher, text in [(fixtures / "generate/fixtures/gpt2", "config.json says GPT2LMHeadModel"), (STATIC, "model of pictures, or none"),
                              (STATIC / "package_short", "a static model already")]:
            self.fails(2, text, "--static", teacher, "--out", "x")
        self.fails(66, "no such model folder", "--static", "nowhere", "--out", "x")
        self.fails(2, "--components: got 13", "--static", STATIC / "encoder", "--out", "x", "--components", 13)
        self.assertFalse((self.folder / "x").exists())


if __name__ == "__main__":
    unittest.main()
