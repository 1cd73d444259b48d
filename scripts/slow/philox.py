"""The random numbers of the program once more, for the programs that check it: Philox4x32-10, as core/philox.h describes it."""

import struct

MASK32 = 0xFFFFFFFF


def philox(counter, key):
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(10):
        p, q = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (q >> 32) ^ b ^ k0, q & MASK32, (p >> 32) ^ d ^ k1, p & MASK32
        k0, k1 = (k0 + 0x9E3779B9) & MASK32, (k1 + 0xBB67AE85) & MASK32
    return a, b, c, d


def random_key(seed, purpose):
    """The purpose is absorbed in little-endian words of four bytes, its length first."""
    text = purpose.encode()
    key = (seed & MASK32, seed >> 32)
    state = philox((len(text), 0, 0, 0), key)
    padded = text + bytes(-len(text) % 4)
    for (word,) in struct.iter_unpack("<I", padded):
        state = philox((state[0] ^ word, *state[1:]), key)
    return state[0], state[1]


def words(key, step, sample):
    block = 0
    while True:
        yield from philox((block, step, sample & MASK32, sample >> 32), key)
        block += 1


def below(stream, bound):
    """0 ... bound-1 from 64 bits; the values that would favour small results are drawn again."""
    while True:
        value = next(stream) | next(stream) << 32
        if value >= 2**64 % bound:
            return value % bound


def uniform(stream):
    """[0, 1), 53 bits."""
    return ((next(stream) | next(stream) << 32) >> 11) * 2.0**-53


def permutation(key, epoch, n):
    order, stream = list(range(n)), words(key, epoch, 0)
    for i in range(n, 1, -1):
        j = below(stream, i)
        order[i - 1], order[j] = order[j], order[i - 1]
    return order
