"""The worst and the best images of a report."""

from __future__ import annotations

import base64
from html import escape
from io import BytesIO

import numpy as np
from PIL import Image

from keras_deeplab.evaluation.numbers import percent
from keras_deeplab.evaluation.result import Evaluation, Picture
from keras_deeplab.visualize import blend

_IGNORED_COLOUR = (200, 200, 200)
_WRONG_COLOUR = np.array((225, 29, 72), "float32")
_QUALITY = 82


def gallery(evaluation: Evaluation) -> str:
    """Returns sections with the worst and the best images."""
    pictures = evaluation.pictures
    half = (len(pictures) + 1) // 2
    sections = [("Worst images", pictures[:half]), ("Best images", pictures[half:][::-1])]
    return "".join(
        f"<section><h2>{title}</h2>{''.join(_row(evaluation, x) for x in shown)}</section>"
        for title, shown in sections
        if shown
    )


def _row(evaluation: Evaluation, picture: Picture) -> str:
    name = escape(picture.name)
    crf = f", {percent(picture.mean_iou[1])} with CRF" if len(picture.mean_iou) > 1 else ""
    figures = [
        (picture.image, "Image", f"Image {name}"),
        (_overlay(evaluation, picture, picture.truth), "Truth", f"True classes of {name}"),
    ]
    for labels, words in zip(picture.labels, ("", " with CRF"), strict=False):
        overlay = _overlay(evaluation, picture, labels)
        errors = _errors(picture, labels, evaluation.ignore_class)
        figures += [
            (overlay, f"Prediction{words}", f"Predicted classes{words} of {name}"),
            (errors, f"Errors{words}", f"Pixels of {name} that are wrong{words}, in red"),
        ]
    drawn = "".join(
        f'<figure><img src="{_data_uri(array)}" alt="{alt}" width="{array.shape[1]}" '
        f'height="{array.shape[0]}"><figcaption>{caption}</figcaption></figure>'
        for array, caption, alt in figures
    )
    return (
        f"<article><h3>{name}</h3><p>Mean IoU {percent(picture.mean_iou[0])}{crf}</p>"
        f'<div class="figures of{len(figures)}">{drawn}</div>'
        f'<p class="legend">{_legend(evaluation, picture)}</p>'
        f"</article>"
    )


def _overlay(evaluation: Evaluation, picture: Picture, labels: np.ndarray) -> np.ndarray:
    classes = len(evaluation.class_names)
    # Where nobody knows the truth, both masks are grey.
    shown = np.where(picture.truth == evaluation.ignore_class, classes, labels)
    return blend(picture.image, shown, (*evaluation.palette, _IGNORED_COLOUR), opacity=0.6)


def _errors(picture: Picture, labels: np.ndarray, ignore_class: int) -> np.ndarray:
    grey = np.asarray(Image.fromarray(picture.image).convert("L"), "float32")[..., None]
    pale = np.broadcast_to(110 + 0.45 * grey, picture.image.shape).copy()
    wrong = (picture.truth != labels) & (picture.truth != ignore_class)
    pale[wrong] = 0.25 * pale[wrong] + 0.75 * _WRONG_COLOUR
    return np.round(pale).astype("uint8")


def _legend(evaluation: Evaluation, picture: Picture) -> str:
    present = np.unique(np.concatenate([x.ravel() for x in (picture.truth, *picture.labels)]))
    return "".join(
        f'<span><i class="swatch" style="background:rgb{tuple(evaluation.palette[label])}"></i>'
        f"{escape(evaluation.class_names[label])}</span>"
        for label in present
        if label < len(evaluation.class_names) and label != evaluation.ignore_class
    )


def _data_uri(array: np.ndarray) -> str:
    # JPEG is what every build of Pillow writes.
    buffer = BytesIO()
    Image.fromarray(array).save(buffer, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
