import itertools

import numpy as np
import pytest

from keras_deeplab.inference.fitting import fit_image, fitted_size, padded, windows


@pytest.mark.parametrize(
    ("photo", "expected"),
    [((40, 80), (32, 64)), ((80, 40), (64, 32)), ((1, 1), (64, 64)), ((3, 900), (1, 64))],
)
def test_the_photo_is_fitted_in(photo, expected):
    assert fitted_size(photo, (64, 64)) == expected
    fitted = fit_image(np.zeros((*photo, 3), "uint8"), (64, 64))
    assert fitted.shape == (64, 64, 3)
    inside = np.zeros((64, 64), bool)
    inside[: expected[0], : expected[1]] = True
    np.testing.assert_array_equal(fitted, np.where(inside, 0, 127)[..., None].repeat(3, -1))


def test_a_photo_of_the_size_is_left_alone(rng):
    photo = rng.integers(0, 256, (8, 9, 3)).astype("uint8")
    assert padded(photo, (8, 9)) is photo
    np.testing.assert_array_equal(fit_image(photo, (8, 9)), photo)


@pytest.mark.parametrize(("length", "side"), [(5, 9), (9, 9), (10, 9), (40, 9), (1000, 513)])
def test_windows_cover_and_overlap_by_a_third(length, side):
    tiles = list(windows((length, 1), (side, 1)))
    starts = [rows.start for rows, _ in tiles]
    assert all(rows.stop - rows.start == side for rows, _ in tiles)
    assert starts[0] == 0
    assert starts[-1] == max(0, length - side)
    assert all(b - a <= side * 2 / 3 + 1 for a, b in itertools.pairwise(starts))


def test_windows_of_both_sides():
    assert [(r.start, c.start) for r, c in windows((4, 6), (4, 4))] == [(0, 0), (0, 2)]
