"""Inference: networks and exported files, options, scores, the CRF."""

from keras_deeplab.inference.crf_search import CRFSearch, tune_crf
from keras_deeplab.inference.dense_crf import DenseCRF, resolve_crf
from keras_deeplab.inference.fitting import fit_image, fitted_size
from keras_deeplab.inference.interpolation import nearest_labels
from keras_deeplab.inference.opening import open_file, open_segmenter
from keras_deeplab.inference.options import InferenceOptions, InferenceSettings, resolve_options
from keras_deeplab.inference.scores import Scores
from keras_deeplab.inference.segment_photos import Segmentations, segment
from keras_deeplab.inference.segmentation import Segmentation
from keras_deeplab.inference.segmenter import Segmenter
from keras_deeplab.inference.streaming import in_order, read_ahead
from keras_deeplab.inference.video import segment_video

__all__ = [
    "CRFSearch",
    "DenseCRF",
    "InferenceOptions",
    "InferenceSettings",
    "Scores",
    "Segmentation",
    "Segmentations",
    "Segmenter",
    "fit_image",
    "fitted_size",
    "in_order",
    "nearest_labels",
    "open_file",
    "open_segmenter",
    "read_ahead",
    "resolve_crf",
    "resolve_options",
    "segment",
    "segment_video",
    "tune_crf",
]
