import numpy as np
import pytest

from keras_deeplab.metrics import confusion_matrix, mean_iou


def test_confusion_matrix_equals_counting(rng: np.random.Generator):
    truth = rng.integers(0, 4, (9, 11))
    labels = rng.integers(0, 4, (9, 11))
    truth[0] = 255
    matrix = confusion_matrix(truth, labels, classes=4)
    for i in range(4):
        for j in range(4):
            assert matrix[i, j] == ((truth == i) & (labels == j)).sum()


def test_mean_iou_by_hand():
    # Class 0: 3 of 4, class 1: 4 of 5; class 2 occurs in the prediction only and does not count.
    assert mean_iou(np.array([[3, 0, 1], [0, 4, 1], [0, 0, 0]])) == pytest.approx(
        (3 / 4 + 4 / 5) / 2
    )
    assert np.isnan(mean_iou(np.zeros((2, 2))))


@pytest.mark.parametrize(
    ("truth", "labels", "words"),
    [
        ([0, 1], [0], "one shape"),
        ([0, 2], [0, 1], "truth must be labels 0 to 1"),
        ([0, 1], [0, 7], "labels must be labels 0 to 1, or ignore_class. Received: 0 to 7"),
    ],
)
def test_wrong_labels(truth, labels, words: str):
    with pytest.raises(ValueError, match=words):
        confusion_matrix(np.array(truth), np.array(labels), classes=2)


def test_nothing_is_ignored_on_request():
    assert confusion_matrix(np.array([255]), np.array([3]), classes=256, ignore_class=None)[255, 3]
