"""docs/migration.md: the code of each section against the library that it is about."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keras_deeplab import DeepLab
from keras_deeplab.losses import CrossEntropy
from keras_deeplab.metrics import MeanIoU
from keras_deeplab.presets.datasets import DATASETS
from keras_deeplab.presets.weights import WEIGHTS
from tests.reference.torch_peers import import_torch, randomize

PAGE = (Path(__file__).parents[1] / "docs" / "migration.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## From (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
# Both normalise the image in float32, and random networks amplify the rounding.
TOLERANCE = 1e-3
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def block(section: str) -> str:
    (code,) = re.findall(r"^```py\n(.*?)^```$", SECTIONS[section], re.DOTALL | re.MULTILINE)
    return code


def run_block(section: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Runs a block; the peer's network has weights by which its layers can be told apart."""
    monkeypatch.chdir(folder)
    before, _, after = block(section).partition("torch.save")
    names: dict[str, Any] = {"randomize": randomize}
    exec(f"{before}randomize(torch, network)\ntorch.save{after}", names)
    return names


def difference(torch: Any, network: Any, model: keras.Model, output: Any) -> float:
    image = np.random.default_rng(0).integers(0, 256, (1, 96, 128, 3)).astype("float32")
    normalised = ((image / 255 - MEAN) / DEVIATION).astype("float32").transpose(0, 3, 1, 2)
    with torch.no_grad():
        scores = output(network.eval()(torch.from_numpy(normalised.copy())))
    expected = scores.permute(0, 2, 3, 1).numpy()
    received = model.predict(image, verbose=0)
    return float(np.abs(received - expected).max() / np.abs(expected).max())


@pytest.mark.slow
def test_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    torch = import_torch()
    segmentation = pytest.importorskip("torchvision.models.segmentation")
    names = run_block("torchvision", tmp_path, monkeypatch)
    network, model = names["network"], names["model"]
    assert difference(torch, network, model, lambda result: result["out"]) < TOLERANCE
    # With the auxiliary classifier, whose weights are left out.
    network = segmentation.deeplabv3_mobilenet_v3_large(
        weights_backbone=None, num_classes=3, aux_loss=True
    )
    torch.save(randomize(torch, network).state_dict(), "aux.pth")
    assert difference(torch, network, DeepLab("aux.pth"), lambda result: result["out"]) < TOLERANCE


def test_torchvision_names_and_sizes():
    import_torch()
    segmentation = pytest.importorskip("torchvision.models.segmentation")
    for kind, name in (
        ("DeepLabV3_ResNet50_Weights", "deeplab_v3_resnet50.coco_voc"),
        ("DeepLabV3_ResNet101_Weights", "deeplab_v3_resnet101.coco_voc"),
        ("DeepLabV3_MobileNet_V3_Large_Weights", "deeplab_v3_mobilenet_v3_large.coco_voc"),
    ):
        weights = getattr(segmentation, kind).DEFAULT
        assert weights.url == WEIGHTS[name].url
        ours = DATASETS[WEIGHTS[name].dataset].class_names
        theirs = [word.replace("__", "") for word in weights.meta["categories"]]
        assert list(ours) == theirs
        assert weights.transforms().resize_size == [520]


@pytest.mark.slow
def test_segmentation_models_pytorch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    torch = import_torch()
    smp = pytest.importorskip("segmentation_models_pytorch")
    section = "segmentation_models_pytorch"
    names = run_block(section, tmp_path, monkeypatch)
    assert difference(torch, names["network"], names["model"], lambda scores: scores) < TOLERANCE
    # The losses of the table: the same values, up to smp's smoothing.
    from keras_deeplab.losses import LovaszSoftmax

    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 8, 8, 3)).astype("float32")
    labels = rng.integers(0, 3, (2, 8, 8))
    theirs = smp.losses.LovaszLoss("multiclass")(
        torch.from_numpy(logits.transpose(0, 3, 1, 2)), torch.from_numpy(labels)
    )
    assert float(LovaszSoftmax()(labels, logits)) == pytest.approx(float(theirs), rel=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.shuffle=True. was passed:UserWarning")
def test_keras_hub():
    pytest.importorskip("keras_hub", reason="keras-hub is not installed")
    names: dict[str, Any] = {}
    exec(block("keras-hub"), names)
    images, labels = (np.asarray(names[name]) for name in ("images", "labels"))
    assert labels.shape == (2, 64, 64, 2)
    # Class ids, which ours take as well, are refused there.
    with pytest.raises(ValueError, match="same shape"):
        names["segmenter"].fit(images, labels.argmax(-1)[..., None], epochs=1, verbose=0)
    model = DeepLab(classes=2)
    losses = []
    for truth in (labels, labels.argmax(-1), labels.argmax(-1)[..., None]):
        model.compile("adam", CrossEntropy(), metrics=[MeanIoU(2)], jit_compile=False)
        losses.append(model.evaluate(images, truth, verbose=0))
    assert losses[1:] == [pytest.approx(losses[0])] * 2
    assert names["segmenter"].predict(images, verbose=0).shape == (2, 64, 64, 2)


@pytest.mark.slow
# Importing mmsegmentation warns of much that it does itself.
@pytest.mark.filterwarnings("ignore")
def test_mmsegmentation(tmp_path: Path):
    torch = import_torch()
    for package in ("mmengine", "mmseg"):
        pytest.importorskip(package, reason="mmsegmentation is not installed")
    from tools.peer_networks import mmsegmentation

    peer = mmsegmentation(True, 50, tmp_path, tmp_path)
    state = torch.load(peer.file, weights_only=True)
    state = state.get("state_dict", state)
    classes = [f"thing {number}" for number in range(21)]
    file = tmp_path / "iter_40000.pth"
    torch.save({"state_dict": state, "meta": {"dataset_meta": {"classes": classes}}}, file)
    model = DeepLab(weights=file)
    assert list(model.layers[-1].class_names) == classes
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3)).astype("uint8")
    expected = peer.scores(image)
    received = model.predict(image[None], verbose=0)[0]
    assert np.abs(received - expected).max() < TOLERANCE * np.abs(expected).max()


def test_names_on_the_page_exist():
    known = {*WEIGHTS, *(row.network for row in WEIGHTS.values())}
    found = re.findall(r'"(deeplab_v3[\w.]*\.\w+)"', PAGE)
    assert len(found) > 10
    assert set(found) <= known
    # What the page says of bonlime's: always output stride 8 on MobileNetV2, ours 16 by default.
    for row in SECTIONS["bonlime/keras-deeplab-v3-plus"].splitlines():
        if "deeplab_v3_mobilenet_v2." in row:
            assert "output_stride=8" in row
