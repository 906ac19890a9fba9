import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from packaging.version import Version

from keras_deeplab import DeepLab, DenseCRF
from keras_deeplab.layers import CRFAsRNN

tf = pytest.importorskip("tensorflow")
SMALL = dict(theta_alpha=8.0, theta_beta=20.0, theta_gamma=2.0, num_iterations=3)


@pytest.fixture
def inputs(rng: np.random.Generator) -> list[np.ndarray]:
    logits = rng.normal(size=(2, 9, 11, 4)).astype("float32")
    return [logits, rng.uniform(0, 255, (2, 9, 11, 3)).astype("float32")]


@pytest.mark.parametrize("kernel_weights", ["per_class", "matrix"])
@pytest.mark.parametrize("engine", ["permutohedral", "convolutional"])
def test_untrained_it_is_the_dense_crf(inputs, kernel_weights: str, engine: str):
    layer = CRFAsRNN(kernel_weights=kernel_weights, engine=engine, **SMALL)
    crf = DenseCRF(bilateral_weight=5, spatial_weight=3, engine=engine, **SMALL)
    expected = crf(*inputs, from_logits=True)
    np.testing.assert_allclose(tf.nn.softmax(layer(inputs)), expected, atol=1e-5)


def test_zero_weights_give_the_logits_back(inputs):
    layer = CRFAsRNN(bilateral_weight=0, spatial_weight=0, **SMALL)
    np.testing.assert_allclose(layer(inputs), inputs[0], atol=1e-6)


def test_a_batch_equals_its_photos_one_by_one(inputs):
    layer = CRFAsRNN(**SMALL)
    single = [layer([x[i : i + 1] for x in inputs])[0] for i in range(2)]
    np.testing.assert_allclose(layer(inputs), single, atol=1e-4)


def test_classes_are_alike(inputs):
    layer = CRFAsRNN(**SMALL)
    order = [2, 0, 3, 1]
    permuted = layer([inputs[0][..., order], inputs[1]])
    np.testing.assert_allclose(permuted, np.asarray(layer(inputs))[..., order], atol=1e-4)


@pytest.mark.parametrize("kernel_weights", ["per_class", "matrix"])
def test_gradients_equal_finite_differences(inputs, kernel_weights: str, rng):
    # Weights of 1: strong ones make the iteration so steep that differences are not derivatives.
    layer = CRFAsRNN(
        kernel_weights=kernel_weights, bilateral_weight=1.0, spatial_weight=1.0, **SMALL
    )
    layer.build([x.shape for x in inputs])
    for weight in layer.weights:
        weight.assign(weight + rng.normal(0, 0.2, weight.shape))
    logits, image = (tf.constant(x) for x in inputs)
    direction = tf.constant(rng.normal(size=logits.shape), tf.float32)

    def loss(z):
        return tf.reduce_sum(layer([z, image]) * direction)

    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(logits)
    variables = [weight.value for weight in layer.weights]
    to_logits, *to_weights = tape.gradient(value, [logits, *variables])
    step = 5e-3  # float32 sums of about 800 terms: smaller steps drown in rounding
    shift = tf.constant(rng.normal(size=logits.shape), tf.float32)
    numeric = (loss(logits + step * shift) - loss(logits - step * shift)) / (2 * step)
    np.testing.assert_allclose(tf.reduce_sum(to_logits * shift), numeric, rtol=1e-2, atol=1e-2)
    assert len(to_weights) == 3
    for weight, gradient in zip(layer.weights, to_weights, strict=True):
        start = np.asarray(weight)
        shift = rng.normal(size=weight.shape).astype("float32")
        weight.assign(start + step * shift)
        above = loss(logits)
        weight.assign(start - step * shift)
        below = loss(logits)
        weight.assign(start)
        numeric = (above - below) / (2 * step)
        np.testing.assert_allclose(tf.reduce_sum(gradient * shift), numeric, rtol=1e-2, atol=1e-2)


def test_training_lowers_the_loss(rng):
    """Noisy unaries over two colours: the layer learns how far to trust them."""
    truth = np.zeros((4, 16, 20), "int32")
    truth[:, :, 10:] = 1
    image = np.where(truth[..., None] == 1, 170.0, 80.0) + rng.normal(0, 10, (4, 16, 20, 3))
    logits = 2.0 * (truth[..., None] == np.arange(2)) + rng.normal(0, 2, (4, 16, 20, 2))
    inputs = [keras.Input((None, None, 2)), keras.Input((None, None, 3))]
    layer = CRFAsRNN(bilateral_weight=0.1, spatial_weight=0.1, **SMALL)
    model = keras.Model(inputs, layer(inputs))
    model.compile(
        keras.optimizers.Adam(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    history = model.fit([logits, image.clip(0, 255)], truth, epochs=8, batch_size=2, verbose=0)
    losses = history.history["loss"]
    assert losses[-1] < 0.5 * losses[0]


def test_float32_inside_mixed_precision(inputs):
    layer = CRFAsRNN(dtype="mixed_float16", **SMALL)
    expected = CRFAsRNN(**SMALL)([inputs[0].astype("float16"), inputs[1]])
    result = layer([inputs[0].astype("float16"), inputs[1]])
    assert result.dtype == "float32"
    np.testing.assert_allclose(result, expected, atol=1e-4)


@pytest.mark.slow
def test_saved_loaded_and_exported(inputs, tmp_path: Path):
    model = DeepLab(backbone="mobilenet_v2_050", classes=4, crf="v2_vgg16")
    model.save(tmp_path / "m.keras")
    model.export(tmp_path / "saved", verbose=False)
    np.save(tmp_path / "image.npy", inputs[1])
    code = (
        "import keras, keras_deeplab, numpy as np\n"
        "model = keras.models.load_model('m.keras')\n"
        "np.save('scores.npy', model(np.load('image.npy')))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    expected = model(inputs[1])
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), expected, atol=1e-5)
    served = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_allclose(served.serve(inputs[1]), expected, atol=1e-4)
    again = CRFAsRNN.from_config(model.get_layer("crf").get_config())
    assert (again.theta_alpha, again.bilateral_weight) == (65, 4)


@pytest.mark.slow
@pytest.mark.skipif(
    Version(keras.__version__) < Version("3.13"), reason="Keras exports TFLite since 3.13"
)
def test_runs_as_tflite_with_builtin_operators_only(inputs, tmp_path: Path):
    interpreter_module = pytest.importorskip("ai_edge_litert.interpreter")
    logits, image = keras.Input((9, 11, 4)), keras.Input((9, 11, 3))
    layer = CRFAsRNN(engine="convolutional", **SMALL)
    model = keras.Model([logits, image], layer([logits, image]))
    model.export(tmp_path / "m.tflite", format="litert", verbose=False)
    interpreter = interpreter_module.Interpreter(str(tmp_path / "m.tflite"))
    interpreter.allocate_tensors()  # fails on any operator that is not built in
    for detail in interpreter.get_input_details():
        values = inputs[0] if detail["shape"][-1] == 4 else inputs[1]
        interpreter.set_tensor(detail["index"], values[:1])
    interpreter.invoke()
    result = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(result, model([x[:1] for x in inputs]), atol=1e-3)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ([(1, 8, 8, 4), (1, 8, 9, 3)], "of the same size. Received: shapes"),
        ([(1, 8, 8, 4), (1, 8, 8, 1)], "Resize the logits to the image first"),
        ([(1, 8, 8, 1), (1, 8, 8, 3)], "number of classes must be at least 2"),
    ],
)
def test_wrong_shapes(shapes, words: str):
    with pytest.raises(ValueError, match=words):
        CRFAsRNN()([np.zeros(shape, "float32") for shape in shapes])


@pytest.mark.parametrize(
    "arguments",
    [
        dict(theta_alpha=0.0),
        dict(num_iterations=-1),
        dict(kernel_weights="full"),
        dict(engine="exact"),
    ],
)
def test_wrong_arguments(arguments):
    with pytest.raises(ValueError, match="Received"):
        CRFAsRNN(**arguments)


def test_nan_stays_in_its_image(inputs):
    inputs[0][0, 0, 0] = np.nan
    result = np.asarray(CRFAsRNN(**SMALL)(inputs))
    assert np.isnan(result[0]).any()
    assert np.isfinite(result[1]).all()


def test_another_backend_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="needs the TensorFlow backend. Received: 'jax'"):
        CRFAsRNN()


@pytest.mark.slow
# tf2onnx 1.17 under NumPy 2.
@pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning")
def test_runs_as_onnx(inputs, tmp_path: Path):
    pytest.importorskip("tf2onnx")
    runtime = pytest.importorskip("onnxruntime")
    logits, image = keras.Input((9, 11, 4)), keras.Input((9, 11, 3))
    model = keras.Model([logits, image], CRFAsRNN(engine="convolutional", **SMALL)([logits, image]))
    expected = model([x[:1] for x in inputs])
    model.export(tmp_path / "m.onnx", format="onnx", verbose=False)
    session = runtime.InferenceSession(tmp_path / "m.onnx")
    names = [detail.name for detail in session.get_inputs()]
    feeds = dict(zip(names, (x[:1] for x in inputs), strict=True))
    np.testing.assert_allclose(session.run(None, feeds)[0], expected, atol=1e-4)
