"""Keras models."""

from __future__ import annotations

import contextlib
from pathlib import Path

import keras
import numpy as np

from keras_deeplab.inference.describing import Hints, Opened, described
from keras_deeplab.inference.segmenter import Segmenter
from keras_deeplab.inference.sidecar import Sidecar
from keras_deeplab.layers import SegmentationOutput
from keras_deeplab.layers.segmentation_output import find_output, takes_rgb


def device_batch_size() -> int:
    """Returns the fastest number of images per forward pass on the current device."""
    # On a CPU, a batch of 1 is 10 to 20 % faster per image than one of 4 (2 cores, 513x513).
    for kind in ("gpu", "tpu"):
        # JAX raises where TensorFlow returns an empty list.
        with contextlib.suppress(RuntimeError):
            if keras.distribution.list_devices(kind):
                return 16
    return 1


def describe(model: keras.Model, hints: Hints, *, name: str | None = None) -> Segmenter:
    """Returns the segmenter of a Keras model, with the class names in its output layer.

    Raises:
        TypeError: If it is not a Keras model.
        ValueError: If it does not return class scores, or the number of names is wrong.
    """
    if not hasattr(model, "predict_on_batch") or not hasattr(model, "output_shape"):
        raise TypeError(
            f"A model must be a keras.Model or the path of a file. Received: {type(model).__name__}"
            f"."
        )
    if not takes_rgb(model):
        raise ValueError(
            f"The network must take RGB 0-255. Received: {name or model.name}, built with "
            f"include_preprocessing=False. Build it with include_preprocessing=True, or put the "
            f"normalisation of its images in front of it: keras.Sequential([..., model])."
        )
    output = find_output(model)
    logits = hints.from_logits
    if logits is None:
        logits = not ends_in_activation(model) if output is None else _is_linear(output)

    def run(images: np.ndarray) -> np.ndarray:
        return np.asarray(model.predict_on_batch(images))

    # The output layer holds the metadata that an export has in its separate file.
    sidecar = Sidecar(Path(), inference_size=output and output.inference_size)
    opened = Opened(run, model.input_shape, sidecar, name or model.name, device_batch_size())
    kind = "logits" if logits else "probabilities"
    return described(opened, kind, _class_names(model, output, hints))


def ends_in_activation(model: keras.Model) -> bool:
    """Whether the last layer of a model is, or ends in, a softmax or sigmoid."""
    history = getattr(model.outputs[0], "_keras_history", None)
    last = model.layers[-1] if history is None else history.operation
    if isinstance(last, keras.Model):
        return ends_in_activation(last)
    # In a functional model, `keras.ops.softmax` becomes an operation with that name.
    named = type(last).__name__.lower() in ("softmax", "sigmoid")
    activations = (keras.activations.softmax, keras.activations.sigmoid)
    return named or getattr(last, "activation", None) in activations


def _is_linear(output: SegmentationOutput) -> bool:
    return output.activation is keras.activations.linear


def _class_names(
    model: keras.Model, output: SegmentationOutput | None, hints: Hints
) -> tuple[str, ...]:
    shape = model.output_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] is None:
        raise ValueError(
            f"The model must return class scores of shape (batch, height, width, classes). "
            f"Received: a model with output shape {shape}."
        )
    class_names = hints.class_names or (output.class_names if output else hints.fallback_names)
    if class_names is None:
        return tuple(f"class {label}" for label in range(shape[-1]))
    if len(class_names) != shape[-1]:
        raise ValueError(
            f"class_names must name the model's {shape[-1]} classes. "
            f"Received: {len(class_names)} names."
        )
    return tuple(class_names)
