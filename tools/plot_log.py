"""Draws the curves of a training run; wants matplotlib.

python tools/plot_log.py RUN/log.csv curves.png
"""

import argparse
import csv


def main() -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("log", help="log.csv of the run")
    parser.add_argument("picture", help="PNG to write")
    options = parser.parse_args()
    with open(options.log, newline="") as file:
        rows = list(csv.DictReader(file))
    panels = (("loss", "val_loss"), ("mean_iou", "val_mean_iou"), ("learning_rate",))
    figure, axes = pyplot.subplots(1, 3, figsize=(12, 3.5), layout="constrained")
    for axis, names in zip(axes, panels, strict=True):
        for name in names:
            known = [(int(row["epoch"]), float(row[name])) for row in rows if row.get(name)]
            axis.plot(*zip(*known, strict=True), marker=".", label=name.replace("_", " "))
        axis.set_xlabel("epoch")
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(options.picture, dpi=90)


if __name__ == "__main__":
    main()
