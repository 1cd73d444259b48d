#!/usr/bin/env python3
"""No object of one instruction set shares a symbol with others.

An inline function or template that two objects both emit has one name, and the linker keeps either: code with AVX-512 could then stand in for
what every processor runs. Kernels keep all they define to themselves, so their objects have no weak symbols.

    scripts/check_isa_symbols.py OBJECT ...
"""

import re
import subprocess
import sys

OF_AN_ISA = re.compile(r"_avx\w+\.cpp\.o$")


def main(objects):
    checked = [path for path in objects if OF_AN_ISA.search(path)]
    if not checked:
        sys.exit("no objects of an instruction set among the arguments")
    shared = []
    for path in checked:
        listing = subprocess.run(["nm", "-C", "--defined-only", path], check=True, stdout=subprocess.PIPE, text=True)
        shared += [f"{path}: {line.split(maxsplit=2)[2]}" for line in listing.stdout.splitlines() if line[17:18] in "WVu"]
    print("\n".join(shared) if shared else f"{len(checked)} objects, no shared symbols")
    sys.exit(1 if shared else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
