"""One photo through a model: whole, in tiles, over scales and flips."""

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

__all__ = [
    "Network",
    "Passes",
    "Scores",
    "find_passes",
    "fit_image",
    "nearest_labels",
    "predict",
    "predict_scores",
    "resized_labels",
    "resized_scores",
    "softmax",
]
