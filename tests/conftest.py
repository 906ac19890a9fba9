"""Fixtures for all tests."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

SHARED = Path(__file__).parents[2] / "shared"


def pytest_collection_finish() -> None:
    """Spares the garbage collector the millions of objects of TensorFlow's modules."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(autouse=True)
def _sealed(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps tests off the network and out of the user's cache."""
    connect = socket.socket.connect

    def local_connect(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise ConnectionRefusedError(f"a test reached for the network: {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_connect)
    monkeypatch.setenv("KERAS_DEEPLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("KERAS_DEEPLAB_MIRROR", raising=False)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def shared() -> Path:
    """The folder with published weights and test photos, beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("published weights and photos are not beside this checkout")
    return SHARED


@pytest.fixture
def published_weights(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lets `DeepLab` find the published weights without network."""
    monkeypatch.setenv("KERAS_DEEPLAB_MIRROR", str(shared / "weights"))
    return shared / "weights"


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A cat (CC0), as scikit-image ships it: uint8, 300x451."""
    data = pytest.importorskip("skimage.data")
    return data.chelsea()


@pytest.fixture(scope="session")
def network_bytes() -> bytes:
    """A 21-class network of half width with random weights, as the publishers' file format."""
    import keras

    from keras_deeplab import DeepLab
    from tests.reference.tflite_writer import write_tflite

    rng = np.random.default_rng(0)
    model = DeepLab(backbone="mobilenet_v2_050")
    layers = {}
    for layer in model.layers:
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
            kernel = rng.integers(0, 7, layer.kernel.shape)
            layers[layer.name] = (
                kernel,
                rng.integers(-4, 5, kernel.shape[2 + (kernel.shape[3] != 1)]),
            )
    return write_tflite(layers)


@pytest.fixture
def network_file(tmp_path: Path, network_bytes: bytes) -> Path:
    """The same as a file of its own."""
    path = tmp_path / "net.tflite"
    path.write_bytes(network_bytes)
    return path


@pytest.fixture
def small_presets() -> Iterator[None]:
    """Lets `DeepLab` build every network at a small width and depth."""
    from tests.reference.small_presets import shrunk_presets

    with shrunk_presets():
        yield
