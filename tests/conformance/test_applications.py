"""Networks of keras.applications through `atrous`, and those that the package builds itself."""

import gc

import keras
import numpy as np
import pytest

from keras_deeplab import atrous
from keras_deeplab.models.backbones import build_backbone
from keras_deeplab.presets.applications import FUNCTIONS, find_preprocessing
from keras_deeplab.presets.backbones import BACKBONES
from keras_deeplab.presets.imagenet import IMAGENET
from keras_deeplab.weights import load_arrays
from keras_deeplab.weights.imagenet_backbones import application_arrays
from tests.models.backbones.contract import build, randomize
from tests.reference.matrices import matrix
from tests.reference.small_presets import small_backbone

# Those of a family have the same blocks: the shallowest one of each is converted here, and
# tools/write_backbone_page.py converts all of them.
SMALLEST = (
    "ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "EfficientNetV2B0", "EfficientNetV2S",
    "InceptionResNetV2", "InceptionV3", "MobileNet", "MobileNetV2", "MobileNetV3Large",
    "MobileNetV3Small", "NASNetMobile", "ResNet50", "ResNet50V2", "VGG16", "Xception",
)  # fmt: skip


def enliven(network: keras.Model, rng: np.random.Generator) -> None:
    """Gives weights that are the identity, or nearly zero, in a new network other values."""
    randomize(network, rng)
    for layer in network.layers:
        if type(layer).__name__ == "LayerScale":
            layer.set_weights([rng.uniform(0.5, 1.5, array.shape) for array in layer.get_weights()])


@pytest.mark.parametrize("name", matrix(SMALLEST, "MobileNetV3Small"))
def test_converts_consistently(name: str, rng):
    """`atrous` raises an error unless the features of a random image are those of the original."""
    keras.utils.set_random_seed(0)
    network = getattr(keras.applications, name)(weights=None, include_top=False)
    assert find_preprocessing(network.name) == FUNCTIONS[name]
    enliven(network, rng)
    for output_stride in (16, 8):
        result = atrous(network, output_stride)
        # The statistics of `keras.layers.Normalization` are no weights any more.
        assert 0 <= network.count_params() - result.count_params() <= 7
        features = result.compute_output_shape((1, 256, 256, 3))
        # The "valid" convolutions of Inception's stem cut off borders: 256, 127, 125, 62, 60, 29.
        assert abs(features[1] - 256 // output_stride) <= 3
        assert features[3] == network.output_shape[3]
    del network, result
    keras.backend.clear_session()
    gc.collect()


@pytest.mark.parametrize("size", matrix([65, 97], 65))
@pytest.mark.parametrize(
    "name", matrix(["resnet50", "resnet101_caffe", "mobilenet_v2"], "resnet50", "mobilenet_v2")
)
def test_equals_the_built_in_networks(name: str, size: int, rng):
    """The strided network of the package, converted, is its network at that output stride."""
    row = small_backbone(BACKBONES[name])
    image = keras.Input((None, None, 3))
    strided = build_backbone(row, image, output_stride=32, batch_norm="trainable")
    network = keras.Model(image, strided["output"].tensor)
    randomize(network, rng)
    images = rng.normal(0, 1, (1, size, size, 3)).astype("float32")
    for output_stride in (8, 16):
        ours = build(row, output_stride)
        ours.set_weights(network.get_weights())
        expected = np.asarray(ours(images)["output"])
        features = np.asarray(atrous(network, output_stride)(images))
        assert features.shape == expected.shape
        np.testing.assert_allclose(features, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "backbone"), [("ResNet50", "resnet50_keras"), ("MobileNetV2", "mobilenet_v2")]
)
def test_networks_of_keras_equal_the_built_in_ones(name: str, backbone: str, rng):
    # At odd sizes, its paddings are symmetric.
    peer = getattr(keras.applications, name)(
        weights=None, include_top=False, input_shape=(97, 97, 3)
    )
    randomize(peer, rng)
    arrays = application_arrays(peer, IMAGENET[backbone])
    last = "block_16_project_BN" if name == "MobileNetV2" else peer.layers[-1].name
    peer = keras.Model(peer.input, peer.get_layer(last).output)
    images = rng.normal(0, 1, (1, 97, 97, 3)).astype("float32")
    for output_stride in (8, 16):
        ours = build(BACKBONES[backbone], output_stride)
        load_arrays(ours, arrays, source="peer")
        expected = np.asarray(ours(images)["output"])
        bgr = IMAGENET[backbone].bgr
        features = np.asarray(atrous(peer, output_stride)(images[..., ::-1] if bgr else images))
        np.testing.assert_allclose(features, expected, atol=1e-4 * np.abs(expected).max())
