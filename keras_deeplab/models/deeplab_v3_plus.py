"""DeepLab v3+ (Chen et al., arXiv:1802.02611)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_deeplab.models.blocks import Feature
from keras_deeplab.models.deeplab_v3 import aspp_of, head_convolutions
from keras_deeplab.models.heads.decoder import decoder
from keras_deeplab.models.heads.head_options import HeadOptions
from keras_deeplab.models.heads.output import classifier
from keras_deeplab.presets.networks import DeepLabRow


def deeplab_v3_plus(row: DeepLabRow, features: Mapping[str, Feature], options: HeadOptions) -> Any:
    """ASPP on the backbone's output, a decoder with its low-level features, a 1x1 classifier.

    Returns:
        Scores at the size of the low-level features.
    """
    x = decoder(
        aspp_of(row, features, options),
        features[row.low_level].tensor,
        low_level_channels=row.low_level_channels,
        channels=row.decoder_channels,
        convolutions=row.decoder_convolutions,
        separable=row.separable,
        align_corners=options.align_corners,
        options=head_convolutions(row, options),
    )
    return classifier(x, options.classes)
