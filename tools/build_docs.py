"""Builds the API reference, as HTML.

    pip install ".[docs]"
    python tools/build_docs.py [--out DIR]

Errors are: a warning of the generator, a public name without docstring, a name in a docstring that
does not exist.
"""

from __future__ import annotations

import argparse
import re
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

ROOT = Path(__file__).parents[1]
# Methods that Keras calls: not for users, so hidden.
HOOKS = (
    "build",
    "call",
    "compute_output_shape",
    "convolution_op",
    "from_config",
    "get_config",
    "update_step",
)
MODULES = (
    "keras_deeplab",
    "keras_deeplab.data",
    "keras_deeplab.data.pipeline",
    "keras_deeplab.layers",
    "keras_deeplab.losses",
    "keras_deeplab.metrics",
    "keras_deeplab.optimizers",
    "keras_deeplab.training",
    "keras_deeplab.evaluation",
    "keras_deeplab.exports",
    "keras_deeplab.inference",
    "keras_deeplab.visualize",
    "keras_deeplab.weights.conversion",
    "keras_deeplab.cli.cards",
    "keras_deeplab.presets.crfs",
    "keras_deeplab.presets.datasets",
    "keras_deeplab.presets.recipes",
    "keras_deeplab.presets.weights",
)


def load_modules() -> list[Any]:
    modules = [import_module(name) for name in MODULES]
    for module in modules:
        # Names that are imported on first use; pdoc looks for them in the module's dict.
        for name in getattr(module, "__all__", ()):
            setattr(module, name, getattr(module, name))
        # A NamedTuple's constructor does not know the module that its annotations are of.
        for value in vars(module).values():
            if isinstance(value, type) and hasattr(value, "_fields"):
                value.__new__.__annotations__.update(get_type_hints(value))
    return modules


def undocumented(modules: list[Any]) -> Iterator[str]:
    """Yields public modules, classes and functions of ours that have no docstring."""
    from pdoc.doc import Module

    for module in map(Module, modules):
        own = [module, *module.flattened_own_members]
        own += [member for found in module.classes for member in found.own_members]
        for member in own:
            ours = member.taken_from[0].startswith("keras_deeplab")
            hidden = member.name.startswith("_") or member.name in HOOKS
            if ours and not hidden and member.kind != "variable" and not member.docstring:
                yield f"{member.fullname} has no docstring"


def unknown_names() -> Iterator[str]:
    """Yields names of the package that stand in backquotes in its sources and do not exist."""
    for path in sorted((ROOT / "keras_deeplab").rglob("*.py")):
        for name in re.findall(r"`(keras_deeplab(?:\.\w+)+)(?:\(.*?\))?`", path.read_text()):
            if name != "keras_deeplab.json" and not _exists(name):
                yield f"{path.relative_to(ROOT)} speaks of {name}, which does not exist"


def _exists(name: str) -> bool:
    parent, _, last = name.rpartition(".")
    try:
        return hasattr(import_module(parent), last) or bool(import_module(name))
    except ModuleNotFoundError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "site")
    folder = parser.parse_args().out
    import pdoc.docstrings
    import pdoc.render

    modules = load_modules()
    if errors := [*undocumented(modules), *unknown_names()]:
        raise SystemExit("\n".join(errors))
    pdoc.render.configure(
        docformat="google",
        include_undocumented=False,
        show_source=False,
        template_directory=ROOT / "tools" / "api_template",
    )
    pdoc.docstrings.GOOGLE_LIST_SECTIONS.append("Call arguments")
    pdoc.render.env.globals["hooks"] = HOOKS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # In a checkout from which the package was installed.
        warnings.filterwarnings("ignore", ".* may refer to either the installed Python module")
        pdoc.pdoc(*MODULES, output_directory=folder)
    print(f"{folder / 'index.html'}: {len(modules)} modules")


if __name__ == "__main__":
    main()
