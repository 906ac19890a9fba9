"""Multi-scale inputs: one network on several scales of the image, fused by the maximum."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import keras

from keras_deeplab.layers import RescaleBilinear, ResizeBilinear


def scores_name(scale: float) -> str:
    """Returns the name of the layer that holds the scores of one scale: "scores_075" for 0.75."""
    return f"scores_{round(100 * scale):03d}"


def multi_scale(
    network: keras.Model,
    image: Any,
    *,
    scales: Sequence[float],
    align_corners: bool,
    grid: str = "size",
) -> Any:
    """Runs ``network`` on every scale and takes the maximum at the largest resolution.

    The layer `scores_name(scale)` outputs the scores of each scale at its own resolution, for a
    loss per scale; the layer "scores_max" outputs the fused scores.

    ``scales`` are factors on height and width; ``grid`` is that of `RescaleBilinear`.

    Reference:
        Chen et al., arXiv:1606.00915, section 4.1.2.
    """
    scores = {}
    for scale in scales:
        x = image
        if scale != 1:
            # float32 with every dtype policy, like the normalisation.
            name = f"image_{round(100 * scale):03d}"
            x = RescaleBilinear(scale, align_corners, grid, dtype="float32", name=name)(image)
        scores[scale] = keras.layers.Identity(name=scores_name(scale))(network(x))
    largest = scores[max(scales)]
    resized = [
        largest
        if scale == max(scales)
        else ResizeBilinear(align_corners, name=f"{scores_name(scale)}_resize")([x, largest])
        for scale, x in scores.items()
    ]
    return keras.layers.Maximum(name="scores_max")(resized)


def training_model(model: keras.Model) -> keras.Model:
    """Returns a model that also outputs the scores for DeepLab v2's loss.

    The outputs are the scores of each scale and their maximum. The loss of v2 is the sum of one
    cross-entropy per output, with labels sub-sampled to its size. The layers are shared with
    ``model``, with or without multi-scale inputs: train the returned model, save and use ``model``.

    Returns:
        A model with the same input and a dict of outputs: logits at their own resolution, by layer
        name ("scores_050", ..., "scores_max"; without multi-scale inputs only "scores"), and
        "output", the output of ``model``, for metrics.

    Raises:
        ValueError: If the model does not have the last layers of `keras_deeplab.DeepLab`.

    Example:

    >>> network = training_model(DeepLab(version="v2", backbone="resnet101"))
    >>> losses = {name: CrossEntropy() for name in network.output_names if name != "output"}
    >>> network.compile("sgd", loss=losses, metrics={"output": MeanIoU(21)})
    >>> network.fit(data.map(lambda x, y: (x, dict.fromkeys(network.output_names, y))))

    Reference:
        Chen et al., arXiv:1606.00915, section 4.1.2.
    """
    names = {layer.name for layer in model.layers}
    if not {"upsampling", "output"} <= names:
        raise ValueError(
            f"model must be one of keras_deeplab.DeepLab, with the layers 'upsampling' and "
            f"'output'. Received: a model that ends in {model.layers[-1].name!r}."
        )
    outputs = {
        name: model.get_layer(name).output
        for name in sorted(names)
        if re.fullmatch(r"scores_(\d+|max)", name)
    }
    if not outputs:
        scores = model.get_layer("upsampling").input[0]
        # Keras names outputs after their layers, which differ between heads.
        outputs = {"scores": keras.layers.Identity(name="scores")(scores)}
    outputs = {**outputs, "output": model.get_layer("output").output}
    return keras.Model(model.input, outputs, name=f"{model.name}_training")
