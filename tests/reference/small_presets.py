"""Every network of the presets at a width and depth that tests can afford."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from keras_deeplab.presets.backbone_row import (
    BackboneRow,
    MobileNetV2Row,
    MobileNetV3Row,
    ResNetRow,
    VGGRow,
    XceptionRow,
)
from keras_deeplab.presets.backbones import BACKBONES
from keras_deeplab.presets.networks import DEEPLABS, DeepLabRow


def small_backbone(row: BackboneRow) -> BackboneRow:
    """The same family and variant, narrower."""
    if isinstance(row, MobileNetV2Row):
        return replace(row, depth_multiplier=row.depth_multiplier / 2)
    if isinstance(row, MobileNetV3Row):
        return replace(row, depth_multiplier=row.depth_multiplier / 4)
    if isinstance(row, XceptionRow):
        return narrow_xception(row, 32)
    if isinstance(row, VGGRow):
        return replace(row, stages=tuple((8, count) for _, count in row.stages))
    if isinstance(row, ResNetRow):
        stem = (4,) * len(row.stem_channels)
        return replace(row, blocks=(1, 1, 2, 3), channels=(4, 4, 8, 8), stem_channels=stem)
    return row


def narrow_xception(row: XceptionRow, divisor: int) -> XceptionRow:
    """The same blocks with fewer channels, and two middle units."""
    blocks = [
        replace(b, channels=tuple(c // divisor for c in b.channels), units=min(b.units, 2))
        for b in row.blocks
    ]
    stem = tuple(max(2, c // divisor) for c in row.stem_channels)
    return replace(row, blocks=tuple(blocks), stem_channels=stem)


def small_deeplab(row: DeepLabRow) -> DeepLabRow:
    """The same head, narrower, with two rates at most."""
    return replace(
        row,
        head_channels=min(row.head_channels, 16),
        decoder_channels=16,
        low_level_channels=8,
        atrous_rates=row.atrous_rates[:2],
    )


def shrink_presets() -> None:
    """Makes the tables of this process small."""
    BACKBONES.update({name: small_backbone(row) for name, row in BACKBONES.items()})
    DEEPLABS.update({name: small_deeplab(row) for name, row in DEEPLABS.items()})


@contextmanager
def shrunk_presets() -> Iterator[None]:
    """Makes them small for a while."""
    backbones, deeplabs = dict(BACKBONES), dict(DEEPLABS)
    shrink_presets()
    try:
        yield
    finally:
        BACKBONES.update(backbones)
        DEEPLABS.update(deeplabs)


def distinct_networks() -> list[str]:
    """One network of each kind: those that differ in width, depth or rates only count as one."""
    kinds = {}
    for name, row in DEEPLABS.items():
        backbone = small_backbone(BACKBONES[row.backbone])
        if isinstance(backbone, MobileNetV2Row):
            backbone = replace(backbone, depth_multiplier=1.0, channel_divisor=1)
        kind = replace(small_deeplab(row), name="", backbone="", variant="", reads="", source="")
        rates = len(kind.atrous_rates)
        kind = replace(kind, atrous_rates=(1,) * rates, output_stride=8, rates_output_stride=8)
        kinds.setdefault((kind, replace(backbone, name="", source="")), name)
    return list(kinds.values())


def some_networks() -> list[str]:
    """One network of each version and of each family of backbones, for what takes seconds each."""
    rows = [DEEPLABS[name] for name in distinct_networks()]
    names = {row.version: row.name for row in rows}
    names |= {BACKBONES[row.backbone].family: row.name for row in rows}
    return sorted(set(names.values()))
