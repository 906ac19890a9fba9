from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_deeplab.data.formats import read_folder
from keras_deeplab.data.sources import Example, SegmentationFiles
from tests.data.miniatures import SIZE, write_mask, write_pairs

NAMES = ("a", "b", "c", "d", "e")


@pytest.fixture
def data(tmp_path: Path) -> SegmentationFiles:
    write_pairs(tmp_path / "images", tmp_path / "masks", " ".join(NAMES))
    return read_folder(tmp_path)


def names(data: SegmentationFiles, count: int, **options: int) -> list[str]:
    return [
        element["name"].decode()
        for element in data.stream(**options).take(count).as_numpy_iterator()
    ]


def test_elements(data: SegmentationFiles):
    assert len(data) == 5
    assert [element["name"] for element in data] == list(NAMES)
    element = data[1]
    np.testing.assert_array_equal(element["image"], np.asarray(Image.open(data.examples[1].image)))
    assert element["labels"].shape == SIZE


def test_stream_repeats_in_order(data: SegmentationFiles):
    assert names(data, 7) == [*NAMES, "a", "b"]
    elements = list(data.stream(start=3).take(3).as_numpy_iterator())
    assert [element["position"] for element in elements] == [3, 4, 5]
    expected = data[3]
    np.testing.assert_array_equal(elements[0]["image"], expected["image"])
    np.testing.assert_array_equal(elements[0]["labels"], expected["labels"])
    spec = data.stream().element_spec
    assert spec["image"] == tf.TensorSpec((None, None, 3), tf.uint8)
    assert spec["labels"] == tf.TensorSpec((None, None), tf.int32)


def test_passes_are_shuffled_each_in_its_own_order(data: SegmentationFiles):
    order = names(data, 20, shuffle=True, seed=3)
    passes = [tuple(order[start : start + 5]) for start in range(0, 20, 5)]
    assert all(sorted(one) == list(NAMES) for one in passes)
    assert len(set(passes)) > 1
    assert order == names(data, 20, shuffle=True, seed=3)
    assert order != names(data, 20, shuffle=True, seed=4)


@pytest.mark.parametrize("start", [1, 4, 5, 13])
def test_a_stream_is_resumed_anywhere(data: SegmentationFiles, start: int):
    whole = names(data, 20, shuffle=True, seed=3)
    assert names(data, 20 - start, shuffle=True, seed=3, start=start) == whole[start:]


def test_one_element_can_be_shuffled(data: SegmentationFiles):
    assert names(data.subset([2]), 3, shuffle=True) == ["c"] * 3


def test_subset(data: SegmentationFiles):
    part = data.subset([4, 0])
    assert [example.name for example in part.examples] == ["e", "a"]
    assert part.class_names == data.class_names


def test_sizes_differ(data: SegmentationFiles):
    Image.fromarray(np.zeros(SIZE[::-1], "uint8")).save(data.examples[2].mask)
    with pytest.raises(ValueError, match=r"one size. Received: .*c.jpg' of 6x8 and .*EXIF"):
        data[2]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"one size. Received: .*c.jpg"):
        names(data, 5)


def test_labels_beyond_the_classes(data: SegmentationFiles):
    write_mask(data.examples[0].mask, 200)
    with pytest.raises(ValueError, match=r"0 to 2, or 255 .* Received: 200 in '.*a.png'"):
        data[0]
    assert (data.read_labels(0) == 200).all()
    write_mask(data.examples[0].mask, 255)
    assert (data[0]["labels"] == 255).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"examples": []}, "must be an image"),
        ({"examples": [Example("a", Path("a"), Path("a"))] * 2}, "distinct. Received: 'a' twice"),
        ({"class_names": []}, "must be a class"),
        ({"class_names": ["x", "x"]}, "distinct and not empty. Received: ..x', 'x'"),
        ({"class_names": ["x", ""]}, "distinct and not empty"),
        ({"palette": ((0, 0, 0),)}, "each of the 2 classes. Received: 1 colours"),
        ({"ignore_class": -1}, "ignore_class must be at least 0"),
        ({"ignore_class": 70000}, "16 bits"),
    ],
)
def test_wrong_arguments(changes: dict, words: str):
    arguments = {"examples": [Example("a", Path("a"), Path("b"))], "class_names": ["x", "y"]}
    arguments |= changes
    with pytest.raises(ValueError, match=words):
        SegmentationFiles(arguments.pop("examples"), **arguments)


def test_start_is_not_negative(data: SegmentationFiles):
    with pytest.raises(ValueError, match="start must be at least 0"):
        data.stream(start=-1)
