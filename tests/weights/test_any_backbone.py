"""`DeepLab(backbone=...)` with a model, and with a name in keras.applications."""

import inspect

import keras
import numpy as np
import pytest
from keras import layers

from keras_deeplab import DeepLab
from keras_deeplab.layers.segmentation_output import takes_rgb
from keras_deeplab.models.blocks import normalization_mode
from keras_deeplab.presets.applications import FUNCTIONS
from tests.models.backbones.contract import randomize

NAME = "keras.applications.MobileNetV3Small"


def small(name: str = "small", *, first: layers.Layer | None = None) -> keras.Model:
    """A network of stride 16 with names that a complete network has as well."""
    x = image = keras.Input((None, None, 3))
    if first is not None:
        x = first(x)
    x = layers.Conv2D(8, 3, strides=2, padding="same", name="output")(x)
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="classifier")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(name="low")(x)
    x = layers.Conv2D(8, 3, strides=2, padding="same")(x)
    x = layers.Conv2D(8, 3, strides=2, padding="same", name="features")(x)
    return keras.Model(image, x, name=name)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (1, 65, 97, 3)).astype("float32")


@pytest.mark.parametrize("version", ["v1", "v2", "v3", "v3+"])
def test_every_version(version: str, image: np.ndarray):
    model = DeepLab(backbone=small(), version=version, preprocessing="tf", classes=3)
    assert model.name == f"deeplab_{version.replace('+', '_plus')}_small"
    assert model.output_shape == (None, None, None, 3)
    assert np.isfinite(model(image)).all()
    # At output stride 16 nothing is removed; v1 and v2 take 8, as in the papers.
    rate = model.get_layer("backbone_classifier").dilation_rate
    assert rate == (1, 1)
    stride = model.get_layer("features").strides
    assert stride == ((1, 1) if version in ("v1", "v2") else (2, 2))


@pytest.mark.parametrize(
    ("mode", "function"),
    [
        ("tf", keras.applications.mobilenet_v2.preprocess_input),
        ("torch", keras.applications.densenet.preprocess_input),
        ("caffe", keras.applications.resnet.preprocess_input),
        ("none", lambda image: image),
    ],
)
def test_preprocessing_is_that_of_keras(mode: str, function, image: np.ndarray, rng):
    network = small()
    randomize(network, rng)
    model = DeepLab(backbone=network, preprocessing=mode, classes=2)
    ours = keras.Model(model.input, model.get_layer("features").output)(image)
    theirs = np.asarray(network(np.asarray(function(image.copy()))))
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())
    raw = DeepLab(backbone=network, preprocessing=mode, classes=2, include_preprocessing=False)
    ours = keras.Model(raw.input, raw.get_layer("features").output)(image / 255)
    theirs = np.asarray(network(image / 255))
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())


def test_low_level_features_are_found_or_named():
    def taken(**options) -> str:
        model = DeepLab(backbone=small(), version="v3+", preprocessing="tf", classes=2, **options)
        layer = model.get_layer("decoder_low_level")
        return layer.input._keras_history.operation.name

    assert taken() == "low"
    assert taken(low_level="classifier") == "backbone_classifier"
    with pytest.raises(ValueError, match=r"low_level must be the name of a layer.*mean 'norm'"):
        taken(low_level="norms")
    image = keras.Input((None, None, 3))
    coarse = keras.Model(image, layers.Conv2D(8, 16, strides=16)(image), name="coarse")
    with pytest.raises(ValueError, match=r"must have features at stride 4. Received: 'coarse'"):
        DeepLab(backbone=coarse, version="v3+", preprocessing="tf")


def test_frozen_batch_norm():
    for batch_norm, trainable in (("trainable", True), ("frozen", False)):
        model = DeepLab(backbone=small(), preprocessing="tf", batch_norm=batch_norm)
        assert model.get_layer("norm").trainable is trainable
        assert model.get_layer("aspp_0_bn").trainable is trainable


def test_saved_and_loaded_without_the_network(tmp_path, image: np.ndarray):
    options = dict(version="v3+", preprocessing="caffe")
    model = DeepLab(backbone=small(), classes=["sky", "kite"], **options)
    model.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    np.testing.assert_array_equal(loaded(image), model(image))
    # Another session counts the layers without a name differently.
    layers.Conv2D(1, 1)
    again = DeepLab(tmp_path / "net.keras", backbone=small(), **options)
    assert again.get_layer("output").class_names == ("sky", "kite")
    np.testing.assert_array_equal(again(image), model(image))
    finer = DeepLab(tmp_path / "net.keras", backbone=small(), output_stride=8, classes=3, **options)
    np.testing.assert_array_equal(finer.get_layer("low").output.shape, (None, None, None, 8))
    np.testing.assert_array_equal(
        finer.get_layer("features").kernel, model.get_layer("features").kernel
    )


def branched() -> keras.Model:
    """A network whose branches have one size only where the image's is a multiple of 8."""
    x = image = keras.Input((64, 64, 3))
    for _ in range(4):
        y = layers.Conv2D(8, 3, strides=2, padding="same")(x)
        x = layers.Add()([y, layers.MaxPooling2D()(layers.Conv2D(8, 1)(x))])
    return keras.Model(image, layers.Conv2D(8, 3, padding="same", name="features")(x))


def test_images_of_sizes_that_the_network_cannot_take(tmp_path, image: np.ndarray):
    network = branched()
    model = DeepLab(backbone=network, version="v3+", preprocessing="tf", classes=2)
    assert model.get_layer("fitted_image").multiple == 16
    assert model(image).shape == (1, 65, 97, 2)
    # At multiples, the features are those of the network itself.
    levels = image[:, :64, :64]
    ours = keras.Model(model.input, model.get_layer("features").output)(levels)
    np.testing.assert_allclose(ours, network(levels / 127.5 - 1), atol=1e-5)
    model.save(tmp_path / "net.keras")
    np.testing.assert_allclose(DeepLab(tmp_path / "net.keras")(image), model(image), atol=1e-6)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_images_of_other_channels(channels: int, rng):
    network = small()
    randomize(network, rng)
    options = dict(backbone=network, preprocessing="torch", classes=2)
    model = DeepLab(**options, input_shape=(None, None, channels))
    rgb = rng.uniform(0, 255, (1, 33, 65, 3)).astype("float32")
    if channels < 3:
        # Grey levels, of which the normalisation is RGB's mean.
        assert np.isfinite(model(rgb[..., :channels])).all()
    else:
        ours, theirs = (
            keras.Model(x.input, x.get_layer("features").output)
            for x in (model, DeepLab(**options))
        )
        image = np.concatenate([rgb, rgb[..., :2]], axis=-1)
        np.testing.assert_allclose(ours(image), theirs(rgb), atol=1e-4)


def test_networks_of_other_channels():
    image = keras.Input((64, 64, 4))
    four = keras.Model(image, layers.Conv2D(8, 16, strides=16)(image), name="four")
    options = dict(backbone=four, preprocessing="tf", classes=2)
    assert DeepLab(**options, input_shape=(None, None, 4)).input_shape[-1] == 4
    with pytest.raises(ValueError, match=r"4 channels of 'four'.*Pass input_shape=\(None, None, 4"):
        DeepLab(**options)
    statistics = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="must have the 3 channels of 'small'"):
        DeepLab(backbone=small(first=statistics), input_shape=(None, None, 4))


def transfer(preprocess, inner: keras.Model | None = None) -> keras.Model:
    """A classifier with augmentation and a network inside, as in Keras's guides."""
    image = keras.Input((64, 64, 3))
    x = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)])(image)
    x = (inner or small())(preprocess(x), training=False)
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.Dense(1)(x), name="transfer")


@pytest.mark.parametrize(
    ("preprocess", "mode"),
    [
        (layers.Rescaling(1 / 127.5, -1), "none"),
        (keras.applications.mobilenet_v2.preprocess_input, "none"),
        (keras.applications.resnet.preprocess_input, "none"),
        (keras.applications.densenet.preprocess_input, "none"),
        (lambda x: x, "tf"),
        (lambda x: (x - 0.5) * 2, None),
    ],
)
def test_what_a_network_with_preprocessing_takes(preprocess, mode: str | None, rng):
    network = transfer(preprocess, small("xception" if mode == "tf" else "inner"))
    randomize(network.layers[-4], rng)
    if mode is None:
        with pytest.raises(ValueError, match="preprocessing must be given"):
            DeepLab(backbone=network)
        return
    model = DeepLab(backbone=network, version="v3+", classes=2)
    assert takes_rgb(model)
    levels = rng.uniform(0, 255, (1, 65, 65, 3)).astype("float32")
    ours = keras.Model(model.input, model.get_layer("features").output)(levels)
    given = levels / 127.5 - 1 if mode == "tf" else levels
    inner = next(x for x in network.layers if x.name in ("xception", "inner"))
    theirs = inner(given if mode == "tf" else np.asarray(preprocess(given.copy())))
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())


def test_levels_as_they_are(image: np.ndarray):
    model = DeepLab(backbone=small(), preprocessing="none", classes=2)
    assert takes_rgb(model)
    assert normalization_mode(model.get_layer("preprocessing")) == "none"


def test_multi_scale_inputs(image: np.ndarray):
    model = DeepLab(
        backbone=small(), version="v2", preprocessing="tf", multi_scale_inputs=(0.5, 1.0), classes=2
    )
    assert model(image).shape == (1, 65, 97, 2)


def test_a_name_in_keras_applications(image: np.ndarray):
    model = DeepLab(backbone=NAME, version="v3+", classes=3)
    assert model.name == "deeplab_v3_plus_mobilenetv3small"
    assert "preprocessing" not in [layer.name for layer in model.layers]
    assert model(image).shape == (1, 65, 97, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(backbone="keras.applications.ResNet5"), r"Did you mean 'ResNet50"),
        (dict(backbone=small()), r"preprocessing must be given.*with the model 'small'"),
        (dict(backbone="ConvNeXtTiny"), r"Did you mean 'keras.applications.ConvNeXtTiny'"),
        (dict(backbone=small(), preprocessing="bgr"), r"one of 'tf', 'torch', 'caffe', 'none'"),
        (dict(backbone=NAME, version="v4"), r"version must be one of"),
        (dict(backbone=NAME, variant="aspp_l"), r"variant must be 'aspp' or 'large_fov'"),
        (dict(backbone=NAME, low_level="a"), r"low_level is for version 'v3\+'"),
        (dict(backbone="resnet50", preprocessing="tf"), r"are for a keras.Model as the backbone"),
        (dict(backbone=small("vgg16"), weights="imagenet"), r"which has its weights"),
        (dict(backbone=small("vgg16"), output_stride=32), r"stride of 'vgg16': 1, 2, 4, 8, 16"),
    ],
)
def test_wrong_arguments(options, words: str):
    with pytest.raises(ValueError, match=words):
        DeepLab(**options)


def test_what_is_neither_a_name_nor_a_model():
    with pytest.raises(TypeError, match=r"Call functions and classes first"):
        DeepLab(backbone=keras.applications.MobileNetV2)
    with pytest.raises(FileNotFoundError, match=r"existing file with this backbone.*'voc' with"):
        DeepLab("voc", backbone=small(), preprocessing="tf")


def test_imagenet_weights_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")
    with pytest.raises(ConnectionError, match="must be able to load its MobileNetV3Small"):
        DeepLab("imagenet", backbone=NAME)


def test_networks_that_start_with_a_rescaling_take_levels():
    model = DeepLab(backbone=small(first=layers.Rescaling(1 / 255)), classes=2)
    assert "preprocessing" not in [layer.name for layer in model.layers]


def test_every_network_of_keras_has_a_row():
    found = {name for name, value in vars(keras.applications).items() if inspect.isfunction(value)}
    assert found == set(FUNCTIONS)


def test_names_of_networks_need_channels_last():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match="set_image_data_format\\('channels_last'\\)"):
            DeepLab(backbone=NAME, classes=2)
    finally:
        keras.config.set_image_data_format("channels_last")
