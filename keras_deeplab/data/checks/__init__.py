"""The label check: finds problems in images and masks before training."""

from keras_deeplab.data.checks.data_report import DataReport
from keras_deeplab.data.checks.label_check import check_data, check_sources
from keras_deeplab.data.checks.sheet import label_sheet

__all__ = ["DataReport", "check_data", "check_sources", "label_sheet"]
