"""Pictures of masks: palettes, overlays, names, legends; curves of a training run."""

from keras_deeplab.visualize.colours import (
    DISPLAY_COLOURS,
    display_palette,
    has_background,
    palette_image,
)
from keras_deeplab.visualize.curves import training_curves
from keras_deeplab.visualize.overlays import blend, with_names
from keras_deeplab.visualize.sheets import side_by_side, with_legend

__all__ = [
    "DISPLAY_COLOURS",
    "blend",
    "display_palette",
    "has_background",
    "palette_image",
    "side_by_side",
    "training_curves",
    "with_legend",
    "with_names",
]
