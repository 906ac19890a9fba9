"""Writes index.csv for a folder of COCO photos from image-level labels and captions.

    python tools/train_bundled/index_coco.py train.csv test.csv --exclude FILE --out index.csv

The CSV files have the columns ImageID, Labels (COCO category ids between spaces; may be missing)
and Caption. Twelve of VOC's classes are annotated, so for these a photo tells which it shows and
which it does not. Cows and sheep are ruled out where the caption names a wild animal and neither
of them.
"""

from __future__ import annotations

import argparse
import csv
import pathlib
import re

VOC_OF_COCO = {
    1: "person",
    2: "bicycle",
    3: "car",
    4: "motorbike",
    5: "aeroplane",
    6: "bus",
    7: "train",
    9: "boat",
    16: "bird",
    17: "cat",
    18: "dog",
    19: "horse",
}
_WILD = re.compile(r"\b(elephant|giraffe|zebra|bear|rhino|hippo|lion|tiger|monkey|teddy)", re.I)
_CATTLE = re.compile(r"\b(cow|cattle|bull|calf|calves|ox|oxen|sheep|lamb|ram|goat|herd)", re.I)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", type=pathlib.Path, nargs="+")
    parser.add_argument("--exclude", type=pathlib.Path, help="numbers of photos to leave out")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    excluded = set(options.exclude.read_text().split()) if options.exclude else set()
    with options.out.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["id", "present", "absent", "exclude"])
        for table in options.tables:
            with table.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    writer.writerow(described(row, excluded))


def described(row: dict[str, str], excluded: set[str]) -> list[str]:
    """Returns a photo's id, classes present, classes absent, and whether it is left out."""
    stem = pathlib.Path(row["ImageID"]).stem
    present, absent = [], []
    if row.get("Labels"):
        labels = {int(label) for label in row["Labels"].split()}
        for number, name in VOC_OF_COCO.items():
            (present if number in labels else absent).append(name)
    if _WILD.search(row["Caption"]) and not _CATTLE.search(row["Caption"]):
        absent += ["cow", "sheep"]
    return [stem, " ".join(present), " ".join(absent), "yes" * (stem in excluded)]


if __name__ == "__main__":
    main()
