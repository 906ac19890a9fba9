import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_deeplab import DeepLab, describe, list_models
from keras_deeplab.inference import open_segmenter
from keras_deeplab.models import BuildOptions, build_model
from keras_deeplab.models.blocks import normalize_image
from keras_deeplab.presets.datasets import DATASETS
from keras_deeplab.presets.networks import DEEPLABS
from keras_deeplab.presets.weights import WEIGHTS
from tests.reference.matrices import matrix


def test_random_start_and_defaults():
    model = DeepLab()
    assert model.name == "deeplab_v3_mobilenet_v2"
    assert model.input_shape == (None, None, None, 3)
    assert model.output_shape == (None, None, None, 21)
    assert model.get_layer("output").class_names == DATASETS["voc"].class_names


def test_loads_a_network_from_tflite(network_file: Path, caplog):
    model = DeepLab(network_file, backbone="mobilenet_v2_050")
    assert not any("_bn" in layer.name for layer in model.layers)
    fewer = DeepLab(network_file, backbone="mobilenet_v2_050", classes=["a", "b"])
    assert "the layer classifier starts fresh with 2" in caplog.text
    for layer in fewer.layers:
        if layer.name != "classifier":
            for ours, theirs in zip(
                layer.get_weights(), model.get_layer(layer.name).get_weights(), strict=True
            ):
                np.testing.assert_array_equal(ours, theirs)


def test_batch_norm_can_be_frozen_but_not_conjured_up(network_file: Path):
    frozen = DeepLab(backbone="mobilenet_v2_050", batch_norm="frozen")
    assert not any("_bn" in v.path for v in frozen.trainable_variables)
    with pytest.raises(ValueError, match="must hold batch norm to train it.*Leave batch_norm out"):
        DeepLab(network_file, backbone="mobilenet_v2_050", batch_norm="trainable")
    DeepLab(network_file, backbone="mobilenet_v2_050", batch_norm="frozen")


def test_wrong_backbone_for_a_file(network_file: Path):
    with pytest.raises(ValueError, match="must have shape.*net.tflite"):
        DeepLab(network_file, backbone="mobilenet_v2")


def test_loads_from_a_saved_model(network_file: Path, tmp_path: Path, rng):
    model = DeepLab(network_file, backbone="mobilenet_v2_050", classes=["a", "b"])
    model.save(tmp_path / "m.keras")
    again = DeepLab(tmp_path / "m.keras")
    assert again.get_layer("output").class_names == ("a", "b")
    image = rng.uniform(0, 255, (1, 33, 40, 3)).astype("float32")
    np.testing.assert_array_equal(again(image), model(image))
    batch_norm = DeepLab(backbone="mobilenet_v2_050")
    batch_norm.save(tmp_path / "b.keras")
    again = DeepLab(tmp_path / "b.keras", backbone="mobilenet_v2_050", output_stride=8)
    assert again.get_layer("stem_bn").trainable


def test_a_foreign_saved_model_is_refused(tmp_path: Path):
    image = keras.Input((8, 8, 3))
    keras.Model(image, keras.layers.Conv2D(2, 1)(image)).save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match=r"must hold a model that DeepLab\(\) built"):
        DeepLab(tmp_path / "m.keras")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (dict(weights="vok"), ValueError, "with weights.*voc.*weights='vok'. Did you mean 'voc'"),
        (dict(weights="camvid"), ValueError, "must be weights for the combination"),
        (dict(weights="voc", version="v4"), ValueError, "version must be one of .*'v3'"),
        (dict(backbone="mobilenetv2"), ValueError, "Did you mean 'mobilenet_v2'"),
        (dict(version="v2", variant="aspp_m"), ValueError, "must be those of one network.*aspp_l"),
        (dict(version="v1", backbone="resnet50"), ValueError, "must be those of one network"),
        (dict(weights="imagenet", backbone="xception_65"), ValueError, "is for the backbones"),
        (dict(weights="none.keras"), FileNotFoundError, "Received: 'none.keras'"),
        (dict(output_stride=4), ValueError, "output_stride must be one of 8, 16, 32"),
        (dict(classes=1), ValueError, "classes must be at least 2"),
        (dict(classes="voc"), TypeError, "a number or a sequence of names"),
        (dict(classes=2.5), TypeError, "a number or a sequence of names"),
        (dict(classes=["a", "a"]), ValueError, "distinct names"),
        (dict(batch_norm="sync"), ValueError, "batch_norm must be one of 'trainable', 'frozen'"),
        (dict(crf="v2_resnet"), ValueError, "Did you mean 'v2_resnet101'"),
        (dict(crf="v1", include_preprocessing=False), ValueError, "must take RGB 0-255"),
        (dict(input_shape=(64, 64)), ValueError, r"must be \(height, width, channels\)"),
        (dict(input_shape=(64, 64, None)), ValueError, r"Received: input_shape=\(64, 64, None\)"),
        (dict(input_shape=(64, 64, 4), crf="v1"), ValueError, r"must take RGB 0-255.*64, 4\)"),
        (dict(input_shape=(0, 64, 3)), ValueError, "input_shape"),
        (dict(classifier_activation="sotfmax"), ValueError, "Did you mean 'softmax'"),
    ],
)  # fmt: skip
def test_wrong_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        DeepLab(**arguments)


def test_another_head_on_a_trained_backbone(published_weights, caplog, tmp_path: Path):
    name = "deeplab_v3_mobilenet_v2.voc_trainaug"
    trained = DeepLab(name)
    model = DeepLab(name, version="v3+", classes=4)
    assert "that of deeplab_v3_plus_mobilenet_v2 starts fresh with 4 classes" in caplog.text
    for layer in ("stem", "block_7_expand", "block_16_project"):
        for ours, theirs in zip(
            model.get_layer(layer).get_weights(),
            trained.get_layer(layer).get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(ours, theirs)
    # Batch norm is folded in the backbone, and there to be trained in the head.
    names = {layer.name for layer in model.layers}
    assert "stem_bn" not in names
    assert model.get_layer("decoder_0_pointwise_bn").trainable
    assert model.get_layer("aspp_0").get_weights()[0].shape == (1, 1, 320, 256)
    model.save(tmp_path / "m.keras")
    again = DeepLab(tmp_path / "m.keras", output_stride=8)
    assert again.count_params() == model.count_params()
    assert again.get_layer("decoder_0_pointwise_bn").trainable
    frozen = DeepLab(name, version="v3+", batch_norm="frozen")
    assert not frozen.get_layer("decoder_0_pointwise_bn").trainable


def test_weights_of_another_backbone_are_refused():
    name = "deeplab_v3_mobilenet_v2.voc_trainaug"
    with pytest.raises(ValueError, match="must be weights for the combination.*mobilenet_v2_050"):
        DeepLab(weights=name, backbone="mobilenet_v2_050")


def test_text_files_are_refused(tmp_path: Path):
    (tmp_path / "w.h5").write_text("x")
    with pytest.raises(ValueError, match=r"A checkpoint must be .*For .weights.h5 files"):
        DeepLab(tmp_path / "w.h5")
    (tmp_path / "w.tflite").write_text("x")
    with pytest.raises(ValueError, match="carries 'TFL3'"):
        DeepLab(tmp_path / "w.tflite")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (dict(version="v1"), "deeplab_v1_vgg16"),
        (dict(version="v2"), "deeplab_v2_vgg16_aspp_l"),
        (dict(version="v2", variant="large_fov"), "deeplab_v2_vgg16_large_fov"),
        (dict(version="v2", backbone="resnet101"), "deeplab_v2_resnet101_caffe_aspp"),
        (dict(version="v3", backbone="resnet50"), "deeplab_v3_resnet50"),
        (dict(version="v3+", backbone="resnet101"), "deeplab_v3_plus_resnet101_v1c"),
    ],
)
def test_names_of_the_family(arguments, name: str, small_presets):
    model = DeepLab(**arguments, classes=2)
    assert model.name == name


def test_every_classifier_of_v2_starts_fresh(small_presets, tmp_path: Path, caplog):
    model = DeepLab(version="v2", multi_scale_inputs=(0.5, 1.0))
    model.save(tmp_path / "m.keras")
    fewer = DeepLab(tmp_path / "m.keras", classes=3)
    assert "the layers classifier_0, classifier_1" in caplog.text
    assert "start fresh with 3" in caplog.text
    ours, theirs = (m.get_layer("network").get_layer("fc6_1").kernel for m in (fewer, model))
    np.testing.assert_array_equal(ours, theirs)


def test_reads_a_published_file_of_v2(small_presets, tmp_path: Path, monkeypatch, rng):
    """A row's file without a known hash, from the mirror, through its converter."""
    from keras_deeplab.weights import named_weights
    from tests.reference.torch_file_writer import legacy_file

    row = WEIGHTS["deeplab_v2_resnet101_caffe_aspp.voc_trainaug"]
    model = DeepLab(version="v2", backbone="resnet101")
    turned = {"conv_1": "reduce", "conv_2": "conv3x3", "conv_3": "increase", "bn": "bn"}
    variables = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}
    variables |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
    arrays, expected = {}, {}
    for key, variable in named_weights(model).items():
        value = rng.uniform(0.5, 1, variable.shape).astype("float32")
        expected[key] = value
        layer, name = key.split("/")
        unit, norm = layer.removesuffix("_bn"), "bn" if layer.endswith("_bn") else "conv"
        if layer.startswith("classifier"):
            path = f"base.aspp.c{layer[-1]}"
        elif unit == "stem":
            path = f"base.layer1.conv1.{norm}"
            value = value[:, :, ::-1] if name == "kernel" else value
        else:
            _, stage, _, block, branch = unit.split("_", 4)
            branch = turned.get(branch, branch)
            path = f"base.layer{int(stage) + 1}.block{int(block) + 1}.{branch}.{norm}"
        value = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value
        arrays[f"{path}.{variables[name]}"] = np.ascontiguousarray(value)
    (tmp_path / row.file).write_bytes(legacy_file(arrays))
    monkeypatch.setenv("KERAS_DEEPLAB_MIRROR", str(tmp_path))
    monkeypatch.setenv("KERAS_DEEPLAB_CACHE", str(tmp_path / "cache"))
    loaded = DeepLab("voc", version="v2", backbone="resnet101")
    assert loaded.get_layer("scores_075")
    for key, variable in named_weights(loaded).items():
        np.testing.assert_array_equal(variable, expected[key], err_msg=key)


def test_list_models_names_every_row():
    assert sorted(name for names in list_models().values() for name in names) == sorted(WEIGHTS)


def test_activation_and_raw_input(rng):
    options = dict(backbone="mobilenet_v2_050", classes=3)
    image = rng.uniform(0, 255, (1, 20, 30, 3)).astype("float32")
    model = DeepLab(classifier_activation="softmax", **options)
    np.testing.assert_allclose(np.asarray(model(image)).sum(-1), 1, rtol=1e-5)
    raw = DeepLab(include_preprocessing=False, classifier_activation="softmax", **options)
    raw.set_weights(model.get_weights())
    np.testing.assert_allclose(raw(image / 127.5 - 1), model(image), atol=1e-5)


@pytest.mark.slow
def test_import_order_does_not_matter_for_loading(small_presets, tmp_path: Path):
    """With Keras imported first, test_models.py loads networks in a fresh process."""
    DeepLab(backbone="vgg16", classes=2).save(tmp_path / "m.keras")
    code = (
        "import keras_deeplab, keras\n"
        f"keras.models.load_model({str(tmp_path / 'm.keras')!r}).summary(print_fn=len)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_size_of_its_own_travels(small_presets, tmp_path: Path):
    row, size = DEEPLABS["deeplab_v2_vgg16_large_fov"], (33, 65)
    model = build_model(row, class_names=("sky", "kite"), options=BuildOptions(inference_size=size))
    model.save(tmp_path / "net.keras")
    camvid = DATASETS["camvid"]
    for source, expected in (
        (model, size),
        (tmp_path / "net.keras", size),
        (DeepLab(tmp_path / "net.keras"), size),
        (DeepLab(tmp_path / "net.keras", classes=["a", "b", "c"]), size),
        # Another dataset's photos have a size of their own.
        (DeepLab(tmp_path / "net.keras", classes=camvid.class_names), camvid.inference_size),
    ):
        assert open_segmenter(source).inference_size == expected


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "deeplab_v3_mobilenet_v2: "),
        (
            {"output_stride": 8, "classes": ["a", "b"]},
            "2 classes (a, b), output stride 8, logits",
        ),
        ({"version": "v1", "classifier_activation": "softmax"}, "output stride 8, softmax"),
        ({"multi_scale_inputs": (0.5, 1.0)}, "output stride 16, logits, photos fit 513x513"),
    ],
)
def test_describe_is_one_line(options: dict, words: str, small_presets):
    model = DeepLab(**options)
    line = describe(model)
    assert words in line
    assert f"{model.count_params() / 1e6:.2f} M parameters" in line
    assert "\n" not in line


def test_describe_needs_a_model_of_deeplab():
    image = keras.Input((8, 8, 3))
    with pytest.raises(ValueError, match=r"DeepLab\(\) must have built the model. Received: 'own'"):
        describe(keras.Model(image, keras.layers.Conv2D(2, 1)(image), name="own"))


@pytest.fixture(scope="module")
def voc() -> keras.Model:
    return DeepLab(weights="voc")


@pytest.mark.parametrize("channels", matrix([1, 2, 4, 6], 1, 4))
def test_other_channels_start_from_the_rgb_network(voc, channels: int, rng: np.random.Generator):
    other = DeepLab(weights="voc", input_shape=(None, None, channels))
    photo = rng.uniform(0, 255, (1, 65, 97, 3)).astype("float32")
    if channels > 3:
        more = rng.uniform(0, 255, (1, 65, 97, channels - 3))
        image = np.concatenate([photo, more], axis=-1)
    else:
        grey = photo[..., :1]
        photo, image = np.repeat(grey, 3, axis=-1), np.repeat(grey, channels, axis=-1)
    # A sum in another order.
    np.testing.assert_allclose(other(image), voc(photo), atol=1e-3)


def test_normalisation_of_other_channels():
    layer = DeepLab(backbone="resnet50", input_shape=(65, 65, 4)).get_layer("preprocessing")
    assert np.size(layer.scale) in (1, 4)
    image = keras.Input((8, 8, 5))
    model = keras.Model(image, normalize_image(image, "caffe"))
    means = model.predict(np.zeros((1, 8, 8, 5)))[0, 0, 0]
    np.testing.assert_allclose(
        means, [-122.675, -116.669, -104.008, *[-114.4506667] * 2], rtol=1e-6
    )
