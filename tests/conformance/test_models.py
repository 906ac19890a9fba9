"""What must hold for every network, whatever it is made of."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_deeplab import DeepLab
from keras_deeplab.tables.deeplabs import DEEPLABS

# Widths differ by row only: the narrower row of a backbone stands for the wider.
NETWORKS = [name for name in DEEPLABS if f"{name}_050" not in DEEPLABS]


@pytest.fixture(scope="module", params=NETWORKS)
def model(request) -> keras.Model:
    row = DEEPLABS[request.param]
    model = DeepLab(version=row.version, backbone=row.backbone, classes=4)
    # At its start the classifier is nearly zero; answers must differ to be compared.
    classifier = model.get_layer("classifier")
    rng = np.random.default_rng(1)
    classifier.set_weights([rng.normal(size=w.shape) for w in classifier.get_weights()])
    return model


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
    row = DEEPLABS[model.name]
    for stride in row.output_strides:
        other = DeepLab(version=row.version, backbone=row.backbone, output_stride=stride, classes=4)
        other.set_weights(model.get_weights())
        assert other.count_params() == model.count_params()


def test_saved_and_loaded_in_a_fresh_process(model: keras.Model, tmp_path: Path, rng):
    image = rng.uniform(0, 255, (1, 40, 33, 3)).astype("float32")
    np.save(tmp_path / "image.npy", image)
    model.save(tmp_path / "m.keras")
    code = (
        "import keras, keras_deeplab, numpy as np\n"
        "model = keras.models.load_model('m.keras')\n"
        "np.save('scores.npy', model(np.load('image.npy')))\n"
        "print(model.get_layer('output').class_names)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == str(model.get_layer("output").class_names)
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), model(image), rtol=1e-5, atol=1e-5)


def test_mixed_precision_gives_finite_float32(model: keras.Model, rng):
    row = DEEPLABS[model.name]
    image = rng.uniform(0, 255, (1, 65, 65, 3)).astype("float32")
    for policy in ("mixed_float16", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        try:
            mixed = DeepLab(version=row.version, backbone=row.backbone, classes=4)
        finally:
            keras.config.set_dtype_policy("float32")
        mixed.set_weights(model.get_weights())
        assert mixed.get_layer("classifier").compute_dtype == policy.removeprefix("mixed_")
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


def test_exports_as_saved_model(model: keras.Model, tmp_path: Path, rng):
    tf = pytest.importorskip("tensorflow")
    model.export(tmp_path / "saved", verbose=False)
    served = tf.saved_model.load(tmp_path / "saved")
    image = rng.uniform(0, 255, (1, 37, 50, 3)).astype("float32")
    np.testing.assert_allclose(served.serve(image), model(image), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_runs_on_the_jax_backend(name: str, tmp_path: Path, rng):
    pytest.importorskip("jax")
    row = DEEPLABS[name]
    model = DeepLab(version=row.version, backbone=row.backbone, classes=4)
    model.save(tmp_path / "m.keras")
    image = rng.uniform(0, 255, (1, 40, 33, 3)).astype("float32")
    np.save(tmp_path / "image.npy", image)
    code = (
        "import sys, keras, numpy as np\n"
        "from keras_deeplab import DeepLab, segment\n"
        f"model = DeepLab('m.keras', version={row.version!r}, backbone={row.backbone!r})\n"
        "assert keras.backend.backend() == 'jax' and 'tensorflow' not in sys.modules\n"
        "np.save('scores.npy', model(np.load('image.npy')))\n"
        "print(segment(model, np.zeros((9, 7, 3), 'uint8'), size=33).labels.shape)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "(9, 7)"
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), model(image), rtol=1e-3, atol=1e-4)
