import numpy as np
import pytest

from keras_deeplab.visualize import (
    side_by_side,
    with_legend,
)


def test_legend_is_below_the_picture():
    image = np.full((20, 90, 3), 7, "uint8")
    entries = [(f"class {i}", 0.02 if i else None, (255, 0, 0)) for i in range(50)]
    sheet = np.asarray(with_legend(image, entries))
    np.testing.assert_array_equal(sheet[:20], image)
    assert sheet.shape[1] == 90
    swatches = (sheet[20:] == (255, 0, 0)).all(-1).any(1)
    assert np.diff(swatches.astype(int)).clip(0).sum() == 20
    np.testing.assert_array_equal(with_legend(image, []), image)


def test_pictures_stand_side_by_side():
    grey = np.full((20, 30), 100, "uint8")
    shares = np.full((40, 30), 0.5)
    sheet = np.asarray(side_by_side({"a": grey, "b": shares, "c": grey > 0}, height=40, columns=2))
    assert (sheet[40, 30] == 100).all()
    assert (sheet[40, 80] == 128).all()
    assert sheet.shape[0] == 2 * side_by_side({"a": grey}, height=40).height
    assert (sheet[sheet.shape[0] // 2 + 30, 30] == 255).all()
    assert (sheet[:20] < 100).any()


@pytest.mark.parametrize("options", [{"pictures": {}}, {"columns": 0}, {"height": 0}])
def test_side_by_side_needs_pictures(options: dict):
    with pytest.raises(ValueError, match="must"):
        side_by_side(**({"pictures": {"a": np.zeros((2, 2))}} | options))
