import keras
import numpy as np
import pytest

from keras_deeplab.inference import open_segmenter
from keras_deeplab.inference.runtimes.keras_runtime import (
    device_batch_size,
    ends_in_activation,
    open_model,
)
from keras_deeplab.layers import SegmentationOutput


def convolution(activation: str | None = None) -> keras.Model:
    image = keras.Input((8, 8, 3))
    return keras.Model(image, keras.layers.Conv2D(2, 1, activation=activation)(image), name="own")


def test_names_and_size_of_the_output_layer():
    image = keras.Input((8, 8, 3))
    scores = keras.layers.Conv2D(2, 1)(image)
    output = SegmentationOutput(["sky", "kite"], inference_size=(33, 65))(scores)
    segmenter = open_segmenter(keras.Model(image, output, name="own"))
    assert segmenter.class_names == ("sky", "kite")
    assert segmenter.inference_size == (33, 65)
    assert (segmenter.output, segmenter.name) == ("logits", "own")


def test_other_models_have_numbers():
    model = convolution()
    segmenter = open_segmenter(model)
    assert segmenter.class_names == ("class 0", "class 1")
    images = np.random.default_rng(0).uniform(0, 255, (1, 8, 8, 3)).astype("float32")
    np.testing.assert_allclose(segmenter.run(images), model(images), rtol=1e-5)
    with pytest.raises(ValueError, match="name the network's 2 classes. Received: 3 names"):
        open_segmenter(model, class_names=("a", "b", "c"))


@pytest.mark.parametrize(
    ("activation", "expected"), [(None, False), ("relu", False), ("softmax", True)]
)
def test_activation_at_the_end(activation: str | None, expected: bool):
    assert ends_in_activation(convolution(activation)) == expected
    image = keras.Input((8, 8, 3))
    nested = keras.Model(image, convolution(activation)(image))
    assert ends_in_activation(nested) == expected
    by_operation = keras.Model(image, keras.ops.softmax(convolution()(image)))
    assert ends_in_activation(by_operation)
    assert open_segmenter(by_operation).output == "probabilities"
    assert open_segmenter(by_operation, from_logits=True).output == "logits"


def test_what_is_no_network():
    with pytest.raises(TypeError, match="a keras.Model or the path of a file. Received: int"):
        open_model(3)
    image = keras.Input((8, 8, 3))
    with pytest.raises(ValueError, match=r"output shape \(None, 192\)"):
        open_model(keras.Model(image, keras.layers.Flatten()(image)))


@pytest.mark.parametrize(("devices", "expected"), [([], 1), (["gpu:0"], 16)])
def test_batches_on_accelerators(devices: list, expected: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: devices)
    assert device_batch_size() == expected
