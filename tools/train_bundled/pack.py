"""Turns a run of `train.py` into the file that the package carries.

    python tools/train_bundled/pack.py RUN/averaged_STEP.npz [--share 0.3]

The weights are mixed with those that training started from: on the way, the network keeps more of
what the published one knows about photos that training did not show (Wortsman et al.,
arXiv:2109.01903).

Prints what its row in keras_deeplab/presets/weights.py says of it.
"""

from __future__ import annotations

import argparse
import pathlib

import numpy as np

import keras_deeplab
from keras_deeplab import DeepLab
from keras_deeplab.weights import named_weights
from keras_deeplab.weights.download import file_sha256
from keras_deeplab.weights.readers.arrays import write_arrays

NAME = "deeplab_v3_mobilenet_v2.voc.npz"
START = "deeplab_v3_mobilenet_v2.voc_trainaug"
TARGET = pathlib.Path(keras_deeplab.__file__).parent / "weights" / "bundled" / NAME


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=pathlib.Path)
    parser.add_argument("--share", type=float, default=0.3, help="of the trained weights")
    options = parser.parse_args()
    TARGET.parent.mkdir(exist_ok=True)
    with np.load(options.weights) as file:
        trained = {name: file[name] for name in file.files}
    start = {name: np.asarray(v) for name, v in named_weights(DeepLab(START)).items()}
    mixed = {k: (1 - options.share) * start[k] + options.share * trained[k] for k in start}
    write_arrays(TARGET, mixed)
    print(f'file="{NAME}",\nsha256="{file_sha256(TARGET)}",\nnum_bytes={TARGET.stat().st_size:_},')


if __name__ == "__main__":
    main()
