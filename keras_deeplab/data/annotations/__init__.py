"""Annotations of labelling tools: outlines, run lengths and bitmaps instead of masks."""

from keras_deeplab.data.annotations.annotated import AnnotatedPhoto, Annotations, Region
from keras_deeplab.data.annotations.annotated_source import FORMATS, find_format, read_annotated

__all__ = [
    "FORMATS",
    "AnnotatedPhoto",
    "Annotations",
    "Region",
    "find_format",
    "read_annotated",
]
