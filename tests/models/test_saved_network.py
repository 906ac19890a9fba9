"""The parts of complete networks, and files of those on converted backbones."""

import itertools

import keras
import numpy as np
import pytest

from keras_deeplab import DeepLab, describe
from keras_deeplab.models.saved_network import (
    converted_backbone,
    converted_row,
    output_stride_of,
)
from keras_deeplab.weights import all_layers
from tests.models.backbones.contract import randomize
from tests.reference.matrices import matrix
from tests.weights.test_any_backbone import small


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (1, 65, 97, 3)).astype("float32")


@pytest.mark.parametrize("version", ["v1", "v2", "v3", "v3+"])
@pytest.mark.parametrize("output_stride", [8, 16])
def test_output_stride(version: str, output_stride: int):
    model = DeepLab(
        backbone=small(), version=version, preprocessing="tf", output_stride=output_stride,
        multi_scale_inputs=(0.5, 1.0) if version == "v2" else None,
    )  # fmt: skip
    assert output_stride_of(model) == output_stride


@pytest.mark.parametrize(
    ("version", "variant", "name"),
    [("v1", None, "deeplab_v1_small"), ("v2", "aspp", "deeplab_v2_small"),
     ("v2", "large_fov", "deeplab_v2_small"), ("v3+", None, "deeplab_v3_plus_small")],
)  # fmt: skip
def test_row(version: str, variant: str | None, name: str):
    model = DeepLab(backbone=small(), version=version, variant=variant, preprocessing="tf")
    row = converted_row(model, name)
    assert row is not None
    assert (row.name, row.backbone) == (name, "small")
    assert len(row.atrous_rates) == (1 if version == "v1" or variant == "large_fov" else 3 + (
        version == "v2"
    ))  # fmt: skip
    assert converted_row(model, "mine") is None


def test_backbone_ends_at_the_head(rng):
    model = DeepLab(backbone=small(), version="v3+", preprocessing="torch", classes=2)
    found = converted_backbone(model)
    assert (found.needs_low_level, found.low_level) == (True, "low")
    names = [layer.name for layer in found.model.layers]
    assert "preprocessing" not in names
    assert not any(name.startswith(("aspp", "decoder", "upsampling")) for name in names)
    image = rng.normal(0, 1, (1, 33, 33, 3)).astype("float32")
    expected = keras.Model(
        model.get_layer("preprocessing").output, model.get_layer("features").output
    )(image)
    np.testing.assert_array_equal(found.model(image)["output"], expected)


@pytest.mark.parametrize(
    "case",
    matrix(
        itertools.product(("v1", "v2", "v3", "v3+"), ("caffe", "none")),
        ("v2", "none"),
        ("v3+", "caffe"),
    ),
)
def test_a_file_holds_its_backbone(case: tuple[str, str], tmp_path, image: np.ndarray, rng):
    version, mode = case
    network = small()
    randomize(network, rng)
    model = DeepLab(
        backbone=network, version=version, preprocessing=mode, output_stride=8, classes=["a", "b"],
        multi_scale_inputs=(0.5, 1.0) if version == "v2" else None, name="mine",
    )  # fmt: skip
    model.save(tmp_path / "net.keras")
    again = DeepLab(tmp_path / "net.keras")
    np.testing.assert_allclose(again(image), model(image), atol=1e-6)
    assert "output stride 8" in describe(again)
    assert [x.name for x in again.layers] == [x.name for x in model.layers]
    other = DeepLab(tmp_path / "net.keras", classes=3, batch_norm="frozen")
    assert other.output_shape[-1] == 3
    kernels = [
        next(x for x in all_layers(net) if x.name == "features").kernel for net in (model, other)
    ]
    np.testing.assert_array_equal(*kernels)
    other.save(tmp_path / "frozen.keras")
    for mode in ("frozen", "trainable"):
        net = DeepLab(tmp_path / "frozen.keras", batch_norm=mode)
        norms = [x for x in all_layers(net) if isinstance(x, keras.layers.BatchNormalization)]
        assert {x.trainable for x in norms} == {mode == "trainable"}
    with pytest.raises(ValueError, match="must be a stride of 'mine': 1, 2, 4, 8. Received"):
        DeepLab(tmp_path / "net.keras", output_stride=16)
    with pytest.raises(ValueError, match="must be left out.*which holds 'deeplab_v.*_small'"):
        DeepLab(tmp_path / "net.keras", version="v3")


def test_a_file_of_another_output_stride(tmp_path, image: np.ndarray, rng):
    network = small()
    randomize(network, rng)
    options = dict(preprocessing="tf", classes=2)
    DeepLab(backbone=network, **options).save(tmp_path / "net.keras")
    finer = DeepLab(tmp_path / "net.keras", output_stride=8)
    direct = DeepLab(tmp_path / "net.keras", backbone=network, output_stride=8, **options)
    np.testing.assert_allclose(finer(image), direct(image), atol=1e-5)


def test_a_file_of_a_row_under_another_name(tmp_path, image: np.ndarray):
    model = DeepLab(version="v3+", backbone="mobilenet_v2", classes=2, name="mine")
    model.save(tmp_path / "net.keras")
    again = DeepLab(tmp_path / "net.keras")
    np.testing.assert_array_equal(again(image), model(image))
