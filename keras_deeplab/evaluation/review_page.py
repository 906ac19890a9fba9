"""Writes the page of a review: photos with their labels and the network's masks, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from keras_deeplab._files import make_folder, write_text
from keras_deeplab.data.sources import SegmentationFiles
from keras_deeplab.evaluation.label_review import Suspect
from keras_deeplab.evaluation.page import picture_source, render_page
from keras_deeplab.inference import InferenceOptions, open_segmenter
from keras_deeplab.presets.datasets import Palette
from keras_deeplab.visualize import blend

_SIDE = 400
_IGNORED = (200, 200, 200)
_MARK = (225, 29, 72)


def write_review(
    suspects: Sequence[tuple[SegmentationFiles, Suspect]],
    model: Any,
    folder: str | Path,
    *,
    count: int = 50,
    options: InferenceOptions | None = None,
) -> Path:
    """Writes ``review.html``, a single file without scripts, and returns its path.

    Args:
        suspects: Photos from `review` with their data sources, in the order to show.
        model: The network.
        folder: Folder to write into; created if it does not exist.
        count: Number of photos to show.
        options: Size, scales, flip, sliding window, CRF and batch size.
    """
    folder = Path(folder).expanduser()
    make_folder(folder)
    segmenter = open_segmenter(model)
    shown = suspects[:count]
    elements = [source[one.index] for source, one in shown]
    scores = segmenter.predict((element["image"] for element in elements), options)
    photos = []
    for (source, one), element, score in zip(shown, elements, scores, strict=True):
        palette = (*source.palette[: len(source.class_names)], _IGNORED)
        truth = np.where(
            element["labels"] == source.ignore_class, len(source.class_names), element["labels"]
        )
        shown_labels = {"Photo": None, "Labels": truth, "Network": score.labels()}
        figures = [
            (caption, _figure(element["image"], labels, palette, one))
            for caption, labels in shown_labels.items()
        ]
        photos.append({"suspect": one, "figures": figures})
    page = render_page("review.html.jinja", photos=photos, total=len(suspects))
    return write_text(folder / "review.html", page)


def _figure(
    image: np.ndarray, labels: np.ndarray | None, palette: Palette, suspect: Suspect
) -> str:
    """Returns the data address of a JPEG with frames around the largest regions."""
    pixels = image if labels is None else blend(image, labels, palette, opacity=0.6)
    picture = Image.fromarray(pixels)
    picture.thumbnail((_SIDE, _SIDE))
    draw = ImageDraw.Draw(picture)
    for region in suspect.regions[:3]:
        top, left, bottom, right = region.box
        box = (left * picture.width, top * picture.height, right * picture.width - 1)
        draw.rectangle((*box, bottom * picture.height - 1), outline=_MARK, width=2)
    return picture_source(picture)
