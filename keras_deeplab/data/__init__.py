"""Segmentation data: dataset readers, data sources, pipelines and checks."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_deeplab.data.annotations.annotation_writers import (
        annotation_writer as annotation_writer,
    )
    from keras_deeplab.data.annotations.base_writer import AnnotationWriter as AnnotationWriter
    from keras_deeplab.data.checks.data_report import DataReport as DataReport
    from keras_deeplab.data.checks.label_check import check_data as check_data
    from keras_deeplab.data.checks.label_check import check_sources as check_sources
    from keras_deeplab.data.checks.sheet import label_sheet as label_sheet
    from keras_deeplab.data.formats.folder import read_folder as read_folder
    from keras_deeplab.data.formats.registry import dataset_splits as dataset_splits
    from keras_deeplab.data.formats.registry import read_dataset as read_dataset
    from keras_deeplab.data.images import read_image as read_image
    from keras_deeplab.data.pipeline import training_batches as training_batches
    from keras_deeplab.data.pipeline import validation_batches as validation_batches
    from keras_deeplab.data.samples import draw_dataset as draw_dataset
    from keras_deeplab.data.samples import example_annotations as example_annotations
    from keras_deeplab.data.samples import example_photos as example_photos
    from keras_deeplab.data.sources import Example as Example
    from keras_deeplab.data.sources import SegmentationData as SegmentationData
    from keras_deeplab.data.sources import SegmentationFiles as SegmentationFiles
    from keras_deeplab.data.tfds_source import TFDSData as TFDSData
    from keras_deeplab.data.tfds_source import from_tfds as from_tfds

_MODULES = {
    "AnnotationWriter": "annotations.base_writer",
    "DataReport": "checks.data_report",
    "Example": "sources",
    "SegmentationData": "sources",
    "SegmentationFiles": "sources",
    "TFDSData": "tfds_source",
    "annotation_writer": "annotations.annotation_writers",
    "check_data": "checks.label_check",
    "check_sources": "checks.label_check",
    "dataset_splits": "formats.registry",
    "draw_dataset": "samples",
    "example_annotations": "samples",
    "example_photos": "samples",
    "read_image": "images",
    "from_tfds": "tfds_source",
    "label_sheet": "checks.sheet",
    "read_dataset": "formats.registry",
    "read_folder": "formats.folder",
    "training_batches": "pipeline",
    "validation_batches": "pipeline",
}
__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    # Names are imported on first use: some need TensorFlow, most do not.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
