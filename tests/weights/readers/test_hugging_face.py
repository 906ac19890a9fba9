from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from keras_deeplab.presets.networks import DEEPLABS
from keras_deeplab.weights.readers.torch_networks import convert_torch
from tests.reference.matrices import matrix
from tests.reference.parity import network, relative_difference
from tests.reference.torch_peers import import_torch, randomize, run


def write_safetensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    save_file({name: tensor.astype("float32") for name, tensor in tensors.items()}, path)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_damaged_files_are_named(tmp_path: Path, share: float):
    path = tmp_path / "net.safetensors"
    write_safetensors(path, {"a": np.ones((50, 50))})
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"must be complete.*net\.safetensors"):
        convert_torch("hugging_face", path)


def test_unknown_tensors_are_named(tmp_path: Path):
    path = tmp_path / "net.safetensors"
    write_safetensors(path, {"mobilenet_v2.layer.0.expand_2x2.convolution.weight": np.ones(3)})
    with pytest.raises(ValueError, match=r"expand_2x2.convolution.weight' in .*net\.safetensors"):
        convert_torch("hugging_face", path)


def peer(**options):
    torch = import_torch()
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.MobileNetV2Config(num_labels=5, finegrained_output=True, **options)
    return torch, randomize(torch, transformers.MobileNetV2ForSemanticSegmentation(config))


@pytest.mark.parametrize(
    "case",
    matrix(
        [
            (size, padding, stride)
            for size, padding in (
                (97, "tensorflow"),
                (98, "tensorflow"),
                (128, "tensorflow"),
                (128, "symmetric"),
            )
            for stride in (8, 16)
        ],
        (97, "tensorflow", 8),
        (128, "symmetric", 16),
    ),
)
def test_logits_equal_those_of_transformers(tmp_path: Path, rng, case: tuple[int, str, int]):
    size, padding, output_stride = case
    torch, model = peer(tf_padding=padding == "tensorflow", output_stride=output_stride)
    path = tmp_path / "model.safetensors"
    write_safetensors(path, {name: t.numpy() for name, t in model.state_dict().items()})
    ours = network(
        DEEPLABS["deeplab_v3_mobilenet_v2"],
        convert_torch("hugging_face", path),
        classes=5,
        output_stride=output_stride,
        align_corners=True,
        padding=padding,
    )
    image = rng.uniform(-1, 1, (1, size, size, 3)).astype("float32")
    expected = run(torch, lambda x: model(x).logits, image)
    difference = relative_difference(ours(image), expected)
    print(f"\nhugging_face {size} {output_stride} {difference:.2e}")
    assert difference < 1e-4
