import pytest

from keras_deeplab._validation import check_choice, check_int, percent, suggestion
from keras_deeplab.presets.backbones import BACKBONES
from keras_deeplab.presets.datasets import DATASETS


def test_suggestion_names_the_near_miss():
    assert suggestion("mobilenet_v", ["vgg", "mobilenet_v2"]) == " Did you mean 'mobilenet_v2'?"
    assert suggestion("xyz", ["vgg"]) == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("pascal_voc", "voc"),
        ("voc2012", "voc"),
        ("PascalVOC2012", "voc"),
        ("VOC", "voc"),
        ("Ade-20K", "ade20k"),
        ("ade", "ade20k"),
        ("coco-stuff", "coco_stuff"),
        ("CityScapes", "cityscapes"),
        ("PascalContext", "pascal_context"),
        ("pascal_contxt", "pascal_context"),
        ("CamVid11", "camvid"),
    ],
)
def test_suggestions_for_other_spellings(value: str, expected: str):
    assert suggestion(value, DATASETS) == f" Did you mean {expected!r}?"


@pytest.mark.parametrize(
    ("value", "expected"), [("MobileNetV2", "mobilenet_v2"), ("ResNet-101", "resnet101")]
)
def test_suggestions_of_backbones(value: str, expected: str):
    assert suggestion(value, BACKBONES) == f" Did you mean {expected!r}?"


def test_check_choice_says_what_must_hold_what_came_and_what_to_do():
    check_choice("backbone", "vgg", ["vgg", "resnet"])
    with pytest.raises(ValueError, match="must be one of 'vgg'.*Received: backbone='vg'.*'vgg'"):
        check_choice("backbone", "vg", ["vgg", "resnet"])


@pytest.mark.parametrize("value", ["3", 3.0, True, None])
def test_check_int_refuses_other_types(value: object):
    with pytest.raises(TypeError, match="must be an int. Received: size="):
        check_int("size", value, minimum=1)


def test_check_int_refuses_small_values():
    check_int("size", 1, minimum=1)
    with pytest.raises(ValueError, match="at least 1. Received: size=0"):
        check_int("size", 0, minimum=1)


def test_small_shares_are_not_zero():
    assert [percent(share) for share in (0, 0.0004, 0.0005, 0.811, 1)] == [
        "0.0%",
        "<0.1%",
        "0.1%",
        "81.1%",
        "100.0%",
    ]
