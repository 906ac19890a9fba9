"""DeepLab v2 (Chen et al., arXiv:1606.00915)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_deeplab.models.blocks import Feature
from keras_deeplab.models.heads.aspp import scaled_rates
from keras_deeplab.models.heads.head_options import HeadOptions
from keras_deeplab.models.heads.large_fov import aspp_sum
from keras_deeplab.presets.networks import DeepLabRow


def deeplab_v2(row: DeepLabRow, features: Mapping[str, Feature], options: HeadOptions) -> Any:
    """LargeFOV (one rate), or ASPP as a sum of class scores (several rates).

    Returns:
        Scores of shape (batch, height / output_stride, width / output_stride, classes).
    """
    return aspp_sum(
        features["output"].tensor,
        options.classes,
        atrous_rates=scaled_rates(
            row.atrous_rates,
            output_stride=options.output_stride,
            counted_at=row.rates_output_stride,
        ),
        channels=row.head_channels or None,
    )
