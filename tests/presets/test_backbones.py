import pytest

from keras_deeplab.models.backbones.families import build_backbone
from keras_deeplab.presets.backbones import BACKBONES


@pytest.mark.parametrize("name", BACKBONES)
def test_rows_are_consistent(name: str):
    row = BACKBONES[name]
    assert row.name == name
    assert row.source


def test_every_family_has_a_builder():
    import keras

    families = {row.family: row for row in BACKBONES.values()}
    for row in (families["mobilenet_v3"], families["vgg"]):
        features = build_backbone(
            row, keras.Input((33, 33, 3)), output_stride=8, batch_norm="frozen"
        )
        assert features["output"].stride == 8
