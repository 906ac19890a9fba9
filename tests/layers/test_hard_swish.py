from functools import partial

import keras
import numpy as np
import pytest

from keras_deeplab.layers import HardSwish

tf = pytest.importorskip("tensorflow")


def test_values_and_gradients_equal_keras():
    x = tf.linspace(-5.0, 5.0, 41)[1:-1]
    results = []
    layer = HardSwish()
    for function in (partial(layer, training=True), layer, keras.activations.hard_silu):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        results.append([y, tape.gradient(y, x)])
    smooth = np.abs(np.abs(x) - 3) > 1e-3
    for value, gradient in results[:2]:
        np.testing.assert_allclose(value, results[2][0], atol=1e-6)
        np.testing.assert_allclose(gradient[smooth], results[2][1][smooth], atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_keeps_half_precision(training: bool):
    y = HardSwish(dtype="mixed_bfloat16")(tf.ones(3), training=training)
    assert y.dtype == "bfloat16"
