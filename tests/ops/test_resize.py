import numpy as np
import pytest

from keras_deeplab.ops.resize import resize_bilinear


@pytest.mark.parametrize(
    ("align_corners", "expected"),
    [
        # Samples at 0, 1/3, 2/3 and 1.
        (True, [0, 1, 2, 3]),
        # Samples at -1/4, 1/4, 3/4 and 5/4, held at the ends.
        (False, [0, 0.75, 2.25, 3]),
    ],
)
def test_two_pixels_to_four_by_hand(align_corners: bool, expected: list[float]):
    image = np.array([0.0, 3.0], "float32").reshape(1, 1, 2, 1)
    found = resize_bilinear(image, size=(1, 4), align_corners=align_corners)
    np.testing.assert_allclose(np.ravel(found), expected, atol=1e-6)
