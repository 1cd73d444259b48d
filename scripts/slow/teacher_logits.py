#!/usr/bin/env python3
"""The two halves of teacher_logits.sh around `mgd predict`.

prepare TEACHER ARCHIVE EXPECTED FOLDER: FOLDER/model (config.json, model.safetensors) and FOLDER/images
compare EXPECTED GOT: every logit within 1e-3 (JPEG decoders may differ by a level), every best class the same
"""

import json
import shutil
import sys
import tarfile
from pathlib import Path

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def flat_name(member):
    """Images keep the order of the archive in one folder: test/cat/0001.jpg -> cat-0001.jpg."""
    parts = member.split("/")
    return f"{parts[-2]}-{parts[-1]}"


def prepare(teacher, archive, expected, folder):
    folder = Path(folder)
    (folder / "model").mkdir()
    (folder / "images").mkdir()
    shutil.copy(teacher, folder / "model/model.safetensors")
    config = {
        "architecture": "cifar_resnet56",
        "num_classes": len(CLASSES),
        "label_names": CLASSES,
        "pretrained_cfg": {"input_size": [3, 32, 32], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
                           "interpolation": "bilinear", "crop_pct": 1.0},
    }
    (folder / "model/config.json").write_text(json.dumps(config, indent=2))
    wanted = set(json.loads(Path(expected).read_text())["inputs"])
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.name in wanted:
                (folder / "images" / flat_name(member.name)).write_bytes(tar.extractfile(member).read())


def compare(expected, got):
    expected = json.loads(Path(expected).read_text())
    rows = {Path(row["input"]).name: row["logits"] for row in map(json.loads, Path(got).read_text().splitlines())}
    worst, flips = 0.0, 0
    for name, want in zip(expected["inputs"], expected["logits"]):
        have = rows.pop(flat_name(name), None)
        if have is None:
            sys.exit(f"teacher_logits: no prediction for {name}")
        worst = max(worst, max(abs(a - b) for a, b in zip(want, have, strict=True)))
        flips += want.index(max(want)) != have.index(max(have))
    if rows:
        sys.exit(f"teacher_logits: predictions nobody asked for: {sorted(rows)[:3]}")
    print(f"{len(expected['inputs'])} images, largest difference {worst:.2e}, other best class {flips}")
    sys.exit(0 if worst <= 1e-3 and flips == 0 else 1)


def main():
    if len(sys.argv) == 6 and sys.argv[1] == "prepare":
        prepare(*sys.argv[2:])
    elif len(sys.argv) == 4 and sys.argv[1] == "compare":
        compare(*sys.argv[2:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
