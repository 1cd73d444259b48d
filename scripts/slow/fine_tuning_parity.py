#!/usr/bin/env python3
"""Fine-tuning must follow plain PyTorch: pretrained weights, a fresh head for the classes of real photos, the same batches;
everything trained, the body frozen, and the first blocks frozen.

The network is timm's; the order of the pictures is drawn here once more. Pictures are scaled by Pillow beforehand, so
that scaling plays no part. The fresh head is taken from the program's first checkpoint, the body from the weights' file,
and it is checked that the program has both from there.

Limits on the relative difference of the loss from PyTorch's in double: 1e-4 in each of the first 10 of 50 steps, 1e-2 later,
as long as PyTorch's own float32 keeps them: networks that train their norms on batches of a few pictures magnify rounding a
hundred times a step, and what comes after tells nothing ("not judged"). A table on stdout: ours, PyTorch in double, and the
relative differences of ours and of PyTorch's float from it; exit 1 beyond the limits. Needs torch, timm, safetensors, Pillow, numpy. Minutes on two cores.

Usage: fine_tuning_parity.py --mgd MGD --data PHOTOS.tar --weights WEIGHTS.safetensors [--model tf_efficientnet_lite0]
"""

import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import timm
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

from philox import permutation, random_key

LEVELS = (0.5, 0.5, 0.5)
MOMENTUM, WEIGHT_DECAY, EARLY_STEPS, EARLY_LIMIT, LIMIT = 0.9, 5e-4, 10, 1e-4, 1e-2
FROZEN = {"nothing": [], "all but the head": ["all but the head"], "two blocks": ["conv_stem", "bn1", "blocks.0", "blocks.1"]}


def write_pictures(args, folder):
    """FOLDER/train/CLASS/NNN.png, all of one size; gives pixels (N, Y, X, 3) and labels, class by class, by name."""
    classes, pixels, labels = {}, [], []
    with tarfile.open(args.data) as tar:
        for member in tar:
            parts = member.name.removeprefix("./").split("/")
            if member.isfile() and parts[0] == "train" and len(classes.setdefault(parts[1], [])) < args.per_class:
                classes[parts[1]].append(tar.extractfile(member).read())
    for label, name in enumerate(sorted(classes)):
        (folder / "train" / name).mkdir(parents=True)
        for i, data in enumerate(classes[name]):
            picture = Image.open(io.BytesIO(data)).convert("RGB").resize((args.side, args.side), Image.BICUBIC)
            picture.save(folder / "train" / name / f"{i:03}.png")
            pixels.append(np.asarray(picture))
            labels.append(label)
    return torch.from_numpy(np.stack(pixels)), torch.tensor(labels)


def run_mgd(args, folder, frozen):
    recipe = {
        "data": {"path": str(folder / "pictures"), "test": "", "validation": 0, "image_size": args.side, "mean": LEVELS, "std": LEVELS},
        "student": {"model": args.model, "weights": str(Path(args.weights).resolve())},
        "train": {"epochs": 1000, "max_steps": args.steps, "batch_size": args.batch, "optimizer": "sgd", "lr": args.lr,
                  "momentum": MOMENTUM, "weight_decay": WEIGHT_DECAY, "schedule": "constant", "log_every": 1,
                  "checkpoint_every": 1000000, "freeze": frozen},
        "run": {"seed": args.seed, "threads": args.threads},
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    run = folder / "run"
    command = [args.mgd, "train", str(folder / "recipe.yaml"), "--run-dir", str(run), "--overwrite", *args.set]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"fine_tuning_parity: mgd ended with {done.returncode}\n{done.stderr}")
    print(*[line for line in done.stderr.splitlines() if "head fresh" in line or "frozen" in line], sep="\n")
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    first = load_file(run / "checkpoints/step-00000000/trained.safetensors")
    return [row["loss"] for row in rows if "loss" in row], {k.removeprefix("student/"): v for k, v in first.items()}


def is_frozen(name, head, frozen):
    if frozen == ["all but the head"]:
        return not name.startswith(head + ".")
    return any(name.startswith(layer + ".") for layer in frozen)


def train(args, start, pixels, labels, frozen, dtype):
    model = timm.create_model(args.model, num_classes=int(labels.max()) + 1)
    model.load_state_dict(start)
    head = model.default_cfg["classifier"]
    given = load_file(args.weights)
    for name, tensor in start.items():
        if not name.startswith(head + ".") and not name.endswith("num_batches_tracked"):
            assert torch.equal(tensor, given[name]), f"{name} is not that of {args.weights}"
    model.to(dtype=dtype, memory_format=torch.channels_last).train()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not is_frozen(name, head, frozen))
    for module in model.modules():
        own = list(module.parameters())
        if own and not any(p.requires_grad for p in own):
            module.eval()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=args.lr, momentum=MOMENTUM,
                                weight_decay=WEIGHT_DECAY)
    key, per_epoch, curve = random_key(args.seed, "shuffle"), len(labels) // args.batch, []
    for step in range(args.steps):
        epoch, place = divmod(step, per_epoch)
        samples = permutation(key, epoch, len(labels))[place * args.batch:(place + 1) * args.batch]
        x = ((pixels[samples].double() / 255 - 0.5) / 0.5).float().to(dtype).permute(0, 3, 1, 2)
        loss = F.cross_entropy(model(x.contiguous(memory_format=torch.channels_last)), labels[samples])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curve.append(loss.item())
    return curve


def compare(ours, plain, exact):
    good, worst = len(ours) == len(exact), 0.0
    for step, (a, b, c) in enumerate(zip(ours, plain, exact), 1):
        apart, own = (abs(x - c) / max(abs(c), 1e-12) for x in (a, b))
        worst, limit = max(worst, own), EARLY_LIMIT if step <= EARLY_STEPS else LIMIT
        good = good and (worst > limit or apart <= limit)
        if step <= EARLY_STEPS or step % 10 == 0:
            print(f"{step:4d} {a:12.6f} {c:12.6f} {apart:10.1e} {own:10.1e}{'  not judged' if worst > limit else ''}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mgd", default="mgd", help="the program")
    parser.add_argument("--data", required=True, help="tar archive of train/CLASS/NAME.jpg")
    parser.add_argument("--weights", required=True, help="of --model, under timm's names")
    parser.add_argument("--model", default="tf_efficientnet_lite0", help="its name in timm and here")
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--per-class", type=int, default=24)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--set", nargs="*", default=[], help="further key=value for the program")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    good = True
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        pixels, labels = write_pictures(args, folder / "pictures")
        for name, frozen in FROZEN.items():
            print(f"frozen: {name}")
            ours, start = run_mgd(args, folder, frozen)
            plain, exact = (train(args, start, pixels, labels, frozen, dtype) for dtype in (torch.float32, torch.float64))
            good = compare(ours, plain, exact) and good
    print("parity holds" if good else "parity does not hold")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
