import keras
import numpy as np
import pytest

from keras_deeplab.inference import Scores, predict_scores, resized_labels, resized_scores
from tests.layers.test_resize_bilinear import reference


def mean_model(shape=(None, None, 3)) -> keras.Model:
    """Scores are the pixel's own levels."""
    image = keras.Input(shape)
    return keras.Model(image, keras.layers.Rescaling(1.0)(image))


@pytest.mark.parametrize(
    ("photo", "expected"),
    [((40, 80), (32, 64)), ((80, 40), (64, 32)), ((1, 1), (64, 64)), ((3, 900), (1, 64))],
)
def test_the_photo_is_fitted_in(photo, expected):
    scores = predict_scores(mean_model(), np.zeros((*photo, 3), "uint8"), size=(64, 64))
    assert scores.scores.shape[:2] == expected
    assert (scores.height, scores.width) == photo


def test_fixed_models_get_the_photo_padded_with_grey():
    seen = []

    class Spy:
        input_shape = (None, 48, 64, 3)

        def predict_on_batch(self, x):
            seen.append(x)
            return x.astype("float32")

    image = np.full((30, 20, 3), 9, "uint8")
    scores = predict_scores(Spy(), image, size=(999, 999))
    (x,) = seen
    assert x.shape == (1, 48, 64, 3)
    assert (x[0, :, :32] == 9).all()
    assert (x[0, :, 32:] == 127).all()
    assert scores.scores.shape == (48, 32, 3)


def test_size_must_be_a_positive_int():
    with pytest.raises(ValueError, match="size must be at least 1"):
        predict_scores(mean_model(), np.zeros((4, 4, 3), "uint8"), size=(4, 0))


@pytest.mark.parametrize("target", [(20, 31), (5, 4), (9, 9)])
def test_resized_scores_and_labels_equal_the_reference(target, rng, monkeypatch):
    monkeypatch.setattr(
        "keras_deeplab.inference.scores._BLOCK_PIXELS", 60
    )  # several blocks of rows
    scores = rng.normal(size=(9, 9, 6)).astype("float32")
    scores[..., 4] = scores.min(axis=-1) - 1  # a class that can't win
    expected = reference(scores, target, align_corners=False)
    np.testing.assert_allclose(resized_scores(Scores(scores, *target)), expected, atol=1e-5)
    np.testing.assert_array_equal(resized_labels(Scores(scores, *target)), expected.argmax(-1))


def test_a_class_that_is_second_everywhere_can_win_between():
    scores = np.array([[[10.0, 0.0, 9.0], [0.0, 10.0, 9.0]]])
    assert resized_labels(Scores(scores, 1, 6)).tolist() == [[0, 0, 2, 2, 1, 1]]


def test_labels_above_255_are_kept():
    scores = np.zeros((1, 1, 300), "float32")
    scores[..., 299] = 1
    labels = resized_labels(Scores(scores, 2, 2))
    assert labels.dtype == np.uint16
    assert (labels == 299).all()


def test_labels_of_the_network_itself_are_taken_from_the_nearest_pixel():
    scores = Scores(np.array([[1, 2], [3, 20]]), 4, 2)
    assert resized_labels(scores).tolist() == [[1, 2], [1, 2], [3, 20], [3, 20]]
    assert resized_labels(scores).dtype == np.uint8
    assert resized_labels(Scores(np.array([[1, 900]]), 1, 1)).tolist() == [[900]]
