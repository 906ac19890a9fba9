import keras
import numpy as np

from keras_deeplab.layers.segmentation_output import SegmentationOutput, find_output


def test_is_float32_and_keeps_names():
    layer = SegmentationOutput(
        ["a", "b"], inference_size=(33, 65), dtype="mixed_float16", name="output"
    )
    x = keras.ops.cast(np.ones((1, 2, 2, 2)), "float16")
    assert layer(x).dtype == "float32"
    again = SegmentationOutput.from_config(layer.get_config())
    assert again.class_names == ("a", "b")
    assert again.inference_size == (33, 65)
    assert again.activation is keras.activations.linear


def test_softmax_sums_to_one(rng: np.random.Generator):
    scores = rng.normal(size=(1, 3, 4, 5)).astype("float32")
    y = np.asarray(SegmentationOutput("abcde", activation="softmax")(scores))
    expected = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    np.testing.assert_allclose(y, expected, rtol=1e-5)


def test_the_last_one_of_a_model_is_found():
    x = keras.Input((2, 2, 2))
    y = SegmentationOutput("ab", name="output")(x)
    assert find_output(keras.Model(x, y)).name == "output"
    # A layer after it, such as one of the user's own.
    assert find_output(keras.Model(x, keras.layers.ReLU()(y))).name == "output"
    assert find_output(keras.Model(x, keras.layers.ReLU()(x))) is None
