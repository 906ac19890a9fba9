import numpy as np
import pytest

from keras_deeplab.presets.datasets import voc_palette
from keras_deeplab.visualize import blend, display_palette, with_names


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


@pytest.mark.parametrize("opacity", [-0.1, 1.1])
def test_opacity_is_a_fraction(opacity: float):
    with pytest.raises(ValueError, match="opacity must be between 0 and 1"):
        blend(
            np.zeros((1, 1, 3), "uint8"), np.zeros((1, 1), "uint8"), voc_palette(1), opacity=opacity
        )


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
