"""The verbs of text models on the tiny models of scripts/fixtures/make_generation.py. Standard library only.

    python3 tests/e2e/text_verbs_test.py build/release/mgd
"""

import json
import math
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from harness import MGD

MODELS = pathlib.Path(__file__).parents[1] / "generate/fixtures"
EXPECTED = json.loads((MODELS / "expected.json").read_text())


def mgd(*args, **options):
    # Sums this small are faster on one thread.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([MGD, *map(str, args)], cwd=MODELS, capture_output=True, text=True, timeout=120, errors="replace",
                          env=environment, **options)


class Verbs(unittest.TestCase):
    def rows(self, *args, **options):
        done = mgd(*args, "--json", **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def fails(self, code, texts, *args, **options):
        done = mgd(*args, **options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertEqual(done.stdout, "")
        for text in texts:
            self.assertIn(text, done.stderr)

    def assert_close(self, ours, theirs, tolerance=1e-5):
        self.assertEqual(len(ours), len(theirs))
        for a, b in zip(ours, theirs):
            self.assertAlmostEqual(a, b, delta=tolerance)


class Generate(Verbs):
    def test_one_prompt_or_a_file_of_them(self):
        prompts = ["a cat", "the dog sat on", "x"]
        options = ("--temperature", "0.9", "--top-k", "50", "--seed", "3", "--max-new-tokens", "12")
        together = self.rows("generate", "gpt2", "--prompts-file", "-", *options, input="\n".join(prompts) + "\n")
        self.assertEqual([row["prompt"] for row in together], prompts)
        for row in together:
            self.assertTrue(row["generated_text"].startswith(row["prompt"]))
            self.assertTrue(1 <= len(row["tokens"]) <= 12)
        without = self.rows("generate", "gpt2", "--prompts-file", "-", "--no-cache", *options, input="\n".join(prompts))
        self.assertEqual(without, together)
        alone = self.rows("generate", "gpt2", "--prompt", prompts[0], *options)
        self.assertEqual(alone, together[:1])
        self.assertNotEqual(self.rows("generate", "gpt2", "--prompt", prompts[0], *options, "--seed", 4), alone)

    def test_what_streams_is_what_comes_whole(self):
        whole = self.rows("generate", "gpt2", "--prompt", "a cat", "--repetition-penalty", "1.4")[0]["generated_text"]
        streamed = mgd("generate", "gpt2", "--prompt", "a cat", "--repetition-penalty", "1.4")
        quiet = mgd("generate", "gpt2", "--prompt", "a cat", "--repetition-penalty", "1.4", "--quiet")
        self.assertEqual(streamed.stdout, quiet.stdout)
        clean = "".join("\ufffd" if (ord(c) < 32 and c not in "\n\t") or ord(c) == 127 else c for c in whole)
        self.assertEqual(streamed.stdout.replace("\r", "\ufffd"), clean + "\n")

    def test_stop_and_beams(self):
        args = ("generate", "gpt2", "--prompt", "a cat", "--repetition-penalty", "1.4")
        new = self.rows(*args)[0]["generated_text"][len("a cat"):]
        stop = next(c for c in new[3:] if c not in "\x00-" and c not in new[:3])
        cut = self.rows(*args, "--stop", "never there", "--stop", stop)[0]["generated_text"][len("a cat"):]
        self.assertEqual(cut, new[:new.index(stop)])
        made = self.rows("generate", "bart", "--prompt", "a cat", "--num-beams", 2, "--max-new-tokens", 8)[0]
        self.assertEqual(made["tokens"][-1], 2)

    def test_errors(self):
        self.fails(2, ["there is no prompt", "--prompts-file"], "generate", "gpt2")
        self.fails(2, ["two sources"], "generate", "gpt2", "--prompt", "a", "--prompts-file", "-")
        self.fails(2, ["temperature 0 draws nothing"], "generate", "gpt2", "--prompt", "a", "--top-p", "0.5")
        self.fails(2, ["num_beams: got 2"], "generate", "gpt2", "--prompt", "a", "--num-beams", 2, "--temperature", 1)
        self.fails(2, ["prompt 0: got 80 tokens, but gpt2 takes at most 64"], "generate", "gpt2", "--prompt", "a" * 80)
        self.fails(2, ["bert: it is bert with a head for masked_lm", "mgd generate takes models for causal_lm",
                       "mgd fill-mask takes it"], "generate", "bert", "--prompt", "a")
        self.fails(66, ["gone: no such model folder"], "generate", "gone", "--prompt", "a")
        self.fails(77, ["not a regular file"], "generate", "gpt2", "--prompts-file", os.devnull)
        self.fails(66, ["no text on standard input"], "fill-mask", "bert", "-", input="")


class LineForLine(Verbs):
    """An answer a line, blank ones too, and each as soon as its line is there."""

    def test_blank_lines_are_answered(self):
        lines = ["the cat", "", "  ", "a dog"]
        text = "\n".join(lines) + "\n"
        for model in ("bert_classes", "bert_sentences"):
            self.assertEqual([row["input"] for row in self.rows("predict", model, "-", input=text)], lines)
        pairs = self.rows("predict", "bert_classes", "-", "--pairs", input="a\tb\n\nc\td\n")
        self.assertEqual([len(row["predictions"]) for row in pairs], [3, 0, 3])
        masks = self.rows("fill-mask", "bert", "-", input="a [MASK]\n\n[MASK] b\n")
        self.assertEqual([len(row["masks"]) for row in masks], [1, 0, 1])
        generated = self.rows("generate", "gpt2", "--prompts-file", "-", "--max-new-tokens", 3, input="a\n\nb\n\n")
        self.assertEqual([row["prompt"] for row in generated], ["a", "", "b", ""])
        with tempfile.TemporaryDirectory() as folder:
            prompts = pathlib.Path(folder, "prompts.txt")
            prompts.write_text("a\n\nb\n\n")
            self.assertEqual(self.rows("generate", "gpt2", "--prompts-file", prompts, "--max-new-tokens", 3), generated)

    def test_a_line_is_answered_before_the_next_is_there(self):
        for args in (("predict", "bert_classes", "-", "--json"), ("fill-mask", "bert", "-", "--json"),
                     ("generate", "gpt2", "--prompts-file", "-", "--json", "--max-new-tokens", "3")):
            with subprocess.Popen([MGD, *args], cwd=MODELS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                  env={**os.environ, "OMP_NUM_THREADS": "1"}) as running:
                for line in ("the [MASK] cat", "a [MASK]"):
                    running.stdin.write(line + "\n")
                    running.stdin.flush()
                    row = json.loads(running.stdout.readline())
                    self.assertEqual(row.get("input", row.get("prompt")), line)
                running.stdin.close()
                self.assertEqual(running.stdout.read(), "")
                self.assertEqual(running.wait(), 0)

    def test_bytes_that_are_no_utf8_are_counted(self):
        done = subprocess.run([MGD, "predict", "bert_classes", "-", "--json"], cwd=MODELS, input=b"a\xff\nb\n", capture_output=True)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(len(done.stdout.splitlines()), 2)
        self.assertIn(b"1 places were no UTF-8", done.stderr)


class FolderSettings(Verbs):
    """What generation_config.json or config.json says, against scripts/fixtures/make_generation_rules.py."""

    def folder(self, name, settings, place):
        root = tempfile.mkdtemp(prefix="mgd-text-")
        self.addCleanup(shutil.rmtree, root)
        folder = pathlib.Path(root, name)
        shutil.copytree(MODELS / name, folder)
        if place == "generation_config.json":
            (folder / place).write_text(json.dumps(settings))
        else:
            config = json.loads((folder / place).read_text())
            (folder / place).write_text(json.dumps(config | settings))
        return folder

    def test_are_honoured_and_flags_overrule_them(self):
        case = next(c for c in json.loads((MODELS / "rules.json").read_text())["bart"] if c["case"] == "summary")
        for place in ("config.json", "generation_config.json"):
            folder = self.folder("bart", case["settings"], place)
            row = self.rows("generate", folder, "--prompt", "a cat")[0]
            self.assertEqual(row["tokens"][0], 0, "the forced first token")
            self.assertTrue(10 <= len(row["tokens"]) <= 29)
            done = mgd("generate", folder, "--prompt", "a cat", "--json")
            self.assertIn("num_beams 4", done.stderr)
            short = self.rows("generate", folder, "--prompt", "a cat", "--max-new-tokens", 4, "--num-beams", 1,
                              "--min-new-tokens", 0, "--no-repeat-ngram-size", 0)[0]
            self.assertLessEqual(len(short["tokens"]), 4)
        plain = self.rows("generate", "bart", "--prompt", "a cat", "--max-new-tokens", 4)[0]
        self.assertNotEqual(plain["tokens"][0], 0)

    def test_sampling_and_what_is_not_supported(self):
        folder = self.folder("gpt2", {"do_sample": True, "temperature": 0.9, "typical_p": 0.5, "eos_token_id": [0, 13]},
                             "generation_config.json")
        seeds = {tuple(self.rows("generate", folder, "--prompt", "a cat", "--seed", seed)[0]["tokens"]) for seed in range(4)}
        self.assertGreater(len(seeds), 1)
        greedy = self.rows("generate", "gpt2", "--prompt", "a cat", "--max-new-tokens", 5)[0]["tokens"]
        self.assertEqual(self.rows("generate", folder, "--prompt", "a cat", "--max-new-tokens", 5, "--temperature", 0)[0]["tokens"], greedy)
        self.assertIn("not supported and left out: typical_p 0.5", mgd("generate", folder, "--prompt", "a").stderr)
        self.assertEqual(mgd("generate", folder, "--prompt", "a", "--quiet").stderr, "")
        folder = self.folder("gpt2", {"top_p": 2}, "generation_config.json")
        self.fails(65, ["generation_config.json: top_p"], "generate", folder, "--prompt", "a")


class FillMask(Verbs):
    def test_is_the_pipeline_of_transformers(self):
        texts = [row["text"] for row in EXPECTED["fill_mask"]]
        rows = self.rows("fill-mask", "bert", *texts[:-1], "-", "--top", 3, "--logits", input=texts[-1] + "\n")
        self.assertEqual([row["input"] for row in rows], texts)
        for row, expected in zip(rows, EXPECTED["fill_mask"]):
            self.assertEqual(len(row["logits"]), len(expected["masks"]))
            for ours, theirs in zip(row["masks"], expected["masks"]):
                self.assert_close([g.pop("score") for g in ours], [g["score"] for g in theirs])
                self.assertEqual(ours, [{key: g[key] for key in ("token", "token_str", "sequence")} for g in theirs])
        shown = mgd("fill-mask", "bert", texts[0], "--top", 1).stdout
        self.assertIn(EXPECTED["fill_mask"][0]["masks"][0][0]["sequence"], shown)

    def test_errors(self):
        self.fails(2, ["'the cat': there is nothing to fill in; write [MASK]"], "fill-mask", "bert", "the cat")
        self.fails(2, ["there is no text"], "fill-mask", "bert")
        self.fails(2, ["gpt2: it is gpt2 with a head for causal_lm", "mgd generate takes it"], "fill-mask", "gpt2", "a [MASK]")
        self.fails(2, ["write <mask>"], "fill-mask", "bart", "a [MASK]")


class Predict(Verbs):
    def test_labels_and_scores(self):
        expected = EXPECTED["classes"]
        rows = self.rows("predict", "bert_classes", "-", "--logits", "--batch-size", 3,
                         input="".join(row["text"] + "\n" for row in expected))
        for row, theirs in zip(rows, expected):
            self.assertEqual(row["input"], theirs["text"])
            self.assertEqual([p["label"] for p in row["predictions"]], [p["label"] for p in theirs["predictions"]])
            self.assert_close([p["score"] for p in row["predictions"]], [p["score"] for p in theirs["predictions"]])
            self.assertEqual(len(row["logits"]), 3)
        self.assertIn("%", mgd("predict", "bert_classes", "the cat", "--top", 1).stdout)

    def test_pairs_are_framed_as_when_measured(self):
        pairs = ["the cat\tsat on", "a\tthe dog sat", "x y\tz"]
        rows = self.rows("predict", "bert_classes", "--pairs", *pairs)
        self.assertNotEqual(rows[0]["predictions"], self.rows("predict", "bert_classes", pairs[0])[0]["predictions"])
        with tempfile.TemporaryDirectory() as folder:
            data = pathlib.Path(folder, "pairs.tsv")
            data.write_text("a\tb\tlabel\n" + "".join(f"{p}\t{row['predictions'][0]['label']}\n" for p, row in zip(pairs, rows)))
            measured = self.rows("eval", "bert_classes", "--data", data, "--columns", "a", "--columns", "b")[0]["metrics"]
        loss = -sum(math.log(row["predictions"][0]["score"]) for row in rows) / len(rows)
        self.assertAlmostEqual(measured["loss"], loss, places=5)
        self.fails(2, ["'a cat': --pairs takes two texts with a tab"], "predict", "bert_classes", "--pairs", "a cat")

    def test_embeddings(self):
        rows = self.rows("predict", "bert_sentences", *[row["text"] for row in EXPECTED["sentences"]])
        for row, theirs in zip(rows, EXPECTED["sentences"]):
            self.assert_close(row["embedding"], theirs["embedding"])

    def test_errors(self):
        self.fails(2, ["at least one text"], "predict", "bert_classes")
        self.fails(2, ["gpt2: it is gpt2", "mgd generate takes it"], "predict", "gpt2", "a")
        self.fails(2, ["--max-length: got 99, but bert takes at most 40"], "predict", "bert_classes", "a", "--max-length", 99)
        self.fails(66, ["no text on standard input"], "predict", "bert_classes", "-", input="")

    def test_texts_that_are_cut_are_counted(self):
        done = mgd("predict", "bert_classes", "the cat " * 200, "the dog", "a cat sat " * 100)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("2 texts were longer than the 40 tokens that bert_classes takes, and were cut", done.stderr)
        self.assertNotIn("were cut", mgd("predict", "bert_classes", "the dog").stderr)

    def test_a_text_model_where_pictures_are_asked_for(self):
        with tempfile.TemporaryDirectory() as folder:
            recipe = pathlib.Path(folder, "r.yaml")
            recipe.write_text(f"task: classify\ndata: {{path: t.csv}}\nstudent: {MODELS / 'bert'}\n")
            pathlib.Path(folder, "t.csv").write_text("text,label\nthe cat,1\nthe dog,2\n")
            self.fails(2, ["text.columns"], "train", recipe, "--run-dir", pathlib.Path(folder, "run"), "--dry-run")


class Eval(Verbs):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mgd-text-"))
        self.texts = [row["text"] for row in EXPECTED["pseudo"]]
        (self.folder / "texts.txt").write_text("".join(text + "\n" for text in self.texts))

    def metrics(self, model, data, *args):
        row = self.rows("eval", model, "--data", self.folder / data, *args)[0]
        self.assertEqual(row["model"], model)
        return row["metrics"], row["samples"]

    def test_masked_model(self):
        metrics, samples = self.metrics("bert", "texts.txt", "--pseudo-perplexity")
        self.assertEqual(samples, len(self.texts))
        nats = sum(row["nats"] for row in EXPECTED["pseudo"])
        tokens = sum(len(row["ids"]) - 2 for row in EXPECTED["pseudo"])
        self.assertAlmostEqual(metrics["pseudo_perplexity"], math.exp(nats / tokens), delta=1e-3)
        self.assertAlmostEqual(metrics["perplexity"], math.exp(metrics["loss"]), places=6)
        self.assertTrue(0 <= metrics["accuracy"] <= 1)

    def test_causal_model(self):
        metrics, _ = self.metrics("gpt2", "texts.txt")
        # Every byte is a token. The first of a document is no target, the end token is one without characters.
        targets = sum(map(len, self.texts))
        bits = metrics["loss"] * targets / math.log(2)
        self.assertAlmostEqual(metrics["bits_per_character"], bits / (targets - len(self.texts)), places=5)

    def test_classifier_finds_its_labels_by_name(self):
        best = [row["predictions"][0]["label"] for row in EXPECTED["classes"]]
        for name in ("no", "yes", "maybe"):
            rows = [f"{text}\t{label if i else name}\n" for i, (text, label) in enumerate(zip(self.texts, best))]
            (self.folder / "rows.tsv").write_text("text\tlabel\n" + "".join(rows))
            metrics, _ = self.metrics("bert_classes", "rows.tsv")
            self.assertAlmostEqual(metrics["accuracy"], 1 if name == best[0] else 0.75)
            self.assertEqual(sorted(metrics), ["accuracy", "loss", "macro_f1", "matthews"])
        (self.folder / "rows.tsv").write_text("text\tlabel\na cat\tyess\n")
        self.fails(2, ["the data has the label 'yess'", "did you mean 'yes'"], "eval", "bert_classes", "--data",
                   self.folder / "rows.tsv")

    def test_sentence_encoder(self):
        vectors = [row["embedding"] for row in EXPECTED["sentences"]]
        pairs = [(i, j) for i in range(4) for j in range(i)]
        cosine = {pair: sum(a * b for a, b in zip(vectors[pair[0]], vectors[pair[1]])) for pair in pairs}
        for sign in (1, -1):
            lines = "".join(f"x\t{sign * cosine[i, j]}\t{self.texts[i]}\t{self.texts[j]}\n" for i, j in pairs)
            (self.folder / "pairs.csv").write_text(lines)
            metrics, samples = self.metrics("bert_sentences", "pairs.csv", "--format", "tsv", "--target", 1, "--columns", 2,
                                            "--columns", 3)
            self.assertEqual(samples, len(pairs))
            self.assertAlmostEqual(metrics["spearman"], sign, places=6)
            self.assertAlmostEqual(metrics["pearson"], sign, places=5)
        self.assertIn("spearman", mgd("eval", "bert_sentences", "--data", self.folder / "pairs.csv", "--format", "tsv", "--target", 1,
                                      "--columns", 2, "--columns", 3).stdout)

    def test_errors(self):
        self.fails(2, ["--data is missing"], "eval", "bert")
        self.fails(66, ["gone.txt: no such file or folder"], "eval", "bert", "--data", self.folder / "gone.txt")
        self.fails(2, ["--split: got 'tset', but", "is one file"], "eval", "bert", "--data", self.folder / "texts.txt", "--split", "tset")
        self.fails(2, ["--image-size: bert reads texts"], "eval", "bert", "--data", self.folder / "texts.txt", "--image-size", 64)
        self.fails(2, ["--image-size: bert_classes reads texts"], "predict", "bert_classes", "a cat", "--image-size", 64)
        self.fails(2, ["--columns: got 1"], "eval", "bert_sentences", "--data", self.folder / "texts.txt", "--columns", 2)
        self.fails(2, ["gpt2 is no masked language model"], "eval", "gpt2", "--data", self.folder / "texts.txt",
                   "--pseudo-perplexity")


class Faults(Verbs):
    """faults.md rows 21 to 24: what a model folder from somewhere may hold."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mgd-text-")) / "bert"
        shutil.copytree(MODELS / "bert", self.folder)

    def answer(self, code, *texts):
        self.fails(code, texts, "fill-mask", self.folder, "a [MASK]")

    def test_row_21_pickle(self):
        weights = self.folder / "model.safetensors"
        weights.write_bytes(b"\x80\x02}q\x00.")
        self.answer(77, "model.safetensors", "pickle", "python")
        weights.rename(self.folder / "pytorch_model.bin")
        self.answer(77, "pytorch_model.bin", "python")

    def test_row_22_shards(self):
        weights = self.folder / "model.safetensors"
        index = self.folder / "model.safetensors.index.json"
        for shard, code in (("../../model.safetensors", 77), ("gone.safetensors", 66)):
            weights.unlink(missing_ok=True)
            index.write_text(json.dumps({"weight_map": {"cls.predictions.bias": shard}}))
            self.answer(code, pathlib.Path(shard).name)

    def test_row_23_what_is_no_file(self):
        for name in ("model.safetensors", "config.json", "tokenizer.json"):
            path = self.folder / name
            stored = path.read_bytes()
            path.unlink()
            os.mkfifo(path)
            self.answer(77, name)
            path.unlink()
            path.write_bytes(stored[:len(stored) // 2])
            self.answer(65, name)
            path.write_bytes(stored)

    def test_row_24_tokenizers(self):
        path = self.folder / "tokenizer.json"
        whole = json.loads(path.read_text())
        whole["pre_tokenizer"] = {"type": "Split", "pattern": {"Regex": "(a*)*(b+"}, "behavior": "Isolated", "invert": False}
        path.write_text(json.dumps(whole))
        self.answer(65, "tokenizer.json", "(a*)*(b+")
        whole["pre_tokenizer"] = {"type": "Whitespaces"}
        path.write_text(json.dumps(whole))
        self.answer(65, "tokenizer.json", "Whitespaces", "did you mean 'Whitespace'")


if __name__ == "__main__":
    unittest.main()
