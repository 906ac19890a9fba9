"""Readers of datasets in folders, each with its own layout."""

from keras_deeplab.data.formats.folder import read_folder
from keras_deeplab.data.formats.registry import dataset_splits, read_dataset, read_splits, recognise

__all__ = ["dataset_splits", "read_dataset", "read_folder", "read_splits", "recognise"]
