"""What layers and operations do with the positions of a map."""

from __future__ import annotations

from enum import Enum
from typing import Any

import keras

from keras_deeplab.layers import AtrousAveragePooling2D, AtrousMaxPooling2D
from keras_deeplab.models.rewriting.axis import Sides, Window

_layers = keras.layers

CONVOLUTIONS = (_layers.Conv2D, _layers.DepthwiseConv2D, _layers.SeparableConv2D)
_WINDOWS = (
    *CONVOLUTIONS,
    *(_layers.MaxPooling2D, _layers.AveragePooling2D),
    *(AtrousMaxPooling2D, AtrousAveragePooling2D),
)
_UPSAMPLING = (_layers.UpSampling2D, _layers.Conv2DTranspose)
_POOLED = (_layers.GlobalAveragePooling2D, _layers.GlobalMaxPooling2D)
_ATTENTION = (
    _layers.MultiHeadAttention,
    _layers.GroupQueryAttention,
    _layers.Attention,
    _layers.AdditiveAttention,
)
# The layers of Keras that change pixels without changing their positions, beside those that work
# along an axis.
_PIXELWISE = (
    _layers.Activation,
    _layers.ActivityRegularization,
    _layers.AlphaDropout,
    _layers.Dense,
    _layers.Dropout,
    _layers.ELU,
    _layers.GaussianDropout,
    _layers.GaussianNoise,
    _layers.Identity,
    _layers.InputLayer,
    _layers.LeakyReLU,
    _layers.ReLU,
    _layers.Rescaling,
    _layers.SpatialDropout2D,
    *(_layers.Add, _layers.Subtract, _layers.Multiply, _layers.Average),
    *(_layers.Maximum, _layers.Minimum),
)
_ALONG_AN_AXIS = (
    _layers.BatchNormalization,
    _layers.Concatenate,
    _layers.LayerNormalization,
    _layers.Normalization,
    _layers.Softmax,
    _layers.UnitNormalization,
)
# fmt: off
_PIXELWISE_OPERATIONS = frozenset((
    "Abs", "Absolute", "Add", "Cast", "Clip", "Divide", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid",
    "HardSilu", "HardSwish", "HardTanh", "LeakyRelu", "Log", "Maximum", "Minimum", "Multiply",
    "Negative", "Power", "Reciprocal", "Relu", "Relu6", "Rsqrt", "Selu", "Sigmoid", "Silu",
    "Softplus", "Softsign", "Sqrt", "Square", "Subtract", "Swish", "Tanh", "TrueDivide",
))
# fmt: on
_ALONG_CHANNELS = frozenset({"Concatenate", "LogSoftmax", "Softmax", "Split", "Stack"})
_REFUSED: dict[type, str] = {
    _layers.Reshape: "gives the map a fixed size",
    _layers.Permute: "exchanges positions",
    _layers.Resizing: "resizes the image to a fixed size",
    _layers.CenterCrop: "crops the image to a fixed size",
    _layers.Embedding: "holds a vector for each position of images of one size",
    _layers.Lambda: "runs a function, whose effect on positions is not known",
    _layers.PReLU: "has a weight for each position (without shared_axes=[1, 2])",
} | dict.fromkeys(_ATTENTION, "attends over positions, which a smaller output stride multiplies")


class Kind(Enum):
    """What an operation does with positions."""

    AUGMENTATION = "random changes of images, in training only"
    COMPOSITE = "a layer made of layers that are not pixelwise"
    CROPPING = "cropping"
    NEEDS_SIZE = "joins all positions into one vector"
    NETWORK = "a network as a layer"
    PADDING = "zero padding"
    PIXELWISE = "each pixel by itself, or maps pixel by pixel"
    POOLED = "pools all positions"
    STATISTICS = "pixelwise, with statistics of all positions"
    UPSAMPLING = "upsampling"
    WINDOW = "convolution or pooling"


class RefusalError(ValueError):
    """A layer or operation that cannot be rewritten, because it does what ``reason`` says."""

    def __init__(self, operation: Any, reason: str) -> None:
        super().__init__(f"The layer {operation.name!r} ({type(operation).__name__}) {reason}.")
        self.operation = operation


def kind_of(operation: Any) -> Kind:
    """Returns what an operation does with the positions of its inputs.

    Raises:
        RefusalError: If it does what cannot be rewritten.
    """
    if not isinstance(operation, _layers.Layer):
        return _kind_of_operation(operation)
    if getattr(operation, "data_format", None) == "channels_first":
        raise RefusalError(
            operation, "has its channels first; the package's layout is channels last"
        )
    for kind, classes in (
        (Kind.NETWORK, keras.Model),
        (Kind.WINDOW, _WINDOWS),
        (Kind.PADDING, _layers.ZeroPadding2D),
        (Kind.CROPPING, _layers.Cropping2D),
        (Kind.UPSAMPLING, _UPSAMPLING),
        (Kind.POOLED, _POOLED),
        (Kind.NEEDS_SIZE, _layers.Flatten),
        (Kind.STATISTICS, _layers.GroupNormalization),
        (Kind.PIXELWISE, _PIXELWISE),
    ):
        if isinstance(operation, classes):
            return kind
    if isinstance(operation, _ALONG_AN_AXIS):
        return _along_channels(operation, operation.axis)
    if isinstance(operation, _layers.PReLU) and list(operation.shared_axes or ()) == [1, 2]:
        return Kind.PIXELWISE
    if is_augmentation(operation):
        return Kind.AUGMENTATION
    for refused, reason in _REFUSED.items():
        if isinstance(operation, refused):
            raise RefusalError(operation, reason)
    return _kind_of_custom(operation)


def is_augmentation(layer: Any) -> bool:
    """Returns whether a layer changes images at random in training, and never otherwise."""
    name = type(layer).__name__
    return _is_of_keras(layer) and name.startswith("Random") and name != "RandomCrop"


def _is_of_keras(layer: Any) -> bool:
    return getattr(_layers, type(layer).__name__, None) is type(layer)


def windows_of(layer: Any, padding: Any = ((0, 0), (0, 0))) -> tuple[Window, Window]:
    """Returns the windows of a layer along height and width, behind a layer of zero padding."""
    sizes = layer.kernel_size if isinstance(layer, CONVOLUTIONS) else layer.pool_size
    rates = getattr(layer, "dilation_rate", (1, 1))
    rows, columns = (
        Window(size, rate, stride, layer.padding == "same", *sides)
        for size, rate, stride, sides in zip(
            *(_pair(sizes), _pair(rates), _pair(getattr(layer, "strides", 1)), padding),
            strict=True,
        )
    )
    return rows, columns


def padding_of(operation: Any) -> Sides:
    """Returns the ((top, bottom), (left, right)) of a layer or operation that pads."""
    if isinstance(operation, _layers.ZeroPadding2D):
        rows, columns = operation.padding
        return rows, columns
    batch, rows, columns, channels = operation.pad_width
    if any(batch) or any(channels):
        raise RefusalError(operation, "adds images or channels")
    return (rows[0], rows[1]), (columns[0], columns[1])


def _kind_of_operation(operation: Any) -> Kind:
    name = type(operation).__name__
    if name in _PIXELWISE_OPERATIONS:
        return Kind.PIXELWISE
    axis = getattr(operation, "axis", None)
    if name in _ALONG_CHANNELS:
        return _along_channels(operation, axis)
    if name == "GetItem" and _takes_channels(operation):
        return Kind.PIXELWISE
    if name == "Pad" and operation.mode == "constant" and len(operation.pad_width) == 4:
        return Kind.PADDING
    if name in ("Mean", "Max", "Amax") and axis in ((1, 2), [1, 2], (-3, -2), [-3, -2]):
        return Kind.POOLED
    raise RefusalError(operation, "is an operation whose effect on positions is not known")


def _takes_channels(operation: Any) -> bool:
    """Returns whether ``x[key]`` takes channels of all pixels, such as ``x[..., 0]``."""
    arguments = operation._inbound_nodes[0].arguments
    key = arguments.kwargs.get("key", arguments.args[-1])
    *others, last = key if isinstance(key, (list, tuple)) else (key,)
    everything = ([Ellipsis], [slice(None)] * 3)
    return isinstance(last, (int, slice)) and others in everything


def _kind_of_custom(layer: Any) -> Kind:
    """Returns the kind of a layer that is not one of Keras'."""
    if _is_of_keras(layer):
        raise RefusalError(layer, "is a layer whose effect on positions is not known")
    parts = [part for part in layer._flatten_layers() if part is not layer]
    kinds = {kind_of(part) for part in parts}
    return Kind.COMPOSITE if kinds - {Kind.PIXELWISE} else Kind.PIXELWISE


def _along_channels(operation: Any, axis: Any) -> Kind:
    axes = axis if isinstance(axis, (list, tuple)) else [axis]
    if not all(one in (-1, 3) for one in axes):
        raise RefusalError(operation, f"works along positions (axis={axis!r})")
    return Kind.PIXELWISE


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
