import keras
import numpy as np
import pytest

from keras_deeplab.layers import BatchNormalization

tf = pytest.importorskip("tensorflow")


def _pair(shape: tuple[int, ...], rng: np.random.Generator, **options: object) -> list:
    layers = [kind(**options) for kind in (BatchNormalization, keras.layers.BatchNormalization)]
    for layer in layers:
        layer.build(shape)
    weights = [rng.uniform(0.5, 1.5, w.shape) for w in layers[0].get_weights()]
    for layer in layers:
        layer.set_weights(weights)
    return layers


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", [(5, 7), (1, 1)])
def test_values_gradients_and_statistics_equal_keras(size, training: bool, rng):
    x = tf.constant(rng.normal(2, 3, (4, *size, 3)), tf.float32)
    results = []
    for layer in _pair(x.shape, rng, momentum=0.9, epsilon=1e-3):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=training)
            loss = tf.reduce_sum(tf.sin(y))
        gradients = tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])
        results.append([y, *gradients, *layer.get_weights()])
    for actual, expected in zip(*results, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_trains_in_one_fused_operation(rng):
    layer = BatchNormalization()
    layer.build((None, None, None, 3))
    step = tf.function(lambda x: layer(x, training=True))
    graph = step.get_concrete_function(tf.TensorSpec((None, None, None, 3))).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("FusedBatchNormV3") == 1
    assert "SquaredDifference" not in kinds


def test_frozen_statistics_stay(rng):
    ours, theirs = _pair((2, 4, 4, 3), rng, trainable=False)
    x = rng.normal(size=(2, 4, 4, 3)).astype("float32")
    before = ours.get_weights()
    np.testing.assert_allclose(ours(x, training=True), theirs(x, training=True), atol=1e-6)
    for one, other in zip(before, ours.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_half_precision_has_float32_statistics(rng):
    layer = BatchNormalization(dtype="mixed_float16", momentum=0.0)
    x = rng.normal(300, 1, (8, 16, 16, 2)).astype("float16")
    y = layer(x, training=True)
    assert y.dtype == "float16"
    np.testing.assert_allclose(layer.moving_mean, x.astype("float64").mean((0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(layer.moving_variance, x.astype("float64").var((0, 1, 2)), rtol=0.01)
