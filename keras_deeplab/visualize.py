"""Pictures of masks: palette PNGs, overlays, legends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_deeplab._validation import check_int
from keras_deeplab.presets.datasets import Palette

_LEGEND_ENTRIES = 20
_CAPTION_SIZE = 14


def palette_image(labels: np.ndarray, palette: Palette) -> Image.Image:
    """Returns a palette image whose pixel values are the labels, as VOC stores its masks.

    Args:
        labels: uint8 array of shape (height, width).
        palette: RGB colours by label id; other ids are white.

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
    """Blends a photo with the colours of its labels and draws boundaries in white.

    Label 0 is transparent if its colour is black, as for VOC's background.

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
    if tuple(palette[0]) == (0, 0, 0):
        alpha[0] = 0
    blended = np.round(image * (1 - alpha)[labels] + (colours * alpha)[labels]).astype("uint8")
    if opacity > 0:
        # Half of VOC's colours are too dark to distinguish a mask from a shadow.
        blended[1:][labels[1:] != labels[:-1]] = 255
        blended[:, 1:][labels[:, 1:] != labels[:, :-1]] = 255
    return blended


def with_legend(
    image: np.ndarray, entries: Sequence[tuple[str, float, tuple[int, int, int]]]
) -> Image.Image:
    """Adds a legend on the right of a picture.

    Args:
        image: uint8 array of shape (height, width, 3).
        entries: (name, share between 0 and 1, RGB colour), drawn from the top.

    Returns:
        RGB image, wider than ``image`` and, for long legends, higher.
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


def side_by_side(
    pictures: Mapping[str, Any], *, height: int = 240, columns: int | None = None
) -> Image.Image:
    """Arranges pictures in a grid, each with its caption.

    Args:
        pictures: Mapping from captions to PIL images or to arrays (height, width[, 3]) of uint8,
            bool, or values from 0 (black) to 1 (white).
        height: Height to resize the pictures to, pixels.
        columns: Number of pictures per row. Default: all in one row.

    Returns:
        RGB image.

    Raises:
        ValueError: If there are no pictures, or ``columns`` is less than 1.

    Example:

    >>> side_by_side({"black": np.zeros((60, 80)), "white": np.ones((60, 80))}, height=60).size
    (168, 85)
    """
    check_int("height", height, minimum=1)
    if not pictures:
        raise ValueError("pictures must hold a picture. Received: none.")
    columns = len(pictures) if columns is None else columns
    check_int("columns", columns, minimum=1)
    cells = [_captioned(caption, _picture(one), height) for caption, one in pictures.items()]
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    widths = [max(cell.width for cell in cells[column::columns]) for column in range(columns)]
    sheet = Image.new("RGB", (sum(widths), len(rows) * cells[0].height), "white")
    for index, row in enumerate(rows):
        for column, cell in enumerate(row):
            sheet.paste(cell, (sum(widths[:column]), index * cell.height))
    return sheet


def _picture(source: Any) -> Image.Image:
    if isinstance(source, Image.Image):
        return source.convert("RGB")
    levels = np.asarray(source)
    if levels.dtype != np.uint8:
        levels = np.round(255 * np.clip(levels.astype("float32"), 0, 1)).astype("uint8")
    return Image.fromarray(levels).convert("RGB")


def _captioned(caption: str, picture: Image.Image, height: int) -> Image.Image:
    width = max(1, round(picture.width * height / picture.height))
    font = ImageFont.load_default(_CAPTION_SIZE)
    line, gap = 3 * _CAPTION_SIZE // 2, _CAPTION_SIZE // 3
    cell = Image.new("RGB", (max(width, int(font.getlength(caption))) + gap, height + line + gap))
    cell.paste("white", (0, 0, *cell.size))
    cell.paste(picture.resize((width, height)), (0, line))
    ImageDraw.Draw(cell).text((1, line / 2), caption, fill="black", font=font, anchor="lm")
    return cell
