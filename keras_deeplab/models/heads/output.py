"""Classifier, CRF and output layer: class scores at the size of the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import keras

from keras_deeplab.layers import CRFAsRNN, ResizeBilinear, SegmentationOutput
from keras_deeplab.models.blocks import LAYOUT
from keras_deeplab.presets.crfs import CRFS


def classifier(x: Any, classes: int, *, name: str = "classifier") -> Any:
    """A 1x1 convolution to class scores, with the papers' small random initial values."""
    return keras.layers.Conv2D(
        classes,
        1,
        kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.01),
        data_format=LAYOUT,
        name=name,
    )(x)


def crf_layer(preset: str, *, engine: str = "permutohedral") -> CRFAsRNN:
    """Returns a CRF layer "crf" with the parameters of a preset."""
    return CRFAsRNN(**asdict(replace(CRFS[preset], engine=engine)), name="crf")


def segmentation_output(
    scores: Any,
    image: Any,
    *,
    class_names: Sequence[str],
    align_corners: bool,
    crf: str | None,
    activation: str | None,
    inference_size: tuple[int, int] | None = None,
    network: str | None = None,
) -> Any:
    """Resizes scores to the size of the image, in float32, as the model's output.

    ``image`` is RGB 0-255, the second input of the CRF; ``network`` is the name of the network's
    preset. See `build_model` and `BuildOptions` for the other options.
    """
    # float32 before the resize: half-precision logits would shift the boundaries of the masks.
    scores = ResizeBilinear(align_corners, dtype="float32", name="upsampling")([scores, image])
    if crf is not None:
        scores = crf_layer(crf)([scores, image])
    return SegmentationOutput(class_names, activation, inference_size, network, name="output")(
        scores
    )
