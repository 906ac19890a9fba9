from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keras_deeplab.losses import CrossEntropy
from keras_deeplab.optimizers import LayerwiseAdam, LayerwiseSGD, PolyDecay
from tests.reference.optimizers import adamw, sgd

# DeepLab v2's: classifier weights x10, its biases x20, other biases x2.
V2 = {"classifier.*bias": 20, "classifier": 10, "bias$": 2}
MULTIPLIERS = {
    "stem/kernel": 1,
    "stem/bias": 2,
    "bn/gamma": 1,
    "bn/beta": 1,
    "classifier/kernel": 10,
    "classifier/bias": 20,
}
DECAY = 0.05
SCHEDULE = PolyDecay(0.02, max_steps=7, warmup_steps=2)
RATES = [float(SCHEDULE(step)) for step in range(4)]


def network() -> keras.Model:
    x = keras.Input((4, 4, 2))
    y = keras.layers.Conv2D(3, 1, name="stem")(x)
    y = keras.layers.BatchNormalization(name="bn")(y)
    model = keras.Model(x, keras.layers.Conv2D(2, 1, name="classifier")(y))
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return model


def decay_of(path: str) -> float:
    return DECAY if path.endswith("kernel") else 0.0


def stepped(optimizer: Any, rng: np.random.Generator, steps: int = 4) -> dict[str, tuple]:
    """Weights before, gradients, and weights after some steps, by path."""
    variables = network().trainable_variables
    before = [np.asarray(v.value, "float64") for v in variables]
    gradients = [[rng.normal(size=v.shape) for v in variables] for _ in range(steps)]
    for step in gradients:
        given = [keras.ops.convert_to_tensor(g, "float32") for g in step]
        optimizer.apply(given, variables)
    return {
        v.path: (w, [step[i] for step in gradients], np.asarray(v.value))
        for i, (v, w) in enumerate(zip(variables, before, strict=True))
    }


@pytest.mark.parametrize(
    "options", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}], ids=str
)
def test_sgd_equals_the_reference(options, rng: np.random.Generator):
    optimizer = LayerwiseSGD(SCHEDULE, multipliers=V2, weight_decay=DECAY, **options)
    results = stepped(optimizer, rng)
    assert results.keys() == MULTIPLIERS.keys()
    for path, (before, gradients, after) in results.items():
        expected = sgd(
            before, gradients, RATES, multiplier=MULTIPLIERS[path], decay=decay_of(path), **options
        )
        np.testing.assert_allclose(after, expected, rtol=1e-5, atol=1e-6, err_msg=path)


@pytest.mark.parametrize("decay", [DECAY, None])
def test_adam_equals_the_reference(decay, rng: np.random.Generator):
    optimizer = LayerwiseAdam(SCHEDULE, multipliers=V2, weight_decay=decay)
    for path, (before, gradients, after) in stepped(optimizer, rng).items():
        expected = adamw(
            before,
            gradients,
            RATES,
            multiplier=MULTIPLIERS[path],
            decay=decay_of(path) if decay else 0.0,
        )
        # Keras takes 1 - 0.999 ** t in float32, which is good to 6e-5 of a step of up to 0.2.
        np.testing.assert_allclose(after, expected, atol=1.2e-5, err_msg=path)


def test_without_multipliers_as_keras(rng: np.random.Generator):
    everything = dict(weight_decay=DECAY, not_decayed=())
    pairs = [
        (LayerwiseSGD(0.1, 0.9), keras.optimizers.SGD(0.1, 0.9)),
        (LayerwiseAdam(0.1, **everything), keras.optimizers.AdamW(0.1, weight_decay=DECAY)),
        (LayerwiseSGD(0.1, **everything), keras.optimizers.SGD(0.1, weight_decay=DECAY)),
    ]
    for ours, theirs in pairs:
        found, expected = (stepped(o, np.random.default_rng(5)) for o in (ours, theirs))
        for path in expected:
            np.testing.assert_allclose(found[path][2], expected[path][2], rtol=1e-5, atol=1e-6)


def test_decay_is_that_of_l2_with_half_the_factor(rng: np.random.Generator):
    w = keras.Variable(rng.normal(size=(3,)))
    penalty = keras.regularizers.L2(0.5 * DECAY)
    # The slope of 0.5 * d * |w|^2 by central differences is what the optimizer adds.
    slope = [
        (float(penalty(w.value + d)) - float(penalty(w.value - d))) / 0.2
        for d in 0.1 * np.eye(3, dtype="float32")
    ]
    before = np.asarray(w.value)
    optimizer = LayerwiseSGD(1.0, weight_decay=DECAY)
    optimizer.apply([keras.ops.zeros((3,))], [w])
    np.testing.assert_allclose(before - np.asarray(w.value), slope, rtol=1e-4)


def test_clipping_sees_the_gradient_without_decay():
    w = keras.Variable(np.array([10.0, 0.0], "float32"))
    optimizer = LayerwiseSGD(1.0, weight_decay=0.5, clipnorm=1.0)
    optimizer.apply([keras.ops.convert_to_tensor([0.0, 4.0])], [w])
    np.testing.assert_allclose(w.value, [5.0, -1.0], rtol=1e-6)


def test_a_multiplier_of_0_freezes(rng: np.random.Generator):
    for kind in (LayerwiseSGD, LayerwiseAdam):
        optimizer = kind(0.1, multipliers={"^stem/": 0}, weight_decay=DECAY)
        for path, (before, _, after) in stepped(optimizer, rng).items():
            assert np.array_equal(before.astype("float32"), after) == path.startswith("stem")


def test_keras_own_exclusion_holds(rng: np.random.Generator):
    optimizer = LayerwiseSGD(0.1, weight_decay=DECAY)
    variables = network().trainable_variables
    optimizer.exclude_from_weight_decay(var_list=variables[:1])
    before = [np.asarray(v.value) for v in variables]
    optimizer.apply([keras.ops.zeros(v.shape) for v in variables], variables)
    changed = [not np.array_equal(b, v.value) for b, v in zip(before, variables, strict=True)]
    assert changed == [False, False, False, False, True, False]


@pytest.mark.parametrize("kind", [LayerwiseSGD, LayerwiseAdam])
def test_accumulated_gradients_are_one_of_their_mean(kind):
    options = dict(multipliers=V2, weight_decay=DECAY)
    accumulating = stepped(
        kind(0.1, gradient_accumulation_steps=2, **options), np.random.default_rng(3)
    )
    variables = network().trainable_variables
    optimizer = kind(0.1, **options)
    for i in (0, 2):
        means = [np.mean(accumulating[v.path][1][i : i + 2], 0) for v in variables]
        optimizer.apply([keras.ops.convert_to_tensor(m, "float32") for m in means], variables)
    for variable in variables:
        np.testing.assert_allclose(
            accumulating[variable.path][2], variable.value, rtol=1e-5, atol=1e-6
        )


def fit(model: keras.Model, epochs: int = 1) -> list[float]:
    rng = np.random.default_rng(4)
    images = rng.normal(size=(4, 4, 4, 2)).astype("float32")
    labels = rng.integers(0, 2, (4, 4, 4))
    return model.fit(images, labels, batch_size=2, epochs=epochs, shuffle=False, verbose=0).history[
        "loss"
    ]


@pytest.mark.parametrize(
    "optimizer",
    [
        LayerwiseSGD(SCHEDULE, 0.9, multipliers=V2, weight_decay=DECAY),
        keras.optimizers.LossScaleOptimizer(LayerwiseAdam(SCHEDULE, multipliers=V2)),
    ],
    ids=["sgd", "loss_scaled_adam"],
)
def test_saved_and_loaded_it_goes_on_as_before(optimizer, tmp_path: Path):
    model = network()
    model.compile(optimizer, CrossEntropy(), jit_compile=False)
    fit(model)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    inner = getattr(again.optimizer, "inner_optimizer", again.optimizer)
    assert inner.multipliers == V2
    assert list(inner.multipliers) == list(V2)
    assert fit(again, 2) == fit(model, 2)
    for a, b in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_moving_average_of_the_weights_over_two_fits():
    # Plain Keras on JAX fails in the second: it donates one buffer twice.
    model = network()
    optimizer = LayerwiseSGD(0.1, multipliers=V2, use_ema=True, ema_momentum=0.5)
    model.compile(optimizer, CrossEntropy(), jit_compile=False)
    fit(model)
    assert np.isfinite(fit(model)).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"multipliers": {"(": 1}}, "must be regular expressions. Received: '.': "),
        ({"not_decayed": ["["]}, "must be regular expressions"),
        ({"multipliers": {"a": -1}}, r"multipliers\['a'\] must be at least 0"),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0"),
    ],
)
def test_wrong_arguments(options, words: str):
    for kind in (LayerwiseSGD, LayerwiseAdam):
        with pytest.raises(ValueError, match=words):
            kind(0.1, **options)


def test_wrong_types():
    with pytest.raises(TypeError, match="multipliers must be a dict from pattern to factor"):
        LayerwiseSGD(1, multipliers=["classifier"])
    with pytest.raises(TypeError, match="Received: 'bias'. Write .'bias'."):
        LayerwiseAdam(1, not_decayed="bias")


def test_a_pattern_that_occurs_nowhere():
    optimizer = LayerwiseSGD(0.1, multipliers={"clasifier": 10})
    with pytest.raises(ValueError, match="Received: 'clasifier', which occurs in none of 'stem"):
        optimizer.build(network().trainable_variables)


def test_poly_decay_by_hand():
    schedule = PolyDecay(0.1, max_steps=100)
    assert float(schedule(0)) == pytest.approx(0.1)
    assert float(schedule(19)) == pytest.approx(0.1 * 0.81**0.9, rel=1e-5)
    assert float(schedule(99)) == pytest.approx(0.1 * 0.01**0.9, rel=1e-5)
    assert float(schedule(100)) == float(schedule(1000)) == 0.0


def test_warm_up_is_a_factor_that_rises_linearly():
    plain, warm = PolyDecay(1.0, 50, power=2.0), PolyDecay(1.0, 50, power=2.0, warmup_steps=4)
    for step in range(50):
        factor = min((step + 1) / 5, 1)
        assert float(warm(step)) == pytest.approx(factor * float(plain(step)), rel=1e-5)


def test_config_and_integer_variables():
    schedule = PolyDecay(0.3, 10, power=0.5, warmup_steps=2, name="mine")
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
    assert again.get_config() == schedule.get_config()
    step = keras.Variable(5, dtype="int32", trainable=False)
    np.testing.assert_allclose(again(step), 0.3 * 0.5**0.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(learning_rate=0), "learning_rate and power must be positive"),
        (dict(power=-1), "Received: learning_rate=0.1, power=-1"),
        (dict(max_steps=0), "max_steps must be at least 1"),
        (dict(warmup_steps=10), "warmup_steps must be fewer than max_steps"),
    ],
)
def test_wrong_arguments_of_poly_decay(options, words: str):
    with pytest.raises(ValueError, match=words):
        PolyDecay(**{**dict(learning_rate=0.1, max_steps=10), **options})
