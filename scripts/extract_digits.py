"""Writes scikit-learn's digits.csv.gz to OUT: out of the given wheel, or of the installed package (never imported).

Usage: extract_digits.py OUT [WHEEL]; exits 1 when it is not there.
"""

import importlib.util
import pathlib
import sys
import zipfile

INSIDE = "sklearn/datasets/data/digits.csv.gz"


def read_installed():
    spec = importlib.util.find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        return None
    path = pathlib.Path(spec.submodule_search_locations[0]).parent / INSIDE
    return path.read_bytes() if path.is_file() else None


def main(out, *wheels):
    data = zipfile.ZipFile(wheels[0]).read(INSIDE) if wheels else read_installed()
    if data is None:
        return 1
    pathlib.Path(out).write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
