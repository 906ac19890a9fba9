"""Float exports of every network, run in their own runtimes by this test itself."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_deeplab import DeepLab, export
from keras_deeplab.presets.networks import DEEPLABS
from tests.reference.lively import enliven, pictures
from tests.reference.matrices import matrix
from tests.reference.small_presets import distinct_networks, shrunk_presets

pytest.importorskip("tensorflow")
# One network is exported in every test run; the others are slow.
ONE = "deeplab_v3_plus_mobilenet_v2"
NETWORKS = matrix(distinct_networks(), ONE)
# Odd and even, neither a multiple of the output stride nor one more.
SIZES = ((47, 62), (56, 41))


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    with shrunk_presets():
        yield


@cache
def lively(name: str, **options) -> keras.Model:
    """A random network whose labels differ from place to place."""
    row = DEEPLABS[name]
    names = dict(version=row.version, backbone=row.backbone, variant=row.variant or None)
    keras.utils.set_random_seed(0)
    return enliven(DeepLab(**names, classes=4, **options))


def run(path: Path, image: np.ndarray) -> np.ndarray:
    if path.suffix == ".onnx":
        onnxruntime = pytest.importorskip("onnxruntime")
        session = onnxruntime.InferenceSession(path)
        return session.run(None, {"image": image})[0]
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = litert.Interpreter(str(path))
    signature = interpreter.get_signature_runner("serving_default")
    return next(iter(signature(image=image).values()))


def assert_same(result: np.ndarray, expected: np.ndarray) -> None:
    assert result.shape == expected.shape
    # The network must say something for the comparison to.
    assert expected.std() > 1e-2 * np.abs(expected).max()
    assert len(np.unique(expected.argmax(-1))) > 1
    assert np.abs(result - expected).max() <= 1e-3 * np.abs(expected).max()
    assert (result.argmax(-1) == expected.argmax(-1)).mean() >= 0.999


@pytest.mark.parametrize("suffix", matrix([".tflite", ".onnx"], ".tflite"))
@pytest.mark.parametrize("name", NETWORKS)
def test_free_size(name: str, suffix: str, tmp_path: Path, rng):
    model = lively(name)
    result = export(model, tmp_path / f"net{suffix}")
    assert result.builtin_only
    assert not any("SPACE" in name.upper() for name in result.operators)
    for size in SIZES:
        image = pictures(rng, 1, size)
        assert_same(run(result.path, image), np.asarray(model(image)))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_fixed_size(suffix: str, tmp_path: Path, rng):
    model, size = lively("deeplab_v2_resnet101_caffe_aspp"), SIZES[0]
    result = export(model, tmp_path / f"net{suffix}", input_size=size, batch=2)
    image = pictures(rng, 2, size)
    assert_same(run(result.path, image), np.asarray(model(image)))
    sides = result.metadata["input"]
    assert (sides["batch"], sides["height"], sides["width"]) == (2, *size)
    if suffix == ".onnx":
        with pytest.raises(Exception, match="Got invalid dimensions"):
            run(result.path, image[:, :40])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning")
def test_plain_keras_export(tmp_path: Path, rng):
    # Both kinds of atrous convolution, free sizes, and a model that was never called.
    model = DeepLab(version="v3+", backbone="mobilenet_v2", classes=4, output_stride=16)
    model.set_weights(lively(model.name, output_stride=16).get_weights())
    for format, name in (("litert", "net.tflite"), ("onnx", "net.onnx")):
        model.export(tmp_path / name, format=format, verbose=False)
        for size in SIZES:
            image = pictures(rng, 1, size)
            assert_same(run(tmp_path / name, image), np.asarray(model(image)))
