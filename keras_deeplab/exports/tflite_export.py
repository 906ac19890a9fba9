"""TFLite files: conversion, quantisation, operators, metadata.

The standard metadata is for Android's ImageSegmenter, ML Binding and others.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import flatbuffers
import numpy as np
import tensorflow as tf

from keras_deeplab.inference.runtimes.tflite_runtime import SharingBuilder
from keras_deeplab.inference.sidecar import METADATA
from keras_deeplab.weights.readers.tflite_file import tflite_schema

# The name that readers look for, and the identifier of the schema's first version.
STANDARD = "TFLITE_METADATA"
_IDENTIFIER = b"M001"
_LABELS = "labelmap.txt"
_AXIS_LABELS, _VALUE_LABELS = 2, 3
_IMAGE_PROPERTIES, _NORMALIZATION, _RGB = 2, 1, 1


def convert(
    serve: Callable[[tf.Tensor], tf.Tensor],
    spec: tf.TensorSpec,
    *,
    quantize: str | None,
    calibration: Callable[[], Iterable[np.ndarray]],
    uint8_input: bool,
    output_dtype: str | None,
) -> bytes:
    """Returns the content of a file: a function of images.

    `calibration`, which returns batches of float32 images, `uint8_input` and `output_dtype` are for
    "int8".

    Raises:
        ValueError: If the network needs an operator that is not a TFLite builtin.
    """
    from tensorflow.python.framework import convert_to_constants

    function = tf.function(serve, input_signature=[spec]).get_concrete_function()
    # The converter folds batch norm only into weights that are constants.
    frozen = convert_to_constants.convert_variables_to_constants_v2(function)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen], tf.Module())
    builtins = tf.lite.OpsSet.TFLITE_BUILTINS
    if quantize is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantize == "int8":
        builtins = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        converter.representative_dataset = lambda: ([batch] for batch in calibration())
        converter.inference_input_type = tf.uint8 if uint8_input else tf.float32
        if output_dtype in ("int8", "uint8"):
            converter.inference_output_type = tf.as_dtype(output_dtype)
    converter.target_spec.supported_ops = [builtins]
    try:
        return converter.convert()
    except Exception as error:
        foreign = sorted(
            set(re.findall(r"tf\.(\w+) op is neither|TF Select ops: (.*)", str(error)))
        )
        if not foreign:
            raise
        names = ", ".join(name for pair in foreign for name in pair if name)
        raise ValueError(
            f"Every operator must be a TFLite builtin. Received: a network with {names}."
        ) from error


def finished(content: bytes, metadata: dict[str, Any]) -> bytes:
    """Adds metadata, in the package's form and in TFLite's, and deduplicates equal vectors.

    Per-channel quantisation stores a vector of zeros for every tensor.
    """
    schema = tflite_schema()
    model = schema.ModelT.InitFromPackedBuf(content)
    texts = {METADATA: json.dumps(metadata).encode(), STANDARD: standard_metadata(metadata)}
    for name, text in texts.items():
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(text, "uint8")
        model.buffers.append(buffer)
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, len(model.buffers) - 1
        model.metadata = [*(model.metadata or []), entry]
    builder = SharingBuilder(len(content))
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return with_labels(bytes(builder.Output()), metadata["class_names"])


def operators(content: bytes) -> tuple[dict[str, int], tuple[str, ...]]:
    """Counts the operators of a file by name, and lists those that are not builtin."""
    schema = tflite_schema()
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}
    model = schema.ModelT.InitFromPackedBuf(content)
    found: Counter[str] = Counter()
    foreign = set()
    for graph in model.subgraphs:
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
            if code.customCode:
                name = code.customCode.decode()
                foreign.add(name)
            found[name] += 1
    return dict(found), tuple(sorted(foreign))


def standard_metadata(metadata: dict[str, Any]) -> bytes:
    """Returns the flatbuffer of the metadata of an export: normalisation, size, file of labels.

    Reference:
        tensorflow/tflite-support, metadata_schema.fbs 1.1.0.
    """
    image, output = metadata["input"], metadata["output"]
    height, width = (
        image[side] or usual
        for side, usual in zip(("height", "width"), metadata["inference_size"], strict=True)
    )
    size = {0: ("Uint32", width), 1: ("Uint32", height)}
    # (level - mean) / std: the file normalises RGB 0-255 itself.
    mean, std = (0.0, 1.0) if image["range"] == "RGB 0-255" else (127.5, 127.5)
    source = {
        0: "image",
        1: f"Photo, {image['range']}",
        3: {0: ("Uint8", _IMAGE_PROPERTIES), 1: {0: ("Int8", _RGB), 1: size}},
        4: [{0: ("Uint8", _NORMALIZATION), 1: {0: mean, 1: std}}],
    }
    kind = _VALUE_LABELS if output["kind"] == "labels" else _AXIS_LABELS
    target = {
        0: "segmentation_masks",
        1: f"{output['kind']} of the classes",
        6: [{0: _LABELS, 2: ("Int8", kind)}],
    }
    graph = {2: [source], 3: [target]}
    model = {0: metadata["network"], 1: "Semantic segmentation", 3: [graph], 7: "1.0.0"}
    builder = flatbuffers.Builder(1024)
    builder.Finish(_written(builder, model), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def with_labels(content: bytes, class_names: list[str]) -> bytes:
    """Returns a TFLite file with a zip archive of its file of labels at the end."""
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a") as archive:
        # Without the time of writing, equal exports are equal files.
        archive.writestr(zipfile.ZipInfo(_LABELS), "".join(f"{name}\n" for name in class_names))
    return stream.getvalue()


def _written(builder: Any, value: Any) -> int:
    """Writes a text, a vector of one number or table, or a table, and returns its place.

    The fields of a table are by their number in the schema; its numbers are (type, value).
    """
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, dict):
        fields = {
            slot: one if isinstance(one, tuple) else ("UOffsetTRelative", _written(builder, one))
            for slot, one in value.items()
        }
        builder.StartObject(max(fields) + 1)
        for slot, (kind, one) in fields.items():
            getattr(builder, f"Prepend{kind}Slot")(slot, one, 0)
        return int(builder.EndObject())
    if isinstance(value, float):
        builder.StartVector(4, 1, 4)
        builder.PrependFloat32(value)
        return int(builder.EndVector())
    (item,) = (_written(builder, one) for one in value)
    builder.StartVector(4, 1, 4)
    builder.PrependUOffsetTRelative(item)
    return int(builder.EndVector())
