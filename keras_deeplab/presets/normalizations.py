"""Normalisations of RGB 0-255 for networks."""

from __future__ import annotations

from dataclasses import dataclass

# Statistics of ImageNet's RGB levels, as fractions (torchvision) and levels (Caffe's ILSVRC mean).
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CAFFE_MEAN = (122.67892, 116.66877, 104.00699)


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
    "caffe": Normalization(
        "ImageNet's mean subtracted", [1.0, 1.0, 1.0], [-mean for mean in _CAFFE_MEAN]
    ),
}
