"""Turns a run of `train.py` into the file that the package carries, and prints what its row says.

    python tools/train_bundled/pack.py RUN/averaged.npz

The row is in keras_deeplab/tables/weights.py.
"""

from __future__ import annotations

import argparse
import pathlib

import numpy as np

import keras_deeplab
from keras_deeplab.tables.weights import WEIGHTS
from keras_deeplab.weights.convert.arrays import write_arrays
from keras_deeplab.weights.files import file_sha256

ROW = WEIGHTS["deeplab_v3_plus_efficientnet_lite0.voc"]
TARGET = pathlib.Path(keras_deeplab.__file__).parent / "weights" / "bundled" / ROW.file


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=pathlib.Path)
    options = parser.parse_args()
    with np.load(options.weights) as file:
        write_arrays(TARGET, {name: file[name] for name in file.files})
    print(f'sha256="{file_sha256(TARGET)}",\nnum_bytes={TARGET.stat().st_size:_},')


if __name__ == "__main__":
    main()
