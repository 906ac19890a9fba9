"""Keras models and their files."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import keras
import numpy as np

from keras_deeplab.inference.segmenter import Names, Segmenter, described
from keras_deeplab.layers import SegmentationOutput

# What Keras says of a custom layer, before pages of its configuration.
_UNKNOWN = re.compile(r"Could not locate (?:class|function) ('\w+')")


def load(path: Path) -> keras.Model:
    """Loads a `.keras` file.

    Raises:
        ValueError: If it is damaged, or of layers that nobody knows.
    """
    if path.suffix.lower() == ".keras" and not zipfile.is_zipfile(path):
        raise ValueError(
            f"The file must be a whole Keras model. Received: {str(path)!r}, no zip archive as "
            f".keras files are."
        )
    try:
        return keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, OSError, KeyError) as error:
        unknown = _UNKNOWN.search(str(error))
        if unknown:
            raise ValueError(
                f"The network's layers must be known. Received: {str(path)!r} with {unknown[1]}. "
                f"Import what defines it, load the file with keras.models.load_model, and pass "
                f"the model in place of the file."
            ) from error
        raise ValueError(
            f"The file must be a whole Keras model. Received: {str(path)!r} ({error})."
        ) from error


def describe(model: keras.Model, class_names: Names, *, name: str | None = None) -> Segmenter:
    """Returns a Keras model with the class names that its output layer carries.

    Raises:
        TypeError: If it is not a Keras model.
        ValueError: If it does not return class scores, or the names do not fit.
    """
    if not hasattr(model, "predict_on_batch") or not hasattr(model, "output_shape"):
        raise TypeError(
            f"A model must be a keras.Model or the path of a file. Received: {type(model).__name__}"
            f"."
        )
    output = next((x for x in reversed(model.layers) if isinstance(x, SegmentationOutput)), None)
    linear = output is None or output.activation is keras.activations.linear

    def run(images: np.ndarray) -> np.ndarray:
        return np.asarray(model.predict_on_batch(images))

    return described(
        run,
        model.input_shape,
        "logits" if linear else "probabilities",
        _class_names(model, output, class_names),
        name=name or model.name,
        inference_size=output and output.inference_size,
    )


def _class_names(
    model: keras.Model, output: SegmentationOutput | None, names: Names
) -> tuple[str, ...]:
    shape = model.output_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] is None:
        raise ValueError(
            f"The model must return class scores of shape (batch, height, width, classes). "
            f"Received: a model with output shape {shape}."
        )
    class_names = names.given or (output.class_names if output else names.fallback)
    if class_names is None:
        return tuple(f"class {label}" for label in range(shape[-1]))
    if len(class_names) != shape[-1]:
        raise ValueError(
            f"class_names must name the model's {shape[-1]} classes. "
            f"Received: {len(class_names)} names."
        )
    return tuple(class_names)
