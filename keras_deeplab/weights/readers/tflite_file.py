"""Reads DeepLab networks from 8-bit TFLite files as float32, without an interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_deeplab.weights.readers.naming import layer_of, put
from keras_deeplab.weights.readers.tf_slim import SCOPES

_DTYPES = {"FLOAT32": "<f4", "FLOAT16": "<f2", "INT32": "<i4", "UINT8": "u1", "INT64": "<i8",
           "INT8": "i1"}  # fmt: skip
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_OPERANDS_ARE_SHAPES = ("RESIZE_BILINEAR", "ARG_MAX")


class TFLiteTensor(NamedTuple):
    """A tensor of the file; ``data`` is the stored array, or None for computed tensors."""

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
    """An operator of the file: its builtin name and the indices of its input tensors."""

    name: str
    inputs: list[int]


def tflite_schema() -> Any:
    """Returns the official Python module of the format, generated from schema.fbs."""
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ModuleNotFoundError:
        from tensorflow.lite.python import schema_py_generated as schema
    return schema


def read_tflite(path: str | Path) -> tuple[list[TFLiteTensor], list[TFLiteOperator]]:
    """Reads the tensors and operators of a TFLite file's first subgraph.

    Raises:
        ValueError: If the file is not TFLite, or is truncated.
    """
    content = Path(path).read_bytes()
    if content[4:8] != b"TFL3":
        raise ValueError(
            f"A TFLite file carries 'TFL3' in its bytes 4 to 7. Received: {path}, "
            f"{len(content)} bytes, with {content[4:8]!r} there."
        )
    schema = tflite_schema()
    dtypes = {getattr(schema.TensorType, name): dtype for name, dtype in _DTYPES.items()}
    names = {code: name for name, code in vars(schema.BuiltinOperator).items()}
    try:
        model = schema.ModelT.InitFromPackedBuf(content)
        codes = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in model.operatorCodes]
        graph = model.subgraphs[0]
        tensors = [_tensor(t, model.buffers[t.buffer].data, dtypes) for t in graph.tensors]
        operators = [
            TFLiteOperator(str(names.get(codes[op.opcodeIndex])), [int(i) for i in op.inputs])
            for op in graph.operators
        ]
    except Exception as error:  # offsets outside the file raise many different exceptions
        raise ValueError(
            f"The TFLite file is damaged or cut short. Received: {path}, {len(content)} bytes "
            f"({error}). Fetch it again."
        ) from error
    return tensors, operators


def _tensor(tensor: Any, raw: Any, dtypes: dict[int, str]) -> TFLiteTensor:
    name = tensor.name.decode()
    quantization = tensor.quantization
    scales, zero_points = (
        [] if values is None else values
        for values in (quantization and quantization.scale, quantization and quantization.zeroPoint)
    )
    data = None
    if raw is not None and len(raw):
        data = np.asarray(raw, "u1").view(dtypes[tensor.type]).reshape(tensor.shape)
        if len(scales) > 1:
            raise ValueError(f"tensor {name!r} has a scale per channel; one per tensor is read")
    return TFLiteTensor(
        name,
        data,
        float(scales[0]) if len(scales) else None,
        int(zero_points[0]) if len(zero_points) else 0,
    )


def convert_tflite(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a DeepLab network with folded batch norm from a TFLite file.

    Every constant tensor is checked: it is a kernel, a bias, or an operand of a resize or argmax.

    Args:
        path: A TFLite file of TF-Slim's DeepLab with a MobileNetV2 backbone, float32 or 8-bit
            with one scale per tensor.

    Returns:
        float32 arrays by "layer/kernel" and "layer/bias".

    Raises:
        ValueError: If the file is not TFLite, is damaged, or contains a different network.
        FileNotFoundError: If the file does not exist.

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
        if operator.name in _CONVOLUTIONS:
            if len(constants) != 2:
                raise ValueError(
                    f"A convolution must have a constant kernel and bias. Received: "
                    f"{[tensors[i].name for i in constants]} in {path}."
                )
            kernel, bias = (tensors[i] for i in constants)
            layer = _layer(kernel.name, path)
            # TFLite: (out, height, width, in), depthwise (1, height, width, channels).
            axes = (1, 2, 3, 0)
            put(weights, f"{layer}/kernel", kernel.to_float().transpose(axes), path)
            put(weights, f"{layer}/bias", bias.to_float(), path)
        elif constants and operator.name not in _OPERANDS_ARE_SHAPES:
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
    # The name of a fused tensor joins the names of all its parts.
    for part in tensor_name.split(";"):
        scope, found, _ = part.partition("/weights_quant")
        if found and (layer := layer_of(scope, SCOPES)):
            return layer
    raise ValueError(
        f"A kernel must be named after a TF-Slim scope of a DeepLab network with a MobileNetV2 or "
        f"Xception backbone. Received: {tensor_name!r} in {path}."
    )
