"""Reads MATLAB files of level 5, in which several datasets publish their masks."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from keras_deeplab.presets.label_maps import PERSON_PARTS

_NUMBERS = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",

}  # fmt: skip
_ENCODINGS = {4: "utf-16-?", 16: "utf-8", 17: "utf-16-?", 18: "utf-32-?"}
_COMPRESSED = 15
_CELL, _STRUCT, _CHAR, _SPARSE = 1, 2, 4, 5


def read_mat(path: str | Path) -> dict[str, Any]:
    """Reads the variables of a MATLAB file (versions 5 to 7, not 7.3).

    Args:
        path: The file.

    Returns:
        Values by name: arrays; str for text; a list of values (in MATLAB's order) for a cell
        array, and of dicts for a struct array. Sparse arrays and objects are `None`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of another format or damaged.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"The MATLAB file must exist. Received: {str(path)!r}.")
    data = path.read_bytes()
    if len(data) < 128 or data[126:128] not in (b"IM", b"MI") or b"MATLAB 5" not in data[:116]:
        raise ValueError(
            f"A MATLAB file must be of level 5, as save -v6 and -v7 write it. Received: "
            f"{str(path)!r}."
        )
    order = "<" if data[126:128] == b"IM" else ">"
    try:
        named = [_matrix(value, order) for kind, value in _elements(data[128:], order)]
    except (struct.error, zlib.error, IndexError, KeyError, ValueError) as error:
        raise ValueError(
            f"A MATLAB file must be whole. Received: {str(path)!r}, which is damaged or cut short "
            f"({error})."
        ) from error
    return dict(named)


def read_mat_mask(path: str | Path) -> np.ndarray:
    """Reads a mask from the MATLAB files of SBD, PASCAL-Context or PASCAL-Part.

    Returns:
        Array of shape (height, width): the class of SBD's `GTcls`, the value of PASCAL-Context's
        `LabelMap` (0 to 459), or the 7 classes of PASCAL-Person-Part from PASCAL-Part's `anno`.
    """
    variables = read_mat(path)
    if "GTcls" in variables:
        return _integers(variables["GTcls"][0]["Segmentation"])
    if "LabelMap" in variables:
        return _integers(variables["LabelMap"])
    if "anno" in variables:
        return _person_parts(variables["anno"][0]["objects"])
    raise ValueError(
        f"A MATLAB mask must hold GTcls (SBD), LabelMap (PASCAL-Context) or anno (PASCAL-Part). "
        f"Received: {str(path)!r} with {', '.join(sorted(variables)) or 'nothing'}."
    )


def has_person_parts(path: str | Path) -> bool:
    """Returns whether a file of PASCAL-Part marks the parts of a person."""
    return any(
        one["class"] == "person" and len(one["parts"])
        for one in read_mat(path)["anno"][0]["objects"]
    )


def _integers(array: np.ndarray) -> np.ndarray:
    return array.astype("uint8" if array.max(initial=0) <= 255 else "uint16")


def _person_parts(objects: list[dict[str, Any]]) -> np.ndarray:
    labels = np.zeros_like(objects[0]["mask"], dtype="uint8")
    for person in objects:
        if person["class"] == "person":
            for part in person["parts"]:
                labels[part["mask"] > 0] = PERSON_PARTS[part["part_name"]]
    return labels


def _elements(data: bytes, order: str) -> list[tuple[int, bytes]]:
    """Splits a run of elements into their types and contents."""
    elements = []
    start = 0
    while start + 8 <= len(data):
        kind, size = struct.unpack_from(order + "II", data, start)
        if kind >> 16:  # a small element holds its contents in the tag
            kind, size, begin, end = kind & 0xFFFF, kind >> 16, start + 4, start + 8
        else:
            begin = start + 8
            end = begin + size if kind == _COMPRESSED else begin + (size + 7) // 8 * 8
        if begin + size > len(data):
            raise ValueError(f"{begin + size - len(data)} bytes are missing")
        content = data[begin : begin + size]
        if kind == _COMPRESSED:
            elements += _elements(zlib.decompress(content), order)
        else:
            elements.append((kind, content))
        start = end
    return elements


def _matrix(data: bytes, order: str) -> tuple[str, Any]:
    """Returns name and value of a matrix element."""
    parts = _elements(data, order)
    if not parts:  # an empty cell
        return "", np.zeros((0, 0))
    kind = struct.unpack(order + "I", parts[0][1][:4])[0] & 0xFF
    shape = _numbers(parts[1], order)
    name = parts[2][1].decode()
    if kind == _CELL:
        return name, [_matrix(value, order)[1] for _, value in parts[3:]]
    if kind == _STRUCT:
        width = int(_numbers(parts[3], order)[0])
        text = parts[4][1]
        fields = [text[i : i + width].split(b"\0")[0].decode() for i in range(0, len(text), width)]
        values = [_matrix(value, order)[1] for _, value in parts[5:]]
        return name, [
            dict(zip(fields, values[i : i + len(fields)], strict=True))
            for i in range(0, len(values), len(fields) or 1)
        ]
    if kind == _CHAR:
        encoding = _ENCODINGS.get(parts[3][0], "latin-1")
        return name, parts[3][1].decode(encoding.replace("?", "le" if order == "<" else "be"))
    if not _SPARSE < kind <= 15:
        return name, None
    return name, _numbers(parts[3], order).reshape(shape, order="F")


def _numbers(element: tuple[int, bytes], order: str) -> np.ndarray:
    kind, content = element
    return np.frombuffer(content, order + _NUMBERS[kind])
