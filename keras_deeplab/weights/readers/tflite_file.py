"""Reads DeepLab networks from 8-bit TFLite files back to float32, without an interpreter."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import flatbuffers.number_types as fb
import flatbuffers.table
import numpy as np

from keras_deeplab.weights.readers.tf_slim import layer_name

# From the TFLite schema (schema.fbs): tensor types, builtin operators.
_DTYPES = {0: "<f4", 1: "<f2", 2: "<i4", 3: "u1", 4: "<i8", 9: "i1"}
_CONV_2D, _DEPTHWISE_CONV_2D = 3, 4
_OPERANDS_ARE_SHAPES = {23, 56}  # RESIZE_BILINEAR, ARG_MAX


class TFLiteTensor(NamedTuple):
    """A tensor of the file; ``data`` is None where it is computed, else as stored."""

    name: str
    data: np.ndarray | None
    scale: float | None
    zero_point: int

    def to_float(self) -> np.ndarray:
        """Returns the stored values as float32."""
        if self.data is None:
            raise ValueError(f"Tensor {self.name!r} must be constant. Received: no data.")
        if self.scale is None:
            return self.data.astype("float32")
        return ((self.data.astype("float64") - self.zero_point) * self.scale).astype("float32")


class TFLiteOperator(NamedTuple):
    """An operator of the file: its builtin code and the indices of its input tensors."""

    code: int
    inputs: list[int]


class _Table(flatbuffers.table.Table):
    """Field access by field number, as numbered in schema.fbs."""

    def offset(self, field: int) -> int:
        return int(self.Offset(4 + 2 * field))

    def scalar(self, field: int, flags: type, default: int = 0) -> int:
        return int(self.GetSlot(4 + 2 * field, default, flags))

    def child(self, field: int) -> _Table | None:
        offset = self.offset(field)
        return _Table(self.Bytes, self.Indirect(self.Pos + offset)) if offset else None

    def children(self, field: int) -> Iterator[_Table]:
        offset = self.offset(field)
        if offset:
            start = self.Vector(offset)
            for index in range(self.VectorLen(offset)):
                yield _Table(self.Bytes, self.Indirect(start + 4 * index))

    def array(self, field: int, dtype: str) -> np.ndarray:
        offset = self.offset(field)
        if not offset:
            return np.zeros(0, dtype)
        return np.frombuffer(self.Bytes, dtype, self.VectorLen(offset), self.Vector(offset))

    def text(self, field: int) -> str:
        offset = self.offset(field)
        return self.String(self.Pos + offset).decode() if offset else ""


def read_tflite(path: str | Path) -> tuple[list[TFLiteTensor], list[TFLiteOperator]]:
    """Reads the tensors and operators of a TFLite file's first subgraph.

    Raises:
        ValueError: If the file is not TFLite, or ends early.
    """
    content = Path(path).read_bytes()
    if content[4:8] != b"TFL3":
        raise ValueError(
            f"A TFLite file carries 'TFL3' in its bytes 4 to 7. Received: {path}, "
            f"{len(content)} bytes, with {content[4:8]!r} there."
        )
    try:
        model = _Table(content, struct.unpack_from("<I", content)[0])
        codes = [
            max(c.scalar(0, fb.Int8Flags), c.scalar(3, fb.Int32Flags)) for c in model.children(1)
        ]
        buffers = [buffer.array(0, "u1") for buffer in model.children(4)]
        subgraph = next(model.children(2))
        tensors = [_tensor(table, buffers) for table in subgraph.children(0)]
        operators = [
            TFLiteOperator(codes[op.scalar(0, fb.Uint32Flags)], op.array(1, "<i4").tolist())
            for op in subgraph.children(3)
        ]
    except (struct.error, IndexError, ValueError, StopIteration, TypeError) as error:
        raise ValueError(
            f"The TFLite file is damaged or cut short. Received: {path}, {len(content)} bytes "
            f"({error}). Fetch it again."
        ) from error
    return tensors, operators


def _tensor(table: _Table, buffers: list[np.ndarray]) -> TFLiteTensor:
    name = table.text(3)
    raw = buffers[table.scalar(2, fb.Uint32Flags)]
    quantization = table.child(4)
    scales = quantization.array(2, "<f4") if quantization else np.zeros(0)
    zero_points = quantization.array(3, "<i8") if quantization else np.zeros(0)
    data = None
    if raw.size:
        data = raw.view(_DTYPES[table.scalar(1, fb.Int8Flags)]).reshape(table.array(0, "<i4"))
        if scales.size > 1:
            raise ValueError(f"tensor {name!r} has a scale per channel; one per tensor is read")
    return TFLiteTensor(
        name,
        data,
        float(scales[0]) if scales.size else None,
        int(zero_points[0]) if zero_points.size else 0,
    )


def convert_tflite(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a DeepLab network with folded batch norm from a TFLite file.

    Every constant tensor is accounted for: a kernel, its bias, or the shape operand of a resize
    or argmax.

    Args:
        path: A TFLite file of TF-Slim's DeepLab with a MobileNetV2 backbone, float32 or 8-bit
            with one scale per tensor.

    Returns:
        float32 arrays by "layer/kernel" and "layer/bias".

    Raises:
        ValueError: If the file is not TFLite, is damaged, or holds another network.
        FileNotFoundError: If there is no such file.

    Example:

    >>> convert_tflite("photo.jpg")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ValueError: A TFLite file carries 'TFL3' in its bytes 4 to 7. ...
    """
    tensors, operators = read_tflite(path)
    weights: dict[str, np.ndarray] = {}
    seen: set[int] = set()
    for operator in operators:
        constants = [i for i in operator.inputs if i >= 0 and tensors[i].data is not None]
        seen.update(constants)
        if operator.code in (_CONV_2D, _DEPTHWISE_CONV_2D):
            if len(constants) != 2:
                raise ValueError(
                    f"A convolution must have a constant kernel and bias. Received: "
                    f"{[tensors[i].name for i in constants]} in {path}."
                )
            kernel, bias = (tensors[i] for i in constants)
            layer = _layer(kernel.name, path)
            # TFLite: (out, height, width, in), depthwise (1, height, width, channels).
            axes = (1, 2, 3, 0)
            _put(weights, f"{layer}/kernel", kernel.to_float().transpose(axes), path)
            _put(weights, f"{layer}/bias", bias.to_float(), path)
        elif constants and operator.code not in _OPERANDS_ARE_SHAPES:
            raise ValueError(
                f"Constants must be kernels, biases or sizes. Received: "
                f"{[tensors[i].name for i in constants]} in {path}."
            )
    unused = [t.name for i, t in enumerate(tensors) if t.data is not None and i not in seen]
    if unused or not weights:
        raise ValueError(
            f"Every constant must belong to one convolution of a DeepLab network. "
            f"Received: {path} with {len(weights)} weights and unused tensors {unused}."
        )
    return weights


def _layer(tensor_name: str, path: str | Path) -> str:
    # A fused tensor's name joins the names of all that went into it.
    for part in tensor_name.split(";"):
        scope, found, _ = part.partition("/weights_quant")
        if found:
            return layer_name(scope)
    raise ValueError(
        f"A kernel must be named after a TF-Slim scope. Received: {tensor_name!r} in {path}."
    )


def _put(weights: dict[str, np.ndarray], key: str, array: np.ndarray, path: str | Path) -> None:
    if key in weights:
        raise ValueError(f"Every weight must come once. Received: {key!r} twice in {path}.")
    weights[key] = array
