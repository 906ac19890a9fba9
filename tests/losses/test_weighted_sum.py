from functools import partial

import keras
import numpy as np
import pytest

from keras_deeplab.losses import CrossEntropy, Dice, Focal, LovaszSoftmax, WeightedSum
from tests.reference import losses as reference


@pytest.fixture
def case(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    labels = rng.integers(0, 3, (1, 3, 4))
    labels[0, 0, 0] = 255
    return labels, rng.normal(size=(1, 3, 4, 3)).astype("float32")


def test_is_the_sum(case):
    loss = WeightedSum([CrossEntropy(top_k=0.5), Dice()], weights=[0.5, 2])
    expected = 0.5 * float(CrossEntropy(top_k=0.5)(*case)) + 2 * float(Dice()(*case))
    assert float(loss(*case)) == pytest.approx(expected, rel=1e-6)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert float(again(*case)) == float(loss(*case))


def test_wrong_numbers():
    with pytest.raises(ValueError, match="Received: 1 losses and 2 weights"):
        WeightedSum([Dice()], weights=[1, 2])
    with pytest.raises(ValueError, match="at least one loss"):
        WeightedSum([])


def gradient(loss: keras.losses.Loss, labels: np.ndarray, logits: np.ndarray) -> np.ndarray:
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.jit(jax.grad(lambda x: loss(labels, x)))(logits))
    import tensorflow as tf

    x = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss(labels, x)
    return tape.gradient(value, x).numpy()


GRADIENTS = {
    "cross_entropy": (CrossEntropy(), reference.cross_entropy),
    "hard_pixels": (
        CrossEntropy(class_weights=[1, 0, 2], top_k=0.5),
        partial(reference.cross_entropy, class_weights=[1, 0, 2], top_k=0.5),
    ),
    "focal": (Focal(0.5), partial(reference.cross_entropy, gamma=0.5)),
    "dice": (Dice(), partial(reference.regions, class_loss=reference.dice)),
    "lovasz": (LovaszSoftmax(), partial(reference.regions, class_loss=reference.lovasz)),
    "lovasz_all": (
        LovaszSoftmax(classes="all", per_image=True),
        partial(reference.regions, class_loss=reference.lovasz, classes="all"),
    ),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_equal_finite_differences_of_the_reference(case, name: str):
    loss, expected = GRADIENTS[name]
    labels, logits = case
    # float64, and a step that is too short to change which pixel is worse.
    step = 1e-6
    slopes = np.zeros(logits.shape)
    for place in np.ndindex(logits.shape):
        d = np.zeros(logits.shape)
        d[place] = step
        slopes[place] = (expected(labels, logits + d) - expected(labels, logits - d)) / (2 * step)
    found = gradient(loss, labels, logits)
    np.testing.assert_allclose(found, slopes, rtol=1e-4, atol=1e-6)
    assert not found[0, 0, 0].any(), "an ignored pixel is pulled"


@pytest.mark.parametrize("loss", [CrossEntropy(), Focal(0.5), Dice(), LovaszSoftmax()])
def test_gradients_are_finite_where_all_is_right_or_ignored(loss):
    logits = np.array([[[[80.0, -80.0], [80.0, -80.0]]]], "float32")
    for labels in ([[[0, 255]]], [[[255, 255]]]):
        assert np.isfinite(gradient(loss, np.array(labels), logits)).all()


def test_large_activations_stay_finite_in_half_precision(rng: np.random.Generator):
    # Logits of about +-1e4, at the end of float16's range, and gradients that overflow it at first.
    policy = keras.dtype_policies.DTypePolicy("mixed_float16")
    x = keras.Input((4, 4, 2))
    kernel = keras.initializers.RandomNormal(stddev=100.0, seed=1)
    model = keras.Model(
        x, keras.layers.Conv2D(3, 1, kernel_initializer=kernel, dtype=policy, name="classifier")(x)
    )
    model.compile(
        keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1e-3)),
        loss=WeightedSum([CrossEntropy(), Focal(), Dice(), LovaszSoftmax()]),
        jit_compile=False,
    )
    images = rng.normal(scale=100, size=(4, 4, 4, 2)).astype("float32")
    history = model.fit(
        images, rng.integers(0, 3, (4, 4, 4)), batch_size=2, epochs=8, verbose=0
    ).history["loss"]
    assert history[0] > 100
    assert np.isfinite(history).all()
    assert history[-1] < history[0]
    assert all(np.isfinite(np.asarray(v)).all() for v in model.weights)
