"""Imports point to lower floors only, and siblings on a floor do not know each other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "keras_deeplab"
FLOORS = {
    "_checks": 0,
    "tables": 1,
    "cards": 2,
    "ops": 2,
    "data": 2,
    "losses": 2,
    "metrics": 2,
    "optimizers": 2,
    "schedules": 2,
    "visualize": 2,
    "boundaries": 2,
    "label_sheet": 3,
    "layers": 3,
    "blocks": 4,
    "backbones": 5,
    "heads": 5,
    "models": 6,
    "weights": 7,
    "dense_crf": 8,
    "inference": 8,
    "runners": 8,
    "training": 10,
    "deeplab": 10,
    "convert": 10,
    "evaluation": 10,
    "predict": 10,
    "exports": 10,
    "crf_search": 10,
    "demo": 11,
    "cli": 12,
    "__main__": 13,
}
# tf. may be used here and nowhere else: the rest also runs on Keras' JAX backend.
TENSORFLOW_ROOMS = (
    "ops/",
    "data/",
    "layers/crf_as_rnn.py",
    "dense_crf.py",
    "exports/",
    "runners/saved_model.py",
    "runners/tflite.py",
    # TensorFlow's own checkpoints have no other reader.
    "weights/convert/tf_slim.py",
)


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise AssertionError(f"{path}: relative import")
            found.add(node.module or "")
    return found


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def violations(path: Path) -> list[str]:
    """The imports of a module that do not point down."""
    own = room(path)
    bad = []
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "keras_deeplab" or len(parts) == 1 or parts[1] == own:
            continue
        if FLOORS[parts[1]] >= FLOORS[own]:
            bad.append(name)
    return bad


def test_every_room_has_a_floor():
    assert {room(path) for path in modules()} <= FLOORS.keys()


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path):
    assert violations(path) == []


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_tensorflow_stays_in_its_rooms(path: Path):
    if not str(path.relative_to(PACKAGE)).startswith(TENSORFLOW_ROOMS):
        assert not any(name.split(".")[0] == "tensorflow" for name in imported(path))


def test_tables_and_checks_need_the_standard_library_only():
    import sys

    for path in modules():
        if room(path) in ("_checks", "tables"):
            roots = {name.split(".")[0] for name in imported(path)}
            assert roots <= sys.stdlib_module_names | {"keras_deeplab"}


def test_a_violation_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)
    (tmp_path / "blocks.py").write_text("from keras_deeplab.models import MODELS\n")
    assert violations(tmp_path / "blocks.py") == ["keras_deeplab.models"]


def test_no_assert_in_the_library():
    for path in modules():
        assert not any(
            isinstance(node, ast.Assert) for node in ast.walk(ast.parse(path.read_text()))
        )
