import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data.masks import read_mask
from keras_deeplab.presets.datasets import DATASETS, voc_palette
from keras_deeplab.visualize import (
    DISPLAY_COLOURS,
    blend,
    display_palette,
    palette_image,
    side_by_side,
    with_legend,
    with_names,
)


def test_palette_image_keeps_ids_and_shows_colours(tmp_path):
    labels = np.array([[0, 8, 255]], "uint8")
    palette_image(labels, voc_palette(21)).save(tmp_path / "m.png")
    image = Image.open(tmp_path / "m.png")
    np.testing.assert_array_equal(np.asarray(image), labels)
    assert np.asarray(image.convert("RGB")).tolist() == [[[0, 0, 0], [64, 0, 0], [255, 255, 255]]]


def test_labels_above_255_are_a_grey_image_of_16_bits(tmp_path):
    labels = np.array([[0, 299, 65535]], "uint16")
    palette_image(labels, voc_palette(300)).save(tmp_path / "m.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "m.png")), labels)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), labels)


def test_palette_image_refuses_other_types():
    with pytest.raises(ValueError, match="uint8 or uint16. Received: labels of type int64"):
        palette_image(np.zeros((1, 1), "int64"), voc_palette(300))


def test_display_colours_are_bright_and_differ_for_the_colour_blind():
    # OKLab, Ottosson 2020; simulations of Machado et al. 2009, severity 1.
    to_cone = np.array([[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.63]])
    to_lab = np.array(
        [[0.2105, 0.7936, -0.0041], [1.978, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]
    )
    simulations = {
        "normal": np.eye(3),
        "protan": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.052]],
        "deutan": [[0.3673, 0.8606, -0.2279], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.969]],
        "tritan": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
    }
    rgb = np.array(DISPLAY_COLOURS) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    for matrix in simulations.values():
        seen = np.clip(linear @ np.transpose(matrix), 0, 1)
        lab = np.cbrt(seen @ to_cone.T) @ to_lab.T
        apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1) + np.eye(len(lab))
        assert apart.min() > 0.05
    assert (np.cbrt(linear @ to_cone.T) @ to_lab.T)[:, 0].min() > 0.55  # lightness


def test_display_palette_keeps_a_background():
    assert display_palette(voc_palette(3)) == ((0, 0, 0), *DISPLAY_COLOURS[:2])
    assert display_palette(DATASETS["cityscapes"].palette) == DISPLAY_COLOURS[:19]
    assert len(display_palette(voc_palette(150))) == 150
    assert display_palette(()) == ()


def test_blend_weighs_photo_and_colour():
    image = np.full((4, 4, 3), 200, "uint8")
    ones = np.ones((4, 4), "uint8")
    palette = ((0, 0, 0), (100, 0, 50))
    assert blend(image, ones, palette, opacity=0.25)[0, 0].tolist() == [175, 150, 162]
    assert (blend(image, 0 * ones, palette, opacity=0.5) == 200).all()
    assert (blend(image, ones, palette, opacity=0) == 200).all()


def test_blend_outlines_regions():
    labels = np.array([[1, 1, 1, 0, 0, 0], [2, 2, 1, 0, 0, 0]], "uint8")
    palette = ((0, 0, 0), (200, 0, 0), (0, 0, 200))
    blended = blend(np.zeros((2, 6, 3), "uint8"), labels, palette, opacity=0.5)
    red, blue, white, black = [200, 0, 0], [0, 0, 200], [255] * 3, [0] * 3
    assert blended.tolist() == [
        [red, red, red, white, black, black],
        [blue, blue, red, white, black, black],
    ]
    wide = np.zeros((1, 1000), int)
    wide[:, 500:] = 1
    lines = blend(np.zeros((1, 1000, 3), "uint8"), wide, palette, opacity=0.5)[0]
    assert np.flatnonzero(lines[:, 2]).tolist() == [496, 497, 498, 499]
    assert np.flatnonzero(lines[:, 0] == 200).tolist() == [500, 501, 502, 503]


def test_names_are_on_their_regions():
    labels = np.zeros((300, 400), "uint8")
    labels[20:120, 20:180] = 1
    labels[180:280, 20:180] = 1
    labels[20:280, 240:380] = 2
    labels[0, 0] = 2
    grey = np.full((300, 400, 3), 90, "uint8")
    names = ("background", "cat", "dog")
    palette = display_palette(voc_palette(3))
    named = np.asarray(with_names(grey, labels, names, palette))
    changed = (named != grey).any(-1)
    boxes = [changed[40:100, 60:140], changed[200:260, 60:140], changed[110:190, 270:350]]
    assert sum(box.sum() for box in boxes) == changed.sum()
    assert all(box.sum() > 300 for box in boxes)
    assert (named[changed] == palette[2]).all(-1).sum() > 200
    # Names that would not fit into the picture are left out.
    assert (np.asarray(with_names(grey[:8, :8], labels[:8, :8], names, palette)) == 90).all()


@pytest.mark.parametrize("opacity", [-0.1, 1.1])
def test_opacity_is_a_fraction(opacity: float):
    with pytest.raises(ValueError, match="opacity must be between 0 and 1"):
        blend(
            np.zeros((1, 1, 3), "uint8"), np.zeros((1, 1), "uint8"), voc_palette(1), opacity=opacity
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
