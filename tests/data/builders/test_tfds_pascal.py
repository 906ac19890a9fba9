import shutil
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from keras_deeplab.data.builders import PascalContext, PascalPersonPart, Voc2012Segmentation
from keras_deeplab.data.tfds_source import TFDSData, from_tfds
from keras_deeplab.presets.datasets import DATASETS
from tests.data.miniatures import SIZE, make_sbd, make_voc, write_mask


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Archives in the layouts in which they are published, unpacked."""
    root = tmp_path / "published"
    make_voc(root / "voc2012", 2012)
    make_voc(root / "voc2010", 2010)
    make_sbd(root / "sbd")
    for name in "abc":
        write_mask(root / "context/59_context_labels" / f"{name}.png", np.resize([0, 21], SIZE))
    person = root / "person" / "pascal_person_part"
    for name in "ac":
        write_mask(person / "pascal_person_part_gt" / f"{name}.png", 6)
    (person / "pascal_person_part_trainval_list").mkdir()
    for split, name in (("train", "a"), ("val", "c")):
        (person / "pascal_person_part_trainval_list" / f"{split}_id.txt").write_text(name)
    return root


ARCHIVES = {
    "voc2012": ("VOCtrainval_11-May-2012", "tar"),
    "voc2010": ("VOCtrainval_03-May-2010", "tar"),
    "sbd": ("benchmark", "gztar"),
    "context": ("59_context_labels", "gztar"),
    "person": ("pascal_person_part", "zip"),
}


def pack(published: Path, folder: Path) -> None:
    for name, (file, kind) in ARCHIVES.items():
        path = Path(shutil.make_archive(str(folder / file), kind, published / name))
        if name == "sbd":
            path.rename(folder / "benchmark.tgz")


def prepare(
    kind: type[tfds.core.DatasetBuilder], tmp_path: Path, config: str | None
) -> tfds.core.DatasetBuilder:
    builder = kind(config=config, data_dir=tmp_path / "prepared")
    builder.download_and_prepare(
        download_dir=tmp_path / "downloads",
        download_config=tfds.download.DownloadConfig(manual_dir=tmp_path / "manual"),
    )
    return builder


def contents(data: TFDSData) -> dict[str, list[int]]:
    return {element["name"]: np.unique(element["labels"]).tolist() for element in data}


CASES = [
    (Voc2012Segmentation, "voc", {"a": [1, 255], "b": [2, 255]}, {"c": [3, 255]}),
    (Voc2012Segmentation, "trainaug", {"a": [1, 255], "b": [2, 255], "d": [13]}, {"c": [3, 255]}),
    (PascalContext, "60", {"a": [0, 2], "b": [0, 2]}, {"c": [0, 2]}),
    (PascalContext, "59", {"a": [1, 255], "b": [1, 255]}, {"c": [1, 255]}),
    (PascalPersonPart, None, {"a": [6]}, {"c": [6]}),
]


@pytest.mark.parametrize(
    ("kind", "config", "train", "val"), CASES, ids=lambda x: str(getattr(x, "name", x))[:20]
)
def test_from_packed_archives(
    tmp_path: Path,
    published: Path,
    kind: type[tfds.core.DatasetBuilder],
    config: str | None,
    train: dict[str, list[int]],
    val: dict[str, list[int]],
):
    """Ids survive, of palette PNGs too, and images are the published bytes."""
    (tmp_path / "manual").mkdir()
    pack(published, tmp_path / "manual")
    builder = prepare(kind, tmp_path, config)
    data = from_tfds(builder)
    assert contents(data) == train
    assert contents(from_tfds(builder, "val")) == val
    year = 2012 if kind is Voc2012Segmentation else 2010
    path = published / f"voc{year}" / "VOCdevkit" / f"VOC{year}" / "JPEGImages" / "a.jpg"
    image = next(element["image"] for element in data if element["name"] == "a")
    np.testing.assert_array_equal(image, tf.io.decode_jpeg(path.read_bytes()))


def test_from_unpacked_archives(tmp_path: Path, published: Path):
    published.rename(tmp_path / "manual")
    builder = prepare(Voc2012Segmentation, tmp_path, "trainaug")
    assert contents(from_tfds(builder)) == CASES[1][2]


def test_what_is_not_there_is_downloaded(tmp_path: Path, published: Path):
    asked = []

    def download_and_extract(self: object, url: str) -> Path:
        asked.append(url)
        return (
            published
            / {"VOCtrainval_11-May-2012.tar": "voc2012", "benchmark.tgz": "sbd"}[url.split("/")[-1]]
        )

    with mock.patch.object(
        tfds.download.DownloadManager, "download_and_extract", download_and_extract
    ):
        builder = prepare(Voc2012Segmentation, tmp_path, "trainaug")
    assert contents(from_tfds(builder)) == CASES[1][2]
    assert len(asked) == 2
    assert asked[0].startswith("http://host.robots.ox.ac.uk/pascal/VOC/voc2012/")


def test_registered_by_name():
    import keras_deeplab.data.builders  # noqa: F401

    builder = tfds.builder("voc2012_segmentation/trainaug", data_dir="/none")
    assert builder.info.features["labels"].names == list(DATASETS["voc"].class_names)
    assert "VOCtrainval_11-May-2012.tar from http" in builder.MANUAL_DOWNLOAD_INSTRUCTIONS
