"""What is known about an export that has been run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_deeplab.exports.parity import Parity


@dataclass(frozen=True)
class Export:
    """An export that has been run.

    Attributes:
        path: File, or folder of a SavedModel.
        format: "saved_model", "tflite" or "onnx".
        bytes: Size of the file or folder, without the separate metadata file.
        parity: Comparison of its outputs with those of the Keras model.
        runtime: Name and version of the runtime that ran it.
        operators: Number of operators by name.
        foreign_operators: Names of the operators that are not builtin in the format.
        opset: ONNX operator set version; None for other formats.
        metadata: Class names, colours, input and output, as written into and next to the file.
    """

    path: Path
    format: str
    bytes: int
    parity: Parity
    runtime: str
    operators: dict[str, int]
    foreign_operators: tuple[str, ...]
    opset: int | None
    metadata: dict[str, Any]

    @property
    def builtin_only(self) -> bool:
        """Whether every operator is builtin in the format."""
        return not self.foreign_operators

    def __str__(self) -> str:
        parity = self.parity
        rows = {"file": f"{self.path}, {self.bytes / 1e6:.2f} MB"}
        if parity.max_difference is not None:
            rows["max |d score|"] = (
                f"{parity.max_difference:.2g} ({parity.relative_difference:.1e} of the largest)"
            )
        sizes = ", ".join(f"{height}x{width}" for height, width in dict.fromkeys(parity.sizes))
        rows["labels equal"] = f"{parity.equal_labels:.4%} on {parity.images} images ({sizes})"
        if parity.exact_crf_labels is not None:
            rows["exact CRF"] = f"labels equal on {parity.exact_crf_labels:.2%}"
        rows["run by"] = self.runtime
        kind = "all builtin" if self.builtin_only else f"not builtin: {self.foreign_operators}"
        rows["operators"] = f"{sum(self.operators.values())}, {kind}"
        if self.opset:
            rows["operators"] += f", opset {self.opset}"
        return "\n".join(f"{name:14}{value}" for name, value in rows.items())
