"""Any functional network as a backbone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import keras
from keras import tree

from keras_deeplab._validation import listed, suggestion
from keras_deeplab.layers import ResizeToMultiple
from keras_deeplab.models.blocks import Feature
from keras_deeplab.models.rewriting import rewrite
from keras_deeplab.models.rewriting.value import Value
from keras_deeplab.presets.networks import is_head_layer

# Layer of images whose sides are multiples of what the network needs.
FITTED_IMAGE = "fitted_image"
# Names of the layers that a complete network adds to its backbone.
_RESERVED = (
    r"image|image_\d+|preprocessing|scaled_image|network|scores_\w+|upsampling|crf|output"
    rf"|pool5a(_pad)?|{FITTED_IMAGE}"
)


@dataclass(frozen=True)
class AnyNetwork:
    """A network that `atrous` converts to a backbone.

    Attributes:
        model: The functional network.
        low_level: Layer of the low-level features. None: the last one at stride 4.
        needs_low_level: Whether the head takes low-level features.
        reverse_channels: Whether the network takes BGR images: the kernel of its first convolution
            is reversed.
        keeps_names: Whether the names of its layers are those of a complete network.
    """

    model: keras.Model
    low_level: str | None = None
    needs_low_level: bool = False
    reverse_channels: bool = False
    keeps_names: bool = False

    def features(self, image: Any, *, output_stride: int, batch_norm: str) -> dict[str, Feature]:
        """Builds the network on an image as it takes it, with copies of its weights.

        Returns:
            "output", and "low_level" if the head takes it.

        Raises:
            ValueError: If the network cannot be converted, or has no low-level features.
        """

        def rewritten(image: Any) -> tuple[Value, dict[str, Value]]:
            outputs, values = rewrite(
                self.model,
                image,
                output_stride=output_stride,
                rename=attrgetter("name") if self.keeps_names else _Names(),
                frozen=batch_norm == "frozen",
                reverse_channels=self.reverse_channels,
            )
            # Of several outputs, such as those of a pyramid, the deepest.
            return max(tree.flatten(outputs), key=_original_stride), values

        output, values = rewritten(image)
        if output.multiple > 1:
            fitted = ResizeToMultiple(output.multiple, dtype="float32", name=FITTED_IMAGE)(image)
            output, values = rewritten(fitted)
        features = {"output": Feature(output.tensor, output.stride)}
        if self.needs_low_level:
            low_level = self._low_level(values)
            features["low_level"] = Feature(low_level.tensor, low_level.stride)
        return features

    def _low_level(self, values: Mapping[str, Value]) -> Value:
        if self.low_level is None:
            found = [v for v in values.values() if _is_map(v) and _original_stride(v) == 4]
            if found:
                return found[-1]
            raise ValueError(
                f"The network of version 'v3+' must have features at stride 4. Received: "
                f"{self.model.name!r}, which has none. Name a layer in low_level, or choose 'v3'."
            )
        value = values.get(self.low_level)
        if value is None or not _is_map(value):
            maps = [name for name, value in values.items() if _is_map(value)]
            raise ValueError(
                f"low_level must be the name of a layer of {self.model.name!r} that returns a map "
                f"({listed(maps, 4)}). Received: low_level={self.low_level!r}."
                f"{suggestion(self.low_level, maps)}"
            )
        return value


class _Names:
    """Names for layers in a complete network, the same in every session."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._names: dict[int, str] = {}

    def __call__(self, operation: Any) -> str:
        if id(operation) not in self._names:
            self._names[id(operation)] = self._name(operation)
        return self._names[id(operation)]

    def _name(self, operation: Any) -> str:
        name = operation.name
        stem = re.sub(r"_\d+$", "", name)
        if stem.replace("_", "") == type(operation).__name__.lower():
            # Keras counts layers without a name through the whole session.
            number = self._counts[stem] = self._counts.get(stem, -1) + 1
            name = f"{stem}_{number}" if number else stem
        reserved = re.fullmatch(_RESERVED, name) or is_head_layer(name)
        return f"backbone_{name}" if reserved else name


def _is_map(value: Value) -> bool:
    return value.axes is not None and value.padding is None


def _original_stride(value: Value) -> int:
    return max(axis.stride * axis.rate for axis in value.axes or ())
