from pathlib import Path

import pytest

from keras_deeplab import DeepLab
from keras_deeplab.models import BuildOptions
from keras_deeplab.presets.networks import is_head_layer
from keras_deeplab.presets.weights import WEIGHTS
from keras_deeplab.weights import named_weights
from keras_deeplab.weights.resolve import resolve_weights


def test_published_weights_say_how_they_want_to_be_built():
    row = WEIGHTS["deeplab_v3_mobilenet_v2.voc"]
    start = resolve_weights("voc", None, None, None)
    assert start.options == BuildOptions.published(row)
    assert start.options == BuildOptions(
        output_stride=16,
        preprocessing="tf",
        align_corners=True,
        batch_norm="folded",
        padding="tensorflow",
    )
    assert start.source == row.name


def test_another_head_takes_the_backbone_alone(published_weights: Path):
    name = "deeplab_v3_mobilenet_v2.voc_trainaug"
    start = resolve_weights(name, "v3+", None, None)
    assert start.row.name == "deeplab_v3_plus_mobilenet_v2"
    assert start.backbone_only
    assert not any(is_head_layer(key) for key in start.arrays)
    assert {key.partition("_")[0].partition("/")[0] for key in start.arrays} == {"stem", "block"}
    assert start.options.head_batch_norm == "trainable"


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_a_saved_model_keeps_how_it_was_built(small_presets, tmp_path: Path, version: str):
    scales = (0.5, 1.0) if version == "v2" else ()
    model = DeepLab(version=version, classes=["sky", "cat"], multi_scale_inputs=scales)
    model.save(tmp_path / "net.keras")
    start = resolve_weights(tmp_path / "net.keras", None, None, None)
    assert start.row.name == model.name
    assert start.class_names == ("sky", "cat")
    assert start.options.multi_scale_inputs == scales
    assert start.options.preprocessing == "tf"
    assert start.options.head_batch_norm == ("trainable" if version == "v3" else "folded")
    assert start.arrays.keys() == named_weights(model).keys()


def test_a_saved_model_keeps_its_padding_grid_and_means(small_presets, tmp_path: Path):
    from keras_deeplab.models import build_model
    from keras_deeplab.presets.networks import DEEPLABS

    for index, options in enumerate(
        (
            BuildOptions(padding="tensorflow", output_stride=8),
            BuildOptions(padding="symmetric", preprocessing="caffe_ilsvrc"),
            BuildOptions(multi_scale_inputs=(0.5, 1.0), multi_scale_grid="factor"),
        )
    ):
        path = tmp_path / f"{index}.keras"
        row = DEEPLABS["deeplab_v3_mobilenet_v2"]
        build_model(row, class_names=["a", "b"], options=options).save(path)
        start = resolve_weights(path, None, None, None).options
        for name in ("padding", "multi_scale_grid", "multi_scale_inputs", "preprocessing"):
            assert getattr(start, name) == getattr(options, name)
