import re

import numpy as np
import pytest

from keras_deeplab.evaluation.charts import Line, curves, heat_map


def test_curves_place_values_by_hand():
    line = Line("iou", "mean IoU", [(1, 0.5), (2, 0.6), (3, np.nan)])
    svg = curves([line], label="a & b", across="x < y", form=lambda share: f"{100 * share:.0f} %")
    # The axis runs from 48 % at 270 to 62 % at 14, and 1 to 2 from 63 to 620.
    assert 'points="63.0,233.4 620.0,50.6"' in svg
    assert 'aria-label="a &amp; b"' in svg
    assert "x &lt; y</text>" in svg
    assert re.findall(r">(\d+) %<", svg) == [str(share) for share in range(48, 63, 2)]


def test_axes_of_epochs():
    svg = curves(
        [Line("", "", [(epoch, 1 / epoch) for epoch in range(1, 41)])], label="", across=""
    )
    assert re.findall(r'class="middle"[^>]*>(\d+)<', svg) == ["1", *map(str, range(5, 41, 5))]
    # Shares stay between 0 and 1.
    assert re.findall(r'class="end"[^>]*>([\d.]+)<', svg) == ["0", "0.2", "0.4", "0.6", "0.8", "1"]


@pytest.mark.parametrize(
    "points", [[], [(7, 0.25)], [(1, 3e-4), (2, 3e-4)], [(1, np.nan)], [(1, np.inf)]]
)
def test_few_values_are_drawn(points):
    svg = curves([Line("", "loss", points)], label="", across="epoch")
    assert "nan" not in svg
    assert "inf" not in svg
    drawn = re.findall(r'points="(.*?)"', svg)[0].split()
    # A single value is a dot.
    assert len(drawn) == (2 if points and np.isfinite(points[0][1]) else 0)


def test_classes_that_do_not_occur_are_left_out():
    svg = heat_map(np.array([[3, 0, 1], [0, 0, 0], [0, 0, 0]]), ["sky", "absent", "predicted"])
    assert "absent" not in svg
    assert svg.count(">predicted<") == 2
    assert "sky predicted as predicted: 25.0 % of its pixels" in svg
    assert heat_map(np.zeros((2, 2), int), ["a", "b"]).endswith("</svg>")


def test_cells_are_shares_of_the_true_pixels():
    svg = heat_map(np.array([[75, 25], [0, 0]]), ["a", "b<"])
    assert "a predicted as b&lt;: 25.0 % of its pixels" in svg
    assert svg.count('class="right"') == svg.count('class="wrong"') == 1


def test_many_classes_stay_small():
    many = heat_map(np.eye(150, dtype=int), [f"class {i}" for i in range(150)])
    assert len(many) < 100_000
