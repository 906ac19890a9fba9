"""What must hold for every network, whatever it is made of."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_deeplab import DeepLab
from keras_deeplab.models import network
from keras_deeplab.presets.networks import DEEPLABS
from tests.reference.lively import enliven
from tests.reference.matrices import matrix
from tests.reference.on_jax import ON_JAX
from tests.reference.small_presets import distinct_networks, shrunk_presets, some_networks

NETWORKS = distinct_networks()
SOME = some_networks()
# One network is built in every test run; the others are slow.
ONE = "deeplab_v3_plus_mobilenet_v2"
# Mean error of the scores, in parts of their standard deviation. A random network of fifty layers
# multiplies rounding errors: measured were up to 0.046 with the 11 bits of float16, and 0.23 with
# the 8 bits of bfloat16. A layer that overflows or loses its offset gives more than 1.
HALF_PRECISION = {"mixed_float16": 0.08, "mixed_bfloat16": 0.4}
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    with shrunk_presets():
        yield


def build(name: str, **options) -> keras.Model:
    row = DEEPLABS[name]
    names = dict(version=row.version, backbone=row.backbone, variant=row.variant or None)
    return DeepLab(**names, classes=4, **options)


def classifiers(model: keras.Model) -> list[keras.Layer]:
    return [layer for layer in model.layers if layer.name.startswith("classifier")]


def built(name: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    return enliven(build(name))


def assert_close(actual, expected, message: str = "") -> None:
    """Bounds the error by float32 through fifty layers, in another order of summation."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, message
    assert np.abs(actual - expected).max() <= 1e-4 * np.abs(expected).max(), message


@pytest.fixture(scope="module", params=matrix(NETWORKS, ONE))
def model(request) -> keras.Model:
    return built(request.param)


def save(names: list[str], folder: Path) -> dict[str, keras.Model]:
    """Saves networks as files, with an image, for one fresh process to load."""
    image = np.random.default_rng(2).uniform(0, 255, (1, 40, 33, 3)).astype("float32")
    np.save(folder / "image.npy", image)
    models = {name: built(name) for name in names}
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
    return models


def one_or_all(names: list[str]) -> pytest.MarkDecorator:
    """Runs a test on one network, and as a slow test on all of them."""
    every = pytest.param(names, marks=pytest.mark.slow, id="all")
    return pytest.mark.parametrize("names", [pytest.param([ONE], id="one"), every])


def in_a_fresh_process(code: str, folder: Path, **variables: str) -> list[str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, **variables, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (31, 33), (64, 64), (65, 97), (100, 41)])
def test_any_size(model: keras.Model, size: tuple[int, int], rng):
    images = rng.uniform(0, 255, (2, *size, 3)).astype("float32")
    scores = np.asarray(model(images))
    assert scores.shape == (2, *size, 4)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert_close(model(images[1:])[0], scores[1])


def test_uint8_and_float_are_the_same(model: keras.Model, rng):
    images = rng.integers(0, 256, (1, 33, 33, 3), "uint8")
    np.testing.assert_array_equal(model(images), model(images.astype("float32")))


def test_output_strides_share_their_weights(model: keras.Model, monkeypatch, rng):
    """The backbone's features at a smaller output stride, subsampled, are those at the largest."""
    if "mobilenet_v3" in model.name:
        pytest.skip("squeeze-excite averages over more pixels; test_mobilenet leaves it out")
    if DEEPLABS[model.name].dilates_first:
        pytest.skip("the library it reads dilates the whole stage, which is not consistent")
    built_features, build_backbone = [], network.build_backbone

    def recorded(*arguments, **options):
        features = build_backbone(*arguments, **options)
        # VGG's last pool has no rate in Caffe, as `vgg` says: its features are compared before it.
        built_features.append(features.get("stage_5", features["output"]))
        return features

    monkeypatch.setattr(network, "build_backbone", recorded)
    image = rng.uniform(0, 255, (1, 97, 97, 3)).astype("float32")
    found = {}
    for stride in DEEPLABS[model.name].output_strides:
        other = build(model.name, output_stride=stride)
        other.set_weights(model.get_weights())
        feature = built_features[-1]
        found[feature.stride] = np.asarray(keras.Model(other.input, feature.tensor)(image))
    coarsest = max(found)
    scale = np.abs(found[coarsest]).max()
    assert found[coarsest].std() > 1e-3 * scale
    for stride, dense in found.items():
        step = coarsest // stride
        # float32 in another order of summation.
        assert np.abs(dense[:, ::step, ::step] - found[coarsest]).max() < 1e-4 * scale


@one_or_all(NETWORKS)
def test_saved_and_loaded_in_a_fresh_process(names: list[str], tmp_path: Path):
    models = save(names, tmp_path)
    code = (
        "import keras, keras_deeplab, numpy as np\n"
        f"for name in {names}:\n"
        "    model = keras.models.load_model(f'{name}.keras')\n"
        "    np.save(f'{name}.npy', model(np.load('image.npy')))\n"
        "    print(model.get_layer('output').class_names)"
    )
    printed = in_a_fresh_process(code, tmp_path)
    image = np.load(tmp_path / "image.npy")
    for name, class_names in zip(names, printed, strict=True):
        assert class_names == str(models[name].get_layer("output").class_names)
        scores = np.load(tmp_path / f"{name}.npy")
        assert_close(scores, models[name](image), name)


def test_mixed_precision_gives_the_scores_in_float32(model: keras.Model, rng):
    image = rng.uniform(0, 255, (1, 65, 65, 3)).astype("float32")
    expected = np.asarray(model(image))
    for policy, tolerance in HALF_PRECISION.items():
        keras.config.set_dtype_policy(policy)
        try:
            mixed = build(model.name)
        finally:
            keras.config.set_dtype_policy("float32")
        mixed.set_weights(model.get_weights())
        assert classifiers(mixed)[0].compute_dtype == policy.removeprefix("mixed_")
        scores = np.asarray(mixed(image))
        assert scores.dtype == np.float32
        assert np.abs(scores - expected).mean() <= tolerance * expected.std()


def test_every_weight_has_a_gradient(model: keras.Model, rng):
    tf = pytest.importorskip("tensorflow")
    # Batch norm over a single pooled pixel per image would cancel itself: two images.
    images = rng.uniform(0, 255, (2, 65, 65, 3)).astype("float32")
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(images, training=True) ** 2)
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    names = [
        variable.path
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True)
        if gradient is None or not np.abs(gradient).max() > 0
    ]
    assert names == []


def test_fit_with_plain_keras(rng):
    keras.utils.set_random_seed(0)
    model = DeepLab(backbone="resnet50", classes=2)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # Tracing the step takes longer than running it; test_train_command.py trains a traced one.
    model.compile("adam", loss, run_eagerly=True)
    images = rng.uniform(0, 255, (4, 33, 33, 3)).astype("float32")
    masks = (images.mean(-1) > 128).astype("int32")
    history = model.fit(images, masks, batch_size=2, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.parametrize("model", matrix(SOME, "deeplab_v2_vgg16_large_fov"), indirect=True)
def test_exports_as_saved_model(model: keras.Model, tmp_path: Path, rng):
    tf = pytest.importorskip("tensorflow")
    model.export(tmp_path / "saved", verbose=False)
    served = tf.saved_model.load(tmp_path / "saved")
    image = rng.uniform(0, 255, (1, 37, 50, 3)).astype("float32")
    assert_close(served.serve(image), model(image))


@pytest.mark.slow
def test_runs_on_the_jax_backend(tmp_path: Path):
    pytest.importorskip("jax")
    names = SOME
    models = save(names, tmp_path)
    code = (
        "import sys, jax, keras, numpy as np\n"
        "from keras_deeplab import DeepLab, segment\n"
        "from tests.reference.small_presets import shrink_presets\n"
        "shrink_presets()\n"
        f"for name in {names}:\n"
        "    model = keras.models.load_model(f'{name}.keras')\n"
        "    np.save(f'{name}.npy', jax.jit(model)(np.load('image.npy')))\n"
        f"model = DeepLab('{names[0]}.keras')\n"
        "assert keras.backend.backend() == 'jax' and 'tensorflow' not in sys.modules\n"
        "print(segment(model, np.zeros((9, 7, 3), 'uint8'), size=33).labels.shape)"
    )
    assert in_a_fresh_process(code, tmp_path, **ON_JAX) == ["(9, 7)"]
    image = np.load(tmp_path / "image.npy")
    for name in names:
        scores = np.load(tmp_path / f"{name}.npy")
        assert_close(scores, models[name](image), name)


@pytest.mark.parametrize("name", matrix(SOME, "deeplab_v2_vgg16_large_fov"))
def test_the_layout_of_keras_json_does_not_matter(name: str):
    image = np.random.default_rng(0).integers(0, 256, (1, 65, 49, 3)).astype("float32")
    model = built(name)
    expected = np.asarray(model(image))
    keras.config.set_image_data_format("channels_first")
    try:
        other = build(name)
        other.set_weights(model.get_weights())
        assert_close(other(image), expected)
        assert {x.data_format for x in other.layers if hasattr(x, "data_format")} == {
            "channels_last"
        }
    finally:
        keras.config.set_image_data_format("channels_last")
