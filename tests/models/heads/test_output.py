import keras
import numpy as np

from keras_deeplab.models.heads.output import classifier, crf_layer, segmentation_output
from keras_deeplab.presets.crfs import CRFS


def test_classifier_is_a_1x1_convolution(rng):
    layer = keras.Model(x := keras.Input((4, 4, 5)), classifier(x, 3)).get_layer("classifier")
    kernel = np.asarray(layer.kernel)
    assert kernel.shape == (1, 1, 5, 3)
    # Truncated at two standard deviations of 0.01.
    assert 0 < np.abs(kernel).max() <= 0.02


def test_scores_are_resized_to_the_image(rng):
    scores, image = keras.Input((3, 3, 2)), keras.Input((5, 5, 3))
    output = segmentation_output(
        scores, image, class_names=("a", "b"), align_corners=True, crf=None, activation=None
    )
    values = rng.normal(size=(1, 3, 3, 2)).astype("float32")
    found = np.asarray(keras.Model([scores, image], output)([values, np.zeros((1, 5, 5, 3))]))
    # With the corners aligned, every other pixel is a score and the others are means.
    np.testing.assert_allclose(found[:, ::2, ::2], values, atol=1e-6)
    np.testing.assert_allclose(found[:, 1, ::2], (values[:, 0] + values[:, 1]) / 2, atol=1e-6)


def test_activation_names_and_size_are_in_the_output_layer():
    scores, image = keras.Input((4, 4, 2)), keras.Input((4, 4, 3))
    output = segmentation_output(
        scores,
        image,
        class_names=("a", "b"),
        align_corners=False,
        crf=None,
        activation="softmax",
        inference_size=(33, 65),
    )
    model = keras.Model([scores, image], output)
    layer = model.get_layer("output")
    assert (layer.class_names, layer.inference_size) == (("a", "b"), (33, 65))
    zeros = np.zeros((1, 4, 4, 2), "float32")
    np.testing.assert_allclose(model([zeros, np.zeros((1, 4, 4, 3))]), 0.5)


def test_crf_has_the_parameters_of_its_preset():
    layer = crf_layer("v2_vgg16", engine="convolutional")
    row, config = CRFS["v2_vgg16"], layer.get_config()
    assert config["engine"] == "convolutional"
    assert config["theta_alpha"] == row.theta_alpha
    assert config["num_iterations"] == row.num_iterations
