"""Rewrites a network, and checks that its features are those of the original."""

from __future__ import annotations

import logging
from functools import reduce
from typing import Any

import keras
import numpy as np
from keras import tree

from keras_deeplab._validation import check_int
from keras_deeplab.models.rewriting.axis import SIZES
from keras_deeplab.models.rewriting.layer_kinds import RefusalError
from keras_deeplab.models.rewriting.rewriter import Rewriter
from keras_deeplab.models.rewriting.value import Value

_logger = logging.getLogger("keras_deeplab")
# Largest difference of a layer, as a part of the largest value: of float32 in another order of
# summation, and of half precision.
_TOLERANCE, _HALF_TOLERANCE = 1e-4, 0.2


def rewrite(
    model: Any, image: Any, *, output_stride: int, check: bool = True, **options: Any
) -> tuple[Any, dict[str, Value]]:
    """Runs copies of a network's layers on an image, with atrous convolution.

    Args:
        model: A functional model that `check_image_model` accepts.
        image: Symbolic tensor of shape (batch, height, width, channels).
        output_stride: Input pixels per feature pixel.
        check: Whether to compare the features of a random image with those of ``model``.
        **options: Options of `LayerCopies`.

    Returns:
        Maps, in the structure of the network's outputs, and what each layer returned, by its name
        in the original network, in order.

    Raises:
        ValueError: If a layer cannot be rewritten, there is no such output stride, or the features
            differ.
    """
    check_int("output_stride", output_stride, minimum=1)
    channels = _channels(model, image)
    try:
        # Some networks have their maps at the same positions at even sizes only.
        for even_sizes in (False, True):
            rewriter = Rewriter(output_stride, channels=channels, even_sizes=even_sizes, **options)
            outputs = _features(model, rewriter.run(model, Value.of_image(image)))
            _check_stride(model, rewriter, outputs)
            if _exact_sizes(outputs).any():
                break
        values = dict(rewriter.values)
        if check:
            _check(model, rewriter, outputs, reverse=bool(options.get("reverse_channels")))
    except RefusalError as refusal:
        raise ValueError(
            f"The layers of {model.name!r} must be convolutions, poolings and layers that treat "
            f"each pixel alike. Received: {refusal} Use a model that ends ahead of it, or another "
            f"network."
        ) from refusal
    return outputs, values


def _check_stride(model: keras.Model, rewriter: Rewriter, outputs: Any) -> None:
    reached = max(value.stride for value in tree.flatten(outputs))
    if reached != rewriter.output_stride:
        raise ValueError(
            f"output_stride must be a stride of {model.name!r}: "
            f"{', '.join(map(str, sorted(rewriter.strides)))}. Received: "
            f"output_stride={rewriter.output_stride}."
        )


def _exact_sizes(outputs: Any) -> np.ndarray:
    """Returns for each of `SIZES` whether the features are those of the original network."""
    flat = tree.flatten(outputs)
    exact = reduce(np.logical_and, [value.is_exact for value in flat])
    axes = [axis for value in flat for axis in value.axes or ()]
    return reduce(np.logical_and, [axis.original > 1 for axis in axes], exact)


def _channels(model: keras.Model, image: Any) -> int:
    """Returns the channels of the image, which the network must be able to take."""
    own, channels = int(model.inputs[0].shape[-1]), int(image.shape[-1])
    layers = model._flatten_layers()
    statistics = [x.mean for x in layers if isinstance(x, keras.layers.Normalization)]
    if channels != own and (own != 3 or any(np.size(mean) > 1 for mean in statistics)):
        raise ValueError(
            f"input_shape must have the {own} channels of {model.name!r}, which cannot take others "
            f"(networks of RGB images that do not normalise each channel can). Received: "
            f"{channels} channels. Pass input_shape=(None, None, {own})."
        )
    return channels


def check_image_model(model: Any) -> None:
    """Raises an error unless ``model`` is a model with one image as its input."""
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"model must be a functional keras.Model. Received: {type(model).__name__}. Names are "
            f"for keras_deeplab.DeepLab(backbone=...)."
        )
    inputs = getattr(model, "inputs", None) or ()
    shapes = [tuple(x.shape) for x in inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][-1] is None:
        raise ValueError(
            f"model must be functional, with one input of shape (batch, height, width, channels). "
            f"Received: {model.name!r} with inputs of shapes {shapes}. Subclassed models have no "
            f"graph of layers, and keras.Sequential needs a keras.Input."
        )


def _features(model: keras.Model, outputs: Any) -> Any:
    """Returns the outputs with the vectors of a classifier replaced by the map it pools."""

    def feature(value: Value) -> Value:
        if value.axes is not None:
            return value
        if len(value.sources) != 1:
            raise ValueError(
                f"The outputs of {model.name!r} must be maps, or be pooled from one map. Received: "
                f"an output that is pooled from {len(value.sources)} maps. Use "
                f"keras.Model(model.input, model.get_layer(...).output)."
            )
        return value.sources[0]

    return tree.map_structure(feature, outputs)


def _check(model: keras.Model, rewriter: Rewriter, outputs: Any, *, reverse: bool) -> None:
    """Compares the features of a random image with those of the original network."""
    flat = tree.flatten(outputs)
    exact = _exact_sizes(outputs)
    if not exact.any():
        raise ValueError(
            f"{model.name!r} must join maps at the same positions for some size of the image. "
            f"Received: a network with misaligned maps at all sizes from {SIZES[0]} to "
            f"{SIZES[-1]}. Pass check=False to use it regardless."
        )
    rewriter.size = int(SIZES[exact][0])
    half = any(keras.backend.standardize_dtype(v.tensor.dtype) != "float32" for v in flat)
    rewriter.tolerance = _HALF_TOLERANCE if half else _TOLERANCE
    original = image = _image(model, rewriter.size)
    if reverse:
        original = image[..., ::-1]
    more = rewriter.channels - image.shape[-1]
    if more > 0:
        # The kernel is zero for the channels after RGB.
        image = np.concatenate([image, *[image[..., :1]] * more], axis=-1)
    elif more < 0:
        original = np.repeat(image[..., :1], image.shape[-1], axis=-1)
        image = original[..., :more]
    value = Value.of_image(*map(keras.ops.convert_to_tensor, (image, original)))
    results = tree.flatten(_features(model, rewriter.run(model, value)))
    if rewriter.first_difference is not None:
        name, difference = rewriter.first_difference
        raise ValueError(
            f"The features of {model.name!r} must be those of the original network. Received: a "
            f"difference of {difference:.1e} of the largest value, first behind the layer "
            f"{name!r}, for a random image of {rewriter.size} pixels. The "
            f"layer treats pixels by their position in a way that is not known."
        )
    if any(float(keras.ops.std(keras.ops.cast(v.original, "float32"))) == 0 for v in results):
        _logger.warning(
            "The features of %r are the same everywhere in a random image: whether they are those "
            "of the original network could not be checked.",
            model.name,
        )


def _image(model: keras.Model, size: int) -> np.ndarray:
    """Returns a random image in the range that the network takes."""
    rng = np.random.default_rng(0)
    shape = (1, size, size, model.inputs[0].shape[-1])
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    levels = any(
        isinstance(layer, (keras.layers.Rescaling, keras.layers.Normalization))
        for layer in layers[:2]
    )
    image = rng.uniform(0, 255, shape) if levels else rng.normal(0, 1, shape)
    return image.astype("float32")
