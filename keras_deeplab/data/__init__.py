"""Images with labels: readers of datasets, sources, checks."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_deeplab.data.readers import dataset_splits, read_dataset, read_folder
    from keras_deeplab.data.sources import Example, SegmentationData, SegmentationFiles

__all__ = [
    "Example",
    "SegmentationData",
    "SegmentationFiles",
    "dataset_splits",
    "read_dataset",
    "read_folder",
]

_ROOMS = {
    "Example": "sources",
    "SegmentationData": "sources",
    "SegmentationFiles": "sources",
    "dataset_splits": "readers",
    "read_dataset": "readers",
    "read_folder": "readers",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
