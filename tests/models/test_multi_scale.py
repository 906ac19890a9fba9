from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_deeplab import DeepLab
from keras_deeplab.losses import CrossEntropy
from keras_deeplab.metrics import MeanIoU
from keras_deeplab.models.multi_scale import multi_scale, scores_name, training_model
from keras_deeplab.weights import load_arrays, named_weights
from tests.reference.small_presets import shrunk_presets

SCALES = (0.5, 0.75, 1.0)
OPTIONS = dict(backbone="resnet50", output_stride=16, classes=3)


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    with shrunk_presets():
        yield


def with_scores(model: keras.Model) -> keras.Model:
    names = [scores_name(scale) for scale in SCALES]
    outputs = {name: model.get_layer(name).output for name in [*names, "scores_max"]}
    return keras.Model(model.input, outputs)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    model = DeepLab(multi_scale_inputs=SCALES, **OPTIONS)
    rng = np.random.default_rng(3)
    for key, variable in named_weights(model).items():
        if key.startswith("classifier"):
            variable.assign(rng.normal(size=variable.shape))
    return model


def test_scores_are_those_of_the_network_on_each_size(model: keras.Model, rng):
    single = DeepLab(multi_scale_inputs=(), **OPTIONS)
    load_arrays(single, {k: np.asarray(v) for k, v in named_weights(model).items()}, source="")
    image = rng.uniform(0, 255, (1, 64, 96, 3)).astype("float32")
    scores = with_scores(model)(image)
    tap = keras.Model(single.input, single.get_layer("classifier").output)
    # At 64 x 96 half of the size is the mean of 2 x 2 pixels: no resizing code is needed.
    half = image.reshape(1, 32, 2, 48, 2, 3).mean((2, 4))
    np.testing.assert_allclose(scores["scores_050"], tap(half), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(scores["scores_100"], tap(image), rtol=1e-3, atol=1e-4)
    assert scores["scores_075"].shape == (1, 3, 5, 3)


def test_the_maximum_is_taken_at_the_largest_resolution(model: keras.Model, rng):
    image = rng.uniform(0, 255, (1, 65, 97, 3)).astype("float32")
    scores = with_scores(model)(image)
    shape = scores["scores_100"].shape[1:3]
    resized = [
        keras.ops.image.resize(np.asarray(scores[scores_name(s)]), shape, "bilinear")
        for s in SCALES
    ]
    np.testing.assert_allclose(scores["scores_max"], np.max(resized, 0), rtol=1e-3, atol=1e-4)
    assert model(image).shape == (1, 65, 97, 3)


def test_weights_are_shared():
    parameters = DeepLab(**OPTIONS).count_params()
    assert DeepLab(multi_scale_inputs=SCALES, **OPTIONS).count_params() == parameters


def test_saved_and_loaded_and_fine_tuned(model: keras.Model, tmp_path: Path, caplog, rng):
    model.save(tmp_path / "m.keras")
    image = rng.uniform(0, 255, (1, 40, 33, 3)).astype("float32")
    again = DeepLab(tmp_path / "m.keras", **OPTIONS)
    np.testing.assert_allclose(again(image), model(image), rtol=1e-5, atol=1e-5)
    single = DeepLab(tmp_path / "m.keras", **OPTIONS, multi_scale_inputs=())
    assert "stem" in {layer.name for layer in single.layers}
    DeepLab(tmp_path / "m.keras", **OPTIONS | {"classes": 2})
    assert "the layer classifier starts fresh with 2" in caplog.text


def test_align_corners_grid_keeps_the_corners():
    x = keras.Input((None, None, 1))
    network = keras.Model(x, keras.layers.Conv2D(1, 1, kernel_initializer="ones")(x))
    model = keras.Model(x, multi_scale(network, x, scales=(0.5, 1.0), align_corners=True))
    ramp = np.linspace(0, 1, 9, dtype="float32")[None, :, None, None] * np.ones((1, 9, 9, 1))
    # A ramp is the same at every scale where corners stay in place.
    np.testing.assert_allclose(model(ramp), ramp, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (33, 64)])
def test_any_size(model: keras.Model, size, rng):
    scores = np.asarray(model(rng.uniform(0, 255, (2, *size, 3)).astype("float32")))
    assert scores.shape == (2, *size, 3)
    assert np.isfinite(scores).all()


@pytest.mark.slow
def test_exports_as_saved_model(model: keras.Model, tmp_path: Path, rng):
    tf = pytest.importorskip("tensorflow")
    model.export(tmp_path / "saved", verbose=False)
    image = rng.uniform(0, 255, (1, 37, 50, 3)).astype("float32")
    loaded = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_allclose(loaded.serve(image), model(image), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scales", [(0.0, 1.0), (1.0, 1.0), (-1,), (8.0,)])
def test_wrong_scales(scales):
    with pytest.raises(ValueError, match="multi_scale_inputs must be distinct scales above 0"):
        DeepLab(multi_scale_inputs=scales, **OPTIONS)


def test_the_loss_of_v2_is_the_sum_over_scales_and_maximum(model: keras.Model, rng):
    network = training_model(model)
    scored = ["scores_050", "scores_075", "scores_100", "scores_max"]
    assert sorted(network.output_names) == ["output", *scored]
    assert {id(v) for v in network.weights} == {id(v) for v in model.weights}
    network.compile(
        loss={name: CrossEntropy() for name in scored},
        metrics={"output": MeanIoU(3)},
        run_eagerly=True,
    )
    image = rng.uniform(0, 255, (1, 64, 96, 3)).astype("float32")
    labels = rng.integers(0, 3, (1, 64, 96)).astype("uint8")
    targets = dict.fromkeys(network.output_names, labels)
    result = network.evaluate(image, targets, verbose=0, return_dict=True)
    scores = with_scores(model)(image)
    expected = sum(
        float(CrossEntropy()(labels[:, rows][:, :, columns], scores[name]))
        for name, rows, columns in [
            ("scores_050", [0, 32], [0, 32, 64]),
            # The nearest to steps of 31.5 and 23.75 pixels.
            ("scores_075", [0, 32, 63], [0, 24, 48, 71, 95]),
            ("scores_100", range(0, 64, 16), range(0, 96, 16)),
            ("scores_max", range(0, 64, 16), range(0, 96, 16)),
        ]
    )
    assert result["loss"] == pytest.approx(expected, rel=1e-5)
    assert 0 < result["output_mean_iou"] < 1


def test_one_scale_has_one_output_for_the_loss(rng):
    network = training_model(DeepLab(multi_scale_inputs=(), **OPTIONS))
    assert sorted(network.output_names) == ["output", "scores"]
    scores = network(rng.uniform(0, 255, (1, 65, 97, 3)).astype("float32"))
    assert scores["scores"].shape == (1, 5, 7, 3)


def test_a_training_model_of_another_network():
    x = keras.Input((4, 4, 3))
    with pytest.raises(ValueError, match="model must be one of keras_deeplab.DeepLab"):
        training_model(keras.Model(x, keras.layers.Conv2D(2, 1)(x)))
