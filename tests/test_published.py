"""The published networks on real photos."""

from pathlib import Path

import numpy as np
import pytest

from keras_deeplab import DeepLab, segment
from keras_deeplab.presets.weights import WEIGHTS

MOBILE = "deeplab_v3_mobilenet_v2.voc_trainaug"


def test_the_cat_is_a_cat(published_weights: Path, photo: np.ndarray):
    shares = segment(DeepLab(MOBILE), photo).shares()
    assert max(shares, key=shares.get) == "cat"
    assert shares["cat"] > 0.5
    assert set(shares) <= {"cat", "background"}


def test_a_known_mask(published_weights: Path, shared: Path):
    """A photo whose mask the publishers' authors made."""
    from PIL import Image

    with Image.open(shared / "data" / "samples" / "bird_mask.png") as image:
        truth = np.asarray(image)
    labels = segment(DeepLab(MOBILE), shared / "data" / "samples" / "bird.png").labels
    bird = labels == 3
    assert (bird & (truth == 3)).sum() / (bird | (truth == 3)).sum() > 0.8


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [row.name for row in WEIGHTS.values() if row.converter == "tflite"]
)
def test_labels_agree_with_the_8_bit_network(published_weights: Path, shared: Path, name: str):
    pytest.importorskip("ai_edge_litert")
    from tools.compare_with_tflite import compare

    # Every fourth photo; the tool takes all 128.
    photos = sorted((shared / "data" / "coco128_voc" / "images").iterdir())[::4]
    result = compare(name, photos, shared / "data" / "coco128_voc" / "labels")
    assert result["agreement_mean"] >= 0.98
    # Of the classes in the truth: on 32 photos a few pixels decide which others are predicted.
    assert result["mean_iou_in_truth_keras"] >= result["mean_iou_in_truth_tflite"] - 0.005


def test_fine_tuning_starts_the_classifier_only(published_weights: Path, caplog):
    model = DeepLab(MOBILE, classes=5)
    assert "the layer classifier starts fresh with 5" in caplog.text
    published = DeepLab(MOBILE)
    for layer in published.layers:
        if layer.weights and layer.name != "classifier":
            for ours, theirs in zip(
                model.get_layer(layer.name).get_weights(), layer.get_weights(), strict=True
            ):
                np.testing.assert_array_equal(ours, theirs)
    assert model.get_layer("classifier").kernel.shape == (1, 1, 256, 5)


def test_parameters_are_the_published_networks(published_weights: Path):
    assert DeepLab(MOBILE).count_params() == 2_097_013
