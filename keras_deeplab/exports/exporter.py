"""Export to SavedModel, TFLite and ONNX, with a comparison to the Keras model."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_deeplab.exports import onnx_export, tflite_export
from keras_deeplab.exports.export_result import Export
from keras_deeplab.exports.jpeg_signature import jpeg_function
from keras_deeplab.exports.output_files import (
    byte_count,
    check_writable,
    put,
    resolve_format,
    unfinished,
)
from keras_deeplab.exports.parity import Parity, measure_parity
from keras_deeplab.exports.photos import calibration_batches, find_photos, sample_images
from keras_deeplab.exports.request import AGREEMENTS, Request
from keras_deeplab.exports.run_exported import RUNTIMES, runtime_name
from keras_deeplab.exports.serving import float32_clone, serving_function, write_saved_model

_KERNELS = {"saved_model": "keras", "tflite": "same", "onnx": "explicit"}


def export(
    model: keras.Model,
    path: str | Path,
    *,
    format: str | None = None,
    quantize: str | None = None,
    representative_data: Any = None,
    input_size: int | Sequence[int] | None = None,
    batch: int | None = None,
    argmax: bool = False,
    softmax: bool = False,
    crf: str | None = None,
    uint8_input: bool = False,
    output_dtype: str | None = None,
    opset: int = 17,
    class_names: Sequence[str] | None = None,
    min_agreement: float | None = None,
    signature: str | None = None,
) -> Export:
    """Exports a network, runs the file in its target runtime and compares the outputs.

    The file takes RGB 0-255, like the Keras model. Class names, colours, input and output are
    stored in a JSON file next to it (in a SavedModel: keras_deeplab.json), and in TFLite and ONNX
    files also as the metadata entry "keras_deeplab". TFLite files also have the standard entry
    "TFLITE_METADATA", with a file of labels. Models with a mixed-precision dtype policy
    are exported in float32.

    Args:
        model: A model of `DeepLab`, or any functional model from RGB 0-255 to scores of the same
            height and width.
        path: File ending in .tflite or .onnx, or folder of a SavedModel. An existing file or
            folder is replaced after the comparison has passed.
        format: "saved_model", "tflite" or "onnx". Default: from the suffix of `path`.
        quantize: For TFLite: "float16" halves the file size; "dynamic" stores 8-bit weights;
            "int8" uses 8-bit arithmetic, with weights quantised per channel. Default: float32.
        representative_data: Photos like those the network will process: a folder, or an iterable
            of paths, PIL images or arrays. "int8" is calibrated on at most 100 of them, and the
            comparison uses some of them. Default: synthetic images, for the comparison only.
        input_size: (height, width), or one number for both, pixels. Default: the model's size if
            it is fixed, else dynamic.
        batch: Images per call. Default: 1 in TFLite, else dynamic.
        argmax: Whether to return label ids, (batch, height, width), instead of scores.
        softmax: Whether to return probabilities instead of logits.
        crf: Name of a preset of CRF parameters; appends a CRF. This CRF, or that of the model,
            uses the permutohedral engine in a SavedModel. In TFLite and ONNX it uses the
            convolutional engine, whose results differ.
        uint8_input: Whether the file takes uint8 images instead of float32.
        output_dtype: For labels, "uint8" (default) or "int32". For the scores of "int8",
            "float32" (default), "int8" or "uint8", with the scale that the file states.
        opset: ONNX operator set version, 13 to 18.
        class_names: Names by label id. Default: those stored in the model.
        min_agreement: Minimum share of pixels, 0 to 1, with the same label as the Keras model.
            Default: 0.999; "float16" 0.99, "dynamic" 0.95, "int8" 0.9. Up to ten photos are
            compared; with fewer, a single difficult photo can cause a failure.
        signature: For a SavedModel, "jpeg" adds a second signature "jpeg" for servers. It takes
            JPEG files, a vector of strings, which it resizes to fit `input_size` (default: the
            size the network was trained for) and pads. It returns "labels" (batch, height,
            width) with the ignored label in the padding, "size" (batch, 2), height and width of
            the photo in them, and "shares" (batch, classes).

    Returns:
        An `Export`, which prints as a table.

    Raises:
        ValueError: If arguments are incompatible with each other or with the model, an operator
            is not builtin in TFLite, or too few labels agree. No file is left behind.
        OSError: If `path` cannot be written.
        ModuleNotFoundError: If the package that writes or runs the format is not installed.

    Example:

    >>> model = DeepLab(weights="voc")  # doctest: +SKIP
    >>> print(export(model, "deeplab.tflite", input_size=513, argmax=True))  # doctest: +SKIP
    """
    target = Path(path).expanduser()
    format = resolve_format(target, format)
    request = Request(
        model=model,
        format=format,
        quantize=quantize,
        input_size=input_size,
        batch=batch,
        argmax=argmax,
        softmax=softmax,
        crf=crf,
        uint8_input=uint8_input,
        output_dtype=output_dtype,
        opset=opset,
        class_names=class_names,
        signature=signature,
    ).checked(calibrates=representative_data is not None)
    least = AGREEMENTS[quantize] if min_agreement is None else min_agreement
    if not 0 <= least <= 1:
        raise ValueError(
            f"min_agreement must be between 0 and 1. Received: min_agreement={min_agreement!r}."
        )
    photos = [] if representative_data is None else find_photos(representative_data)
    if format == "onnx":
        onnx_export.import_converter()
    check_writable(target, format)
    with unfinished(target) as partial:
        with _quiet_tensorflow():
            operators, foreign = _write(request, partial, photos)
        parity = _parity(request, partial, photos)
        if parity.equal_labels < least:
            raise ValueError(
                f"The export's labels must equal the network's on {least:.1%} of the pixels. "
                f"Received: {parity.equal_labels:.2%} on {parity.images} images; "
                f"{target} was not written. {_remedy(request, photos)}"
            )
        metadata = {**request.metadata(), "parity": {**asdict(parity), "min_agreement": least}}
        put(partial, target, json.dumps(metadata, indent=2) + "\n")
    return Export(
        path=target,
        format=format,
        bytes=byte_count(target),
        parity=parity,
        runtime=runtime_name(format),
        operators=operators,
        foreign_operators=foreign,
        opset=request.opset,
        metadata=metadata,
    )


@contextmanager
def _quiet_tensorflow() -> Iterator[None]:
    """Suppresses TensorFlow's messages during the export, such as paths of temporary files."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _write(
    request: Request, path: Path, photos: Sequence[Any]
) -> tuple[dict[str, int], tuple[str, ...]]:
    engine = None if request.format == "saved_model" else "convolutional"
    network = float32_clone(
        request.model, operators=_KERNELS[request.format], engine=engine, crf=request.crf
    )
    labels = request.output_dtype if request.argmax else None
    serve = serving_function(network, activation=request.activation, labels=labels)
    # The converter itself changes the types of 8-bit networks.
    dtype = "uint8" if request.uint8_input and request.quantize != "int8" else "float32"
    spec = tf.TensorSpec((request.batch, *request.input_size, 3), dtype, name="image")
    if request.format == "saved_model":
        return write_saved_model(path, network, serve, spec, jpeg=_jpeg(request, network)), ()
    metadata = request.metadata()
    if request.format == "onnx":
        content = onnx_export.convert(
            serve, spec, opset=request.opset or 17, metadata=json.dumps(metadata)
        )
        path.write_bytes(content)
        return onnx_export.operators(content)
    content = tflite_export.convert(
        serve,
        spec,
        quantize=request.quantize,
        calibration=lambda: calibration_batches(
            photos, size=request.full_size, batch=request.batch or 1
        ),
        uint8_input=request.uint8_input,
        output_dtype=request.output_dtype,
    )
    path.write_bytes(content := tflite_export.finished(content, metadata))
    return tflite_export.operators(content)


def _jpeg(request: Request, network: keras.Model) -> Callable[[Any], Any] | None:
    if request.signature is None:
        return None
    return jpeg_function(
        network,
        size=request.full_size,
        ignore_class=request.dataset.ignore_class,
        dtype="uint8" if network.output_shape[-1] <= 255 else "int32",
    )


def _parity(request: Request, path: Path, photos: Sequence[Any]) -> Parity:
    images = sample_images(
        photos, size=request.input_size, usual=request.usual_size, batch=request.batch or 1
    )
    dtype = "uint8" if request.uint8_input else "float32"
    outputs = RUNTIMES[request.format](path, [image.astype(dtype) for image in images])
    approximate = request.has_crf and request.format != "saved_model"
    engine = "convolutional" if approximate else "permutohedral"
    return measure_parity(
        images,
        outputs,
        _reference(request, engine),
        _reference(request, "permutohedral") if approximate else None,
    )


def _reference(request: Request, engine: str) -> Callable[[np.ndarray], np.ndarray]:
    """Returns the reference: the float32 Keras model with the CRF of the export."""
    half = any(layer.compute_dtype in ("float16", "bfloat16") for layer in request.model.layers)
    if half or request.has_crf:
        network = float32_clone(request.model, engine=engine, crf=request.crf)
        activation = request.activation
    else:
        network = request.model
        activation = request.activation if request.softmax else None

    def scores(image: np.ndarray) -> np.ndarray:
        result = network(tf.constant(image, tf.float32), training=False)
        return np.asarray(activation(result) if activation else result)

    return scores


def _remedy(request: Request, photos: Sequence[Any]) -> str:
    if request.quantize == "int8":
        return (
            "Calibrate on more photos like those the network will process, or use "
            "quantize='dynamic' or 'float16'."
        )
    if request.quantize:
        return "Use quantize='float16' or none."
    return (
        "Pass min_agreement (on the shell, --min-agreement) to accept it."
        if photos
        else "Compare it on photos: pass representative_data (on the shell, --calibrate)."
    )
