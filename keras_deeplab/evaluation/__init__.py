"""Evaluation: metrics, report, masks for evaluation servers."""

from keras_deeplab.evaluation.measure import evaluate
from keras_deeplab.evaluation.report import write_report
from keras_deeplab.evaluation.result import Evaluation, ImageResult, Picture
from keras_deeplab.evaluation.submission import write_submission

__all__ = [
    "Evaluation",
    "ImageResult",
    "Picture",
    "evaluate",
    "write_report",
    "write_submission",
]
