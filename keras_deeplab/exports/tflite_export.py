"""TFLite files: conversion, quantisation, operators."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_deeplab.exports.tflite_metadata import STANDARD, standard_metadata, with_labels
from keras_deeplab.inference.runtimes.tflite_builder import SharingBuilder
from keras_deeplab.inference.sidecar import METADATA
from keras_deeplab.weights.readers.tflite_file import tflite_schema


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
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    function = tf.function(serve, input_signature=[spec]).get_concrete_function()
    # The converter folds batch norm only into weights that are constants.
    frozen = convert_variables_to_constants_v2(function)
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
