"""Peers of compare_with_peers.py without PyTorch: keras.applications, published TFLite files.

Like those of peer_networks.py, each function takes a folder and a folder of repositories.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tools.peer_networks import ENDS_OF_BRANCHES, GAMMAS, GAMMAS_OF_BRANCHES, Peer

# Function of keras.applications, and our backbone.
APPLICATIONS = {
    "MobileNetV2": "mobilenet_v2",
    "MobileNetV3Large": "mobilenet_v3_large",
    "MobileNetV3Small": "mobilenet_v3_small",
    "ResNet50": "resnet50_keras",
    "ResNet101": "resnet101_keras",
}
PUBLISHED = ("deeplabv3_mnv2_pascal_quant.tflite", "deeplabv3_mnv2_dm05_pascal_quant.tflite")


def application(name: str, folder: Path, _: Path) -> Peer:
    """A network of keras.applications at a fixed size, as its users build it."""
    import keras

    from keras_deeplab.models.backbones import build_backbone
    from keras_deeplab.models.blocks import normalize_image
    from keras_deeplab.presets.backbones import BACKBONES
    from keras_deeplab.presets.imagenet import IMAGENET
    from keras_deeplab.weights import load_arrays
    from keras_deeplab.weights.imagenet_backbones import application_arrays

    backbone = APPLICATIONS[name]
    row = IMAGENET[backbone]

    def build(size: tuple[int, int]) -> keras.Model:
        options = {"include_preprocessing": False} if "V3" in name else {}
        return getattr(keras.applications, name)(
            input_shape=(*size, 3), include_top=False, weights=None, **options
        )

    first = _randomised(build((97, 97)), name)
    image = keras.Input((None, None, 3))
    options = {} if row.padding == "symmetric" else {"padding": row.padding}
    features = build_backbone(
        BACKBONES[backbone],
        normalize_image(image, row.preprocessing),
        output_stride=32,
        batch_norm="trainable",
        **options,
    )
    ours = keras.Model(image, features["output"].tensor)
    arrays = application_arrays(first, row)
    load_arrays(ours, arrays, source=name)

    def scores(photo: np.ndarray) -> np.ndarray:
        peer = build(photo.shape[:2])
        peer.set_weights(first.get_weights())
        out = _features(peer, name)
        return np.asarray(out(_prepared(name, photo)[None]))[0]

    return Peer(scores, model=ours)


def _features(peer: Any, name: str) -> Any:
    import keras

    if name == "MobileNetV2":
        return keras.Model(peer.input, peer.get_layer("block_16_project_BN").output)
    return peer


def _prepared(name: str, photo: np.ndarray) -> np.ndarray:
    """Normalises a photo as the application's own `preprocess_input`."""
    from keras.applications import mobilenet_v2, resnet

    module = resnet if "ResNet" in name else mobilenet_v2
    # MobileNetV3's own function does nothing: its normalisation, left out here, is MobileNetV2's.
    return module.preprocess_input(photo.astype("float32"))


def _randomised(peer: Any, name: str) -> Any:
    """Random biases, and batch norm statistics of a photo in other proportions."""
    import keras

    from tools.compare_with_peers import photo

    rng = np.random.default_rng(0)
    image = _prepared(name, photo((97, 97)))[None]
    for layer in peer.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            x = np.asarray(keras.Model(peer.input, layer.input)(image))
            mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2)) + 1e-3
            channels = mean.shape
            ends_branch = layer.name.endswith(ENDS_OF_BRANCHES)
            layer.set_weights(
                [
                    rng.uniform(*(GAMMAS_OF_BRANCHES if ends_branch else GAMMAS), channels),
                    rng.normal(0, 0.3, channels),
                    mean + 0.2 * np.sqrt(variance) * rng.normal(size=channels),
                    variance * rng.uniform(0.7, 1.4, channels),
                ]
            )
        elif getattr(layer, "bias", None) is not None:
            layer.bias.assign(rng.normal(0, 0.1, layer.bias.shape))
    return peer


def published_tflite(name: str, folder: Path, _: Path) -> Peer:
    """A published network: its graph in float32, operator by operator, with its own padding."""
    file = Path(os.environ.get("KERAS_DEEPLAB_MIRROR", "")) / name
    if not file.is_file():
        raise FileNotFoundError(f"{name} is not in the folder KERAS_DEEPLAB_MIRROR")
    return Peer(_graph(file), file=file)


def _graph(file: Path) -> Callable[[np.ndarray], np.ndarray]:
    import tensorflow as tf

    from keras_deeplab.weights.readers.tflite_file import read_tflite, tflite_schema

    schema = tflite_schema()
    graph = schema.ModelT.InitFromPackedBuf(file.read_bytes()).subgraphs[0]
    tensors, operators = read_tflite(file)
    padding = {schema.Padding.SAME: "SAME", schema.Padding.VALID: "VALID"}
    activations = {0: tf.identity, 1: tf.nn.relu, 3: tf.nn.relu6}

    def scores(photo: np.ndarray) -> np.ndarray:
        values = {int(graph.inputs[0]): photo[None].astype("float32") / 127.5 - 1}
        features = None

        def value(index: int) -> Any:
            return values[index] if index in values else tensors[index].to_float()

        for operator, stored in zip(operators, graph.operators, strict=True):
            kind, options = operator.name, stored.builtinOptions
            x = value(operator.inputs[0])
            if "CONV_2D" in kind:
                kernel, bias = value(operator.inputs[1]), value(operator.inputs[2])
                strides = [1, options.strideH, options.strideW, 1]
                rates = [options.dilationHFactor, options.dilationWFactor]
                same = padding[options.padding]
                convolve = tf.nn.conv2d if kind == "CONV_2D" else tf.nn.depthwise_conv2d
                y = convolve(x, kernel.transpose(1, 2, 3, 0), strides, same, dilations=rates)
                y = activations[options.fusedActivationFunction](y + bias)
            elif kind == "ADD":
                y = x + value(operator.inputs[1])
            elif kind == "AVERAGE_POOL_2D":
                features, y = x, tf.reduce_mean(x, [1, 2], keepdims=True)
            elif kind == "RESIZE_BILINEAR":
                whole = int(tensors[operator.inputs[1]].data[0]) == int(
                    graph.tensors[int(graph.inputs[0])].shape[1]
                )
                size = photo.shape[:2] if whole else features.shape[1:3]
                y = tf.compat.v1.image.resize_bilinear(x, size, align_corners=options.alignCorners)
            elif kind == "CONCATENATION":
                y = tf.concat([value(index) for index in operator.inputs], options.axis)
            elif kind == "QUANTIZE":
                y = x
            elif kind == "ARG_MAX":
                return np.asarray(x)[0]
            else:
                raise NotImplementedError(kind)
            values[int(stored.outputs[0])] = y
        raise NotImplementedError("no ARG_MAX")

    return scores
