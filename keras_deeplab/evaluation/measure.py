"""Measures a network on a dataset."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from keras_deeplab._validation import check_int
from keras_deeplab.evaluation.boundaries import boundary_counts, trimap_matrices
from keras_deeplab.evaluation.elements import Element, count, elements
from keras_deeplab.evaluation.predicted_masks import masks
from keras_deeplab.evaluation.result import Evaluation, ImageResult, Picture
from keras_deeplab.inference import (
    Passes,
    Segmenter,
    find_passes,
    nearest_labels,
    open_segmenter,
)
from keras_deeplab.inference.dense_crf import DenseCRF, resolve_crf
from keras_deeplab.metrics import confusion_matrix, mean_iou, pixel_accuracy

_PICTURE_SIDE = 400
_logger = logging.getLogger("keras_deeplab")


def evaluate(
    model: Any,
    dataset: Iterable[Any],
    *,
    size: int | tuple[int, int] | str | None = None,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    sliding_window: bool = False,
    crf: DenseCRF | str | bool = False,
    class_names: Sequence[str] | None = None,
    ignore_class: int | None = None,
    trimap_width: int = 40,
    pictures: int = 4,
    limit: int | None = None,
    progressbar: bool | None = True,
) -> Evaluation:
    """Measures how good a network's masks of a dataset are.

    Masks are made as `segment` makes them and compared with the truth at the size of the image.
    The mean IoU is that of all images together, over the classes in their truth or their masks.

    To measure at another output stride than the weights were trained at, build the model so:
    ``DeepLab(weights="voc", output_stride=8)``.

    Args:
        model: A model of `DeepLab`, another `keras.Model`, the path of an exported file, or a
            `keras_deeplab.inference.Segmenter`.
        dataset: A `keras_deeplab.data.SegmentationData`; or an iterable (a `tf.data.Dataset` too)
            of dicts with "image" (height, width, 3), RGB 0-255, "labels" (height, width) and, if
            you like, "name", or of pairs (image, labels); or batches of such.
        size: As for `segment`: what images are fitted into; "own" leaves them as they are.
        scales: Factors of the size whose probabilities are averaged; the papers' best are
            (0.5, 0.75, 1, 1.25, 1.5, 1.75) with ``flip=True``.
        flip: Whether to average with the mirror image.
        sliding_window: Whether windows of `size` pass over the images as large as they are.
        crf: A fully connected CRF to measure in the same pass, besides the network alone: True, a
            preset's name, or a `DenseCRF`.
        class_names: Names by label id. Left out: those that the model carries, else the dataset's.
        ignore_class: True label of pixels to leave out. Left out: the dataset's, else the model's.
        trimap_width: Width of the widest band around the true borders, pixels.
        pictures: How many of the worst images, and of the best, to keep for the report.
        limit: Number of images to stop after.
        progressbar: Whether to show one; None: where a terminal is watching.

    Returns:
        The measures; ``evaluation.crf`` holds those with CRF.

    Raises:
        ValueError: If there is no image, one is damaged or has labels that are no classes of the
            network, or the settings do not fit the network.
        FileNotFoundError: If a file is missing.

    Example:

    >>> data = read_dataset("VOCdevkit", "val")  # doctest: +SKIP
    >>> result = evaluate(DeepLab(weights="voc"), data, crf=True)  # doctest: +SKIP
    >>> result.mean_iou, result.crf.mean_iou  # doctest: +SKIP
    >>> write_report(result, "evaluated")  # doctest: +SKIP

    Reference:
        Chen et al., arXiv:1606.00915, section 4 (trimaps), arXiv:1706.05587, section 4.1 (scales).
    """
    check_int("trimap_width", trimap_width, minimum=1)
    check_int("pictures", pictures, minimum=0)
    if limit is not None:
        check_int("limit", limit, minimum=1)
    segmenter = open_segmenter(
        model, class_names=class_names, fallback_names=dataset_names(dataset)
    )
    passes = find_passes(
        size,
        default=segmenter.inference_size,
        scales=scales,
        flip=flip,
        sliding_window=sliding_window,
    )
    refinement = resolve_crf(crf)
    _check_classes(segmenter, dataset)
    if ignore_class is None:
        ignore_class = getattr(dataset, "ignore_class", segmenter.ignore_class)
    classes = len(segmenter.class_names)
    tallies = [_Tally(classes, ignore_class, trimap_width) for _ in range(1 + bool(refinement))]
    gallery = _Gallery(pictures)
    for element in tqdm(
        elements(dataset, classes=classes, ignore_class=ignore_class, limit=limit),
        total=count(dataset, limit),
        desc=segmenter.name,
        unit="image",
        disable=None if progressbar is None else not progressbar,
    ):
        made = list(masks(segmenter, element.image, passes, refinement))
        for tally, (labels, seconds) in zip(tallies, made, strict=True):
            tally.add(element, labels, seconds)
        gallery.add(
            element,
            [labels for labels, _ in made],
            [tally.images[-1].mean_iou for tally in tallies],
        )
    if not tallies[0].images:
        raise ValueError("The dataset must hold images. Received: none.")
    facts: dict[str, Any] = dict(
        model=segmenter.name,
        class_names=segmenter.class_names,
        palette=segmenter.palette,
        ignore_class=ignore_class,
        protocol=_protocol(segmenter, passes, refinement),
    )
    with_crf = tallies[1].result(facts) if refinement else None
    return tallies[0].result(facts, pictures=gallery.pictures(), crf=with_crf)


class _Tally:
    """Counts over the images, of one kind of mask."""

    def __init__(self, classes: int, ignore_class: int, trimap_width: int) -> None:
        self.labels: dict[str, int] = dict(classes=classes, ignore_class=ignore_class)
        self.confusion = np.zeros((classes, classes), "int64")
        self.trimap = np.zeros((trimap_width, classes, classes), "int64")
        self.boundary = np.zeros((2, classes), "int64")
        self.images: list[ImageResult] = []

    def add(self, element: Element, labels: np.ndarray, seconds: float) -> None:
        truth = element.labels
        try:
            confusion = confusion_matrix(truth, labels, **self.labels)
        except ValueError as error:
            raise ValueError(f"{element.name}: {error}") from error
        self.confusion += confusion
        self.trimap += trimap_matrices(truth, labels, **self.labels, maximum=len(self.trimap))
        self.boundary += boundary_counts(truth, labels, **self.labels)
        self.images.append(
            ImageResult(
                name=element.name,
                height=truth.shape[0],
                width=truth.shape[1],
                mean_iou=mean_iou(confusion),
                pixel_accuracy=pixel_accuracy(confusion),
                seconds=seconds,
            )
        )

    def result(self, facts: dict[str, Any], **more: Any) -> Evaluation:
        return Evaluation(
            **facts,
            confusion=self.confusion,
            trimap=self.trimap,
            boundary=self.boundary,
            images=tuple(self.images),
            **more,
        )


class _Gallery:
    """The worst and the best images so far."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._kept: list[Picture] = []

    def add(self, element: Element, masks: list[np.ndarray], mean_ious: list[float]) -> None:
        if np.isnan(mean_ious[0]):
            return
        image = Image.fromarray(element.image)
        image.thumbnail((_PICTURE_SIDE, _PICTURE_SIDE), Image.Resampling.BILINEAR)
        truth, *labels = (
            nearest_labels(x, (image.height, image.width)) for x in (element.labels, *masks)
        )
        self._kept.append(
            Picture(element.name, np.asarray(image), truth, tuple(labels), tuple(mean_ious))
        )
        self._kept.sort(key=lambda picture: picture.mean_iou[0])
        if len(self._kept) > 2 * self.number:
            del self._kept[self.number]

    def pictures(self) -> tuple[Picture, ...]:
        return tuple(self._kept)


def dataset_names(dataset: Any) -> tuple[str, ...] | None:
    """Returns what a dataset calls its classes; None if it only numbers them."""
    names = getattr(dataset, "class_names", None)
    if names is None or tuple(names) == _numbered(len(names)):
        return None
    return tuple(names)


def _numbered(classes: int) -> tuple[str, ...]:
    return tuple(f"class {label}" for label in range(classes))


def _check_classes(segmenter: Segmenter, dataset: Any) -> None:
    ours, theirs = segmenter.class_names, dataset_names(dataset)
    numbered = len(getattr(dataset, "class_names", ours))
    if theirs is None and numbered != len(ours):
        _logger.warning(
            "The dataset numbers %d classes and %s has %d: labels are compared as they are. Give "
            "the dataset its class names if they mean others.",
            numbered,
            segmenter.name,
            len(ours),
        )
    if theirs is None or theirs == ours:
        return
    if len(theirs) != len(ours) or sorted(theirs) == sorted(ours):
        raise ValueError(
            f"The dataset must have the network's classes, in their order. Received: "
            f"{len(theirs)} classes ({_first(theirs)}) for {segmenter.name} with {len(ours)} "
            f"({_first(ours)})."
        )
    a, b = next((a, b) for a, b in zip(ours, theirs, strict=True) if a != b)
    _logger.warning(
        "The dataset's classes have other names than the network's: %r is compared with %r.", b, a
    )


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _protocol(segmenter: Segmenter, passes: Passes, crf: DenseCRF | None) -> dict[str, Any]:
    fixed = [side for side in segmenter.input_shape[1:3] if side]
    size = fixed if len(fixed) == 2 else passes.size
    return {
        "size": "own" if size is None else list(size),
        "scales": list(passes.scales),
        "flip": passes.flip,
        "sliding_window": passes.sliding_window,
        "crf": None if crf is None else asdict(crf),
    }
