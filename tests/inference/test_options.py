from dataclasses import fields

import pytest

from keras_deeplab.inference import DenseCRF, InferenceOptions, InferenceSettings, resolve_options


def test_settings_replace_fields_of_the_options():
    options = InferenceOptions(size=513, flip=True)
    assert resolve_options(None, {}) == InferenceOptions()
    assert resolve_options(options, {}) == options
    changed = resolve_options(options, {"size": "own", "scales": [1, 2]})
    assert changed == InferenceOptions(size="own", scales=(1.0, 2.0), flip=True)
    with pytest.raises(ValueError, match="must be one of 'size', .*Did you mean 'scales'"):
        resolve_options(None, {"scale": (1, 2)})


def test_the_keywords_are_the_fields():
    assert set(InferenceSettings.__annotations__) == {x.name for x in fields(InferenceOptions)}


@pytest.mark.parametrize(
    ("size", "expected"),
    [(None, (5, 6)), (7, (7, 7)), ((8, 9), (8, 9)), ("own", None)],
)
def test_sizes(size, expected):
    assert InferenceOptions(size=size).resolve_size((5, 6)) == expected


def test_what_averages():
    assert not InferenceOptions(size=3, crf=DenseCRF(), batch_size=2).averages
    for options in (dict(scales=(2,)), dict(flip=True), dict(sliding_window=True)):
        assert InferenceOptions(**options).averages


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (dict(size=0), ValueError, "size must be at least 1"),
        (dict(size=(4, -1)), ValueError, "size must be at least 1"),
        (dict(size=(4, 4, 4)), ValueError, r"size must be pixels, \(height, width\), or 'own'"),
        (dict(size="big"), ValueError, "or 'own'. Received: size='big'"),
        (dict(size=2.5), TypeError, "size must be an int"),
        (dict(scales=()), ValueError, "scales must be one or more"),
        (dict(scales=(50.0,)), ValueError, "scales must be one or more factors from 0.1 to 8"),
        (dict(size="own", sliding_window=True), ValueError, "must have a size"),
        (dict(crf="v9"), ValueError, "preset must be one of"),
        (dict(batch_size=0), ValueError, "batch_size must be at least 1"),
    ],
)
def test_wrong_options(options, error, words):
    with pytest.raises(error, match=words):
        InferenceOptions(**options)
