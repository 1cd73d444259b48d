#!/usr/bin/env python3
"""A plain PyTorch program that distils a sentence encoder into some of its own layers, for comparison with `mgd distill`.

    embed_distill.py ENCODER SENTENCES.txt --layers 0 2 5 [--steps 40] [--batch 32] [--max-length 64] [--cached] [--threads 1]

transformers' BertModel on both sides, mean pooling, unit length, squared distance, AdamW 2e-4, batches padded to their longest text: what
somebody writes who follows the documentation of sentence-transformers. `--cached` keeps the teacher's embeddings in memory and times the
steps after they are all there. Prints the samples a second of the timed steps, without loading and tokenising.
"""

import argparse
import copy
import time

import torch
from transformers import AutoModel, AutoTokenizer


def embed(model, batch):
    hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoder")
    parser.add_argument("sentences")
    parser.add_argument("--layers", type=int, nargs="+", required=True)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cached", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    tokenizer = AutoTokenizer.from_pretrained(args.encoder)
    teacher = AutoModel.from_pretrained(args.encoder).eval()
    student = copy.deepcopy(teacher).train()
    student.encoder.layer = torch.nn.ModuleList([student.encoder.layer[i] for i in args.layers])
    student.config.num_hidden_layers = len(args.layers)
    texts = [line.rstrip("\n") for line in open(args.sentences, encoding="utf-8")]
    order = torch.randperm(len(texts)).tolist()[: (args.steps + 3) * args.batch]
    batches = [
        tokenizer([texts[i] for i in order[b : b + args.batch]], truncation=True, max_length=args.max_length, padding=True, return_tensors="pt")
        for b in range(0, len(order) - args.batch + 1, args.batch)
    ]
    kept = []
    if args.cached:
        with torch.no_grad():
            kept = [embed(teacher, batch) for batch in batches]
    optimizer = torch.optim.AdamW(student.parameters(), lr=2e-4, weight_decay=0.01)
    start, tokens, padded = 0.0, 0, 0
    for step, batch in enumerate(batches):
        if step == 3:  # the first ones pay for memory
            start = time.perf_counter()
        if args.cached:
            target = kept[step]
        else:
            with torch.no_grad():
                target = embed(teacher, batch)
        optimizer.zero_grad()
        loss = (embed(student, batch) - target).square().sum(1).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        tokens += int(batch["attention_mask"].sum())
        padded += batch["attention_mask"].numel()
    seconds = time.perf_counter() - start
    timed = (len(batches) - 3) * args.batch
    print(f"{timed / seconds:.1f} samples/s over {len(batches) - 3} steps, loss {loss.item():.4f}, {tokens / padded:.2f} of the tokens are no padding")


if __name__ == "__main__":
    main()
