"""Photos blended with the colours of their labels."""

from __future__ import annotations

import numpy as np

from keras_deeplab.presets.datasets import Palette
from keras_deeplab.visualize.colours import has_background


def blend(image: np.ndarray, labels: np.ndarray, palette: Palette, *, opacity: float) -> np.ndarray:
    """Blends a photo with the colours of its labels and outlines the regions.

    Each region has an outline in its colour. Label 0 is left out if its colour is black, as for
    VOC's background; regions beside it have a white line around them.

    Args:
        image: uint8 array of shape (height, width, 3).
        labels: Array of shape (height, width).
        palette: RGB colours by label id.
        opacity: Opacity of the colours, 0 to 1.

    Returns:
        uint8 array of shape (height, width, 3).
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity must be between 0 and 1. Received: opacity={opacity!r}.")
    colours = np.array(palette, "float32")
    alpha = np.full((len(palette), 1), opacity, "float32")
    if has_background(palette):
        alpha[0] = 0
    blended = np.round(image * (1 - alpha)[labels] + (colours * alpha)[labels]).astype("uint8")
    if opacity > 0:
        outline = _near_borders(labels, width=round(max(labels.shape) / 250))
        lines = np.where(alpha > 0, colours, 255).astype("uint8")
        blended[outline] = lines[labels[outline]]
    return blended


def _near_borders(labels: np.ndarray, *, width: int) -> np.ndarray:
    """Returns which pixels are at most `width` pixels, at least one, from another label."""
    near = np.zeros(labels.shape, bool)
    rows, columns = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    near[1:] |= rows
    near[:-1] |= rows
    near[:, 1:] |= columns
    near[:, :-1] |= columns
    for _ in range(width - 1):
        near = grown_mask(near)
    return near


def grown_mask(mask: np.ndarray) -> np.ndarray:
    """Returns a mask with the four neighbours of its pixels."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown
