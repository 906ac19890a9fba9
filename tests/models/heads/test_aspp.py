import keras
import numpy as np
import pytest

from keras_deeplab.models.blocks import ConvOptions
from keras_deeplab.models.heads.aspp import aspp, scaled_rates


@pytest.mark.parametrize(
    ("stride", "rates"), [(8, (12, 24, 36)), (16, (6, 12, 18)), (32, (3, 6, 9))]
)
def test_rates_double_when_the_output_stride_halves(stride: int, rates: tuple[int, ...]):
    assert scaled_rates((6, 12, 18), output_stride=stride) == rates


def build(rates: tuple[int, ...], **options) -> keras.Model:
    x = keras.Input((None, None, 4))
    return keras.Model(
        x, aspp(x, atrous_rates=rates, channels=3, options=ConvOptions("folded"), **options)
    )


def test_branches_are_those_asked_for():
    names = {layer.name for layer in build((6, 12)).layers}
    assert {"aspp_image_pooling", "aspp_0", "aspp_1", "aspp_2", "aspp_projection"} <= names
    assert "aspp_1" not in {layer.name for layer in build(()).layers}


def test_equals_its_formula(rng: np.random.Generator):
    """The 1x1 and pooled branches by matrix products, the atrous one by shifted copies."""
    model = build((2,))
    weights = [rng.normal(size=w.shape).astype("float32") for w in model.weights]
    model.set_weights(weights)
    value = {f"{v.path}": w for v, w in zip(model.weights, weights, strict=True)}
    x = rng.normal(size=(1, 7, 9, 4)).astype("float32")

    def relu(array):
        return np.maximum(array, 0)

    def conv(name, array):
        return relu(array @ value[f"{name}/kernel"][0, 0] + value[f"{name}/bias"])

    pooled = conv("aspp_image_pooling", x.mean((1, 2), keepdims=True))
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
    atrous = value["aspp_1/bias"] + sum(
        padded[:, 2 * i : 2 * i + 7, 2 * j : 2 * j + 9] @ value["aspp_1/kernel"][i, j]
        for i in range(3)
        for j in range(3)
    )
    branches = [np.broadcast_to(pooled, (1, 7, 9, 3)), conv("aspp_0", x), relu(atrous)]
    expected = conv("aspp_projection", np.concatenate(branches, -1))
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-4)
