"""The preset of a file of pretrained weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keras_deeplab.presets.checkpoints import CHECKPOINTS, CheckpointRow


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
class WeightsRow(CheckpointRow):
    """One weights file, and how its network was trained.

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
        output_stride: Output stride in training.
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
    output_stride: int
    trained_on_val: bool = False
    metrics: tuple[Metric, ...] = ()
    measured: tuple[Metric, ...] = ()
    recommended: bool = False
    licence: str
    source: str


def weights_row(converter: str, **fields: Any) -> WeightsRow:
    """Returns a row with the conventions of a reader, where ``fields`` has no others."""
    return WeightsRow(**{**vars(CHECKPOINTS[converter]), **fields})
