"""Normalisations of RGB 0-255 for networks."""

from __future__ import annotations

from dataclasses import dataclass

# Statistics of ImageNet's RGB levels, as fractions (torchvision).
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MEANS = {
    # The prototxts of DeepLab v1 and v2, and kazuto1011/deeplab-pytorch.
    "caffe": (122.675, 116.669, 104.008),
    # keras.applications: VGG and ResNet.
    "caffe_keras": (123.68, 116.779, 103.939),
    # Caffe's ILSVRC mean: networks that this package saved before it had the other two.
    "caffe_ilsvrc": (122.67892, 116.66877, 104.00699),
}


@dataclass(frozen=True)
class Normalization:
    """One normalisation: levels times `scale`, plus `offset`.

    Attributes:
        title: Description.
        scale: One factor, or one per channel.
        offset: One offset, or one per channel.
    """

    title: str
    scale: float | list[float]
    offset: float | list[float]


NORMALIZATIONS: dict[str, Normalization] = {
    "tf": Normalization("scaled to -1..1", 1 / 127.5, -1.0),
    "torch": Normalization(
        "ImageNet's mean subtracted, divided by its deviation",
        [1 / (255 * deviation) for deviation in _DEVIATION],
        [-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)],
    ),
    **{
        name: Normalization(
            f"ImageNet's mean, {', '.join(f'{mean:g}' for mean in means)}, subtracted",
            [1.0, 1.0, 1.0],
            [-mean for mean in means],
        )
        for name, means in _MEANS.items()
    },
    "none": Normalization("as it is", 1.0, 0.0),
}
