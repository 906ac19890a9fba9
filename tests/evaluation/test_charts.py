import numpy as np

from keras_deeplab.evaluation.charts import curves, heat_map


def test_curves_place_values_by_hand():
    svg = curves([("iou", "mean IoU", np.array([0.5, 0.6, np.nan]))], label="a & b")
    # The axis runs from 45 % at 276 to 65 % at 12, and widths 1 to 3 from 60 to 628.
    assert 'points="60.0,210.0 344.0,78.0"' in svg
    assert 'aria-label="a &amp; b"' in svg


def test_cells_are_shares_of_the_true_pixels():
    svg = heat_map(np.array([[75, 25], [0, 0]]), ["a", "b<"])
    assert "a predicted as b&lt;: 25.0 % of its pixels" in svg
    assert svg.count('class="right"') == svg.count('class="wrong"') == 1


def test_many_classes_stay_small():
    many = heat_map(np.eye(150, dtype=int), [f"class {i}" for i in range(150)])
    assert len(many) < 100_000
