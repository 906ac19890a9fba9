"""From features to class scores at the size of the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from keras_deeplab.layers import ResizeBilinear, SegmentationOutput


def classifier(x: Any, classes: int, *, name: str = "classifier") -> Any:
    """A 1x1 convolution to class scores, with the papers' small random start."""
    return keras.layers.Conv2D(
        classes, 1, kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.01), name=name
    )(x)


def segmentation_output(
    scores: Any,
    image: Any,
    *,
    class_names: Sequence[str],
    align_corners: bool,
    activation: str | None,
) -> Any:
    """Resizes ``scores`` to the size of ``image``, in float32, as the model's output."""
    # float32 before the resize: logits in half precision would move the borders of the masks.
    scores = ResizeBilinear(align_corners, dtype="float32", name="upsampling")([scores, image])
    return SegmentationOutput(class_names, activation, name="output")(scores)
