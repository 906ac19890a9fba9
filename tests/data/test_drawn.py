from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.data import draw_dataset, read_dataset
from keras_deeplab.data.checks.label_check import check_data


def test_pictures_pass_the_label_check_and_follow_from_the_seed(tmp_path: Path):
    options = dict(splits={"train": 8, "val": 4}, size=(96, 128))
    folder = draw_dataset(tmp_path / "photos", **options)
    report = check_data(folder)
    assert report.findings == ()
    assert report.class_names == ("background", "balloon", "kite")
    assert {name: one.images for name, one in report.splits.items()} == options["splits"]
    assert (report.splits["train"].shares() > 0.02).all()
    again = read_dataset(draw_dataset(tmp_path / "again", **options), "val")[3]
    other = read_dataset(draw_dataset(tmp_path / "other", seed=1, **options), "val")[3]
    first = read_dataset(folder, "val")[3]
    assert first["image"].shape == (96, 128, 3)
    np.testing.assert_array_equal(first["image"], again["image"])
    assert (first["image"] != other["image"]).mean() > 0.5


def test_what_is_drawn_stands_where_the_mask_says(tmp_path: Path):
    """Objects have colours of their own: a mask that is shifted would mix them with the sky's."""
    (element,) = read_dataset(draw_dataset(tmp_path, splits={"train": 1}), "train")
    image, labels = element["image"].astype(float), element["labels"]
    edges = np.abs(np.diff(image, axis=1)).sum(-1)
    borders = labels[:, 1:] != labels[:, :-1]
    assert np.median(edges[borders]) > 3 * np.median(edges[~borders])


def test_numbers_that_are_too_small(tmp_path: Path):
    with pytest.raises(ValueError, match="size"):
        draw_dataset(tmp_path, size=(8, 64))
    with pytest.raises(ValueError, match="splits"):
        draw_dataset(tmp_path, splits={"train": 0})
