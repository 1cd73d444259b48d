#!/usr/bin/env python3
"""The peer: the distillation step of recipes/cifar10-resnet56-resnet8.yaml in plain PyTorch.

ResNet-56 into ResNet-8 (or --student 20) with cross-entropy + KD + MGD on CIFAR-10 JPEGs with crop and flip, written the way a careful
PyTorch user would: channels-last models and images, teacher without gradient, fused SGD, DataLoader with workers.

  step   the step alone: batches lie ready in memory
  loop   end to end: a DataLoader with --workers processes augments and collates
  jpeg   the same, and each picture is decoded each time

One JSON object on stdout. CPU time is that of the process and its workers, during the measured steps only.
"""

import argparse
import io
import json
import multiprocessing
import os
import tarfile
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import DataLoader, Dataset

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.half = stride, (outputs - inputs) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        if self.half or self.stride > 1:
            x = F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.half, self.half))
        return F.relu(y + x, inplace=True)


class CifarResNet(nn.Module):
    """With shortcuts without parameters (option A). Gives the logits and the last stage's map."""

    def __init__(self, depth, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        inputs = 16
        for stage, outputs in enumerate((16, 32, 64), 1):
            blocks = []
            for i in range((depth - 2) // 6):
                blocks.append(Block(inputs, outputs, 2 if stage > 1 and i == 0 else 1))
                inputs = outputs
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, classes)
        for module in self.modules():  # as the authors of these networks, and mgd
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        features = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(features.mean((2, 3))), features


class Generation(nn.Sequential):
    def __init__(self, channels=64):
        super().__init__(nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(inplace=True),
                         nn.Conv2d(channels, channels, 3, padding=1))


class Distiller:
    def __init__(self, teacher_file, args):
        self.mask_ratio, self.temperature = args.mask_ratio, 4.0
        last = torch.channels_last
        self.teacher, self.student = CifarResNet(56).to(memory_format=last).eval(), CifarResNet(args.student).to(memory_format=last)
        self.teacher.load_state_dict(load_file(teacher_file), strict=False)  # num_batches_tracked may be missing
        self.generation = Generation().to(memory_format=last)
        parameters = [*self.student.parameters(), *self.generation.parameters()]
        self.optimizer = torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=5e-4, fused=True)

    def step(self, x, target):
        with torch.no_grad():
            teacher_logits, teacher_features = self.teacher(x)
        logits, features = self.student(x)
        keep = torch.rand(x.shape[0], features.shape[1], 1, 1) >= self.mask_ratio
        t = self.temperature
        kd = F.kl_div(F.log_softmax(logits / t, 1), F.log_softmax(teacher_logits / t, 1), reduction="batchmean",
                      log_target=True)
        loss = (0.1 * F.cross_entropy(logits, target) + 0.9 * t * t * kd
                + F.mse_loss(self.generation(features * keep), teacher_features))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.item()


class Pictures(Dataset):
    """Crop (4 pixels of padding) and flip on uint8, then normalisation by a table."""

    def __init__(self, archive, per_class, decode_once):
        self.files, self.labels = self.read(archive, per_class)
        self.pixels = [self.decode(data) for data in self.files] if decode_once else None
        levels = np.arange(256) / 255
        self.table = np.stack([(levels - m) / s for m, s in zip(MEAN, STD, strict=True)], 1).astype(np.float32)

    @staticmethod
    def read(archive, per_class):
        classes = {}
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and member.name.startswith("train/"):
                    pictures = classes.setdefault(member.name.split("/")[1], [])
                    if not per_class or len(pictures) < per_class:
                        pictures.append(tar.extractfile(member).read())
        files = [data for name in sorted(classes) for data in classes[name]]
        return files, [label for label, name in enumerate(sorted(classes)) for _ in classes[name]]

    @staticmethod
    def decode(data):
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = self.pixels[index] if self.pixels else self.decode(self.files[index])
        size = image.shape[0]
        dy, dx, flip = torch.randint(0, 9, (3,)).tolist()
        padded = np.zeros((size + 8, size + 8, 3), np.uint8)
        padded[4:4 + size, 4:4 + size] = image
        image = padded[dy:dy + size, dx:dx + size]
        if flip % 2:
            image = image[:, ::-1]
        out = np.empty(image.shape, np.float32)
        for c in range(3):
            out[:, :, c] = self.table[image[:, :, c], c]
        return out, self.labels[index]


def collate(samples):
    """(B, 3, Y, X) with channels last in memory, without a copy more than the stacking."""
    return torch.from_numpy(np.stack([x for x, _ in samples])).permute(0, 3, 1, 2), torch.tensor([y for _, y in samples])


def usage(pids):
    """CPU seconds and minor page faults of the processes."""
    seconds = faults = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        faults += int(fields[7])
        seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds, faults


def endless(loader):
    while True:
        yield from loader


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["step", "loop", "jpeg"])
    parser.add_argument("--data", required=True, help="CIFAR-10 as a tar archive of train/CLASS/NAME.jpg")
    parser.add_argument("--teacher", required=True, help="cifar_resnet56, .safetensors")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--warmup", type=int, default=20, help="steps that are not measured")
    parser.add_argument("--steps", type=int, default=60, help="in all")
    parser.add_argument("--per-class", type=int, default=250)
    parser.add_argument("--mask-ratio", type=float, default=0.15)
    parser.add_argument("--student", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)

    pictures = Pictures(args.data, args.per_class, decode_once=args.mode != "jpeg")
    workers = args.workers if args.mode != "step" else 0
    loader = DataLoader(pictures, args.batch, shuffle=True, drop_last=True, collate_fn=collate, num_workers=workers,
                        persistent_workers=workers > 0)
    batches = [next(iter(loader)) for _ in range(4)] if args.mode == "step" else loader
    stream = endless(batches)
    distiller = Distiller(args.teacher, args)
    waited, losses = 0.0, []
    for step in range(args.steps):
        if step == args.warmup:
            pids = [os.getpid(), *(child.pid for child in multiprocessing.active_children())]
            (cpu, faults), start, waited = usage(pids), time.perf_counter(), 0.0
        asked = time.perf_counter()
        x, target = next(stream)
        waited += time.perf_counter() - asked
        losses.append(distiller.step(x, target))
    wall, steps = time.perf_counter() - start, args.steps - args.warmup
    cpu, faults = (b - a for a, b in zip((cpu, faults), usage(pids), strict=True))
    print(json.dumps({"mode": args.mode, "samples_per_s": steps * args.batch / wall, "wall_ms": 1e3 * wall / steps,
                      "cpu_ms": 1e3 * cpu / steps, "faults": faults / steps, "wait_frac": waited / wall, "losses": losses}))


if __name__ == "__main__":
    main()
