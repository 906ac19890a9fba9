"""The last layer of a segmentation model: float32 scores, with class names as metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import keras


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class SegmentationOutput(keras.layers.Layer):
    """Casts scores to float32, applies the activation and stores the class names.

    Class names and inference size are saved and loaded with the model, so that its masks can be
    interpreted and its input prepared.

    Args:
        class_names: Names by label id.
        activation: Name of a Keras activation over the last axis; None returns logits.
        inference_size: Recommended (height, width) that photos are resized to fit. None: that of
            the dataset of its classes.
        network: Name of the network's preset, whatever the name of its model. None: not known.
        **kwargs: Arguments of `keras.layers.Layer`. The layer is float32 with every dtype policy.

    Input shape:
        (batch, height, width, classes)

    Output shape:
        The same.

    Example:

    >>> layer = SegmentationOutput(["background", "cat"], activation="softmax")
    >>> layer(keras.ops.zeros((1, 1, 1, 2)))[0, 0, 0].numpy().tolist()
    [0.5, 0.5]
    """

    def __init__(
        self,
        class_names: Sequence[str],
        activation: str | None = None,
        inference_size: tuple[int, int] | None = None,
        network: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.class_names = tuple(class_names)
        self.activation = keras.activations.get(activation)
        self.inference_size = inference_size and (inference_size[0], inference_size[1])
        self.network = network

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "class_names": list(self.class_names),
            "activation": keras.activations.serialize(self.activation),
            "inference_size": self.inference_size,
            "network": self.network,
        }


def takes_rgb(model: keras.Model) -> bool:
    """Whether a model normalises RGB 0-255 itself; assumed for models of other origin.

    `DeepLab(include_preprocessing=False)` returns models that do not.
    """
    if find_output(model) is None or all(layer.name != "upsampling" for layer in model.layers):
        return True
    scaling = (keras.layers.Rescaling, keras.layers.Normalization)
    return any(isinstance(layer, scaling) for layer in model._flatten_layers())


def find_output(model: keras.Model) -> SegmentationOutput | None:
    """Returns the `SegmentationOutput` at the end of a model, or None for other models."""
    layers = reversed(model.layers)
    return next((layer for layer in layers if isinstance(layer, SegmentationOutput)), None)
