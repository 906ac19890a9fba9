"""The results of an evaluation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from keras_deeplab._version import __version__
from keras_deeplab.metrics import (
    class_iou,
    frequency_weighted_iou,
    mean_iou,
    mean_iou_in_truth,
    pixel_accuracy,
)
from keras_deeplab.presets.datasets import Palette

_FORMAT_VERSION = 2
# Attributes of `Evaluation` in the JSON file.
_FACTS = ("model", "class_names", "palette", "ignore_class", "protocol", "left_out")
_MEASURES = (
    *("mean_iou", "mean_iou_in_truth", "pixel_accuracy", "frequency_weighted_iou"),
    *("boundary_iou", "seconds_per_image", "class_iou", "class_boundary_iou"),
)


@dataclass(frozen=True)
class ImageResult:
    """The results for one image.

    Attributes:
        name: Name of the image in the dataset.
        height: Height of the image, pixels.
        width: Width of the image, pixels.
        mean_iou: Mean IoU over the classes in the truth or the mask; NaN if all pixels are ignored.
        pixel_accuracy: Share of correct pixels.
        seconds: Time for the mask: forward passes, CRF, resizing.
    """

    name: str
    height: int
    width: int
    mean_iou: float
    pixel_accuracy: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Picture:
    """An image for the report, reduced in size.

    Attributes:
        name: Name of the image in the dataset.
        image: uint8 array of shape (height, width, 3).
        truth: Labels of shape (height, width).
        labels: Predicted labels, without CRF and, if used, with CRF.
        mean_iou: Mean IoU of the image for each of `labels`.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray
    labels: tuple[np.ndarray, ...]
    mean_iou: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The metrics of a network on a dataset. All shares are fractions from 0 to 1.

    Attributes:
        model: Name of the network.
        class_names: Names by label id.
        palette: RGB colours by label id.
        ignore_class: True label of the excluded pixels.
        protocol: Settings of the evaluation, as JSON-serialisable values.
        confusion: Pixels by true label (row) and predicted label.
        trimap: Confusion matrices of the pixels up to 1, 2, ... pixels from a true border, of
            shape (widths, classes, classes).
        boundary: Pixels in both boundaries, and in one or both, of shape (2, classes).
        images: Every image's result, in the order of the dataset.
        pictures: The worst images, worst first, and the best, best last.
        crf: The evaluation with CRF, or None.
        left_out: Names of the images that could not be read.
    """

    model: str
    class_names: tuple[str, ...]
    palette: Palette
    ignore_class: int
    protocol: dict[str, Any]
    confusion: np.ndarray
    trimap: np.ndarray
    boundary: np.ndarray
    images: tuple[ImageResult, ...]
    pictures: tuple[Picture, ...] = ()
    crf: Evaluation | None = None
    left_out: tuple[str, ...] = ()

    @property
    def mean_iou(self) -> float:
        """Mean intersection over union over the classes in the truth or in the prediction."""
        return mean_iou(self.confusion)

    @property
    def mean_iou_in_truth(self) -> float:
        """Mean intersection over union over the classes in the truth only."""
        return mean_iou_in_truth(self.confusion)

    @property
    def class_iou(self) -> np.ndarray:
        """Intersection over union by label id; NaN for classes in neither truth nor masks."""
        return class_iou(self.confusion)

    @property
    def pixel_accuracy(self) -> float:
        """Share of correct pixels."""
        return pixel_accuracy(self.confusion)

    @property
    def frequency_weighted_iou(self) -> float:
        """Mean intersection over union, weighted by the share of true pixels of each class."""
        return frequency_weighted_iou(self.confusion)

    @property
    def class_boundary_iou(self) -> np.ndarray:
        """Boundary IoU by label id; NaN for classes in neither truth nor masks."""
        both, either = self.boundary
        return np.divide(both, either, out=np.full(len(both), np.nan), where=either > 0)

    @property
    def boundary_iou(self) -> float:
        """Mean boundary IoU over the classes that occur (Cheng et al., arXiv:2103.16562)."""
        values = self.class_boundary_iou
        return float(values[~np.isnan(values)].mean()) if (values >= 0).any() else float("nan")

    @property
    def trimap_mean_iou(self) -> np.ndarray:
        """Mean IoU in the bands of 1, 2, ... pixels around the true borders."""
        return np.array([mean_iou(matrix) for matrix in self.trimap])

    @property
    def trimap_accuracy(self) -> np.ndarray:
        """Share of correct pixels in the bands of 1, 2, ... pixels."""
        return np.array([pixel_accuracy(matrix) for matrix in self.trimap])

    @property
    def seconds_per_image(self) -> float:
        """Median time for one mask; the median excludes the slow first image."""
        return median(image.seconds for image in self.images)

    def to_dict(self) -> dict[str, Any]:
        """Returns everything except the pictures as JSON-serialisable values, with NaN as None."""
        values = {
            "format_version": _FORMAT_VERSION,
            "keras_deeplab_version": __version__,
            **{name: getattr(self, name) for name in _FACTS},
            **self._measures(),
            "crf": self.crf._measures() if self.crf else None,
        }
        return {name: _plain(value) for name, value in values.items()}

    def _measures(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in _MEASURES},
            "trimap": {
                "widths": list(range(1, len(self.trimap) + 1)),
                "mean_iou": self.trimap_mean_iou,
                "pixel_accuracy": self.trimap_accuracy,
            },
            "confusion": self.confusion,
            "images": [asdict(image) for image in self.images],
        }


def _plain(value: Any) -> Any:
    """Converts arrays and tuples to lists, and NaN to None."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and np.isnan(value) else value
