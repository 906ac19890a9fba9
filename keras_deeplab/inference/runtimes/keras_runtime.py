"""Keras models."""

from __future__ import annotations

import contextlib
from pathlib import Path

import keras
import numpy as np

from keras_deeplab.inference.sidecar import Opened, Sidecar
from keras_deeplab.layers.segmentation_output import find_output, takes_rgb

# By whether the network ends in an activation.
_KINDS = {False: "logits", True: "probabilities"}


def device_batch_size() -> int:
    """Returns the fastest number of images per forward pass on the current device."""
    # On a CPU, a batch of 1 is 10 to 20 % faster per image than one of 4 (2 cores, 513x513).
    for kind in ("gpu", "tpu"):
        # JAX raises where TensorFlow returns an empty list.
        with contextlib.suppress(RuntimeError):
            if keras.distribution.list_devices(kind):
                return 16
    return 1


def open_model(model: keras.Model, name: str | None = None) -> Opened:
    """Opens a Keras model, whose output layer holds the metadata that exports have in a file.

    Raises:
        TypeError: If it is not a Keras model.
        ValueError: If it does not take RGB 0-255 or does not return class scores.
    """
    if not hasattr(model, "predict_on_batch") or not hasattr(model, "output_shape"):
        raise TypeError(
            f"A model must be a keras.Model or the path of a file. Received: {type(model).__name__}"
            f"."
        )
    name = name or model.name
    if not takes_rgb(model):
        raise ValueError(
            f"The network must take RGB 0-255. Received: {name}, built with "
            f"include_preprocessing=False. Build it with include_preprocessing=True, or put the "
            f"normalisation of its images in front of it: keras.Sequential([..., model])."
        )
    shape, output = model.output_shape, find_output(model)
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] is None:
        raise ValueError(
            f"The model must return class scores of shape (batch, height, width, classes). "
            f"Received: a model with output shape {shape}."
        )
    if output is None:
        sidecar = Sidecar(Path(name), output=_KINDS[ends_in_activation(model)])
    else:
        kind = _KINDS[output.activation is not keras.activations.linear]
        sidecar = Sidecar(
            Path(name), output.class_names, output=kind, inference_size=output.inference_size
        )

    def run(images: np.ndarray) -> np.ndarray:
        return np.asarray(model.predict_on_batch(images))

    return Opened(run, model.input_shape, sidecar, name, device_batch_size(), shape[-1])


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
