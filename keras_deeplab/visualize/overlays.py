"""Photos with the colours of their labels, and the names of classes on their regions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_deeplab.presets.datasets import Palette
from keras_deeplab.visualize.colours import has_background

# Names are placed on masks reduced to this side, pixels.
_NAMING_SIDE = 160
_MOST_NAMES = 12
_PER_CLASS = 3


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
        near = _grown(near)
    return near


def _grown(mask: np.ndarray) -> np.ndarray:
    """Returns a mask with the four neighbours of its pixels."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown


def with_names(
    image: np.ndarray, labels: np.ndarray, class_names: Sequence[str], palette: Palette
) -> Image.Image:
    """Writes the name of each class on its largest regions, except on a background.

    Args:
        image: uint8 array of shape (height, width, 3).
        labels: Array of shape (height, width).
        class_names: Names by label id.
        palette: RGB colours by label id, for the boxes of the names.
    """
    sheet = Image.fromarray(image)
    draw = ImageDraw.Draw(sheet)
    height, width = labels.shape
    size = float(np.clip(max(height, width) / 32, 11, 48))
    font = ImageFont.load_default(size)
    gap = size * 0.3
    step = max(1, -(-max(height, width) // _NAMING_SIDE))
    taken: list[tuple[float, float, float, float]] = []
    for label, row, column in _innermost_points(labels[::step, ::step], has_background(palette)):
        name = class_names[label]
        half = font.getlength(name) / 2 + 1.5 * gap, size / 2 + gap
        if 2 * half[0] > width or 2 * half[1] > height or len(taken) == _MOST_NAMES:
            continue
        x = float(np.clip((column + 0.5) * step, half[0], width - half[0]))
        y = float(np.clip((row + 0.5) * step, half[1], height - half[1]))
        box = (x - half[0], y - half[1], x + half[0], y + half[1])
        if any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken):
            continue
        taken.append(box)
        draw.rounded_rectangle(box, radius=half[1] / 2, fill=palette[label])
        draw.text((x, y), name, fill=_text_colour(palette[label]), font=font, anchor="mm")
    return sheet


def _innermost_points(labels: np.ndarray, background: bool) -> Iterator[tuple[int, int, int]]:
    """Yields label, row and column of the innermost pixel of the largest regions."""
    counts = np.bincount(labels.ravel())
    for label in np.argsort(-counts, kind="stable").tolist():
        if counts[label] < labels.size / 500 or (background and label == 0):
            continue
        mask = labels == label
        depth = _depth(mask)
        largest = depth.max()
        for _ in range(_PER_CLASS):
            # Later regions must be about as thick as the first.
            if depth.max() < max(1, largest / 3):
                break
            region = _region(mask, *np.unravel_index(depth.argmax(), depth.shape))
            inner = np.argwhere(region & (depth == depth.max()))
            row, column = inner[((inner - inner.mean(0)) ** 2).sum(1).argmin()]
            yield label, int(row), int(column)
            depth[region] = 0


def _depth(mask: np.ndarray) -> np.ndarray:
    """Returns the distance of each pixel of a mask from its border and the picture's."""
    inside = np.pad(mask, 1)
    depth = np.zeros(inside.shape, int)
    while inside.any():
        depth += inside
        inside = ~_grown(~inside)
    return depth[1:-1, 1:-1]


def _region(mask: np.ndarray, row: Any, column: Any) -> np.ndarray:
    """Returns the connected part of a mask that holds a pixel."""
    region = np.zeros(mask.shape, bool)
    region[row, column] = True
    while True:
        grown = _grown(region) & mask
        if (grown == region).all():
            return region
        region = grown


def _text_colour(colour: tuple[int, int, int]) -> str:
    red, green, blue = colour
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 120 else "white"
