import numpy as np
import pytest

from keras_deeplab import DenseCRF
from keras_deeplab.inference import Scores
from keras_deeplab.inference.interpolation import softmax

PHOTO = np.zeros((1, 4, 3), "uint8")
LOGITS = np.array([[[1.0, 0.0], [0.0, 2.0]]], "float32")


def test_labels_at_the_size_of_the_photo():
    scores = Scores(LOGITS, "logits", PHOTO)
    assert scores.size == (1, 2)
    assert scores.labels().tolist() == [[0, 0, 1, 1]]


def test_labels_of_the_network_itself_are_taken_from_the_nearest_pixel():
    scores = Scores(np.array([[1, 2], [3, 20]]), "labels", np.zeros((4, 2, 3), "uint8"))
    assert scores.labels().tolist() == [[1, 2], [1, 2], [3, 20], [3, 20]]
    assert scores.labels().dtype == np.uint8
    assert Scores(np.array([[900]]), "labels", PHOTO).labels().tolist() == [[900] * 4]


def test_probabilities_of_logits_and_of_probabilities():
    # Half-pixel positions of four pixels over two: 0, 0.25, 0.75, 1.
    first, second = LOGITS[0]
    between = [first, first * 0.75 + second * 0.25, first * 0.25 + second * 0.75, second]
    result = Scores(LOGITS, "logits", PHOTO).probabilities()
    np.testing.assert_allclose(result[0], softmax(np.array(between)), rtol=1e-6)
    given = np.array([[[0.8, 0.2], [0.4, 0.6]]], "float32")
    result = Scores(given, "probabilities", PHOTO).probabilities()
    np.testing.assert_allclose(result[0, :, 0], [0.8, 0.7, 0.5, 0.4], rtol=1e-6)


def test_the_crf_gets_logits_or_probabilities():
    crf = DenseCRF(num_iterations=0)
    expected = softmax(LOGITS.copy())
    for kind, values in (("logits", LOGITS), ("probabilities", expected)):
        refined = Scores(values, kind, PHOTO, seconds=3.0).refined(crf)
        assert (refined.kind, refined.seconds) == ("probabilities", 3.0)
        np.testing.assert_allclose(refined.values, expected, atol=1e-6)


def test_the_crf_sees_the_photo_at_the_size_of_the_scores(rng):
    """A step in the photo keeps the labels on either side apart; without it, one wins."""
    values = np.full((6, 8, 2), 0.5, "float32")
    values[:, :4, 0] = values[:, 4:, 1] = 0.9
    values[..., 1] = np.where(values[..., 0] == 0.9, 0.1, values[..., 1])
    values[2, 5] = (0.6, 0.4)
    step = np.zeros((12, 16, 3), "uint8")
    step[:, 8:] = 250
    crf = DenseCRF(bilateral_weight=5, theta_alpha=10, theta_beta=10, spatial_weight=0)
    labels = Scores(values, "probabilities", step).refined(crf).values.argmax(-1)
    assert labels.tolist() == [[0] * 4 + [1] * 4] * 6


def test_probabilities_that_are_called_logits_are_refused():
    with pytest.raises(ValueError, match=r"open_segmenter\(model, from_logits=False\)"):
        Scores(softmax(LOGITS.copy()), "logits", PHOTO).refined(DenseCRF())


def test_labels_have_no_probabilities():
    scores = Scores(np.array([[1]]), "labels", PHOTO)
    with pytest.raises(ValueError, match="must return scores for probabilities"):
        scores.probabilities()
    with pytest.raises(ValueError, match="must return scores for a CRF"):
        scores.refined(DenseCRF())
