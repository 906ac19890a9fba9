"""DeepLab v3 (Chen et al., arXiv:1706.05587)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_deeplab.blocks import Feature, conv_bn
from keras_deeplab.heads.aspp import aspp, scaled_rates
from keras_deeplab.heads.output import classifier
from keras_deeplab.tables.deeplabs import DeepLabRow


def deeplab_v3(
    row: DeepLabRow,
    features: Mapping[str, Feature],
    *,
    classes: int,
    output_stride: int,
    align_corners: bool,
    batch_norm: str,
) -> Any:
    """ASPP, a 3x3 convolution where the row says so, and a 1x1 classifier.

    Returns:
        Scores of shape (batch, height / output_stride, width / output_stride, classes).
    """
    common: dict[str, Any] = dict(batch_norm=batch_norm, epsilon=row.epsilon)
    x = aspp(
        features["output"].tensor,
        atrous_rates=scaled_rates(
            row.atrous_rates, output_stride=output_stride, counted_at=row.rates_output_stride
        ),
        channels=row.head_channels,
        align_corners=align_corners,
        image_pooling=row.image_pooling,
        separable=row.separable,
        dropout=row.dropout,
        **common,
    )
    if row.head_conv:
        x = conv_bn(x, row.head_channels, 3, name="head_conv", **common)
    return classifier(x, classes)
