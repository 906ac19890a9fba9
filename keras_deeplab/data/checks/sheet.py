"""A sheet of example images with their labels."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_deeplab.data.checks.data_report import DataReport
from keras_deeplab.data.images import read_image
from keras_deeplab.data.sources import SegmentationFiles
from keras_deeplab.presets.datasets import Palette
from keras_deeplab.visualize import blend, display_palette, with_legend

_WIDTH, _HEIGHT = 240, 200
_CAPTION = 18
_GAP = 6
_COLUMNS = 3
_IGNORED, _WRONG = (255, 255, 255), (255, 0, 255)


def label_sheet(report: DataReport, *, number: int = 12) -> Image.Image:
    """Draws examples of a checked dataset: image, overlay and legend.

    Examples with an error come first, with red captions, followed by examples with many pixels of
    the rarest classes. Ignored pixels are white, invalid labels magenta.

    Args:
        report: Result of `check_data`.
        number: Maximum number of examples.

    Raises:
        ValueError: If no example can be read.
    """
    cells: list[Image.Image] = []
    for source, index, message in _chosen(report):
        if len(cells) == number:
            break
        try:
            cells.append(_cell(source, index, message))
        except (ValueError, OSError):
            continue  # the report lists the error
    if not cells:
        raise ValueError("A sheet must show an image and a mask that can be read. Received: none.")
    rows = [cells[start : start + _COLUMNS] for start in range(0, len(cells), _COLUMNS)]
    width = max(sum(cell.width + _GAP for cell in row) for row in rows)
    heights = [max(cell.height for cell in row) + _GAP for row in rows]
    sheet = Image.new("RGB", (width, sum(heights)), "white")
    top = 0
    for row, height in zip(rows, heights, strict=True):
        left = 0
        for cell in row:
            sheet.paste(cell, (left, top))
            left += cell.width + _GAP
        top += height
    return with_legend(np.asarray(sheet), _legend(report))


def _chosen(report: DataReport) -> Iterable[tuple[SegmentationFiles, int, str]]:
    """Yields source, index and error of the examples to show, the most informative first."""
    seen: set[tuple[str, int]] = set()
    for finding in report.errors:
        source = report.sources.get(finding.split)
        for index, example in enumerate(source.examples if source else ()):
            if finding.file in (str(example.image), str(example.mask)):
                if (finding.split, index) not in seen:
                    seen.add((finding.split, index))
                    yield report.sources[finding.split], index, finding.kind
                break
    for label in np.argsort(_pixels(report)).tolist():
        for split, summary in report.splits.items():
            index = int(summary.richest[label])
            if index >= 0 and (split, index) not in seen:
                seen.add((split, index))
                yield report.sources[split], index, ""
                break
    for split, source in report.sources.items():
        for index in range(len(source)):
            if (split, index) not in seen:
                yield source, index, ""


def _cell(source: SegmentationFiles, index: int, message: str) -> Image.Image:
    example = source.examples[index]
    image = Image.fromarray(read_image(example.image))
    labels = source.read_labels(index).astype("int64")
    classes, ignored = len(source.class_names), labels == source.ignore_class
    labels = np.where(labels < classes, labels, -1)
    labels = np.where(ignored, -2, labels)
    scale = min(_WIDTH / image.width, _HEIGHT / image.height)
    size = (max(1, round(scale * image.width)), max(1, round(scale * image.height)))
    small = np.asarray(image.resize(size))
    # A mask of a different size is stretched to the image, which makes the error visible.
    stretched = Image.fromarray(labels.astype("int32")).resize(size, Image.Resampling.NEAREST)
    drawn = np.asarray(stretched)
    palette: Palette = (*display_palette(source.palette[:classes]), _IGNORED, _WRONG)
    overlay = blend(small, drawn % len(palette), palette, opacity=0.65)
    cell = Image.new("RGB", (2 * size[0], size[1] + _CAPTION), "white")
    cell.paste(Image.fromarray(small), (0, _CAPTION))
    cell.paste(Image.fromarray(overlay), (size[0], _CAPTION))
    text = f"{example.name}: {message}" if message else example.name
    ImageDraw.Draw(cell).text(
        (2, _CAPTION // 2),
        text[:70],
        fill=(200, 0, 0) if message else "black",
        font=ImageFont.load_default(12),
        anchor="lm",
    )
    return cell


def _legend(report: DataReport) -> list[tuple[str, float, tuple[int, int, int]]]:
    source = next(iter(report.sources.values()))
    pixels = _pixels(report)
    shares = pixels / max(1, int(pixels.sum()))
    entries = zip(
        source.class_names, shares.tolist(), display_palette(source.palette), strict=False
    )
    return sorted(entries, key=lambda entry: -entry[1])


def _pixels(report: DataReport) -> np.ndarray:
    """Returns the number of pixels by class, over all splits."""
    return np.sum([summary.pixels for summary in report.splits.values()], axis=0)
