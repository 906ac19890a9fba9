import flatbuffers
import pytest

from keras_deeplab.inference.runtimes.tflite_runtime import SharingBuilder


@pytest.mark.parametrize(("length", "shared"), [(100, True), (1 << 17, False)])
def test_equal_vectors_are_written_once(length: int, shared: bool, rng):
    """Long ones are not remembered: comparing them would cost more than it saves."""
    builder = SharingBuilder(16)
    vector = rng.integers(0, 256, length, "uint8")
    first = builder.CreateNumpyVector(vector)
    second = builder.CreateNumpyVector(vector.copy())
    assert (first == second) == shared
    assert builder.CreateNumpyVector(vector[::-1].copy()) != first
    # The same bytes of another type are another vector.
    assert builder.CreateNumpyVector(vector.view("int8")) != first


def test_content_and_alignment(rng):
    builder = SharingBuilder(16)
    values = {kind: rng.integers(0, 100, 37).astype(kind) for kind in ("uint8", "int32", "float64")}
    offsets = {kind: builder.CreateNumpyVector(value) for kind, value in values.items()}
    builder.Finish(_table(builder, offsets))
    content = bytes(builder.Output())
    for kind, value in values.items():
        raw = value.tobytes()
        start = content.index(raw)
        assert int.from_bytes(content[start - 4 : start], "little") == value.size
        assert start % (16 if kind == "uint8" else value.itemsize) == 0


def _table(builder: flatbuffers.Builder, offsets: dict[str, int]) -> int:
    builder.StartObject(len(offsets))
    for slot, offset in enumerate(offsets.values()):
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    return builder.EndObject()
