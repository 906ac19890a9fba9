"""Readers of datasets in folders, each with its own layout."""

from keras_deeplab.data.formats.folder import read_folder
from keras_deeplab.data.formats.layouts import folder_splits
from keras_deeplab.data.formats.pascal import pascal_context, person_part, voc2012
from keras_deeplab.data.formats.registry import (
    READERS,
    Reader,
    dataset_splits,
    format_of,
    is_plain,
    read_dataset,
    read_splits,
    recognise,
)
from keras_deeplab.data.formats.street import camvid, cityscapes

__all__ = [
    "READERS",
    "Reader",
    "camvid",
    "cityscapes",
    "dataset_splits",
    "folder_splits",
    "format_of",
    "is_plain",
    "pascal_context",
    "person_part",
    "read_dataset",
    "read_folder",
    "read_splits",
    "recognise",
    "voc2012",
]
