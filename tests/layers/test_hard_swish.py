import keras
import numpy as np
import pytest

from keras_deeplab.layers import HardSwish

tf = pytest.importorskip("tensorflow")


def test_values_and_gradients_equal_keras():
    x = tf.linspace(-5.0, 5.0, 41)[1:-1]
    results = []
    for function in (HardSwish(), keras.activations.hard_silu):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        results.append([y, tape.gradient(y, x)])
    np.testing.assert_allclose(results[0][0], results[1][0], atol=1e-6)
    smooth = np.abs(np.abs(x) - 3) > 1e-3
    np.testing.assert_allclose(results[0][1][smooth], results[1][1][smooth], atol=1e-6)


def test_keeps_half_precision():
    assert HardSwish(dtype="mixed_bfloat16")(tf.ones(3)).dtype == "bfloat16"
