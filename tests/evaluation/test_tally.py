"""Pixel counts of images, and their sums."""

import numpy as np
import pytest

from keras_deeplab.evaluation.elements import Element
from keras_deeplab.evaluation.tally import Tally

TRUTH = np.array([[0, 0, 1, 1], [0, 0, 1, 255]])
LABELS = np.array([[0, 1, 1, 1], [0, 0, 0, 0]])


def element(name: str = "cat") -> Element:
    return Element(name, np.zeros((2, 4, 3), "uint8"), TRUTH)


def test_counts_of_one_image():
    counts = Tally(2, 255, trimap_width=3).count(element(), LABELS, seconds=0.5)
    assert counts.confusion.tolist() == [[3, 1], [1, 2]]
    assert (counts.image.height, counts.image.width, counts.image.seconds) == (2, 4, 0.5)
    assert counts.image.pixel_accuracy == pytest.approx(5 / 7)
    assert counts.image.mean_iou == pytest.approx((3 / 5 + 2 / 4) / 2)
    # Every labelled pixel is within three pixels of the boundary.
    assert counts.trimap[-1].tolist() == counts.confusion.tolist()


def test_images_add_up():
    tally = Tally(2, 255, trimap_width=1)
    for name in ("a", "b"):
        tally.add(tally.count(element(name), LABELS, seconds=0.0))
    assert tally.confusion.tolist() == [[6, 2], [2, 4]]
    assert [image.name for image in tally.images] == ["a", "b"]


def test_counting_alone_adds_nothing():
    tally = Tally(2, 255, trimap_width=1)
    tally.count(element(), LABELS, seconds=0.0)
    assert tally.confusion.sum() == 0
    assert tally.images == []


def test_errors_name_the_image():
    with pytest.raises(ValueError, match=r"^cat: .*Received"):
        Tally(2, 255, trimap_width=1).count(element(), LABELS[:, :2], seconds=0.0)
