#!/usr/bin/env python3
"""mgd's tokenizers against the `tokenizers` package: ids, pieces, offsets and decoded text, on every line.

    tokenizer_parity.py build/release/mgd TEXT... [--train TEXT] [--tokenizer tokenizer.json]...

The pipelines of scripts/fixtures/tokenizer_pipelines.py are trained on --train (default: the first TEXT) by the package,
and every kind that mgd learns by mgd; given tokenizers are checked besides. Each is run over the lines of the texts, the
torture strings, every assigned character and 10,000 random strings; tokenizers of stages drawn at random, over the
torture strings and 1,000 random ones. The merges that mgd learns are compared with those
of the package. Ends with 1 when anything differs.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["TOKENIZERS_PARALLELISM"] = "false"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "fixtures"))
import tokenizer_mixtures  # noqa: E402
import tokenizer_pipelines  # noqa: E402
import tokenizer_strings  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402


def ours(mgd, path, texts):
    """Lines go through stdin, texts with line breaks through the command line (which holds no NUL)."""
    rows = [None] * len(texts)
    lines = [i for i, text in enumerate(texts) if "\n" not in text]
    others = [i for i, text in enumerate(texts) if "\n" in text]
    command = [mgd, "tokenize", "--json", "--decode", path]
    stdin = "".join(texts[i] + "\n" for i in lines)
    out = subprocess.run(command + ["-"], input=stdin.encode(), stdout=subprocess.PIPE, check=True).stdout
    for i, row in zip(lines, out.decode().split("\n")[:-1], strict=True):
        rows[i] = json.loads(row)
    for start in range(0, len(others), 500):
        part = others[start : start + 500]
        out = subprocess.run(command + ["--"] + [texts[i] for i in part], stdout=subprocess.PIPE, check=True).stdout
        for i, row in zip(part, out.decode().split("\n")[:-1], strict=True):
            rows[i] = json.loads(row)
    return rows


def encoded(tokenizer, text):
    """None where the package panics: it has no result to compare with."""
    try:
        theirs = tokenizer.encode(text)
        return theirs, tokenizer.decode(theirs.ids)
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return None


def difference(tokenizer, text, row):
    result = encoded(tokenizer, text)
    if result is None:
        return None
    theirs, decoded = result
    if row["input"] != text:
        return "input", text, row["input"]
    for name, expected in (("ids", theirs.ids), ("tokens", theirs.tokens), ("offsets", [list(o) for o in theirs.offsets])):
        if row[name] != expected:
            return name, expected, row[name]
    return None if row["decoded"] == decoded else ("decoded", decoded, row["decoded"])


def check(mgd, name, path, texts, show):
    tokenizer = Tokenizer.from_file(str(path))
    failures = 0
    for text, row in zip(texts, ours(mgd, path, texts), strict=True):
        found = difference(tokenizer, text, row)
        if found is None:
            continue
        failures += 1
        if failures <= show:
            print(f"  {name}: {text!r}\n    {found[0]}: expected {found[1]}\n    {' ' * len(found[0])}  got      {found[2]}")
    print(f"{name}: {len(texts) - failures} of {len(texts)} texts equal", flush=True)
    return failures


def check_mixtures(mgd, paths, count, folder, show):
    texts = tokenizer_strings.torture() + [t.replace("\x00", "") for t in tokenizer_strings.random_strings(1000, seed=11)]
    bases = [p.read_text(encoding="utf-8") for p in paths]
    failures = tried = 0
    for name, text in tokenizer_mixtures.mixtures(bases, count):
        path = pathlib.Path(folder) / f"{name}.json"
        path.write_text(text, encoding="utf-8")
        try:
            Tokenizer.from_file(str(path))
        except Exception as error:
            print(f"{name}: the package refuses it: {error}")
            continue
        tried += 1
        try:
            failures += check(mgd, name, path, texts, show)
        except subprocess.CalledProcessError:
            failures += 1
            print(f"{name}: mgd refuses it: {text[:2000]}")
    print(f"mixtures: {tried} tried")
    return failures


def learn(mgd, kind, text, size, out):
    flags = ["--kind", kind, "--vocab-size", str(size), "--min-frequency", "1", "--out", out, "--overwrite"]
    subprocess.run([mgd, "tokenize", "--train", text] + flags, check=True, stdout=subprocess.DEVNULL)
    return pathlib.Path(out) / "tokenizer.json"


def check_merges(mgd, text, size, folder):
    """Special tokens are no text to learn from for mgd, and are for the package: they are taken out."""
    plain = pathlib.Path(folder) / "plain.txt"
    plain.write_text(pathlib.Path(text).read_text(encoding="utf-8").replace("<unk>", "unk"), encoding="utf-8")
    theirs = tokenizer_pipelines.byte_level([str(plain)], size, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    theirs = json.loads(theirs.to_str())["model"]
    ours = json.loads(learn(mgd, "bpe", plain, size, pathlib.Path(folder) / "plain").read_text())["model"]
    equal = ours["vocab"] == theirs["vocab"] and ours["merges"] == theirs["merges"]
    print(f"learned merges: {len(ours['merges'])}, {'those' if equal else 'NOT those'} of the package", flush=True)
    return 0 if equal else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mgd")
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--train")
    parser.add_argument("--tokenizer", action="append", default=[])
    parser.add_argument("--only", default="", help="pipelines with this in their name")
    parser.add_argument("--size", type=int, default=8000)
    parser.add_argument("--random", type=int, default=10000)
    parser.add_argument("--mixtures", type=int, default=60)
    parser.add_argument("--show", type=int, default=3)
    args = parser.parse_args()
    texts = tokenizer_strings.torture() + tokenizer_strings.every_character()
    texts += [t if "\n" not in t else t.replace("\x00", "") for t in tokenizer_strings.random_strings(args.random)]
    for path in args.texts:
        texts += pathlib.Path(path).read_text(encoding="utf-8").split("\n")
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        paths = {p: pathlib.Path(p) for p in args.tokenizer}
        for name, tokenizer in tokenizer_pipelines.all_pipelines([args.train or args.texts[0]], args.size).items():
            paths[name] = pathlib.Path(folder) / f"{name}.json"
            tokenizer.save(str(paths[name]))
        bases = [paths[n] for n in ("bert_cased", "gpt2", "unigram", "llama", "words", "word_level")]
        failures += check_mixtures(args.mgd, bases, args.mixtures, folder, args.show)
        for kind in ("wordpiece", "bpe", "char"):
            paths[f"learned_{kind}"] = learn(args.mgd, kind, args.train or args.texts[0], args.size, pathlib.Path(folder) / kind)
        failures += check_merges(args.mgd, args.train or args.texts[0], args.size, folder)
        for name, path in paths.items():
            if args.only in name:
                failures += check(args.mgd, name, path, texts, args.show)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
