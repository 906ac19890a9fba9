import pytest

import keras_deeplab.data


@pytest.mark.parametrize("name", keras_deeplab.data.__all__)
def test_every_public_name_is_there(name: str):
    assert callable(getattr(keras_deeplab.data, name))
    assert name in dir(keras_deeplab.data)


def test_other_names():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = keras_deeplab.data.nothing
