"""Hooks of `mkdocs build`: links that leave docs/, and docstrings as Markdown."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any

import griffe

BRANCH = "blob/main"
# Submodules whose names are in the API reference under their full path.
SUBMODULES = ("data", "layers", "losses", "metrics", "optimizers", "visualize")
_LINK = re.compile(r"\]\((\.\./[^)\s]+)\)")
_EXAMPLE = re.compile(r"^(?:Example:\n\n)?( *)>>> .*(?:\n *\S.*)*", flags=re.MULTILINE)
_SECTION = r"^({}):\n((?:(?: {{4}}.*)?(?:\n|\Z))+)"
_NAME = re.compile(r"`([\w.]+)`")


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Points links to files outside docs/, such as notebooks, to the repository."""
    folder = posixpath.join("docs", posixpath.dirname(page.file.src_uri))

    def replaced(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, link[1]))
        if path.startswith("docs/"):
            return link[0]
        return f"]({config.repo_url.rstrip('/')}/{BRANCH}/{path})"

    return _LINK.sub(replaced, markdown)


class MarkdownDocstrings(griffe.Extension):
    """Rewrites the docstrings of the package where griffe and Markdown read them differently.

    Doctests become code blocks, sections that griffe does not know get a title in bold, and public
    names in backquotes become links.
    """

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        targets = {f"{pkg.path}.{name}" for name in pkg.exports or ()}
        short = {target.rpartition(".")[2]: target for target in targets}
        for name in SUBMODULES:
            members = pkg[name].members.items()
            targets |= {f"{pkg.path}.{name}.{key}" for key, member in members if member.is_public}
        for found in _objects(pkg):
            if found.docstring:
                text = _sections(found.docstring.value, found.is_class)
                text = _NAME.sub(lambda name: _link(name, targets, short), text)
                found.docstring.value = _EXAMPLE.sub(_code_block, text)


def _objects(parent: griffe.Object) -> Iterator[griffe.Object]:
    yield parent
    for member in parent.members.values():
        if isinstance(member, griffe.Object):
            yield from _objects(member)


def _sections(text: str, in_class: bool) -> str:
    titles = ["Call arguments", "Input shape", "Output shape", "Reference"]
    # In a class, griffe finds no annotation of what a call returns.
    titles += ["Returns"] if in_class else []

    def markdown(section: re.Match[str]) -> str:
        body = re.sub(r"^ {4}", "", section[2], flags=re.MULTILINE)
        body = re.sub(r"^(\w+): ", r"- `\1`: ", body, flags=re.MULTILINE)
        return f"**{section[1]}:**\n\n{body}"

    return re.sub(_SECTION.format("|".join(titles)), markdown, text, flags=re.MULTILINE)


def _link(name: re.Match[str], targets: set[str], short: dict[str, str]) -> str:
    target = short.get(name[1], name[1])
    return f"[{name[0]}][{target}]" if target in targets else name[0]


def _code_block(example: re.Match[str]) -> str:
    title, indent = example[0].startswith("Example:"), example[1]
    code = re.sub(r"\s*# doctest: .*", "", example[0].removeprefix("Example:\n\n"))
    return f"{'**Example:**' * title}\n\n{indent}```pycon\n{code}\n{indent}```"
