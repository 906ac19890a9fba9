import keras
import pytest

from keras_deeplab.models import build_model
from keras_deeplab.presets.costs import COSTS
from keras_deeplab.presets.networks import DEEPLABS
from tests.reference.matrices import matrix
from tests.reference.model_cost import model_cost


def test_worked_by_hand():
    image = keras.Input((5, 5, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, use_bias=False)(image)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)
    # Kernels 3*3*3*4 and 3*3*4, gamma and beta, a bias; two by two positions each.
    assert model_cost(keras.Model(image, x)) == (108 + 8 + 36 + 4, 4 * 108 + 4 * 36)


def test_free_sizes_have_no_cost():
    image = keras.Input((None, 5, 3))
    with pytest.raises(ValueError, match="must have a fixed input size"):
        model_cost(keras.Model(image, keras.layers.ReLU()(image)))


@pytest.mark.parametrize("name", matrix(DEEPLABS, "deeplab_v3_mobilenet_v2"))
def test_the_table_is_what_the_models_cost(name: str):
    names = [str(label) for label in range(21)]
    model = build_model(DEEPLABS[name], class_names=names, input_shape=(513, 513, 3))
    assert model_cost(model) == COSTS[name]


def test_published_numbers():
    """LargeFOV: arXiv:1606.00915, table 1; Xception: arXiv:1802.02611, table 5, with resizes."""
    assert COSTS["deeplab_v1_vgg16"].parameters == pytest.approx(20.5e6, rel=1e-3)
    assert COSTS["deeplab_v3_plus_xception_65"].multiply_adds == pytest.approx(54.17e9, rel=3e-3)
    # The zoo's table: 2.11 M and 2.75 B, 0.88 B at half width.
    assert COSTS["deeplab_v3_mobilenet_v2"].parameters == pytest.approx(2.11e6, rel=2e-3)
    assert COSTS["deeplab_v3_mobilenet_v2"].multiply_adds == pytest.approx(2.75e9, rel=5e-3)
