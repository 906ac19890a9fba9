"""DeepLab v3 (Chen et al., arXiv:1706.05587)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_deeplab.models.blocks import ConvOptions, Feature
from keras_deeplab.models.heads.aspp import aspp, scaled_rates
from keras_deeplab.models.heads.head_options import HeadOptions
from keras_deeplab.models.heads.output import classifier
from keras_deeplab.presets.networks import DeepLabRow


def deeplab_v3(row: DeepLabRow, features: Mapping[str, Feature], options: HeadOptions) -> Any:
    """ASPP and a 1x1 classifier on the output of the backbone.

    Returns:
        Scores of shape (batch, height / output_stride, width / output_stride, classes).
    """
    return classifier(aspp_of(row, features, options), options.classes)


def head_convolutions(row: DeepLabRow, options: HeadOptions) -> ConvOptions:
    """Returns the options of the convolutions of a network's head."""
    return ConvOptions(options.batch_norm, row.epsilon, separable_norm=row.separable_norm)


def aspp_of(row: DeepLabRow, features: Mapping[str, Feature], options: HeadOptions) -> Any:
    """Returns the ASPP features of a network, from the output of its backbone."""
    return aspp(
        features["output"].tensor,
        atrous_rates=scaled_rates(
            row.atrous_rates,
            output_stride=options.output_stride,
            counted_at=row.rates_output_stride,
        ),
        channels=row.head_channels,
        refine=row.refine,
        align_corners=options.align_corners,
        image_pooling=row.image_pooling,
        projection_size=row.projection_size,
        separable=row.separable,
        options=head_convolutions(row, options),
        dropout=row.dropout,
    )
