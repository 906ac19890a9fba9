"""Reads the MATLAB files of the masks of several datasets."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from keras_deeplab._files import check_file, unpacked_limit
from keras_deeplab.presets.label_maps import PERSON_PARTS

# Sizes in bytes and types of MATLAB's format, version 5.
_MAT_HEADER, _MAT_TAG, _MAT_COMPRESSED = 128, 8, 15
_CHUNK = 1 << 22


def read_mat_mask(path: str | Path) -> np.ndarray:
    """Reads a mask from the MATLAB files of SBD, PASCAL-Context or PASCAL-Part, version 4 to 7.2.

    The result is uint8 or uint16 (height, width): the class of SBD's `GTcls`, the value of
    PASCAL-Context's `LabelMap` (0 to 459), or the 7 classes of PASCAL-Person-Part from
    PASCAL-Part's `anno`.
    """
    with _content(path) as variables:
        if "GTcls" in variables:
            return _integers(variables["GTcls"]["Segmentation"])
        if "LabelMap" in variables:
            return _integers(variables["LabelMap"])
        if "anno" in variables:
            return _person_parts(_structs(variables["anno"]["objects"]))
    raise ValueError(
        f"A MATLAB mask must hold GTcls (SBD), LabelMap (PASCAL-Context) or anno (PASCAL-Part). "
        f"Received: {str(path)!r} with {', '.join(sorted(variables)) or 'nothing'}."
    )


def has_person_parts(path: str | Path) -> bool:
    """Returns whether a file of PASCAL-Part has annotated person parts."""
    with _content(path) as variables:
        objects = _structs(variables["anno"]["objects"])
        return any(one["class"] == "person" and bool(_structs(one["parts"])) for one in objects)


@contextmanager
def _content(path: str | Path) -> Iterator[dict[str, Any]]:
    variables = _read(path)
    try:
        yield variables
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"A MATLAB mask must have the fields of SBD, PASCAL-Context or PASCAL-Part. Received: "
            f"{str(path)!r} ({type(error).__name__}: {error})."
        ) from error


def _read(path: str | Path) -> dict[str, Any]:
    try:
        from scipy.io import loadmat
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"MATLAB files must be read by SciPy, which is not installed. Received: {str(path)!r}. "
            f"pip install 'keras-deeplab[pascal]'."
        ) from error
    check_file(Path(path), "The MATLAB file")
    try:
        _check_unpacked_size(Path(path).read_bytes())
        content = loadmat(path, simplify_cells=True)
    except Exception as error:  # SciPy, zlib and NumPy raise different exceptions
        raise ValueError(
            f"A MATLAB file must be valid, as save -v6 and -v7 write it. Received: {str(path)!r} "
            f"({error})."
        ) from error
    return {name: value for name, value in content.items() if not name.startswith("__")}


def _check_unpacked_size(content: bytes) -> None:
    """Raises `ValueError` if the compressed elements of a file unpack to too much."""
    if 0 in content[:4]:  # version 4, which is not compressed
        return
    left, position = unpacked_limit(len(content)), _MAT_HEADER
    order = ">" if content[126:128] == b"MI" else "<"
    while len(content) - position >= _MAT_TAG:
        kind, size = struct.unpack_from(f"{order}II", content, position)
        position += _MAT_TAG
        if kind == _MAT_COMPRESSED:
            unpacker, packed = zlib.decompressobj(), content[position : position + size]
            while packed and not unpacker.eof:
                left -= len(unpacker.decompress(packed, _CHUNK))
                packed = unpacker.unconsumed_tail
                if left < 0:
                    raise ValueError("it unpacks to more than a hundred times its size")
        position += size


def _structs(value: Any) -> list[dict[str, Any]]:
    """Returns the structs of an array: SciPy returns one as a dict, several as a sequence."""
    return [value] if isinstance(value, dict) else list(value)


def _integers(array: np.ndarray) -> np.ndarray:
    # SciPy returns an array with one row or column as a vector.
    array = np.atleast_2d(array)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "biuf":
        raise ValueError(f"labels of shape {array.shape} and type {array.dtype}")
    if not (array.min() >= 0 and array.max() <= 65535):  # also false for NaN
        raise ValueError(f"labels from {array.min()} to {array.max()}, not 0 to 65535")
    return array.astype("uint8" if array.max(initial=0) <= 255 else "uint16")


def _person_parts(objects: list[dict[str, Any]]) -> np.ndarray:
    labels = np.zeros_like(np.atleast_2d(objects[0]["mask"]), dtype="uint8")
    for person in objects:
        if person["class"] == "person":
            for part in _structs(person["parts"]):
                labels[np.atleast_2d(part["mask"]) > 0] = PERSON_PARTS[part["part_name"]]
    return labels
