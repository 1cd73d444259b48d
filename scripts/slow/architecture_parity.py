#!/usr/bin/env python3
"""Every architecture live against timm and torchvision, with random weights: logits, three taps and, in training, the
gradients and the moved statistics of a step, at two sizes and two class counts, also at other widths.

Usage: architecture_parity.py TEST_EVAL [NAME ...]. TEST_EVAL is the built test program (build/release/test_eval).
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))
from architectures import ARCHITECTURES, create, taps_of, widened
from make_architectures import captured, count_macs

LIMIT = 1e-5  # of the largest value; or twice what float32 loses in the library itself
CASES = [  # classes, channels, height, width, training
    (1000, 3, 128, 128, False),
    (11, 1, 97, 150, False),
    (5, 3, 96, 64, True),
]


def randomised(model):
    """As networks are after training: norms with statistics of their own, no layer silent."""
    for name, tensor in model.state_dict().items():
        if name.endswith("running_mean") or name.endswith("bias"):
            tensor.normal_(0, 0.1)
        elif name.endswith("running_var") or (tensor.dim() == 1 and tensor.is_floating_point()):
            tensor.uniform_(0.7, 1.4)
    return model


def distance(got, expected, scale):
    return ((got.double() - expected).abs().max() / max(expected.abs().max().item(), scale)).item()


def run(model, taps, images, training):
    model = model.train(training)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    if hasattr(model, "drop_rate"):
        model.drop_rate = 0.0
    with torch.set_grad_enabled(training):
        logits, seen = captured(model, taps, images)
        if training:
            logits.square().sum().backward()
    results = {"logits": logits.detach(), **{f"tap/{k}": v for k, v in seen.items()}}
    if training:
        results |= {f"grad/{k}": p.grad for k, p in model.named_parameters()}
        results |= {f"buffer/{k}": b.clone() for k, b in model.named_buffers() if b.is_floating_point()}
    return results


def ask(test_eval, folder, name, width, case):
    classes, channels, y, x, training = case
    torch.manual_seed(1)
    model = randomised(widened(name, classes, channels, width) if width != 1 else create(name, classes, channels))
    images = torch.randn(3, channels, y, x)
    taps = taps_of(name, model)
    weights = {f"weight/{k}": v.clone().contiguous() for k, v in model.state_dict().items()}
    question = {"architecture": name, "classes": classes, "channels": channels, "width": width, "taps": taps,
                "training": training}
    save_file({"input": images, **weights}, folder / "q.safetensors", metadata={"case": json.dumps(question)})
    subprocess.run([test_eval, "--gtest_filter=ImageExchange*", "--gtest_brief=1"], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "MGD_IMAGE_EXCHANGE": str(folder)})
    state = {k: v.clone() for k, v in model.state_dict().items()}
    single = run(model, taps, images, training)
    model.zero_grad()
    model.load_state_dict(state)
    for module in model.modules():
        module._forward_hooks.clear()
    double = run(model.double(), taps, images.double(), training)
    answers = load_file(folder / "q.answer.safetensors")
    worst, failed = 0.0, []
    # A gradient that is nothing beside the others is rounding.
    largest = max((v.abs().max().item() for k, v in double.items() if k.startswith("grad/")), default=0)
    for key, expected in double.items():
        scale = 1e-4 * largest if key.startswith("grad/") else 1e-30
        ours, theirs = distance(answers[key], expected, scale), distance(single[key], expected, scale)
        worst = max(worst, ours)
        if ours > max(LIMIT, (4 if training else 2) * theirs):
            failed.append(f"{key}: {ours:.1e}, theirs {theirs:.1e}")
    with safe_open(folder / "q.answer.safetensors", "pt") as answer:
        counts = json.loads(answer.metadata()["counts"])
    if counts["parameters"] != sum(p.numel() for p in model.parameters()):
        failed.append(f"parameters: {counts['parameters']}")
    print(f"{name} x {width:g} {case}: {worst:.1e}{'' if not failed else ' FAILED ' + '; '.join(failed[:4])}", flush=True)
    return not failed


def main():
    test_eval, names = sys.argv[1], sys.argv[2:] or list(ARCHITECTURES)
    good = True
    for name in names:
        for width in (1, *ARCHITECTURES[name].get("widths", ())):
            for case in CASES:
                with tempfile.TemporaryDirectory() as folder:
                    good &= ask(test_eval, Path(folder), name, width, case)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
