import keras
import numpy as np
import pytest

from keras_deeplab.models import BuildOptions, build_model
from keras_deeplab.presets.networks import DEEPLABS
from keras_deeplab.presets.weights import WEIGHTS

ROW = DEEPLABS["deeplab_v1_vgg16"]


def test_options_of_published_weights():
    row = WEIGHTS["deeplab_v3_mobilenet_v2.voc"]
    options = BuildOptions.published(row)
    assert options.preprocessing == row.preprocessing
    assert options.align_corners == row.align_corners
    assert options.batch_norm == row.batch_norm
    assert options.inference_size == row.inference_size
    assert options.head_batch_norm is None


def test_normalisation_is_a_layer_or_left_out(small_presets):
    row = DEEPLABS["deeplab_v1_vgg16"]
    names = ("a", "b")
    own = build_model(row, class_names=names, options=BuildOptions(preprocessing="tf"))
    raw = build_model(row, class_names=names, options=BuildOptions(preprocessing=None))
    raw.set_weights(own.get_weights())
    image = np.random.default_rng(0).uniform(0, 255, (1, 33, 41, 3)).astype("float32")
    np.testing.assert_allclose(own(image), raw(image / 127.5 - 1), atol=1e-5)
    assert own.name == row.name
    assert own.output_shape == (None, None, None, 2)


def test_scales_share_one_inner_network(small_presets):
    row = DEEPLABS["deeplab_v1_vgg16"]
    options = BuildOptions(multi_scale_inputs=(0.5, 1.0), inference_size=(33, 65))
    model = build_model(row, class_names=("a", "b"), options=options, name="mine")
    assert isinstance(model.get_layer("network"), keras.Model)
    assert model.name == "mine"
    assert model.get_layer("output").inference_size == (33, 65)


def test_what_cannot_be_built(small_presets):
    with pytest.raises(ValueError, match="must have a class"):
        build_model(ROW, class_names=())
    with pytest.raises(ValueError, match="output_stride must be one of"):
        build_model(ROW, class_names=("a", "b"), options=BuildOptions(output_stride=7))
