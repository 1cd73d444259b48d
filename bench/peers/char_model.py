#!/usr/bin/env python3
"""`mgd train` of a character model against plain PyTorch: GPT-2 with 4 layers, 4 heads, width 128, context 64, batch 12, AdamW,
no dropout, one thread each.

The peer is written as such programs are: scaled_dot_product_attention, the fused AdamW, the text as one tensor in memory.
Each round runs both in turn, in an order that alternates. CPU time (user + system) of the whole process, because
neighbours do not show in it; start, tokenising and the first steps are left out, and so are the checkpoints.

Usage: char_model.py MGD TEXT TOKENIZER; TOKENIZER is a folder of `mgd tokenize --train TEXT --kind char --out TOKENIZER`.
Prints milliseconds a step, median [min ... max], and the peer's over ours of each round.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from compare import Rows
from interleave import spread

LAYERS, HEADS, WIDTH, CONTEXT, BATCH = 4, 4, 128, 64, 12
LR, WEIGHT_DECAY, BETAS, CLIP = 1e-3, 0.1, (0.9, 0.99), 1.0


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (y.view(b, t, HEADS, c // HEADS).transpose(1, 2) for y in self.qkv(self.norm1(x)).split(c, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Gpt(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks, self.norm = nn.ModuleList(Block() for _ in range(LAYERS)), nn.LayerNorm(WIDTH)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, ids, target):
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.tokens.weight)
        return F.cross_entropy(logits.flatten(0, 1), target.flatten())


def peer(args):
    """Prints CPU milliseconds a step."""
    torch.manual_seed(1)
    text = Path(args.text).read_text()
    letters = {letter: i for i, letter in enumerate(sorted(set(text)))}
    data = torch.tensor([letters[letter] for letter in text])
    model = Gpt(len(letters))
    groups = [{"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": WEIGHT_DECAY},
              {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0}]
    optimizer = torch.optim.AdamW(groups, lr=LR, betas=BETAS, fused=True)
    for step in range(args.steps):
        if step == args.warmup:
            start = time.process_time()
        places = torch.randint(len(data) - CONTEXT, (BATCH,)).tolist()
        ids = torch.stack([data[i:i + CONTEXT] for i in places])
        target = torch.stack([data[i + 1:i + CONTEXT + 1] for i in places])
        loss = model(ids, target)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
    print(1e3 * (time.process_time() - start) / (args.steps - args.warmup))


def recipe(args):
    """JSON is YAML."""
    return json.dumps({
        "task": "clm", "data": {"path": str(Path(args.text).resolve()), "validation": 0, "loader_threads": 1},
        "text": {"tokenizer": str(Path(args.tokenizer).resolve()), "format": "file", "samples": "blocks", "max_length": CONTEXT},
        "student": {"model": "gpt2", "hidden_size": WIDTH, "layers": LAYERS, "heads": HEADS, "max_positions": CONTEXT,
                    "dropout": 0},
        "train": {"epochs": 1000, "max_steps": args.steps, "batch_size": BATCH, "optimizer": "adamw", "lr": LR, "beta2": BETAS[1],
                  "weight_decay": WEIGHT_DECAY, "decay_norm_bias": False, "clip_norm": CLIP, "log_every": args.warmup,
                  "checkpoint_every": 10**9},
        "run": {"seed": 1, "threads": 1, "device": "cpu"},
    })


def run_ours(args):
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        (folder / "recipe.yaml").write_text(recipe(args))
        command = [args.mgd, "train", str(folder / "recipe.yaml"), "--run-dir", str(folder / "run"), "--quiet"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=one_thread())
        rows = Rows(folder / "run/metrics.jsonl", process.pid)
        rows.follow(process)
        if process.returncode != 0:
            sys.exit(f"char_model: mgd ended with {process.returncode}")
    # The last row comes with the end of the run, so the one before it is the last that counts.
    first, last = args.warmup, args.steps - args.warmup
    return 1e3 * (rows.seen[last][1] - rows.seen[first][1]) / (last - first)


def one_thread():
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def run_peer(args):
    command = [sys.executable, __file__, args.mgd, args.text, args.tokenizer, "--peer", "--steps", str(args.steps),
               "--warmup", str(args.warmup)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=one_thread()).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mgd", help="the program")
    parser.add_argument("text")
    parser.add_argument("tokenizer", help="a folder with a vocabulary of characters")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=350, help="a multiple of --warmup")
    parser.add_argument("--warmup", type=int, default=25)
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        return peer(args)
    ours, theirs = [], []
    for turn in range(args.rounds):
        for run, results in [(run_ours, ours), (run_peer, theirs)][::1 if turn % 2 == 0 else -1]:
            results.append(run(args))
        print(f"round {turn + 1}: mgd {ours[-1]:.2f}, PyTorch {theirs[-1]:.2f} ms", file=sys.stderr)
    print(f"mgd      {spread(ours, 2)} ms a step\nPyTorch  {spread(theirs, 2)} ms a step")
    print(f"PyTorch / mgd {spread([b / a for a, b in zip(ours, theirs)], 3)}")
    return None


if __name__ == "__main__":
    main()
