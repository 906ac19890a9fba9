"""DeepLab v1 (Chen et al., arXiv:1412.7062)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from keras_deeplab.models.blocks import LAYOUT, Feature
from keras_deeplab.models.deeplab_v2 import deeplab_v2
from keras_deeplab.models.heads.head_options import HeadOptions
from keras_deeplab.presets.networks import DeepLabRow


def deeplab_v1(row: DeepLabRow, features: Mapping[str, Feature], options: HeadOptions) -> Any:
    """LargeFOV after an average pool that v2 does not have.

    Returns:
        Scores of shape (batch, height / output_stride, width / output_stride, classes).
    """
    # Caffe's average includes the zeros of the padding; Keras's "same" padding would exclude them.
    x = features["output"].tensor
    x = keras.layers.ZeroPadding2D(1, data_format=LAYOUT, name="pool5a_pad")(x)
    x = keras.layers.AveragePooling2D(3, 1, padding="valid", data_format=LAYOUT, name="pool5a")(x)
    return deeplab_v2(row, {"output": features["output"]._replace(tensor=x)}, options)
