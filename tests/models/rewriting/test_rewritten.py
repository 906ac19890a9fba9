"""Small networks through `atrous`, whose own check compares their features."""

import re

import keras
import numpy as np
import pytest
from keras import layers

from keras_deeplab import atrous
from keras_deeplab.layers import AtrousConv2D, AtrousMaxPooling2D
from tests.models.backbones.contract import randomize

L = layers


def model(*stack, channels: int = 3) -> keras.Model:
    """A model of layers, and of functions from a tensor to a tensor."""
    x = image = keras.Input((None, None, channels))
    for step in stack:
        x = step(x)
    return keras.Model(image, x, name="small")


def strided(stride: int = 2, filters: int = 4, size: int = 3, **options) -> layers.Layer:
    return L.Conv2D(filters, size, stride, **{"padding": "same", **options})


def squeeze_excite(x):
    gate = L.GlobalAveragePooling2D()(x)
    gate = L.Reshape((1, 1, x.shape[-1]))(gate)
    gate = L.Conv2D(x.shape[-1], 1, activation="sigmoid")(gate)
    return L.Multiply()([x, gate])


def residual(x):
    """A strided block with a strided 1x1 shortcut."""
    y = L.Conv2D(4, 3, strides=2, padding="same")(x)
    y = L.Conv2D(4, 3, padding="same")(L.ReLU()(y))
    return L.Add()([y, L.Conv2D(4, 1, strides=2)(x)])


def pooled_branches(x):
    """Branches with different windows, as in Inception."""
    a = L.Conv2D(4, 3, strides=2)(x)
    b = L.MaxPooling2D(3, 2)(x)
    c = L.AveragePooling2D(3, 2)(L.Conv2D(4, 3, padding="same")(x))
    return L.Concatenate()([a, b, c])


def shifted_branches(x):
    """Branches with different paddings, and a crop, as in NASNet."""
    a = L.Conv2D(4, 3, strides=2)(L.ZeroPadding2D(((0, 1), (0, 1)))(x))
    b = L.MaxPooling2D(5, 2)(L.ZeroPadding2D(((1, 2), (1, 2)))(x))
    c = L.AveragePooling2D(1, 2)(
        L.Cropping2D(((1, 0), (1, 0)))(L.ZeroPadding2D(((0, 1), (0, 1)))(x))
    )
    d = L.AveragePooling2D(1, 2)(x)
    return L.Concatenate()([a, b, c, d])


def even_branches(x):
    """Branches of one size, and at the same pixels, only where the size is even."""
    a = L.SeparableConv2D(4, 3, strides=2, padding="same")(x)
    b = L.Conv2D(4, 1, strides=2)(x)
    c = L.MaxPooling2D()(L.Conv2D(4, 3, padding="same")(x))
    d = L.AveragePooling2D(3, 2, padding="same")(x)
    return L.Concatenate()([L.Add()([a, b, c]), d])


@keras.saving.register_keras_serializable("tests")
class Block(layers.Layer):
    """A layer of layers, as in keras-hub."""

    def __init__(self, stride=1, **options):
        super().__init__(**options)
        self.stride = stride
        self.conv = L.Conv2D(4, 3, stride, padding="same", name="conv")
        self.pool = L.GlobalAveragePooling2D(keepdims=True, name="pool")

    def build(self, shape):
        self.conv.build(shape)

    def call(self, inputs):
        x = self.conv(inputs)
        return x * keras.ops.sigmoid(self.pool(x))

    def get_config(self):
        return {**super().get_config(), "stride": self.stride}


@keras.saving.register_keras_serializable("tests")
class Shift(layers.Layer):
    """A layer that is not pixelwise and does not show it."""

    def call(self, inputs):
        return keras.ops.roll(inputs, 1, axis=1)


class WithoutConfig(layers.Layer):
    """A layer that cannot be copied, since its argument is not in its configuration."""

    def __init__(self, factor, **options):
        super().__init__(**options)
        self.factor = [factor, object()]

    def call(self, inputs):
        return inputs * self.factor[0]

    def get_config(self):
        raise NotImplementedError


PAD = ((0, 0), (1, 1), (1, 1), (0, 0))
NESTED = keras.Sequential([keras.Input((None, None, 4)), strided(), L.ReLU()], name="inner")
NETWORKS = {
    "convolutions": (strided(), strided(), strided(), L.Conv2D(4, 3, padding="same")),
    "even kernels": (strided(4, size=4, padding="valid"), L.LayerNormalization(),
                     strided(2, size=2, padding="valid"), strided(2, size=2, padding="valid"),
                     L.DepthwiseConv2D(7, padding="same")),
    "padded": (strided(4), L.ZeroPadding2D(1), strided(padding="valid"), L.ZeroPadding2D(1),
               L.Conv2D(4, 3), L.ZeroPadding2D(1), L.MaxPooling2D(3, 2), L.ZeroPadding2D(1),
               L.AveragePooling2D(3, 2)),
    "padded at one side": (strided(4), L.ZeroPadding2D(((0, 1), (0, 1))), strided(padding="valid"),
                           L.DepthwiseConv2D(3, padding="same"),
                           L.ZeroPadding2D(((1, 2), (1, 2))), strided(size=5, padding="valid"),
                           L.Conv2D(4, 3, padding="same")),
    "pools": (strided(4), L.MaxPooling2D(), L.MaxPooling2D(3, 2, padding="same"),
              L.AveragePooling2D(3, 1, padding="same"), L.MaxPooling2D(3, 1, padding="valid")),
    "average pools": (strided(4), L.AveragePooling2D(2), L.AveragePooling2D(2),
                      L.Conv2D(4, (1, 7), padding="same"), L.Conv2D(4, (7, 1), padding="same")),
    "separable": (strided(4), L.SeparableConv2D(4, 3, strides=2, padding="same"),
                  L.SeparableConv2D(4, 3, padding="same"), strided()),
    "residual": (strided(4), residual, residual, residual),
    "branches": (strided(4), pooled_branches, pooled_branches),
    "shifted branches": (strided(4), shifted_branches, shifted_branches,
                         L.Conv2D(4, 3, padding="same")),
    "even branches": (strided(4), even_branches, even_branches, even_branches,
                      L.Conv2D(4, 3, padding="same")),
    "strides and pools": (strided(4), L.MaxPooling2D(), L.Conv2D(4, 3, padding="same"),
                          L.MaxPooling2D(), L.Conv2D(4, 3, padding="same"),
                          L.MaxPooling2D(padding="same"), L.Conv2D(4, 3, padding="same")),
    "gates": (L.Rescaling(1 / 255), strided(4), squeeze_excite, strided(), squeeze_excite,
              strided(), squeeze_excite, L.BatchNormalization()),
    "group norm": (strided(4), strided(), L.GroupNormalization(2), strided(),
                   L.GroupNormalization(2), L.Conv2D(4, 3, padding="same")),
    "nested": (strided(4), NESTED, strided()),
    "layers of layers": (Block(4), Block(2), Block(), Block(2), Block()),
    "operations": (strided(4), strided(), lambda x: keras.ops.relu(x + 3) * (1 / 6), strided(),
                   lambda x: x * keras.ops.mean(x, axis=(1, 2), keepdims=True)),
    "augmentation": (L.RandomFlip(), L.RandomContrast(0.5), strided(4), strided()),
    "reversed channels": (lambda x: x[..., ::-1], keras.applications.vgg16.preprocess_input,
                          strided(4), lambda x: x[:, :, :, 1:], strided()),
    "padding operations": (strided(4), lambda x: keras.ops.pad(x, PAD), strided(padding="valid"),
                           lambda x: keras.ops.pad(x, PAD), strided(padding="valid")),
    "padding by infinity": (lambda x: keras.ops.pad(x, PAD, constant_values=-np.inf),
                            L.MaxPooling2D(3, 4), strided(), strided()),
    "classifier": (strided(4), strided(), strided(), L.GlobalAveragePooling2D(), L.Dense(10)),
    "valid": (strided(4), strided(), L.Conv2D(4, 3), strided(), L.Conv2D(4, 3)),
    "own rates": (strided(4), strided(), strided(),
                  L.Conv2D(4, 3, padding="same", dilation_rate=2)),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_features_are_those_of_the_original(name: str, rng):
    keras.utils.set_random_seed(0)
    network = model(*NETWORKS[name])
    randomize(network, rng)
    before = [array.copy() for array in network.get_weights()]
    image = rng.normal(0, 1, (1, 64, 96, 3)).astype("float32")
    for output_stride in (8, 4):
        result = atrous(network, output_stride)
        features = np.asarray(result(image))
        # Without padding, a 3x3 window at rate 4 takes 8 pixels away, and one with a stride 1.
        lost = {"pools": 32, "valid": 48}.get(name, 0)
        expected = (64 - lost) // output_stride
        assert features.shape[1] == expected - (name == "branches" and output_stride == 8)
        assert features.std() > 0
        assert result.count_params() <= network.count_params()
    for array, kept in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(array, kept)


def test_rates_by_hand():
    """Stem 4, then strides 2 and 2: at stride 4 rates 1, 1, 2, 2, 4."""
    names = ("stem", "down_1", "same_1", "down_2", "same_2")
    strides = (4, 2, 1, 2, 1)
    network = model(*(strided(s, name=n) for s, n in zip(strides, names, strict=True)))
    rates = [atrous(network, 4).get_layer(name).dilation_rate[0] for name in names]
    assert rates == [1, 1, 2, 2, 4]
    result = atrous(network, 8)
    assert [result.get_layer(name).dilation_rate[0] for name in names] == [1, 1, 1, 1, 2]
    assert [result.get_layer(name).strides[0] for name in names] == [4, 2, 1, 1, 1]
    assert type(result.get_layer("same_2")) is AtrousConv2D


def test_padding_is_folded_into_same():
    stack = NETWORKS["padded"]
    result = atrous(model(*stack), 4)
    kinds = [type(layer).__name__ for layer in result.layers]
    # Those ahead of convolutions are gone, and those ahead of pools have the rate's width.
    assert kinds.count("ZeroPadding2D") == 2
    pads = [layer.padding for layer in result.layers if isinstance(layer, L.ZeroPadding2D)]
    assert pads == [((2, 2), (2, 2)), ((4, 4), (4, 4))]
    assert any(isinstance(layer, AtrousMaxPooling2D) for layer in result.layers)


def test_one_layer_that_is_called_twice():
    shared = L.Conv2D(3, 3, padding="same", name="shared")
    atrous(model(strided(4, filters=3), shared, shared, strided()), 4)
    with pytest.raises(ValueError, match="'shared'.*is called several times, at different atrous"):
        atrous(model(strided(4, filters=3), shared, strided(filters=3), shared), 4)


def test_several_outputs_keep_their_structure():
    x = image = keras.Input((None, None, 3))
    outputs = {}
    for number in (1, 2, 3):
        x = outputs[f"P{number}"] = strided()(x)
    result = atrous(keras.Model(image, outputs), 4)
    features = result(np.zeros((1, 65, 65, 3), "float32"))
    assert {name: x.shape[1] for name, x in features.items()} == {"P1": 33, "P2": 17, "P3": 17}


def test_a_classifier_of_one_size_becomes_free_of_it(rng):
    image = keras.Input((64, 64, 3))
    x = strided(4)(image)
    x = strided(name="last")(x)
    network = keras.Model(image, L.Dense(10)(L.Flatten()(x)))
    result = atrous(network, 4)
    assert result.output_shape == (None, None, None, 4)
    assert result.layers[-1].name == "last"


def refused(*stack) -> str:
    network = model(*stack)
    with pytest.raises(ValueError, match="must be|Received") as error:
        atrous(network, 4)
    return str(error.value)


def attention(x):
    return L.MultiHeadAttention(2, 2, name="attention")(x, x)


@pytest.mark.parametrize(
    ("stack", "words"),
    [
        ((L.Resizing(32, 32, name="to_32"),), "'to_32' .Resizing. resizes the image to a fixed"),
        ((L.RandomCrop(32, 32, name="crop"),), "'crop' .RandomCrop. is a layer whose effect on"),
        ((L.Lambda(lambda x: x / 2, name="half"),), "'half' .Lambda. runs a function"),
        ((strided(4), lambda x: x[:, 1:]), "GetItem. is an operation whose effect"),
        ((strided(4), attention), "'attention' .MultiHeadAttention. attends over positions"),
        ((WithoutConfig(2, name="own"),), "'own' .WithoutConfig. has no get_config"),
        ((strided(4), L.Reshape((-1, 4), name="flat")), "'flat' .Reshape. gives the map a fixed"),
        ((strided(4), L.Permute((2, 1, 3), name="turn")), "'turn' .Permute. exchanges positions"),
        ((strided(4), L.UnitNormalization([1, 2], name="norm")), "'norm'.*works along positions"),
        ((strided(4), strided(), L.UpSampling2D(name="up"), strided(4)), "'up'.*upsamples a map"),
        ((strided(4), lambda x: keras.ops.flip(x, 1)), "Flip. is an operation whose effect"),
        ((strided(4), strided(), Shift(name="moves")), "first behind the layer 'moves'"),
        ((strided(3), strided(3)), "output_stride must be a stride of 'small': 1, 3, 9"),
        ((strided(2),), "output_stride must be a stride of 'small': 1, 2. Received: output_str"),
    ],
)  # fmt: skip
def test_refused_with_the_reason(stack, words: str):
    assert re.search(words, refused(*stack)), refused(*stack)


def test_what_is_no_network_of_images():
    with pytest.raises(TypeError, match=r"must be a functional keras.Model. Received: str"):
        atrous("ResNet50")
    image = keras.Input((8,))
    with pytest.raises(ValueError, match=r"Received: 'flat' with inputs of shapes \[\(None, 8\)"):
        atrous(keras.Model(image, L.Dense(2)(image), name="flat"))


def test_misaligned_branches_are_not_silently_wrong():
    """An upsampled branch beside an odd crop: no size has both at the same positions."""

    def odd(x):
        return L.Add()(
            [
                strided()(x),
                L.Conv2D(4, 2, strides=2, padding="valid")(L.ZeroPadding2D(((2, 0), (2, 0)))(x)),
            ]
        )

    with pytest.raises(ValueError, match="misaligned maps|must be those of the original"):
        atrous(model(strided(4), odd, strided(), L.Conv2D(4, 3, padding="same")), 4)


def test_values_do_not_depend_on_how_deep_a_network_multiplies_rounding():
    """Each step doubles what differs, up to all of the value."""
    steps = [step for _ in range(40) for step in (L.Conv2D(4, 3, padding="same"), chaos)]
    atrous(model(strided(4), strided(), *steps), 4)


def chaos(x):
    return keras.ops.clip(x * 4 - 1, -1, 1) ** 2 * 2 - 1


def test_saves_and_loads(tmp_path, rng):
    result = atrous(model(*NETWORKS["pools"]), 4)
    image = rng.normal(0, 1, (1, 40, 33, 3)).astype("float32")
    result.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    np.testing.assert_array_equal(again(image), result(image))


def test_atrous_of_atrous(rng):
    network = model(*NETWORKS["pools"])
    randomize(network, rng)
    image = rng.normal(0, 1, (1, 65, 97, 3)).astype("float32")
    once, twice = atrous(network, 4), atrous(atrous(network, 8), 4)
    np.testing.assert_allclose(twice(image), once(image), atol=1e-5)


def test_adapted_normalization_keeps_its_statistics(rng):
    normalization = L.Normalization()
    normalization.adapt(rng.normal(3, 2, (100, 8, 8, 3)).astype("float32"))
    network = model(normalization, strided(4), strided())
    result = atrous(network, 8, check=False)
    image = rng.normal(3, 2, (1, 65, 65, 3)).astype("float32")
    np.testing.assert_allclose(result(image), network(image), atol=1e-5)
    again = keras.models.clone_model(result)
    again.set_weights(result.get_weights())
    np.testing.assert_array_equal(again(image), result(image))
