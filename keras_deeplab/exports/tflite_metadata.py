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

    Args:
        metadata: As `Request.metadata` returns it.

    Reference:
        tensorflow/tflite-support, metadata_schema.fbs 1.1.0.
    """
    builder = flatbuffers.Builder(1024)
    image, output = metadata["input"], metadata["output"]
    height, width = (
        image[side] or usual
        for side, usual in zip(("height", "width"), metadata["inference_size"], strict=True)
    )
    size = _table(builder, 2, {0: ("Uint32", width), 1: ("Uint32", height)})
    properties = _table(builder, 2, {0: ("Int8", _RGB), 1: ("UOffset", size)})
    content = _table(builder, 3, {0: ("Uint8", _IMAGE_PROPERTIES), 1: ("UOffset", properties)})
    # (level - mean) / std: the file normalises RGB 0-255 itself.
    mean, std = (0.0, 1.0) if image["range"] == "RGB 0-255" else (127.5, 127.5)
    numbers = {0: ("UOffset", _floats(builder, mean)), 1: ("UOffset", _floats(builder, std))}
    normalisation = _table(builder, 2, numbers)
    unit = _table(builder, 2, {0: ("Uint8", _NORMALIZATION), 1: ("UOffset", normalisation)})
    source = _table(
        builder,
        7,
        {
            0: ("UOffset", builder.CreateString("image")),
            1: ("UOffset", builder.CreateString(f"Photo, {image['range']}")),
            3: ("UOffset", content),
            4: ("UOffset", _offsets(builder, unit)),
        },
    )
    kind = _VALUE_LABELS if output["kind"] == "labels" else _AXIS_LABELS
    labels = _table(builder, 4, {0: ("UOffset", builder.CreateString(_LABELS)), 2: ("Int8", kind)})
    target = _table(
        builder,
        7,
        {
            0: ("UOffset", builder.CreateString("segmentation_masks")),
            1: ("UOffset", builder.CreateString(f"{output['kind']} of the classes")),
            6: ("UOffset", _offsets(builder, labels)),
        },
    )
    ends = {2: ("UOffset", _offsets(builder, source)), 3: ("UOffset", _offsets(builder, target))}
    graph = _table(builder, 7, ends)
    model = _table(
        builder,
        8,
        {
            0: ("UOffset", builder.CreateString(metadata["network"])),
            1: ("UOffset", builder.CreateString("Semantic segmentation")),
            3: ("UOffset", _offsets(builder, graph)),
            7: ("UOffset", builder.CreateString("1.0.0")),
        },
    )
    builder.Finish(model, file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def with_labels(content: bytes, class_names: list[str]) -> bytes:
    """Returns a TFLite file with a zip archive of its file of labels at the end."""
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a") as archive:
        # Without the time of writing, equal exports are equal files.
        archive.writestr(zipfile.ZipInfo(_LABELS), "".join(f"{name}\n" for name in class_names))
    return stream.getvalue()


def _table(builder: Any, slots: int, fields: dict[int, tuple[str, int]]) -> int:
    """Writes a table; fields are (type, value) by their number in the schema."""
    builder.StartObject(slots)
    for slot, (kind, value) in fields.items():
        name = "UOffsetTRelative" if kind == "UOffset" else kind
        getattr(builder, f"Prepend{name}Slot")(slot, value, 0)
    return int(builder.EndObject())


def _offsets(builder: Any, item: int) -> int:
    builder.StartVector(4, 1, 4)
    builder.PrependUOffsetTRelative(item)
    return int(builder.EndVector())


def _floats(builder: Any, value: float) -> int:
    builder.StartVector(4, 1, 4)
    builder.PrependFloat32(value)
    return int(builder.EndVector())
