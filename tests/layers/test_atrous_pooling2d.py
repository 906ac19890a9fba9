import keras
import numpy as np
import pytest

from keras_deeplab.layers import AtrousAveragePooling2D, AtrousMaxPooling2D


def reference(x: np.ndarray, size, rate, padding: str, join) -> np.ndarray:
    """Pools the pixels of each window that are inside the map."""
    batch, height, width, channels = x.shape
    reach = [r * (k - 1) for k, r in zip(size, rate, strict=True)]
    start = [-(v // 2) if padding == "same" else 0 for v in reach]
    if padding == "valid":
        height, width = height - reach[0], width - reach[1]
    y = np.zeros((batch, height, width, channels), x.dtype)
    for i in range(height):
        for j in range(width):
            rows = [start[0] + i + rate[0] * a for a in range(size[0])]
            columns = [start[1] + j + rate[1] * b for b in range(size[1])]
            inside = [
                x[:, r, c] for r in rows for c in columns
                if 0 <= r < x.shape[1] and 0 <= c < x.shape[2]
            ]  # fmt: skip
            y[:, i, j] = join(inside, axis=0)
    return y


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("size", "rate"), [((3, 3), (2, 2)), ((2, 3), (4, 1)), ((1, 2), (1, 3))])
def test_equals_the_reference(size, rate, padding: str, rng):
    x = rng.normal(size=(2, 9, 10, 3)).astype("float32") - 5
    for layer_class, join in ((AtrousMaxPooling2D, np.max), (AtrousAveragePooling2D, np.mean)):
        layer = layer_class(size, dilation_rate=rate, padding=padding)
        expected = reference(x, size, rate, padding, join)
        np.testing.assert_allclose(layer(x), expected, rtol=1e-5)
        assert layer.compute_output_shape(x.shape) == expected.shape
        assert layer(keras.Input((None, None, 3))).shape == (None, None, None, 3)
        again = layer_class.from_config(layer.get_config())
        np.testing.assert_array_equal(again(x), layer(x))


def test_rate_1_equals_keras(rng):
    x = rng.normal(size=(1, 8, 7, 2)).astype("float32")
    for ours, theirs in (
        (AtrousMaxPooling2D, keras.layers.MaxPooling2D),
        (AtrousAveragePooling2D, keras.layers.AveragePooling2D),
    ):
        for padding in ("valid", "same"):
            expected = theirs(3, 1, padding=padding)(x)
            np.testing.assert_allclose(ours(3, padding=padding)(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(dtype: str):
    x = np.full((1, 3, 3, 1), -100.0, "float32")
    y = AtrousMaxPooling2D(3, dilation_rate=2, padding="same", dtype=dtype)(x)
    np.testing.assert_array_equal(keras.ops.cast(y, "float32"), x)


def test_wrong_padding():
    with pytest.raises(ValueError, match="padding must be one of 'valid', 'same'"):
        AtrousMaxPooling2D(2, padding="full")
