"""Colours of classes: palettes of mask files, and bright colours for overlays."""

from __future__ import annotations

import numpy as np
from PIL import Image

from keras_deeplab.presets.datasets import Palette

# Bright colours for overlays. Any two of them differ, in normal vision and for the red-green and
# blue-yellow colour blind (simulated as by Machado et al., doi:10.1109/TVCG.2009.113), by at least
# 0.05 in OKLab.
DISPLAY_COLOURS: Palette = (
    (255, 159, 28), (255, 210, 0), (210, 45, 120), (195, 255, 165), (120, 90, 240),
    (240, 75, 195), (60, 240, 225), (0, 180, 255), (165, 135, 0), (0, 150, 195),
    (150, 210, 120), (150, 120, 255), (195, 0, 210), (120, 180, 105), (225, 135, 240),
    (150, 240, 120), (195, 105, 150), (90, 210, 255), (240, 30, 90), (255, 240, 0),
)  # fmt: skip


def display_palette(palette: Palette) -> Palette:
    """Returns the colours that overlays show classes in: bright, and safe for the colour blind.

    They repeat after 20 classes. Label 0 stays black, which `blend` leaves out, if it is black, as
    for VOC's background.

    Args:
        palette: RGB colours of the dataset by label id.

    Example:

    >>> display_palette(((0, 0, 0), (128, 0, 0)))
    ((0, 0, 0), (255, 159, 28))
    """
    first = 1 if has_background(palette) else 0
    count = len(DISPLAY_COLOURS)
    bright = (DISPLAY_COLOURS[label % count] for label in range(len(palette) - first))
    return (*palette[:first], *bright)


def has_background(palette: Palette) -> bool:
    """Whether label 0 is a background, which overlays do not colour: its colour is black."""
    return len(palette) > 0 and tuple(palette[0]) == (0, 0, 0)


def palette_image(labels: np.ndarray, palette: Palette) -> Image.Image:
    """Returns an image whose pixel values are the labels: with a palette, as in VOC, if they fit.

    Args:
        labels: Array of shape (height, width): uint8, or uint16 for labels above 255, which become
            a grey image of 16 bits.
        palette: RGB colours by label id; other ids are white.

    Raises:
        ValueError: If the labels have another type.
    """
    if labels.dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f"An image holds labels of type uint8 or uint16. Received: labels of type "
            f"{labels.dtype}. Save the array itself instead."
        )
    image = Image.fromarray(labels)
    if labels.dtype == np.uint16:
        return image
    colours = [level for colour in palette[:256] for level in colour]
    image.putpalette(colours + [255] * (768 - len(colours)))
    return image
