"""Images with labels: readers of datasets, sources, checks."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_deeplab.data.check import DataReport, check_data, check_sources
    from keras_deeplab.data.readers import dataset_splits, read_dataset, read_folder
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
    "from_tfds",
    "read_dataset",
    "read_folder",
]

_ROOMS = {
    "DataReport": "check",
    "Example": "sources",
    "SegmentationData": "sources",
    "SegmentationFiles": "sources",
    "TFDSData": "tfds_source",
    "check_data": "check",
    "check_sources": "check",
    "dataset_splits": "readers",
    "from_tfds": "tfds_source",
    "read_dataset": "readers",
    "read_folder": "readers",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
