"""Draws the curves of a training run, as `train` does in the folder of the run.

python tools/plot_log.py RUN/log.csv curves.png
"""

import argparse
from pathlib import Path

from keras_deeplab.training.callbacks import read_log
from keras_deeplab.visualize import training_curves


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("log", help="log.csv of the run")
    parser.add_argument("picture", help="PNG to write")
    options = parser.parse_args()
    Path(options.picture).write_bytes(training_curves(read_log(Path(options.log))))


if __name__ == "__main__":
    main()
