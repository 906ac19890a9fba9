import pytest

from keras_deeplab._validation import check_choice, check_int, suggestion


def test_suggestion_names_the_near_miss():
    assert suggestion("mobilenet_v", ["vgg", "mobilenet_v2"]) == " Did you mean 'mobilenet_v2'?"
    assert suggestion("xyz", ["vgg"]) == ""


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
