import keras
import numpy as np
import pytest

from keras_deeplab.models.blocks import ConvOptions, conv_bn, normalization_mode, normalize_image
from keras_deeplab.presets.normalizations import NORMALIZATIONS


@pytest.mark.parametrize("size", [6, 7])
def test_strided_convolution_is_centred(size: int):
    image = keras.Input((size, size, 1))
    model = keras.Model(image, conv_bn(image, 1, 3, stride=2, activation=None, name="conv"))
    kernel = np.zeros((3, 3, 1, 1))
    kernel[1, 1] = 1
    model.get_layer("conv").set_weights([kernel])
    x = np.arange(size * size, dtype="float32").reshape(1, size, size, 1)
    # A kernel that is 1 in its centre samples the even pixels; batch norm starts at 1/sqrt(1.001).
    np.testing.assert_allclose(model(x) * np.sqrt(1.001), x[:, ::2, ::2], rtol=1e-6)


def test_batch_norm_modes_mean_what_they_say():
    image = keras.Input((None, None, 3))
    x = np.random.default_rng(0).normal(3, 2, (2, 8, 8, 3)).astype("float32")
    outputs = {}
    for mode in ("trainable", "frozen", "folded"):
        model = keras.Model(
            image, conv_bn(image, 4, 1, activation=None, options=ConvOptions(mode), name="c")
        )
        model.get_layer("c").kernel.assign(np.ones((1, 1, 3, 4)))
        outputs[mode] = np.asarray(model(x, training=True))
        assert [w.name for w in model.get_layer("c").weights] == (
            ["kernel", "bias"] if mode == "folded" else ["kernel"]
        )
    assert abs(outputs["trainable"].mean()) < 1e-4
    np.testing.assert_allclose(outputs["frozen"] * np.sqrt(1.001), outputs["folded"], rtol=1e-5)
    assert outputs["folded"].mean() > 5


def test_normalize_image_maps_levels_to_minus_one_and_one():
    image = keras.Input((1, 3, 3))
    model = keras.Model(image, normalize_image(image, "tf"))
    x = np.array([0, 127.5, 255])[None, None, :, None] * np.ones((1, 1, 3, 3))
    np.testing.assert_allclose(model(x)[0, 0, :, 0], [-1, 0, 1], atol=1e-6)
    with pytest.raises(ValueError, match="mode must be one of 'tf'"):
        normalize_image(image, "bgr")


@pytest.mark.parametrize("mode", ["torch", "caffe", "caffe_keras"])
def test_normalize_image_standardises_by_channel(mode: str, rng: np.random.Generator):
    image = keras.Input((2, 2, 3))
    x = rng.uniform(0, 255, (1, 2, 2, 3)).astype("float32")
    expected = {
        "torch": (x / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225),
        "caffe": x - (122.675, 116.669, 104.008),
        "caffe_keras": x - (123.68, 116.779, 103.939),
    }[mode]
    model = keras.Model(image, normalize_image(image, mode))
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-4)
    again = keras.layers.Rescaling.from_config(model.get_layer("preprocessing").get_config())
    np.testing.assert_allclose(again(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mode", list(NORMALIZATIONS))
def test_a_layer_tells_its_mode(mode: str):
    image = keras.Input((2, 2, 3))
    layer = keras.Model(image, normalize_image(image, mode)).get_layer("preprocessing")
    assert normalization_mode(keras.layers.Rescaling.from_config(layer.get_config())) == mode
    with pytest.raises(ValueError, match="must be one of 'tf', 'torch', 'caffe'.*scale=0.5"):
        normalization_mode(keras.layers.Rescaling(0.5))
