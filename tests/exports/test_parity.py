"""Agreement of an export's outputs with its network's."""

import numpy as np
import pytest

from keras_deeplab.exports.parity import measure_parity

IMAGE = np.zeros((1, 1, 4, 3), "uint8")
# Labels 0, 1, 1, and a tie.
SCORES = np.array([[[[4.0, 0.0], [0.0, 2.0], [-1.0, 1.0], [3.0, 3.0]]]])


def parity(output, **options):
    return measure_parity([IMAGE], [np.asarray(output)], lambda image: SCORES, **options)


def test_equal_scores():
    result = parity(SCORES)
    assert (result.images, result.sizes) == (1, ((1, 4),))
    assert (result.equal_labels, result.max_difference, result.relative_difference) == (1, 0, 0)
    assert result.exact_crf_labels is None


def test_differences_are_relative_to_the_largest_score():
    change = np.array([[[[0, 0], [3, 0], [0, 0], [0, 0]]]])
    result = parity(SCORES + change)
    assert result.equal_labels == 0.75
    assert (result.max_difference, result.relative_difference) == (3, 0.75)


@pytest.mark.parametrize(
    ("labels", "equal"), [([0, 1, 1, 0], 1), ([0, 1, 1, 1], 1), ([1] * 4, 0.75)]
)
def test_tied_labels_are_equal(labels, equal):
    result = parity([[labels]])
    assert result.equal_labels == equal
    assert result.max_difference is None
    assert result.relative_difference is None


def test_share_of_the_exact_crf():
    exact = np.stack([np.ones((1, 1, 4)), np.zeros((1, 1, 4))], -1)
    assert parity(SCORES, exact=lambda image: exact).exact_crf_labels == 0.5


@pytest.mark.parametrize(
    ("output", "words"),
    [(SCORES[:, :, :2], r"\(1, 1, 2, 2\)"), (SCORES * np.nan, "with infinite ones")],
)
def test_wrong_outputs(output, words: str):
    with pytest.raises(ValueError, match=words):
        parity(output)
