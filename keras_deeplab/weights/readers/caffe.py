"""Reads DeepLab v1 and v2 from Caffe's .caffemodel files, without Caffe."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from keras_deeplab._files import unpacked_limit
from keras_deeplab.weights.readers.naming import Rules, layer_of, put, reverse_channels

# The fields of caffe.proto that are read: name, number, type; a capital letter marks a repeated
# field. Packed numbers are declared as bytes, which NumPy converts in one step.
_PROTO = {
    "BlobShape": "dim 1 I",
    "BlobProto": "num 1 i, channels 2 i, height 3 i, width 4 i, data 5 B, double_data 8 B, "
    "shape 7 BlobShape",
    "LayerParameter": "name 1 s, type 2 s, blobs 7 BlobProto",
    "V1LayerParameter": "name 4 s, type 5 i, blobs 6 BlobProto",
    "NetParameter": "layers 2 V1LayerParameter, layer 100 LayerParameter",
}
_V1_TYPES = {4: "Convolution", 14: "InnerProduct"}

_BLOCK = r"(?:res|bn|scale)([2-5])(?:b(\d+)|([a-c]))_branch"
RULES: Rules = (
    # The networks on smaller scales share these weights; the file repeats them.
    (r".*res(?:05|075).*|(?:bn|scale)(?:05|075).*", None),
    (r"(conv[1-5]_[1-3])", r"\1"),
    (r"(fc[67])(?:_[a-z]\w*)?_([1-4])", r"\1_<\2-1>"),
    (r"(fc[67])(?:_[a-z]\w*)?", r"\1_0"),
    (r"fc8(?:_[a-z]\w*)?_([1-4])", r"classifier_<\1-1>"),
    (r"fc8(?:_[a-z]\w*)?", "classifier_0"),
    (r"fc1_\w+_c([0-3])", r"classifier_\1"),
    (r"(?:bn_|scale_)?conv1", "stem"),
    (rf"{_BLOCK}1", r"stage_<\1-1>_block_<\2\3+0>_shortcut"),
    (rf"{_BLOCK}2([abc])", r"stage_<\1-1>_block_<\2\3+0>_conv_<\4+1>"),
)


class CaffeLayer(NamedTuple):
    """A layer of the file that has weights."""

    name: str
    type: str
    blobs: list[np.ndarray]


@cache
def _network_message() -> Any:
    """Returns the class of Caffe's NetParameter."""
    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe")
    kind = descriptor_pb2.FieldDescriptorProto
    types = {"i": kind.TYPE_INT64, "s": kind.TYPE_STRING, "b": kind.TYPE_BYTES}
    for message, fields in _PROTO.items():
        described = file.message_type.add(name=message)
        for field in fields.split(", "):
            name, number, letter = field.split()
            repeated = letter[0].isupper()
            described.field.add(
                name=name,
                number=int(number),
                label=kind.LABEL_REPEATED if repeated else kind.LABEL_OPTIONAL,
                type=types.get(letter.lower(), kind.TYPE_MESSAGE),
                type_name=f".caffe.{letter}" if letter in _PROTO else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe.NetParameter"))


def _blob(blob: Any) -> np.ndarray:
    parts = [np.frombuffer(part, "<f4") for part in blob.data]
    parts += [np.frombuffer(part, "<f8").astype("float32") for part in blob.double_data]
    values = np.concatenate(parts) if parts else np.zeros(0, "float32")
    legacy = [getattr(blob, side) or 1 for side in ("num", "channels", "height", "width")]
    return values.reshape(list(blob.shape[-1].dim) if blob.shape else legacy)


def _content(path: str | Path, member: str) -> bytes:
    if not member:
        return Path(path).read_bytes()
    try:
        with zipfile.ZipFile(path) as archive:
            (name,) = (n for n in archive.namelist() if n.rpartition("/")[2] == member)
            if archive.getinfo(name).file_size > unpacked_limit(Path(path).stat().st_size):
                raise ValueError(f"{member} unpacks to more than a hundred times its size")
            return archive.read(name)
    except OSError:
        raise
    except Exception as error:  # zipfile and the decompressors raise different exceptions
        raise ValueError(
            f"The file must be a zip archive with one {member}. Received: {path} ({error}). Fetch "
            f"it again."
        ) from error


def read_caffemodel(path: str | Path, *, member: str = "") -> list[CaffeLayer]:
    """Reads the layers with weights of a .caffemodel file, in order.

    Args:
        path: A .caffemodel file, or a zip archive that contains one.
        member: Name of the file inside the archive.

    Raises:
        ValueError: If the file is not a Caffe network, or is truncated.
        FileNotFoundError: If the file does not exist.
    """
    content = _content(path, member)
    try:
        network = _network_message().FromString(content)
        layers = [
            CaffeLayer(
                layer.name,
                layer.type if isinstance(layer.type, str) else _V1_TYPES.get(layer.type, "unknown"),
                [_blob(blob) for blob in layer.blobs],
            )
            for layer in (*network.layers, *network.layer)
            if layer.blobs
        ]
    except (DecodeError, ValueError) as error:
        raise ValueError(
            f"The file must be a valid .caffemodel. Received: {path}, {len(content)} bytes "
            f"({error}). Fetch it again."
        ) from error
    if not layers:
        raise ValueError(f"A .caffemodel must have layers with weights. Received: {path} without.")
    return layers


def convert_caffe(path: str | Path, *, member: str = "") -> dict[str, np.ndarray]:
    """Reads DeepLab v1 or v2, on VGG-16 or ResNet-101, from a .caffemodel file.

    The networks were trained on BGR; the channels of the first kernel are reversed to RGB. Caffe's
    BatchNorm stores sums of statistics and a count: the moving-average factor that divides them.

    Args:
        path: A .caffemodel file with the current or the older layer message.
        member: Name of the file inside ``path``, if it is a zip archive.

    Returns:
        float32 arrays by "layer/variable".

    Raises:
        ValueError: If the file cannot be read or contains a different network.
        FileNotFoundError: If the file does not exist.

    Example:

    >>> convert_caffe("photo.jpg")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ValueError: The file must be a valid .caffemodel. ...
    """
    arrays: dict[str, np.ndarray] = {}
    for source in read_caffemodel(path, member=member):
        layer = layer_of(source.name, RULES)
        if layer is None:
            continue
        for variable, array in _variables(source, layer, path):
            put(arrays, f"{layer}{variable}", array, path)
    reverse_channels(arrays)
    return arrays


def _variables(
    source: CaffeLayer, layer: str, path: str | Path
) -> Iterator[tuple[str, np.ndarray]]:
    count, batch_norm = len(source.blobs), source.name.startswith(("bn", "scale"))
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
        yield "/kernel", kernel.transpose(2, 3, 1, 0)
        for array in bias:
            yield "/bias", array.reshape(-1)
    elif source.type == "BatchNorm":
        mean, variance, factor = (blob.reshape(-1) for blob in source.blobs)
        scale = 1 / factor[0] if factor[0] else np.float32(0)
        yield "_bn/moving_mean", mean * scale
        yield "_bn/moving_variance", variance * scale
    else:
        for variable, blob in zip(("_bn/gamma", "_bn/beta"), source.blobs, strict=True):
            yield variable, blob.reshape(-1)
