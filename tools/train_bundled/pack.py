"""Turns a run of `train.py` into the file that the package carries.

    python tools/train_bundled/pack.py RUN/averaged.npz

Prints what its row in keras_deeplab/presets/weights.py says of it.
"""

from __future__ import annotations

import argparse
import pathlib

import numpy as np

import keras_deeplab
from keras_deeplab.weights.download import file_sha256
from keras_deeplab.weights.readers.arrays import write_arrays

NAME = "deeplab_v3_mobilenet_v2.voc.npz"
TARGET = pathlib.Path(keras_deeplab.__file__).parent / "weights" / "bundled" / NAME


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=pathlib.Path)
    options = parser.parse_args()
    TARGET.parent.mkdir(exist_ok=True)
    with np.load(options.weights) as file:
        write_arrays(TARGET, {name: file[name] for name in file.files})
    print(f'file="{NAME}",\nsha256="{file_sha256(TARGET)}",\nnum_bytes={TARGET.stat().st_size:_},')


if __name__ == "__main__":
    main()
