"""TFDS builders of the segmentation datasets that TFDS lacks.

Importing this package registers them, so that `tfds.load("voc2012_segmentation")` finds them.
"""

from __future__ import annotations

from keras_deeplab.data.builders.tfds_pascal import (
    PascalContext,
    PascalPersonPart,
    Voc2012Segmentation,
)

__all__ = ["PascalContext", "PascalPersonPart", "Voc2012Segmentation"]
