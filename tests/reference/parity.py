"""Puts converted arrays into a network and compares its logits with a peer's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import keras
import numpy as np

from keras_deeplab.models import BuildOptions, build_model
from keras_deeplab.presets.backbones import BACKBONES
from keras_deeplab.presets.networks import DeepLabRow
from keras_deeplab.weights import load_arrays


def network(
    row: DeepLabRow, arrays: dict[str, np.ndarray], *, classes: int, **options
) -> keras.Model:
    """A model of normalised images to the classifier's logits, at the features' stride."""
    names = [str(label) for label in range(classes)]
    model = build_model(row, class_names=names, options=BuildOptions(preprocessing=None, **options))
    load_arrays(model, arrays, source="the converter")
    return keras.Model(model.input, model.get_layer("classifier").output)


def relative_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert theirs.std() > 1e-3 * np.abs(theirs).max()
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


@contextmanager
def shallow_backbone(name: str, blocks: tuple[int, ...]) -> Iterator[None]:
    """Gives a ResNet of the presets fewer blocks for a while."""
    row = BACKBONES[name]
    BACKBONES[name] = replace(row, blocks=blocks)
    try:
        yield
    finally:
        BACKBONES[name] = row
