#!/usr/bin/env python3
"""A thousand steps are as quick and as small at their end as at their beginning: flat_run.py [--runs N] MGD VERB RECIPE [KEY=VALUE ...].

Trains RECIPE for 1,000 steps and watches the process: CPU time a step, resident memory, and page faults a step in windows of
100 steps, after the first 200, which warm up. Ends with 1 when CPU time or memory of a window lies more than 3 % from the
median window, or when more than one page a step is faulted in.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEPS, WINDOW, WARM_UP, LIMIT = 1000, 100, 200, 0.03


def usage(pid):
    """CPU seconds, page faults, resident MB."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(fields[7]), pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def watch(process, metrics):
    """Step -> usage when its row appeared."""
    seen = {}
    while process.poll() is None:
        if metrics.exists():
            try:
                now = usage(process.pid)
            except (FileNotFoundError, ProcessLookupError, IndexError):
                break
            for line in metrics.read_text().splitlines(keepends=True):
                row = json.loads(line) if line.endswith("\n") else {}
                if "throughput" in row:
                    seen.setdefault(row["step"], now)
        time.sleep(0.02)
    return seen


def one_run(command):
    """CPU ms a step and faults a step of each window; MB at its end."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*command, f"train.max_steps={STEPS}", "train.epochs=100000", f"train.log_every={WINDOW}",
                   "train.checkpoint_every=1000000000", "train.eval_every=1000000", "--run-dir", f"{folder}/run", "--quiet"]
        log = open(f"{folder}/log", "w+")
        process = subprocess.Popen(command, stdout=log, stderr=log)
        seen = watch(process, Path(folder, "run/metrics.jsonl"))
        if process.returncode != 0:
            log.seek(0)
            sys.exit(log.read())
    steps = [step for step in range(WARM_UP, STEPS + 1, WINDOW) if step in seen]
    pairs = list(zip(steps, steps[1:]))
    return {"cpu": [1e3 * (seen[b][0] - seen[a][0]) / WINDOW for a, b in pairs],
            "faults": [(seen[b][1] - seen[a][1]) / WINDOW for a, b in pairs], "memory": [seen[b][2] for _, b in pairs]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="+", metavar="MGD VERB RECIPE [KEY=VALUE ...]")
    parser.add_argument("--runs", type=int, default=1, help="medians over so many: single windows measure the machine, too")
    args = parser.parse_args()
    runs = [one_run(args.command) for _ in range(args.runs)]
    cpu, faults, memory = ([statistics.median(window) for window in zip(*(run[key] for run in runs))] for key in ("cpu", "faults", "memory"))
    print("steps      CPU ms/step  MB resident  faults/step")
    for i, begin in enumerate(range(WARM_UP, STEPS, WINDOW)):
        print(f"{begin:>4}-{begin + WINDOW:<6}{cpu[i]:>11.2f}{memory[i]:>13.1f}{faults[i]:>13.2f}")
    worst = {"CPU time": max(abs(x / statistics.median(cpu) - 1) for x in cpu),
             "memory": max(abs(x / statistics.median(memory) - 1) for x in memory)}
    for name, value in worst.items():
        print(f"{name}: {100 * value:.1f} % from the median at most")
    sys.exit(max(worst.values()) > LIMIT or max(faults) > 1)


if __name__ == "__main__":
    main()
