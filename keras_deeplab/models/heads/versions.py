"""The heads of DeepLab v1 (Chen et al., arXiv:1412.7062), v2 (arXiv:1606.00915), v3
(arXiv:1706.05587) and v3+ (arXiv:1802.02611), from the features of a backbone to class scores.
"""  # noqa: D205

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from keras_deeplab.models.blocks import LAYOUT, ConvOptions, Feature
from keras_deeplab.models.heads.aspp import aspp, scaled_rates
from keras_deeplab.models.heads.decoder import decoder
from keras_deeplab.models.heads.large_fov import aspp_sum
from keras_deeplab.models.heads.output import classifier
from keras_deeplab.presets.networks import DeepLabRow


@dataclass(frozen=True, kw_only=True)
class HeadOptions:
    """Options of every head, in addition to its preset and its features; see `BuildOptions`.

    LargeFOV and ``aspp_sum`` have no batch norm.
    """

    classes: int
    output_stride: int
    align_corners: bool = False
    batch_norm: str = "trainable"


def _deeplab_v1(row: DeepLabRow, features: Mapping[str, Feature], options: HeadOptions) -> Any:
    """LargeFOV after an average pool that v2 does not have."""
    # Caffe's average includes the zeros of the padding; Keras's "same" padding would exclude them.
    x = features["output"].tensor
    x = keras.layers.ZeroPadding2D(1, data_format=LAYOUT, name="pool5a_pad")(x)
    x = keras.layers.AveragePooling2D(3, 1, padding="valid", data_format=LAYOUT, name="pool5a")(x)
    return _deeplab_v2(row, {"output": features["output"]._replace(tensor=x)}, options)


def _deeplab_v2(row: DeepLabRow, features: Mapping[str, Feature], options: HeadOptions) -> Any:
    """LargeFOV (one rate), or ASPP as a sum of class scores (several rates)."""
    return aspp_sum(
        features["output"].tensor,
        options.classes,
        atrous_rates=_rates(row, options),
        channels=row.head_channels or None,
    )


def _deeplab_v3(row: DeepLabRow, features: Mapping[str, Feature], options: HeadOptions) -> Any:
    """ASPP and a 1x1 classifier on the output of the backbone."""
    return classifier(_aspp(row, features, options), options.classes)


def _deeplab_v3_plus(row: DeepLabRow, features: Mapping[str, Feature], options: HeadOptions) -> Any:
    """ASPP, a decoder with the low-level features, at whose size the scores are, a classifier."""
    x = decoder(
        _aspp(row, features, options),
        features[row.low_level].tensor,
        low_level_channels=row.low_level_channels,
        channels=row.decoder_channels,
        convolutions=row.decoder_convolutions,
        separable=row.separable,
        align_corners=options.align_corners,
        options=_convolutions(row, options),
    )
    return classifier(x, options.classes)


HEADS: dict[str, Callable[[DeepLabRow, Mapping[str, Feature], HeadOptions], Any]] = {
    "v1": _deeplab_v1,
    "v2": _deeplab_v2,
    "v3": _deeplab_v3,
    "v3_plus": _deeplab_v3_plus,
}


def _aspp(row: DeepLabRow, features: Mapping[str, Feature], options: HeadOptions) -> Any:
    return aspp(
        features["output"].tensor,
        atrous_rates=_rates(row, options),
        channels=row.head_channels,
        refine=row.refine,
        align_corners=options.align_corners,
        image_pooling=row.image_pooling,
        projection_size=row.projection_size,
        separable=row.separable,
        options=_convolutions(row, options),
        dropout=row.dropout,
    )


def _convolutions(row: DeepLabRow, options: HeadOptions) -> ConvOptions:
    return ConvOptions(options.batch_norm, row.epsilon, separable_norm=row.separable_norm)


def _rates(row: DeepLabRow, options: HeadOptions) -> tuple[int, ...]:
    return scaled_rates(
        row.atrous_rates,
        output_stride=options.output_stride,
        counted_at=row.rates_output_stride,
    )
