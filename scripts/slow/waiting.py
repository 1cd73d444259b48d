#!/usr/bin/env python3
"""What waiting threads cost: two threads alone, and beside one busy process a core; each under several ways to wait.

    waiting.py build/release/mgd [--bench distill-step/live mlm-step/full] [--rounds 5] [--threads 2] [--spin mgd 0 10000 default]
               [--out results.json]

A spin is libgomp's number of turns before a waiting thread sleeps (GOMP_SPINCOUNT); 0 sleeps at once, `default` is libgomp's own,
some milliseconds, and `mgd` leaves the choice to the program. Rounds are interleaved, so that what else the machine does falls on all of them. The process is bound to as
many cores as it has threads, and the neighbours to the same ones. Wall time, median of the rounds.

Has to hold for what `mgd` sets: beside the neighbours at most 2.5 times the quiet time of `default`, and on a quiet machine at
most 2 % more than `default`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

BUSY = "while True: pass"


def environment(spin):
    env = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS", "KMP_BLOCKTIME")}
    if spin == "default":
        env["GOMP_SPINCOUNT"] = "300000"  # what libgomp takes when nobody says anything
    elif spin != "mgd":
        env["GOMP_SPINCOUNT"] = spin
    return env


def milliseconds(args, name, spin):
    """Wall time of one step."""
    done = subprocess.run([args.mgd, "bench", name, "--json", "--rounds", "3", "--warm-ups", "1", "--threads", str(args.threads)],
                          env=environment(spin), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    row = json.loads(done.stdout.splitlines()[0])
    return statistics.median(row["wall_ms"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mgd")
    parser.add_argument("--bench", nargs="+", default=["distill-step/live", "mlm-step/full"])
    parser.add_argument("--spin", nargs="+", default=["mgd", "0", "1000", "3000", "10000", "30000", "default"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out")
    args = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[: args.threads]
    if len(cores) < args.threads:
        sys.exit(f"{args.threads} threads need as many cores, {len(cores)} are there")
    os.sched_setaffinity(0, cores)

    times = {}
    for turn in range(args.rounds):
        for load in ("quiet", "busy"):
            neighbours = []
            if load == "busy":
                for core in cores:
                    neighbours.append(subprocess.Popen([sys.executable, "-c", BUSY]))
                    os.sched_setaffinity(neighbours[-1].pid, {core})
            try:
                for name in args.bench:
                    for spin in args.spin:
                        times.setdefault((name, load, spin), []).append(milliseconds(args, name, spin))
            finally:
                for neighbour in neighbours:
                    neighbour.kill()
                    neighbour.wait()
        print(f"round {turn + 1} of {args.rounds}", file=sys.stderr, flush=True)

    print(f"{args.threads} threads on {len(cores)} cores, wall time of a step in ms, median of {args.rounds} rounds")
    print(f"{'benchmark':<20}{'spin':>10}{'quiet':>10}{'vs default':>12}{'busy':>10}{'x quiet':>9}")
    rows = []
    for name in args.bench:
        base = statistics.median(times.get((name, "quiet", "default"), times[(name, "quiet", args.spin[0])]))
        for spin in args.spin:
            quiet, busy = (statistics.median(times[(name, load, spin)]) for load in ("quiet", "busy"))
            rows.append({"benchmark": name, "spin": spin, "quiet_ms": quiet, "busy_ms": busy, "cost": quiet / base - 1, "busy_factor": busy / base})
            print(f"{name:<20}{spin:>10}{quiet:>10.1f}{100 * (quiet / base - 1):>+11.1f}%{busy:>10.1f}{busy / base:>9.2f}")
    if args.out:
        with open(args.out, "w") as out:
            json.dump(rows, out, indent=1)


if __name__ == "__main__":
    main()
