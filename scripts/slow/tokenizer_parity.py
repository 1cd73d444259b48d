#!/usr/bin/env python3
"""mgd's tokenizers against the `tokenizers` package: ids, pieces, offsets and decoded text, on every line.

    tokenizer_parity.py build/release/mgd TEXT... [--train TEXT] [--tokenizer tokenizer.json]...

The pipelines of scripts/fixtures/tokenizer_pipelines.py are trained on --train (default: the first TEXT); given
tokenizers are checked besides. Each is run over the lines of the texts, the torture strings, every assigned character
and 10,000 random strings. Ends with 1 when anything differs.
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


def difference(tokenizer, text, row):
    theirs = tokenizer.encode(text)
    if row["input"] != text:
        return "input", text, row["input"]
    for name, expected in (("ids", theirs.ids), ("tokens", theirs.tokens), ("offsets", [list(o) for o in theirs.offsets])):
        if row[name] != expected:
            return name, expected, row[name]
    decoded = tokenizer.decode(theirs.ids)
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mgd")
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--train")
    parser.add_argument("--tokenizer", action="append", default=[])
    parser.add_argument("--only", default="", help="pipelines with this in their name")
    parser.add_argument("--size", type=int, default=8000)
    parser.add_argument("--random", type=int, default=10000)
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
        for name, path in paths.items():
            if args.only in name:
                failures += check(args.mgd, name, path, texts, args.show)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
