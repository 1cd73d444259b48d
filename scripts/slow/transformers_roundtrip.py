#!/usr/bin/env python3
"""Folders of text models, both ways, against transformers 4.57.6 (and sentence-transformers, where it is installed).

- What mgd writes, of every architecture and head, opens with from_pretrained: no tensor missing or left over, and the same
  logits to 1e-4.
- A sentence encoder of others (FOLDER: e.g. all-MiniLM-L6-v2) gives the embeddings of mean pooling and L2 norm in plain
  transformers to 1e-4, saves with every bit of its weights, and opens again.

Usage: transformers_roundtrip.py TEST_EVAL [FOLDER]. TEST_EVAL is the built test program (build/release/test_eval).
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers as hf
from safetensors.torch import load_file, save_file

LIMIT = 1e-4
SENTENCES = ["A man is eating food.", "The quick brown fox jumps over the lazy dog, twice; then it sleeps.", "Hi",
             "Größe, naïveté and 東京 are words."]


def padded(ids, offsets, pad):
    rows = [ids[a:b] for a, b in zip(offsets[:-1], offsets[1:])]
    width = max(map(len, rows))
    out, mask = torch.full((len(rows), width), pad), torch.zeros((len(rows), width), dtype=torch.long)
    for s, row in enumerate(rows):
        out[s, : len(row)], mask[s, : len(row)] = row, 1
    return out, mask


def difference(got, expected):
    return float((got - expected).abs().max() / expected.abs().max().clamp(min=1e-9))


def mean_pooled(hidden, mask):
    return (hidden * mask.unsqueeze(2)).sum(1) / mask.sum(1, keepdim=True)


@torch.no_grad()
def check_written(folder):
    answer = load_file(f"{folder}.answer.safetensors")
    config = hf.AutoConfig.from_pretrained(folder)
    kind = getattr(hf, config.architectures[0])
    model, report = kind.from_pretrained(folder, output_loading_info=True)
    model.eval()
    missing = [name for name in report["missing_keys"] if "pooler" not in name]  # a bare model of ours has none
    if missing or report["unexpected_keys"] or report["mismatched_keys"]:
        sys.exit(f"{folder.name}: {report}")
    pad = config.pad_token_id if config.pad_token_id is not None else 0
    ids, mask = padded(answer["ids"], answer["offsets"].tolist(), pad)
    given = dict(input_ids=ids, attention_mask=mask)
    if "embedding" in answer:
        encoder = model.get_encoder() if config.is_encoder_decoder else model
        expected, got = mean_pooled(encoder(**given).last_hidden_state, mask), answer["embedding"]
    else:
        if config.model_type == "gpt2" and "Sequence" in config.architectures[0]:
            model.config.pad_token_id = 0
            given["input_ids"] = ids.masked_fill(mask == 0, 0)
        if config.is_encoder_decoder:
            given |= dict(decoder_input_ids=ids, decoder_attention_mask=mask)
        expected, got = model(**given).logits, answer["logits"]
        if expected.dim() == 3:
            expected = expected[mask.bool()]
    return difference(got, expected)


def give_sentences(folder, others):
    place = others / folder.name
    place.symlink_to(folder.resolve(), target_is_directory=True)
    tokens = hf.AutoTokenizer.from_pretrained(folder)(SENTENCES)["input_ids"]
    offsets = torch.tensor([0] + [len(row) for row in tokens]).cumsum(0)
    save_file({"ids": torch.tensor(sum(tokens, [])), "offsets": offsets}, f"{place}.batch.safetensors")
    return place


@torch.no_grad()
def check_encoder(place):
    answer = load_file(f"{place}.answer.safetensors")
    model = hf.AutoModel.from_pretrained(place).eval()
    ids, mask = padded(answer["ids"], answer["offsets"].tolist(), model.config.pad_token_id)
    expected = torch.nn.functional.normalize(mean_pooled(model(input_ids=ids, attention_mask=mask).last_hidden_state, mask))
    before, after = load_file(place / "model.safetensors"), load_file(f"{place}-ours/model.safetensors")
    left_out = before.keys() - after.keys()
    if after.keys() - before.keys() or any(not name.endswith("position_ids") for name in left_out):
        sys.exit(f"names differ: {before.keys() ^ after.keys()}")
    if not all(torch.equal(before[name], tensor) for name, tensor in after.items()):
        sys.exit("weights differ")
    result = difference(answer["embedding"], expected)
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        print("sentence-transformers is not installed: its reading of our folder is not checked")
        return result
    ours = SentenceTransformer(f"{place}-ours", device="cpu").encode(SENTENCES, convert_to_tensor=True)
    print(f"  SentenceTransformer on our folder: {difference(ours, expected):.1e}")
    return max(result, difference(ours, expected))


def main():
    with tempfile.TemporaryDirectory() as name:
        exchange = Path(name)
        others = exchange / "others"
        others.mkdir()
        place = give_sentences(Path(sys.argv[2]), others) if len(sys.argv) > 2 else None
        subprocess.run([sys.argv[1], "--gtest_brief=1", "--gtest_filter=TextExchange.*"], check=True,
                       env=dict(os.environ, MGD_TEXT_EXCHANGE=name))
        worst = {folder.name: check_written(folder) for folder in sorted(exchange.iterdir())
                 if folder.is_dir() and folder != others}
        if place:
            worst[place.name] = check_encoder(place)
    for folder, error in worst.items():
        print(f"{folder:45} {error:.1e}")
    bad = [folder for folder, error in worst.items() if not error <= LIMIT]
    if bad:
        sys.exit(f"beyond {LIMIT}: {', '.join(bad)}")


if __name__ == "__main__":
    main()
