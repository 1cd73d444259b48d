#!/usr/bin/env python3
"""The steps of teacher_logits.sh around the program.

prepare TEACHER ARCHIVE EXPECTED FOLDER: FOLDER/model (config.json, model.safetensors), FOLDER/images (those of EXPECTED)
    and FOLDER/data/test (the whole test split, unpacked)
compare EXPECTED GOT: every logit within 1e-4 of the image's largest one, every best class the same
evaluations ACCURACY RESULT...: each accuracy within 2 of 10,000, and all results the same to the last digit
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


def write_model(teacher, folder):
    folder.mkdir()
    shutil.copy(teacher, folder / "model.safetensors")
    config = {
        "architecture": "cifar_resnet56",
        "num_classes": len(CLASSES),
        "label_names": CLASSES,
        "pretrained_cfg": {"input_size": [3, 32, 32], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
                           "interpolation": "bilinear", "crop_pct": 1.0},
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2))


def prepare(teacher, archive, expected, folder):
    folder = Path(folder)
    write_model(teacher, folder / "model")
    (folder / "images").mkdir()
    wanted = set(json.loads(Path(expected).read_text())["inputs"])
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = Path(member.name).parts
            if not member.isfile() or "test" not in parts:
                continue
            data = tar.extractfile(member).read()
            place = folder.joinpath("data", *parts[-3:])
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
            if member.name in wanted:
                (folder / "images" / flat_name(member.name)).write_bytes(data)


def compare(expected, got):
    expected = json.loads(Path(expected).read_text())
    rows = {Path(row["input"]).name: row["logits"] for row in map(json.loads, Path(got).read_text().splitlines())}
    worst, flips = 0.0, 0
    for name, want in zip(expected["inputs"], expected["logits"]):
        have = rows.pop(flat_name(name), None)
        if have is None:
            sys.exit(f"teacher_logits: no prediction for {name}")
        largest = max(map(abs, want))
        worst = max(worst, max(abs(a - b) for a, b in zip(want, have, strict=True)) / largest)
        flips += want.index(max(want)) != have.index(max(have))
    if rows:
        sys.exit(f"teacher_logits: predictions nobody asked for: {sorted(rows)[:3]}")
    print(f"{len(expected['inputs'])} images, largest relative difference {worst:.1e}, other best class {flips}")
    sys.exit(0 if worst <= 1e-4 and flips == 0 else 1)


def evaluations(accuracy, *results):
    good = True
    first = None
    for result in results:
        metrics = json.loads(Path(result).read_text())["metrics"]
        same = {key: metrics[key] for key in ("accuracy", "loss", "confusion")}
        first = first or same
        right = abs(metrics["accuracy"] - float(accuracy)) <= 2e-4 and same == first
        good = good and right
        print(f"{Path(result).stem:<16} accuracy {metrics['accuracy']:.4f}, loss {metrics['loss']!r}{'' if right else '  WRONG'}")
    sys.exit(0 if good else 1)


def main():
    steps = {"prepare": prepare, "compare": compare, "evaluations": evaluations}
    if len(sys.argv) < 4 or sys.argv[1] not in steps:
        sys.exit(__doc__)
    steps[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
