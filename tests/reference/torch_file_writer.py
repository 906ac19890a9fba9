"""Writes .pth files without PyTorch: pickle opcodes by hand."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Mapping

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
KINDS = {"float32": "FloatStorage", "float64": "DoubleStorage", "float16": "HalfStorage"} | {
    "int64": "LongStorage",
    "uint16": "BFloat16Storage",
}


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def integers(values) -> bytes:
    return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"


def tensor(key: str, array: np.ndarray, *, legacy: bool, shape=None, offset: int = 0) -> bytes:
    strides = [stride // array.itemsize for stride in array.strides]
    storage = b"(" + text("storage") + b"ctorch\n" + KINDS[array.dtype.name].encode() + b"\n"
    storage += text(key) + text("cpu") + b"J" + struct.pack("<i", array.size)
    storage += (b"N" if legacy else b"") + b"tQ"
    arguments = b"(" + storage + b"J" + struct.pack("<i", offset)
    arguments += integers(array.shape if shape is None else shape) + integers(strides)
    arguments += b"\x89ccollections\nOrderedDict\n)Rt"
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R"


def state_dict(arrays: Mapping[str, np.ndarray], *, legacy: bool = False, **options) -> bytes:
    items = b"".join(
        text(name) + tensor(str(index), array, legacy=legacy, **options)
        for index, (name, array) in enumerate(arrays.items())
    )
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + items + b"u."


def zip_file(content: bytes, arrays: Mapping[str, np.ndarray] | None = None) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")
        for index, array in enumerate((arrays or {}).values()):
            archive.writestr(f"archive/data/{index}", array.tobytes())
    return file.getvalue()


def legacy_file(arrays: Mapping[str, np.ndarray]) -> bytes:
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
    data = b"".join(pickle.dumps(part, 2) for part in (MAGIC, 1001, system))
    data += state_dict(arrays, legacy=True)
    data += pickle.dumps([str(index) for index in range(len(arrays))], 2)
    for array in arrays.values():
        data += struct.pack("<q", array.size) + array.tobytes()
    return data
