#!/usr/bin/env python3
"""`mgd bench` and its peers (peers.py) in turns: interleave.py MGD [NAME ...] [--rounds 7] [--out results.json].

Each round runs ours once and every peer once, in an order that rotates, on the same machine with the same number of threads. A
peer is PyTorch with LibTorch's default malloc settings and with settings that keep freed memory; a teacher also compiled and
in ONNX Runtime. The ratio of a round is the time of the fastest peer by its median over ours. A round in which the
register-only probe falls under 0.93 of its best is thrown away and repeated, a few times at most. With --table the results
are written as a table in Markdown.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

MALLOC = {
    "default": {},
    "tuned": {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "17179869184",
              "MALLOC_TOP_PAD_": "1073741824"},
}
# must and target, as ratios of times
GOALS = {
    "mgd-block/spatial-0.75": (1.6, 2.3), "mgd-block/spatial-0.65": (1.45, 2.0), "mgd-block/channel-0.5": (1.3, 2.0),
    "mgd-block/spatial-0.75-large": (1.6, 2.3),
    "mgd-block/spatial-0.75-winograd": (1.6, 2.3), "mgd-block/spatial-0.65-winograd": (1.45, 2.0),
    "mgd-block/channel-0.5-winograd": (1.3, 2.0),
    "mgd-block/spatial-0.75-bf16": (None, None), "mgd-block/channel-0.5-bf16": (None, None),
    "attention/full": (1.2, 1.35), "attention/pad30": (2.1, 2.4), "attention/pad50": (3.1, 3.6),
    "attention/causal": (2.0, 2.4), "attention/causal-pad50": (5, 6), "attention/window": (12, 18),
    "attention/dropout": (None, None), "attention/full-bf16": (None, None), "attention/pad50-bf16": (None, None),
    "lm-head/fp32": (8.5, 10), "lm-head/bf16": (None, None),
    "mlm-step/full": (None, None), "mlm-step/pad30": (2.2, 3.0), "mlm-step/pad45": (2.7, 3.8), "mlm-step/pad30-bf16": (None, None),
    "teacher/fp32": (0.98, 1.05), "teacher/bf16": (1.05, 1.2),
    "teacher/fp32-winograd": (0.98, 1.05),
    "distill-step/live": (1.1, 1.5), "distill-step/cached": (1.55, 2.3),
    "distill-step/live-winograd": (1.1, 1.5), "distill-step/cached-winograd": (1.55, 2.3),
}


def environment(malloc, threads):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    return {**clean, **MALLOC[malloc], "OMP_NUM_THREADS": str(threads)}


class Peer:
    """A process that runs one round for every line it gets."""

    def __init__(self, name, variant, malloc, args):
        self.label = f"{variant}, {malloc} malloc"
        command = [args.python, str(Path(__file__).with_name("peers.py")), name, "--serve", "--variant", variant, "--threads",
                   str(args.threads), "--warm-ups", "2"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=environment(malloc, args.threads))
        ready = self.process.stdout.readline()
        if not ready:
            sys.exit(f"{name} {self.label}:\n{self.process.stderr.read()[-2000:]}")
        self.version = json.loads(ready)["torch"]

    def round(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Ours:
    label = "mgd"

    def __init__(self, name, args):
        self.name, self.args, self.probes = name, args, []

    def round(self):
        done = subprocess.run([self.args.mgd, "bench", self.name, "--json", "--rounds", "1", "--warm-ups", "2", "--threads",
                               str(self.args.threads)], capture_output=True, text=True, check=True,
                              env=environment("default", self.args.threads))
        row = json.loads(done.stdout)
        self.probes.append(row["peak_gmacs"])
        return row

    def close(self):
        pass


def measure(name, args):
    peers = [Peer(name, "eager", malloc, args) for malloc in MALLOC]
    if name.startswith("teacher/"):
        peers.append(Peer(name, "compiled", "tuned", args))
        if name.startswith("teacher/fp32"):
            peers.append(Peer(name, "onnx", "tuned", args))
    ours = Ours(name, args)
    sides = [ours, *peers]
    times = {side.label: [] for side in sides}
    faults, gmacs, spoiled = 0, 0, 0
    while len(times["mgd"]) < args.rounds:
        turn = len(times["mgd"]) % len(sides)
        rows = {side.label: side.round() for side in sides[turn:] + sides[:turn]}
        mine = rows["mgd"]
        if min(mine["peak_gmacs"] / max(ours.probes), mine["probe_spread"]) < 0.93 and spoiled < args.rounds:
            spoiled += 1
            continue
        for label, row in rows.items():
            times[label].append(row["ms"][0])
        faults, gmacs = mine["page_faults"], mine["gmacs"]
    for side in sides:
        side.close()
    best = min((statistics.median(times[peer.label]), peer.label) for peer in peers)[1]
    ratios = [theirs / mine for theirs, mine in zip(times[best], times["mgd"])]
    return {"name": name, "ms": times, "peer": best, "ratios": ratios, "page_faults": faults, "gmacs": gmacs,
            "peak_gmacs": max(ours.probes), "spoiled": spoiled, "torch": peers[0].version}


def spread(values, digits=1):
    return f"{statistics.median(values):.{digits}f} [{min(values):.{digits}f} ... {max(values):.{digits}f}]"


def row_of(result):
    must, target = GOALS.get(result["name"], (None, None))
    ratio = statistics.median(result["ratios"])
    verdict = "" if must is None else "target" if ratio >= target else "must" if ratio >= must else "**missed**"
    goal = "" if must is None else f"{must} / {target}"
    share = 100 * result["gmacs"] / result["peak_gmacs"]
    return (f"| {result['name']} | {spread(result['ms']['mgd'])} | {spread(result['ms'][result['peer']])} ({result['peer']}) "
            f"| {spread(result['ratios'], 2)} | {goal} | {verdict} | {share:.0f} % | {result['page_faults']:.0f} |")


def chosen(names):
    """`attention` stands for all of attention/..., as for `mgd bench`."""
    for name in names:
        if not any(goal == name or goal.startswith(name + "/") for goal in GOALS):
            sys.exit(f"interleave.py: got '{name}', expected one of: {', '.join(GOALS)}")
    return [goal for goal in GOALS if not names or any(goal == name or goal.startswith(name + "/") for name in names)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mgd")
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--python", default=sys.executable, help="one with torch, transformers, timm, onnxruntime")
    parser.add_argument("--out", help="JSON file: results are added to it, one by name")
    parser.add_argument("--table", action="store_true", help="only print the table of --out")
    args = parser.parse_args()
    out = Path(args.out) if args.out else None
    results = json.loads(out.read_text()) if out and out.exists() else {}
    if not args.table:
        for name in chosen(args.names):
            results[name] = measure(name, args)
            print(row_of(results[name]), flush=True)
            if out:
                out.write_text(json.dumps(results, indent=1))
        return
    print("| benchmark | mgd, ms | best peer, ms | peer / mgd | must / target | reached | of the peak | faults |")
    print("|---|---|---|---|---|---|---|---|")
    for name in GOALS:
        if name in results:
            print(row_of(results[name]))


if __name__ == "__main__":
    main()
