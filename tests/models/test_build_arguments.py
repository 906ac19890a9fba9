import pytest

from keras_deeplab.models.build_arguments import (
    check_input_shape,
    input_scales,
    resolve_class_names,
)


def test_scales_asked_for_come_first():
    assert input_scales(None, (0.5, 1.0)) == (0.5, 1.0)
    assert input_scales([0.75, 1], (0.5, 1.0)) == (0.75, 1)
    assert input_scales((), (0.5, 1.0)) == ()
    assert input_scales([1.0], ()) == ()


@pytest.mark.parametrize("scales", [(0,), (-1.0, 1.0), (1.0, 1.0), (4.5,)])
def test_wrong_scales(scales):
    with pytest.raises(ValueError, match="distinct scales above 0, at most 4"):
        input_scales(scales, ())


def test_class_names():
    trained = ("road", "sky")
    assert resolve_class_names(None, trained) == trained
    assert resolve_class_names(2, trained) == trained
    assert resolve_class_names(3, trained) == ("class 0", "class 1", "class 2")
    assert resolve_class_names(["a", "b"], trained) == ("a", "b")


@pytest.mark.parametrize(
    ("classes", "error", "words"),
    [
        ("road", TypeError, "a number or a sequence of names. Received: classes='road'"),
        (2.0, TypeError, "a number or a sequence"),
        (1, ValueError, "at least 2"),
        (["a"], ValueError, "at least 2"),
        (["a", "a"], ValueError, "distinct names"),
    ],
)
def test_wrong_classes(classes, error: type, words: str):
    with pytest.raises(error, match=words):
        resolve_class_names(classes, ("road", "sky"))


@pytest.mark.parametrize("shape", [(None, None, 3), (33, None, 4), [64, 64, 1]])
def test_input_shapes(shape):
    check_input_shape(shape)


@pytest.mark.parametrize("shape", [None, 3, (None, None), (0, 3, 3), (8, 8, None), (8.0, 8, 3)])
def test_wrong_input_shapes(shape):
    with pytest.raises(ValueError, match=r"input_shape must be \(height, width, channels\)"):
        check_input_shape(shape)
