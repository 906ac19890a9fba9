import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.inference import Segmentation
from keras_deeplab.inference.bulk import Destination, ResultFiles
from keras_deeplab.inference.bulk.result_files import run_lengths


@pytest.fixture
def result() -> Segmentation:
    labels = np.array([[0, 0, 1, 1], [0, 2, 2, 1], [0, 2, 2, 2]], "uint8")
    image = np.zeros((3, 4, 3), "uint8")
    return Segmentation(image, labels, ("sky", "road", "car"), ((0, 0, 0), (9, 0, 0), (0, 9, 0)))


def save(result: Segmentation, folder: Path, format: str, *, overlay: bool = False) -> dict:
    files = ResultFiles(Destination(str(folder)), format, overlay)
    return files.save(result, photo="/p/a.jpg", name="sub/a")


def test_png_and_record(result: Segmentation, tmp_path: Path):
    record = save(result, tmp_path, "png", overlay=True)
    assert record == {
        "photo": "/p/a.jpg", "mask": "sub/a_mask.png", "overlay": "sub/a_overlay.png",
        "height": 3, "width": 4, "shares": {"car": 5 / 12, "sky": 1 / 3, "road": 0.25},
    }  # fmt: skip
    with Image.open(tmp_path / record["mask"]) as mask:
        assert mask.mode == "P"
        np.testing.assert_array_equal(np.asarray(mask), result.labels)
    assert not list((tmp_path / ".unfinished").iterdir())


def test_npz(result: Segmentation, tmp_path: Path):
    with np.load(tmp_path / save(result, tmp_path, "npz")["mask"]) as arrays:
        np.testing.assert_array_equal(arrays["labels"], result.labels)


def test_run_lengths_are_those_of_coco(result: Segmentation, tmp_path: Path):
    content = json.loads((tmp_path / save(result, tmp_path, "rle-json")["mask"]).read_text())
    assert content["size"] == [3, 4]
    rebuilt = np.zeros((3, 4), "uint8")
    for segment in content["segments"]:
        runs = [np.full(n, i % 2) for i, n in enumerate(segment["counts"])]
        inside = np.concatenate(runs).reshape(3, 4, order="F").astype(bool)
        assert inside.sum() == segment["area"]
        assert segment["name"] == result.class_names[segment["label"]]
        rebuilt[inside] = segment["label"]
    np.testing.assert_array_equal(rebuilt, result.labels)
    assert run_lengths(np.array([[1, 0], [1, 1]], bool)) == [0, 2, 1, 1]


def test_none(result: Segmentation, tmp_path: Path):
    assert "mask" not in save(result, tmp_path, "none")
    assert list(tmp_path.iterdir()) == []


def test_storage(result: Segmentation):
    memory = pytest.importorskip("fsspec").filesystem("memory")
    ResultFiles(Destination("memory://masks/x"), "npz", False).save(result, photo="", name="a")
    with np.load(io.BytesIO(memory.cat_file("/masks/x/a_mask.npz"))) as arrays:
        np.testing.assert_array_equal(arrays["labels"], result.labels)
