"""`keras-deeplab convert`: published checkpoints as `.keras` files."""

from __future__ import annotations

import argparse
from typing import Any

from keras_deeplab.cli.startup import quiet_start
from keras_deeplab.presets.weights import WEIGHTS


def add_parser(commands: Any) -> None:
    """Adds the command."""
    converters = sorted({row.converter for row in WEIGHTS.values()})
    conversion = commands.add_parser(
        "convert",
        help="convert a published checkpoint to a .keras file",
        description="Loads a published checkpoint into a network and saves it as a .keras file, "
        "for segment --model and DeepLab(weights=...).",
        epilog="Example: keras-deeplab convert deeplabv3_pascal_train_aug_2018_01_04.tar.gz "
        "--converter tf_slim --network deeplab_v3_plus_xception_65 --out xception.keras",
    )
    conversion.add_argument("source", metavar="SOURCE", help="the published file")
    conversion.add_argument(
        "--converter",
        required=True,
        metavar="NAME",
        help=f"reader of the file: {', '.join(converters)}",
    )
    conversion.add_argument(
        "--network", required=True, metavar="ROW", help="network, see 'keras-deeplab list'"
    )
    conversion.add_argument("--out", required=True, metavar="FILE.keras", help="file to write")
    conversion.add_argument(
        "--member", default="", metavar="NAME", help="weights in an archive with several"
    )
    conversion.set_defaults(run=_convert)


def _convert(arguments: argparse.Namespace) -> int:
    with quiet_start():
        import keras

        keras.ops.zeros(1)
    from keras_deeplab.weights.conversion import convert

    model = convert(
        arguments.source,
        arguments.out,
        converter=arguments.converter,
        network=arguments.network,
        member=arguments.member,
    )
    classes = model.output_shape[-1]
    print(f"{arguments.source}: {arguments.network} with {classes} classes\n  {arguments.out}")
    return 0
