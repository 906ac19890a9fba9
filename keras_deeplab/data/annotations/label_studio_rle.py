"""Label Studio's run lengths of brush strokes: the `rle-pack` bit stream.

A stream has 32 bits for the number of values, 5 bits for the width of a value less 1, and four
times 4 bits for the widths of a length less 1. Each block then has a bit (1: one value, repeated;
0: values one by one), 2 bits that choose the width of the length, the length less 1, and the
value or values. The values are those of an RGBA image, row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import numpy as np

from keras_deeplab.data.annotations.shapes import encode_runs

_WIDTHS = (3, 4, 8, 16)


def decode_brush(stream: Sequence[int] | np.ndarray, height: int, width: int) -> np.ndarray:
    """Returns the bool mask (height, width) of a brush: where its alpha is not 0.

    Raises:
        ValueError: If the bytes of the stream are damaged or of another size.
    """
    array = np.asarray(stream, "int64")
    if array.ndim != 1 or (array < 0).any() or (array > 255).any():
        raise ValueError("a brush must be a list of bytes")
    bits = np.unpackbits(array.astype("uint8"))
    text = bits.tobytes().translate(bytes.maketrans(b"\0\1", b"01")).decode()
    if len(text) < 53 or int(text[:32], 2) != height * width * 4:
        raise ValueError(f"a brush must have {height * width * 4} values, 4 for each pixel")
    word = int(text[32:37], 2) + 1
    lengths = [int(text[at : at + 4], 2) + 1 for at in range(37, 53, 4)]
    values = np.zeros(height * width * 4, "int64")
    at, place = 53, 0
    while place < len(values):
        repeated = text[at : at + 1] == "1"
        bits_of_length = lengths[int(text[at + 1 : at + 3] or "x", 2)]
        at += 3
        end = place + 1 + int(text[at : at + bits_of_length] or "x", 2)
        at += bits_of_length
        count = 1 if repeated else end - place
        words = bits[at : at + count * word]
        if end > len(values) or len(words) < count * word:
            raise ValueError("a brush must be a complete stream")
        values[place:end] = words.reshape(count, word) @ (1 << np.arange(word)[::-1])
        at += count * word
        place = end
    return values.reshape(height, width, 4)[..., 3] > 0


def encode_brush(mask: np.ndarray) -> list[int]:
    """Returns the stream of a bool mask (height, width); its pixels become 255 in all channels."""
    head = f"{4 * mask.size:032b}{8 - 1:05b}" + "".join(f"{width - 1:04b}" for width in _WIDTHS)
    blocks = [head]
    for run, value in zip(encode_runs(mask), cycle(("0" * 8, "1" * 8)), strict=False):
        full, rest = divmod(4 * run, 1 << _WIDTHS[-1])
        blocks += [_block(1 << _WIDTHS[-1], value)] * full
        if rest:
            blocks.append(_block(rest, value))
    text = "".join(blocks)
    text += "0" * (-len(text) % 8)
    return [int(text[at : at + 8], 2) for at in range(0, len(text), 8)]


def _block(length: int, value: str) -> str:
    index = next(i for i, width in enumerate(_WIDTHS) if length <= 1 << width)
    return f"1{index:02b}{length - 1:0{_WIDTHS[index]}b}{value}"
