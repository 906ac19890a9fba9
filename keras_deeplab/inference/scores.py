"""What a network says of one photo, and the ways to read it."""

from __future__ import annotations

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
    """Class scores of a photo at the size they were computed at, without padding.

    Attributes:
        values: Array of shape (height, width, classes); integers of shape (height, width) where
            the network returns labels.
        kind: "logits", "probabilities" or "labels".
        photo: The photo they belong to, uint8 of shape (photo_height, photo_width, 3).
        seconds: Time the network took: its share of that of its batch.

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
        """(height, width) that the scores were computed at."""
        return self.values.shape[0], self.values.shape[1]

    def labels(self) -> np.ndarray:
        """Returns the class of every pixel of the photo, from its bilinearly resized scores.

        Labels of a network that returns labels are those of the nearest pixels.

        Returns:
            Array of shape (photo_height, photo_width), uint8, or uint16 above 256 classes.
        """
        if self.kind != "labels":
            return resized_labels(self.values, self._photo_size)
        dtype = "uint8" if self.values.max(initial=0) <= 255 else "uint16"
        return nearest_labels(self.values.astype(dtype), self._photo_size)

    def probabilities(self) -> np.ndarray:
        """Returns float32 probabilities of shape (photo_height, photo_width, classes).

        Raises:
            ValueError: If the network returns labels.
        """
        self._check_scores("probabilities")
        resized = resized_scores(self.values, self._photo_size)
        return softmax(resized) if self.kind == "logits" else resized

    def refined(self, crf: DenseCRF) -> Scores:
        """Returns probabilities refined with the photo, at the size of these scores.

        Raises:
            ValueError: If the network returns labels, or what it calls logits are probabilities.
        """
        self._check_scores("a CRF")
        logits = self.kind == "logits"
        if logits and are_probabilities(self.values):
            raise ValueError(
                "A CRF must know whether scores are logits. Received: logits that are "
                "probabilities in every pixel. Open the network with open_segmenter(model, "
                "from_logits=False)."
            )
        values = crf(self.values, resized_image(self.photo, self.size), from_logits=logits)
        return replace(self, values=values, kind="probabilities")

    @property
    def _photo_size(self) -> tuple[int, int]:
        return self.photo.shape[0], self.photo.shape[1]

    def _check_scores(self, purpose: str) -> None:
        if self.kind == "labels":
            raise ValueError(
                f"A network must return scores for {purpose}. Received: one that returns labels. "
                f"Export it without argmax."
            )


def are_probabilities(scores: np.ndarray) -> bool:
    """Whether scores are positive and sum to 1 over the classes in every pixel."""
    return bool(scores.min() >= 0 and np.abs(scores.sum(axis=-1) - 1).max() < 0.02)
