"""The preset of a file of pretrained weights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A published or measured number.

    Attributes:
        mean_iou: Mean intersection over union, 0 to 1.
        protocol: Split and evaluation protocol.
        source: Who measured it.
    """

    mean_iou: float
    protocol: str
    source: str


@dataclass(frozen=True, kw_only=True)
class WeightsRow:
    """One weights file.

    Attributes:
        name: `{network}.{data}`, the full name for `DeepLab(weights=...)`.
        network: A name in `DEEPLABS`.
        dataset: A name in `DATASETS`; its classes are those of the classifier.
        trained_on: Training data.
        file: File name in the cache and in a mirror.
        member: Name of the weights inside the file, if it is an archive with several.
        url: Where the file is published. None: the file is part of the package.
        sha256: Hash of the file, in hexadecimal, or only its first digits, as published in the file
            name. None: no hash was published; that of the first download is recorded and checked
            from then on.
        num_bytes: Size of the file in bytes; None if unknown.
        converter: The reader in `keras_deeplab.weights.readers`.
        preprocessing: Normalisation of RGB 0-255 in training.
        align_corners: Grid of the bilinear resizes.
        padding: Zeros around strided convolutions in training: "symmetric", or "tensorflow", which
            pads the top and left less at even sizes (its "SAME").
        batch_norm: "folded" if batch norm is folded into the convolutions of the file.
        output_stride: Output stride in training.
        inference_size: Recommended (height, width) that photos are resized to fit. None: that of
            the dataset.
        multi_scale_inputs: Scales of the image in training, with shared weights.
        multi_scale_grid: Pixels at which the image was sampled for a scale: "size", the image's
            size divided by the rounded one, or "factor", exactly 1 / scale apart.
        trained_on_val: Whether the training data includes the dataset's validation images.
        metrics: Published metrics.
        measured: Metrics measured by this project, see docs/benchmarks.
        recommended: Whether these are the default weights of the dataset.
        licence: SPDX identifier; "NOASSERTION" if the publisher states none.
        source: Publisher.
    """

    name: str
    network: str
    dataset: str
    trained_on: str
    file: str
    member: str = ""
    url: str | None
    sha256: str | None = None
    num_bytes: int | None = None
    converter: str
    preprocessing: str
    align_corners: bool
    padding: str = "symmetric"
    batch_norm: str = "trainable"
    output_stride: int
    inference_size: tuple[int, int] | None = None
    multi_scale_inputs: tuple[float, ...] = ()
    multi_scale_grid: str = "size"
    trained_on_val: bool = False
    metrics: tuple[Metric, ...] = ()
    measured: tuple[Metric, ...] = ()
    recommended: bool = False
    licence: str
    source: str
