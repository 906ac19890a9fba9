"""Pictures with legends and captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_deeplab._validation import check_int, percent

_WHITE = (255, 255, 255)
_LEGEND_ENTRIES = 20
_CAPTION_SIZE = 14


def with_legend(
    image: np.ndarray, entries: Sequence[tuple[str, float | None, tuple[int, int, int]]]
) -> Image.Image:
    """Adds a legend below a picture.

    Args:
        image: uint8 array of shape (height, width, 3).
        entries: (name, share between 0 and 1 or None, RGB colour); 20 of them are drawn.

    Returns:
        RGB image, higher than ``image`` if there are entries.
    """
    if not entries:
        return Image.fromarray(image)
    height, width = image.shape[:2]
    size = float(np.clip(max(height, width) / 36, 11, 40))
    font = ImageFont.load_default(size)
    box, line = round(size), round(size * 1.7)
    texts = [
        (name if share is None else f"{name} {percent(share)}", colour)
        for name, share, colour in entries[:_LEGEND_ENTRIES]
    ]
    if len(entries) > _LEGEND_ENTRIES:
        texts.append((f"and {len(entries) - _LEGEND_ENTRIES} more", _WHITE))
    places: list[tuple[int, int]] = []
    x, y = box // 2, height + box // 2
    for text, _ in texts:
        needed = int(font.getlength(text)) + 3 * box
        if places and x + needed - box > width:
            x, y = box // 2, y + line
        places.append((x, y))
        x += needed
    sheet = Image.new("RGB", (width, y + line), "white")
    sheet.paste(Image.fromarray(image))
    draw = ImageDraw.Draw(sheet)
    for (x, y), (text, colour) in zip(places, texts, strict=True):
        middle = y + line // 2 - box // 4
        if colour != _WHITE:
            corners = (x, middle - box // 2, x + box, middle + box // 2)
            draw.rounded_rectangle(corners, radius=box // 4, fill=colour, outline=(120, 120, 120))
        start = x + 1.5 * box if colour != _WHITE else x
        draw.text((start, middle), text, fill="black", font=font, anchor="lm")
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
    size = (max(width, int(font.getlength(caption))) + gap, height + line + gap)
    cell = Image.new("RGB", size, "white")
    cell.paste(picture.resize((width, height)), (0, line))
    ImageDraw.Draw(cell).text((1, line / 2), caption, fill="black", font=font, anchor="lm")
    return cell
