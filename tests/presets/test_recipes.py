import re
from dataclasses import fields

from keras_deeplab.presets.networks import is_head_layer
from keras_deeplab.presets.recipes import RECIPES, RecipeChanges, RecipeRow


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
