"""From photos to masks: networks and exported files, tiles, scales and flips, the CRF."""

from keras_deeplab.inference.crf_search import CRFSearch, tune_crf
from keras_deeplab.inference.dense_crf import DenseCRF, resolve_crf
from keras_deeplab.inference.opening import open_file, open_segmenter
from keras_deeplab.inference.passes import Passes, find_passes, predict
from keras_deeplab.inference.scores import (
    Network,
    Scores,
    fit_image,
    nearest_labels,
    predict_scores,
    resized_labels,
    resized_scores,
    softmax,
)
from keras_deeplab.inference.segmentation import Segmentation, segment
from keras_deeplab.inference.segmenter import Segmenter

__all__ = [
    "CRFSearch",
    "DenseCRF",
    "Network",
    "Passes",
    "Scores",
    "Segmentation",
    "Segmenter",
    "find_passes",
    "fit_image",
    "nearest_labels",
    "open_file",
    "open_segmenter",
    "predict",
    "predict_scores",
    "resized_labels",
    "resized_scores",
    "resolve_crf",
    "segment",
    "softmax",
    "tune_crf",
]
