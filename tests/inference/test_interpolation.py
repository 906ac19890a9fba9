import numpy as np
import pytest

from keras_deeplab.inference.interpolation import (
    nearest_labels,
    resized_labels,
    resized_scores,
    softmax,
)
from tests.layers.test_resize_bilinear import reference


@pytest.mark.parametrize("target", [(20, 31), (5, 4), (9, 9)])
def test_resized_scores_and_labels_equal_the_reference(target, rng, monkeypatch):
    # Several blocks of rows.
    monkeypatch.setattr("keras_deeplab.inference.interpolation._BLOCK_PIXELS", 60)
    scores = rng.normal(size=(9, 9, 6)).astype("float32")
    scores[..., 4] = scores.min(axis=-1) - 1  # a class that can't win
    expected = reference(scores, target, align_corners=False)
    np.testing.assert_allclose(resized_scores(scores, target), expected, atol=1e-5)
    np.testing.assert_array_equal(resized_labels(scores, target), expected.argmax(-1))


def test_a_class_that_is_second_everywhere_can_win_between():
    scores = np.array([[[10.0, 0.0, 9.0], [0.0, 10.0, 9.0]]])
    assert resized_labels(scores, (1, 6)).tolist() == [[0, 0, 2, 2, 1, 1]]


def test_one_class_everywhere():
    labels = resized_labels(np.array([[[1.0, 3.0]]]), (2, 3))
    assert labels.dtype == np.uint8
    assert labels.tolist() == [[1, 1, 1], [1, 1, 1]]


def test_labels_above_255_are_kept():
    scores = np.zeros((1, 1, 300), "float32")
    scores[..., 299] = 1
    labels = resized_labels(scores, (2, 2))
    assert labels.dtype == np.uint16
    assert (labels == 299).all()


def test_nearest_labels():
    assert nearest_labels(np.array([[1, 2], [3, 4]]), (4, 1)).tolist() == [[2], [2], [4], [4]]


def test_softmax_of_large_scores():
    result = softmax(np.array([1000.0, 1000.0, 0.0]))
    np.testing.assert_allclose(result, [0.5, 0.5, 0], atol=1e-12)
