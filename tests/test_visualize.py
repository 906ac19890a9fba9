import numpy as np
import pytest
from PIL import Image

from keras_deeplab.presets.datasets import voc_palette
from keras_deeplab.visualize import blend, palette_image, side_by_side, with_legend


def test_palette_image_keeps_ids_and_shows_colours(tmp_path):
    labels = np.array([[0, 8, 255]], "uint8")
    palette_image(labels, voc_palette(21)).save(tmp_path / "m.png")
    image = Image.open(tmp_path / "m.png")
    np.testing.assert_array_equal(np.asarray(image), labels)
    assert np.asarray(image.convert("RGB")).tolist() == [[[0, 0, 0], [64, 0, 0], [255, 255, 255]]]


def test_palette_image_refuses_wide_labels():
    with pytest.raises(ValueError, match="labels 0-255"):
        palette_image(np.zeros((1, 1), "uint16"), voc_palette(300))


def test_blend_weighs_photo_and_colour():
    image = np.full((2, 2, 3), 200, "uint8")
    ones = np.ones((2, 2), "uint8")
    palette = ((0, 0, 0), (100, 0, 50))
    assert blend(image, ones, palette, opacity=0.25)[0, 0].tolist() == [175, 150, 162]
    assert (blend(image, 0 * ones, palette, opacity=0.5) == 200).all()
    assert (blend(image, ones, palette, opacity=0) == 200).all()


def test_blend_draws_borders():
    labels = np.array([[1, 1, 0], [1, 1, 0]], "uint8")
    blended = blend(np.zeros((2, 3, 3), "uint8"), labels, voc_palette(2), opacity=0.5)
    assert blended[:, :, 1].tolist() == [[0, 0, 255]] * 2


@pytest.mark.parametrize("opacity", [-0.1, 1.1])
def test_opacity_is_a_fraction(opacity: float):
    with pytest.raises(ValueError, match="opacity must be between 0 and 1"):
        blend(
            np.zeros((1, 1, 3), "uint8"), np.zeros((1, 1), "uint8"), voc_palette(1), opacity=opacity
        )


def test_legend_stands_beside_the_picture():
    image = np.full((20, 30, 3), 7, "uint8")
    entries = [(f"class {i}", 0.02, (255, 0, 0)) for i in range(50)]
    sheet = np.asarray(with_legend(image, entries))
    np.testing.assert_array_equal(sheet[:20, :30], image)
    assert sheet.shape[0] > 20
    swatches = (sheet[:, 30:] == (255, 0, 0)).all(-1).any(1)
    assert np.diff(swatches.astype(int)).clip(0).sum() == 20


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
