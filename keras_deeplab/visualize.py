"""Pictures of masks: palette PNGs, overlays, legends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_deeplab.tables.datasets import Palette

_LEGEND_ENTRIES = 20


def palette_image(labels: np.ndarray, palette: Palette) -> Image.Image:
    """Returns a palette image whose pixel values are the labels, as VOC stores its masks.

    Args:
        labels: uint8 array of shape (height, width).
        palette: RGB colours by label id; the ids beyond are white.

    Raises:
        ValueError: If a label is above 255.
    """
    if labels.dtype != np.uint8:
        raise ValueError(
            f"A palette image holds labels 0-255. Received: labels of type {labels.dtype}. Save "
            f"the array itself instead."
        )
    image = Image.fromarray(labels)
    colours = [level for colour in palette[:256] for level in colour]
    image.putpalette(colours + [255] * (768 - len(colours)))
    return image


def blend(image: np.ndarray, labels: np.ndarray, palette: Palette, *, opacity: float) -> np.ndarray:
    """Lays the labels' colours over a photo and draws the borders between them in white.

    Label 0 stays clear where its colour is black, as VOC's background is.

    Args:
        image: uint8 array of shape (height, width, 3).
        labels: Array of shape (height, width).
        palette: RGB colours by label id.
        opacity: 0 shows the photo, 1 the colours.

    Returns:
        uint8 array of shape (height, width, 3).
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity must be between 0 and 1. Received: opacity={opacity!r}.")
    colours = np.array(palette, "float32")
    alpha = np.full((len(palette), 1), opacity, "float32")
    if tuple(palette[0]) == (0, 0, 0):
        alpha[0] = 0
    blended = np.round(image * (1 - alpha)[labels] + (colours * alpha)[labels]).astype("uint8")
    if opacity > 0:
        # Half of VOC's colours are too dark to tell a mask from a shadow.
        blended[1:][labels[1:] != labels[:-1]] = 255
        blended[:, 1:][labels[:, 1:] != labels[:, :-1]] = 255
    return blended


def with_legend(
    image: np.ndarray, entries: Sequence[tuple[str, float, tuple[int, int, int]]]
) -> Image.Image:
    """Puts a legend to the right of a picture.

    Args:
        image: uint8 array of shape (height, width, 3).
        entries: (name, share between 0 and 1, RGB colour), drawn from the top.

    Returns:
        RGB image, wider than ``image``, and higher where the legend needs it.
    """
    height, width = image.shape[:2]
    font_size = int(np.clip(max(height, width) / 32, 11, 48))
    font = ImageFont.load_default(font_size)
    line = font_size * 3 // 2
    lines = [(f"{name}  {share:.1%}", colour) for name, share, colour in entries[:_LEGEND_ENTRIES]]
    if len(entries) > _LEGEND_ENTRIES:
        lines.append((f"and {len(entries) - _LEGEND_ENTRIES} more", (255, 255, 255)))
    text_width = max((font.getlength(text) for text, _ in lines), default=0)
    panel = int(text_width) + 3 * line
    sheet = Image.new("RGB", (width + panel, max(height, (len(lines) + 1) * line)), "white")
    sheet.paste(Image.fromarray(image))
    draw = ImageDraw.Draw(sheet)
    for index, (text, colour) in enumerate(lines):
        x, y = width + line // 2, line // 2 + index * line
        if text != lines[-1][0] or len(entries) <= _LEGEND_ENTRIES:
            box = (x, y, x + font_size, y + font_size)
            draw.rectangle(box, fill=colour, outline=(120, 120, 120))
        draw.text((x + line, y + font_size / 2), text, fill="black", font=font, anchor="lm")
    return sheet
