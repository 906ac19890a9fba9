import keras
import numpy as np
import pytest

from keras_deeplab.weights import load_arrays


@pytest.fixture
def model() -> keras.Model:
    x = keras.Input((4, 4, 2))
    y = keras.layers.Conv2D(3, 1, name="first")(x)
    y = keras.layers.Dropout(0.5)(y)
    return keras.Model(x, keras.layers.Conv2D(5, 1, name="classifier")(y))


@pytest.fixture
def arrays(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "first/kernel": rng.normal(size=(1, 1, 2, 3)),
        "first/bias": rng.normal(size=3),
        "classifier/kernel": rng.normal(size=(1, 1, 3, 5)),
        "classifier/bias": rng.normal(size=5),
    }


def test_puts_every_array_in_its_place(model: keras.Model, arrays):
    load_arrays(model, arrays, source="a test")
    for key, array in arrays.items():
        layer, name = key.split("/")
        np.testing.assert_allclose(getattr(model.get_layer(layer), name), array, rtol=1e-6)


def test_fresh_layers_keep_their_values(model: keras.Model, arrays):
    before = np.asarray(model.get_layer("classifier").kernel)
    arrays["classifier/kernel"] = np.zeros((1, 1, 3, 21))
    load_arrays(model, arrays, source="a test", fresh=("classifier",))
    np.testing.assert_array_equal(model.get_layer("classifier").kernel, before)


@pytest.mark.parametrize("change", ["missing", "unused", "shape"])
def test_nothing_is_assigned_when_something_is_wrong(model: keras.Model, arrays, change: str):
    before = model.get_weights()
    if change == "missing":
        del arrays["first/bias"]
    elif change == "unused":
        arrays["second/bias"] = np.zeros(3)
    else:
        arrays["first/bias"] = np.zeros(4)
    words = {"missing": "lacks.*first/bias", "unused": "has.*second/bias", "shape": r"shape \(3,\)"}
    with pytest.raises(ValueError, match=f"{words[change]}.*a test|a test.*{words[change]}"):
        load_arrays(model, arrays, source="a test")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
