import numpy as np
import pytest

from keras_deeplab.evaluation.elements import count, elements


def read(dataset, limit=None):
    return list(elements(dataset, classes=3, ignore_class=255, limit=limit, left_out=[]))


def pair(level: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full((4, 5, 3), level, "uint8"), np.full((4, 5), level, "uint8")


def test_pairs_dicts_and_batches_are_alike():
    image, labels = pair(2)
    batch = (np.stack([image] * 2), np.stack([labels] * 2))
    named = {"image": image, "labels": labels[..., None], "name": b"photo"}
    found = read([(image, labels), named, batch])
    assert [element.name for element in found] == ["image 0", "photo", "image 2", "image 3"]
    for element in found:
        np.testing.assert_array_equal(element.image, image)
        np.testing.assert_array_equal(element.labels, labels)


def test_limit_ends_inside_a_batch():
    image, labels = pair(1)
    batch = (np.stack([image] * 3), np.stack([labels] * 3))
    assert len(read([batch, batch], limit=4)) == 4
    assert count([batch], 4) == 1
    assert count(iter([batch]), None) is None


def test_a_label_that_is_no_class_is_named():
    with pytest.raises(ValueError, match=r"image 1: labels must be 0 to 2.*Received: 7 in 100.0%"):
        read([pair(1), pair(7)])
