"""Tab completion of commands, options, model names and files, by argcomplete."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from typing import Any

from keras_deeplab.presets.weights import WEIGHTS


def complete(parser: argparse.ArgumentParser) -> None:
    """Prints completions and exits, if a shell asks for them; otherwise returns.

    Shells ask for them after ``eval "$(register-python-argcomplete keras-deeplab)"``.
    """
    if "_ARGCOMPLETE" not in os.environ:
        return
    import argcomplete

    for action in all_actions(parser):
        if "--model" in action.option_strings:
            action.completer = _models  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser)


def _models(prefix: str, **_: Any) -> list[str]:
    from argcomplete.completers import FilesCompleter

    names = [*dict.fromkeys(row.dataset for row in WEIGHTS.values()), *WEIGHTS]
    return [*(name for name in names if name.startswith(prefix)), *FilesCompleter()(prefix)]


def all_actions(parser: argparse.ArgumentParser) -> Iterable[argparse.Action]:
    """Yields the arguments of a parser and its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from all_actions(command)
