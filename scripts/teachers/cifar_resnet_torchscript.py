#!/usr/bin/env python3
"""A CIFAR ResNet's weights as TorchScript, for mgd's `teacher.script`: an example of what such a file holds.

    python3 cifar_resnet_torchscript.py WEIGHTS.safetensors OUT.pt

Needs torch and safetensors. The forward pass takes (B, 3, Y, X), normalised as mgd's recipe says, and gives a dictionary:
"logits" (B, K), and the maps after each stage as "layer1", "layer2", "layer3".
"""
import sys
from typing import Dict

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn


class Block(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.stride = stride
        self.pad = (channels - channels_in) // 2

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1:  # the shortcut without weights: every second pixel, new channels are zero
            x = F.pad(x[:, :, ::self.stride, ::self.stride], [0, 0, 0, 0, self.pad, self.pad])
        return F.relu(y + x)


class CifarResNet(nn.Module):
    def __init__(self, blocks: int, classes: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self.stage(16, 16, 1, blocks)
        self.layer2 = self.stage(16, 32, 2, blocks)
        self.layer3 = self.stage(32, 64, 2, blocks)
        self.linear = nn.Linear(64, classes)

    @staticmethod
    def stage(channels_in: int, channels: int, stride: int, blocks: int) -> nn.Sequential:
        first = Block(channels_in, channels, stride)
        return nn.Sequential(first, *[Block(channels, channels, 1) for _ in range(blocks - 1)])

    def forward(self, x: Tensor) -> Dict[str, Tensor]:
        x = F.relu(self.bn1(self.conv1(x)))
        layer1 = self.layer1(x)
        layer2 = self.layer2(layer1)
        layer3 = self.layer3(layer2)
        logits = self.linear(layer3.mean([2, 3]))
        return {"layer1": layer1, "layer2": layer2, "layer3": layer3, "logits": logits}


def main() -> None:
    weights, out = sys.argv[1:3]
    tensors = load_file(weights)
    blocks = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("layer1."))
    model = CifarResNet(blocks, tensors["linear.weight"].shape[0])
    model.load_state_dict(tensors)
    torch.jit.script(model.eval()).save(out)


if __name__ == "__main__":
    main()
