"""What trains the package's network: targets, image-level labels, plain frames."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

CAT, DOG, HORSE = 8, 12, 13


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ModuleType:
    monkeypatch.syspath_prepend(str(request.config.rootpath / "tools" / "train_bundled"))
    # Set by the module too, for good.
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    return import_module("train")


def _photos(*, masked: bool, known: bool = True) -> SimpleNamespace:
    """Two photos, a blue cat on the left of a yellow dog."""
    image = np.full((90, 120, 3), (200, 200, 30), "uint8")
    image[:, :60] = 30, 30, 200
    mask = np.full((90, 120), DOG if masked else 255, "uint8")
    if masked:
        mask[:, :60] = CAT
    soft = np.zeros((49, 49, 21), "float32")
    if known:
        soft[:, :24, CAT] = soft[:, 24:, DOG] = 1
    return SimpleNamespace(read=lambda index: (image, mask, soft), chances=lambda: np.full(2, 0.5))


@pytest.mark.parametrize(
    ("masked", "known"), [(True, True), (False, True), (True, False)], ids=["both", "soft", "mask"]
)
def test_targets_lie_on_what_they_name(train, monkeypatch, masked: bool, known: bool):
    monkeypatch.setattr(train, "SCALES", (0.06, 0.25))
    stream = train.batches(_photos(masked=masked, known=known), batch=16, seed=(0, 0), crop=129)
    images, targets = (np.asarray(part) for part in next(iter(stream)))
    assert images.shape == (16, 129, 129, 3)
    assert targets.shape == (16, 17, 17, 21)
    seen = images[:, ::8, ::8]
    blueness = seen[..., 2] - seen[..., 0]
    sums = targets.sum(-1)
    inside = sums > 0
    assert 0.1 < inside.mean() < 1
    np.testing.assert_allclose(sums[inside], 1, atol=1e-5)
    assert np.abs(blueness[~inside]).mean() < 20 < np.abs(blueness[inside]).mean()
    agree = np.where(blueness > 0, targets[..., CAT], targets[..., DOG])[inside]
    assert agree.mean() > 0.93, agree.mean()


def test_a_mosaic_keeps_its_parts(train):
    parts = np.arange(4 * 3 * 3).reshape(4, 3, 3, 1)
    mosaic, _ = train._mosaic(parts, parts)
    assert mosaic.shape == (5, 5, 1)
    np.testing.assert_array_equal(mosaic[2:, 2:], parts[3])
    np.testing.assert_array_equal(mosaic[:2, :2], parts[0][:2, :2])


def test_classes_that_are_absent_are_struck_out(train):
    soft = np.zeros((1, 3, 21), "float32")
    soft[0, 0, [HORSE, DOG]] = 0.6, 0.4
    soft[0, 1, HORSE] = 1.0
    soft[0, 2, 0] = 1.0
    result = train.corrected(soft, present=[], absent=[HORSE])
    assert result[0, 0, DOG] == 1
    assert result[0, 1, 0] == result[0, 2, 0] == 1
    np.testing.assert_allclose(result.sum(-1), 1)


def test_background_is_unknown_where_a_class_was_missed(train):
    soft = np.zeros((2, 2, 21), "float32")
    soft[..., 0] = 1
    soft[0, 0] = np.eye(21)[CAT]
    result = train.corrected(soft, present=[CAT, DOG], absent=[])
    assert result[0, 0, CAT] == 1
    assert result.sum() == 1
    assert train.corrected(soft, present=[CAT], absent=[]).sum() == 4


def test_plain_frames_differ(train):
    frames = train.plain_frames(12, size=33)
    assert {frame.shape for frame in frames} == {(33, 33, 3)}
    assert frames[0].max() == 0
    assert len({frame.tobytes() for frame in frames}) == 12


def test_coco_labels_become_classes(train):
    index = import_module("index_coco")
    row = {"ImageID": "7.jpg", "Labels": "1 19", "Caption": "A man on a horse."}
    stem, present, absent, exclude = index.described(row, {"9"})
    assert (stem, present.split(), exclude) == ("7", ["person", "horse"], "")
    assert "cat" in absent.split()
    assert "cow" not in absent.split()
    row = {"ImageID": "9.jpg", "Caption": "Two elephants at a river."}
    assert index.described(row, {"9"}) == ["9", "", "cow sheep", "yes"]
