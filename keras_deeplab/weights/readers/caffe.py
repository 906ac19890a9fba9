"""Reads DeepLab v1 and v2 from Caffe's .caffemodel files, without Caffe or protobuf."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_deeplab.weights.readers.naming import put

# Wire types of protocol buffers.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# Field numbers of caffe.proto, those of the older layer message in the second place.
_NET_LAYER, _NET_LAYER_V1 = 100, 2
_LAYER_NAME, _LAYER_TYPE, _LAYER_BLOBS = (1, 4), (2, 5), (7, 6)
_BLOB_DATA, _BLOB_DOUBLE_DATA, _BLOB_SHAPE = 5, 8, 7
_V1_TYPES = {4: "Convolution", 14: "InnerProduct"}

_BRANCHES = {"1": "shortcut", "2a": "conv_1", "2b": "conv_2", "2c": "conv_3"}


class CaffeLayer(NamedTuple):
    """A layer of the file that has weights."""

    name: str
    type: str
    blobs: list[np.ndarray]


def _fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Yields (field number, wire type, value) of a message."""
    position = 0

    def varint() -> int:
        nonlocal position
        value, shift = 0, 0
        while True:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise ValueError(f"a number at byte {position} does not end")

    while position < len(data):
        key = varint()
        field, wire = key >> 3, key & 7
        if wire == _VARINT:
            yield field, wire, varint()
            continue
        if wire not in (_FIXED64, _FIXED32, _BYTES):
            raise ValueError(f"wire type {wire} at byte {position}")
        length = {_FIXED64: 8, _FIXED32: 4}.get(wire) or (varint() if wire == _BYTES else 0)
        if position + length > len(data):
            raise ValueError(f"field {field} needs {length} bytes, {len(data) - position} are left")
        yield field, wire, data[position : position + length]
        position += length


def _blob(data: memoryview) -> np.ndarray:
    legacy, shape, parts = [1, 1, 1, 1], None, []
    for field, _, value in _fields(data):
        if field in (1, 2, 3, 4) and isinstance(value, int):
            legacy[field - 1] = value
            continue
        if isinstance(value, int):
            continue
        if field == _BLOB_SHAPE:
            shape = [n for f, w, v in _fields(value) if f == 1 for n in _numbers(w, v)]
        elif field == _BLOB_DATA:
            parts.append(np.frombuffer(value, "<f4"))
        elif field == _BLOB_DOUBLE_DATA:
            parts.append(np.frombuffer(value, "<f8").astype("float32"))
    values = np.concatenate(parts) if parts else np.zeros(0, "float32")
    return values.reshape(legacy if shape is None else shape)


def _numbers(wire: int, value: int | memoryview) -> list[int]:
    if isinstance(value, int):
        return [value]
    # Packed: a run of varints, read as the values of a field each.
    numbers, current, shift = [], 0, 0
    for byte in value:
        current |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(current)
            current, shift = 0, 0
    return numbers


def _content(path: str | Path, member: str) -> bytes:
    if not member:
        return Path(path).read_bytes()
    try:
        with zipfile.ZipFile(path) as archive:
            (name,) = (n for n in archive.namelist() if n.rpartition("/")[2] == member)
            return archive.read(name)
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as error:
        raise ValueError(
            f"The file must be a zip archive with one {member}. Received: {path} ({error}). Fetch "
            f"it again."
        ) from error


def read_caffemodel(path: str | Path, *, member: str = "") -> list[CaffeLayer]:
    """Reads the layers with weights of a .caffemodel file, in order.

    Args:
        path: A .caffemodel file, or a zip archive that holds one.
        member: Its name inside the archive.

    Raises:
        ValueError: If the file is not a Caffe network, or ends early.
        FileNotFoundError: If there is no such file.
    """
    content = memoryview(_content(path, member))
    layers = []
    try:
        for field, _, value in _fields(content):
            if field not in (_NET_LAYER, _NET_LAYER_V1) or isinstance(value, int):
                continue
            old = int(field == _NET_LAYER_V1)
            name, kind, blobs = "", "", []
            for number, _, part in _fields(value):
                if number == _LAYER_NAME[old] and not isinstance(part, int):
                    name = bytes(part).decode()
                elif number == _LAYER_TYPE[old]:
                    kind = (
                        _V1_TYPES.get(part, str(part))
                        if isinstance(part, int)
                        else bytes(part).decode()
                    )
                elif number == _LAYER_BLOBS[old] and not isinstance(part, int):
                    blobs.append(_blob(part))
            if blobs:
                layers.append(CaffeLayer(name, kind, blobs))
    except (ValueError, IndexError) as error:
        raise ValueError(
            f"The file must be a whole .caffemodel. Received: {path}, {len(content)} bytes "
            f"({error}). Fetch it again."
        ) from error
    if not layers:
        raise ValueError(f"A .caffemodel must have layers with weights. Received: {path} without.")
    return layers


def caffe_layer_name(name: str) -> str | None:
    """Returns the layer of a Caffe layer: None where it is a copy, "" where it is unknown.

    Example:

    >>> caffe_layer_name("res4b22_branch2b"), caffe_layer_name("fc8_voc12_4")
    ('stage_3_block_22_conv_2', 'classifier_3')
    """
    # The networks on smaller images share these weights; the file repeats them.
    if re.search(r"res05|res075|_res(05|075)|^bn(05|075)|^scale(05|075)", name):
        return None
    if re.fullmatch(r"conv[1-5]_[1-3]", name):
        return name
    if match := re.fullmatch(r"(fc6|fc7|fc8)(?:_[a-z]\w*?)?(?:_([1-4]))?", name):
        layer = "classifier" if match[1] == "fc8" else match[1]
        return f"{layer}_{int(match[2] or 1) - 1}"
    if match := re.fullmatch(r"(?:bn_|scale_)?conv1", name):
        return "stem" if name == "conv1" else "stem_bn"
    if match := re.fullmatch(r"(res|bn|scale)([2-5])([a-c]|b\d+)_branch(1|2[abc])", name):
        kind, stage, block, branch = match.groups()
        index = int(block[1:]) if len(block) > 1 else "abc".index(block)
        layer = f"stage_{int(stage) - 1}_block_{index}_{_BRANCHES[branch]}"
        return layer if kind == "res" else f"{layer}_bn"
    if match := re.fullmatch(r"fc1_\w+_c([0-3])", name):
        return f"classifier_{match[1]}"
    return ""


def convert_caffe(path: str | Path, *, member: str = "") -> dict[str, np.ndarray]:
    """Reads DeepLab v1 or v2, on VGG-16 or ResNet-101, from a .caffemodel file.

    The networks were trained on BGR; the first kernel is turned round to RGB. Caffe's BatchNorm
    stores sums of statistics and a count: the moving-average factor that divides them.

    Args:
        path: A .caffemodel file, of the present or of the older layer message.
        member: Its name inside ``path``, where that is a zip archive.

    Returns:
        float32 arrays by "layer/variable".

    Raises:
        ValueError: If the file can't be read or holds another network.
        FileNotFoundError: If there is no such file.

    Example:

    >>> convert_caffe("photo.jpg")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ValueError: The file must be a whole .caffemodel. ...
    """
    arrays: dict[str, np.ndarray] = {}
    for source in read_caffemodel(path, member=member):
        layer = caffe_layer_name(source.name)
        if layer is None:
            continue
        for variable, array in _variables(source, layer, path):
            put(arrays, f"{layer}/{variable}", array, path)
    for first in ("conv1_1/kernel", "stem/kernel"):
        if first in arrays:
            arrays[first] = np.ascontiguousarray(arrays[first][:, :, ::-1])
    return arrays


def _variables(
    source: CaffeLayer, layer: str, path: str | Path
) -> Iterator[tuple[str, np.ndarray]]:
    count, batch_norm = len(source.blobs), layer.endswith("_bn")
    known = {"Convolution": (1, 2), "BatchNorm": (3,), "Scale": (2,)}.get(source.type, ())
    if not layer or count not in known or batch_norm == (source.type == "Convolution"):
        raise ValueError(
            f"Every layer must be one of DeepLab v1 or v2. Received: {source.name!r} of type "
            f"{source.type!r} with {count} arrays in {path}."
        )
    if source.type == "Convolution":
        kernel, *bias = source.blobs
        if kernel.ndim != 4:
            raise ValueError(
                f"The kernel of {source.name!r} must have 4 axes. Received: shape {kernel.shape} "
                f"in {path}."
            )
        yield "kernel", kernel.transpose(2, 3, 1, 0)
        for array in bias:
            yield "bias", array.reshape(-1)
    elif source.type == "BatchNorm":
        mean, variance, factor = (blob.reshape(-1) for blob in source.blobs)
        scale = 1 / factor[0] if factor[0] else np.float32(0)
        yield "moving_mean", mean * scale
        yield "moving_variance", variance * scale
    else:
        for variable, blob in zip(("gamma", "beta"), source.blobs, strict=True):
            yield variable, blob.reshape(-1)
