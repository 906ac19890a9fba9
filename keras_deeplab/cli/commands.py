"""The command `keras-deeplab`: reads the sub-command and runs it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from keras_deeplab._version import __version__
from keras_deeplab.cli import (
    check_data_command,
    convert_command,
    demo_command,
    evaluate_command,
    export_command,
    list_command,
    segment_command,
    train_command,
)
from keras_deeplab.cli.startup import FORESEEN

# In the order of the help.
_COMMANDS = (
    segment_command,
    demo_command,
    check_data_command,
    train_command,
    evaluate_command,
    export_command,
    convert_command,
    list_command,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: Arguments. Default: those of the process.

    Returns:
        Exit code: 0 for success, 1 for an error, 2 for wrong usage.
    """
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except BrokenPipeError:
        # The reader has closed the pipe, as in `keras-deeplab list | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except FORESEEN as error:
        print(f"keras-deeplab: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("keras-deeplab: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="keras-deeplab", description="Semantic segmentation of photos with DeepLab networks."
    )
    parser.add_argument("--version", action="version", version=f"keras-deeplab {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add_parser(commands)
    return parser
