"""The pictures of a report: the worst and the best images, with their masks and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from keras_deeplab.evaluation.page import picture_source
from keras_deeplab.evaluation.result import Evaluation, Picture
from keras_deeplab.visualize import blend, display_palette

_IGNORED_COLOUR = (200, 200, 200)
_WRONG_COLOUR = np.array((225, 29, 72), "float32")


def gallery(evaluation: Evaluation) -> list[tuple[str, list[dict[str, Any]]]]:
    """Returns titles, each with the template data of the pictures below it."""
    pictures = evaluation.pictures
    half = (len(pictures) + 1) // 2
    return [
        ("Worst images", [_shown(evaluation, picture) for picture in pictures[:half]]),
        ("Best images", [_shown(evaluation, picture) for picture in pictures[half:][::-1]]),
    ]


def _shown(evaluation: Evaluation, picture: Picture) -> dict[str, Any]:
    name = picture.name
    figures = [
        _figure(picture.image, "Image", f"Image {name}"),
        _figure(_overlay(evaluation, picture, picture.truth), "Truth", f"True classes of {name}"),
    ]
    for labels, words in zip(picture.labels, ("", " with CRF"), strict=False):
        overlay = _overlay(evaluation, picture, labels)
        errors = _errors(picture, labels, evaluation.ignore_class)
        figures += [
            _figure(overlay, f"Prediction{words}", f"Predicted classes{words} of {name}"),
            _figure(errors, f"Errors{words}", f"Wrong pixels{words} of {name}, in red"),
        ]
    present = np.unique(np.concatenate([x.ravel() for x in (picture.truth, *picture.labels)]))
    return {
        "name": name,
        "mean_iou": picture.mean_iou,
        "figures": figures,
        "labels": [
            int(label)
            for label in present
            if label < len(evaluation.class_names) and label != evaluation.ignore_class
        ],
    }


def _figure(array: np.ndarray, caption: str, description: str) -> dict[str, Any]:
    return {
        "source": picture_source(Image.fromarray(array), subsampling=0),
        "height": array.shape[0],
        "width": array.shape[1],
        "caption": caption,
        "description": description,
    }


def _overlay(evaluation: Evaluation, picture: Picture, labels: np.ndarray) -> np.ndarray:
    classes = len(evaluation.class_names)
    # Ignored pixels are grey in the prediction too.
    shown = np.where(picture.truth == evaluation.ignore_class, classes, labels)
    return blend(
        picture.image, shown, (*display_palette(evaluation.palette), _IGNORED_COLOUR), opacity=0.6
    )


def _errors(picture: Picture, labels: np.ndarray, ignore_class: int) -> np.ndarray:
    grey = np.asarray(Image.fromarray(picture.image).convert("L"), "float32")[..., None]
    pale = np.broadcast_to(110 + 0.45 * grey, picture.image.shape).copy()
    wrong = (picture.truth != labels) & (picture.truth != ignore_class)
    pale[wrong] = 0.25 * pale[wrong] + 0.75 * _WRONG_COLOUR
    return np.round(pale).astype("uint8")
