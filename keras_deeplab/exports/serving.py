"""Prepares a network for export: float32, operators of the target runtime; SavedModels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from keras_deeplab.layers import AtrousConv2D, CRFAsRNN, SegmentationOutput
from keras_deeplab.models.heads.output import crf_layer


class _NativeAtrous(keras.layers.Conv2D):
    """Convolution that converts to a single dilated operator.

    Both subclasses in this module are only for conversion. With dynamic sizes, ONNX needs explicit
    padding, which TFLite would turn into a separate operator.
    """

    explicit = False

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        padding = _borders(self) if self.explicit else "SAME"
        return tf.nn.conv2d(
            inputs,
            tf.convert_to_tensor(kernel),
            strides=1,
            padding=padding,
            dilations=self.dilation_rate,
        )


class _NativeDepthwise(keras.layers.DepthwiseConv2D):
    """Depthwise convolution that converts to a single dilated operator.

    TensorFlow has no CPU kernel for it, so Keras uses space-to-batch, which the converters
    recognise only for fixed sizes.
    """

    explicit = False

    def call(self, inputs: Any) -> Any:
        padding: dict[str, Any] = {"padding": "SAME"}
        if self.explicit:
            borders = [side for pair in _borders(self) for side in pair]
            padding = {"padding": "EXPLICIT", "explicit_paddings": borders}
        x = tf.raw_ops.DepthwiseConv2dNative(
            input=inputs,
            filter=tf.convert_to_tensor(self.kernel),
            strides=[1, 1, 1, 1],
            dilations=[1, *self.dilation_rate, 1],
            **padding,
        )
        return self.activation(x + self.bias if self.use_bias else x)


def float32_clone(
    model: keras.Model,
    *,
    operators: str = "keras",
    engine: str | None = None,
    crf: str | None = None,
) -> keras.Model:
    """Rebuilds a model with the float32 policy and the same weights.

    It returns the scores before the activation of its `SegmentationOutput`.

    Args:
        model: A functional model with any dtype policy.
        operators: "keras" keeps the layers; "same" and "explicit" turn each atrous convolution
            into one dilated operator with that padding, which TensorFlow cannot run on CPUs.
        engine: Engine of `CRFAsRNN` layers; None keeps theirs.
        crf: Name of a preset of CRF parameters; appends a CRF.
    """

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if "dtype" in config:
            config["dtype"] = "float32"
        if isinstance(layer, SegmentationOutput):
            config["activation"] = None
        if isinstance(layer, CRFAsRNN) and engine:
            config["engine"] = engine
        native = _native_class(layer) if operators != "keras" else None
        if native is None:
            return type(layer).from_config(config)
        copy = native.from_config(config)
        # Set afterwards: `explicit` is for this conversion only and not part of the config.
        copy.explicit = operators == "explicit"
        return copy

    network = keras.models.clone_model(model, clone_function=clone, recursive=True)
    network.set_weights(model.get_weights())
    if crf is None:
        return network
    refine = crf_layer(crf, engine=engine or "permutohedral")
    refined = refine([network.output, network.input])
    return keras.Model(network.input, refined, name=network.name)


def serving_function(
    network: keras.Model,
    *,
    activation: Callable[[Any], Any] | None = None,
    labels: str | None = None,
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the function to export: to scores, or to label ids of the type `labels`."""

    def serve(image: tf.Tensor) -> tf.Tensor:
        scores = network(tf.cast(image, tf.float32), training=False)
        if labels is None:
            return activation(scores) if activation else scores
        return tf.cast(tf.argmax(scores, axis=-1, output_type=tf.int32), labels)

    return serve


def write_saved_model(
    path: Path,
    network: keras.Model,
    serve: Callable[[tf.Tensor], tf.Tensor],
    spec: tf.TensorSpec,
    *,
    jpeg: Callable[[tf.Tensor], dict[str, tf.Tensor]] | None = None,
) -> dict[str, int]:
    """Writes a SavedModel and returns the number of its operators by name.

    Its endpoint "serve" is also the default signature; `jpeg` is that of the signature "jpeg".
    """
    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint("serve", serve, input_signature=[spec])
    if jpeg is not None:
        files = tf.TensorSpec((spec.shape[0],), tf.string, name="jpeg")
        archive.add_endpoint("jpeg", jpeg, input_signature=[files])
    archive.write_out(str(path), verbose=False)
    saved = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    functions = saved.meta_graphs[0].graph_def.library.function
    return dict(Counter(node.op for function in functions for node in function.node_def))


def _native_class(layer: keras.layers.Layer) -> type[keras.layers.Layer] | None:
    rate = tuple(getattr(layer, "dilation_rate", (1, 1)))
    if rate == (1, 1) or getattr(layer, "padding", None) != "same":
        return None
    # Poolings have no kernel.
    if any(size % 2 == 0 for size in getattr(layer, "kernel_size", (2,))):
        return None
    if isinstance(layer, AtrousConv2D):
        return _NativeAtrous
    return _NativeDepthwise if isinstance(layer, keras.layers.DepthwiseConv2D) else None


def _borders(layer: Any) -> list[list[int]]:
    reach = [
        rate * (size - 1) // 2
        for rate, size in zip(layer.dilation_rate, layer.kernel_size, strict=True)
    ]
    return [[0, 0], *([side, side] for side in reach), [0, 0]]
