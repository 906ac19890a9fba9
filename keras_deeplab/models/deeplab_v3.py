"""DeepLab v3 (Chen et al., arXiv:1706.05587)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_deeplab.models.blocks import Feature
from keras_deeplab.models.heads.aspp import aspp, scaled_rates
from keras_deeplab.models.heads.output import classifier
from keras_deeplab.presets.networks import DeepLabRow


def deeplab_v3(
    row: DeepLabRow,
    features: Mapping[str, Feature],
    *,
    classes: int,
    output_stride: int,
    align_corners: bool,
    batch_norm: str,
) -> Any:
    """ASPP and a 1x1 classifier on the backbone's output.

    Returns:
        Scores of shape (batch, height / output_stride, width / output_stride, classes).
    """
    x = aspp(
        features["output"].tensor,
        atrous_rates=scaled_rates(
            row.atrous_rates, output_stride=output_stride, counted_at=row.rates_output_stride
        ),
        channels=row.head_channels,
        refine=row.refine,
        align_corners=align_corners,
        image_pooling=row.image_pooling,
        projection_size=row.projection_size,
        separable=row.separable,
        batch_norm=batch_norm,
        epsilon=row.epsilon,
        dropout=row.dropout,
    )
    return classifier(x, classes)
