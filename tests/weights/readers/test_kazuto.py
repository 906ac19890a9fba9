from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.models import BuildOptions, build_model
from keras_deeplab.presets.networks import DEEPLABS
from keras_deeplab.weights import load_arrays
from keras_deeplab.weights.opening_checkpoint import open_checkpoint
from keras_deeplab.weights.readers.torch_networks import convert_torch
from tests.reference.parity import network, relative_difference, shallow_backbone
from tests.reference.torch_peers import import_torch, randomize, run

BLOCKS = (1, 1, 2, 3)


def photo_scores(torch, base, photo: np.ndarray, *, today: bool) -> np.ndarray:
    """What the repository's test script does with a photo, RGB 0-255.

    The means of its configurations are subtracted in the order BGR. The photo is scaled by a
    factor; PyTorch took the rounded sizes for its grid before 1.6, and takes the factor today. The
    maximum of the scores is resized to the photo.
    """
    import torch.nn.functional as F  # noqa: N812

    bgr = photo[..., ::-1].astype("float32") - np.array([104.008, 116.669, 122.675], "float32")
    x = torch.from_numpy(bgr.transpose(2, 0, 1)[None].copy())
    options = dict(mode="bilinear", align_corners=False)
    with torch.no_grad():
        scores = base(x)
        fused = scores
        for factor in (0.5, 0.75):
            smaller = F.interpolate(
                x, scale_factor=factor, recompute_scale_factor=not today, **options
            )
            again = F.interpolate(base(smaller), size=scores.shape[2:], **options)
            fused = torch.maximum(fused, again)
        fused = F.interpolate(fused, size=photo.shape[:2], **options)
    return fused[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("grid", [pytest.param("size", marks=pytest.mark.slow), "factor"])
def test_photos_get_the_scores_of_the_repository(grid: str, tmp_path: Path, photo: np.ndarray):
    torch = import_torch()
    from tests.reference.torch_networks import KazutoDeepLabV2, KazutoMSC

    base = randomize(torch, KazutoDeepLabV2(BLOCKS, 5))
    torch.save(KazutoMSC(base).state_dict(), tmp_path / "net.pth")
    row = DEEPLABS["deeplab_v2_resnet101_caffe_aspp"]
    start = open_checkpoint(tmp_path / "net.pth")
    assert (start.row, start.options.multi_scale_inputs) == (row, (0.5, 0.75, 1.0))
    # A file of one's own was trained with today's PyTorch.
    assert (start.options.multi_scale_grid, start.options.preprocessing) == ("factor", "caffe")
    options = BuildOptions(
        preprocessing="caffe", multi_scale_inputs=(0.5, 0.75, 1.0), multi_scale_grid=grid
    )
    with shallow_backbone("resnet101_caffe", BLOCKS):
        ours = build_model(row, class_names=start.class_names, options=options)
    load_arrays(ours, start.arrays, source="net.pth")
    # Sides that 4 does not divide, where the two grids differ.
    image = photo[:97, :131]
    expected = photo_scores(torch, base, image, today=grid == "factor")
    assert relative_difference(np.asarray(ours(image[None]))[0], expected) < 1e-4
    other = photo_scores(torch, base, image, today=grid == "size")
    assert relative_difference(np.asarray(ours(image[None]))[0], other) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("size", [97, 128])
def test_version_3(size: int, tmp_path: Path, rng: np.random.Generator):
    torch = import_torch()
    from tests.reference.torch_repositories import KazutoDeepLabV3

    peer = randomize(torch, KazutoDeepLabV3(BLOCKS, 5))
    state = {f"base.{name}": tensor for name, tensor in peer.state_dict().items()}
    torch.save(state, tmp_path / "net.pth")
    with shallow_backbone("resnet101_caffe", BLOCKS):
        arrays = convert_torch("kazuto", tmp_path / "net.pth")
        ours = network(DEEPLABS["deeplab_v3_resnet101_caffe"], arrays, classes=5)
    image = rng.normal(0, 1, (1, size, size, 3)).astype("float32")
    expected = run(torch, lambda x: peer(x.flip(1)), image)
    assert relative_difference(ours(image), expected) < 1e-4


def test_the_published_files_have_the_grid_of_their_time():
    from keras_deeplab.presets.weights import WEIGHTS

    rows = [row for row in WEIGHTS.values() if row.converter == "kazuto"]
    assert rows
    assert {row.multi_scale_grid for row in rows} == {"size"}
    assert {row.preprocessing for row in rows} == {"caffe"}
