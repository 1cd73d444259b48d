#!/usr/bin/env python3
"""Training of text models must follow transformers and PyTorch: a small BERT (masked) and a small GPT-2 (causal) with the
same weights at the start, the same batches and the same masks, trained by `mgd train` and by this program with AdamW.

Written from the documents, not from the program: documents, pieces, rows, blocks, order, masks and schedule are here once more
(docs/text.md), the tokenizers are trained and run by the `tokenizers` package, and the models are those of transformers,
on padded batches.

Limits on the relative difference of the loss: 1e-4 in each of the first 20 steps, 1e-2 up to step 200. A table on
stdout; exit 1 beyond the limits. About two minutes on one core.

Usage: text_training_parity.py MGD TEXT_FILE (e.g. tinyshakespeare.txt)
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from itertools import accumulate
from pathlib import Path

import torch
import transformers as hf
from tokenizers import ByteLevelBPETokenizer, BertWordPieceTokenizer, Tokenizer

from philox import below, permutation, random_key, uniform, words

VOCABULARY, WIDTH, LAYERS, HEADS, LENGTH = 2000, 128, 2, 4, 64
BATCH, WEIGHT_DECAY, BETA2, MASK_RATIO = 16, 0.1, 0.99, 0.15
EARLY_STEPS, EARLY_LIMIT, LIMIT = 20, 1e-4, 1e-2


# --- Models and tokenizers -------------------------------------------------------------------------------------------


def make_bert(folder, text):
    tokenizer = BertWordPieceTokenizer()
    tokenizer.train([str(text)], vocab_size=VOCABULARY, show_progress=False)
    tokenizer = BertWordPieceTokenizer(tokenizer.get_vocab())  # one with [CLS] and [SEP] around each text
    tokenizer.save(str(folder / "tokenizer.json"))
    return hf.BertForMaskedLM(hf.BertConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH, max_position_embeddings=LENGTH, hidden_dropout_prob=0, attention_probs_dropout_prob=0))


def make_gpt2(folder, text):
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train([str(text)], vocab_size=VOCABULARY, special_tokens=["<|endoftext|>"], show_progress=False)
    tokenizer.save(str(folder / "tokenizer.json"))
    return hf.GPT2LMHeadModel(hf.GPT2Config(
        vocab_size=tokenizer.get_vocab_size(), n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, n_positions=LENGTH,
        resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, bos_token_id=0, eos_token_id=0))


# --- Batches: (ids, visible, targets), each (sequences, longest); no target: -100 ------------------------------------


def documents(path):
    with open(path, encoding="utf-8", newline="\n") as file:
        return [line.removesuffix("\n") for line in file if line.strip()]


def padded(rows, fill):
    longest = max(map(len, rows))
    return torch.tensor([row + [fill] * (longest - len(row)) for row in rows])


class MaskedSamples:
    """`packed`: framed pieces of documents, in their order, as many in a row as fit. Whole words are hidden."""

    def __init__(self, text, tokenizer, seed, length=LENGTH):
        self.key = random_key(seed, "objective/mlm")
        vocabulary = tokenizer.get_vocab()
        self.special = {vocabulary[token] for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")}
        self.mask, self.ordinary = vocabulary["[MASK]"], [i for i in range(len(vocabulary)) if i not in self.special]
        before, after = vocabulary["[CLS]"], vocabulary["[SEP]"]
        self.rows, used = [], length + 1
        for encoding in tokenizer.encode_batch(documents(text), add_special_tokens=False):
            for first in range(0, len(encoding.ids), length - 2):
                ids = [before, *encoding.ids[first:first + length - 2], after]
                word = [None, *encoding.word_ids[first:first + length - 2], None]
                if used + len(ids) > length:
                    self.rows.append([])
                    used = 0
                self.rows[-1].append((ids, word))
                used += len(ids)

    def __len__(self):
        return len(self.rows)

    def units(self, ids, word):
        units = []
        for place, token in enumerate(ids):
            if token in self.special:
                continue
            goes_on = ids[place - 1] not in self.special and word[place] == word[place - 1]
            units[-1:] = [[*units[-1], place]] if goes_on else [*units[-1:], [place]]
        return units

    def hide(self, ids, word, stream):
        """What the model sees, and what it has to say."""
        units = self.units(ids, word)
        hidden = [unit for unit in units if uniform(stream) < MASK_RATIO]
        seen, target = list(ids), [-100] * len(ids)
        for place in (place for unit in hidden for place in unit):
            target[place] = ids[place]
            fate = uniform(stream)
            if fate < 0.8:
                seen[place] = self.mask
            elif fate < 0.8 + 0.1:
                seen[place] = self.ordinary[below(stream, len(self.ordinary))]
        return seen, target

    def batch(self, samples, epoch):
        pairs = []
        for sample in samples:
            stream = words(self.key, epoch, sample)
            pairs += [self.hide(ids, word, stream) for ids, word in self.rows[sample]]
        return padded([a for a, _ in pairs], 0), padded([[1] * len(a) for a, _ in pairs], 0), padded([b for _, b in pairs], -100)


class CausalBlocks:
    """`blocks`: documents end to end, each with the end token; the grid begins elsewhere in each epoch."""

    def __init__(self, text, tokenizer, seed):
        self.key, end = random_key(seed, "blocks"), tokenizer.token_to_id("<|endoftext|>")
        self.tokens = [token for e in tokenizer.encode_batch(documents(text)) for token in [*e.ids, end]]
        inputs = len(self.tokens) - 1
        self.size = (inputs - (LENGTH - 1)) // LENGTH
        self.offsets = min(inputs - self.size * LENGTH + 1, LENGTH)

    def __len__(self):
        return self.size

    def batch(self, samples, epoch):
        offset = below(words(self.key, epoch, 0), self.offsets)
        cut = torch.tensor([self.tokens[offset + s * LENGTH:offset + (s + 1) * LENGTH + 1] for s in samples])
        return cut[:, :-1], torch.ones_like(cut[:, :-1]), cut[:, 1:]


# --- Both trainings --------------------------------------------------------------------------------------------------


def train(args, model, samples):
    """The loss of each step."""
    shuffle, steps_per_epoch = random_key(args.seed, "shuffle"), len(samples) // BATCH
    exempt = [p for p in model.parameters() if p.dim() == 1]
    decayed = [p for p in model.parameters() if p.dim() > 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": exempt, "weight_decay": 0}],
                                  lr=args.lr, betas=(0.9, BETA2))
    model.train()
    losses = []
    for step in range(args.steps):
        epoch, place = divmod(step, steps_per_epoch)
        if place == 0:
            order = permutation(shuffle, epoch, len(samples))
        ids, visible, target = samples.batch(order[place * BATCH:(place + 1) * BATCH], epoch)
        for group in optimizer.param_groups:
            group["lr"] = args.lr * 0.5 * (1 + math.cos(math.pi * step / args.steps))
        logits = model(input_ids=ids, attention_mask=visible).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def run_mgd(args, task, samples, folder):
    """JSON is YAML."""
    recipe = {
        "task": task, "data": {"path": str(folder / "text.txt"), "validation": 0},
        "text": {"tokenizer": str(folder / "model"), "format": "lines", "samples": samples, "max_length": LENGTH},
        "student": {"path": str(folder / "model")},
        "objective": {"mask_ratio": MASK_RATIO, "whole_word": True},
        "train": {"epochs": 1000, "max_steps": args.steps, "batch_size": BATCH, "optimizer": "adamw", "lr": args.lr,
                  "beta2": BETA2, "weight_decay": WEIGHT_DECAY, "decay_norm_bias": False, "schedule": "cosine",
                  "clip_norm": 0, "log_every": 1, "checkpoint_every": 10**9},
        "run": {"seed": args.seed, "threads": 1, "device": "cpu"},
    }
    if task != "mlm":
        del recipe["objective"]
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    command = [args.mgd, "train", str(folder / "recipe.yaml"), "--run-dir", str(folder / "run"), "--quiet"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    skipped = json.loads((folder / "run/summary.json").read_text())["skipped_steps"]
    if skipped:
        sys.exit(f"text_training_parity: {skipped} updates were skipped; choose a lower --lr")
    rows = [row for row in map(json.loads, (folder / "run/metrics.jsonl").read_text().splitlines()) if "loss" in row]
    return [row["loss"] for row in rows]


def compare(args, name, task, samples, make, source):
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        (folder / "model").mkdir()
        (folder / "text.txt").write_bytes(Path(args.text).read_bytes())
        torch.manual_seed(args.seed)
        model = make(folder / "model", folder / "text.txt")
        model.save_pretrained(folder / "model")
        tokenizer = Tokenizer.from_file(str(folder / "model/tokenizer.json"))
        ours = run_mgd(args, task, samples, folder)
        theirs = train(args, model, source(folder / "text.txt", tokenizer, args.seed))
    return judge(name, ours, theirs)


def judge(name, ours, theirs):
    apart = [abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True)]
    worst = list(accumulate(apart, max))
    print(f"{name}\n{'step':>5} {'mgd':>12} {'transformers':>12} {'difference':>11} {'largest yet':>12}")
    for step in range(1, len(apart) + 1):
        if step <= EARLY_STEPS or step % 10 == 0:
            print(f"{step:5d} {ours[step - 1]:12.6f} {theirs[step - 1]:12.6f} {apart[step - 1]:11.1e} {worst[step - 1]:12.1e}")
    beyond = [step for step, d in enumerate(apart, 1) if not d <= (EARLY_LIMIT if step <= EARLY_STEPS else LIMIT)]
    if beyond:
        print(f"{name}: beyond the limit at steps {beyond}")
    return not beyond


SIDES = [("BERT, masked", "mlm", "packed", make_bert, MaskedSamples),
         ("GPT-2, causal", "clm", "blocks", make_gpt2, CausalBlocks)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mgd", help="the program")
    parser.add_argument("text", help="a document a line; the tokenizers are trained on it too")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    good = [compare(args, *side) for side in SIDES]
    print("parity holds" if all(good) else "parity does not hold")
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
