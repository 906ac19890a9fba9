"""Reads tensors from PyTorch's .pth files without PyTorch and without executing pickles."""

from __future__ import annotations

import io
import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_deeplab.weights.readers.inert import Inert, inert_class
from keras_deeplab.weights.readers.safetensors_file import BFLOAT16, to_numbers

# PyTorch's storage classes.
_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
# Where training scripts put the state dict, and what wrappers put before its names.
_ENTRIES = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights")
_WRAPPERS = ("module.", "_orig_mod.", "model.", "network.", "net.")
# A module that contains another twice contains its parts twice: a small file could name billions.
_MOST_MODULES, _DEEPEST_MODULE = 100_000, 50
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
    if not isinstance(storage, _Storage):
        raise pickle.UnpicklingError(f"it makes a tensor of {storage!r}, which is no storage")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(data: Any, *_: Any) -> Any:
    return data


_ADMITTED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _rebuild_parameter,
    **{("torch", kind): kind for kind in _DTYPES},
}


# The unpickler in Python keeps its memo in a dict; that in C allocates as many entries as the
# largest index, which a pickle of a few bytes may set to billions.
class _TensorUnpickler(pickle._Unpickler):
    """Makes tensors and plain containers; all else becomes a stand-in that does nothing."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.kinds: dict[str, str] = {}

    def find_class(self, module: str, name: str) -> Any:
        return _ADMITTED.get((module, name)) or inert_class(module, name)

    def persistent_load(self, pid: Any) -> _Storage:
        tag, kind, key, _, _, *view = pid
        if tag != "storage" or kind not in _DTYPES or any(view):
            raise pickle.UnpicklingError(f"it refers to {pid!r}, which is no whole storage")
        self.kinds[str(key)] = kind
        return _Storage(str(key), kind)


def read_torch_file(path: str | Path) -> dict[str, np.ndarray]:
    """Reads the tensors of a file that `torch.save` wrote: of a network, or of its training.

    Objects of other libraries in the file, such as the arguments of a training script, become
    stand-ins without content: nothing is imported or executed.

    Args:
        path: A zip archive (PyTorch 1.6 and later) or the older format of consecutive pickles.

    Returns:
        Arrays by name, without entries that are not tensors. They are those of the top level, of
        its entry "state_dict", "model" or the like, or of a whole network's modules. A prefix of
        all names, such as "module." of `DataParallel`, is removed.

    Raises:
        ValueError: If the file has another format, is damaged, has no tensors, or its pickle
            names what no checkpoint needs, such as a function of the operating system.
        FileNotFoundError: If the file does not exist.

    Example:

    >>> read_torch_file("photo.jpg")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ValueError: A .pth file must be what torch.save writes. ...
    """
    path = Path(path)
    content, stored = _read(path)
    tensors = _state_dict(content)
    if not tensors:
        raise ValueError(
            f"A .pth file must hold a dict of tensors. Received: {path}, an object of type "
            f"{type(content).__name__} without tensors. Save the state dict of the network."
        )
    arrays = {}
    for name, tensor in tensors.items():
        try:
            arrays[name] = _to_array(tensor, stored[tensor.storage.key])
        except (ValueError, TypeError, KeyError, zipfile.BadZipFile, EOFError) as error:
            raise ValueError(
                f"The tensor {name!r} must be inside its file. Received: {path} ({error}). Fetch "
                f"it again."
            ) from error
    return _unwrapped(arrays)


def _read(path: Path) -> tuple[Any, dict[str, bytes]]:
    data = path.read_bytes()
    try:
        if data.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return _read_zip(archive)
        return _read_legacy(data)
    # Damaged pickles can raise any of these exceptions; the two tuples keep the list short.
    except (
        *(pickle.UnpicklingError, EOFError, struct.error, zipfile.BadZipFile, NotImplementedError),
        *(ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, MemoryError),
        RecursionError,
    ) as error:
        raise ValueError(
            f"A .pth file must be what torch.save writes, with tensors and plain containers only. "
            f"Received: {path}, {len(data)} bytes ({error or type(error).__name__}). Fetch it "
            f"again, or save the state dict alone."
        ) from error


def torch_class_names(path: str | Path) -> tuple[str, ...]:
    """Returns the class names in the meta data of an mmsegmentation checkpoint, empty without any.

    Raises:
        ValueError: If the file has another format or is damaged.
    """
    meta = _read(Path(path))[0]
    meta = meta.get("meta") if isinstance(meta, dict) else None
    if not isinstance(meta, dict):
        return ()
    new = meta.get("dataset_meta")
    names = new.get("classes") if isinstance(new, dict) else meta.get("CLASSES")
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        return ()
    return tuple(names)


def _read_zip(archive: zipfile.ZipFile) -> tuple[Any, dict[str, bytes]]:
    if any("/code/" in name for name in archive.namelist()):
        raise ValueError("it is a program of torch.jit.save, not a state dict")
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
    return content, stored


def _read_legacy(data: bytes) -> tuple[Any, dict[str, bytes]]:
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
    return content, stored


def _state_dict(content: Any) -> dict[str, _Tensor]:
    """Returns the tensors of the innermost entry, without recursion: a file may nest entries."""
    outer: dict[str, _Tensor] = {}
    pending, seen = [content], set()
    while pending:
        entry = pending.pop()
        if id(entry) in seen:
            continue
        seen.add(id(entry))
        inner = []
        if isinstance(entry, dict):
            tensors = {str(k): value for k, value in entry.items() if isinstance(value, _Tensor)}
            inner = [entry[k] for k in _ENTRIES if isinstance(entry.get(k), (dict, Inert))]
        else:
            tensors = _module_tensors(entry)
        if tensors and not inner:
            return tensors
        outer = outer or tensors
        pending += reversed(inner)
    return outer


def _module_tensors(module: Any) -> dict[str, _Tensor]:
    """Returns the tensors of a `torch.nn.Module` that was saved itself, by their names."""
    tensors: dict[str, _Tensor] = {}
    pending, visited = [("", module)], 0
    while pending and visited < _MOST_MODULES:
        visited += 1
        prefix, module = pending.pop()
        state = module.state if isinstance(module, Inert) else None
        if not isinstance(state, dict):
            continue
        for part in (state.get("_parameters"), state.get("_buffers")):
            for name, value in part.items() if isinstance(part, dict) else ():
                if isinstance(value, _Tensor):
                    tensors[f"{prefix}{name}"] = value
        children = state.get("_modules")
        if isinstance(children, dict) and prefix.count(".") < _DEEPEST_MODULE:
            inner = [(f"{prefix}{name}.", child) for name, child in children.items()]
            pending += reversed(inner)
    return tensors


def _unwrapped(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    # The counter of `torch.optim.swa_utils.AveragedModel`, beside "module.".
    arrays = {name: array for name, array in arrays.items() if name != "n_averaged"}
    while prefix := next((w for w in _WRAPPERS if all(n.startswith(w) for n in arrays)), ""):
        arrays = {name.removeprefix(prefix): array for name, array in arrays.items()}
        if not arrays or "" in arrays:
            break
    return arrays


def _to_array(tensor: _Tensor, data: bytes) -> np.ndarray:
    values = to_numbers(data, _DTYPES[tensor.storage.kind])
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
