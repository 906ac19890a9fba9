"""Reads tensors from PyTorch's .pth files without PyTorch and without executing pickles."""

from __future__ import annotations

import io
import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_deeplab.weights.readers.pickle_check import check_memo

# PyTorch's storage classes; NumPy has no type for "BFloat16Storage", which becomes float32.
_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


class _Storage(NamedTuple):
    key: str
    kind: str


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(storage: Any, offset: int, shape: Any, strides: Any, *_: Any) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(data: _Tensor, *_: Any) -> _Tensor:
    return data


_ADMITTED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    **{("torch", kind): kind for kind in _DTYPES},
}


class _TensorUnpickler(pickle.Unpickler):
    """Allows tensors, their storages and plain containers; anything else is an error."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self._file = file
        self.kinds: dict[str, str] = {}

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which is no tensor"
            ) from None

    def persistent_load(self, pid: Any) -> _Storage:
        tag, kind, key, _, _, *view = pid
        if tag != "storage" or kind not in _DTYPES or any(view):
            raise pickle.UnpicklingError(f"it refers to {pid!r}, which is no whole storage")
        self.kinds[str(key)] = kind
        return _Storage(str(key), kind)

    def load(self) -> Any:
        check_memo(self._file, len(self._file.getbuffer()))
        return super().load()


def read_torch_file(path: str | Path) -> dict[str, np.ndarray]:
    """Reads the tensors of a file that `torch.save` wrote: a state dict, or one inside a dict.

    Args:
        path: A zip archive (PyTorch 1.6 and later) or the older format of consecutive pickles.

    Returns:
        Arrays by name, without entries that are not tensors. The state dict is the top level, or
        its entry "state_dict", "model_state" or "model".

    Raises:
        ValueError: If the file has another format, is damaged, or its pickle contains anything
            other than tensors and plain containers.
        FileNotFoundError: If the file does not exist.

    Example:

    >>> read_torch_file("photo.jpg")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ValueError: A .pth file must be what torch.save writes. ...
    """
    path = Path(path)
    data = path.read_bytes()
    try:
        if data.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                content, load = _read_zip(archive)
        else:
            content, load = _read_legacy(data)
    # Damaged pickles can raise any of these exceptions; the two tuples keep the list short.
    except (
        *(pickle.UnpicklingError, EOFError, struct.error, zipfile.BadZipFile, NotImplementedError),
        *(ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, MemoryError),
    ) as error:
        raise ValueError(
            f"A .pth file must be what torch.save writes, with tensors and plain containers only. "
            f"Received: {path}, {len(data)} bytes ({error or type(error).__name__}). Fetch it "
            f"again, or save the state dict alone."
        ) from error
    tensors = _state_dict(content)
    if not tensors:
        raise ValueError(f"A .pth file must hold a dict of tensors. Received: {path} without one.")
    arrays = {}
    for name, tensor in tensors.items():
        try:
            arrays[name] = _to_array(tensor, load(tensor.storage))
        except (ValueError, TypeError, KeyError, zipfile.BadZipFile, EOFError) as error:
            raise ValueError(
                f"The tensor {name!r} must be inside its file. Received: {path} ({error}). Fetch "
                f"it again."
            ) from error
    return arrays


def _read_zip(archive: zipfile.ZipFile) -> tuple[Any, Callable[[_Storage], bytes]]:
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
        raise ValueError("its entries are compressed, which torch.save never does")
    pickles = [name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl"]
    if len(pickles) != 1:
        raise ValueError(f"it has {len(pickles)} entries data.pkl, not one")
    prefix = pickles[0].removesuffix("data.pkl")
    if f"{prefix}byteorder" in archive.namelist():
        order = archive.read(f"{prefix}byteorder")
        if order != b"little":
            raise ValueError(f"its byte order is {order!r}, not little")
    content = _TensorUnpickler(io.BytesIO(archive.read(pickles[0]))).load()
    stored = {
        name.removeprefix(f"{prefix}data/"): archive.read(name)
        for name in archive.namelist()
        if name.startswith(f"{prefix}data/")
    }
    return content, lambda storage: stored[storage.key]


def _read_legacy(data: bytes) -> tuple[Any, Callable[[_Storage], bytes]]:
    file = io.BytesIO(data)
    if _TensorUnpickler(file).load() != _MAGIC:
        raise ValueError("it does not begin with PyTorch's magic number")
    if (protocol := _TensorUnpickler(file).load()) != _PROTOCOL:
        raise ValueError(f"its protocol is {protocol!r}, not {_PROTOCOL}")
    system = _TensorUnpickler(file).load()
    if not system.get("little_endian", True):
        raise ValueError("its byte order is big, not little")
    unpickler = _TensorUnpickler(file)
    content = unpickler.load()
    stored = {}
    for key in _TensorUnpickler(file).load():
        (count,) = struct.unpack("<q", file.read(8))
        length = count * np.dtype(_DTYPES[unpickler.kinds[key]]).itemsize
        stored[key] = file.read(length)
        if len(stored[key]) < length:
            raise EOFError(f"it ends inside storage {key}")
    return content, lambda storage: stored[storage.key]


def _state_dict(content: Any) -> dict[str, _Tensor]:
    if not isinstance(content, dict):
        return {}
    for key in ("state_dict", "model_state", "model"):
        if isinstance(content.get(key), dict):
            return _state_dict(content[key])
    return {str(name): value for name, value in content.items() if isinstance(value, _Tensor)}


def _to_array(tensor: _Tensor, data: bytes) -> np.ndarray:
    values = np.frombuffer(data, _DTYPES[tensor.storage.kind])
    if tensor.storage.kind == "BFloat16Storage":
        values = (values.astype("<u4") << 16).view("<f4")
    shape, strides = tensor.shape, tensor.strides
    if len(shape) != len(strides) or min((*shape, *strides, tensor.offset), default=0) < 0:
        raise ValueError(f"it has shape {shape} and strides {strides}")
    reach = tensor.offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) + 1
    if math.prod(shape) and reach > values.size:
        raise ValueError(f"it needs {reach} numbers of storage, which has {values.size}")
    if math.prod(shape) > values.size:
        raise ValueError(f"it repeats the {values.size} numbers of its storage to shape {shape}")
    if not math.prod(shape):
        return np.zeros(shape, values.dtype)
    strided = np.lib.stride_tricks.as_strided(
        values[tensor.offset :], shape, [s * values.itemsize for s in strides], writeable=False
    )
    return strided.copy()
