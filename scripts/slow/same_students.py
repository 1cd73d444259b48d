#!/usr/bin/env python3
"""Do two builds of the program train the same students, to the last byte? For a change that must change nothing.

    same_students.py OLD NEW          compares two programs, run by run; exit 1 when any differs
    same_students.py PROGRAM          prints the checksums alone

Seeded short runs of every kind: pictures with logits and masked features, every mask, averages, bfloat16, accumulation, the teacher's
cache, masked inputs, frozen parts; texts of every task. What is compared: the student's weights, the last checkpoint's tensors, and
the losses that metrics.jsonl has of each step. One thread; a minute on one core. Standard library only.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.argv, arguments = sys.argv[:1], sys.argv[1:]
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests/e2e"))
import harness  # noqa: E402

PICTURES = """
data: {path: toy.csv, validation: 0.2, loader_threads: 0, mean: [0.5], std: [0.5]}
teacher: {path: teacher/model}
student: {model: cifar_resnet8, width: 0.25}
losses: [{name: cross_entropy}, {name: kd, weight: 0.5}, {name: mgd, mask_ratio: 0.3}]
train: {epochs: 3, batch_size: 20, lr: 0.05, log_every: 1, checkpoint_every: 7}
run: {dir: run, seed: 5, threads: 1}
"""
TEXTS = """
task: TASK
data: {path: DATA, validation: 0.2, loader_threads: 0}
text: {tokenizer: tokens, max_length: 40, cache_dir: cache}
student: {model: MODEL, hidden_size: 32, layers: 2, heads: 2, intermediate_size: 64, dropout: 0.1}
train: {optimizer: adamw, epochs: 2, batch_size: 32, lr: 0.005, log_every: 1}
run: {dir: run, seed: 3, threads: 1}
"""


def mgd_loss(**options):
    fields = ", ".join(f"{key}: {value}" for key, value in {"mask_ratio": 0.3, **options}.items())
    return f"losses=[{{name: cross_entropy}}, {{name: mgd, {fields}}}]"


PICTURE_RUNS = {
    "kd and mgd": [],
    "alone, frozen": ["train", "train.freeze=[conv1, layer1]"],
    "head alone": ["train", "student.path=teacher/model", "student.model=", "student.width=1", "train.freeze=[all but the head]"],
    "mask channel": [mgd_loss(mask="channel")],
    "mask spatial, token": [mgd_loss(mask="spatial", fill="token")],
    "mask block, hidden only": [mgd_loss(mask="block", size=2, on="hidden")],
    "mask element, sum": [mgd_loss(mask="element", weight_on="sum", weight=0.001, mask_ratio_end=0.8)],
    "cwd, at, mimic": ["losses=[{name: cross_entropy}, {name: cwd}, {name: at}, {name: mimic, resize: true}]"],
    "averages": ["train.ema_decay=0.9"],
    "bfloat16": ["train.precision=bf16"],
    "accumulation": ["train.micro_batch_size=5"],
    "augmentation, mixup": ["train", "data.augment=[crop: 1, flip, mixup: 0.2]"],
    "cache": ["data.augment=[crop: 1, flip]", "data.views=2", "train.teacher_cache=t.cache"],
    "masked input": ["masks=[{node: input, mask: block, mask_ratio: 0.2, size: 2}]"],
    "masked node, winograd": ["masks=[{node: layer1, mask: channel, mask_ratio: 0.2}]", "train.winograd=true"],
    "batch norm of the teacher": ["train.teacher_norm=batch", "train.optimizer=adamw", "train.lr=0.002"],
}
TEXT_RUNS = {
    "mlm": ("mlm", "text.txt", "bert", []),
    "mlm, spans, packed": ("mlm", "text.txt", "modernbert", ["objective.spans=true", "text.samples=packed", "train.ema_decay=0.9"]),
    "mlm, variants, bfloat16": ("mlm", "text.txt", "bert", ["objective.variants=2", "train.precision=bf16"]),
    "clm": ("clm", "text.txt", "gpt2", ["train.micro_batch_size=8"]),
    "denoise": ("denoise", "text.txt", "bart", []),
    "classify": ("classify", "classify.tsv", "bert", ["text.columns=[text]"]),
    "embed": ("embed", "embed.tsv", "bert", ["text.columns=[first, second]"]),
}


def write_texts(folder):
    before = "nothing"
    with open(folder / "text.txt", "w") as text, open(folder / "classify.tsv", "w") as labels, open(folder / "embed.tsv", "w") as pairs:
        labels.write("text\tlabel\n")
        pairs.write("first\tsecond\tlabel\n")
        for i in range(300):
            words = [f"word{(i * 7 + w * 13) % 50}{'.' if w % 5 == 4 else ''}" for w in range(1 + i % 17)]
            line = " ".join([*words, "end."])
            text.write(line + "\n")
            labels.write(f"{line}\t{'yes' if i % 3 == 0 else 'no'}\n")
            pairs.write(f"{line}\t{before}\t{i % 7 / 6:.3f}\n")
            before = line


def call(program, folder, *args):
    done = subprocess.run([program, *map(str, args)], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{program} {' '.join(map(str, args))}: {done.stderr}")


def checksum(folder):
    """Of everything a run leaves but for times and places."""
    total = hashlib.sha256()
    model, = [folder / name for name in ("model", "student") if (folder / name).exists()]
    for file in [model / "model.safetensors", *sorted(harness.newest(folder).glob("*.safetensors"))]:
        total.update(file.read_bytes())
    steps = [{key: row[key] for key in row if key in ("step", "loss", "lr") or key.startswith("loss/")} for row in harness.rows(folder)]
    total.update(json.dumps(steps, sort_keys=True).encode())
    return total.hexdigest()[:16]


def run_all(program, folder):
    """The runs by name, with their checksums. The teacher and the tokenizer are those of the folder."""
    for name, overrides in PICTURE_RUNS.items():
        verb, *overrides = overrides if overrides[:1] == ["train"] else ["distill", *overrides]
        recipe = PICTURES
        if verb == "train":
            recipe = "\n".join(line for line in PICTURES.splitlines() if not line.startswith(("teacher", "losses")))
        (folder / "recipe.yaml").write_text(recipe)
        yield name, lambda: call(program, folder, verb, "recipe.yaml", "--overwrite", *overrides)
    for name, (task, data, model, overrides) in TEXT_RUNS.items():
        (folder / "recipe.yaml").write_text(TEXTS.replace("TASK", task).replace("DATA", data).replace("MODEL", model))
        yield name, lambda: call(program, folder, "train", "recipe.yaml", "--overwrite", *overrides)


def checksums(program, folder):
    sums = {}
    for name, start in run_all(program, folder):
        (folder / "t.cache").unlink(missing_ok=True)
        start()
        sums[name] = checksum(folder / "run")
    return sums


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="+")
    args = parser.parse_args(arguments)
    programs = [pathlib.Path(program).resolve() for program in args.program]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mgd-same-"))
    try:
        harness.write_toy(folder)
        write_texts(folder)
        harness.write_recipe(folder, "teacher.yaml")
        call(programs[0], folder, "train", "teacher.yaml", "--run-dir", "teacher", "student.width=0.5")
        call(programs[0], folder, "tokenize", "--train", "text.txt", "--vocab-size", 120, "--out", "tokens")
        found = [checksums(program, folder) for program in programs]
    finally:
        shutil.rmtree(folder)
    differing = 0
    for name in found[0]:
        sums = [sums[name] for sums in found]
        same = len(set(sums)) == 1
        differing += not same
        print(f"{name:<28} {' '.join(dict.fromkeys(sums))}{'' if same else '   DIFFERENT'}")
    if len(found) > 1:
        print(f"{len(found[0]) - differing} of {len(found[0])} runs are the same to the last byte")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
