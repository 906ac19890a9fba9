import keras

from keras_deeplab.presets.backbones import BACKBONES
from keras_deeplab.presets.imagenet import IMAGENET


def test_weights_are_of_known_backbones():
    assert IMAGENET.keys() <= BACKBONES.keys()
    for row in IMAGENET.values():
        assert bool(row.application) != bool(row.sha256)
        assert row.preprocessing in ("tf", "caffe_keras")
        # ImageNet's means are those of BGR networks.
        assert row.bgr == (row.preprocessing == "caffe_keras")
        assert not row.application or callable(getattr(keras.applications, row.application))
