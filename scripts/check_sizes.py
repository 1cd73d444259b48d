#!/usr/bin/env python3
"""A file warns at 400 lines and fails at 600. Prints the median of src/."""

import pathlib
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
WARN, FAIL = 400, 600
SUFFIXES = {".h", ".cpp", ".py", ".sh", ".cmake"}


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    sizes = {}
    for top in ("src", "tests", "scripts", "cmake", "examples", "bench"):
        for path in sorted(root.glob(f"{top}/**/*")):
            if path.suffix in SUFFIXES and path.is_file():
                sizes[path.relative_to(root)] = len(path.read_bytes().splitlines())
    failed = False
    for name, lines in sizes.items():
        if lines > FAIL:
            print(f"{name}: {lines} lines, at most {FAIL}; split it by concept", file=sys.stderr)
            failed = True
        elif lines > WARN:
            print(f"{name}: {lines} lines, above {WARN}: consider splitting it")
    source = [lines for name, lines in sizes.items() if name.parts[0] == "src"]
    if source:
        print(f"src: {len(source)} files, {sum(source)} lines, median {statistics.median(source):.0f}, longest {max(source)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
