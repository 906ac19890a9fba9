"""The standard metadata of TFLite files, for Android's ImageSegmenter, ML Binding and others."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import flatbuffers

# The name that readers look for, and the identifier of the schema's first version.
STANDARD = "TFLITE_METADATA"
_IDENTIFIER = b"M001"
_LABELS = "labelmap.txt"
_AXIS_LABELS, _VALUE_LABELS = 2, 3
_IMAGE_PROPERTIES, _NORMALIZATION, _RGB = 2, 1, 1


def standard_metadata(metadata: dict[str, Any]) -> bytes:
    """Returns the flatbuffer of the metadata of an export: normalisation, size, file of labels.

    Reference:
        tensorflow/tflite-support, metadata_schema.fbs 1.1.0.
    """
    image, output = metadata["input"], metadata["output"]
    height, width = (
        image[side] or usual
        for side, usual in zip(("height", "width"), metadata["inference_size"], strict=True)
    )
    size = {0: ("Uint32", width), 1: ("Uint32", height)}
    # (level - mean) / std: the file normalises RGB 0-255 itself.
    mean, std = (0.0, 1.0) if image["range"] == "RGB 0-255" else (127.5, 127.5)
    source = {
        0: "image",
        1: f"Photo, {image['range']}",
        3: {0: ("Uint8", _IMAGE_PROPERTIES), 1: {0: ("Int8", _RGB), 1: size}},
        4: [{0: ("Uint8", _NORMALIZATION), 1: {0: mean, 1: std}}],
    }
    kind = _VALUE_LABELS if output["kind"] == "labels" else _AXIS_LABELS
    target = {
        0: "segmentation_masks",
        1: f"{output['kind']} of the classes",
        6: [{0: _LABELS, 2: ("Int8", kind)}],
    }
    graph = {2: [source], 3: [target]}
    model = {0: metadata["network"], 1: "Semantic segmentation", 3: [graph], 7: "1.0.0"}
    builder = flatbuffers.Builder(1024)
    builder.Finish(_written(builder, model), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def with_labels(content: bytes, class_names: list[str]) -> bytes:
    """Returns a TFLite file with a zip archive of its file of labels at the end."""
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a") as archive:
        # Without the time of writing, equal exports are equal files.
        archive.writestr(zipfile.ZipInfo(_LABELS), "".join(f"{name}\n" for name in class_names))
    return stream.getvalue()


def _written(builder: Any, value: Any) -> int:
    """Writes a text, a vector of one number or table, or a table, and returns its place.

    The fields of a table are by their number in the schema; its numbers are (type, value).
    """
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, dict):
        fields = {
            slot: one if isinstance(one, tuple) else ("UOffsetTRelative", _written(builder, one))
            for slot, one in value.items()
        }
        builder.StartObject(max(fields) + 1)
        for slot, (kind, one) in fields.items():
            getattr(builder, f"Prepend{kind}Slot")(slot, one, 0)
        return int(builder.EndObject())
    if isinstance(value, float):
        builder.StartVector(4, 1, 4)
        builder.PrependFloat32(value)
        return int(builder.EndVector())
    (item,) = (_written(builder, one) for one in value)
    builder.StartVector(4, 1, 4)
    builder.PrependUOffsetTRelative(item)
    return int(builder.EndVector())
