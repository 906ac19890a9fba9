import keras
import numpy as np
import pytest

from keras_deeplab.models.heads.large_fov import aspp_sum, large_fov


def build(**options) -> keras.Model:
    x = keras.Input((None, None, 4))
    return keras.Model(x, aspp_sum(x, 3, **options))


def correlate(x: np.ndarray, kernel: np.ndarray, rate: int) -> np.ndarray:
    """An atrous convolution by shifted copies."""
    height, width = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (rate, rate), (rate, rate), (0, 0)))
    return sum(
        padded[:, rate * i : rate * i + height, rate * j : rate * j + width] @ kernel[i, j]
        for i in range(3)
        for j in range(3)
    )


@pytest.mark.parametrize("channels", [5, None])
def test_equals_its_formula(channels: int | None, rng: np.random.Generator):
    rates = (1, 3)
    model = build(atrous_rates=rates, channels=channels)
    value = {}
    for variable in model.weights:
        value[variable.path] = rng.normal(size=variable.shape).astype("float32")
        variable.assign(value[variable.path])
    x = rng.normal(size=(1, 7, 9, 4)).astype("float32")
    expected = 0
    for k, rate in enumerate(rates):
        y = x
        if channels:
            y = correlate(y, value[f"fc6_{k}/kernel"], rate) + value[f"fc6_{k}/bias"]
            y = np.maximum(y, 0) @ value[f"fc7_{k}/kernel"][0, 0] + value[f"fc7_{k}/bias"]
            y = np.maximum(y, 0) @ value[f"classifier_{k}/kernel"][0, 0]
        else:
            y = correlate(y, value[f"classifier_{k}/kernel"], rate)
        expected = expected + y + value[f"classifier_{k}/bias"]
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-4)


def test_one_rate_is_large_fov():
    names = [layer.name for layer in build(atrous_rates=(12,), channels=6).layers]
    assert "aspp_sum" not in names
    assert names[1:] == [
        "fc6_0",
        "fc6_0_dropout",
        "fc7_0",
        "fc7_0_dropout",
        "classifier_0",
    ]


def test_large_fov_sees_as_far_as_its_rate():
    x = keras.Input((25, 25, 1))
    model = keras.Model(x, large_fov(x, 1, rate=12, channels=None))
    model.set_weights([np.ones((3, 3, 1, 1)), np.zeros(1)])
    image = np.arange(625, dtype="float32").reshape(1, 25, 25, 1)
    corners = [image[0, i, j, 0] for i in (0, 12, 24) for j in (0, 12, 24)]
    assert float(model(image)[0, 12, 12, 0]) == pytest.approx(sum(corners))
