"""From features to class scores at the size of the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import keras

from keras_deeplab.layers import CRFAsRNN, ResizeBilinear, SegmentationOutput
from keras_deeplab.presets.crfs import CRFS


def classifier(x: Any, classes: int, *, name: str = "classifier") -> Any:
    """A 1x1 convolution to class scores, with the papers' small random start."""
    return keras.layers.Conv2D(
        classes, 1, kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.01), name=name
    )(x)


def crf_layer(preset: str, *, engine: str = "permutohedral") -> CRFAsRNN:
    """A CRF of the parameters of that name, as the layer "crf"."""
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
) -> Any:
    """Resizes scores to the size of the image, in float32, as the model's output.

    Args:
        scores: Logits at any size.
        image: RGB 0-255, where a CRF is to see it.
        class_names: Names by label id.
        align_corners: Grid of the resize.
        crf: Name of the CRF parameters to end in a `CRFAsRNN` layer with, or None.
        activation: Activation of the scores; None returns logits.
        inference_size: (height, width) that the network does best on photos fitted into; None:
            that of the dataset of its classes.
    """
    # float32 before the resize: logits in half precision would move the borders of the masks.
    scores = ResizeBilinear(align_corners, dtype="float32", name="upsampling")([scores, image])
    if crf is not None:
        scores = crf_layer(crf)([scores, image])
    return SegmentationOutput(class_names, activation, inference_size, name="output")(scores)
