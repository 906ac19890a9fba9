"""The stages of the backbones, as published."""

from __future__ import annotations

from keras_deeplab.presets.backbone_row import (
    BackboneRow,
    InvertedResidualStage,
    MobileNetV2Row,
    MobileNetV3Block,
    MobileNetV3Row,
    ResNetRow,
    VGGRow,
    XceptionBlock,
    XceptionRow,
)

# He et al., arXiv:1512.03385, table 1.
_RESNETS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}

# Sandler et al., arXiv:1801.04381, table 2.
_MOBILENET_V2_STAGES = tuple(
    InvertedResidualStage(*columns)
    for columns in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                    (6, 160, 3, 2), (6, 320, 1, 1))
)  # fmt: skip

# Tan and Le, arXiv:1905.11946, table 1.
_EFFICIENTNET_STAGES = tuple(
    InvertedResidualStage(*columns)
    for columns in ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3),
                    (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3))
)  # fmt: skip

# Howard et al., arXiv:1905.02244, tables 1 and 2: kernel size, channels inside and out,
# squeeze-excite, activation, stride.
_RE, _HS = "relu", "hard_swish"
_MOBILENET_V3_LARGE_BLOCKS = tuple(
    MobileNetV3Block(*columns)
    for columns in (
        (3, 16, 16, False, _RE, 1), (3, 64, 24, False, _RE, 2), (3, 72, 24, False, _RE, 1),
        (5, 72, 40, True, _RE, 2), (5, 120, 40, True, _RE, 1), (5, 120, 40, True, _RE, 1),
        (3, 240, 80, False, _HS, 2), (3, 200, 80, False, _HS, 1), (3, 184, 80, False, _HS, 1),
        (3, 184, 80, False, _HS, 1), (3, 480, 112, True, _HS, 1), (3, 672, 112, True, _HS, 1),
        (5, 672, 160, True, _HS, 2), (5, 960, 160, True, _HS, 1), (5, 960, 160, True, _HS, 1),
    )
)  # fmt: skip
_MOBILENET_V3_SMALL_BLOCKS = tuple(
    MobileNetV3Block(*columns)
    for columns in (
        (3, 16, 16, True, _RE, 2), (3, 72, 24, False, _RE, 2), (3, 88, 24, False, _RE, 1),
        (5, 96, 40, True, _HS, 2), (5, 240, 40, True, _HS, 1), (5, 240, 40, True, _HS, 1),
        (5, 120, 48, True, _HS, 1), (5, 144, 48, True, _HS, 1), (5, 288, 96, True, _HS, 2),
        (5, 576, 96, True, _HS, 1), (5, 576, 96, True, _HS, 1),
    )
)  # fmt: skip

_XCEPTION_EXIT = (
    XceptionBlock("exit_flow_block1", (728, 1024, 1024), stride=2),
    XceptionBlock(
        "exit_flow_block2", (1536, 1536, 2048), stride=1, skip="none", activation="after"
    ),
)


def _xception_entry(*blocks: tuple[int, int]) -> tuple[XceptionBlock, ...]:
    """Returns the entry flow of (channels, stride) by block."""
    return tuple(
        XceptionBlock(f"entry_flow_block{number}", (channels,) * 3, stride=stride)
        for number, (channels, stride) in enumerate(blocks, start=1)
    )


BACKBONES: dict[str, BackboneRow] = {
    row.name: row
    for row in (
        MobileNetV2Row(
            name="mobilenet_v2",
            stages=_MOBILENET_V2_STAGES,
            source="arXiv:1801.04381",
        ),
        # TensorFlow's DeepLab does not round channels to multiples of 8 below multiplier 1, as
        # the ImageNet classifiers of the same name do: its stage of 24 has 12 channels, not 16.
        MobileNetV2Row(
            name="mobilenet_v2_050",
            stages=_MOBILENET_V2_STAGES,
            depth_multiplier=0.5,
            channel_divisor=1,
            source="arXiv:1801.04381; tensorflow/models research/deeplab",
        ),
        MobileNetV2Row(
            name="efficientnet_lite0",
            family="efficientnet_lite",
            stages=_EFFICIENTNET_STAGES,
            source="arXiv:1905.11946; tensorflow/tpu models/official/efficientnet/lite",
        ),
        # torchvision's DeepLab dilates the whole last stage, including the block with the stride.
        MobileNetV3Row(
            name="mobilenet_v3_large",
            blocks=_MOBILENET_V3_LARGE_BLOCKS,
            dilates_first=True,
            source="arXiv:1905.02244; torchvision",
        ),
        MobileNetV3Row(
            name="mobilenet_v3_small",
            blocks=_MOBILENET_V3_SMALL_BLOCKS,
            source="arXiv:1905.02244",
        ),
        *(
            XceptionRow(
                name=f"xception_{depth}",
                blocks=(
                    *entry,
                    XceptionBlock(
                        "middle_flow_block1", (728, 728, 728), stride=1, units=units, skip="sum"
                    ),
                    *_XCEPTION_EXIT,
                ),
                source="arXiv:1802.02611; tensorflow/models research/deeplab",
            )
            for depth, entry, units in (
                (41, _xception_entry((128, 2), (256, 2), (728, 2)), 8),
                (65, _xception_entry((128, 2), (256, 2), (728, 2)), 16),
                (71, _xception_entry((128, 2), (256, 1), (256, 2), (728, 1), (728, 2)), 16),
            )
        ),
        VGGRow(
            name="vgg16",
            stages=((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)),
            source="arXiv:1409.1556, table 1, D",
        ),
        *(
            ResNetRow(name=name, blocks=blocks, source="arXiv:1512.03385; torchvision")
            for name, blocks in _RESNETS.items()
        ),
        ResNetRow(
            name="resnet101_caffe",
            blocks=_RESNETS["resnet101"],
            stride_on_1x1=True,
            ceil_pool=True,
            source="arXiv:1512.03385; the prototxt of DeepLab v2",
        ),
        *(
            ResNetRow(
                name=f"{name}_v1c",
                blocks=blocks,
                stem_channels=(32, 32, 64),
                source="arXiv:1812.01187, figure 2; mmsegmentation",
            )
            for name, blocks in _RESNETS.items()
        ),
        *(
            ResNetRow(
                name=f"{name}_keras",
                blocks=blocks,
                epsilon=1.001e-5,
                stride_on_1x1=True,
                conv_bias=True,
                source="arXiv:1512.03385; keras.applications",
            )
            for name, blocks in _RESNETS.items()
        ),
    )
}
