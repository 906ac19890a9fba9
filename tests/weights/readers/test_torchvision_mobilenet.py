from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.presets.networks import DEEPLABS
from keras_deeplab.weights.readers.torch_networks import convert_torch
from tests.reference.matrices import matrix
from tests.reference.parity import network, relative_difference
from tests.reference.torch_peers import import_torch, randomize, run


@pytest.fixture(scope="module")
def torch():
    torch = import_torch()
    pytest.importorskip("torchvision", reason="torchvision is not installed")
    return torch


@pytest.fixture(scope="module")
def peer(torch):
    from torchvision.models.segmentation import deeplabv3_mobilenet_v3_large

    model = deeplabv3_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=5, aux_loss=True
    )
    return randomize(torch, model)


@pytest.fixture(scope="module")
def path(torch, peer, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("torchvision") / "net.pth"
    torch.save(peer.state_dict(), path)
    return path


@pytest.mark.parametrize("size", matrix([97, 128, 321], 97))
def test_logits_equal_those_of_torchvision(
    torch, peer, path: Path, rng: np.random.Generator, size: int
):
    row = DEEPLABS["deeplab_v3_mobilenet_v3_large"]
    ours = network(row, convert_torch("torchvision_mobilenet", path), classes=5)
    image = rng.normal(0, 1, (1, size, size, 3)).astype("float32")
    expected = run(torch, lambda x: peer.classifier(peer.backbone(x)["out"]), image)
    difference = relative_difference(ours(image), expected)
    print(f"\ntorchvision {size} {difference:.2e}")
    assert difference < 1e-4


def test_auxiliary_head_is_dropped_and_strangers_are_named(torch, peer, tmp_path: Path):
    state = {"backbone.3.block.9.0.weights": torch.zeros(1)}
    torch.save({**peer.state_dict(), **state}, tmp_path / "net.pth")
    with pytest.raises(ValueError, match=r"backbone\.3\.block.*net\.pth"):
        convert_torch("torchvision_mobilenet", tmp_path / "net.pth")
