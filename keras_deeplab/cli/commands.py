"""The command `keras-deeplab`: reads the sub-command and runs it; tab completion."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from keras_deeplab._validation import suggestion
from keras_deeplab._version import __version__
from keras_deeplab.cli import (
    check_data_command,
    convert_command,
    demo_command,
    evaluate_command,
    export_command,
    list_command,
    review_command,
    segment_command,
    train_command,
)
from keras_deeplab.cli.arguments import photos_after_crf
from keras_deeplab.cli.startup import FORESEEN, error_text, replace_unknown_characters
from keras_deeplab.presets.weights import WEIGHTS

# In the order of the help.
_COMMANDS = (
    segment_command,
    demo_command,
    check_data_command,
    train_command,
    evaluate_command,
    review_command,
    export_command,
    convert_command,
    list_command,
)

_EXAMPLES = """\
Masks and overlays of photos, with the network in the package, without a download:
  keras-deeplab segment photo.jpg
  keras-deeplab segment photos/ --out masks --crf
  keras-deeplab demo                                        the same in a browser

Another trained network:
  keras-deeplab list
  keras-deeplab segment street.jpg --model cityscapes

A network for your own classes, from photos and masks:
  keras-deeplab check-data --data photos
  keras-deeplab train --data photos --out runs/first
  keras-deeplab evaluate --data photos --model runs/first/best.keras
  keras-deeplab segment photo.jpg --model runs/first/best.keras

A file for phones and other runtimes:
  keras-deeplab export --model runs/first/best.keras --format tflite

All commands: keras-deeplab --help. Options of one: keras-deeplab train --help."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: Arguments. Default: those of the process.

    Returns:
        Exit code: 0 for success, 1 for an error, 2 for wrong usage.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    replace_unknown_characters()
    parser = _parser()
    _complete(parser)
    if not argv:
        print(_EXAMPLES)
        return 0
    arguments = parser.parse_args(photos_after_crf(argv))
    try:
        return int(arguments.run(arguments))
    except BrokenPipeError:
        # The reader has closed the pipe, as in `keras-deeplab list | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except FORESEEN as error:
        print(f"keras-deeplab: error: {error_text(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("keras-deeplab: interrupted", file=sys.stderr)
        return 130


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are short and name what is near to a misspelt command or option."""

    def error(self, message: str) -> NoReturn:
        command = re.match(r"argument COMMAND: invalid choice: '(.*?)'", message)
        unknown = re.match(r"unrecognized arguments: (-\S+)", message)
        if command:
            names = [name for action in self._actions for name in action.choices or ()]
            message = (
                f"There is no command {command[1]!r}.{suggestion(command[1], names)} Commands: "
                f"{', '.join(names)}"
            )
        elif unknown:
            options = [name for action in _actions(self) for name in action.option_strings]
            message += f".{suggestion(unknown[1], [x for x in options if x.startswith('--')])}"
        example = f"\n{self.epilog}" if self.epilog else ""
        self.exit(2, f"{self.prog}: error: {message}{example}\nSee: {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="keras-deeplab", description="Semantic segmentation of photos with DeepLab networks."
    )
    parser.add_argument("--version", action="version", version=f"keras-deeplab {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add_parser(commands)
    return parser


def _complete(parser: argparse.ArgumentParser) -> None:
    """Prints completions and exits, if a shell asks for them; otherwise returns.

    Shells ask for them after ``eval "$(register-python-argcomplete keras-deeplab)"``.
    """
    if "_ARGCOMPLETE" not in os.environ:
        return
    import argcomplete

    for action in _actions(parser):
        if "--model" in action.option_strings:
            action.completer = _models  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser)


def _models(prefix: str, **_: Any) -> list[str]:
    from argcomplete.completers import FilesCompleter

    names = [*dict.fromkeys(row.dataset for row in WEIGHTS.values()), *WEIGHTS]
    return [*(name for name in names if name.startswith(prefix)), *FilesCompleter()(prefix)]


def _actions(parser: argparse.ArgumentParser) -> Iterable[argparse.Action]:
    """Yields the arguments of a parser and its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
