"""The API reference: public names are on its pages and documented; names in docstrings exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import keras_deeplab

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "keras_deeplab"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PAGES = sorted((ROOT / "docs" / "api").glob("*.md"))
# Methods that Keras calls: users do not, so they need no docstring.
HOOKS = re.compile(
    r"build|call|compute_output_shape|convolution_op|from_config|get_config|update_step|on_\w+"
)
CLASSES: dict[str, list[ast.ClassDef]] = {}
for source in SOURCES:
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            CLASSES.setdefault(node.name, []).append(node)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def documented_names() -> list[str]:
    """The names that the pages take from docstrings."""
    return [
        name for page in PAGES for name in re.findall(r"^::: (\S+)$", page.read_text(), flags=re.M)
    ]


def exists(name: str) -> bool:
    parent, _, last = name.rpartition(".")
    try:
        return hasattr(import_module(parent), last) or bool(import_module(name))
    except ModuleNotFoundError:
        return False


def undocumented(tree: ast.Module) -> Iterator[str]:
    """Yields public modules, classes, functions and methods that have no docstring."""
    if not ast.get_docstring(tree):
        yield "the module"
    for outer in definitions(tree):
        for node in (outer, *(definitions(outer) if isinstance(outer, ast.ClassDef) else ())):
            inherited = node is not outer and node.name in inherited_methods(outer)
            if not (ast.get_docstring(node) or HOOKS.fullmatch(node.name) or inherited):
                yield node.name


def definitions(parent: ast.Module | ast.ClassDef) -> list[ast.ClassDef | ast.FunctionDef]:
    nodes = [node for node in parent.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))]
    return [node for node in nodes if not node.name.startswith("_")]


def inherited_methods(node: ast.ClassDef) -> set[str]:
    """The documented methods of the package's own classes that a class is derived from."""
    found = set()
    for base in node.bases:
        for parent in CLASSES.get(ast.unparse(base), ()):
            found |= {method.name for method in definitions(parent) if ast.get_docstring(method)}
            found |= inherited_methods(parent)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_public_names_have_docstrings(path: Path):
    assert list(undocumented(ast.parse(path.read_text(encoding="utf-8")))) == []


def test_a_missing_docstring_is_found():
    source = '"""M."""\nclass A:\n    """A."""\n    def build(self): ...\n    def f(self): ...\n'
    assert list(undocumented(ast.parse(source))) == ["f"]


def test_every_public_name_is_on_one_page():
    names = documented_names()
    assert len(set(names)) == len(names)
    assert {f"keras_deeplab.{name}" for name in keras_deeplab.__all__} <= set(names)


@pytest.mark.parametrize("name", documented_names())
def test_names_on_the_pages_exist(name: str):
    assert exists(name)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_names_in_docstrings_exist(path: Path):
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"`(keras_deeplab(?:\.\w+)+)(?:\(.*?\))?`", text):
        # The file that an exported model is described in.
        assert name == "keras_deeplab.json" or exists(name), name
