"""Model repositories for the Triton Inference Server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from keras_deeplab._files import write_text

_TYPES = {1: "TYPE_FP32", 2: "TYPE_UINT8", 6: "TYPE_INT32"}
# The images of a batch must have one size; more of them would rarely meet within the delay.
_MOST_IMAGES = 8


def model_path(repository: Path, name: str) -> Path:
    """Returns the path of the first version of a model in a repository."""
    return repository / name / "1" / "model.onnx"


def write_config(path: Path) -> Path:
    """Writes the `config.pbtxt` of an ONNX file at its `model_path`, and returns its path."""
    import onnx

    graph = onnx.load(path).graph
    values = [*graph.input, *graph.output]
    # Triton adds a dynamic batch dimension by itself, if it is told a largest size.
    batched = all(not value.type.tensor_type.shape.dim[0].dim_value for value in values)
    lines = [
        f'name: "{path.parents[1].name}"',
        'backend: "onnxruntime"',
        f"max_batch_size: {_MOST_IMAGES if batched else 0}",
        *_entries("input", graph.input, batched),
        *_entries("output", graph.output, batched),
        *(["dynamic_batching { }"] if batched else []),
    ]
    return write_text(path.parents[1] / "config.pbtxt", "\n".join(lines) + "\n")


def _entries(kind: str, values: Any, batched: bool) -> list[str]:
    lines = [f"{kind} ["]
    for value in values:
        tensor = value.type.tensor_type
        sizes = [dimension.dim_value or -1 for dimension in tensor.shape.dim][int(batched) :]
        lines += [
            "  {",
            f'    name: "{value.name}"',
            f"    data_type: {_TYPES[tensor.elem_type]}",
            f"    dims: [ {', '.join(map(str, sizes))} ]",
            "  }",
        ]
    return [*lines, "]"]
