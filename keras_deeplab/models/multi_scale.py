"""Multi-scale inputs: one network on several sizes of the image, fused by the maximum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from keras_deeplab.layers import RescaleBilinear, ResizeBilinear


def scores_name(scale: float) -> str:
    """Returns the name of the layer that holds the scores of one scale.

    Example:

    >>> scores_name(0.75)
    'scores_075'
    """
    return f"scores_{round(100 * scale):03d}"


def multi_scale(
    network: keras.Model, image: Any, *, scales: Sequence[float], align_corners: bool
) -> Any:
    """Runs ``network`` on every scale and takes the maximum at the largest one's resolution.

    The scores of each scale, at its own resolution, are the output of the layer
    `scores_name(scale)`, for a loss per scale; those that are fused are that of "scores_max".

    Args:
        network: From an image tensor to scores; its weights are shared.
        image: Tensor of shape (batch, height, width, 3).
        scales: Factors on height and width.
        align_corners: Grid of the resizes.

    Returns:
        Scores at the resolution of the largest scale.

    Example:

    >>> x = keras.Input((64, 64, 3))
    >>> network = keras.Model(x, keras.layers.Conv2D(2, 1, strides=8)(x))
    >>> multi_scale(network, x, scales=(0.5, 1.0), align_corners=False).shape
    (None, 8, 8, 2)

    Reference:
        Chen et al., arXiv:1606.00915, section 4.1.2.
    """
    scores = {}
    for scale in scales:
        x = image
        if scale != 1:
            # float32 under every policy, as the normalisation before it.
            x = RescaleBilinear(
                scale, align_corners, dtype="float32", name=f"image_{round(100 * scale):03d}"
            )(image)
        scores[scale] = keras.layers.Identity(name=scores_name(scale))(network(x))
    largest = scores[max(scales)]
    resized = [
        largest
        if scale == max(scales)
        else ResizeBilinear(align_corners, name=f"{scores_name(scale)}_resize")([x, largest])
        for scale, x in scores.items()
    ]
    return keras.layers.Maximum(name="scores_max")(resized)
