import numpy as np
import pytest

from keras_deeplab.evaluation.boundaries import border_distance, boundary_counts, trimap_matrices
from keras_deeplab.metrics import confusion_matrix


@pytest.fixture
def masks(rng) -> tuple[np.ndarray, np.ndarray]:
    """Blocks of labels with an ignored strip, and a shifted copy with errors."""
    truth = rng.integers(0, 4, (5, 6)).repeat(5, 0).repeat(5, 1)
    labels = np.roll(truth, 1, axis=1)
    labels[rng.random(labels.shape) < 0.05] = 2
    truth[12] = 255
    return truth, labels


def reference_distance(labels: np.ndarray, frame: bool) -> np.ndarray:
    padded = np.pad(labels, 1, constant_values=-1) if frame else labels
    rows, columns = np.indices(padded.shape)
    distance = np.full(labels.shape, 999)
    for i, j in np.ndindex(labels.shape):
        y, x = (i + 1, j + 1) if frame else (i, j)
        other = padded != labels[i, j]
        if other.any():
            distance[i, j] = np.maximum(abs(rows - y), abs(columns - x))[other].min()
    return distance


@pytest.mark.parametrize("frame", [False, True])
@pytest.mark.parametrize("maximum", [1, 3, 40])
def test_distance_equals_the_definition(masks, maximum, frame):
    truth, _ = masks
    np.testing.assert_array_equal(
        border_distance(truth, maximum=maximum, frame=frame),
        np.minimum(reference_distance(truth, frame), maximum + 1),
    )


def test_distance_without_borders():
    assert (border_distance(np.zeros((4, 5), "uint8"), maximum=7) == 8).all()


def test_trimap_bands_are_confusion_matrices_of_their_pixels(masks):
    truth, labels = masks
    bands = trimap_matrices(truth, labels, classes=4, ignore_class=255, maximum=6)
    distance = reference_distance(truth, frame=False)
    for width in range(1, 7):
        band = np.where(distance <= width, truth, 255)
        np.testing.assert_array_equal(bands[width - 1], confusion_matrix(band, labels, classes=4))


def erode(mask: np.ndarray, times: int) -> np.ndarray:
    """Binary erosion by 3x3, as the reference implementation of boundary IoU does with OpenCV."""
    mask = np.pad(mask, 1)
    for _ in range(times):
        padded = np.pad(mask, 1)
        mask = np.min(
            [
                padded[i : i + mask.shape[0], j : j + mask.shape[1]]
                for i in range(3)
                for j in range(3)
            ],
            axis=0,
        )
    return mask[1:-1, 1:-1]


@pytest.mark.parametrize("width", [1, 2, None])
def test_boundary_iou_equals_the_reference(masks, width):
    truth, labels = masks
    ignored = truth == 255
    counts = boundary_counts(truth, labels, classes=4, ignore_class=255, width=width)
    times = width or 1  # 2 % of the diagonal of 25 x 30
    for label in range(4):
        true, predicted = (
            (mask & ~erode(mask, times)) for mask in (truth == label, (labels == label) & ~ignored)
        )
        assert counts[0, label] == (true & predicted).sum()
        assert counts[1, label] == (true | predicted).sum()


def test_a_right_mask_has_the_true_boundary(masks):
    truth, _ = masks
    labels = np.where(truth == 255, 3, truth)
    both, either = boundary_counts(truth, labels, classes=4, ignore_class=255)
    np.testing.assert_array_equal(both, either)
    assert both.sum() > 0


def test_the_default_width_is_two_percent_of_the_diagonal():
    truth = np.zeros((300, 400), "uint8")  # diagonal 500
    both, _ = boundary_counts(truth, truth, classes=1, ignore_class=255)
    assert both[0] == 300 * 400 - 280 * 380
