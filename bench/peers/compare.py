#!/usr/bin/env python3
"""`mgd distill` against plain PyTorch (distill_step.py): the same recipe, threads, batch, and pictures, in turns.

Each round runs every side once, in an order that rotates because a machine's speed drifts; with LibTorch's default
malloc settings and with settings that keep freed memory (the same for all sides). Only steps after the warm-up count, so
that start, reading of the archive and the first decoding are left out. Wall time of ours comes from metrics.jsonl, CPU
time and page faults from /proc at the moment its rows appear.

Prints median [min ... max] over the rounds and ours / peer of each round's pair (samples/s: above 1 is faster).
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from distill_step import usage
from interleave import MALLOC, environment, spread

def recipe(args, cache, steps, seed=1):
    """JSON is YAML. No validation, test or checkpoints within the measured steps."""
    return json.dumps({
        "task": "classify",
        "data": {"path": str(Path(args.data).resolve()), "train": "train", "test": "", "validation": 0,
                 "per_class": args.per_class, "augment": [{"crop": 4}, "flip"], "loader_threads": args.workers,
                 "views": args.views},
        "teacher": {"model": "cifar_resnet56", "weights": str(Path(args.teacher).resolve())},
        "student": {"model": f"cifar_resnet{args.student}"},
        "losses": [{"name": "cross_entropy", "weight": 0.1}, {"name": "kd", "weight": 0.9, "temperature": 4},
                   {"name": "mgd", "student_tap": "layer3", "teacher_tap": "layer3", "weight": 1.0, "weight_on": "mean",
                    "mask": "channel", "mask_ratio": args.mask_ratio}],
        "train": {"epochs": 100000, "max_steps": steps, "batch_size": args.batch, "optimizer": "sgd", "lr": 0.1,
                  "schedule": "constant", "weight_decay": 5e-4, "precision": "fp32", "log_every": args.warmup,
                  "checkpoint_every": 10**9, "teacher_cache": cache, "winograd": args.winograd},
        "run": {"seed": seed, "threads": args.threads},
    }, indent=1)


class Rows:
    """metrics.jsonl as it grows: step -> (cumulative samples/s, CPU seconds, page faults)."""

    def __init__(self, path, pid):
        self.path, self.pid, self.seen, self.read = path, pid, {}, 0

    def poll(self):
        if not self.path.exists() or self.path.stat().st_size == self.read:
            return
        now = usage([self.pid])
        text = self.path.read_text()
        self.read = len(text)
        for line in text.splitlines(keepends=True):
            row = json.loads(line) if line.endswith("\n") else {}
            if "throughput" in row:
                self.seen.setdefault(row["step"], (row["throughput"], *now))

    def follow(self, process):
        """Polls until the process has ended."""
        while process.poll() is None:
            try:
                self.poll()
            except (FileNotFoundError, ProcessLookupError, IndexError):  # it ended in between
                pass
            time.sleep(0.005)


def fill_cache(folder, args):
    """Every view of every picture once: what a run does in its first epochs. Returns what it took."""
    steps = args.views * (10 * args.per_class // args.batch + 1)
    with tempfile.TemporaryDirectory() as temp:
        Path(temp, "recipe.yaml").write_text(recipe(args, folder, steps))
        start = time.time()
        subprocess.run([args.mgd, "distill", f"{temp}/recipe.yaml", "--run-dir", f"{temp}/run", "--quiet"], check=True,
                       env=environment("default", args.threads), stdout=subprocess.DEVNULL)
        summary = json.loads(Path(temp, "run/summary.json").read_text())
        print(f"cache filled in {time.time() - start:.0f} s: {summary['teacher_cache']}", file=sys.stderr)


def run_ours(malloc, args, cache):
    with tempfile.TemporaryDirectory() as temp:
        temp = Path(temp)
        (temp / "recipe.yaml").write_text(recipe(args, cache, args.steps))
        command = [args.mgd, "distill", str(temp / "recipe.yaml"), "--run-dir", str(temp / "run"), "--quiet"]
        with open(temp / "log", "w+") as log:
            process = subprocess.Popen(command, env=environment(malloc, args.threads), stdout=log, stderr=log)
            rows = Rows(temp / "run/metrics.jsonl", process.pid)
            rows.follow(process)
            if process.returncode != 0:
                log.seek(0)
                sys.exit(f"compare: mgd ended with {process.returncode}:\n{log.read()}")
        wait_frac = json.loads((temp / "run/summary.json").read_text())["data_wait_frac"]
    first, last = args.warmup, args.steps
    if first not in rows.seen or last not in rows.seen:
        sys.exit(f"compare: metrics.jsonl has steps {sorted(rows.seen)}, expected {first} and {last} among them")
    (rate_a, cpu_a, faults_a), (rate_b, cpu_b, faults_b) = rows.seen[first], rows.seen[last]
    wall, steps = last * args.batch / rate_b - first * args.batch / rate_a, last - first
    return {"samples_per_s": steps * args.batch / wall, "wall_ms": 1e3 * wall / steps, "cpu_ms": 1e3 * (cpu_b - cpu_a) / steps,
            "faults": (faults_b - faults_a) / steps, "wait_frac": wait_frac}


def run_peer(mode, malloc, args, seed=1):
    command = [sys.executable, str(Path(__file__).with_name("distill_step.py")), mode, "--seed", str(seed)]
    for name in ("data", "teacher", "batch", "warmup", "steps", "per_class", "mask_ratio", "threads", "workers", "student"):
        command += [f"--{name.replace('_', '-')}", str(getattr(args, name))]
    done = subprocess.run(command, env=environment(malloc, args.threads), stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


def rotated(items, by):
    by %= len(items)
    return items[by:] + items[:by]


def measure(args, cache):
    sides = [("mgd", malloc) for malloc in args.malloc] + [(mode, malloc) for mode in args.peers for malloc in args.malloc]
    results = {side: [] for side in sides}
    for turn in range(args.rounds):
        for side in rotated(sides, turn):
            name, malloc = side
            row = run_ours(malloc, args, cache) if name == "mgd" else run_peer(name, malloc, args)
            results[side].append(row)
            print(f"round {turn + 1}: {name:<5}{malloc:<8}{row['samples_per_s']:8.1f} samples/s", file=sys.stderr)
    return results


def report(results, args):
    print(f"batch {args.batch}, {args.threads} threads, {args.workers} loader workers, steps {args.warmup} to {args.steps}, "
          f"{args.rounds} rounds")
    print(f"{'side':<6}{'malloc':<9}{'samples/s':<27}{'wall ms/step':<27}{'CPU ms/step':<27}{'faults/step':<12}waits for data")
    for (name, malloc), rows in results.items():
        columns = {key: [row[key] for row in rows] for key in rows[0] if key not in ("mode", "losses")}
        print(f"{name:<6}{malloc:<9}{spread(columns['samples_per_s'], 1):<27}{spread(columns['wall_ms'], 1):<27}"
              f"{spread(columns['cpu_ms'], 1):<27}{statistics.median(columns['faults']):<12.0f}"
              f"{100 * statistics.median(columns['wait_frac']):.1f} %")
    for mode in args.peers:
        for malloc in args.malloc:
            pairs = list(zip(results["mgd", malloc], results[mode, malloc], strict=True))
            by_wall = [ours["samples_per_s"] / peer["samples_per_s"] for ours, peer in pairs]
            by_cpu = [peer["cpu_ms"] / ours["cpu_ms"] for ours, peer in pairs]
            print(f"mgd / {mode}, {malloc} malloc: samples per second {spread(by_wall, 3)}, "
                  f"samples per CPU second {spread(by_cpu, 3)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mgd", default="mgd", help="the program")
    parser.add_argument("--data", required=True, help="CIFAR-10 as a tar archive of train/CLASS/NAME.jpg")
    parser.add_argument("--teacher", required=True, help="cifar_resnet56, .safetensors")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--warmup", type=int, default=20, help="steps that are not measured; at least one epoch")
    parser.add_argument("--steps", type=int, default=60, help="in all, a multiple of --warmup")
    parser.add_argument("--per-class", type=int, default=250)
    parser.add_argument("--mask-ratio", type=float, default=0.15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="loader threads of ours, loader processes of the peer")
    parser.add_argument("--student", type=int, default=8, choices=[8, 20], help="depth")
    parser.add_argument("--views", type=int, default=0,
                        help="ours keeps the teacher's outputs for so many variants of each picture, made before; 0: it runs in every step")
    parser.add_argument("--winograd", action="store_true", help="ours with train.winograd")
    parser.add_argument("--peers", nargs="+", choices=["step", "loop", "jpeg"], default=["loop", "step"])
    parser.add_argument("--malloc", nargs="+", choices=list(MALLOC), default=list(MALLOC))
    parser.add_argument("--json", help="file for every single result")
    args = parser.parse_args()
    if args.steps <= args.warmup:
        parser.error(f"--steps: got {args.steps}, expected more than --warmup ({args.warmup})")
    if not shutil.which(args.mgd):
        parser.error(f"--mgd: {args.mgd} cannot be run")
    with tempfile.TemporaryDirectory(prefix="mgd-cache-") as cache:
        if args.views:
            fill_cache(cache, args)
        results = measure(args, cache if args.views else "")
    report(results, args)
    if args.json:
        flat = [{"side": name, "malloc": malloc, **row} for (name, malloc), rows in results.items() for row in rows]
        Path(args.json).write_text(json.dumps(flat, indent=1))


if __name__ == "__main__":
    main()
