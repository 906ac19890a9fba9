"""The cost of each network, stored so that the networks need not be built."""

from __future__ import annotations

from typing import NamedTuple


class Cost(NamedTuple):
    """The cost of one image.

    Attributes:
        parameters: Number of weights, without the statistics of batch norm.
        multiply_adds: Multiply-add operations of the convolutions.
    """

    parameters: int
    multiply_adds: int


# For 21 classes and 513x513 pixels at the row's output stride; counted on
# the built networks by tests/presets/test_costs.py.
COSTS: dict[str, Cost] = {
    "deeplab_v3_mobilenet_v2": Cost(2_113_557, 2_740_709_056),
    "deeplab_v3_mobilenet_v2_050": Cost(697_013, 867_496_704),
    "deeplab_v3_plus_mobilenet_v2": Cost(2_719_813, 5_804_159_152),
    "deeplab_v3_mobilenet_v3_large": Cost(11_025_477, 10_431_414_536),
    "deeplab_v3_plus_efficientnet_lite0": Cost(3_774_277, 5_528_203_216),
    "deeplab_v1_vgg16": Cost(20_505_429, 128_584_633_024),
    "deeplab_v2_vgg16_aspp_l": Cost(37_877_652, 201_956_050_624),
    "deeplab_v2_vgg16_aspp_s": Cost(37_877_652, 201_956_050_624),
    "deeplab_v2_vgg16_large_fov": Cost(20_505_429, 128_584_633_024),
    "deeplab_v2_resnet101_caffe_aspp": Cost(44_048_532, 188_885_763_264),
    "deeplab_v2_resnet101_caffe_large_fov": Cost(42_887_253, 183_979_625_664),
    "deeplab_v3_resnet101_caffe": Cost(58_040_661, 70_243_498_432),
    "deeplab_v3_resnet50": Cost(39_638_869, 168_652_962_240),
    "deeplab_v3_resnet101": Cost(58_630_997, 248_674_056_640),
    "deeplab_v3_resnet50_v1c": Cost(65_749_365, 277_924_944_224),
    "deeplab_v3_resnet101_v1c": Cost(84_741_493, 357_946_038_624),
    "deeplab_v3_plus_resnet50_v1c": Cost(41_226_213, 181_465_143_056),
    "deeplab_v3_plus_resnet101_v1c": Cost(60_218_341, 261_486_237_456),
    "deeplab_v3_plus_xception_41": Cost(28_108_661, 40_012_398_128),
    "deeplab_v3_plus_xception_65": Cost(41_055_413, 54_035_303_024),
    "deeplab_v3_plus_xception_71": Cost(43_477_837, 66_068_012_856),
    "deeplab_v3_plus_resnet50_keras": Cost(40_378_741, 71_376_918_976),
    "deeplab_v3_plus_resnet101_keras": Cost(59_396_981, 92_002_474_432),
    "deeplab_v2_resnet101_caffe_aspp_s": Cost(44_048_532, 188_885_763_264),
    "deeplab_v3_resnet50_smp": Cost(39_638_869, 168_652_962_240),
    "deeplab_v3_resnet101_smp": Cost(58_630_997, 248_674_056_640),
    "deeplab_v3_plus_resnet50_smp": Cost(26_682_725, 38_495_827_312),
    "deeplab_v3_plus_resnet101_smp": Cost(45_674_853, 59_121_382_768),
    "deeplab_v3_plus_resnet50_vainf": Cost(39_761_845, 62_379_547_072),
    "deeplab_v3_plus_resnet101_vainf": Cost(58_753_973, 83_005_102_528),
    "deeplab_v3_plus_resnet101_jfzhang": Cost(59_344_309, 92_820_363_712),
}
