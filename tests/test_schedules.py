import keras
import numpy as np
import pytest

from keras_deeplab.schedules import PolyDecay


def test_values_by_hand():
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
def test_wrong_arguments(options, words: str):
    with pytest.raises(ValueError, match=words):
        PolyDecay(**{**dict(learning_rate=0.1, max_steps=10), **options})
