#!/usr/bin/env python3
"""The speed of mgd's tokenizers against the `tokenizers` package, one thread each, in CPU time of interleaved rounds.

    tokenizer_speed.py build/release/tokenizer_bench TEXT [--rounds 7] [--tokenizer tokenizer.json]...

Without --tokenizer, the pipelines of scripts/fixtures/tokenizer_pipelines.py, trained on TEXT. The package encodes all
lines in one call (encode_batch), with offsets, as mgd does. A ratio above 1 says that mgd is the faster one.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "fixtures"))
import tokenizer_pipelines  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402


def compare(bench, name, path, text, rounds):
    begin = time.process_time()
    tokenizer = Tokenizer.from_file(str(path))
    their_load = time.process_time() - begin
    tokenizer.no_truncation()
    tokenizer.no_padding()
    lines = pathlib.Path(text).read_text(encoding="utf-8").split("\n")
    process = subprocess.Popen([bench, path, text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    our_load = float(process.stdout.readline())
    ours, theirs = [], []
    for i in range(rounds + 1):  # the first one warms the caches
        process.stdin.write("go\n")
        process.stdin.flush()
        seconds, tokens, size = process.stdout.readline().split()
        begin = time.process_time()
        encodings = tokenizer.encode_batch(lines)
        elapsed = time.process_time() - begin
        assert sum(len(e.ids) for e in encodings) == int(tokens), name
        del encodings
        if i > 0:
            ours.append(float(seconds))
            theirs.append(elapsed)
    process.stdin.close()
    process.wait()
    ratios = [t / o for t, o in zip(theirs, ours, strict=True)]
    speed = [int(size) / 1e6 / statistics.median(s) for s in (ours, theirs)]
    print(f"{name:<16} mgd {speed[0]:6.1f} MB/s, package {speed[1]:6.1f} MB/s, ratio median {statistics.median(ratios):5.2f}"
          f" (min {min(ratios):.2f}, max {max(ratios):.2f}); load {our_load:.2f} s against {their_load:.2f} s", flush=True)
    return statistics.median(ratios)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench")
    parser.add_argument("text")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=int, default=16000)
    parser.add_argument("--only", default="")
    parser.add_argument("--tokenizer", action="append", default=[])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = {pathlib.Path(p).parent.name: p for p in args.tokenizer}
        if not paths:
            for name, tokenizer in tokenizer_pipelines.all_pipelines([args.text], args.size).items():
                paths[name] = str(pathlib.Path(folder) / f"{name}.json")
                tokenizer.save(paths[name])
        ratios = [compare(args.bench, n, p, args.text, args.rounds) for n, p in paths.items() if args.only in n]
    return 0 if min(ratios) >= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
