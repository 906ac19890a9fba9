"""ONNX files: conversion with tf2onnx, metadata."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_deeplab.inference.sidecar import METADATA


def import_converter() -> Any:
    """Returns tf2onnx, or raises `ModuleNotFoundError` if it or ONNX Runtime is not installed."""
    try:
        import onnxruntime  # noqa: F401
        import tf2onnx
    except ImportError as error:
        raise ModuleNotFoundError(
            "ONNX export needs tf2onnx, and onnxruntime to check the file. "
            "Run: pip install tf2onnx onnxruntime"
        ) from error
    return tf2onnx


def convert(
    serve: Callable[[tf.Tensor], tf.Tensor], spec: tf.TensorSpec, *, opset: int, metadata: str
) -> bytes:
    """Returns the content of a file: a function of images, and the metadata."""
    tf2onnx = import_converter()
    # Otherwise resizes to a fixed size would become rounded factors.
    batch, height, width, channels = spec.shape
    free = tf.TensorSpec((batch, None, None, channels), spec.dtype, name=spec.name)
    function = tf.function(serve, input_signature=[free])
    model, _ = tf2onnx.convert.from_function(function, [free], opset=opset)
    sizes = {"batch": batch, "height": height, "width": width}
    for value in (*model.graph.input, *model.graph.output):
        for (name, size), dimension in zip(
            sizes.items(), value.type.tensor_type.shape.dim, strict=False
        ):
            if size is None:
                dimension.dim_param = name
            else:
                dimension.dim_value = size
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA, metadata
    model.producer_name = METADATA
    return bytes(model.SerializeToString())


def operators(content: bytes) -> tuple[dict[str, int], tuple[str, ...]]:
    """Counts the operators of a file by name, and lists those of non-standard domains."""
    import onnx

    nodes: list[Any] = list(onnx.load_from_string(content).graph.node)
    foreign = {
        f"{node.domain}.{node.op_type}" for node in nodes if node.domain not in ("", "ai.onnx")
    }
    return dict(Counter(node.op_type for node in nodes)), tuple(sorted(foreign))
