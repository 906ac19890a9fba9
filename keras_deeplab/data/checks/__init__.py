"""The label check: finds what is wrong with images and masks before a network is trained."""

from keras_deeplab.data.checks.data_report import DataReport
from keras_deeplab.data.checks.label_check import check_data, check_sources
from keras_deeplab.data.checks.sheet import label_sheet

__all__ = ["DataReport", "check_data", "check_sources", "label_sheet"]
