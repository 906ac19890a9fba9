"""Evaluation: metrics, report, masks for evaluation servers."""

from keras_deeplab.evaluation.label_review import Suspect, SuspectRegion, review, worth_labelling
from keras_deeplab.evaluation.measure import evaluate
from keras_deeplab.evaluation.report import write_report
from keras_deeplab.evaluation.result import Evaluation, ImageResult, Picture
from keras_deeplab.evaluation.review_page import write_review
from keras_deeplab.evaluation.submission import write_submission

__all__ = [
    "Evaluation",
    "ImageResult",
    "Picture",
    "Suspect",
    "SuspectRegion",
    "evaluate",
    "review",
    "worth_labelling",
    "write_report",
    "write_review",
    "write_submission",
]
