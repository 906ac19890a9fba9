import numpy as np
import tensorflow as tf

from keras_deeplab.ops.activations import hard_swish


def test_values_and_slopes_by_hand():
    x = tf.constant([-4.0, -1.5, 0.0, 1.5, 4.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = hard_swish(x)
    # x (x + 3) / 6 between -3 and 3, whose slope is x / 3 + 1 / 2.
    np.testing.assert_allclose(y, [0, -0.375, 0, 1.125, 4], atol=1e-6)
    np.testing.assert_allclose(tape.gradient(y, x), [0, 0, 0.5, 1, 1], atol=1e-6)
