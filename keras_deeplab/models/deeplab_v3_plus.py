"""DeepLab v3+ (Chen et al., arXiv:1802.02611)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_deeplab.models.blocks import Feature
from keras_deeplab.models.heads.aspp import aspp, scaled_rates
from keras_deeplab.models.heads.decoder import decoder
from keras_deeplab.models.heads.output import classifier
from keras_deeplab.presets.networks import DeepLabRow


def deeplab_v3_plus(
    row: DeepLabRow,
    features: Mapping[str, Feature],
    *,
    classes: int,
    output_stride: int,
    align_corners: bool,
    batch_norm: str,
) -> Any:
    """ASPP on the backbone's output, a decoder with its low-level features, a 1x1 classifier.

    Returns:
        Scores at the size of the low-level features.
    """
    common: dict[str, Any] = dict(
        align_corners=align_corners,
        separable=row.separable,
        batch_norm=batch_norm,
        epsilon=row.epsilon,
    )
    x = aspp(
        features["output"].tensor,
        atrous_rates=scaled_rates(
            row.atrous_rates, output_stride=output_stride, counted_at=row.rates_output_stride
        ),
        channels=row.head_channels,
        image_pooling=row.image_pooling,
        dropout=row.dropout,
        projection_size=row.projection_size,
        **common,
    )
    x = decoder(
        x,
        features[row.low_level].tensor,
        low_level_channels=row.low_level_channels,
        channels=row.decoder_channels,
        **common,
    )
    return classifier(x, classes)
