#!/usr/bin/env python3
"""What a masked model has to beat: guessing the hidden tokens of the test text by their frequency in the training text alone.

The hidden tokens are those that `mgd train` measures on (seed 0, whole words, 15 %), drawn here once more. Probabilities are
counts + 1 over the vocabulary. Prints the number of hidden tokens, the loss in nats, and the share of the most frequent token.

Usage: unigram_guess.py TRAIN TEST TOKENIZER_JSON [HELD_OUT [MAX_LENGTH]]
HELD_OUT is `data.validation` of the run: those documents of TRAIN are not counted.
"""

import math
import sys
from collections import Counter

from tokenizers import Tokenizer

from text_training_parity import MaskedSamples, documents


def main():
    train, test, tokenizer = *sys.argv[1:3], Tokenizer.from_file(sys.argv[3])
    held_out = float(sys.argv[4]) if len(sys.argv) > 4 else 0.05
    length = int(sys.argv[5]) if len(sys.argv) > 5 else 128
    kept = [text for i, text in enumerate(documents(train)) if math.floor((i + 1) * held_out) == math.floor(i * held_out)]
    counts = Counter(token for e in tokenizer.encode_batch(kept, add_special_tokens=False) for token in e.ids)
    total = sum(counts.values()) + tokenizer.get_vocab_size()

    samples = MaskedSamples(test, tokenizer, seed=0, length=length)
    target = [token for i in range(len(samples)) for token in samples.batch([i], 0)[2].flatten().tolist() if token >= 0]
    best = counts.most_common(1)[0][0]
    loss = -sum(math.log((counts[token] + 1) / total) for token in target) / len(target)
    print(f"{len(target)} hidden tokens: loss {loss:.4f} nats, perplexity {math.exp(loss):.1f}; always "
          f"'{tokenizer.id_to_token(best)}': {100 * target.count(best) / len(target):.2f} % right")


if __name__ == "__main__":
    main()
