from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.presets.networks import DEEPLABS
from keras_deeplab.weights.readers.torch_networks import convert_torch
from tests.reference.parity import network, relative_difference, shallow_backbone
from tests.reference.torch_peers import import_torch, randomize, run

BLOCKS = (1, 1, 2, 3)


@pytest.fixture
def smp(monkeypatch: pytest.MonkeyPatch):
    """The library, with a ResNet-50 of few blocks."""
    import_torch()
    smp = pytest.importorskip("segmentation_models_pytorch")
    monkeypatch.setitem(smp.encoders.encoders["resnet50"]["params"], "layers", list(BLOCKS))
    return smp


def saved(smp, name: str, path: Path, **options):
    torch = import_torch()
    peer = getattr(smp, name)("resnet50", encoder_weights=None, classes=5, **options)
    randomize(torch, peer)
    torch.save(peer.state_dict(), path)
    return peer


@pytest.mark.parametrize(
    ("name", "network_name", "size"),
    [
        pytest.param("DeepLabV3", "deeplab_v3_resnet50_smp", 96, marks=pytest.mark.slow),
        ("DeepLabV3Plus", "deeplab_v3_plus_resnet50_smp", 96),
        pytest.param("DeepLabV3", "deeplab_v3_resnet50_smp", 128, marks=pytest.mark.slow),
        pytest.param("DeepLabV3Plus", "deeplab_v3_plus_resnet50_smp", 128, marks=pytest.mark.slow),
    ],
)
def test_logits_equal_those_of_the_library(
    smp, name: str, network_name: str, size: int, tmp_path: Path, rng: np.random.Generator
):
    peer = saved(smp, name, tmp_path / "net.pth")
    with shallow_backbone("resnet50", BLOCKS):
        arrays = convert_torch("smp", tmp_path / "net.pth")
        ours = network(DEEPLABS[network_name], arrays, classes=5, align_corners=True)
    image = rng.normal(0, 1, (1, size, size, 3)).astype("float32")
    # The convolution of its head, before the resize.
    expected = run(
        import_torch(), lambda x: peer.segmentation_head[0](peer.decoder(peer.encoder(x))), image
    )
    # float32 in another order of summation.
    assert relative_difference(ours(image), expected) < 1e-4


def test_names_of_older_releases(smp, tmp_path: Path):
    torch = import_torch()
    peer = saved(smp, "DeepLabV3", tmp_path / "new.pth")
    # Before 0.4 the decoder of version 3 was a sequence: ASPP, convolution, batch norm.
    places = {"aspp": "0", "conv": "1", "bn": "2"}
    old = {}
    for name, tensor in peer.state_dict().items():
        module, place, *rest = name.split(".")
        old[".".join([module, places[place] if module == "decoder" else place, *rest])] = tensor
    torch.save(old, tmp_path / "old.pth")
    new = convert_torch("smp", tmp_path / "new.pth")
    read = convert_torch("smp", tmp_path / "old.pth")
    assert read.keys() == new.keys()
    assert all((read[name] == new[name]).all() for name in new)


def test_the_image_classifier_is_left_out(smp, tmp_path: Path):
    saved(smp, "DeepLabV3Plus", tmp_path / "net.pth", aux_params=dict(classes=3))
    assert not any("classification" in name for name in convert_torch("smp", tmp_path / "net.pth"))


def test_a_foreign_decoder_is_named(smp, tmp_path: Path):
    saved(smp, "Unet", tmp_path / "net.pth")
    with pytest.raises(ValueError, match="a network of segmentation_models_pytorch, but not Deep"):
        convert_torch("smp", tmp_path / "net.pth")
