"""What is known of a file of trained weights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A published or measured number.

    Attributes:
        mean_iou: Mean intersection over union, 0 to 1.
        protocol: Split and manner of evaluation.
        source: Who measured it.
    """

    mean_iou: float
    protocol: str
    source: str


@dataclass(frozen=True, kw_only=True)
class WeightsRow:
    """One weights file.

    Attributes:
        name: `{network}.{data}`, the full row name for `DeepLab(weights=...)`.
        network: A row name of `DEEPLABS`.
        dataset: A row name of `DATASETS`; its classes are the classifier's.
        trained_on: Split it was trained on.
        file: File name in the cache and in a mirror.
        member: Name of the weights inside the file, if it is an archive with several.
        url: Where it is published. None: the file ships inside the package.
        sha256: Hash of the file, in hexadecimal; its first digits where the publisher's file name
            carries no more; None where none was published. Then the hash of the first file that
            arrives is recorded beside it and holds from then on.
        num_bytes: Size of the file; None where it is not known.
        converter: The reader in `keras_deeplab.weights.readers`.
        preprocessing: Normalisation of RGB 0-255 that it was trained with.
        align_corners: Grid of its bilinear resizes.
        batch_norm: "folded" where the file holds batch norm folded into the convolutions.
        output_stride: Output stride it was trained at.
        inference_size: (height, width) that it does best on photos fitted into; None: that of the
            dataset.
        multi_scale_inputs: Scales of the image that it was trained on with shared weights.
        trained_on_val: Whether it was trained on the images that its dataset's validation measures.
        metrics: Published numbers.
        measured: Numbers that this project measured, by docs/benchmarks.
        recommended: Whether the dataset's name alone takes this row.
        licence: SPDX identifier; "NOASSERTION" where the publisher states none.
        source: Who published it.
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
    batch_norm: str = "trainable"
    output_stride: int
    inference_size: tuple[int, int] | None = None
    multi_scale_inputs: tuple[float, ...] = ()
    trained_on_val: bool = False
    metrics: tuple[Metric, ...] = ()
    measured: tuple[Metric, ...] = ()
    recommended: bool = False
    licence: str
    source: str
