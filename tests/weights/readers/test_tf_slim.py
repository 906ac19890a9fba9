import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.presets.backbones import BACKBONES
from keras_deeplab.presets.networks import DEEPLABS
from keras_deeplab.weights.readers.naming import layer_of
from keras_deeplab.weights.readers.tf_slim import SCOPES, convert_tf_slim
from tests.reference.parity import network, relative_difference
from tests.reference.small_presets import narrow_xception

pytest.importorskip("tensorflow")
from tests.reference.matrices import matrix
from tests.reference.slim_networks import SlimNetwork

CLASSES = 5


def archive(network: SlimNetwork, folder: Path, **others: np.ndarray) -> Path:
    """An archive as the zoo's: a folder with a frozen graph and the checkpoint."""
    network.write(folder / "model.ckpt-30000", **others)
    path = folder / "net.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for file in sorted(folder.glob("model.ckpt*")):
            tar.add(file, f"net/{file.name}")
        add(tar, "net/frozen_inference_graph.pb", b"graph")
    return path


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


@pytest.fixture
def tiny(rng: np.random.Generator) -> SlimNetwork:
    slim = SlimNetwork(rng)
    slim.conv(np.zeros((1, 9, 9, 3), "float32"), 4, 3, "MobilenetV2/Conv")
    return slim


@pytest.mark.parametrize("size", matrix([96, 97, 130, 321], 97, 130))
def test_mobilenet_v2_logits(tmp_path: Path, rng: np.random.Generator, size: int):
    slim = SlimNetwork(rng)
    image = rng.uniform(-1, 1, (1, size, size, 3)).astype("float32")
    expected = slim.logits(slim.aspp(slim.mobilenet_v2(image)), CLASSES)
    arrays = convert_tf_slim(archive(slim, tmp_path))
    assert len(arrays) == len(slim.variables)
    ours = network(
        DEEPLABS["deeplab_v3_mobilenet_v2"],
        arrays,
        classes=CLASSES,
        align_corners=True,
        padding="tensorflow",
    )
    difference = relative_difference(ours(image), expected)
    print(f"\ntf_slim mobilenet_v2 {size} {difference:.2e}")
    assert difference < 1e-4


@pytest.mark.parametrize(
    "size_and_width",
    matrix([(97, 1), (97, 16), (128, 16), (321, 16)], (97, 16), (128, 16)),
)
def test_xception_logits(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rng: np.random.Generator,
    size_and_width: tuple[int, int],
):
    size, width = size_and_width
    row = BACKBONES["xception_65"]
    if width > 1:
        row = narrow_xception(row, width)
    monkeypatch.setitem(BACKBONES, "xception_65", row)
    slim = SlimNetwork(rng)
    image = rng.uniform(-1, 1, (1, size, size, 3)).astype("float32")
    units = next(block.units for block in row.blocks if block.skip == "sum")
    x, low_level = slim.xception(image, "xception_65", width, units)
    x = slim.decoder(slim.aspp(x, (6, 12, 18)), low_level)
    expected = slim.logits(x, CLASSES)
    arrays = convert_tf_slim(archive(slim, tmp_path))
    assert len(arrays) == len(slim.variables)
    ours = network(
        DEEPLABS["deeplab_v3_plus_xception_65"], arrays, classes=CLASSES, align_corners=True
    )
    difference = relative_difference(ours(image), expected)
    print(f"\ntf_slim xception_65/{width} {size} {difference:.2e}")
    assert difference < 1e-4


def test_unpacked_checkpoints_are_read_too(tmp_path: Path, tiny: SlimNetwork):
    tiny.write(tmp_path / "model.ckpt")
    arrays = convert_tf_slim(tmp_path / "model.ckpt.index")
    assert sorted(arrays) == [
        "stem/kernel", "stem_bn/beta", "stem_bn/gamma", "stem_bn/moving_mean",
        "stem_bn/moving_variance",
    ]  # fmt: skip
    np.testing.assert_array_equal(arrays["stem/kernel"], tiny.variables["MobilenetV2/Conv/weights"])


def test_strangers_are_named(tmp_path: Path, tiny: SlimNetwork):
    path = archive(tiny, tmp_path, **{"MobilenetV2/Logits/biases": np.zeros(3, "float32")})
    with pytest.raises(ValueError, match=r"MobilenetV2/Logits/biases' in .*net\.tar\.gz"):
        convert_tf_slim(path)


def test_names_that_lead_out_of_the_folder_do_not(tmp_path: Path, tiny: SlimNetwork):
    """The checkpoint is read, and nothing is written outside the temporary folder."""
    tiny.write(tmp_path / "model.ckpt")
    path = tmp_path / "evil.tar.gz"
    outside = tmp_path / "outside"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(tmp_path / "model.ckpt.index", f"../../../..{outside}/model.ckpt.index")
        data = "model.ckpt.data-00000-of-00001"
        tar.add(tmp_path / data, f"{outside}/{data}")
        link = tarfile.TarInfo("net/model.ckpt-7.index")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    assert len(convert_tf_slim(path)) == 5
    assert not outside.exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
def test_cut_archives_are_named(tmp_path: Path, tiny: SlimNetwork, share: float):
    path = archive(tiny, tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"net\.tar\.gz"):
        convert_tf_slim(path)


def test_archives_without_checkpoint_are_refused(tmp_path: Path):
    with tarfile.open(tmp_path / "net.tar.gz", "w:gz") as tar:
        add(tar, "net/frozen_inference_graph.pb", b"graph")
    with pytest.raises(ValueError, match="must hold one checkpoint.*frozen graph only"):
        convert_tf_slim(tmp_path / "net.tar.gz")


def test_missing_files(tmp_path: Path):
    for name in ("none.tar.gz", "none.index"):
        with pytest.raises(FileNotFoundError, match="none"):
            convert_tf_slim(tmp_path / name)


@pytest.mark.parametrize(
    ("scope", "layer"),
    [
        ("MobilenetV2/expanded_conv/depthwise", "block_0_depthwise"),
        ("decoder/decoder_conv1_pointwise", "decoder_1_pointwise"),
        ("aspp2_depthwise", "aspp_2_depthwise"),
        ("xception_65/entry_flow/conv1_1", "entry_flow_conv1_1"),
        ("conv1", ""),
        (
            "xception_65/middle_flow/block1/unit_16/xception_module/separable_conv3_pointwise",
            "middle_flow_block1_unit_16_separable_conv3_pointwise",
        ),
    ],
)
def test_layer_names(scope: str, layer: str):
    assert layer_of(scope, SCOPES) == layer
