import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from keras_deeplab import evaluate
from keras_deeplab.evaluation.gallery import gallery


def decoded(figure: dict) -> np.ndarray:
    kind, _, data = figure["source"].partition(",")
    assert kind == "data:image/jpeg;base64"
    array = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert array.shape == (figure["height"], figure["width"], 3)
    return array.astype(int)


@pytest.fixture
def result(model, examples):
    return evaluate(model, examples, size="own", pictures=1, progressbar=False)


def test_the_worst_come_first(result):
    (worst_title, (worst,)), (best_title, (best,)) = gallery(result)
    assert (worst_title, best_title) == ("Worst images", "Best images")
    assert worst["mean_iou"] == (min(image.mean_iou for image in result.images),)
    assert best["mean_iou"] == (max(image.mean_iou for image in result.images),)
    assert [figure["caption"] for figure in worst["figures"]] == [
        "Image",
        "Truth",
        "Prediction",
        "Errors",
    ]
    assert set(worst["labels"]) == {0, 1, 2}


def test_wrong_pixels_are_red(result):
    picture = result.pictures[0]
    truth = np.zeros((32, 32), "uint8")
    labels = truth.copy()
    labels[:, 16:] = 1
    truth[:8] = 255
    grey = np.full((32, 32, 3), 90, "uint8")
    picture = replace(picture, image=grey, truth=truth, labels=(labels,), mean_iou=(0.5,))
    (_, (shown,)), _ = gallery(replace(result, pictures=(picture,)))
    errors = decoded(shown["figures"][3])
    # 110 + 0.45 * 90 where it is right or unknown; a quarter of it and the red where it is wrong.
    # JPEG is exact to a few levels away from edges.
    np.testing.assert_allclose(errors[10:, :12], 150, atol=6)
    np.testing.assert_allclose(errors[:5], 150, atol=6)
    np.testing.assert_allclose(
        errors[12:, 20:], np.broadcast_to((206, 59, 92), (20, 12, 3)), atol=9
    )
