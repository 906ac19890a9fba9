import keras
import numpy as np
import pytest

from keras_deeplab.layers import ScaledUniform

CASES = [
    (ScaledUniform(seed=3), keras.initializers.GlorotUniform(seed=3)),
    (ScaledUniform(2.0, "fan_in", seed=3), keras.initializers.HeUniform(seed=3)),
]


@pytest.mark.parametrize(("ours", "theirs"), CASES)
@pytest.mark.parametrize("shape", [(3, 3, 40, 50), (5, 5, 400, 1)])
def test_drawn_by_numpy_it_has_the_same_distribution(
    ours, theirs, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
):
    expected = np.sort(np.ravel(theirs(shape)))
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    values = ours(shape)
    assert values.shape == shape
    assert keras.backend.standardize_dtype(values.dtype) == "float32"
    quantiles = np.sort(np.ravel(values))
    # The largest difference of two samples' quantiles, in units of the range.
    assert np.abs(quantiles - expected).max() / (expected[-1] - expected[0]) < 0.03
    np.testing.assert_array_equal(values, ours(shape))


@pytest.mark.parametrize(("ours", "theirs"), CASES)
def test_elsewhere_it_is_keras_own(ours, theirs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    np.testing.assert_array_equal(ours((3, 3, 4, 5)), theirs((3, 3, 4, 5)))


def test_each_start_is_another(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    one, other = (np.asarray(ScaledUniform()((3, 3, 4, 5))) for _ in range(2))
    assert not np.allclose(one, other)
    keras.utils.set_random_seed(1)
    one = ScaledUniform()((3, 3, 4, 5))
    keras.utils.set_random_seed(1)
    np.testing.assert_array_equal(one, ScaledUniform()((3, 3, 4, 5)))


def test_config():
    again = keras.initializers.deserialize(keras.initializers.serialize(CASES[1][0]))
    assert isinstance(again, ScaledUniform)
    assert again.get_config() == {"scale": 2.0, "mode": "fan_in", "seed": 3}
