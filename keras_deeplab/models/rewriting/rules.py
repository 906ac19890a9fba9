"""How each kind of layer is rewritten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import keras
import numpy as np
from keras import tree

from keras_deeplab.layers import AtrousAveragePooling2D, AtrousConv2D, AtrousMaxPooling2D
from keras_deeplab.models.rewriting.axis import AtrousWindow, Window
from keras_deeplab.models.rewriting.layer_copies import LayerCopies
from keras_deeplab.models.rewriting.layer_kinds import (
    CONVOLUTIONS,
    Kind,
    RefusalError,
    padding_of,
    windows_of,
)
from keras_deeplab.models.rewriting.value import Value, distinct, joined_axes

_NO_PADDING = ((0, 0), (0, 0))
_ZERO_PADDING = keras.layers.ZeroPadding2D


@dataclass(frozen=True)
class Call:
    """A call of a layer or operation of the original network.

    The arguments have values in place of tensors. For ``even_sizes`` see `Axis.strided`.
    """

    operation: Any
    args: Any
    kwargs: Any
    copies: LayerCopies
    output_stride: int
    even_sizes: bool

    @property
    def values(self) -> list[Value]:
        """The values among the arguments."""
        return [v for v in tree.flatten((self.args, self.kwargs)) if isinstance(v, Value)]

    @property
    def maps(self) -> list[Value]:
        """The values that have positions."""
        return [value for value in self.values if value.axes is not None]

    @property
    def computes(self) -> bool:
        """Whether the tensors are computed, for a check."""
        return self.values[0].original is not None

    def apply(self, replaced: dict[int, Any] | None = None, **options: Any) -> Any:
        """Calls the copy of the layer, with other tensors for the values in ``replaced``, by id.

        The options are those of `LayerCopies.call`.
        """
        tensors = replaced or {}
        args, kwargs = with_values(
            (self.args, self.kwargs), lambda value: tensors.get(id(value), value.tensor)
        )
        return self.copies.call(self.operation, args, kwargs, **options)

    def insert(self, layer_class: type, suffix: str, sides: Any, x: Any) -> Any:
        """Pads or crops a tensor ahead of the layer."""
        return self.copies.insert(self.operation, layer_class, suffix, sides, x)


def with_values(structure: Any, function: Callable[[Value], Any]) -> Any:
    """Returns a structure with each value replaced."""
    return tree.map_structure(lambda x: function(x) if isinstance(x, Value) else x, structure)


def _window(call: Call) -> Value:
    (value,) = call.maps
    layer = call.operation
    source, padding = value, _NO_PADDING
    if layer.padding == "valid" and value.padding is not None:
        source, padding = value.padding
    windows = windows_of(layer, padding)
    axes, atrous = zip(
        *(
            axis.strided(window, call.output_stride, even_sizes=call.even_sizes)
            for axis, window in zip(source.axes or (), windows, strict=True)
        ),
        strict=True,
    )
    if all(a.stride == w.stride and a.rate == w.rate for a, w in zip(atrous, windows, strict=True)):
        tensor = call.apply(is_image=value.is_image)
    else:
        tensor = _atrous_window(call, value, source, windows, atrous)
    return Value(tensor, axes, value.exact)


def _atrous_window(
    call: Call,
    value: Value,
    source: Value,
    windows: Sequence[Window],
    atrous: Sequence[AtrousWindow],
) -> Any:
    """Calls a convolution or pooling whose stride or rate changes."""
    layer = call.operation
    if any(a.stride > 1 for a in atrous) and any(a.rate > 1 for a in atrous):
        raise RefusalError(layer, "would have a stride along one axis and a rate along the other")
    sides = tuple((a.before, a.after) for a in atrous)
    reaches = [a.rate * (w.size - 1) for a, w in zip(atrous, windows, strict=True)]
    centred = sides == tuple((reach // 2, reach - reach // 2) for reach in reaches)
    # Where "same" padding means the same: pools leave it out, padding layers add zeros.
    same = centred and (source is value or isinstance(layer, CONVOLUTIONS))
    x = source.tensor
    if not same and any(map(any, sides)):
        _, own = value.padding or (None, _NO_PADDING)
        x = (
            value.tensor
            if _scaled(value, own) == sides
            else call.insert(_ZERO_PADDING, "zero_padding", sides, x)
        )
    config: dict[str, Any] = {
        "strides": tuple(a.stride for a in atrous),
        "dilation_rate": tuple(a.rate for a in atrous),
        "padding": "same" if same else "valid",
    }
    layer_class = _atrous_class(layer, config)
    if layer_class in (AtrousMaxPooling2D, AtrousAveragePooling2D):
        del config["strides"]
        config["pool_size"] = tuple(window.size for window in windows)
    elif not isinstance(layer, CONVOLUTIONS):
        del config["dilation_rate"]
    return call.apply({id(value): x}, layer_class=layer_class, config=config)


def _atrous_class(layer: Any, config: dict[str, Any]) -> type:
    dilates = max(config["dilation_rate"]) > 1
    if dilates and isinstance(layer, keras.layers.MaxPooling2D):
        return AtrousMaxPooling2D
    if dilates and isinstance(layer, keras.layers.AveragePooling2D):
        return AtrousAveragePooling2D
    plain = type(layer) is keras.layers.Conv2D and layer.groups == 1
    if plain and dilates and config["padding"] == "same" and all(n % 2 for n in layer.kernel_size):
        return AtrousConv2D
    return type(layer)


def _padding(call: Call) -> Value:
    (value,) = call.maps
    sides = padding_of(call.operation)
    axes, scaled = _resized(value, sides, 1)
    if any(call.kwargs.values()) or len(call.args) > 1:
        # Such as the lowest number ahead of max pooling.
        if scaled != sides:
            reason = "pads by other values than 0 behind a removed stride"
            raise RefusalError(call.operation, reason)
        return replace(value, tensor=call.apply(), axes=axes, padding=None, original=None)
    tensor = replace(call, args=call.args[:1], kwargs={}).apply(
        layer_class=_ZERO_PADDING, config={"padding": scaled}
    )
    return replace(value, tensor=tensor, axes=axes, padding=(value, sides), original=None)


def _cropping(call: Call) -> Value:
    (value,) = call.maps
    axes, scaled = _resized(value, call.operation.cropping, -1)
    return Value(call.apply(config={"cropping": scaled}), axes, value.exact)


def _resized(value: Value, sides: Any, sign: int) -> tuple[Any, Any]:
    """Returns the axes of a padded or cropped map, and the sides in pixels of the atrous map."""
    pairs = zip(value.axes or (), sides, strict=True)
    axes = tuple(axis.padded(sign * before, sign * after) for axis, (before, after) in pairs)
    return axes, _scaled(value, sides)


def _scaled(value: Value, sides: Any) -> Any:
    pairs = zip(value.axes or (), sides, strict=True)
    return tuple((axis.rate * before, axis.rate * after) for axis, (before, after) in pairs)


def _upsampling(call: Call) -> Value:
    (value,) = call.maps
    layer = call.operation
    axes = value.axes or ()
    if any(axis.rate > 1 for axis in axes):
        raise RefusalError(layer, "upsamples a map after a stride that is to be removed")
    factors = getattr(layer, "size", None) or layer.strides
    if getattr(layer, "padding", "same") != "same":
        raise RefusalError(layer, "is a transposed convolution without padding='same'")
    if any(axis.stride % factor for axis, factor in zip(axes, factors, strict=True)):
        raise RefusalError(layer, "upsamples beyond the size of the image")
    rows, columns = (a.upsampled(factor) for a, factor in zip(axes, factors, strict=True))
    return Value(call.apply(), (rows, columns), value.exact)


def _pooled(call: Call) -> Value:
    (value,) = call.maps
    # A check pools the pixels of the original map, since the others have other values.
    tensor = call.apply({id(value): value.sampled()} if call.computes else {})
    return Value(tensor, None, value.is_exact, sources=(value,))


def _statistics(call: Call) -> Value:
    (value,) = call.maps
    if not call.computes:
        return Value(call.apply(), value.axes, value.exact)
    result = keras.ops.convert_to_numpy(call.apply({id(value): value.sampled()}))
    tensor = np.zeros((*value.tensor.shape[:3], result.shape[-1]), result.dtype)
    tensor[:, *value.positions()] = result
    return Value(keras.ops.convert_to_tensor(tensor), value.axes, value.exact)


def _pixelwise(call: Call) -> Any:
    maps = call.maps
    exact = reduce(np.logical_and, [value.exact for value in call.values])
    if not maps:
        sources = distinct(source for value in call.values for source in value.sources)
        return tree.map_structure(lambda x: Value(x, None, exact, sources=sources), call.apply())
    aligned = _aligned(call, maps) if len(maps) > 1 else maps
    tensors = {id(m): a.tensor for m, a in zip(maps, aligned, strict=True)}
    axes = joined_axes(aligned)
    results = call.apply(tensors)
    # One channel has no axis of channels, until channels are stacked again.
    ranks = (3, 4) if type(call.operation).__name__ == "GetItem" else (4,)
    for x in tree.flatten(results):
        if len(x.shape) not in ranks:
            raise RefusalError(call.operation, f"makes a tensor of shape {tuple(x.shape)} of a map")
    return tree.map_structure(lambda x: Value(x, axes, exact), results)


def _aligned(call: Call, maps: Sequence[Value]) -> list[Value]:
    """Moves maps whose pixels are at other offsets than those of the others."""
    pairs = [value.axes for value in maps if value.axes is not None]
    for axes in zip(*pairs, strict=True):
        if len({(axis.stride, axis.rate) for axis in axes}) > 1:
            raise RefusalError(call.operation, "joins maps of different strides")
    ends = [max(axis.offset for axis in axes) for axes in zip(*pairs, strict=True)]
    moved = []
    for value, axes in zip(maps, pairs, strict=True):
        steps = [end - axis.offset for end, axis in zip(ends, axes, strict=True)]
        if any(steps):
            before = tuple((step, 0) for step in steps)
            after = tuple((0, step) for step in steps)
            x = call.insert(_ZERO_PADDING, "shift", before, value.tensor)
            x = call.insert(keras.layers.Cropping2D, "shifted", after, x)
            rows, columns = (a.shifted(step) for a, step in zip(axes, steps, strict=True))
            value = replace(value, tensor=x, axes=(rows, columns))
        moved.append(value)
    return moved


RULES: dict[Kind, Callable[[Call], Any]] = {
    Kind.CROPPING: _cropping,
    Kind.PADDING: _padding,
    Kind.PIXELWISE: _pixelwise,
    Kind.POOLED: _pooled,
    Kind.STATISTICS: _statistics,
    Kind.UPSAMPLING: _upsampling,
    Kind.WINDOW: _window,
}
