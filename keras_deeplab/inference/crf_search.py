"""Searches CRF parameters on a few validation photos, from coarse to fine, as in the papers."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from tqdm import tqdm

from keras_deeplab._files import write_text
from keras_deeplab.inference.dense_crf import DenseCRF
from keras_deeplab.inference.opening import open_segmenter
from keras_deeplab.inference.options import InferenceOptions, InferenceSettings, resolve_options
from keras_deeplab.inference.scores import Scores
from keras_deeplab.inference.segmenter import Segmenter
from keras_deeplab.metrics import confusion_matrix, mean_iou

# Chen et al., arXiv:1606.00915, section 4.1: w2 and theta_gamma are fixed.
BILATERAL_WEIGHTS = (3, 4, 5, 6)
THETA_ALPHAS = (30, 40, 50, 60, 70, 80, 90, 100)
THETA_BETAS = (3, 4, 5, 6)

Axis = tuple[float, ...]
Setting = tuple[float, float, float]


@dataclass(frozen=True)
class CRFSearch:
    """Result of `tune_crf`.

    Attributes:
        best: The CRF with the highest mean IoU.
        mean_iou: Mean IoU with this CRF, 0 to 1.
        mean_iou_without: Mean IoU without a CRF.
        table: Mean IoU by (bilateral_weight, theta_alpha, theta_beta), best first.
    """

    best: DenseCRF
    mean_iou: float
    mean_iou_without: float
    table: dict[Setting, float]


def tune_crf(
    model: Any,
    examples: Iterable[tuple[np.ndarray, np.ndarray]],
    *,
    start: DenseCRF | None = None,
    bilateral_weights: Sequence[float] = BILATERAL_WEIGHTS,
    theta_alphas: Sequence[float] = THETA_ALPHAS,
    theta_betas: Sequence[float] = THETA_BETAS,
    ignore_class: int = 255,
    results: str | Path | None = None,
    progressbar: bool = True,
    options: InferenceOptions | None = None,
    **settings: Unpack[InferenceSettings],
) -> CRFSearch:
    """Searches the weight and widths of the bilateral kernel with the best mean IoU.

    The search first tries every other value of each parameter, then the neighbours of the best.
    The widths are in pixels of the network's input size: use the result at the same size.

    Args:
        model: A model of `DeepLab`, another `keras.Model`, the path of an exported file, or a
            `keras_deeplab.inference.Segmenter`.
        examples: Pairs of a photo, uint8 (height, width, 3), and its labels (height, width). The
            paper uses 100 photos. Their scores stay in memory, 11 MB each for VOC at 513x513.
        start: CRF that provides the other parameters. Default: ``spatial_weight=3``,
            ``theta_gamma=3`` and 10 iterations, as in the paper.
        bilateral_weights: Values to search, in order.
        theta_alphas: Values to search, in order, pixels.
        theta_betas: Values to search, in order, RGB levels.
        ignore_class: Label excluded from the mean IoU.
        results: JSON file to save every result to. If it exists, its results are reused, so an
            interrupted search resumes. Default: no file.
        progressbar: Whether to show a progress bar.
        options: Size, scales, flip, sliding window and batch size; it must not include a CRF.
        **settings: Fields of `InferenceOptions`, which replace those of `options`, such as
            ``size=513``.

    Returns:
        The best CRF and all results.

    Raises:
        ValueError: If there are no examples, a photo and its labels differ in size, the file has
            the results of a different search, or the options include a CRF.

    Example:

    >>> search = tune_crf(model, [(photo, mask)])  # doctest: +SKIP
    >>> segment(model, photo, crf=search.best)  # doctest: +SKIP
    """
    start = start or DenseCRF(spatial_weight=3, theta_gamma=3, num_iterations=10)
    options = resolve_options(options, settings)
    if options.crf:
        raise ValueError(
            f"tune_crf searches the CRF itself. Received: crf={options.crf!r}. Pass it as start."
        )
    segmenter = open_segmenter(model)
    segmenter.check(replace(options, crf=start))
    scored = list(_scored(segmenter, examples, options))
    if not scored:
        raise ValueError("There must be at least one example. Received: none.")
    axes = (tuple(bilateral_weights), tuple(theta_alphas), tuple(theta_betas))
    search = {"photos": len(scored), "start": repr(start), **segmenter.protocol(options)}
    book = _Results(results, search)

    def measure(crf: DenseCRF | None) -> float:
        classes = scored[0][0].values.shape[-1]
        matrix = np.zeros((classes, classes), "int64")
        for half, labels in scored:
            scores = replace(half, values=half.values.astype("float32"))
            predicted = (scores if crf is None else scores.refined(crf)).labels()
            matrix += confusion_matrix(
                labels, predicted, classes=classes, ignore_class=ignore_class
            )
        return mean_iou(matrix)

    # A file may have results of other values too.
    possible = set(itertools.product(*axes))

    def run(title: str, axes: Iterable[Axis]) -> dict[Setting, float]:
        settings = list(itertools.product(*axes))
        for setting in tqdm(settings, desc=title, unit="setting", disable=not progressbar):
            book.get(setting, partial(measure, _with(start, setting)))
        ordered = sorted(book.table.items(), key=lambda item: -item[1])
        return {setting: value for setting, value in ordered if setting in possible}

    without = book.get(None, partial(measure, None))
    best = next(iter(run("coarse", (axis[::2] for axis in axes))))
    places = [axis.index(value) for axis, value in zip(axes, best, strict=True)]
    near = (axis[max(0, at - 1) : at + 2] for axis, at in zip(axes, places, strict=True))
    table = run("fine", near)
    best, found = next(iter(table.items()))
    return CRFSearch(_with(start, best), found, without, table)


class _Results:
    """Mean IoU by setting, None for no CRF, optionally saved to a file."""

    def __init__(self, path: str | Path | None, search: dict[str, Any]) -> None:
        self.path = None if path is None else Path(path)
        self.search = search
        self.table: dict[Setting | None, float] = {}
        if self.path is None or not self.path.exists():
            return
        try:
            content = json.loads(self.path.read_text())
            kept, rows = content["search"], content["results"]
            self.table = {None: content["without"], **{(a, b, c): x for a, b, c, x in rows}}
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{self.path} must hold results of tune_crf. Received: {error}."
            ) from error
        if kept != search:
            raise ValueError(
                f"{self.path} must hold results of this search. Received: {kept}, not {search}. "
                f"Pass another file."
            )

    def get(self, setting: Setting | None, measure: Callable[[], float]) -> float:
        """Returns the mean IoU of a setting; measures and saves it if necessary."""
        if setting not in self.table:
            self.table[setting] = float(measure())
            if self.path is not None:
                rows = [[*setting, value] for setting, value in self.table.items() if setting]
                content = {"search": self.search, "without": self.table[None], "results": rows}
                write_text(self.path, json.dumps(content, indent=1))
        return self.table[setting]


def _with(crf: DenseCRF, setting: Setting) -> DenseCRF:
    weight, alpha, beta = setting
    return replace(crf, bilateral_weight=weight, theta_alpha=alpha, theta_beta=beta)


def _scored(
    segmenter: Segmenter,
    examples: Iterable[tuple[np.ndarray, np.ndarray]],
    options: InferenceOptions,
) -> Iterator[tuple[Scores, np.ndarray]]:
    """Yields the scores of each photo, in half precision, with its labels."""
    examples, again = itertools.tee(examples)
    scores = segmenter.predict((photo for photo, _ in again), options)
    for (photo, labels), one in zip(examples, scores, strict=True):
        if labels.shape != photo.shape[:2]:
            raise ValueError(
                f"A photo and its labels must have one size. Received: {photo.shape} and "
                f"{labels.shape}."
            )
        yield replace(one, values=one.values.astype("float16")), labels
