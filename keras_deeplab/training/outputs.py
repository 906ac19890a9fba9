"""The outputs of a network that a loss is put on."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras

# Of the output at the size of the image, which the metric is taken of.
SCORES = "output"


class TrainingModel(NamedTuple):
    """A network as it is trained.

    Attributes:
        model: From images to a dict of scores, with the network's layers and weights.
        losses: The outputs with a loss.
    """

    model: keras.Model
    losses: tuple[str, ...]

    def with_labels(self, batches: Any) -> Any:
        """Gives every output the labels, in a dataset of (images, labels)."""
        return batches.map(lambda images, labels: (images, dict.fromkeys(self.names, labels)))

    def metric(self, prefix: str = "") -> str:
        """Returns the name that Keras logs the mean IoU under."""
        # Keras puts the output's name before it where there are several.
        return f"{prefix}mean_iou" if len(self.names) == 1 else f"{prefix}{SCORES}_mean_iou"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((SCORES, *self.losses)))


def training_model(network: keras.Model, *, targets: str) -> TrainingModel:
    """Returns the network with the outputs that ``targets`` puts a loss on.

    Args:
        network: A model of `DeepLab`.
        targets: "image": its own output, at the size of the image. "scores": the scores before they
            are upsampled; with multi-scale inputs those of every scale, and their maximum.

    Returns:
        The model to compile and fit.

    Reference:
        Chen et al., arXiv:1606.00915, sections 4 and 4.1.2.
    """
    outputs = {SCORES: network.output}
    if targets == "scores":
        found = [layer for layer in network.layers if layer.name.startswith("scores_")]
        tensors = {layer.name: layer.output for layer in found if not layer.name.endswith("resize")}
        outputs |= tensors or {"scores": network.get_layer("upsampling").input[0]}
    losses = tuple(outputs) if targets == "image" else tuple(outputs)[1:]
    return TrainingModel(keras.Model(network.input, outputs), losses)
