from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from keras_deeplab.ops import mean_field as module
from keras_deeplab.ops.convolutional_filter import image_filter
from keras_deeplab.ops.mean_field import mean_field
from tests.reference import dense_crf

PARAMETERS = {
    "theta_alpha": 4.0,
    "theta_beta": 60.0,
    "theta_gamma": 2.0,
    "bilateral_weight": 3.0,
    "spatial_weight": 2.0,
    "engine": "convolutional",
}


def _toy(batch=1, height=9, width=11, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.uniform(0, 255, (batch, height, width, 3)).astype("float32")
    return rng.uniform(0, 3, (batch, height, width, classes)).astype("float32"), image


def _expected(image, position, colour, window, dilation):
    """The kernel matrix with every pair outside the window struck out, normalised."""
    height, width, _ = image.shape
    features = dense_crf.pixel_features(image, position, colour)
    kernel = np.exp(-0.5 * np.square(features[:, None] - features[None]).sum(-1))
    place = np.stack(np.mgrid[:height, :width], -1).reshape(-1, 2)
    apart = np.abs(place[:, None] - place[None])
    kernel *= (apart <= window // 2 * dilation).all(-1) & (apart % dilation == 0).all(-1)
    norm = 1 / np.sqrt(kernel.sum(1))
    return kernel * norm[:, None] * norm


@pytest.mark.parametrize(
    ("window", "dilation"), [(1, 1), (3, 1), (5, 2), (7, 12), pytest.param(31, 1, id="all pixels")]
)
def test_bilateral_is_exact_within_the_window(window, dilation):
    _, image = _toy()
    run = image_filter(image, [(4.0, 60.0, 2.5)], window=window, dilation=dilation)
    values = np.random.default_rng(1).random((1, 9, 11, 5)).astype("float32")
    expected = 2.5 * _expected(image[0], 4.0, 60.0, window, dilation) @ values.reshape(-1, 5)
    np.testing.assert_allclose(run(values).numpy().reshape(-1, 5), expected, atol=1e-5)


def test_spatial_is_the_gaussian():
    _, image = _toy(height=20, width=24)
    values = np.random.default_rng(1).random((1, 20, 24, 3)).astype("float32")
    kernel = dense_crf.gaussian_kernel(dense_crf.pixel_features(image[0], 2.0))
    actual = image_filter(image, [(2.0, None, 1.0)])(values).numpy()
    # The kernel is cut off at three widths, beyond which lies 0.5 % of its weight.
    np.testing.assert_allclose(actual.reshape(-1, 3), kernel @ values.reshape(-1, 3), atol=5e-3)


@pytest.fixture
def engines(monkeypatch):
    """Adds engines with other windows than the package's own."""

    def add(**options):
        monkeypatch.setitem(module._ENGINES, "other", partial(image_filter, **options))
        return {**PARAMETERS, "engine": "other"}

    return add


def test_window_over_all_pixels_is_the_fully_connected_crf(engines):
    unary, image = _toy()
    reference = {name: value for name, value in PARAMETERS.items() if name != "engine"}
    actual = mean_field(unary, image, **engines(window=31, dilation=1)).numpy()[0]
    expected = dense_crf.mean_field(unary[0], image[0], **reference)
    np.testing.assert_allclose(actual, expected, atol=2e-2)
    assert (actual.argmax(-1) == expected.argmax(-1)).all()


def test_batch_equals_one_by_one():
    unary, image = _toy(batch=3)
    together = mean_field(unary, image, **PARAMETERS).numpy()
    for i in range(3):
        alone = mean_field(unary[i : i + 1], image[i : i + 1], **PARAMETERS).numpy()
        np.testing.assert_allclose(together[i : i + 1], alone, atol=1e-6)


def test_dynamic_sizes():
    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, None, 4)),
            tf.TensorSpec((None, None, None, 3)),
        ],
        autograph=False,
    )
    def run(unary, image):
        return mean_field(unary, image, **PARAMETERS)

    for size in ({}, {"height": 1, "width": 1}, {"batch": 2, "width": 6}):
        unary, image = _toy(**size)
        np.testing.assert_allclose(
            run(unary, image), mean_field(unary, image, **PARAMETERS), atol=1e-5
        )


def test_runs_in_tflite_with_builtin_operators(engines):
    interpreter_module = pytest.importorskip("ai_edge_litert.interpreter")
    unary, image = _toy(height=16, width=20)
    parameters = {**engines(window=5, dilation=2), "num_iterations": 3}

    @tf.function(
        input_signature=[tf.TensorSpec(unary.shape), tf.TensorSpec(image.shape)], autograph=False
    )
    def run(unary, image):
        return mean_field(unary, image, **parameters)

    # By default the converter admits builtin operators only, and fails on any other.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([run.get_concrete_function()])
    interpreter = interpreter_module.Interpreter(model_content=converter.convert())
    operators = {detail["op_name"] for detail in interpreter._get_ops_details()}
    assert not {name for name in operators if name.startswith(("Flex", "Custom"))}
    interpreter.allocate_tensors()
    by_classes = sorted(interpreter.get_input_details(), key=lambda d: d["shape"][-1])
    for detail, values in zip(by_classes, (image, unary), strict=True):
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    actual = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(actual, run(unary, image).numpy(), atol=1e-4)


@pytest.mark.slow
def test_compiles_with_xla():
    unary, image = _toy()
    run = tf.function(
        lambda u, i: mean_field(u, i, **PARAMETERS), jit_compile=True, autograph=False
    )
    np.testing.assert_allclose(run(unary, image), mean_field(unary, image, **PARAMETERS), atol=1e-4)
