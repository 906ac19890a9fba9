"""Writes 8-bit TFLite files with TensorFlow's own schema classes."""

from __future__ import annotations

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema


def slim_scope(layer: str) -> str:
    """The TF-Slim scope of one of our layers."""
    if layer == "stem":
        return "MobilenetV2/Conv"
    if layer.startswith("block_"):
        _, number, part = layer.split("_")
        return f"MobilenetV2/expanded_conv{'' if number == '0' else f'_{number}'}/{part}"
    return {
        "aspp_0": "aspp0",
        "aspp_image_pooling": "image_pooling",
        "aspp_projection": "concat_projection",
        "classifier": "logits/semantic",
    }[layer]


def write_tflite(layers: dict[str, tuple[np.ndarray, np.ndarray]], extra: bool = False) -> bytes:
    """Packs convolutions, by layer name as (uint8-valued kernel, int32 bias), into a file.

    Kernels are stored with scale 0.5 and zero point 3, biases with scale 0.25. ``extra`` adds a
    constant that belongs to no operator.
    """
    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [0], [0]

    def tensor(name: str, data: np.ndarray | None, scale: float, zero_point: int) -> int:
        t = schema.TensorT()
        t.name = name.encode()
        t.quantization = schema.QuantizationParametersT()
        t.quantization.scale, t.quantization.zeroPoint = [scale], [zero_point]
        if data is None:
            t.shape, t.type, t.buffer = [1, 8, 8, 3], schema.TensorType.UINT8, 0
        else:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), "uint8")
            model.buffers.append(buffer)
            t.buffer = len(model.buffers) - 1
            t.shape = list(data.shape)
            types = {"uint8": schema.TensorType.UINT8, "int32": schema.TensorType.INT32}
            t.type = types[data.dtype.name]
        graph.tensors.append(t)
        return len(graph.tensors) - 1

    codes = []
    for builtin in (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D):
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = builtin
        codes.append(code)
    model.operatorCodes = codes
    x = tensor("input", None, 1.0, 0)
    for layer, (kernel, bias) in layers.items():
        name = f"x/BatchNorm_Fold;{slim_scope(layer)}/weights_quant/FakeQuant"
        operator = schema.OperatorT()
        operator.opcodeIndex = int(layer.endswith("depthwise"))
        operator.inputs = [
            x,
            tensor(name, kernel.astype("uint8").transpose(3, 0, 1, 2), 0.5, 3),
            tensor(f"{layer}/bias", bias.astype("int32"), 0.25, 0),
        ]
        x = tensor(f"{layer}/out", None, 1.0, 0)
        operator.outputs = [x]
        graph.operators.append(operator)
    if extra:
        tensor("stray", np.zeros(3, "int32"), 1.0, 0)
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
