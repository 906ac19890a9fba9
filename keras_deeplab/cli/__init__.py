"""The command `keras-deeplab`: one module per sub-command."""

from keras_deeplab.cli.commands import main

__all__ = ["main"]
