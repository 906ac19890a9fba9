"""Copies of a network's layers, with other configurations and the same weights."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, count
from operator import attrgetter
from typing import Any

import keras

from keras_deeplab.layers import BatchNormalization
from keras_deeplab.models.blocks import kernel_for_channels
from keras_deeplab.models.rewriting.layer_kinds import RefusalError


class LayerCopies:
    """Calls copies of layers; each copy is made on the first call.

    Args:
        rename: Function from a layer to the name of its copy.
        frozen: Whether batch norm always uses its stored statistics.
        reverse_channels: Whether convolutions of the image take its channels in reverse order.
        channels: Channels of the image; for others than three see `kernel_for_channels`.

    Attributes:
        inside: Names of the networks and layers that hold the layers to be copied.
    """

    def __init__(
        self,
        *,
        rename: Callable[[Any], str] = attrgetter("name"),
        frozen: bool = False,
        reverse_channels: bool = False,
        channels: int = 3,
    ) -> None:
        self.inside: list[str] = []
        self._rename = rename
        self._frozen = frozen
        self._reverse_channels = reverse_channels
        self._channels = channels
        self._copies: dict[int, tuple[type, dict[str, Any], Any]] = {}
        self._inserted: dict[tuple[int, str, str], Any] = {}
        self._names: set[str] = set()

    def call(
        self,
        operation: Any,
        args: Any,
        kwargs: Any,
        *,
        layer_class: type | None = None,
        config: dict[str, Any] | None = None,
        is_image: bool = False,
    ) -> Any:
        """Calls the copy of a layer or operation, and returns its result.

        The copy has the class of the original, or ``layer_class``, and its configuration with the
        changes in ``config``. ``is_image``: whether the call is on the image.

        Raises:
            RefusalError: If the layer is called again with another configuration.
        """
        wanted = (layer_class or type(operation), config or {})
        is_new = id(operation) not in self._copies
        if is_new:
            self._copies[id(operation)] = (*wanted, self._copy(operation, *wanted))
        *made, copy = self._copies[id(operation)]
        if tuple(made) != wanted:
            raise RefusalError(operation, "is called several times, at different atrous rates")
        result = copy(*args, **kwargs)
        if is_new and isinstance(operation, keras.layers.Layer):
            self._copy_weights(operation, copy, reverse=is_image and self._reverse_channels)
        return result

    def insert(self, operation: Any, layer_class: type, suffix: str, sides: Any, x: Any) -> Any:
        """Pads or crops a tensor by a layer that the original network does not have.

        The layer takes the name of the original that needs it, with a suffix, and ``sides``:
        ((top, bottom), (left, right)) in pixels.
        """
        key = (id(operation), suffix, str(sides))
        if key not in self._inserted:
            name = self._name(f"{self._rename(operation)}_{suffix}")
            self._inserted[key] = layer_class(sides, name=name)
        return self._inserted[key](x)

    def _copy(self, operation: Any, layer_class: Any, changes: dict[str, Any]) -> Any:
        if layer_class is keras.layers.BatchNormalization:
            layer_class = BatchNormalization
        try:
            config = operation.get_config()
        except NotImplementedError as error:
            raise RefusalError(operation, "has no get_config, which a copy of it needs") from error
        if not issubclass(layer_class, type(operation)):
            kept = ("name", "trainable", "dtype")
            config = {key: config[key] for key in kept if key in config} | {"name": ""}
        if "name" in config:
            config["name"] = self._name(self._rename(operation))
        config |= changes
        if isinstance(operation, keras.layers.Normalization) and operation.input_mean is None:
            # As a part of the configuration, the statistics survive every further copy.
            mean, variance = map(keras.ops.convert_to_numpy, operation.get_weights()[:2])
            config |= {"mean": mean.tolist(), "variance": variance.tolist()}
        if self._frozen and isinstance(operation, keras.layers.BatchNormalization):
            config["trainable"] = False
        try:
            return layer_class.from_config(config)
        except Exception as error:
            raise RefusalError(
                operation, f"cannot be created from its configuration ({error})"
            ) from error

    def _copy_weights(self, operation: Any, copy: Any, *, reverse: bool) -> None:
        weights = operation.get_weights()
        if reverse:
            if not isinstance(operation, keras.layers.Conv2D):
                raise RefusalError(
                    operation, "is not a convolution whose kernel could take BGR images"
                )
            weights[0] = weights[0][:, :, ::-1]
        if isinstance(operation, keras.layers.Normalization):
            return
        if weights:
            weights[0] = kernel_for_channels(weights[0], copy.weights[0].shape, self._channels)
        try:
            copy.set_weights(weights)
        except ValueError as error:
            reason = f"cannot take images of {self._channels} channels ({error})"
            raise RefusalError(operation, reason) from error

    def _name(self, name: str) -> str:
        """Returns a name that no other copy has, with the names of what holds the layer."""
        full = [
            name,
            *("_".join([*self.inside[i:], name]) for i in reversed(range(len(self.inside)))),
        ]
        numbered = (f"{full[-1]}_{number}" for number in count(1))
        free = next(n for n in chain(full, numbered) if n not in self._names)
        self._names.add(free)
        return free
