import keras
import numpy as np
import pytest

from keras_deeplab.layers.resize_bilinear import interpolation_matrix
from keras_deeplab.models.blocks import ConvOptions
from keras_deeplab.models.heads.decoder import decoder


def build(**options) -> keras.Model:
    x, low_level = keras.Input((None, None, 4)), keras.Input((None, None, 5))
    y = decoder(
        x, low_level, low_level_channels=2, channels=3, options=ConvOptions("folded"), **options
    )
    return keras.Model([x, low_level], y)


def convolution(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """A 3x3 convolution with zero padding by shifted copies, and ReLU."""
    height, width = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifted = {(i, j): padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)}
    if kernel.shape[-1] == 1:
        y = sum(part * kernel[i, j, :, 0] for (i, j), part in shifted.items())
    else:
        y = sum(part @ kernel[i, j] for (i, j), part in shifted.items())
    return np.maximum(y + bias, 0)


@pytest.mark.parametrize("separable", [False, True])
@pytest.mark.parametrize("align_corners", [False, True])
def test_equals_its_formula(separable: bool, align_corners: bool, rng: np.random.Generator):
    """Project the low-level features, upsample, concatenate in this order, convolve twice."""
    model = build(separable=separable, align_corners=align_corners)
    value = {v.path: rng.normal(size=v.shape).astype("float32") for v in model.weights}
    model.set_weights(list(value.values()))
    x = rng.normal(size=(1, 3, 4, 4)).astype("float32")
    low_level = rng.normal(size=(1, 9, 13, 5)).astype("float32")

    def pointwise(name, array):
        return np.maximum(array @ value[f"{name}/kernel"][0, 0] + value[f"{name}/bias"], 0)

    rows = interpolation_matrix(3, 9, align_corners=align_corners)
    columns = interpolation_matrix(4, 13, align_corners=align_corners)
    y = np.einsum("yh,xw,bhwc->byxc", rows, columns, x)
    y = np.concatenate([y, pointwise("decoder_low_level", low_level)], -1)
    for index in range(2):
        name = f"decoder_{index}"
        if separable:
            name = f"{name}_depthwise"
        y = convolution(y, value[f"{name}/kernel"], value[f"{name}/bias"])
        if separable:
            y = pointwise(f"decoder_{index}_pointwise", y)
    np.testing.assert_allclose(model([x, low_level]), y, rtol=1e-4, atol=1e-4)


def test_every_convolution_has_the_heads_batch_norm():
    x, low_level = keras.Input((3, 3, 4)), keras.Input((9, 9, 5))
    model = keras.Model([x, low_level], decoder(x, low_level, separable=True))
    epsilons = [
        layer.epsilon
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert epsilons == [1e-5] * 5
