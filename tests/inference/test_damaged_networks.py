"""Networks that are damaged, hostile or diverged: one clear error each, and no crash."""

import json
import os
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_deeplab import DeepLab, open_segmenter, segment
from keras_deeplab.inference import InferenceOptions
from keras_deeplab.inference.scores import Scores
from keras_deeplab.inference.sidecar import read_sidecar
from keras_deeplab.models.keras_file import load_keras_file
from tests.inference.test_opening import NAMES, small_model, with_sidecar, write_tflite
from tests.reference.matrices import matrix
from tests.reference.small_presets import shrunk_presets


@pytest.fixture(scope="module")
def keras_bytes(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("keras") / "net.keras"
    with shrunk_presets():
        DeepLab(classes=2).save(path)
    return path.read_bytes()


def test_damaged_keras_files(tmp_path: Path, keras_bytes: bytes):
    rng = np.random.default_rng(0)
    path = tmp_path / "net.keras"
    contents = [keras_bytes[: len(keras_bytes) * part // 3] for part in range(3)]
    for _ in range(3):
        damaged = bytearray(keras_bytes)
        damaged[rng.integers(len(damaged) // 4, len(damaged) // 2)] ^= 1 << rng.integers(8)
        contents.append(bytes(damaged))
    for content in contents:
        path.write_bytes(content)
        for load in (open_segmenter, DeepLab):
            with pytest.raises(ValueError, match=r"Received: .*net\.keras") as found:
                load(path)
            assert len(str(found.value)) < 1000


@pytest.mark.parametrize("member", matrix(["config.json", "model.weights.h5"], "model.weights.h5"))
def test_archives_that_are_no_models(tmp_path: Path, keras_bytes: bytes, member: str):
    (tmp_path / "whole.keras").write_bytes(keras_bytes)
    with (
        zipfile.ZipFile(tmp_path / "whole.keras") as whole,
        zipfile.ZipFile(tmp_path / "part.keras", "w") as part,
        zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in whole.namelist():
            if name != member:
                part.writestr(name, whole.read(name))
                bomb.writestr(name, whole.read(name))
        with bomb.open(member, "w", force_zip64=True) as file:
            for _ in range(40):
                file.write(bytes(1 << 24))
    for load in (DeepLab, load_keras_file):
        with pytest.raises(ValueError, match=r"must be a valid Keras model.*part\.keras"):
            load(tmp_path / "part.keras")
    with pytest.raises(ValueError, match="more than a hundred times its size"):
        load_keras_file(tmp_path / "bomb.keras")


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_code_in_a_file_is_not_run(tmp_path: Path, name: str):
    image = keras.Input((None, None, 3))
    model = keras.Model(image, keras.layers.Lambda(lambda x: x * 2)(image))
    model.layers[1].function = lambda x: 1 / 0
    model.save(tmp_path / name)
    with pytest.raises(ValueError, match=rf"must be a valid Keras model.*{name}.*[Ll]ambda"):
        open_segmenter(tmp_path / name)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_h5_files_that_take_for_ever_or_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "net.h5"
    small_model().save(path)
    assert load_keras_file(path).count_params() == small_model().count_params()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"must be a valid Keras model.*net\.h5.*truncated"):
        load_keras_file(path)
    for code, words in {
        "import time; time.sleep(60)": "reading it takes more than 1 s",
        "import os; os.kill(os.getpid(), 9)": "HDF5 crashes",
    }.items():
        monkeypatch.setattr("keras_deeplab.models.keras_file._READ_H5", code)
        monkeypatch.setattr(
            "keras_deeplab.models.keras_file._SECONDS", 1.0 if "time" in code else 60
        )
        with pytest.raises(ValueError, match=words):
            load_keras_file(path)


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes are files of POSIX")
@pytest.mark.parametrize("name", ["net.keras", "net.h5", "net.tflite", "net.onnx"])
def test_named_pipes_are_refused(tmp_path: Path, name: str):
    os.mkfifo(tmp_path / name)
    with pytest.raises(ValueError, match=rf"Received: .*{name}"):
        open_segmenter(tmp_path / name)


def test_a_damaged_header_does_not_crash(shared: Path):
    pytest.importorskip("ai_edge_litert")
    # The runtime follows the offsets in the header, which this file has no need for.
    segmenter = open_segmenter(shared / "cases" / "files" / "segfault.tflite")
    shape = [side or 33 for side in segmenter.input_shape]
    assert np.isfinite(segmenter.run(np.zeros(shape, "uint8"))).all()


def test_a_tflite_network_runs_in_several_threads(tmp_path: Path):
    path = with_sidecar(write_tflite(small_model(), tmp_path / "net.tflite"), class_names=NAMES)
    segmenter = open_segmenter(path)
    rng = np.random.default_rng(0)
    shape = (1, *(side or 33 for side in segmenter.input_shape[1:3]), 3)
    images = [rng.integers(0, 256, shape).astype("uint8") for _ in range(8)]
    expected = [segmenter.run(image) for image in images]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(segmenter.run, images * 40))
    for number, result in enumerate(results):
        np.testing.assert_array_equal(result, expected[number % 8])


def broken_model(value: float) -> keras.Model:
    image = keras.Input((None, None, 3))
    model = keras.Model(image, keras.layers.Conv2D(2, 1)(image))
    model.layers[-1].bias.assign([0.0, value])
    return model


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_no_numbers_are_refused(tmp_path: Path, value: float):
    photo = np.zeros((9, 7, 3), "uint8")
    model = broken_model(value)
    for settings in ({}, {"flip": True}, {"crf": True}):
        with pytest.raises(ValueError, match=r"must be finite. Received: \d+\.\d% of them"):
            segment(model, photo, size=16, **settings)
    model.export(tmp_path / "net", verbose=False)
    with pytest.raises(ValueError, match="must be finite. Received: .*net, which returns NaN"):
        open_segmenter(tmp_path / "net", class_names=["a", "b"])


def test_photos_after_one_with_scores_that_are_no_numbers_are_segmented():
    values = np.zeros((2, 2, 2), "float32")
    photo = np.zeros((2, 2, 3), "uint8")
    values[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"12\.5% of them"):
        Scores(values, "logits", photo).labels()
    image = keras.Input((None, None, 3))
    # Black photos give 0 / 0.
    model = keras.Model(image, keras.layers.Lambda(lambda x: x / x)(image))
    photos = [photo + 9, photo, photo + 5]
    segmenter = open_segmenter(model)
    scores = segmenter.predict(photos, InferenceOptions(size=2))
    assert [bool(np.isfinite(one.values).all()) for one in scores] == [True, False, True]
    results = segment(segmenter, photos, size=2).outcomes(lambda number, result: number)
    assert [type(result).__name__ for result in results] == ["int", "ValueError", "int"]


@pytest.mark.parametrize(
    "changes",
    [
        dict(class_names="abcd"),
        dict(class_names=[]),
        dict(palette=[[0, 0, 0]]),
        dict(palette="text"),
        dict(palette=[[0, 0, 999]] * 4),
        dict(inference_size=[1e6, 1e6]),
        dict(inference_size=[0, 65]),
        dict(inference_size=7),
        dict(ignore_class="x"),
        dict(output=[1]),
    ],
)
def test_sidecars_with_values_that_cannot_be(tmp_path: Path, changes: dict):
    path = tmp_path / "net.tflite"
    path.write_bytes(b"\0\0\0\0TFL3" + bytes(20))
    with_sidecar(path, **changes)
    with pytest.raises(ValueError, match="must describe an export of keras_deeplab"):
        read_sidecar(path)


def test_deep_json_is_refused(tmp_path: Path):
    (tmp_path / "net.tflite.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="must describe an export"):
        read_sidecar(tmp_path / "net.tflite")
    (tmp_path / "net.tflite.json").write_text(json.dumps([1]))
    with pytest.raises(ValueError, match="must describe an export"):
        read_sidecar(tmp_path / "net.tflite")
