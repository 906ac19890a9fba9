"""A page that shows an evaluation, complete in one file."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from keras_deeplab.evaluation.charts import curves, heat_map
from keras_deeplab.evaluation.gallery import gallery
from keras_deeplab.evaluation.numbers import duration, percent
from keras_deeplab.evaluation.page import page
from keras_deeplab.evaluation.result import Evaluation

_CONFUSIONS = 10
_TRIMAP_ROWS = (1, 2, 3, 5, 10, 15, 20, 30, 40)
_SUMMARY = (
    ("mean_iou", "Mean IoU", "over the classes that occur"),
    ("pixel_accuracy", "Pixel accuracy", "share of pixels that are right"),
    ("frequency_weighted_iou", "Frequency-weighted IoU", "classes weighted by their pixels"),
    ("boundary_iou", "Boundary IoU", "within 2 % of the diagonal from borders"),
)


def write_report(evaluation: Evaluation, folder: str | Path) -> tuple[Path, Path]:
    """Writes ``result.json`` and ``report.html``.

    The page is one file without scripts: it needs no network, and shows on phones and in the dark.

    Args:
        evaluation: From `evaluate`.
        folder: Folder to write into; made where there is none.

    Returns:
        The paths of the two.
    """
    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    result = evaluation.to_dict()
    data, report = folder / "result.json", folder / "report.html"
    data.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", "utf-8")
    report.write_text(_page(evaluation, result), "utf-8")
    return data, report


def _page(evaluation: Evaluation, result: dict[str, Any]) -> str:
    number = len(result["images"])
    sections = [
        _summary(result),
        _classes(evaluation, result),
        _confusion(evaluation),
        _borders(evaluation, result),
        gallery(evaluation),
    ]
    return page(
        title=f"Evaluation of {evaluation.model}",
        subtitle=f"{number} image{'s' * (number != 1)}, {len(evaluation.class_names)} classes. "
        + _protocol_words(result["protocol"]),
        sections=sections,
        footer=f"keras_deeplab {result['keras_deeplab_version']}. All numbers are in result.json.",
    )


def _number(result: dict[str, Any], *path: str | int) -> str:
    """Returns a share of the result, marked with its place there."""
    value: Any = result
    for key in path:
        value = value[key]
    place = ".".join(map(str, path))
    return f'<data value="{"" if value is None else value}" id="{place}">{percent(value)}</data>'


def _summary(result: dict[str, Any]) -> str:
    cards = []
    for key, title, words in _SUMMARY:
        crf = f'<p class="crf">{_number(result, "crf", key)} with CRF</p>' if result["crf"] else ""
        cards.append(
            f'<div class="card"><h3>{title}</h3><p class="value">{_number(result, key)}</p>{crf}'
            f"<p>{words}</p></div>"
        )
    crf = ""
    if result["crf"]:
        crf = f'<p class="crf">{duration(result["crf"]["seconds_per_image"])} with CRF</p>'
    cards.append(
        f'<div class="card"><h3>Time per image</h3><p class="value">'
        f"{duration(result['seconds_per_image'])}</p>{crf}<p>median, one mask</p></div>"
    )
    return f'<section aria-label="Summary" class="cards">{"".join(cards)}</section>'


def _classes(evaluation: Evaluation, result: dict[str, Any]) -> str:
    pixels = evaluation.confusion.sum(1)
    shares = pixels / max(pixels.sum(), 1)
    with_crf = "<th>IoU with CRF</th>" if result["crf"] else ""
    rows = []
    for label, name in enumerate(evaluation.class_names):
        bars, crf = [("", result["class_iou"][label])], ""
        if result["crf"]:
            bars.append((" crf", result["crf"]["class_iou"][label]))
            crf = f"<td>{_number(result, 'crf', 'class_iou', label)}</td>"
        drawn = "".join(
            f'<div class="bar{style}" style="width:{100 * value:.1f}%"></div>'
            for style, value in bars
            if value is not None
        )
        absent = "" if pixels[label] else ' class="absent"'
        rows.append(
            f'<tr{absent}><th scope="row">{_swatch(evaluation.palette[label])}{escape(name)}</th>'
            f'<td class="bars" aria-hidden="true">{drawn}</td>'
            f"<td>{_number(result, 'class_iou', label)}</td>{crf}"
            f"<td>{_number(result, 'class_boundary_iou', label)}</td>"
            f"<td>{percent(shares[label])}</td></tr>"
        )
    return (
        f'<section><h2>Classes</h2><div class="scroll"><table class="classes"><thead><tr>'
        f'<th>Class</th><td class="bars"></td><th>IoU</th>{with_crf}<th>Boundary IoU</th>'
        f"<th>Pixels</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        f"<p>The last column is the class's share of the true pixels. A dash stands for "
        f"classes that do not occur in the truth.</p></section>"
    )


def _confusion(evaluation: Evaluation) -> str:
    matrix, names = evaluation.confusion, evaluation.class_names
    wrong = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    truth, wrongs = np.maximum(matrix.sum(1), 1), max(wrong.sum(), 1)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_CONFUSIONS]
    rows = [
        f'<tr><th scope="row">{escape(names[i])}</th><td>{escape(names[j])}</td>'
        f"<td>{percent(wrong[i, j] / truth[i])}</td><td>{percent(wrong[i, j] / wrongs)}</td></tr>"
        for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True)
        if wrong[i, j]
    ]
    return (
        f"<section><h2>Confusion</h2><p>Rows are true classes, columns predicted ones; cells are "
        f"percent of the true class's pixels.</p>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix">'
        f"{heat_map(matrix, names)}</div><h3>The largest</h3>"
        f'<div class="scroll"><table><thead><tr><th>True class</th><th class="left">Taken for</th>'
        f"<th>Of its pixels</th><th>Of all errors</th></tr></thead><tbody>{''.join(rows)}</tbody>"
        f"</table></div></section>"
    )


def _borders(evaluation: Evaluation, result: dict[str, Any]) -> str:
    lines = [
        ("iou", "mean IoU", evaluation.trimap_mean_iou),
        ("accuracy", "pixel accuracy", evaluation.trimap_accuracy),
    ]
    places: list[tuple[str, ...]] = [("trimap", "mean_iou"), ("trimap", "pixel_accuracy")]
    if evaluation.crf:
        lines += [
            ("iou crf", "mean IoU with CRF", evaluation.crf.trimap_mean_iou),
            ("accuracy crf", "pixel accuracy with CRF", evaluation.crf.trimap_accuracy),
        ]
        places += [("crf", *place) for place in places]
    widths = [width for width in _TRIMAP_ROWS if width <= len(evaluation.trimap)]
    rows = "".join(
        f'<tr><th scope="row">{width} px</th>'
        + "".join(f"<td>{_number(result, *place, width - 1)}</td>" for place in places)
        + "</tr>"
        for width in widths
    )
    legend = "".join(
        f'<span><svg viewBox="0 0 28 8" width="28" height="8" aria-hidden="true"><polyline '
        f'class="{style}" points="0,4 28,4"/></svg> {name}</span>'
        for style, name, _ in lines
    )
    heads = "".join(f"<th>{name[0].upper()}{name[1:]}</th>" for _, name, _ in lines)
    return (
        f"<section><h2>Borders</h2><p>Pixels no further from a true border than the width of the "
        f'band (the "trimap" of the DeepLab papers).</p>'
        f"{curves(lines, label='Quality in bands around the borders; numbers stand in the table')}"
        f'<p class="legend">{legend}</p><details open><summary>Numbers</summary>'
        f'<div class="scroll"><table><thead><tr><th>Band</th>{heads}</tr></thead><tbody>{rows}'
        f"</tbody></table></div></details></section>"
    )


def _swatch(colour: tuple[int, int, int]) -> str:
    return f'<i class="swatch" style="background:rgb{tuple(colour)}"></i>'


def _protocol_words(protocol: dict[str, Any]) -> str:
    size = protocol["size"]
    if protocol["sliding_window"]:
        words = f"Windows of {size[0]}x{size[1]} over images of their own size"
    elif size == "own":
        words = "Images of their own size"
    else:
        words = f"Images fitted into {size[0]}x{size[1]} and padded"
    if len(protocol["scales"]) > 1 or protocol["scales"] != [1.0]:
        words += f", at scales {', '.join(f'{scale:g}' for scale in protocol['scales'])}"
    if protocol["flip"]:
        words += ", with their mirror images"
    return words + "; measured at the images' size."
