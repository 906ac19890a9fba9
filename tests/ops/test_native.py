import numpy as np
import pytest
import tensorflow as tf

from keras_deeplab.ops.native import fused_batch_norm, hard_swish, resize_bilinear


@pytest.mark.parametrize(
    ("align_corners", "expected"),
    [
        # Samples at 0, 1/3, 2/3 and 1.
        (True, [0, 1, 2, 3]),
        # Samples at -1/4, 1/4, 3/4 and 5/4, held at the ends.
        (False, [0, 0.75, 2.25, 3]),
    ],
)
def test_two_pixels_to_four_by_hand(align_corners: bool, expected: list[float]):
    image = np.array([0.0, 3.0], "float32").reshape(1, 1, 2, 1)
    found = resize_bilinear(image, size=(1, 4), align_corners=align_corners)
    np.testing.assert_allclose(np.ravel(found), expected, atol=1e-6)


def test_statistics_are_those_of_numpy(rng: np.random.Generator):
    x = rng.normal(2, 3, (3, 4, 5, 6)).astype("float32")
    gamma, beta = rng.normal(size=(2, 6)).astype("float32")
    y, mean, variance = fused_batch_norm(x, gamma, beta, epsilon=1e-3)
    # float32 sums of 60 numbers.
    np.testing.assert_allclose(mean, x.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(variance, x.var((0, 1, 2)), rtol=1e-5)
    expected = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-3) * gamma + beta
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_values_and_slopes_by_hand():
    x = tf.constant([-4.0, -1.5, 0.0, 1.5, 4.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = hard_swish(x)
    # x (x + 3) / 6 between -3 and 3, whose slope is x / 3 + 1 / 2.
    np.testing.assert_allclose(y, [0, -0.375, 0, 1.125, 4], atol=1e-6)
    np.testing.assert_allclose(tape.gradient(y, x), [0, 0, 0.5, 1, 1], atol=1e-6)
