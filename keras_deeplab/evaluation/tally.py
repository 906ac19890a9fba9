"""Pixel counts for the metrics: of one image, and summed over a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_deeplab.evaluation.boundaries import boundary_counts, trimap_matrices
from keras_deeplab.evaluation.elements import Element
from keras_deeplab.evaluation.result import Evaluation, ImageResult
from keras_deeplab.metrics import confusion_matrix, mean_iou, pixel_accuracy


@dataclass(frozen=True)
class Counts:
    """Pixel counts of one image, for one kind of mask."""

    image: ImageResult
    confusion: np.ndarray
    trimap: np.ndarray
    boundary: np.ndarray


class Tally:
    """Pixel counts of all images, for one kind of mask."""

    def __init__(self, classes: int, ignore_class: int, trimap_width: int) -> None:
        self.ids: dict[str, int] = dict(classes=classes, ignore_class=ignore_class)
        self.confusion = np.zeros((classes, classes), "int64")
        self.trimap = np.zeros((trimap_width, classes, classes), "int64")
        self.boundary = np.zeros((2, classes), "int64")
        self.images: list[ImageResult] = []

    def count(self, element: Element, labels: np.ndarray, seconds: float) -> Counts:
        """Returns the counts of a mask and its computing time, without adding them."""
        truth = element.labels
        try:
            confusion = confusion_matrix(truth, labels, **self.ids)
        except ValueError as error:
            raise ValueError(f"{element.name}: {error}") from error
        image = ImageResult(
            name=element.name,
            height=truth.shape[0],
            width=truth.shape[1],
            mean_iou=mean_iou(confusion),
            pixel_accuracy=pixel_accuracy(confusion),
            seconds=seconds,
        )
        trimap = trimap_matrices(truth, labels, **self.ids, maximum=len(self.trimap))
        return Counts(image, confusion, trimap, boundary_counts(truth, labels, **self.ids))

    def add(self, counts: Counts) -> None:
        """Adds the counts of an image."""
        self.confusion += counts.confusion
        self.trimap += counts.trimap
        self.boundary += counts.boundary
        self.images.append(counts.image)

    def result(self, facts: dict[str, Any], **more: Any) -> Evaluation:
        """Returns the evaluation; `facts` and `more` are its other fields."""
        return Evaluation(
            **facts,
            confusion=self.confusion,
            trimap=self.trimap,
            boundary=self.boundary,
            images=tuple(self.images),
            **more,
        )
