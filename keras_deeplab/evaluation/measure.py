"""Evaluates a network on a dataset."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import tee
from typing import Any, Unpack

import numpy as np
from PIL import Image
from tqdm import tqdm

from keras_deeplab._validation import check_int, listed
from keras_deeplab.evaluation.boundaries import boundary_counts, trimap_matrices
from keras_deeplab.evaluation.elements import Element, count, elements
from keras_deeplab.evaluation.result import Evaluation, ImageResult, Picture
from keras_deeplab.inference import (
    InferenceOptions,
    InferenceSettings,
    Scores,
    Segmenter,
    in_order,
    nearest_labels,
    open_segmenter,
    read_ahead,
    resolve_crf,
    resolve_options,
)
from keras_deeplab.metrics import confusion_matrix, mean_iou, pixel_accuracy

# Labels and computing time in seconds, for each kind of mask.
Masks = list[tuple[np.ndarray, float]]
# Arrays by the field of `Evaluation`.
PixelCounts = dict[str, Any]
_PICTURE_SIDE = 400
_logger = logging.getLogger("keras_deeplab")


def evaluate(
    model: Any,
    dataset: Iterable[Any],
    *,
    class_names: Sequence[str] | None = None,
    ignore_class: int | None = None,
    trimap_width: int = 40,
    pictures: int = 4,
    limit: int | None = None,
    progressbar: bool | None = True,
    options: InferenceOptions | None = None,
    **settings: Unpack[InferenceSettings],
) -> Evaluation:
    """Evaluates the masks of a network on a dataset.

    Masks are computed like in `segment` and compared with the ground truth at the image's size.
    The mean IoU is computed from the pixel counts of all images, over the classes that occur in
    the true or the predicted masks. Files of a `read_dataset` that cannot be read are left out,
    with a warning; the result names them.

    To evaluate at a different output stride, build the model with that stride:
    ``DeepLab(weights="voc", output_stride=8)``.

    Args:
        model: A model of `DeepLab`, another `keras.Model`, the path of an exported file, or a
            `keras_deeplab.inference.Segmenter`.
        dataset: A `keras_deeplab.data.SegmentationData`; or an iterable (a `tf.data.Dataset` too)
            of dicts with "image" (height, width, 3), RGB 0-255, "labels" (height, width) and an
            optional "name", or of pairs (image, labels); or batches of these.
        class_names: Names by label id. Default: those stored in the model, else the dataset's.
        ignore_class: True label of the pixels to exclude. Default: the dataset's, else the
            model's.
        trimap_width: Width of the widest band around the true boundaries, pixels.
        pictures: Number of worst images, and of best images, to keep for the report.
        limit: Maximum number of images. Default: all.
        progressbar: Whether to show a progress bar; None: only in a terminal.
        options: Size, scales, flip, sliding window, CRF and batch size. With a CRF, the results
            with and without it come from the same pass.
        **settings: Fields of `keras_deeplab.inference.InferenceOptions`, which replace those of
            `options`: ``size="own"``, ``scales=(0.75, 1, 1.25)``, ``flip=True``, ``crf=True``,
            ``batch_size=4``.

    Returns:
        The metrics; ``evaluation.crf`` holds the metrics with CRF.

    Raises:
        ValueError: If no image can be read, a label is not a class of the network, or the settings
            are invalid for the network.
        FileNotFoundError: If no file exists.

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
    options = resolve_options(options, settings)
    segmenter.check(options)
    _check_classes(segmenter, dataset)
    if ignore_class is None:
        ignore_class = getattr(dataset, "ignore_class", segmenter.ignore_class)
    classes = len(segmenter.class_names)
    ids: dict[str, int] = dict(classes=classes, ignore_class=ignore_class)
    # For each kind of mask, the results of the images and the sums of their pixel counts.
    tallies: list[tuple[list[ImageResult], PixelCounts]] = [
        ([], defaultdict(int)) for _ in range(1 + bool(options.crf))
    ]
    kept: list[Picture] = []
    left_out: list[str] = []

    def compare(item: tuple[Element, Masks]) -> tuple[Element, Masks, list[Any]]:
        element, masks = item
        return element, masks, [_compared(element, *one, ids, trimap_width) for one in masks]

    found = elements(dataset, **ids, limit=limit, left_out=left_out)
    for element, masks, counts in tqdm(
        in_order(compare, _predicted(segmenter, found, options)),
        total=count(dataset, limit),
        desc=segmenter.name,
        unit="image",
        disable=None if progressbar is None else not progressbar,
    ):
        for (results, sums), (result, matrices) in zip(tallies, counts, strict=True):
            results.append(result)
            for name, matrix in matrices.items():
                sums[name] += matrix
        mean_ious = tuple(result.mean_iou for result, _ in counts)
        _keep_picture(kept, pictures, element, [labels for labels, _ in masks], mean_ious)
    images, sums = tallies[0]
    if not images:
        raise ValueError("The dataset must hold images. Received: none.")
    if not sums["confusion"].any():
        raise ValueError(
            f"The dataset must have labelled pixels. Received: {len(images)} images in which every "
            f"pixel has the ignored label {ignore_class}."
        )
    facts: dict[str, Any] = dict(
        model=segmenter.name,
        class_names=segmenter.class_names,
        palette=segmenter.palette,
        ignore_class=ignore_class,
        protocol=segmenter.protocol(options),
        left_out=tuple(left_out),
    )
    plain, *refined = (
        Evaluation(**facts, **sums, images=tuple(results)) for results, sums in tallies
    )
    return replace(plain, pictures=tuple(kept), crf=refined[0] if refined else None)


def _predicted(
    segmenter: Segmenter, found: Iterable[Element], options: InferenceOptions
) -> Iterator[tuple[Element, Masks]]:
    """Yields each image with its masks and computing times: without CRF, then with CRF."""
    crf = resolve_crf(options.crf)
    for_images, again = tee(read_ahead(found))
    images = (element.image for element in for_images)
    scores = segmenter.predict(images, replace(options, crf=False), labels_only=crf is None)
    for element, plain in zip(again, scores, strict=True):
        masks = [_labels(plain)]
        if crf is not None:
            start = time.perf_counter()
            refined = plain.refined(crf)
            seconds = plain.seconds + time.perf_counter() - start
            masks.append(_labels(replace(refined, seconds=seconds)))
        yield element, masks


def _labels(scores: Scores) -> tuple[np.ndarray, float]:
    start = time.perf_counter()
    labels = scores.labels()
    return labels, scores.seconds + time.perf_counter() - start


def _compared(
    element: Element, labels: np.ndarray, seconds: float, ids: dict[str, int], trimap_width: int
) -> tuple[ImageResult, PixelCounts]:
    """Returns the result of one image, and its pixel counts."""
    truth = element.labels
    try:
        confusion = confusion_matrix(truth, labels, **ids)
    except ValueError as error:
        raise ValueError(f"{element.name}: {error}") from error
    height, width = truth.shape
    shares = mean_iou(confusion), pixel_accuracy(confusion)
    return ImageResult(element.name, height, width, *shares, seconds), {
        "confusion": confusion,
        "trimap": trimap_matrices(truth, labels, **ids, maximum=trimap_width),
        "boundary": boundary_counts(truth, labels, **ids),
    }


def _keep_picture(
    kept: list[Picture],
    number: int,
    element: Element,
    masks: list[np.ndarray],
    mean_ious: tuple[float, ...],
) -> None:
    """Adds an image, reduced in size, to the worst and the best ones so far."""
    if np.isnan(mean_ious[0]):
        return
    image = Image.fromarray(element.image)
    image.thumbnail((_PICTURE_SIDE, _PICTURE_SIDE), Image.Resampling.BILINEAR)
    size = image.height, image.width
    truth, *labels = (nearest_labels(one, size) for one in (element.labels, *masks))
    kept.append(Picture(element.name, np.asarray(image), truth, tuple(labels), mean_ious))
    kept.sort(key=lambda picture: picture.mean_iou[0])
    if len(kept) > 2 * number:
        del kept[number]


def dataset_names(dataset: Any) -> tuple[str, ...] | None:
    """Returns the class names of a dataset, or None if it only numbers its classes."""
    names = tuple(getattr(dataset, "class_names", None) or ())
    numbered = all(name == f"class {label}" for label, name in enumerate(names))
    return None if numbered else names


def _check_classes(segmenter: Segmenter, dataset: Any) -> None:
    ours, theirs = segmenter.class_names, dataset_names(dataset)
    if theirs is None:
        numbered = len(getattr(dataset, "class_names", ours))
        if numbered != len(ours):
            _logger.warning(
                "The dataset numbers %d classes and %s has %d: labels are compared as they are. "
                "Give the dataset its class names if they mean others.",
                numbered,
                segmenter.name,
                len(ours),
            )
    elif len(theirs) != len(ours) or (theirs != ours and sorted(theirs) == sorted(ours)):
        raise ValueError(
            f"The dataset must have the network's classes, in their order. Received: "
            f"{len(theirs)} classes ({listed(theirs, 3)}) for {segmenter.name} with {len(ours)} "
            f"({listed(ours, 3)}). Evaluate a network trained on these classes, or map the labels "
            f"of the masks to the network's, as with --label-map."
        )
    elif theirs != ours:
        a, b = next((a, b) for a, b in zip(ours, theirs, strict=True) if a != b)
        _logger.warning(
            "The dataset's classes have other names than the network's: %r is compared with %r.",
            b,
            a,
        )
