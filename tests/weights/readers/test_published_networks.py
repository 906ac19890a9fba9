"""The converters against independent networks in PyTorch; tools/compare_with_torch.py does the
same at full depth and at more sizes.
"""

import importlib.util
from dataclasses import replace

import pytest

from keras_deeplab.presets.backbones import BACKBONES
from keras_deeplab.presets.networks import DEEPLABS

pytest.importorskip("torch", reason="PyTorch is not installed")
BLOCKS = (1, 1, 2, 2)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("torchvision_v3_resnet50", marks=pytest.mark.slow),
        pytest.param("kazuto_v2_resnet101_msc", marks=pytest.mark.slow),
        pytest.param("mmseg_v3_resnet50", marks=pytest.mark.slow),
        pytest.param("mmseg_v3_plus_resnet50", marks=pytest.mark.slow),
        "caffe_v1_vgg16",
        pytest.param("caffe_v2_vgg16_aspp_l", marks=pytest.mark.slow),
        pytest.param("caffe_v2_resnet101", marks=pytest.mark.slow),
    ],
)
def test_equals_an_independent_network(name: str, monkeypatch: pytest.MonkeyPatch):
    from tools.compare_with_torch import CASES, compare

    # Found, not imported: its operators have to be declared first.
    if name.startswith("torchvision") and importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    backbone = BACKBONES[DEEPLABS[CASES[name].network].backbone]
    if "vgg" in name:
        narrow = replace(backbone, stages=tuple((c // 8, n) for c, n in backbone.stages))
    else:
        narrow = replace(backbone, blocks=BLOCKS)
    monkeypatch.setitem(BACKBONES, backbone.name, narrow)
    differences = compare(name, [97, 128], blocks=BLOCKS, classes=5)
    # float32 in another order of summation; the last digits of the largest score.
    assert max(differences.values()) < 1e-5
