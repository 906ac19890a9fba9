"""Checks of model and data before training."""

from __future__ import annotations

import keras

from keras_deeplab.data.checks.label_check import check_sources
from keras_deeplab.data.sources import SegmentationData, SegmentationFiles
from keras_deeplab.layers.segmentation_output import find_output, takes_rgb


def check_classes(model: keras.Model, *sources: SegmentationData | None) -> None:
    """Raises `ValueError` unless the model maps RGB 0-255 to logits for the data's classes."""
    classes = model.output_shape[-1]
    for data in sources:
        if data is not None and len(data.class_names) != classes:
            raise ValueError(
                f"Model and data must have the same classes. Received: a model of {classes} and "
                f"data of {len(data.class_names)} ({', '.join(data.class_names[:5])}, ...). Build "
                f"it with DeepLab(..., classes=data.class_names)."
            )
    if not takes_rgb(model):
        raise ValueError(
            "The model must take RGB 0-255, as the data has it. Received: a model built with "
            "include_preprocessing=False. Build it with include_preprocessing=True."
        )
    output = find_output(model)
    if output is not None and output.activation is not keras.activations.linear:
        raise ValueError(
            f"The model must return logits to be trained. Received: a model with the activation "
            f"{output.activation.__name__!r}. Build it with classifier_activation=None."
        )


def check_files(sources: dict[str, SegmentationData | None]) -> None:
    """Raises `ValueError` if the fast label check finds errors in files."""
    files = {name: x for name, x in sources.items() if isinstance(x, SegmentationFiles)}
    errors = check_sources(files, fast=True).errors
    if errors:
        listed = "\n".join(f"  {finding.message}" for finding in errors[:5])
        more = f"\n  and {len(errors) - 5} more" if len(errors) > 5 else ""
        raise ValueError(
            f"Images and masks must be readable and fit each other. Received:\n{listed}{more}\n"
            f"'keras-deeplab check-data' looks for more."
        )
