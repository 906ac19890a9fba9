from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.presets.networks import DEEPLABS
from keras_deeplab.weights.readers.torch_networks import convert_torch
from tests.reference.parity import network, relative_difference, shallow_backbone
from tests.reference.torch_peers import import_torch, randomize, run


@pytest.mark.slow
@pytest.mark.parametrize("size", [97, 128])
def test_logits_equal_those_of_the_repository(size: int, tmp_path: Path, rng: np.random.Generator):
    torch = import_torch()
    from tests.reference.torch_repositories import JfzhangDeepLab

    peer = randomize(torch, JfzhangDeepLab(classes=5))
    # Its training saves this, from DataParallel.
    state = {f"module.{name}": tensor for name, tensor in peer.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state, "best_pred": 0.5}, tmp_path / "checkpoint.pth.tar")
    with shallow_backbone("resnet101", (1, 1, 2, 3)):
        arrays = convert_torch("jfzhang", tmp_path / "checkpoint.pth.tar")
        row = DEEPLABS["deeplab_v3_plus_resnet101_jfzhang"]
        ours = network(row, arrays, classes=5, align_corners=True)
    image = rng.normal(0, 1, (1, size, size, 3)).astype("float32")
    # float32 in another order of summation.
    assert relative_difference(ours(image), run(torch, peer, image)) < 1e-4
