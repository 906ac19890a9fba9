"""The views that train the package's network."""

from __future__ import annotations

import dataclasses
from importlib import import_module
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

CAT, DOG = 8, 12


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ModuleType:
    monkeypatch.syspath_prepend(str(request.config.rootpath / "tools" / "train_bundled"))
    # Set by the module too, for good.
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    return import_module("train")


def _photos(*, masked: bool) -> SimpleNamespace:
    """Two photos, a blue cat on the left of a yellow dog."""
    image = np.full((90, 120, 3), (200, 200, 30), "uint8")
    image[:, :60] = 30, 30, 200
    mask = np.full((90, 120), DOG, "uint8")
    mask[:, :60] = CAT
    soft = np.zeros((49, 49, 21), "uint8")
    soft[:, :24, CAT] = soft[:, 24:, DOG] = 255
    return SimpleNamespace(
        images=[image] * 2,
        masks=[mask if masked else None] * 2,
        teacher=np.stack([soft] * 2),
        chances=lambda: np.full(2, 0.5),
    )


@pytest.mark.parametrize("masked", [True, False])
def test_targets_lie_on_what_they_name(train: ModuleType, masked: bool):
    stage = dataclasses.replace(train.STAGES[-1], crop=129, scales=(0.25, 1))
    stream = train.batches(_photos(masked=masked), stage, batch=16, seed=(0, 0))
    images, targets = (np.asarray(part) for part in next(iter(stream)))
    assert images.shape == (16, 129, 129, 3)
    assert targets.shape == (16, 33, 33, 21)
    seen = images[:, ::4, ::4]
    blueness = seen[..., 2] - seen[..., 0]
    sums = targets.sum(-1)
    inside = sums > 0
    assert 0.3 < inside.mean() < 1
    np.testing.assert_allclose(sums[inside], 1, atol=1e-5)
    assert np.abs(blueness[~inside]).mean() < 10 < np.abs(blueness[inside]).mean()
    agree = np.where(blueness > 0, targets[..., CAT], targets[..., DOG])[inside]
    assert agree.mean() > 0.95, agree.mean()


def test_coarse_targets_weigh_what_lies_in_the_photo(train: ModuleType):
    stage = dataclasses.replace(train.STAGES[0], crop=129, scales=(0.3, 0.3))
    stream = train.batches(_photos(masked=True), stage, batch=4, seed=(0, 0))
    _, targets = next(iter(stream))
    assert targets.shape == (4, 9, 9, 21)
    sums = np.asarray(targets).sum(-1)
    assert sums.min() == 0
    assert 0.99 < sums.max() < 1.0001
    assert np.any((sums > 0.01) & (sums < 0.99))
