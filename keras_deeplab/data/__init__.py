"""Images with labels: readers of datasets, sources, checks."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_deeplab.data.check import check_data, check_sources
    from keras_deeplab.data.drawn import draw_dataset
    from keras_deeplab.data.pipeline import training_batches, validation_batches
    from keras_deeplab.data.readers import dataset_splits, read_dataset, read_folder
    from keras_deeplab.data.report import DataReport
    from keras_deeplab.data.sources import Example, SegmentationData, SegmentationFiles
    from keras_deeplab.data.tfds_source import TFDSData, from_tfds

__all__ = [
    "DataReport",
    "Example",
    "SegmentationData",
    "SegmentationFiles",
    "TFDSData",
    "check_data",
    "check_sources",
    "dataset_splits",
    "draw_dataset",
    "from_tfds",
    "read_dataset",
    "read_folder",
    "training_batches",
    "validation_batches",
]

_ROOMS = {
    "DataReport": "report",
    "Example": "sources",
    "SegmentationData": "sources",
    "SegmentationFiles": "sources",
    "TFDSData": "tfds_source",
    "check_data": "check",
    "check_sources": "check",
    "dataset_splits": "readers",
    "draw_dataset": "drawn",
    "from_tfds": "tfds_source",
    "read_dataset": "readers",
    "read_folder": "readers",
    "training_batches": "pipeline",
    "validation_batches": "pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
