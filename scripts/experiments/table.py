"""The Markdown table of docs/results.md from the run folders METHOD-SEED below one folder.

    python3 scripts/experiments/table.py OUT_DIR [METHOD ...]

Mean and standard deviation over seeds, and for each METHOD (default: alone) the differences against it, paired by seed: their
mean with its 95 % interval by Student's t.
"""

import json
import pathlib
import statistics
import sys

ORDER = ["alone", "kd", "mimic", "mgd", "mgd-kd", "mgd-kd-input"]
# The 97.5 % quantile of Student's t by degrees of freedom; the last one is used beyond.
T_QUANTILES = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]


def read(folder):
    """method -> seed -> summary."""
    runs = {}
    for path in sorted(folder.glob("*/summary.json")):
        method, seed = path.parent.name.rsplit("-", 1)
        runs.setdefault(method, {})[int(seed)] = json.loads(path.read_text())
    return runs


def percent(summaries, part):
    return {seed: 100 * summary[part]["accuracy"] for seed, summary in summaries.items()}


def spread(values):
    mean = statistics.mean(values)
    return f"{mean:.2f} ± {statistics.stdev(values):.2f}" if len(values) > 1 else f"{mean:.2f}"


def paired(values, base):
    """Of two dicts by seed: the mean difference and its interval; "" without common seeds."""
    differences = [values[seed] - base[seed] for seed in values if seed in base]
    if not differences:
        return ""
    mean, n = statistics.mean(differences), len(differences)
    if n < 2:
        return f"{mean:+.2f}"
    half = T_QUANTILES[min(n - 1, len(T_QUANTILES)) - 1] * statistics.stdev(differences) / n**0.5
    return f"{mean:+.2f} [{mean - half:+.2f} ... {mean + half:+.2f}]"


def main(folder, bases):
    runs = read(pathlib.Path(folder))
    columns = ["method", "validation %", "test %", *(f"against {base}" for base in bases), "each seed (test)", "seconds a run"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for method in sorted(runs, key=lambda m: ORDER.index(m) if m in ORDER else len(ORDER)):
        test = percent(runs[method], "metrics")
        cells = [method, spread(percent(runs[method], "best").values()), spread(test.values())]
        for base in bases:
            cells.append("" if method == base else paired(test, percent(runs.get(base, {}), "metrics")))
        cells.append(" ".join(f"{test[seed]:.2f}" for seed in sorted(test)))
        cells.append(f"{statistics.mean(summary['seconds'] for summary in runs[method].values()):.0f}")
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:] or ["alone"])
