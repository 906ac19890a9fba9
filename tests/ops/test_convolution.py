import itertools

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from keras_deeplab.ops.convolution import atrous_conv2d  # noqa: E402
from tests.reference.matrices import matrix  # noqa: E402


def _reference(x, kernel, *, rate):
    return tf.nn.convolution(x, kernel, padding="SAME", dilations=rate)


def _derivatives(function, x, kernel, rate):
    """The gradients of a loss, and those of a function of the gradients."""
    with tf.GradientTape() as outer:
        outer.watch([x, kernel])
        with tf.GradientTape() as inner:
            inner.watch([x, kernel])
            loss = tf.reduce_sum(tf.sin(function(x, kernel, rate=rate)))
        first = inner.gradient(loss, [x, kernel])
        value = tf.reduce_sum(first[0] ** 2) + tf.reduce_sum(tf.sin(first[1]))
    return [*first, *outer.gradient(value, [x, kernel])]


@pytest.mark.parametrize("rate", matrix([(1, 1), (2, 2), (3, 1), (7, 7), (30, 2)], (2, 2), (30, 2)))
@pytest.mark.parametrize(
    "case",
    matrix(itertools.product([(12, 17), (1, 3)], [True, False]), ((12, 17), True), ((1, 3), False)),
)
def test_first_and_second_derivatives(rate, case, rng):
    """Of TensorFlow's own convolution; the rate of 30 reaches beyond the map."""
    size, free = case
    x = tf.constant(rng.normal(size=(2, *size, 3)), tf.float32)
    kernel = tf.constant(rng.normal(size=(3, 3, 3, 4)), tf.float32)
    signature = [tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((3, 3, 3, 4))]
    results = [
        tf.function(
            lambda x, kernel, function=function: _derivatives(function, x, kernel, rate),
            input_signature=signature if free else None,
            autograph=False,
        )(x, kernel)
        for function in (atrous_conv2d, _reference)
    ]
    for actual, expected in zip(*results, strict=True):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(dtype, rng):
    x = rng.normal(size=(1, 9, 9, 3)).astype("float32")
    kernel = rng.normal(size=(3, 3, 3, 4)).astype("float32")
    results = []
    for kind in (dtype, "float32"):
        a, b = tf.cast(x, kind), tf.cast(kernel, kind)
        with tf.GradientTape() as tape:
            tape.watch([a, b])
            y = atrous_conv2d(a, b, rate=(2, 2))
        gradients = tape.gradient(y, [a, b])
        assert all(g.dtype == kind for g in gradients)
        results.append([tf.cast(g, "float32") for g in (y, *gradients)])
    for actual, expected in zip(*results, strict=True):
        # bfloat16 has 8 significant bits.
        scale = np.abs(expected).max()
        np.testing.assert_allclose(actual, expected, atol=0.03 * scale)
