"""Text models that are trained, used, and trained further. Standard library only.

    python3 tests/e2e/text_training_test.py build/release/mgd
"""

import json
import pathlib
import random
import shutil
import tempfile
import unittest

from harness import mgd

WORDS = [a + b for a in ("ba", "ko", "mi", "tu", "re", "za") for b in ("lin", "dor", "sek", "pau", "nim")]


class WithTexts(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mgd-text-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def run_mgd(self, *args, code=0, **options):
        done = mgd(*args, cwd=self.folder, **options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def train(self, recipe, *args, **options):
        (self.folder / "recipe.yaml").write_text(recipe)
        return self.run_mgd("train", "recipe.yaml", "--threads", 1, "--overwrite", *args, **options)


class Causal(WithTexts):
    def test_memorised_lines_are_completed_and_end(self):
        for kind in ("bpe", "wordpiece"):
            with self.subTest(kind):
                self.complete_lines(kind)

    def complete_lines(self, kind):
        draw = random.Random(4)
        lines = [" ".join(draw.sample(WORDS, 6)) for _ in range(8)]
        (self.folder / "lines.txt").write_text("\n".join(lines) + "\n")
        self.run_mgd("tokenize", "--train", "lines.txt", "--kind", kind, "--vocab-size", 400, "--min-frequency", 1, "--out", "tokens",
                     "--overwrite")
        self.train("task: clm\ndata: {path: lines.txt, validation: 0}\ntext: {tokenizer: tokens, max_length: 48}\n"
                   "student: {model: gpt2, hidden_size: 64, layers: 2, heads: 2, max_positions: 64, dropout: 0}\n"
                   "train: {optimizer: adamw, lr: 3e-3, batch_size: 8, epochs: 120, weight_decay: 0}\nrun: {dir: run}\n")
        prompts = "".join(" ".join(line.split()[:2]) + "\n" for line in lines)
        done = self.run_mgd("generate", "run/model", "--prompts-file", "-", "--json", "--threads", 1, input=prompts)
        rows = [json.loads(row) for row in done.stdout.splitlines()]
        self.assertEqual([row["generated_text"] for row in rows], lines)
        end = json.loads((self.folder / "run/model/config.json").read_text())["eos_token_id"]
        for row in rows:
            self.assertEqual(row["tokens"][-1], end, "it stops by itself")


class Limits(WithTexts):
    def test_are_found_by_a_dry_run(self):
        rows = "".join(f"{' '.join(WORDS * 3)},{label}\n" for label in "xy" * 20)
        (self.folder / "rows.csv").write_text("text,label\n" + rows)
        self.run_mgd("tokenize", "--train", "rows.csv", "--vocab-size", 200, "--out", "tokens")
        recipe = ("task: classify\ndata: {path: rows.csv, validation: 0}\ntext: {tokenizer: tokens}\n"
                  "student: {model: bert, hidden_size: 16, layers: 1, heads: 2, max_positions: 64}\n"
                  "train: {batch_size: BATCH}\nrun: {dir: run}\n")
        long = self.train(recipe.replace("BATCH", "8"), "--dry-run", code=2)
        self.assertIn("takes at most 64; write text.max_length: 64", long.stderr)
        big = self.train(recipe.replace("BATCH", "64"), "--dry-run", "text.max_length=64", code=2)
        self.assertIn("train.batch_size: got 64, but there are only 40", big.stderr)
        small = self.train(recipe.replace("BATCH", "8"), "--dry-run", "text.max_length=64", "student.vocab_size=20", code=2)
        self.assertIn("student: bert knows 20 tokens, the tokenizer has", small.stderr)
        gone = self.train("task: mlm\ndata: {path: rows.csv}\nstudent: gone\nrun: {dir: run}\n", "--dry-run", code=66)
        self.assertIn("gone: no such model folder", gone.stderr)
        done = self.train(recipe.replace("BATCH", "8"), "--dry-run", "text.max_length=64")
        self.assertIn("rows are longer than 64 tokens and lose their end", done.stderr)


if __name__ == "__main__":
    unittest.main()
