"""Rewrites the layers of a functional network one after another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
from keras import tree

from keras_deeplab.models.rewriting.axis import SIZES
from keras_deeplab.models.rewriting.layer_copies import LayerCopies
from keras_deeplab.models.rewriting.layer_kinds import Kind, RefusalError, kind_of
from keras_deeplab.models.rewriting.rules import RULES, Call, with_values
from keras_deeplab.models.rewriting.value import Value, distinct


class Rewriter:
    """Runs a network with copies of its layers that give features at a smaller output stride.

    The first run, on symbolic tensors, creates the copies. A second one, on computed tensors,
    uses the same copies and compares each result with that of the original layer.

    Attributes:
        values: The values that the layers returned, by name of the layer, in order.
        strides: The strides of the original network's maps.
        size: In a check, the height and width of the image.
        tolerance: In a check, the largest difference, as a part of the largest value.
        first_difference: In a check, the first layer whose result differs, and by how much.
    """

    def __init__(
        self, output_stride: int, *, channels: int = 3, even_sizes: bool = False, **options: Any
    ) -> None:
        self.output_stride, self.channels = output_stride, channels
        self.even_sizes = even_sizes
        self.values: dict[str, Value] = {}
        self.strides: set[int] = {1}
        self.size, self.tolerance = 0, 0.0
        self.first_difference: tuple[str, float] | None = None
        self._copies = LayerCopies(channels=channels, **options)
        self._inner: dict[int, keras.Model] = {}

    def run(self, model: keras.Model, inputs: Any) -> Any:
        """Returns the outputs of a network, in their structure, for values of its inputs.

        Raises:
            RefusalError: If a layer cannot be rewritten.
        """
        if isinstance(model, keras.Sequential):
            for layer in model.layers:
                inputs = self._called(layer, inputs)
            return inputs
        if not hasattr(model, "_run_through_graph"):
            raise RefusalError(model, "is a subclassed model, which has no graph of layers")
        # The traversal that `keras.models.clone_model` uses, for more than whole models.
        return model._run_through_graph(
            inputs, operation_fn=lambda operation: operation, call_fn=self._called
        )

    def _called(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
        call = Call(operation, args, kwargs, self._copies, self.output_stride, self.even_sizes)
        kind = kind_of(operation) if call.maps else Kind.PIXELWISE
        sized = [value.size_layer for value in call.values if value.size_layer]
        if sized or kind is Kind.NEEDS_SIZE:
            return _without_tensor(call, (sized or [operation])[0])
        if kind is Kind.AUGMENTATION:
            # Left out: it would change images without their masks.
            return call.values[0]
        if kind in (Kind.NETWORK, Kind.COMPOSITE) or isinstance(operation, keras.Model):
            return self._run_inside(call, kind)
        result = RULES[kind](call)
        if call.computes:
            result = self._compared(call, result)
        for value in tree.flatten(result):
            self.values[operation.name] = value
            if value.axes is not None:
                self.strides |= {axis.stride * axis.rate for axis in value.axes}
        return result

    def _run_inside(self, call: Call, kind: Kind) -> Any:
        """Runs a network that is a layer, or a layer that is made of layers."""
        operation = call.operation
        model = operation
        if kind is Kind.COMPOSITE:
            if id(operation) not in self._inner:
                self._inner[id(operation)] = _as_network(call)
            model = self._inner[id(operation)]
        self._copies.inside.append(operation.name)
        result = self.run(model, call.args if kind is Kind.COMPOSITE else call.args[0])
        self._copies.inside.pop()
        return result

    def _compared(self, call: Call, result: Any) -> Any:
        """Adds what the original layer computes to each value.

        The next layers take that in place of what differs by rounding: some deep networks would
        multiply it.
        """
        args, kwargs = with_values((call.args, call.kwargs), lambda value: value.original)
        originals = tree.flatten(call.operation(*args, **kwargs))
        values = [
            replace(value, original=original)
            for value, original in zip(tree.flatten(result), originals, strict=True)
        ]
        for value in values:
            for side, axis in enumerate(value.axes or (), start=1):
                if int(axis.original[self.size == SIZES][0]) != value.original.shape[side]:
                    raise RefusalError(call.operation, "changes the size of maps in an unknown way")
        differences = [value.difference() for value in values]
        for difference in differences:
            if self.first_difference is None and not difference <= self.tolerance:
                self.first_difference = (call.operation.name, difference)
        if self.first_difference is None:
            values = [value.with_original() for value in values]
        return tree.pack_sequence_as(result, values)


def _without_tensor(call: Call, size_layer: Any) -> Value:
    """Returns the value of a layer behind one that needs images of one size."""
    sources = distinct(source for value in call.values for source in (value.sources or (value,)))
    joined = [value for value in call.values if value.axes is not None]
    if call.operation is not size_layer and joined:
        raise RefusalError(size_layer, "needs images of one size, and its result joins a map")
    return Value(None, None, call.values[0].exact, sources=sources, size_layer=size_layer)


def _as_network(call: Call) -> keras.Model:
    """Returns the network of the layers that a layer calls."""
    inputs: list[Any] = []

    def symbolic(value: Value) -> Any:
        shape, dtype = value.tensor.shape, keras.backend.standardize_dtype(value.tensor.dtype)
        inputs.append(keras.Input(batch_shape=shape, dtype=dtype))
        return inputs[-1]

    args, kwargs = with_values((call.args, call.kwargs), symbolic)
    try:
        return keras.Model(inputs, call.operation.call(*args, **kwargs))
    except Exception as error:
        reason = f"holds convolutions, and its layers cannot be traced ({error})"
        raise RefusalError(call.operation, reason) from error
