import keras
import pytest

from keras_deeplab.presets.applications import (
    APPLICATIONS,
    BACKBONE_NAMES,
    FUNCTIONS,
    find_preprocessing,
)


def test_every_function_exists():
    assert all(callable(getattr(keras.applications, name)) for name in FUNCTIONS)
    assert len(FUNCTIONS) == sum(len(row.functions) for row in APPLICATIONS)
    assert len(set(BACKBONE_NAMES)) == len(BACKBONE_NAMES)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mobilenetv2_1.00_224", "tf"),
        ("MobileNetV3Large", "none"),
        ("efficientnetv2-b0", "none"),
        ("resnet50", "caffe"),
        ("resnet50v2", "tf"),
        ("densenet121", "torch"),
        ("functional_7", None),
        ("resnet500", None),
    ],
)
def test_preprocessing_by_the_name_of_a_model(name: str, expected: str | None):
    assert find_preprocessing(name) == expected


def test_a_model_has_the_name_of_its_row():
    model = keras.applications.VGG16(weights=None, input_shape=(32, 32, 3), include_top=False)
    assert find_preprocessing(model.name) == FUNCTIONS["VGG16"]
