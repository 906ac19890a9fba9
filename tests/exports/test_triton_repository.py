import re
from pathlib import Path

import numpy as np
import pytest

from keras_deeplab import export
from keras_deeplab.exports import model_path, write_config
from tests.exports.test_exporter import network

TYPES = {"TYPE_FP32": "tensor(float)", "TYPE_UINT8": "tensor(uint8)"}


def stated(config: str) -> list[tuple[str, str, list[int]]]:
    """Name, type and sizes of the inputs and outputs that a configuration states."""
    found = re.findall(r'name: "(.+)"\s+data_type: (\w+)\s+dims: \[ (.*) \]', config)
    return [(name, TYPES[kind], [int(n) for n in sizes.split(",")]) for name, kind, sizes in found]


@pytest.mark.parametrize(
    ("options", "most", "image", "output"),
    [
        ({}, 8, [-1, -1, 3], [-1, -1, 3]),
        (dict(batch=2, input_size=(32, 47), argmax=True, uint8_input=True), 0, None, None),
    ],
)
def test_the_configuration_agrees_with_the_file(
    tmp_path: Path, options: dict, most: int, image: list | None, output: list | None
):
    onnxruntime = pytest.importorskip("onnxruntime")
    path = model_path(tmp_path, "net")
    assert path == tmp_path / "net" / "1" / "model.onnx"
    export(network(), path, **options)
    assert write_config(path) == tmp_path / "net" / "config.pbtxt"
    config = (tmp_path / "net" / "config.pbtxt").read_text()
    assert config.startswith(f'name: "net"\nbackend: "onnxruntime"\nmax_batch_size: {most}\n')
    assert ("dynamic_batching" in config) == bool(most)
    session = onnxruntime.InferenceSession(path)
    ends = [*session.get_inputs(), *session.get_outputs()]
    assert [(end.name, end.type) for end in ends] == [entry[:2] for entry in stated(config)]
    sizes = [entry[2] for entry in stated(config)]
    assert sizes == ([image, output] if most else [[2, 32, 47, 3], [2, 32, 47]])
    shape = (2, 32, 47, 3)
    (result,) = session.run(
        None, {ends[0].name: np.zeros(shape, "uint8" if options else "float32")}
    )
    assert result.shape == (shape[:3] if options else shape)
