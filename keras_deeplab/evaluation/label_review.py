"""Ranks photos: where labels and network disagree, and which are most worth labelling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import tee
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np
from PIL import Image

from keras_deeplab._validation import check_int, listed
from keras_deeplab.data.annotations.outlines import outlines
from keras_deeplab.data.images import read_image
from keras_deeplab.data.sources import SegmentationFiles
from keras_deeplab.evaluation.boundaries import combine_neighbours
from keras_deeplab.inference import (
    InferenceOptions,
    InferenceSettings,
    Scores,
    open_segmenter,
    resolve_options,
)

# Photos are compared at most at this size, pixels: errors of labels are larger than a border.
_SIDE = 240
# Least lead of the network's class over the labelled one, in probability, that counts.
_LEAD = 0.5
# Least share of a photo that a region must cover to be listed.
_LEAST_SHARE = 0.001
# Above 1, one large region counts more than several small ones of the same area: an object that is
# missing in the labels is one region.
_EXPONENT = 1.5
_BACKGROUND = "background"


@dataclass(frozen=True)
class SuspectRegion:
    """A region that the network labels otherwise.

    Attributes:
        kind: "missing object", "extra object" or "other class".
        labelled: Class of the labels.
        predicted: Class of the network.
        box: (top, left, bottom, right) as shares of the photo, 0 to 1.
        share: Share of the photo, 0 to 1.
    """

    kind: str
    labelled: str
    predicted: str
    box: tuple[float, float, float, float]
    share: float


@dataclass(frozen=True, eq=False)
class Suspect:
    """A photo whose labels may be wrong.

    Attributes:
        name: Name of the photo in the dataset.
        image: Image file.
        score: Disagreement, 0 to 1: the lead of the network's class over the labelled one, summed
            over each region that differs, away from borders. Large regions count more, and regions
            of two classes that the network often confuses less.
        regions: The regions that differ, largest first.
        index: Position in the dataset.
    """

    name: str
    image: Path
    score: float
    regions: tuple[SuspectRegion, ...]
    index: int


class _Difference(NamedTuple):
    """Where labels and network differ: pairs of classes, and the lead of the network's class."""

    pairs: np.ndarray
    lead: np.ndarray
    known: int


def review(
    model: Any,
    data: SegmentationFiles,
    *,
    options: InferenceOptions | None = None,
    **settings: Unpack[InferenceSettings],
) -> list[Suspect]:
    """Ranks the photos of a dataset by the disagreement of labels and network, largest first.

    A network that was not trained on these photos, such as one of another fold, finds more.

    Args:
        model: A model of `DeepLab`, another `keras.Model`, the path of an exported file, or a
            `keras_deeplab.inference.Segmenter`.
        data: Images and masks.
        options: Size, scales, flip, sliding window, CRF and batch size.
        **settings: Fields of `keras_deeplab.inference.InferenceOptions`.

    Raises:
        ValueError: If the classes of network and data differ in number, or a file is damaged.

    Example:

    >>> data = read_dataset("photos", "train")  # doctest: +SKIP
    >>> worst = review("best.keras", data)[0]  # doctest: +SKIP
    >>> worst.name, worst.regions[0].kind  # doctest: +SKIP

    Reference:
        Northcutt et al., arXiv:1911.00068 (confident learning); Lad and Mueller, arXiv:2307.05080
        (label errors in segmentation).
    """
    segmenter = open_segmenter(model, fallback_names=data.class_names)
    classes = len(segmenter.class_names)
    if classes != len(data.class_names):
        raise ValueError(
            f"Network and data must have the same classes. Received: {segmenter.name} with "
            f"{classes} ({listed(segmenter.class_names, 3)}) and data with "
            f"{len(data.class_names)} ({listed(data.class_names, 3)}). Review with a network that "
            f"was trained on these data."
        )
    counts = np.zeros((classes, classes))
    elements, again = tee(data)
    images = (element["image"] for element in elements)
    found = [
        _difference(element["labels"], scores, data.ignore_class, counts)
        for element, scores in zip(
            again, segmenter.predict(images, resolve_options(options, settings)), strict=True
        )
    ]
    # How often the network gives a class to pixels of another, of the pixels of either: a
    # systematic confusion is no error of the labels.
    given, predicted = (counts / np.maximum(counts.sum(i, keepdims=True), 1) for i in (1, 0))
    weights = np.append(((1 - given) * (1 - predicted)).ravel(), 0)
    suspects = [_suspect(index, one, weights, data) for index, one in enumerate(found)]
    return sorted(suspects, key=lambda one: -one.score)


def _difference(
    labels: np.ndarray, scores: Scores, ignore_class: int, counts: np.ndarray
) -> _Difference:
    height, width = labels.shape
    step = max(1, -(-max(height, width) // _SIDE))
    given = labels[::step, ::step].astype("int64")
    if scores.kind == "labels":
        predicted = scores.labels()[::step, ::step].astype("int64")
        lead = (predicted != given).astype("float32")
    else:
        shares = scores.probabilities()[::step, ::step]
        predicted = shares.argmax(-1)
        own = np.take_along_axis(shares, np.minimum(given, shares.shape[-1] - 1)[..., None], -1)
        lead = shares.max(-1) - own[..., 0]
    classes = len(counts)
    known = (given != ignore_class) & (given < classes)
    np.add.at(counts, (given[known], predicted[known]), 1)
    wrong = known & (predicted != given) & (lead > _LEAD)
    # Pixels at a border are left out: their eight neighbours must be wrong too.
    wrong = combine_neighbours(np.pad(wrong, 1, "edge"), np.logical_and)
    pairs = np.where(wrong, np.where(known, given, 0) * classes + predicted, classes**2)
    return _Difference(pairs.astype("int32"), lead.astype("float16"), int(known.sum()))


def _suspect(
    index: int, found: _Difference, weights: np.ndarray, data: SegmentationFiles
) -> Suspect:
    pairs, lead, known = found
    names = data.class_names
    evidence = lead * weights[pairs]
    score = 0.0
    height, width = pairs.shape
    regions = []
    smallest = max(1, round(_LEAST_SHARE * pairs.size))
    for outline in outlines(pairs, skip=(len(names) ** 2,), smallest=smallest, tolerance=0):
        rows, columns = np.nonzero(outline.mask)
        score += float(evidence[rows, columns].sum()) ** _EXPONENT
        labelled, predicted = (names[label] for label in divmod(outline.label, len(names)))
        kind = "other class"
        if labelled == _BACKGROUND:
            kind = "missing object"
        elif predicted == _BACKGROUND:
            kind = "extra object"
        top, bottom = float(rows.min() / height), float((rows.max() + 1) / height)
        left, right = float(columns.min() / width), float((columns.max() + 1) / width)
        box = (top, left, bottom, right)
        regions.append(SuspectRegion(kind, labelled, predicted, box, len(rows) / pairs.size))
    score = score ** (1 / _EXPONENT) / max(known, 1)
    example = data.examples[index]
    return Suspect(example.name, example.image, score, tuple(regions), index)


def worth_labelling(
    model: Any,
    photos: Sequence[str | Path],
    *,
    count: int = 50,
    options: InferenceOptions | None = None,
    **settings: Unpack[InferenceSettings],
) -> list[tuple[Path, float]]:
    """Chooses photos without labels that are worth labelling: uncertain, and unlike each other.

    Args:
        model: A model of `DeepLab`, another `keras.Model`, the path of an exported file, or a
            `keras_deeplab.inference.Segmenter`.
        photos: Image files; those that cannot be read are left out.
        count: Number of photos to choose.
        options: Size, scales, flip, sliding window, CRF and batch size.
        **settings: Fields of `keras_deeplab.inference.InferenceOptions`.

    Returns:
        Photos with their uncertainty, the mean entropy of their pixels, 0 to 1, in the order in
        which to label them.

    Example:

    >>> worth_labelling("best.keras", ["a.jpg", "b.jpg"])  # doctest: +SKIP
    """
    check_int("count", count, minimum=1)
    segmenter = open_segmenter(model)
    readable, images = tee(_readable(photos))
    scores = segmenter.predict((image for _, image in images), resolve_options(options, settings))
    paths, entropies, features = [], [], []
    for (path, _), one in zip(readable, scores, strict=True):
        shares = one.probabilities()
        step = max(1, -(-max(shares.shape[:2]) // _SIDE))
        shares = shares[::step, ::step]
        entropy = -(shares * np.log(np.maximum(shares, 1e-9))).sum(-1) / np.log(shares.shape[-1])
        paths.append(path)
        entropies.append(float(entropy.mean()))
        features.append(_grid(shares))
    if not paths:
        return []
    vectors, uncertain = np.stack(features), np.array(entropies)
    nearest = np.full(len(paths), np.inf)
    chosen: list[int] = []
    for _ in range(min(count, len(paths))):
        # The first is the most uncertain; then distance to the chosen ones counts as well.
        gain = uncertain * np.where(np.isinf(nearest), 1, nearest)
        gain[chosen] = -1
        best = int(gain.argmax())
        chosen.append(best)
        nearest = np.minimum(nearest, np.linalg.norm(vectors - vectors[best], axis=1))
    return [(paths[index], entropies[index]) for index in chosen]


def _readable(photos: Sequence[str | Path]) -> Iterator[tuple[Path, np.ndarray]]:
    for photo in photos:
        try:
            yield Path(photo), read_image(photo)
        except (ValueError, OSError):
            continue


def _grid(shares: np.ndarray) -> np.ndarray:
    """Returns the mean probabilities of the cells of a 3 x 3 grid, as one vector."""
    planes = np.ascontiguousarray(np.moveaxis(shares, -1, 0), "float32")
    cells = [Image.fromarray(plane).resize((3, 3), Image.Resampling.BOX) for plane in planes]
    return np.stack([np.asarray(cell) for cell in cells]).ravel()
