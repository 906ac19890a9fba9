"""The standard metadata, read back by the numbers of its schema."""

import io
import zipfile

import flatbuffers
import pytest
from flatbuffers.number_types import Float32Flags, Int8Flags, Uint8Flags, Uint32Flags
from flatbuffers.table import Table

from keras_deeplab.exports.tflite_export import standard_metadata, with_labels
from keras_deeplab.inference.runtimes.tflite_runtime import _packed_labels

METADATA = {
    "network": "net",
    "class_names": ["sky", "Bäume"],
    "inference_size": [65, 97],
    "input": {"height": None, "width": 33, "range": "RGB 0-255"},
    "output": {"kind": "logits"},
}


def field(table: Table, slot: int) -> int:
    return table.Offset(4 + 2 * slot)


def child(table: Table, slot: int) -> Table:
    return Table(table.Bytes, table.Indirect(table.Pos + field(table, slot)))


def first(table: Table, slot: int) -> Table:
    return Table(table.Bytes, table.Indirect(table.Vector(field(table, slot))))


def number(table: Table, slot: int, flags: type) -> int:
    return table.Get(flags, table.Pos + field(table, slot))


def text(table: Table, slot: int) -> str:
    return table.String(table.Pos + field(table, slot)).decode()


@pytest.mark.parametrize(
    ("levels", "numbers"), [("RGB 0-255", (0.0, 1.0)), ("RGB -1 to 1", (127.5, 127.5))]
)
@pytest.mark.parametrize(("kind", "labels"), [("logits", 2), ("labels", 3)])
def test_fields_of_the_schema(levels: str, numbers: tuple[float, float], kind: str, labels: int):
    changed = METADATA | {
        "input": METADATA["input"] | {"range": levels},
        "output": {"kind": kind},
    }
    content = standard_metadata(changed)
    assert flatbuffers.util.GetBufferIdentifier(content, 0) == b"M001"
    root = Table(bytearray(content), int.from_bytes(content[:4], "little"))
    assert text(root, 0) == "net"
    graph = first(root, 3)
    source, target = first(graph, 2), first(graph, 3)
    image = child(source, 3)
    assert number(image, 0, Uint8Flags) == 2
    properties = child(image, 1)
    assert number(properties, 0, Int8Flags) == 1
    size = child(properties, 1)
    assert [number(size, slot, Uint32Flags) for slot in (0, 1)] == [33, 65]
    unit = first(source, 4)
    assert number(unit, 0, Uint8Flags) == 1
    options = child(unit, 1)
    starts = [options.Vector(field(options, slot)) for slot in (0, 1)]
    assert tuple(options.Get(Float32Flags, start) for start in starts) == numbers
    file = first(target, 6)
    assert text(file, 0) == "labelmap.txt"
    assert number(file, 2, Int8Flags) == labels


def test_labels_are_a_zip_archive_at_the_end():
    content = with_labels(b"network", ["sky", "Bäume"])
    assert content.startswith(b"network")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read("labelmap.txt").decode() == "sky\nBäume\n"
    assert content == with_labels(b"network", ["sky", "Bäume"])
    assert _packed_labels(content) == ("sky", "Bäume")


@pytest.mark.parametrize("content", [b"network", b"", b"PK\x05\x06" + bytes(18)])
def test_files_without_labels(content: bytes):
    assert _packed_labels(content) is None
