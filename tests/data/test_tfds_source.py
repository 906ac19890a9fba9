import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from keras_deeplab.data.tfds_source import _IMAGES, _LABELS, _find_key, from_tfds
from keras_deeplab.presets.datasets import DATASETS

SIZE = (6, 8)
KINDS = ("named", "plain", "tensor", "none", "grey", "wide")


def image_of(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (*SIZE, 3), "uint8")


def labels_of(number: int) -> np.ndarray:
    return np.resize([number, 1, 2, 255, 33], SIZE).astype("uint8")


class TinySegmentation(tfds.core.GeneratorBasedBuilder):
    """Seven images in train, one in test, of which the mask is named by configuration."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS: ClassVar = [tfds.core.BuilderConfig(name=name) for name in KINDS]

    def _info(self) -> tfds.core.DatasetInfo:
        kind = self.builder_config.name
        mask: Any = tfds.features.Image(shape=(None, None, 1), encoding_format="png")
        if kind == "named":
            mask = tfds.features.LabeledImage(labels=["sky", "cat", "dog"])
        elif kind == "wide":
            mask = tfds.features.Image(encoding_format="png")
        elif kind == "tensor":
            mask = tfds.features.Tensor(shape=SIZE, dtype=np.uint8)
        channels = 1 if kind == "grey" else 3
        features = {
            "image": tfds.features.Image(shape=(None, None, channels), encoding_format="png"),
            "segmentation_mask" if kind != "none" else "other": mask,
        }
        if kind != "plain":
            features["file_name"] = tfds.features.Text()
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {"train": self._generate_examples(range(7)), "test": self._generate_examples([7])}

    def _generate_examples(self, numbers: Any) -> Any:
        kind = self.builder_config.name
        for number in numbers:
            labels = labels_of(number)
            image = image_of(number)
            example = {
                "image": image[..., :1] if kind == "grey" else image,
                "segmentation_mask" if kind != "none" else "other": labels
                if kind == "tensor"
                else np.repeat(labels[..., None], 3 if kind == "wide" else 1, -1),
            }
            if kind != "plain":
                example["file_name"] = f"f{number}"
            yield number, example


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tfds")


def builder(prepared: Path, config: str) -> tfds.core.DatasetBuilder:
    return TinySegmentation(config=config, data_dir=prepared)


def names(data: Any, count: int, **options: int) -> list[str]:
    return [
        element["name"].decode()
        for element in data.stream(**options).take(count).as_numpy_iterator()
    ]


def test_elements(prepared: Path):
    data = from_tfds(builder(prepared, "named"))
    assert len(data) == 7
    assert data.class_names == ("sky", "cat", "dog")
    elements = {element["name"]: element for element in data}
    assert elements.keys() == {f"f{number}" for number in range(7)}
    for number in range(7):
        element = elements[f"f{number}"]
        np.testing.assert_array_equal(element["image"], image_of(number))
        np.testing.assert_array_equal(element["labels"], labels_of(number))
    spec = data.stream().element_spec
    assert spec["image"] == tf.TensorSpec((None, None, 3), tf.uint8)
    assert spec["labels"] == tf.TensorSpec((None, None), tf.int32)
    assert spec["position"] == tf.TensorSpec((), tf.int64)


@pytest.mark.parametrize("config", ["plain", "tensor", "grey", "wide"])
def test_other_features(prepared: Path, config: str):
    data = from_tfds(builder(prepared, config), class_names=["a", "b", "c"])
    element = next(iter(data))
    assert element["image"].shape == (*SIZE, 3)
    assert element["labels"].shape == SIZE
    assert len({one["name"] for one in data}) == 7


def test_slices_and_splits(prepared: Path):
    whole = names(from_tfds(builder(prepared, "named")), 7)
    assert names(from_tfds(builder(prepared, "named"), "train[2:5]"), 3) == whole[2:5]
    assert names(from_tfds(builder(prepared, "named"), "test"), 2) == ["f7"] * 2


@pytest.mark.parametrize("start", [0, 3, 7, 16])
def test_a_stream_is_resumed_anywhere(prepared: Path, start: int):
    data = from_tfds(builder(prepared, "named"))
    whole = names(data, 21, shuffle=True, seed=5)
    passes = [whole[first : first + 7] for first in (0, 7, 14)]
    assert all(sorted(one) == [f"f{number}" for number in range(7)] for one in passes)
    assert passes[0] != passes[1]
    assert names(data, 21 - start, shuffle=True, seed=5, start=start) == whole[start:]
    positions = [
        int(one["position"]) for one in data.stream(start=start).take(2).as_numpy_iterator()
    ]
    assert positions == [start, start + 1]


def test_labels_are_mapped(prepared: Path):
    data = from_tfds(builder(prepared, "named"), label_map={1: 0, 2: 1, 33: 2})
    labels = {element["name"]: element["labels"] for element in data}["f6"]
    assert labels.ravel()[:5].tolist() == [6, 0, 1, 255, 2]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("oxford_iiit_pet", [6, 0, 1, 255, 33]),
        ("cityscapes", [255, 255, 255, 255, 18]),
        ("scene_parse150", [5, 0, 1, 255, 32]),
    ],
)
def test_known_datasets(prepared: Path, name: str, expected: list[int]):
    """TFDS's own give file values; the builder stands for one of that name."""
    own = builder(prepared, "plain")
    own.download_and_prepare()
    own.name = name
    data = from_tfds(own)
    labels = {element["name"]: element["labels"].ravel()[:5].tolist() for element in data}
    assert expected in labels.values()
    if name == "cityscapes":
        assert data.class_names == DATASETS["cityscapes"].class_names
    assert len(data.palette) == len(data.class_names)


@pytest.mark.parametrize(
    ("name", "image", "labels"),
    [
        ("oxford_iiit_pet", "image", "segmentation_mask"),
        ("cityscapes", "image_left", "segmentation_label"),
        ("scene_parse150", "image", "annotation"),
        ("lost_and_found", "image_left", "segmentation_label"),
    ],
)
def test_features_of_real_builders_are_found(tmp_path: Path, name: str, image: str, labels: str):
    real = tfds.builder(name, data_dir=tmp_path)
    assert _find_key("image", _IMAGES, real) == image
    assert _find_key("labels", _LABELS, real) == labels


@pytest.mark.parametrize(
    ("config", "options", "words"),
    [
        ("plain", {}, "class_names must be given"),
        ("none", {}, "must have labels. Received: features .*other.* Select one"),
        ("named", {"split": "trian"}, "one of train, test, .* Did you mean 'train'"),
        ("named", {"labels": "mask"}, "labels must be one of .*'segmentation_mask'"),
        ("named", {"split": "train[:0]"}, "must hold examples"),
    ],
)
def test_wrong_arguments(prepared: Path, config: str, options: dict, words: str):
    with pytest.raises(ValueError, match=words):
        from_tfds(builder(prepared, config), **options)


def test_datasets_by_name(prepared: Path):
    from_tfds(builder(prepared, "named"))
    assert len(from_tfds("tiny_segmentation/named", "test", data_dir=str(prepared))) == 1


def test_without_tfds_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ModuleNotFoundError, match=r"keras_deeplab\[tfds\]"):
        from_tfds("oxford_iiit_pet")
