"""TFLite files."""

from __future__ import annotations

import io
import os
import threading
import warnings
import zipfile
import zlib
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np

from keras_deeplab.inference.sidecar import (
    METADATA,
    Opened,
    read_sidecar,
    scores_or_labels,
    sidecar_path,
)

_IDENTIFIER = b"TFL3"
# Quantised inputs with a larger scale take levels 0-255, others normalised images.
_SCALE_OF_LEVELS = 0.5
_LARGEST_LABELS = 10_000_000
_SHARED_BYTES = 1 << 16
_ALIGNMENT = 16


class SharingBuilder(flatbuffers.Builder):
    """Writes equal vectors once, and aligns large ones so that a runtime can map them."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: np.ndarray) -> int:  # noqa: N802 - flatbuffers' name
        """Writes a vector and returns its offset."""
        content = x.tobytes()
        key = (x.dtype.str, content)
        if len(content) <= _SHARED_BYTES and key in self._written:
            return self._written[key]
        self.StartVector(x.itemsize, x.size, _ALIGNMENT if x.itemsize == 1 else x.itemsize)
        self.head -= len(content)
        self.Bytes[self.head : self.head + len(content)] = content
        offset = int(self.EndVector())
        if len(content) <= _SHARED_BYTES:
            self._written[key] = offset
        return offset


def open_file(path: Path) -> Opened:
    """Opens a TFLite file with ai-edge-litert, or with TensorFlow as a fallback.

    8-bit inputs take the levels of the image; quantised scores are converted to floats with the
    scale of their tensor.

    Raises:
        ValueError: If it is damaged, of another format, or does not have one input and one output.
    """
    content = path.read_bytes()
    if content[4:8] != _IDENTIFIER:
        raise ValueError(
            f"The file must be a TFLite network. Received: {str(path)!r}, which does not start "
            f"like one."
        )
    model = _unpacked(content, path)
    interpreter = _interpreter(_rewritten(model, content, path), path)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(
            f"The network must have one input and one output. Received: {str(path)!r} with "
            f"{len(inputs)} and {len(outputs)}."
        )
    (source,), (target,) = inputs, outputs
    size = tuple(source["shape"])
    # An interpreter holds the tensors of one call.
    lock = threading.Lock()

    def run(images: np.ndarray) -> np.ndarray:
        nonlocal size
        levels = _quantised(images, source)
        with lock:
            if images.shape != size:
                interpreter.resize_tensor_input(source["index"], images.shape)
                interpreter.allocate_tensors()
                size = images.shape
            interpreter.set_tensor(source["index"], levels)
            interpreter.invoke()
            result = interpreter.get_tensor(target["index"])
        return _dequantised(result, target)

    shape = tuple(None if side < 0 else int(side) for side in source["shape_signature"])
    sidecar = read_sidecar(path, _entry(model))
    if sidecar.class_names is None:
        sidecar = replace(sidecar, class_names=_packed_labels(content))
    return Opened(run, shape, sidecar, str(path))


def is_export(path: Path) -> bool:
    """Whether `export` wrote a TFLite file; raises `ValueError` if it is damaged."""
    return sidecar_path(path).exists() or bool(_entry(_unpacked(path.read_bytes(), path)))


def _entry(model: Any) -> bytes | None:
    for entry in model.metadata or ():
        if entry.name in (METADATA, METADATA.encode()) and entry.buffer < len(model.buffers):
            return bytes(model.buffers[entry.buffer].data)
    return None


def _packed_labels(content: bytes) -> tuple[str, ...] | None:
    """Returns the lines of the one text file in the zip archive that TFLite's metadata appends."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            (name,) = (x for x in archive.infolist() if x.filename.endswith(".txt"))
            if name.file_size > _LARGEST_LABELS:
                return None
            names = archive.read(name).decode("utf-8").split("\n")
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, RuntimeError, zlib.error):
        return None
    names = [name.strip() for name in names if name.strip()]
    return tuple(names) if names and len(set(names)) == len(names) else None


def _unpacked(content: bytes, path: Path) -> Any:
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ModuleNotFoundError:
        from tensorflow.lite.python import schema_py_generated as schema
    try:
        return schema.ModelT.InitFromPackedBuf(content)
    except Exception as error:
        raise _damaged(content, path) from error


def _rewritten(model: Any, content: bytes, path: Path) -> bytes:
    """Returns the same network with a new header and new offsets.

    The runtimes follow the offsets of a file without checks, and crash on damaged ones.
    """
    try:
        if any(buffer.offset > 1 for buffer in model.buffers):
            return content  # more than 2 GB, with arrays outside the tables
        builder = SharingBuilder(len(content))
        builder.Finish(model.Pack(builder), _IDENTIFIER)
        return bytes(builder.Output())
    except Exception as error:
        raise _damaged(content, path) from error


def _damaged(content: bytes, path: Path) -> ValueError:
    # Offsets outside the file raise many different exceptions.
    return ValueError(
        f"The file must be a valid TFLite network. Received: {str(path)!r}, {len(content)} bytes, "
        f"where the end is missing or damaged. Fetch or export it again."
    )


def _interpreter(content: bytes, path: Path) -> Any:
    errors = []
    # That of TensorFlow also supports TensorFlow operators ("Flex"), and warns of its age.
    for module in ("ai_edge_litert.interpreter", "tensorflow.lite.python.interpreter"):
        try:
            with warnings.catch_warnings(action="ignore"):
                load = import_module(module).Interpreter
                interpreter = load(model_content=content, num_threads=os.cpu_count())
            interpreter.allocate_tensors()
        except (ModuleNotFoundError, RuntimeError, ValueError) as error:
            errors.append(str(error).strip())
        else:
            return interpreter
    raise ValueError(
        f"The file must be a whole TFLite network of known operators. Received: {str(path)!r} "
        f"({'; '.join(dict.fromkeys(errors))})."
    )


def _quantised(images: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    kind = np.dtype(details["dtype"])
    if not np.issubdtype(kind, np.integer):
        return images.astype(kind)
    scale, zero_point = details["quantization"]
    if scale > _SCALE_OF_LEVELS:
        levels = np.round(images / np.float32(scale)) + zero_point
    else:
        levels = images.astype("int32") + np.iinfo(kind).min
    return np.clip(levels, np.iinfo(kind).min, np.iinfo(kind).max).astype(kind)


def _dequantised(result: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    scale, zero_point = details["quantization"]
    if scale and np.issubdtype(result.dtype, np.integer):
        return (result.astype("float32") - zero_point) * np.float32(scale)
    return scores_or_labels(result)
