"""Writes .caffemodel files: protocol buffers by hand, after caffe.proto."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def blob(array: np.ndarray, *, old: bool = False) -> bytes:
    data = field(5, np.ascontiguousarray(array, "<f4").tobytes())
    if old:
        shape = [1] * (4 - array.ndim) + list(array.shape)
        return b"".join(field(i + 1, n) for i, n in enumerate(shape)) + data
    return field(7, field(1, b"".join(varint(n) for n in array.shape))) + data


def write_caffemodel(
    layers: Iterable[tuple[str, str, list[np.ndarray]]], *, old: bool = False
) -> bytes:
    """A network of (name, type, arrays); ``old`` uses the layer message that v1 was saved with."""
    content = field(1, b"network")
    for name, kind, arrays in layers:
        if old:
            message = field(4, name.encode()) + field(5, {"Convolution": 4, "ReLU": 18}[kind])
            message += b"".join(field(6, blob(array, old=True)) for array in arrays)
            content += field(2, message)
        else:
            message = field(1, name.encode()) + field(2, kind.encode())
            message += b"".join(field(7, blob(array)) for array in arrays)
            content += field(100, message)
    return content
