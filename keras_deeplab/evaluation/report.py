"""Writes an evaluation as JSON and as an HTML report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from PIL import Image

from keras_deeplab._files import make_folder, write_text
from keras_deeplab.evaluation.charts import Line, curves, heat_map
from keras_deeplab.evaluation.page import picture_source, render_page
from keras_deeplab.evaluation.result import Evaluation, Picture
from keras_deeplab.visualize import blend, display_palette
from keras_deeplab.visualize.curves import curve_points

_IGNORED_COLOUR = (200, 200, 200)
_WRONG_COLOUR = np.array((225, 29, 72), "float32")
_CONFUSIONS = 10
_TRIMAP_ROWS = (1, 2, 3, 5, 10, 15, 20, 30, 40)
_SUMMARY = (
    ("mean_iou", "Mean IoU", "over classes in the truth or the predictions"),
    ("mean_iou_in_truth", "Mean IoU, true classes", "over classes in the truth only"),
    ("pixel_accuracy", "Pixel accuracy", "share of correct pixels"),
    ("frequency_weighted_iou", "Frequency-weighted IoU", "classes weighted by their pixels"),
    ("boundary_iou", "Boundary IoU", "within 2 % of the diagonal of borders"),
)


def write_report(
    evaluation: Evaluation,
    folder: str | Path,
    *,
    training_log: Sequence[Mapping[str, float]] = (),
) -> tuple[Path, Path]:
    """Writes ``result.json`` and ``report.html``.

    The page is a single file without scripts or external resources. It adapts to phones and to the
    browser's light or dark scheme.

    Args:
        evaluation: From `evaluate`.
        folder: Folder to write into; created if it does not exist.
        training_log: Log of the run that trained the network, one mapping per epoch: the report
            shows its curves.

    Returns:
        The paths of the two files.
    """
    folder = Path(folder).expanduser()
    make_folder(folder)
    result = evaluation.to_dict()
    page = _page(evaluation, result, training_log)
    text = json.dumps(result, indent=1, allow_nan=False) + "\n"
    return write_text(folder / "result.json", text), write_text(folder / "report.html", page)


def _page(
    evaluation: Evaluation, result: dict[str, Any], training_log: Sequence[Mapping[str, float]]
) -> str:
    lines = _lines(evaluation)
    borders = curves(
        [Line(line["style"], line["name"], [*enumerate(line["values"], 1)]) for line in lines],
        label="Quality in bands around the borders; see the table",
        across="width of the band around the true borders, pixels",
        form=lambda share: f"{100 * share:.0f} %",
    )
    return render_page(
        "report.html.jinja",
        result=result,
        images=len(evaluation.images),
        protocol=_protocol_words(evaluation.protocol),
        summary=_SUMMARY,
        classes=_classes(evaluation, result),
        confusions=_confusions(evaluation),
        heat_map=Markup(heat_map(evaluation.confusion, evaluation.class_names)),
        lines=lines,
        curves=Markup(borders),
        widths=[width for width in _TRIMAP_ROWS if width <= len(evaluation.trimap)],
        galleries=gallery(evaluation),
        training=_training_charts(training_log),
    )


def _training_charts(log: Sequence[Mapping[str, float]]) -> list[tuple[str, Markup]]:
    """Returns titles and charts of the curves of a run."""
    charts = []
    for title, lines in curve_points(log).items():
        drawn = [Line(words, words, points) for words, points in lines.items()]
        if drawn:
            label = f"{title} by epoch"
            svg = curves(drawn, label=label, across="epoch", size=(240, 360), form="{:.3g}".format)
            charts.append((title, Markup(svg)))
    return charts


def _classes(evaluation: Evaluation, result: dict[str, Any]) -> list[dict[str, Any]]:
    pixels = evaluation.confusion.sum(1)
    colours = display_palette(evaluation.palette)
    rows = []
    for label, name in enumerate(evaluation.class_names):
        bars = [("", result["class_iou"][label])]
        if result["crf"]:
            bars.append(("crf", result["crf"]["class_iou"][label]))
        rows.append(
            {
                "name": name,
                "colour": colours[label],
                "occurs": any(share is not None for _, share in bars),
                "bars": bars,
                "share": pixels[label] / max(pixels.sum(), 1),
            }
        )
    return rows


def _confusions(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Returns the pairs of classes with the most wrong pixels."""
    matrix, names = evaluation.confusion, evaluation.class_names
    wrong = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_CONFUSIONS]
    return [
        {
            "truth": names[i],
            "predicted": names[j],
            "of_class": wrong[i, j] / matrix[i].sum(),
            "of_errors": wrong[i, j] / wrong.sum(),
        }
        for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True)
        if wrong[i, j]
    ]


def _lines(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Returns the curves over the width of the band, with their paths in the result."""
    masks: list[tuple[Evaluation, str, str, tuple[str, ...]]] = [(evaluation, "", "", ())]
    if evaluation.crf:
        masks.append((evaluation.crf, " crf", " with CRF", ("crf",)))
    return [
        {
            "style": kind + style,
            "name": key.replace("_", " ").replace("iou", "IoU") + words,
            "values": values,
            "place": (*place, "trimap", key),
        }
        for one, style, words, place in masks
        for kind, key, values in (
            ("iou", "mean_iou", one.trimap_mean_iou),
            ("accuracy", "pixel_accuracy", one.trimap_accuracy),
        )
    ]


def _protocol_words(protocol: dict[str, Any]) -> str:
    size = protocol["size"]
    if protocol["sliding_window"]:
        words = f"Windows of {size[0]}x{size[1]} over images at their own size"
    elif size == "own":
        words = "Images at their own size"
    else:
        words = f"Images resized to fit {size[0]}x{size[1]} and padded"
    if len(protocol["scales"]) > 1 or protocol["scales"] != [1.0]:
        words += f", at scales {', '.join(f'{scale:g}' for scale in protocol['scales'])}"
    if protocol["flip"]:
        words += ", with horizontal flips"
    return words + "; measured at the images' size."


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
