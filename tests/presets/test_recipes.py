import re

import pytest

from keras_deeplab.presets.recipes import RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_rows_are_consistent(name: str):
    row = RECIPES[name]
    assert row.name == name
    assert row.optimizer in ("sgd", "adamw")
    assert row.schedule in ("poly", "step")
    assert row.targets in ("image", "scores")
    assert bool(row.steps) != bool(row.epochs)
    assert all(side > 0 for side in row.crop_size)
    assert row.source
    for pattern, factor in row.multipliers:
        assert re.compile(pattern)
        assert factor > 0


def test_factors_of_caffes_lr_mult():
    """DeepLab v2's prototxt: 1 and 2 in the body, 10 and 20 in the classifiers."""
    multipliers = RECIPES["v2_resnet101"].multipliers

    def factor(path: str) -> float:
        return next((value for key, value in multipliers if re.search(key, path)), 1.0)

    paths = ("conv1/kernel", "conv1/bias", "classifier_1/kernel", "classifier_1/bias")
    assert [factor(path) for path in paths] == [1, 2, 10, 20]
