#!/usr/bin/env python3
"""Static models of `mgd distill --static` beside those of the model2vec package, from the same encoder.

For each folder of a sentence encoder and 256 components (or its width): both make a model, and both embed the texts. Told are the
least cosine between the two vectors of a text, once as they are and once after the signs of the package's components are set by the
table; then each library opens the folder of the other, whose vectors must be the same but for rounding. sentence-transformers, where
it is there, opens ours too.

Usage: static_parity.py MGD TEXTS FOLDER [FOLDER ...]. MGD is the built program, TEXTS a file with a text a line, of which the first
1,000 are used. Needs model2vec with its extra `distill`; without it nothing is compared, and a line says so.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

LEAST = 0.9999  # cosine
NEAR = 0.999999  # of one folder in two programs


def embedded(mgd, folder, texts):
    done = subprocess.run([mgd, "predict", folder, "-", "--json", "--batch-size", "256"], input="\n".join(texts) + "\n",
                          capture_output=True, text=True, check=True)
    return np.array([json.loads(line)["embedding"] for line in done.stdout.splitlines()])


def least_cosine(a, b):
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    both_nothing = (np.linalg.norm(a, axis=1) == 0) & (np.linalg.norm(b, axis=1) == 0)
    return np.where(both_nothing, 1, (a * b).sum(axis=1) / np.where(lengths > 0, lengths, 1)).min()


def signs_of(ours, theirs):
    """Of each component, from the tables: +1 or -1."""
    return np.sign((ours.astype(np.float64) * theirs.astype(np.float64)).sum(axis=0))


def same_tokens(ours, theirs):
    vocab = [json.loads(Path(folder, "tokenizer.json").read_text())["model"]["vocab"] for folder in (ours, theirs)]
    return vocab[0] == vocab[1]


def compare(mgd, encoder, texts, folder):
    from model2vec import StaticModel
    from model2vec.distill import distill

    config = json.loads(Path(encoder, "config.json").read_text())
    count = min(256, config.get("hidden_size", config.get("dim", 256)))
    ours, theirs = str(folder / "ours"), str(folder / "theirs")
    start = time.time()
    subprocess.run([mgd, "distill", "--static", encoder, "--out", ours, "--components", str(count), "--quiet"], check=True,
                   capture_output=True)
    seconds = time.time() - start
    start = time.time()
    distill(encoder, pca_dims=count, quantize_to="float32", device="cpu").save_pretrained(theirs)
    seconds_of_package = time.time() - start

    tables = [load_file(f"{place}/model.safetensors")["embeddings"] for place in (ours, theirs)]
    if not same_tokens(ours, theirs) or tables[0].shape != tables[1].shape:
        return {"tokens": f"{tables[0].shape[0]} and {tables[1].shape[0]}, not the same"}, False
    signs = signs_of(*tables)
    package = StaticModel.from_pretrained(theirs).encode(texts)
    mine = embedded(mgd, ours, texts)
    figures = {"tokens": tables[0].shape[0], "seconds": round(seconds, 1), "seconds of the package": round(seconds_of_package, 1),
               "least cosine": least_cosine(mine, package), "after signs": least_cosine(mine, package * signs),
               "package opens ours": least_cosine(mine, StaticModel.from_pretrained(ours).encode(texts)),
               "mgd opens the package's": least_cosine(embedded(mgd, theirs, texts), package)}
    good = figures["after signs"] >= LEAST and min(figures["package opens ours"], figures["mgd opens the package's"]) >= NEAR
    if importlib.util.find_spec("sentence_transformers"):
        from sentence_transformers import SentenceTransformer

        some = [text for text in texts if text.strip()]
        cosine = least_cosine(embedded(mgd, ours, some), SentenceTransformer(ours, device="cpu").encode(some))
        figures["sentence-transformers opens ours"] = cosine
        good = good and cosine >= NEAR
    return figures, good


def main():
    for needed in ("model2vec", "skeletoken"):
        if importlib.util.find_spec(needed) is None:
            print(f"skipped: {needed} is not installed (pip install 'model2vec[distill]')")
            return
    mgd, texts, encoders = sys.argv[1], Path(sys.argv[2]).read_text().splitlines()[:1000], sys.argv[3:]
    failed = 0
    for encoder in encoders:
        with tempfile.TemporaryDirectory() as folder:
            figures, good = compare(mgd, encoder, texts, Path(folder))
        failed += not good
        print(encoder, "agrees" if good else "FAILED")
        for name, value in figures.items():
            print(f"  {name:<34}{value:.7f}" if isinstance(value, float) and value <= 1.1 else f"  {name:<34}{value}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
