"""The Markdown table of docs/results.md from the run folders METHOD-SEED below one folder.

    python3 scripts/experiments/table.py OUT_DIR
"""

import json
import pathlib
import statistics
import sys

ORDER = ["alone", "kd", "mimic", "mgd", "mgd-kd", "mgd-kd-input"]


def read(folder):
    """method -> seed -> summary."""
    runs = {}
    for path in sorted(folder.glob("*/summary.json")):
        method, seed = path.parent.name.rsplit("-", 1)
        runs.setdefault(method, {})[int(seed)] = json.loads(path.read_text())
    return runs


def spread(values):
    mean = statistics.mean(values)
    return f"{mean:.2f} ± {statistics.stdev(values):.2f}" if len(values) > 1 else f"{mean:.2f}"


def main(folder):
    runs = read(pathlib.Path(folder))
    print("| method | validation % | test % | against alone | each seed (test) | seconds a run |")
    print("|---|---|---|---|---|---|")
    alone = [100 * s["metrics"]["accuracy"] for s in runs.get("alone", {}).values()]
    for method in sorted(runs, key=lambda m: ORDER.index(m) if m in ORDER else len(ORDER)):
        summaries = [runs[method][seed] for seed in sorted(runs[method])]
        test = [100 * s["metrics"]["accuracy"] for s in summaries]
        valid = [100 * s["best"]["accuracy"] for s in summaries]
        gain = f"{statistics.mean(test) - statistics.mean(alone):+.2f}" if alone and method != "alone" else ""
        seeds = " ".join(f"{v:.2f}" for v in test)
        print(f"| {method} | {spread(valid)} | {spread(test)} | {gain} | {seeds} | {statistics.mean(s['seconds'] for s in summaries):.0f} |")


if __name__ == "__main__":
    main(sys.argv[1])
