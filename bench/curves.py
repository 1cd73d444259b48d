#!/usr/bin/env python3
"""How time grows: curves.py MGD [--rounds 5] [--svg docs/curves.svg]. Prints tables in Markdown and draws them.

Runs `mgd bench curve/...` in rounds, all points of a curve after each other, so that drift of the machine meets all of them; the
median of the rounds counts. CPU time on one thread, but for the table of threads, which has time on the wall.
"""

import argparse
import json
import os
import statistics
import subprocess

LENGTHS = [128, 256, 512, 1024, 2048, 4096, 8192]
BATCHES = [1, 2, 4, 8, 16, 32, 64]
HIDDEN = [0, 0.25, 0.5, 0.65, 0.75, 0.9]
ROWS = [0, 0.25, 0.5, 0.75, 0.9]
PADDING = [0, 0.25, 0.5, 0.75]
HEADS = [f"{v}-{t}" for v in (8000, 32000, 128000) for t in (300, 1200, 4800)]
HITS = [0, 0.25, 0.5, 0.75, 1]
THREADS = [1, 2]
THREADED = {"attention, 512 tokens": "full-512", "masked convolution, spatial 0.75": "conv-spatial-0.75"}
CURVES = {
    "full": [f"full-{n}" for n in LENGTHS[:-1]], "causal": [f"causal-{n}" for n in LENGTHS[:-1]],
    "window 64": [f"window-{n}" for n in LENGTHS], "batch": [f"batch-{n}" for n in BATCHES],
    "spatial": [f"conv-spatial-{h:g}" for h in HIDDEN], "channel": [f"conv-channel-{h:g}" for h in HIDDEN],
    **{f"rows {kind}": [f"rows-{kind}-{h:g}" for h in ROWS] for kind in ("conv", "all", "hidden", "transformer")},
    "padding": [f"padding-{p:g}" for p in PADDING],
    "head": [f"head-{name}" for name in HEADS], "cache": [f"cache-hit-{h:g}" for h in HITS],
}


def run(args, names, threads=1):
    command = [args.mgd, "bench", *(f"curve/{name}" for name in names), "--json", "--rounds", "1", "--warm-ups", "2", "--threads",
               str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": str(threads)})
    return [json.loads(line) for line in done.stdout.splitlines()]


def measure(args):
    """Medians by curve: milliseconds and MiB; the tables of threads have time on the wall."""
    rounds = {name: [] for name in [*CURVES, *THREADS]}
    for _ in range(args.rounds):
        for name, points in CURVES.items():
            rounds[name].append(run(args, points))
        for threads in THREADS:
            rounds[threads].append(run(args, list(THREADED.values()), threads))

    def medians(names, value):
        return {name: [statistics.median(map(value, points)) for points in zip(*rounds[name])] for name in names}

    times = {**medians(CURVES, lambda p: p["ms"][0]), **medians(THREADS, lambda p: p["wall_ms"][0])}
    return times, medians(CURVES, lambda p: p["peak_mib"])


def line_through(x, y):
    """Intercept and slope by least squares."""
    mx, my = statistics.mean(x), statistics.mean(y)
    slope = sum((a - mx) * (b - my) for a, b in zip(x, y)) / sum((a - mx) ** 2 for a in x)
    return my - slope * mx, slope


def line_row(shares, values, name):
    """The row of a table for the line through `values`; its text calls a share `name`."""
    intercept, slope = line_through(shares, values)
    return f"line {intercept:.1f} + {slope:.1f} {name}", [f"{intercept + slope * share:.1f}" for share in shares]


def table(title, columns, rows):
    print(f"\n| {title} | " + " | ".join(map(str, columns)) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name, values in rows:
        print(f"| {name} | " + " | ".join(values) + " |")


def tables(times, memory):
    ms = lambda values: [f"{v:.1f}" for v in values]  # noqa: E731
    grow = lambda values: [""] + [f"{b / a:.2f}" for a, b in zip(values, values[1:])]  # noqa: E731
    rows = []
    for name in ("full", "causal", "window 64"):
        values = times[name]
        pad = [""] * (len(LENGTHS) - len(values))
        rows += [(f"{name}, ms", ms(values) + pad), ("times the one before", grow(values) + pad)]
    rows += [("window 64, MiB", ms(memory["window 64"])), ("times the one before", grow(memory["window 64"]))]
    table("length", LENGTHS, rows)
    table("batch of 128 tokens each", BATCHES, [("ms", ms(times["batch"])), ("times the one before", grow(times["batch"]))])
    visible, tokens, missing = ([1 - share for share in shares] for shares in (HIDDEN, PADDING, HITS))
    rows = []
    for name in ("spatial", "channel"):
        intercept, _ = line_through(visible, times[name])
        rows += [(f"{name}, ms", ms(times[name])), line_row(visible, times[name], "v")]
        print(f"{name}: intercept {100 * intercept / times[name][0]:.1f} % of dense")
    table("hidden share", HIDDEN, rows)
    seen = [1 - share for share in ROWS]
    # Pairs of rows that meet: v of the first convolution; of the second 1 - h^3, since a row counts that has a visible neighbour.
    pairs = [(1 - h + 1 - h**3) / 2 for h in ROWS]
    rows = []
    for name, shares, letter in (("rows conv", seen, "v"), ("rows all", pairs, "p")):
        intercept, _ = line_through(shares, times[name])
        rows += [(f"{name[5:]}, ms", ms(times[name])), line_row(shares, times[name], letter)]
        print(f"{name}: intercept {100 * intercept / times[name][0]:.1f} % of dense")
    rows += [(f"{name}, ms", ms(times[f"rows {name}"])) for name in ("hidden", "transformer")]
    table("hidden share of rows", ROWS, rows)
    table("padding", PADDING, [("training step, ms", ms(times["padding"])), line_row(tokens, times["padding"], "v"),
                               ("MiB", ms(memory["padding"]))])
    table("vocabulary x targets of the output layer", HEADS, [("MiB", ms(memory["head"]))])
    table("share of the batch in the cache", HITS,
          [("distillation step, ms", ms(times["cache"])), line_row(missing, times["cache"], "m")])
    table("threads, ms on the wall", [*THREADS, "times as fast"],
          [(name, ms([times[t][i] for t in THREADS]) + [f"{times[1][i] / times[2][i]:.2f}"]) for i, name in enumerate(THREADED)])


def panel(title, x_label, series, column, row):
    x0, y0, width, height = 290 * column + 50, 230 * row + 40, 200, 160
    most_x = max(max(x) for _, x, _, _ in series)
    most_y = max(max(y) for _, _, y, _ in series)
    parts = [f'<text x="{x0}" y="{y0 - 16}" font-weight="bold">{title}</text>',
             f'<rect x="{x0}" y="{y0}" width="{width}" height="{height}" fill="none" stroke="#ccc"/>',
             f'<text x="{x0}" y="{y0 + height + 18}">0</text>',
             f'<text x="{x0 + width}" y="{y0 + height + 18}" text-anchor="end">{most_x:g} {x_label}</text>',
             f'<text x="{x0 - 6}" y="{y0 + 10}" text-anchor="end">{most_y:.0f} ms</text>']
    for i, (label, x, y, colour) in enumerate(series):
        points = [(x0 + width * a / most_x, y0 + height * (1 - b / most_y)) for a, b in zip(x, y)]
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
        parts.append(f'<text x="{x0 + 8}" y="{y0 + 18 + 16 * i}" fill="{colour}">{label}</text>')
    return "".join(parts)


def draw(times, path):
    blue, red, green = "#1f6f8b", "#c4572f", "#4f7942"
    visible = [1 - h for h in HIDDEN]
    panels = [
        panel("attention by length", "tokens", [("full", LENGTHS[:-1], times["full"], blue),
                                                ("causal", LENGTHS[:-1], times["causal"], red)], 0, 0),
        panel("window 64 by length", "tokens", [("window", LENGTHS, times["window 64"], green)], 1, 0),
        panel("attention by batch", "x 128 tokens", [("full", BATCHES, times["batch"], blue)], 2, 0),
        panel("masked convolution", "visible", [("spatial", visible, times["spatial"], blue),
                                                ("channel", visible, times["channel"], red)], 0, 1),
        panel("masked model by padding", "of the tokens", [("step", [1 - p for p in PADDING], times["padding"], green)], 1, 1),
        panel("distillation by cache", "not in the cache", [("step", [1 - h for h in HITS], times["cache"], blue)], 2, 1),
    ]
    with open(path, "w") as file:
        file.write('<svg xmlns="http://www.w3.org/2000/svg" width="880" height="460" font-family="sans-serif" font-size="12">'
                   '<rect width="880" height="460" fill="white"/>' + "".join(panels) + "</svg>\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mgd")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--svg")
    args = parser.parse_args()
    times, memory = measure(args)
    tables(times, memory)
    if args.svg:
        draw(times, args.svg)


if __name__ == "__main__":
    main()
