"""VGG-16 (Simonyan and Zisserman, arXiv:1409.1556) as modified for DeepLab v1 and v2."""

from __future__ import annotations

from typing import Any

from keras_deeplab.layers import AtrousConv2D, ScaledUniform
from keras_deeplab.models.atrous import output_stride_plan
from keras_deeplab.models.blocks import Feature, max_pool
from keras_deeplab.presets.backbone_row import VGGRow


def vgg(
    row: VGGRow, image: Any, *, output_stride: int = 8, batch_norm: str = "trainable"
) -> dict[str, Feature]:
    """Builds VGG's convolutions; the fully connected layers belong to the head.

    All pools are 3x3. Pools whose stride was removed do not dilate, because Caffe has no atrous
    pooling: "stage_5" is consistent across output strides, "output" (pool5) is not.

    See `build_backbone` for the arguments; VGG has no batch norm.

    Returns:
        The last convolution of every stage as "stage_1" to "stage_5", and pool5 as "output".

    Reference:
        Chen et al., arXiv:1606.00915, section 3.1, and the released networks.
    """
    x = image
    features = {}
    reached, rate = 1, 1
    plan = output_stride_plan([2] * len(row.stages), output_stride)
    for stage, (channels, convolutions) in enumerate(row.stages, start=1):
        for index in range(1, convolutions + 1):
            x = AtrousConv2D(
                channels,
                3,
                dilation_rate=rate,
                activation="relu",
                kernel_initializer=ScaledUniform(2.0, "fan_in"),
                name=f"conv{stage}_{index}",
            )(x)
        features[f"stage_{stage}"] = Feature(x, reached)
        stride, pool_rate = plan[stage - 1]
        x = max_pool(x, stride=stride, ceil=True, name=f"pool{stage}")
        reached *= stride
        rate = 1 if stride > 1 else 2 * pool_rate
    features["output"] = Feature(x, reached)
    return features
