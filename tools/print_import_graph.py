"""Prints how the package's modules import each other: places, floors, circles, arrows, sizes.

    python tools/print_import_graph.py

A place is a folder or a file at the top of the package. An arrow leads from a place to another one
that it imports. Imports inside functions and `if TYPE_CHECKING:` count too. The package's own
`__init__.py`, which imports by name on first use, is no place.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "keras_deeplab"
# Imports point to lower floors only.
FLOORS = {
    "_files": 1,
    "_startup": 1,
    "_validation": 1,
    "_version": 1,
    "presets": 2,
    "visualize": 3,
    "data": 4,
    "losses": 4,
    "metrics": 4,
    "ops": 4,
    "optimizers": 4,
    "layers": 5,
    "models": 6,
    "inference": 7,
    "weights": 7,
    "deeplab": 8,
    "evaluation": 8,
    "exports": 8,
    "training": 8,
    "cli": 9,
}


def module_name(path: Path, package: Path = PACKAGE) -> str:
    """Returns the dotted name of a file of the package."""
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def place(module: str) -> str:
    """Returns the first part of a module's name below the package; "" for the package itself.

    `__main__`, which does nothing but start `cli`, belongs to that.
    """
    part = [*module.split("."), ""][1]
    return "cli" if part == "__main__" else part


def imported_names(path: Path) -> Iterator[tuple[str, str]]:
    """Yields what a file imports, as pairs of a module and a name in it ("" for the module)."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"Imports must be absolute. Received: a relative one in {path}.")
            yield from ((node.module or "", alias.name) for alias in node.names)


def import_graph(package: Path = PACKAGE) -> dict[str, set[str]]:
    """Returns the modules of the package that each of its modules imports."""
    files = {module_name(path, package): path for path in sorted(package.rglob("*.py"))}
    graph: dict[str, set[str]] = {}
    for module, path in files.items():
        found = set()
        for source, name in imported_names(path):
            if source.split(".")[0] == package.name:
                found.add(f"{source}.{name}" if f"{source}.{name}" in files else source)
        graph[module] = found - {module}
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Returns groups of nodes that all reach each other."""
    reached = {node: _reachable(graph, node) for node in graph}
    groups = {
        tuple(sorted(other for other in reached[node] if node in reached.get(other, ())))
        for node in graph
        if node in reached[node]
    }
    return [list(group) for group in sorted(groups)]


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += graph.get(node, ())
    return found


def arrows(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Returns the places that each place imports."""
    between: dict[str, set[str]] = {place(module): set() for module in graph if place(module)}
    for module, targets in graph.items():
        if place(module):
            between[place(module)] |= {place(target) for target in targets} - {place(module)}
    return between


def not_downward(graph: dict[str, set[str]]) -> list[str]:
    """Returns the imports from one place to another that do not point to a lower floor."""
    return [
        f"{module} imports {target}"
        for module, targets in sorted(graph.items())
        for target in sorted(targets)
        if place(module)
        and place(module) != place(target)
        and FLOORS.get(place(target), 99) >= FLOORS[place(module)]
    ]


def functions(paths: Iterable[Path]) -> list[tuple[int, str]]:
    """Returns (lines without docstring, name) of every function, longest first."""
    found = []
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if ast.get_docstring(node) is not None:
                    first = node.body[0]
                    lines -= (first.end_lineno or 0) - first.lineno + 1
                found.append((lines, f"{path.relative_to(ROOT)}: {node.name}"))
    return sorted(found, reverse=True)


def main() -> None:
    graph = import_graph()
    between = arrows(graph)
    paths = sorted(PACKAGE.rglob("*.py"))
    lines = {path: len(path.read_text().splitlines()) for path in paths}
    longest = max(paths, key=lambda path: lines[path])
    for floor in sorted(set(FLOORS.values()), reverse=True):
        for name in sorted(name for name in between if FLOORS.get(name) == floor):
            print(f"{floor}  {name:12} -> {', '.join(sorted(between[name])) or '-'}")
    print(f"places            {len(between)}")
    print(f"floors            {len({FLOORS[name] for name in between})}")
    print(f"circles           {len(circles(graph))} {circles(graph) or ''}".rstrip())
    print(f"not downward      {len(not_downward(graph))}")
    print(f"arrows            {sum(map(len, between.values()))}")
    print(f"modules           {len(paths)}")
    print(f"lines             {sum(lines.values())}")
    print(f"longest file      {longest.relative_to(ROOT)}, {lines[longest]} lines")
    length, name = functions(paths)[0]
    print(f"longest function  {name}, {length} lines without docstring")


if __name__ == "__main__":
    main()
