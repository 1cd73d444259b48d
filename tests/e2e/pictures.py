"""Small PNG files for the tests of the command, written with the standard library."""

import random
import struct
import zlib


def png(rows):
    """rows: lists of (r, g, b), all of one length -> the bytes of a PNG."""
    raw = b"".join(b"\0" + bytes(value for pixel in row for value in pixel) for row in rows)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def stripes(draw, vertical, side):
    """A noisy picture with stripes in one direction."""
    shift = draw.randrange(8)
    lit = [[(x if vertical else y) + shift for x in range(side)] for y in range(side)]
    return [[tuple((150 if value // 4 % 2 else 30) + draw.randrange(60) for _ in range(3)) for value in row] for row in lit]


def write_folders(folder, names, train=160, test=10, side=32):
    """FOLDER/{train,test}/NAME/NNN.png for two class names."""
    draw = random.Random(3)
    for split, count in (("train", train), ("test", test)):
        for vertical, name in enumerate(names):
            target = folder / split / name
            target.mkdir(parents=True)
            for i in range(count):
                (target / f"{i:03}.png").write_bytes(png(stripes(draw, vertical, side)))
