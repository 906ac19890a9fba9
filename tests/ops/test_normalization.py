import numpy as np

from keras_deeplab.ops.normalization import fused_batch_norm


def test_statistics_are_those_of_numpy(rng: np.random.Generator):
    x = rng.normal(2, 3, (3, 4, 5, 6)).astype("float32")
    gamma, beta = rng.normal(size=(2, 6)).astype("float32")
    y, mean, variance = fused_batch_norm(x, gamma, beta, epsilon=1e-3)
    # float32 sums of 60 numbers.
    np.testing.assert_allclose(mean, x.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(variance, x.var((0, 1, 2)), rtol=1e-5)
    expected = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-3) * gamma + beta
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
