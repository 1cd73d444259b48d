#!/usr/bin/env python3
"""Includes go down the floors only, never up, never to a sibling; and some headers are too heavy for anybody.

The floors are those of docs/design.md and CMakeLists.txt.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FLOORS = [
    ["core"],
    ["format", "kernels"],
    ["text", "front"],
    ["types"],
    ["ops"],
    ["nn"],
    ["mask", "loss", "data", "model", "io"],
    ["eval", "generate", "export"],
    ["teach"],
    ["task"],
    ["train"],
    ["report", "bench"],
    ["run"],
    ["cli"],
]
FLOOR = {folder: i for i, folders in enumerate(FLOORS) for folder in folders}
TORCH_FREE = {"core", "format", "kernels", "text", "front"}
TORCH = re.compile(r"(torch|ATen|c10|caffe2)/")
BANNED = {
    "torch/torch.h": "24 s and 1.3 GB a file",
    "torch/nn.h": "18 s a file",
    "torch/all.h": "24 s a file",
    "torch/extension.h": "24 s a file",
    "ATen/ATen.h": "9 s a file",
    "ATen/Functions.h": "includes every operator",
}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def includes(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1)


def arrow_error(folder, header):
    """Why a file of src/mgd/FOLDER may not include `header`, or None."""
    if folder in TORCH_FREE and TORCH.match(header):
        return f"{folder}/ is free of Torch, but includes {header}"
    if not header.startswith("mgd/"):
        return None
    target = header.split("/")[1]
    if target == folder:
        return None
    if target not in FLOOR:
        return f"{header}: unknown folder '{target}'"
    if FLOOR[target] == FLOOR[folder]:
        return f"{folder}/ includes its sibling: {header}"
    if FLOOR[target] > FLOOR[folder]:
        return f"{folder}/ includes upward: {header}"
    return None


def check(root):
    errors = []
    for top in ("src", "tests", "examples", "bench"):
        for path in sorted(root.glob(f"{top}/**/*")):
            if path.suffix not in (".h", ".cpp"):
                continue
            name = path.relative_to(root)
            folder = name.parts[2] if top == "src" and len(name.parts) > 3 else None
            if folder is not None and folder not in FLOOR:
                errors.append(f"{name}: folder '{folder}' has no floor; add it to scripts/check_arrows.py and docs/design.md")
                continue
            for line, header in includes(path):
                if header in BANNED:
                    errors.append(f"{name}:{line}: {header} is banned ({BANNED[header]}); include single operators")
                error = arrow_error(folder, header) if folder else None
                if error:
                    errors.append(f"{name}:{line}: {error}")
    return errors


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    errors = check(root)
    for error in errors:
        print(error, file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
