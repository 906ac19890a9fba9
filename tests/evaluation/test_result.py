import json

import numpy as np
import pytest

from keras_deeplab.evaluation import Evaluation, ImageResult


@pytest.fixture
def evaluation() -> Evaluation:
    # Class 0: 6 of 8; class 1: predicted only; class 2: 2 of 3; class 3: never.
    confusion = np.array([[6, 1, 1, 0], [0, 0, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0]])
    return Evaluation(
        model="m",
        class_names=("a", "b", "c", "d"),
        palette=((0, 0, 0),) * 4,
        ignore_class=255,
        protocol={},
        confusion=confusion,
        trimap=np.stack([confusion // 2, confusion]),
        boundary=np.array([[3, 0, 1, 0], [4, 1, 2, 0]]),
        images=tuple(ImageResult("i", 2, 5, 0.5, 0.8, seconds) for seconds in (9.0, 1.0, 2.0)),
    )


def test_measures_by_hand(evaluation: Evaluation):
    ious = [6 / 8, 0, 2 / 3, np.nan]
    np.testing.assert_allclose(evaluation.class_iou, ious)
    assert evaluation.mean_iou == pytest.approx((6 / 8 + 0 + 2 / 3) / 3)
    assert evaluation.mean_iou_in_truth == pytest.approx((6 / 8 + 2 / 3) / 2)
    assert evaluation.pixel_accuracy == pytest.approx(8 / 10)
    assert evaluation.frequency_weighted_iou == pytest.approx((8 * 6 / 8 + 2 * 2 / 3) / 10)
    np.testing.assert_allclose(evaluation.class_boundary_iou, [3 / 4, 0, 1 / 2, np.nan])
    assert evaluation.boundary_iou == pytest.approx((3 / 4 + 0 + 1 / 2) / 3)
    np.testing.assert_allclose(evaluation.trimap_mean_iou, [1, evaluation.mean_iou])
    np.testing.assert_allclose(evaluation.trimap_accuracy, [1, 0.8])
    assert evaluation.seconds_per_image == 2.0


def test_plain_values_are_json(evaluation: Evaluation):
    values = evaluation.to_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert values["format_version"] == 2
    assert values["class_iou"][3] is None
    assert values["class_boundary_iou"] == [3 / 4, 0, 1 / 2, None]
    assert values["palette"] == [[0, 0, 0]] * 4
    assert values["images"][0] == {
        "name": "i", "height": 2, "width": 5, "mean_iou": 0.5, "pixel_accuracy": 0.8,
        "seconds": 9.0,
    }  # fmt: skip
    lost = Evaluation(**{**vars(evaluation), "images": (ImageResult("j", 1, 1, np.nan, 0, 1.0),)})
    assert lost.to_dict()["images"][0]["mean_iou"] is None
