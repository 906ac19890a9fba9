import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data.masks import read_mask
from keras_deeplab.presets.datasets import DATASETS, voc_palette
from keras_deeplab.visualize import (
    DISPLAY_COLOURS,
    display_palette,
    palette_image,
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
