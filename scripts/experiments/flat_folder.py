#!/usr/bin/env python3
"""The first N training pictures of each class of an archive SPLIT/CLASS/NAME, in one folder and under numbers.

flat_folder.py ARCHIVE.tar.xz N FOLDER
"""

import collections
import pathlib
import sys
import tarfile

archive, most, folder = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
folder.mkdir(parents=True)
taken = collections.Counter()
with tarfile.open(archive) as tar:
    for member in tar:
        parts = pathlib.PurePosixPath(member.name).parts
        if not member.isfile() or len(parts) < 3 or parts[-3] != "train" or taken[parts[-2]] == most:
            continue
        taken[parts[-2]] += 1
        number = sum(taken.values())
        (folder / f"{number:06}{pathlib.PurePosixPath(member.name).suffix}").write_bytes(tar.extractfile(member).read())
print(f"{sum(taken.values())} pictures of {len(taken)} classes")
