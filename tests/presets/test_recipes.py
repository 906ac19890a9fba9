import re
from dataclasses import fields

import pytest

from keras_deeplab.presets.networks import is_head_layer
from keras_deeplab.presets.recipes import RECIPES, RecipeChanges, RecipeRow


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


def test_changes_are_the_fields_of_a_recipe():
    """But for what names and describes it."""
    names = {field.name for field in fields(RecipeRow)} - {"name", "title", "source"}
    assert RecipeChanges.__annotations__.keys() == names
    types = {field.name: field.type for field in fields(RecipeRow)}
    for name, annotation in RecipeChanges.__annotations__.items():
        assert annotation.__forward_arg__ == types[name]


def test_fine_tuning_slows_the_backbone_only():
    ((pattern, factor),) = RECIPES["fine_tune"].multipliers
    assert factor < 1
    for layer in ("stem", "block_3_expand_bn", "conv4_2", "entry_flow_conv1_1", "last"):
        assert re.search(pattern, f"{layer}/kernel")
        assert not is_head_layer(layer)
    for layer in ("aspp_1", "decoder_low_level", "classifier", "classifier_2", "fc6_0"):
        assert not re.search(pattern, f"{layer}/kernel")
        assert is_head_layer(layer)
