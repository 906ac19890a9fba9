"""Pictures of masks: palette PNGs, overlays, legends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_deeplab._validation import check_int
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
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)
_LEGEND_ENTRIES = 20
_CAPTION_SIZE = 14
# Names are placed on masks reduced to this side, pixels.
_NAMING_SIDE = 160
_MOST_NAMES = 12
_PER_CLASS = 3


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
    return len(palette) > 0 and tuple(palette[0]) == _BLACK


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
    font = ImageFont.load_default(float(np.clip(max(height, width) / 32, 11, 48)))
    gap = font.size * 0.3
    step = max(1, -(-max(height, width) // _NAMING_SIDE))
    taken: list[tuple[float, float, float, float]] = []
    for label, row, column in _innermost_points(labels[::step, ::step], has_background(palette)):
        name = class_names[label]
        half = font.getlength(name) / 2 + 1.5 * gap, font.size / 2 + gap
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
    font = ImageFont.load_default(float(np.clip(max(height, width) / 36, 11, 40)))
    box, line = round(font.size), round(font.size * 1.7)
    texts = [
        (name if share is None else f"{name} {share:.1%}", colour)
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
    cell = Image.new("RGB", (max(width, int(font.getlength(caption))) + gap, height + line + gap))
    cell.paste("white", (0, 0, *cell.size))
    cell.paste(picture.resize((width, height)), (0, line))
    ImageDraw.Draw(cell).text((1, line / 2), caption, fill="black", font=font, anchor="lm")
    return cell


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
