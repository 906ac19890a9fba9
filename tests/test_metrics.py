from pathlib import Path

import keras
import numpy as np
import pytest

from keras_deeplab.losses import CrossEntropy
from keras_deeplab.metrics import (
    MeanIoU,
    class_iou,
    confusion_matrix,
    frequency_weighted_iou,
    mean_accuracy,
    mean_iou,
    mean_iou_in_truth,
    pixel_accuracy,
)


def test_confusion_matrix_equals_counting(rng: np.random.Generator):
    truth = rng.integers(0, 4, (9, 11))
    labels = rng.integers(0, 4, (9, 11))
    truth[0] = 255
    matrix = confusion_matrix(truth, labels, classes=4)
    for i in range(4):
        for j in range(4):
            assert matrix[i, j] == ((truth == i) & (labels == j)).sum()


def test_mean_iou_by_hand():
    # Class 0: 3 of 4, class 1: 4 of 5; class 2 is predicted only: 0 of 2. Class 3 never occurs.
    matrix = np.array([[3, 0, 1, 0], [0, 4, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert mean_iou(matrix) == pytest.approx((3 / 4 + 4 / 5 + 0) / 3)
    assert mean_iou_in_truth(matrix) == pytest.approx((3 / 4 + 4 / 5) / 2)
    assert np.isnan(mean_iou(np.zeros((2, 2))))
    assert np.isnan(mean_iou_in_truth(np.zeros((2, 2))))


@pytest.mark.parametrize("seed", range(6))
def test_mean_iou_is_that_of_keras(seed: int):
    # Of 7 classes, some are in the truth, some in the prediction only and some in neither.
    rng = np.random.default_rng(seed)
    in_truth, in_labels = (rng.choice(7, rng.integers(1, 6), replace=False) for _ in range(2))
    theirs = keras.metrics.MeanIoU(num_classes=7, ignore_class=255)
    ours = MeanIoU(classes=7)
    matrix = np.zeros((7, 7), int)
    for _ in range(3):
        truth, labels = (rng.choice(classes, (2, 5, 6)) for classes in (in_truth, in_labels))
        truth[0, :2] = 255
        theirs.update_state(truth, labels)
        ours.update_state(truth, labels)
        matrix += confusion_matrix(truth, labels, classes=7)
    # Keras divides in float32.
    assert mean_iou(matrix) == pytest.approx(float(theirs.result()), abs=1e-6)
    assert float(ours.result()) == pytest.approx(float(theirs.result()), abs=1e-6)
    of_truth = class_iou(matrix)[np.isin(np.arange(7), in_truth)]
    assert mean_iou_in_truth(matrix) == pytest.approx(of_truth.mean())
    assert mean_iou_in_truth(matrix) >= mean_iou(matrix)


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


def test_values_from_a_matrix_by_hand():
    matrix = np.array([[3, 0, 1], [0, 4, 2], [0, 0, 0]])
    assert pixel_accuracy(matrix) == pytest.approx(7 / 10)
    assert mean_accuracy(matrix) == pytest.approx((3 / 4 + 4 / 6) / 2)
    assert frequency_weighted_iou(matrix) == pytest.approx((4 * 3 / 4 + 6 * 4 / 6) / 10)
    np.testing.assert_allclose(class_iou(matrix), [3 / 4, 4 / 6, 0])
    np.testing.assert_allclose(class_iou(np.diag([2, 0])), [1, np.nan])
    empty = np.zeros((2, 2), int)
    for value in (pixel_accuracy, mean_accuracy, frequency_weighted_iou, mean_iou_in_truth):
        assert np.isnan(value(empty))


@pytest.fixture
def batches(rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    # Class 4 never occurs in the truth, but is predicted.
    labels = [rng.integers(0, 4, (2, 7, 9)).astype("uint8") for _ in range(3)]
    for truth in labels:
        truth[0, :2] = 255
    return [(truth, rng.normal(size=(2, 7, 9, 5)).astype("float32")) for truth in labels]


def test_streaming_equals_scikit_learn(batches):
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    metric = MeanIoU(classes=5)
    for truth, logits in batches:
        metric.update_state(truth, logits)
    truth = np.concatenate([truth for truth, _ in batches])
    labels = np.concatenate([logits.argmax(-1) for _, logits in batches])
    valid = truth != 255
    matrix = sklearn_metrics.confusion_matrix(truth[valid], labels[valid], labels=range(5))
    np.testing.assert_array_equal(metric.matrix(), matrix)
    np.testing.assert_array_equal(metric.matrix(), confusion_matrix(truth, labels, classes=5))
    scores = sklearn_metrics.jaccard_score(
        truth[valid], labels[valid], labels=range(5), average=None
    )
    np.testing.assert_allclose(metric.per_class(), scores, rtol=1e-9)
    assert scores[4] == 0
    assert mean_iou(metric.matrix()) == pytest.approx(scores.mean(), rel=1e-9)
    assert mean_iou_in_truth(metric.matrix()) == pytest.approx(scores[:4].mean(), rel=1e-9)
    # JAX has no float64 inside its programs.
    precision = 1e-9 if keras.backend.backend() == "tensorflow" else 1e-6
    assert float(metric.result()) == pytest.approx(scores.mean(), rel=precision)


def test_labels_logits_one_hot_and_a_last_axis_of_one_are_alike(batches):
    truth, logits = batches[0]
    matrices = []
    for predictions in (logits, logits.argmax(-1)):
        one_hot = (truth[..., None] == np.arange(5)).astype("float32")
        for labels in (truth, truth[..., None], truth.astype("float32"), one_hot):
            metric = MeanIoU(5)
            metric.update_state(labels, predictions)
            matrices.append(metric.matrix())
    for matrix in matrices:
        np.testing.assert_array_equal(matrix, matrices[0])


def test_labels_that_are_no_class_are_left_out():
    metric = MeanIoU(2)
    assert float(metric.result()) == 0.0
    metric.update_state(np.array([[[0, 1, -1, 2, 255, 2**20]]]), np.zeros((1, 1, 6, 2)))
    assert metric.matrix().tolist() == [[1, 0], [1, 0]]
    metric.reset_state()
    assert not metric.matrix().any()


def test_counts_stay_exact_beyond_32_bits(rng: np.random.Generator):
    metric = MeanIoU(2)
    metric._counts.assign(np.full((2, 2), 2**30 - 2))
    metric._carried.assign(np.full((2, 2), 2**10))
    before = metric.matrix()
    assert before[0, 0] == 2**40 + 2**30 - 2
    truth, labels = rng.integers(0, 2, (2, 1, 9, 9))
    for _ in range(3):
        metric.update_state(truth, labels)
    added = 3 * confusion_matrix(truth, labels, classes=2)
    np.testing.assert_array_equal(metric.matrix() - before, added)
    # Else JAX, whose integers have 32 bits, would run over one day.
    assert (keras.ops.convert_to_numpy(metric._counts) < 2**30).all()
    assert float(metric.result()) == pytest.approx(mean_iou(metric.matrix()), rel=1e-6)


def test_in_fit_saved_and_loaded(batches, tmp_path: Path):
    truth, logits = (np.concatenate(part) for part in zip(*batches, strict=True))
    x = keras.Input((None, None, 5))
    model = keras.Model(x, keras.layers.Identity(name="scores")(x))
    model.compile(metrics=[MeanIoU(5)], loss=CrossEntropy(), jit_compile=True)
    # A batch of 5 images and one of 1.
    metric = model.evaluate(logits, truth, batch_size=5, verbose=0, return_dict=True)["mean_iou"]
    expected = mean_iou(confusion_matrix(truth, logits.argmax(-1), classes=5))
    assert metric == pytest.approx(expected, rel=1e-6)
    again = keras.metrics.deserialize(keras.metrics.serialize(MeanIoU(3, ignore_class=7)))
    assert (again.classes, again.ignore_class, again.name) == (3, 7, "mean_iou")


@pytest.mark.parametrize(
    ("truth", "predictions", "words"),
    [
        ((1, 4, 4), (1, 4, 4, 3), "Predictions must have 2 classes"),
        ((1, 4, 4), (1, 2, 2, 2), "must be of one size. Received: labels of shape .1, 4, 4."),
        ((4, 4), (4, 4), "must be of one size"),
    ],
)
def test_wrong_shapes(truth, predictions, words: str):
    with pytest.raises(ValueError, match=words):
        MeanIoU(2).update_state(np.zeros(truth, int), np.zeros(predictions))


def test_wrong_arguments():
    with pytest.raises(TypeError, match="classes must be an int"):
        MeanIoU(2.5)
    with pytest.raises(ValueError, match="must be without sample_weight"):
        MeanIoU(2).update_state(np.zeros((1, 1, 1)), np.zeros((1, 1, 1)), np.ones(1))
