import keras
import pytest

from keras_deeplab.models.atrous import StrideAndRate
from keras_deeplab.models.backbones.inverted_residual import (
    Block,
    inverted_residuals,
    scaled_channels,
)
from keras_deeplab.models.blocks import ConvOptions, Feature


@pytest.mark.parametrize(
    ("channels", "multiplier", "divisor", "expected"),
    [(24, 0.5, 8, 16), (24, 0.5, 1, 12), (16, 0.35, 8, 8), (320, 1.4, 8, 448), (32, 0.1, 1, 3)],
)
def test_scaled_channels(channels: int, multiplier: float, divisor: int, expected: int):
    assert scaled_channels(channels, multiplier=multiplier, divisor=divisor) == expected


def test_blocks_by_hand():
    """A block without expansion, a strided one, and one with squeeze-excite and a shortcut."""
    image = keras.Input((32, 32, 4))
    blocks = [Block(4, 6, 1), Block(12, 8, 2, kernel_size=5), Block(16, 8, 1, squeezed=2)]
    plan = [StrideAndRate(1, 1), StrideAndRate(2, 1), StrideAndRate(1, 2)]
    features = inverted_residuals(Feature(image, 1), blocks, plan, ConvOptions("trainable"))
    assert [(f.stride, f.tensor.shape[-1]) for f in features.values()] == [
        (1, 6),
        (2, 8),
        (2, 8),
        (2, 8),
    ]
    assert features["output"] is features["block_2"]
    model = keras.Model(image, features["output"].tensor)
    names = {layer.name for layer in model.layers}
    assert "block_0_expand" not in names
    assert {"block_1_expand", "block_2_expand", "block_2_squeeze", "block_2_add"} <= names
    assert "block_1_add" not in names
    assert model.get_layer("block_2_depthwise").dilation_rate == (2, 2)
    assert model.get_layer("block_1_depthwise").kernel_size == (5, 5)
    assert model.get_layer("block_2_squeeze").kernel.shape == (1, 1, 16, 2)
