"""Damaged files are in tests/inference/test_damaged_networks.py."""

import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_deeplab.models.keras_file import load_keras_file


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_network_without_the_state_of_its_training(suffix: str, tmp_path: Path, rng):
    image = keras.Input((4, 4, 3))
    model = keras.Model(image, keras.layers.Conv2D(2, 1)(image))
    model.compile("adam", "mse")
    path = tmp_path / f"net{suffix}"
    model.save(path)
    again = load_keras_file(path)
    x = rng.normal(size=(1, 4, 4, 3)).astype("float32")
    np.testing.assert_array_equal(again(x), model(x))
    assert not again.compiled


def test_unknown_layers_are_named(tmp_path: Path):
    class Own(keras.layers.Layer):
        def call(self, x):
            return x

    image = keras.Input((4, 4, 3))
    keras.Model(image, Own()(image)).save(tmp_path / "net.keras")
    with pytest.raises(ValueError, match=r"must be known. Received: .*net\.keras' with 'Own'"):
        load_keras_file(tmp_path / "net.keras")


def test_an_archive_that_unpacks_to_gigabytes_is_refused(tmp_path: Path):
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", bytes(300_000_000))
    with pytest.raises(ValueError, match="more than a hundred times its size"):
        load_keras_file(path)


def test_what_is_no_file(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="The Keras model"):
        load_keras_file(tmp_path / "net.keras")
    (tmp_path / "net.keras").write_bytes(b"PK")
    with pytest.raises(ValueError, match="no zip archive"):
        load_keras_file(tmp_path / "net.keras")
