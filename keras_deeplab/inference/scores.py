"""The class scores of one photo, and their conversion to labels and probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from keras_deeplab.inference.dense_crf import DenseCRF
from keras_deeplab.inference.fitting import resized_image
from keras_deeplab.inference.interpolation import (
    nearest_labels,
    resized_labels,
    resized_scores,
    softmax,
)


@dataclass(frozen=True, eq=False)
class Scores:
    """Class scores of a photo at the size at which they were computed, without padding.

    Attributes:
        values: Array of shape (height, width, classes); for networks that return labels, integers
            of shape (height, width).
        kind: "logits", "probabilities" or "labels".
        photo: The photo, uint8 of shape (photo_height, photo_width, 3).
        seconds: Computing time of the network: the photo's share of the time of its batch.

    Example:

    >>> values = np.array([[[1.0, 0.0], [0.0, 2.0]]], "float32")
    >>> Scores(values, "logits", np.zeros((1, 4, 3), "uint8")).labels().tolist()
    [[0, 0, 1, 1]]
    """

    values: np.ndarray
    kind: str
    photo: np.ndarray
    seconds: float = 0.0

    @property
    def size(self) -> tuple[int, int]:
        """The (height, width) at which the scores were computed."""
        return self.values.shape[0], self.values.shape[1]

    def labels(self) -> np.ndarray:
        """Returns the class of every pixel of the photo, from its bilinearly resized scores.

        For networks that return labels, the labels are resized by nearest neighbour.

        Returns:
            Array of shape (photo_height, photo_width), uint8, or uint16 above 256 classes.
        """
        self._check_finite()
        if self.kind != "labels":
            return resized_labels(self.values, self.photo.shape[:2])
        dtype = "uint8" if self.values.max(initial=0) <= 255 else "uint16"
        return nearest_labels(self.values.astype(dtype), self.photo.shape[:2])

    def probabilities(self) -> np.ndarray:
        """Returns float32 probabilities of shape (photo_height, photo_width, classes).

        Raises:
            ValueError: If the network returns labels.
        """
        check_scores(self.kind, "probabilities")
        self._check_finite()
        resized = resized_scores(self.values, self.photo.shape[:2])
        return softmax(resized) if self.kind == "logits" else resized

    def refined(self, crf: DenseCRF) -> Scores:
        """Returns probabilities refined by a CRF, at the size of these scores.

        Raises:
            ValueError: If the network returns labels, or probabilities declared as logits.
        """
        check_scores(self.kind, "a CRF")
        if not np.isfinite(self.values).all():
            return self  # reported when the labels of the photo are asked for
        logits = self.kind == "logits"
        if logits and are_probabilities(self.values):
            raise ValueError(
                "A CRF must know whether scores are logits. Received: logits that are "
                "probabilities in every pixel. Open the network with open_segmenter(model, "
                "from_logits=False)."
            )
        values = crf(self.values, resized_image(self.photo, self.size), from_logits=logits)
        return replace(self, values=values, kind="probabilities")

    def as_probabilities(self) -> Scores:
        """Returns probabilities at the size of these scores.

        Raises:
            ValueError: If the network returns labels.
        """
        check_scores(self.kind, "probabilities")
        if self.kind == "probabilities":
            return self
        return replace(self, values=softmax(self.values.astype("float32")), kind="probabilities")

    def _check_finite(self) -> None:
        if not np.isfinite(self.values).all():
            raise ValueError(
                f"The scores of a network must be finite. Received: "
                f"{1 - np.isfinite(self.values).mean():.1%} of them NaN or infinite. Its weights "
                f"are damaged or its training diverged, or half precision overflows on the photo."
            )


def check_scores(kind: str, purpose: str, network: str = "one") -> None:
    """Raises `ValueError` if a network returns labels instead of scores."""
    if kind == "labels":
        raise ValueError(
            f"A network must return scores for {purpose}. Received: {network}, which returns "
            f"labels. Export it without argmax."
        )


def are_probabilities(scores: np.ndarray) -> bool:
    """Whether scores are positive and sum to 1 over the classes in every pixel."""
    return bool(scores.min() >= 0 and np.abs(scores.sum(axis=-1) - 1).max() < 0.02)


def smoothed(scores: Iterable[Scores], weight: float) -> Iterator[Scores]:
    """Averages the probabilities of frames exponentially; `weight` is that of the frames before.

    Example:

    >>> frame = np.zeros((1, 1, 3), "uint8")
    >>> values = [np.array([[[a, 1 - a]]], "float32") for a in (1.0, 0.0)]
    >>> frames = (Scores(value, "probabilities", frame) for value in values)
    >>> [scores.values.ravel().tolist() for scores in smoothed(frames, 0.75)]
    [[1.0, 0.0], [0.75, 0.25]]
    """
    mean: np.ndarray | None = None
    for one in scores:
        if mean is None or mean.shape != one.values.shape:
            mean = one.values
        else:
            mean = weight * mean + np.float32(1 - weight) * one.values
        yield replace(one, values=mean)
