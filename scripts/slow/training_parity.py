#!/usr/bin/env python3
"""Training must follow a plain PyTorch program: the same weights at the start, the same images in the same order, the same
masks, so that the losses of `mgd distill` and of this program can be compared step by step.

Written from the documents, not from the program: network, losses, Philox numbers, order, masks, schedule and the choice
of images are all here once more. ResNet-56 into ResNet-8 on CIFAR-10 JPEGs, cross-entropy + KD + MGD, SGD, no augmentation.

Limits on the relative difference: 1e-4 in each of the first 10 steps, then 1e-2. Both sides use the same kernels in
float32, so their rounding is nearly the same. Against --dtype float64 any fp32 program drifts away, the faster the higher
the learning rate: 1e-7 at step 1 became 1e-2 within ten steps with --lr 0.1, 5e-4 with 0.01. That mode shows the first
steps, not the limits. A table on stdout; exit 1 beyond the limits.
Needs torch, safetensors, numpy, Pillow. Minutes on two cores.
"""

import argparse
import io
import json
import math
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

from philox import permutation, random_key, words

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # the default for colour images
VALIDATION, TEMPERATURE, MASK_RATIO = 0.02, 4.0, 0.5
WEIGHTS = {"cross_entropy": 0.1, "kd": 0.9, "mgd": 1.0}
MOMENTUM, WEIGHT_DECAY = 0.9, 5e-4


# --- Data ------------------------------------------------------------------------------------------------------------


def training_images(archive, per_class):
    """uint8 (N, 32, 32, 3) and labels: class by class, images by name, without those held out for validation."""
    with tarfile.open(archive) as tar:
        members = [(m.name, tar.extractfile(m).read()) for m in tar if m.isfile() and m.name.startswith("train/")]
    classes = {}
    for name, data in sorted(members):
        classes.setdefault(name.split("/")[1], []).append(data)
    pixels, labels = [], []
    for label, name in enumerate(sorted(classes)):
        kept = [data for i, data in enumerate(classes[name])
                if math.floor((i + 1) * VALIDATION) == math.floor(i * VALIDATION)][:per_class]
        pixels += [np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for data in kept]
        labels += [label] * len(kept)
    return torch.from_numpy(np.stack(pixels)), torch.tensor(labels)


def normalised(pixels):
    """uint8 (B, Y, X, 3) -> float32 (B, 3, Y, X), channels last in memory. The arithmetic is in double."""
    x = (pixels.double() / 255 - torch.tensor(MEAN, dtype=torch.float64)) / torch.tensor(STD, dtype=torch.float64)
    return x.permute(0, 3, 1, 2)


def channel_mask(key, step, samples, channels):
    """(B, C, 1, 1), True = visible: each channel of each sample is hidden by itself."""
    threshold = int(MASK_RATIO * 2**32)
    rows = []
    for sample in samples:
        stream = words(key, step, sample)
        rows.append([next(stream) >= threshold for _ in range(channels)])
    return torch.tensor(rows).view(len(samples), channels, 1, 1)


# --- Network and losses ----------------------------------------------------------------------------------------------


def batch_norm(state, name, x, training):
    mean, var, weight, bias = (state[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
    return F.batch_norm(x, mean, var, weight, bias, training=training, momentum=0.1, eps=1e-5)


def cifar_resnet(state, x, training):
    """Logits and the output of the last stage, of an option-A CIFAR ResNet given by its tensors."""
    def conv(name, x, stride=1):
        return F.conv2d(x, state[f"{name}.weight"], stride=stride, padding=1)

    x = F.relu(batch_norm(state, "bn1", conv("conv1", x), training))
    for stage in (1, 2, 3):
        block = 0
        while f"layer{stage}.{block}.conv1.weight" in state:
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = F.relu(batch_norm(state, f"{name}.bn1", conv(f"{name}.conv1", x, stride), training))
            y = batch_norm(state, f"{name}.bn2", conv(f"{name}.conv2", y), training)
            half = (y.shape[1] - x.shape[1]) // 2
            x = F.relu(y + F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, half, half)))
            block += 1
    return F.linear(x.mean((2, 3)), state["linear.weight"], state["linear.bias"]), x


def losses(blocks, student, teacher, target, keep):
    (logits, features), (teacher_logits, teacher_features) = student, teacher
    if "align.weight" in blocks:
        features = F.conv2d(features, blocks["align.weight"], blocks["align.bias"])
    hidden = F.relu(F.conv2d(features * keep, blocks["generation.0.weight"], blocks["generation.0.bias"], padding=1))
    generated = F.conv2d(hidden, blocks["generation.2.weight"], blocks["generation.2.bias"], padding=1)
    t = TEMPERATURE
    return {
        "cross_entropy": F.cross_entropy(logits, target),
        "kd": t * t * F.kl_div(F.log_softmax(logits / t, 1), F.log_softmax(teacher_logits / t, 1),
                               reduction="batchmean", log_target=True),
        "mgd": F.mse_loss(generated, teacher_features),
    }


def part_of(tensors, prefix):
    return {name[len(prefix):]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def train(args, start):
    """The losses of each step, and the trained tensors at the end."""
    dtype = getattr(torch, args.dtype)
    # Channels-last weights, as ours: the same kernels then round alike, and only real differences are left.
    def prepared(value):
        value = value.clone().to(dtype) if value.is_floating_point() else value
        return value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value

    start = {k: prepared(v) for k, v in start.items()}
    student, blocks = part_of(start, "student/"), part_of(start, "loss/mgd/")
    teacher = {k: prepared(v) for k, v in load_file(args.teacher).items()}
    learned = {k: v for k, v in start.items() if v.is_floating_point() and "running_" not in k}
    for tensor in learned.values():
        tensor.requires_grad_()
    optimizer = torch.optim.SGD(learned.values(), lr=args.lr, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)

    pixels, labels = training_images(args.data, args.per_class)
    shuffle, mask = random_key(args.seed, "shuffle"), random_key(args.seed, "mask/mgd")
    steps_per_epoch = len(labels) // args.batch
    rows, order = [], []
    for step in range(args.steps):
        epoch, place = divmod(step, steps_per_epoch)
        if place == 0:
            order = permutation(shuffle, epoch, len(labels))
        samples = order[place * args.batch:(place + 1) * args.batch]
        x = normalised(pixels[samples]).to(dtype).contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            seen_by_teacher = cifar_resnet(teacher, x, training=False)
        keep = channel_mask(mask, step, samples, seen_by_teacher[1].shape[1])
        parts = losses(blocks, cifar_resnet(student, x, training=True), seen_by_teacher, labels[samples], keep)
        total = sum(WEIGHTS[name] * value for name, value in parts.items())
        for group in optimizer.param_groups:
            group["lr"] = args.lr * 0.5 * (1 + math.cos(math.pi * step / args.steps))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        rows.append({"loss": total.item(), **{f"loss/{name}": value.item() for name, value in parts.items()}})
    return rows, {k: v.detach() for k, v in start.items()}


# --- The program -----------------------------------------------------------------------------------------------------


def recipe(args):
    """JSON is YAML."""
    return json.dumps({
        "task": "classify",
        "data": {"path": str(Path(args.data).resolve()), "train": "train", "test": "", "augment": [],
                 "per_class": args.per_class, "validation": VALIDATION, "mean": MEAN, "std": STD},
        "teacher": {"model": "cifar_resnet56", "weights": str(Path(args.teacher).resolve())},
        "student": {"model": "cifar_resnet8"},
        "losses": [{"name": "cross_entropy", "weight": WEIGHTS["cross_entropy"]},
                   {"name": "kd", "weight": WEIGHTS["kd"], "temperature": TEMPERATURE},
                   {"name": "mgd", "student_tap": "layer3", "teacher_tap": "layer3", "weight": WEIGHTS["mgd"],
                    "weight_on": "mean", "mask": "channel", "mask_ratio": MASK_RATIO}],
        # Only the newest two checkpoints are kept: those of step 0 and of the last step.
        "train": {"epochs": 1000, "max_steps": args.steps, "batch_size": args.batch, "optimizer": "sgd", "lr": args.lr,
                  "momentum": MOMENTUM, "weight_decay": WEIGHT_DECAY, "schedule": "cosine", "precision": "fp32",
                  "log_every": 1, "eval_every": 1000, "checkpoint_every": 1000000},
        "run": {"seed": args.seed, "threads": args.threads},
    }, indent=1)


def run_mgd(args, folder):
    """Rows of each step, tensors before the first and after the last."""
    (folder / "recipe.yaml").write_text(recipe(args))
    run = folder / "run"
    command = [args.mgd, "distill", str(folder / "recipe.yaml"), "--run-dir", str(run), "--quiet"]
    code = subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode
    if code != 0:
        sys.exit(f"training_parity: mgd ended with {code}")
    rows = [row for row in map(json.loads, (run / "metrics.jsonl").read_text().splitlines()) if "loss" in row]
    if [row["step"] for row in rows] != list(range(1, args.steps + 1)):
        sys.exit(f"training_parity: metrics.jsonl has steps {[row['step'] for row in rows]}")
    skipped = json.loads((run / "summary.json").read_text())["skipped_steps"]
    if skipped:
        sys.exit(f"training_parity: {skipped} updates were skipped; choose a lower --lr")
    first, last = (load_file(run / f"checkpoints/step-{step:08d}/trained.safetensors") for step in (0, args.steps))
    return rows, first, last


def relative(a, b):
    return abs(a - b) / max(abs(a), abs(b), 1e-12)


def print_table(ours, theirs):
    names = [name for name in theirs[0] if name != "loss"]
    print(f"{'step':>4} {'ours':>12} {'PyTorch':>12} {'difference':>10}   " + " ".join(f"{n[5:]:>13}" for n in names))
    for step, (a, b) in enumerate(zip(ours, theirs, strict=True), 1):
        print(f"{step:4d} {a['loss']:12.6f} {b['loss']:12.6f} {relative(a['loss'], b['loss']):10.1e}   "
              + " ".join(f"{relative(a[n], b[n]):13.1e}" for n in names))


def judge(args, ours, theirs):
    beyond = 0
    for step, (a, b) in enumerate(zip(ours, theirs, strict=True), 1):
        limit = args.early_limit if step <= 10 else args.limit
        for name in b:
            if not relative(a[name], b[name]) <= limit:
                print(f"step {step}: {name}: {a[name]!r} against {b[name]!r}, limit {limit:g}")
                beyond += 1
    return beyond == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mgd", default="mgd", help="the program")
    parser.add_argument("--data", required=True, help="CIFAR-10 as a tar archive of train/CLASS/NAME.jpg")
    parser.add_argument("--teacher", required=True, help="cifar_resnet56, .safetensors")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--per-class", type=int, default=200)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32", help="of the PyTorch program")
    parser.add_argument("--early-limit", type=float, default=1e-4)
    parser.add_argument("--limit", type=float, default=1e-2)
    parser.add_argument("--keep", help="folder that keeps recipe and run")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(args.keep or temp)
        folder.mkdir(parents=True, exist_ok=True)
        ours, first, last = run_mgd(args, folder)
        theirs, tensors = train(args, first)
    print_table(ours, theirs)
    apart = {name: ((tensors[name].double() - last[name].double()).norm() / last[name].double().norm()).item()
             for name in tensors if last[name].is_floating_point()}
    name = max(apart, key=apart.get)
    print(f"trained tensors: farthest apart {name} ({apart[name]:.1e} of its norm)")
    good = judge(args, ours, theirs)
    print("parity holds" if good else "parity does not hold")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
