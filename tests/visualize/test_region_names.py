import numpy as np

from keras_deeplab.presets.datasets import voc_palette
from keras_deeplab.visualize import (
    display_palette,
    with_names,
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
