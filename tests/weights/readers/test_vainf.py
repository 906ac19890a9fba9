from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.presets.networks import DEEPLABS
from keras_deeplab.weights.readers.torch_networks import convert_torch
from tests.reference.parity import network, relative_difference, shallow_backbone
from tests.reference.torch_peers import import_torch, randomize, run


@pytest.fixture
def repositories():
    import_torch()
    from tests.reference import torch_repositories

    return torch_repositories


@pytest.mark.parametrize("size", [97, pytest.param(128, marks=pytest.mark.slow)])
@pytest.mark.parametrize("plus", [pytest.param(False, marks=pytest.mark.slow), True])
def test_logits_equal_those_of_the_repository(
    repositories, plus: bool, size: int, tmp_path: Path, rng: np.random.Generator
):
    torch = import_torch()
    peer = randomize(torch, repositories.VainFDeepLab(plus=plus, classes=5))
    # Its training saves this.
    content = {"cur_itrs": 9, "model_state": peer.state_dict(), "optimizer_state": {}}
    torch.save({**content, "best_score": np.float64(0.5)}, tmp_path / "best.pth")
    row = DEEPLABS["deeplab_v3_plus_resnet50_vainf" if plus else "deeplab_v3_resnet50"]
    with shallow_backbone("resnet50", (1, 1, 2, 2)):
        ours = network(row, convert_torch("vainf", tmp_path / "best.pth"), classes=5)
    image = rng.normal(0, 1, (1, size, size, 3)).astype("float32")
    # float32 in another order of summation.
    assert relative_difference(ours(image), run(torch, peer, image)) < 1e-4
