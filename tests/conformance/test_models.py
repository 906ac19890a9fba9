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
from keras_deeplab.presets.networks import DEEPLABS
from tests.reference.on_jax import ON_JAX
from tests.reference.small_presets import distinct_networks, shrunk_presets, some_networks

NETWORKS = distinct_networks()
SOME = some_networks()
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
    model = build(name)
    # At its start the classifier is nearly zero; answers must differ to be compared.
    rng = np.random.default_rng(1)
    for layer in classifiers(model):
        layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    return model


@pytest.fixture(scope="module", params=NETWORKS)
def model(request) -> keras.Model:
    return built(request.param)


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> tuple[Path, dict[str, keras.Model]]:
    """All networks as files, with an image, for one fresh process to load."""
    folder = tmp_path_factory.mktemp("saved")
    image = np.random.default_rng(2).uniform(0, 255, (1, 40, 33, 3)).astype("float32")
    np.save(folder / "image.npy", image)
    models = {name: built(name) for name in NETWORKS}
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
    return folder, models


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
    np.testing.assert_allclose(model(images[1:])[0], scores[1], rtol=1e-3, atol=1e-4)


def test_uint8_and_float_are_the_same(model: keras.Model, rng):
    images = rng.integers(0, 256, (1, 33, 33, 3), "uint8")
    np.testing.assert_array_equal(model(images), model(images.astype("float32")))


def test_output_strides_share_their_weights(model: keras.Model):
    for stride in DEEPLABS[model.name].output_strides:
        other = build(model.name, output_stride=stride)
        other.set_weights(model.get_weights())
        assert other.count_params() == model.count_params()


def test_saved_and_loaded_in_a_fresh_process(saved):
    folder, models = saved
    code = (
        "import keras, keras_deeplab, numpy as np\n"
        f"for name in {NETWORKS}:\n"
        "    model = keras.models.load_model(f'{name}.keras')\n"
        "    np.save(f'{name}.npy', model(np.load('image.npy')))\n"
        "    print(model.get_layer('output').class_names)"
    )
    printed = in_a_fresh_process(code, folder)
    image = np.load(folder / "image.npy")
    for name, names in zip(NETWORKS, printed, strict=True):
        assert names == str(models[name].get_layer("output").class_names)
        scores = np.load(folder / f"{name}.npy")
        np.testing.assert_allclose(scores, models[name](image), rtol=1e-5, atol=1e-5, err_msg=name)


def test_mixed_precision_gives_finite_float32(model: keras.Model, rng):
    image = rng.uniform(0, 255, (1, 65, 65, 3)).astype("float32")
    for policy in ("mixed_float16", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        try:
            mixed = build(model.name)
        finally:
            keras.config.set_dtype_policy("float32")
        mixed.set_weights(model.get_weights())
        assert classifiers(mixed)[0].compute_dtype == policy.removeprefix("mixed_")
        scores = np.asarray(mixed(image))
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()


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
    model = DeepLab(backbone="mobilenet_v2_050", classes=2)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images = rng.uniform(0, 255, (4, 33, 33, 3)).astype("float32")
    masks = (images.mean(-1) > 128).astype("int32")
    history = model.fit(images, masks, batch_size=2, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.parametrize("model", SOME, indirect=True)
def test_exports_as_saved_model(model: keras.Model, tmp_path: Path, rng):
    tf = pytest.importorskip("tensorflow")
    model.export(tmp_path / "saved", verbose=False)
    served = tf.saved_model.load(tmp_path / "saved")
    image = rng.uniform(0, 255, (1, 37, 50, 3)).astype("float32")
    np.testing.assert_allclose(served.serve(image), model(image), rtol=1e-4, atol=1e-4)


def test_runs_on_the_jax_backend(saved):
    pytest.importorskip("jax")
    folder, models = saved
    code = (
        "import sys, jax, keras, numpy as np\n"
        "from keras_deeplab import DeepLab, segment\n"
        "from tests.reference.small_presets import shrink_presets\n"
        "shrink_presets()\n"
        f"for name in {SOME}:\n"
        "    model = keras.models.load_model(f'{name}.keras')\n"
        "    np.save(f'{name}.npy', jax.jit(model)(np.load('image.npy')))\n"
        "model = DeepLab('deeplab_v3_mobilenet_v2.keras')\n"
        "assert keras.backend.backend() == 'jax' and 'tensorflow' not in sys.modules\n"
        "print(segment(model, np.zeros((9, 7, 3), 'uint8'), size=33).labels.shape)"
    )
    assert in_a_fresh_process(code, folder, **ON_JAX) == ["(9, 7)"]
    image = np.load(folder / "image.npy")
    for name in SOME:
        scores = np.load(folder / f"{name}.npy")
        np.testing.assert_allclose(scores, models[name](image), rtol=1e-3, atol=1e-4, err_msg=name)
