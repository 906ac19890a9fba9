import pytest

from keras_deeplab.models.backbones.families import build_backbone
from keras_deeplab.presets.backbones import BACKBONES
from keras_deeplab.presets.imagenet import IMAGENET


@pytest.mark.parametrize("name", BACKBONES)
def test_rows_are_consistent(name: str):
    row = BACKBONES[name]
    assert row.name == name
    assert row.source


def test_imagenet_weights_are_of_known_backbones():
    assert IMAGENET.keys() <= BACKBONES.keys()
    for row in IMAGENET.values():
        assert bool(row.application) != bool(row.sha256)
        assert row.preprocessing in ("tf", "caffe_keras")


def test_every_family_has_a_builder():
    import keras

    families = {row.family: row for row in BACKBONES.values()}
    for row in (families["mobilenet_v3"], families["vgg"]):
        features = build_backbone(
            row, keras.Input((33, 33, 3)), output_stride=8, batch_norm="frozen"
        )
        assert features["output"].stride == 8
