#!/usr/bin/env python3
"""Masked-LM training on ragged documents: `mgd train` against transformers + PyTorch, both measured by `mgd eval`.

    mlm_run.py MGD TRAIN.txt TEST.txt [--steps 400] [--seeds 1 2 3] [--threads 1]

A document is a line, cut into pieces of at most 128 tokens of a vocabulary that mgd learned from TRAIN. The peer is written the
way a careful user would: tokens made once beforehand, DataLoader, DataCollatorForLanguageModeling, which pads to the longest of
the batch, BertForMaskedLM with SDPA, fused AdamW. CPU time is that of the process and its workers, of the steps after the
first 20; the fastest of LibTorch's malloc settings counts.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from interleave import MALLOC, environment

WARM_UP, BATCH, LENGTH, RATE = 20, 32, 128, 1e-3
SIZES = {"hidden_size": 256, "layers": 4, "heads": 4}


def cpu_seconds(who):
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def documents(path, tokenizer):
    """Pieces of each line with their special tokens, as mgd cuts them: at most LENGTH tokens, two of them special."""
    pieces = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        ids = tokenizer(line, add_special_tokens=False)["input_ids"] if line.strip() else []
        for start in range(0, len(ids), LENGTH - 2):
            pieces.append([tokenizer.cls_token_id, *ids[start:start + LENGTH - 2], tokenizer.sep_token_id])
    return pieces


def peer(args):
    import torch
    from torch.utils.data import DataLoader
    from transformers import BertConfig, BertForMaskedLM, DataCollatorForLanguageModeling, PreTrainedTokenizerFast

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(args.tokens)
    pieces = documents(args.train, tokenizer)
    model = BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), hidden_size=SIZES["hidden_size"], num_hidden_layers=SIZES["layers"],
                                       num_attention_heads=SIZES["heads"], intermediate_size=4 * SIZES["hidden_size"]))
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / args.steps)
    loader = DataLoader([{"input_ids": ids} for ids in pieces], batch_size=BATCH, shuffle=True, drop_last=True,
                        collate_fn=DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15), num_workers=0)
    step, tokens, start, wall = 0, 0, 0.0, 0.0
    while step < args.steps:
        for batch in loader:
            if step == WARM_UP:
                start, wall, tokens = cpu_seconds(resource.RUSAGE_SELF), time.time(), 0
            loss = model(**batch).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            tokens += int(batch["attention_mask"].sum())
            step += 1
            if step == args.steps:
                break
    result = {"cpu": cpu_seconds(resource.RUSAGE_SELF) - start, "wall": time.time() - wall, "tokens": tokens}
    model.save_pretrained(args.out)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Path(args.tokens, name), args.out)
    print(json.dumps(result))


def recipe(args, seed, steps, folder):
    return json.dumps({
        "task": "mlm", "data": {"path": str(Path(args.train).resolve()), "validation": 0, "test": "", "loader_threads": 1},
        "text": {"tokenizer": str(folder / "tokens"), "max_length": LENGTH, "samples": "documents",
                 "cache_dir": str(folder / "cache")},
        "student": {"model": "bert", **SIZES},
        "train": {"epochs": 1000, "max_steps": steps, "batch_size": BATCH, "optimizer": "adamw", "lr": RATE, "schedule": "linear",
                  "weight_decay": 0.01, "checkpoint_every": 10**9, "log_every": 50},
        "run": {"seed": seed, "threads": args.threads},
    })


def ours(args, seed, steps, folder):
    """CPU and wall time of the whole process."""
    file = folder / "recipe.yaml"
    file.write_text(recipe(args, seed, steps, folder))
    before, start = cpu_seconds(resource.RUSAGE_CHILDREN), time.time()
    done = subprocess.run([args.mgd, "train", file, "--run-dir", folder / f"ours-{seed}", "--overwrite"], capture_output=True,
                          text=True, env=environment("default", args.threads))
    if done.returncode != 0:
        sys.exit(done.stderr)
    return cpu_seconds(resource.RUSAGE_CHILDREN) - before, time.time() - start


def loss_of(args, model):
    done = subprocess.run([args.mgd, "eval", model, "--data", args.test, "--json"], capture_output=True, text=True, check=True,
                          env=environment("default", args.threads))
    return json.loads(done.stdout)["metrics"]["loss"]


def compare(args):
    folder = Path(tempfile.mkdtemp(prefix="mgd-mlm-"))
    subprocess.run([args.mgd, "tokenize", "--train", args.train, "--kind", "wordpiece", "--vocab-size", "8000", "--out",
                    folder / "tokens"], check=True, capture_output=True)
    rows = []
    for seed in args.seeds:
        ours(args, seed, WARM_UP, folder)  # tokens are stored, the cache is warm
        short, long = ours(args, seed, WARM_UP, folder), ours(args, seed, args.steps, folder)
        row = {"seed": seed, "ours": long[0] - short[0], "ours_wall": long[1] - short[1],
               "ours_loss": loss_of(args, folder / f"ours-{seed}/model")}
        for malloc in args.malloc:
            out = folder / f"peer-{seed}-{malloc}"
            done = subprocess.run([args.python, __file__, "--peer", args.mgd, args.train, args.test, "--steps", str(args.steps), "--seed",
                                   str(seed), "--threads", str(args.threads), "--tokens", folder / "tokens", "--out", out],
                                  capture_output=True, text=True, env=environment(malloc, args.threads))
            if done.returncode != 0:
                sys.exit(done.stderr)
            row[malloc] = json.loads(done.stdout.splitlines()[-1])
        row["peer_loss"] = loss_of(args, out)
        best = min(row[malloc]["cpu"] for malloc in args.malloc)
        row["ratio"] = best / row["ours"]
        rows.append(row)
        print(f"seed {seed}: mgd {row['ours']:.1f} s CPU, transformers {best:.1f} s, ratio {row['ratio']:.2f} "
              f"(wall {min(row[m]['wall'] for m in args.malloc) / row['ours_wall']:.2f}); test loss {row['ours_loss']:.3f} and "
              f"{row['peer_loss']:.3f}", flush=True)
    if len(rows) > 1:
        for side in ("ours_loss", "peer_loss"):
            values = [row[side] for row in rows]
            print(f"{side}: {statistics.mean(values):.3f} +- {statistics.stdev(values):.3f}")
        print(f"ratio: {statistics.median(row['ratio'] for row in rows):.2f}")
    shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mgd")
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--malloc", nargs="+", choices=list(MALLOC), default=list(MALLOC))
    parser.add_argument("--python", default=sys.executable)
    for name in ("--seed", "--tokens", "--out"):
        parser.add_argument(name, type=int if name == "--seed" else str, help=argparse.SUPPRESS)
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    peer(args) if args.peer else compare(args)


if __name__ == "__main__":
    main()
