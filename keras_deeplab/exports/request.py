"""The arguments of an export: checks, and defaults derived from the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras

from keras_deeplab._validation import check_choice, check_int
from keras_deeplab._version import __version__
from keras_deeplab.inference.sidecar import FORMAT_VERSION
from keras_deeplab.layers import CRFAsRNN, SegmentationOutput
from keras_deeplab.layers.segmentation_output import find_output, takes_rgb
from keras_deeplab.presets.crfs import CRFS
from keras_deeplab.presets.datasets import DatasetRow, dataset_of, numbered_classes

# For ten photos together: on a single difficult photo, 8 bits can change far more labels.
AGREEMENTS = {None: 0.999, "float16": 0.99, "dynamic": 0.95, "int8": 0.9}
# Operator set versions to which Keras models can be converted.
OPSETS = range(13, 19)


@dataclass(frozen=True, kw_only=True)
class Request:
    """The arguments of `export`; `checked` fills in the defaults."""

    model: keras.Model
    format: str
    quantize: str | None
    input_size: Any
    batch: int | None
    argmax: bool
    softmax: bool
    crf: str | None
    uint8_input: bool
    output_dtype: str | None
    opset: int | None
    class_names: Sequence[str] | None
    signature: str | None = None

    def checked(self, *, calibrates: bool) -> Request:
        """Returns the request with all defaults, checked against each other and the model.

        `calibrates` says whether there are photos to calibrate on.
        """
        check_model(self.model)
        _check_arguments(self, calibrates=calibrates)
        return replace(
            self,
            input_size=_size(self.model, self.input_size),
            batch=1 if self.batch is None and self.format == "tflite" else self.batch,
            output_dtype=_output_dtype(self),
            opset=self.opset if self.format == "onnx" else None,
            class_names=_class_names(self.model, self.class_names),
        )

    @property
    def output(self) -> SegmentationOutput | None:
        """The model's last layer if it is a `SegmentationOutput`, else None."""
        return find_output(self.model)

    @property
    def activation(self) -> Any:
        """The activation of the returned scores; None for logits."""
        own = self.output.activation if self.output else keras.activations.linear
        if own is not keras.activations.linear:
            return own
        return keras.activations.softmax if self.softmax else None

    @property
    def dataset(self) -> DatasetRow:
        """The dataset with the names of the classes."""
        return dataset_of(tuple(self.class_names or ()))

    @property
    def has_crf(self) -> bool:
        """Whether the export includes a CRF."""
        own = any(isinstance(layer, CRFAsRNN) for layer in self.model.layers)
        return own or self.crf is not None

    @property
    def usual_size(self) -> tuple[int, int]:
        """The (height, width) that photos are resized to fit."""
        own = self.output.inference_size if self.output else None
        return own or self.dataset.inference_size

    @property
    def full_size(self) -> tuple[int, int]:
        """The (height, width) of the images, with the usual one for dynamic sides."""
        (height, width), usual = self.input_size, self.usual_size
        return height or usual[0], width or usual[1]

    def metadata(self) -> dict[str, Any]:
        """The metadata for users of the file."""
        height, width = self.input_size
        kind = "probabilities" if self.activation else "logits"
        return {
            "format_version": FORMAT_VERSION,
            "class_names": list(self.class_names or ()),
            "palette": [list(colour) for colour in self.dataset.palette],
            "ignore_class": self.dataset.ignore_class,
            "inference_size": list(self.usual_size),
            "input": {
                "height": height,
                "width": width,
                "batch": self.batch,
                "dtype": "uint8" if self.uint8_input else "float32",
                "layout": "NHWC",
                "range": "RGB 0-255" if takes_rgb(self.model) else "RGB -1 to 1",
            },
            "output": {"kind": "labels" if self.argmax else kind, "dtype": self.output_dtype},
            "network": self.model.name,
            "quantize": self.quantize,
            "crf": self.has_crf,
            "opset": self.opset,
            "keras_deeplab_version": __version__,
        }


def check_model(model: Any) -> None:
    """Raises an exception unless `model` can be exported."""
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"export runs on the TensorFlow backend. Received: {keras.backend.backend()!r}. Save "
            f"the model as .keras, and export it in a process with KERAS_BACKEND=tensorflow."
        )
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"model must be a keras.Model. Received: {type(model).__name__}. A file is loaded "
            f"with keras.models.load_model."
        )
    shapes: list[Any] = [getattr(model, f"{end}_shape", None) for end in ("input", "output")]
    is_segmentation = all(
        isinstance(shape, tuple) and len(shape) == 4 and isinstance(shape[3], int)
        for shape in shapes
    )
    if not is_segmentation or shapes[0][3] != 3 or shapes[1][3] < 2:
        raise ValueError(
            f"model must be a segmentation network, from images (batch, height, width, 3) to "
            f"scores (batch, height, width, classes). Received: {model.name!r} from {shapes[0]} "
            f"to {shapes[1]}."
        )
    if not hasattr(model, "operations"):
        raise ValueError(
            f"model must be a functional one, as DeepLab returns it. Received: "
            f"{type(model).__name__}, a subclass. Its own model.export(...) may do."
        )


def _check_arguments(request: Request, *, calibrates: bool) -> None:
    quantize, crf, signature = request.quantize, request.crf, request.signature
    format, takes_levels = request.format, takes_rgb(request.model)
    if quantize is not None:
        check_choice("quantize", quantize, [name for name in AGREEMENTS if name])
    if quantize and format != "tflite":
        raise ValueError(
            f"quantize must come with format='tflite'. Received: quantize={quantize!r} with "
            f"format={format!r}. Leave it out, or export to a .tflite file."
        )
    if quantize == "int8" and not calibrates:
        raise ValueError(
            "quantize='int8' must come with representative_data (on the shell, --calibrate): a "
            "folder of about 100 photos like those the network will process, to calibrate value "
            "ranges. Received: representative_data=None."
        )
    if request.argmax and request.softmax:
        raise ValueError(
            "argmax and softmax exclude each other: one returns labels, the other "
            "probabilities. Received: argmax=True, softmax=True."
        )
    if crf is not None:
        check_choice("crf", crf, tuple(CRFS))
    own = [layer for layer in request.model.layers if isinstance(layer, CRFAsRNN)]
    if crf and own:
        raise ValueError(
            f"model must have no CRF to be given one. Received: crf={crf!r} with the layer "
            f"{own[0].name!r}. Leave crf out: the layer is exported."
        )
    if crf and not takes_levels:
        raise ValueError(
            f"A network with a CRF must take RGB 0-255. Received: crf={crf!r} with a network "
            f"of include_preprocessing=False."
        )
    if (crf or own) and quantize in ("dynamic", "int8"):
        raise ValueError(
            f"A CRF must be calculated in floats. Received: quantize={quantize!r}. Export with "
            f"'float16', or without the CRF, and use DenseCRF on the scores."
        )
    if request.uint8_input and not takes_levels:
        raise ValueError(
            "uint8_input must come with a network that normalises its images itself. "
            "Received: one with include_preprocessing=False."
        )
    if signature is not None:
        check_choice("signature", signature, ("jpeg",))
    if signature and format != "saved_model":
        raise ValueError(
            f"signature must come with format='saved_model'. Received: signature={signature!r} "
            f"with format={format!r}."
        )
    if signature and not takes_levels:
        raise ValueError(
            "A signature for JPEG files must come with a network that normalises its images "
            "itself. Received: one with include_preprocessing=False."
        )
    if format == "onnx":
        check_choice("opset", request.opset, OPSETS)
    if request.batch is not None:
        check_int("batch", request.batch, minimum=1)


def _size(model: keras.Model, asked: int | Sequence[int] | None) -> tuple[Any, Any]:
    fixed = tuple(model.input_shape[1:3])
    if asked is None:
        return fixed
    size = (asked, asked) if isinstance(asked, int) else tuple(asked)
    if len(size) != 2:
        raise ValueError(
            f"input_size must be (height, width), or a number for both. Received: {asked!r}."
        )
    for side in size:
        check_int("input_size", side, minimum=1)
    if any(own not in (None, side) for own, side in zip(fixed, size, strict=True)):
        raise ValueError(
            f"input_size must be the model's own, where that is fixed. Received: "
            f"input_size={size} with a model of {fixed}."
        )
    return size


def _output_dtype(request: Request) -> str:
    options = ["float32"]
    if request.argmax:
        options = ["uint8", "int32"] if request.model.output_shape[-1] <= 256 else ["int32"]
    elif request.quantize == "int8":
        options = ["float32", "int8", "uint8"]
    if request.output_dtype is None:
        return options[0]
    check_choice("output_dtype", request.output_dtype, options)
    return request.output_dtype


def _class_names(model: keras.Model, asked: Sequence[str] | None) -> tuple[str, ...]:
    classes = model.output_shape[-1]
    if asked is None:
        own = find_output(model)
        return own.class_names if own else numbered_classes(classes)
    if isinstance(asked, str) or len(asked) != classes:
        raise ValueError(
            f"class_names must name the model's {classes} classes. Received: {asked!r}."
        )
    return tuple(str(name) for name in asked)
