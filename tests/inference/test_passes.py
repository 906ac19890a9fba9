import itertools

import keras
import numpy as np
import pytest

from keras_deeplab.inference import Passes, Scores, predict, resized_scores, softmax
from keras_deeplab.inference.passes import _starts, _tiles


class Spy:
    """Scores are the pixel's own levels, and what its column adds to the first."""

    def __init__(self, shape=(None, None, None, 3), slope=0.0):
        self.input_shape = shape
        self.slope = slope
        self.seen = []

    def predict_on_batch(self, x):
        self.seen.append(x.copy())
        scores = x.astype("float32") / 100
        scores[..., 0] += self.slope * np.arange(x.shape[2])
        return scores


@pytest.fixture
def image(rng) -> np.ndarray:
    return rng.integers(0, 256, (20, 30, 3)).astype("uint8")


def test_one_pass_returns_the_networks_own_scores(image):
    result = predict(Spy(), image, Passes((40, 60)))
    assert result.scores.shape == (40, 60, 3)
    np.testing.assert_array_equal(result.scores, result.image.astype("float32") / 100)
    assert not Passes((40, 60)).are_averaged


def test_own_size(image):
    model = Spy()
    result = predict(model, image, Passes(None))
    np.testing.assert_array_equal(model.seen[0][0], image)
    np.testing.assert_array_equal(result.image, image)


def test_scales_are_the_mean_of_probabilities_at_the_fitted_size():
    """The identity network on a plain photo: every scale gives the same probabilities."""
    image = np.full((20, 30, 3), (10, 100, 250), "uint8")
    model = Spy()
    result = predict(model, image, Passes((33, 33), scales=(0.5, 1, 1.75)))
    assert [x.shape[1:3] for x in model.seen] == [(17, 17), (33, 33), (57, 57)]
    assert result.scores.shape == (22, 33, 3)
    assert (result.height, result.width) == (20, 30)
    expected = softmax(np.array([0.1, 1.0, 2.5], "float32"))
    np.testing.assert_allclose(result.scores, np.broadcast_to(expected, (22, 33, 3)), atol=1e-6)


def test_two_scales_by_hand(image):
    model = Spy()
    result = predict(model, image, Passes(None, scales=(1, 0.5)), from_logits=False)
    half = model.seen[1][0, :10].astype("float32") / 100
    expected = (image.astype("float32") / 100 + resized_scores(Scores(half, 20, 30))) / 2
    np.testing.assert_allclose(result.scores, expected, atol=1e-6)


def test_flip_makes_any_network_mirror_equivariant(image):
    passes = Passes((20, 30), flip=True)
    plain = predict(Spy(slope=0.05), image, passes).scores
    mirrored = predict(Spy(slope=0.05), image[:, ::-1], passes).scores
    np.testing.assert_allclose(mirrored, plain[:, ::-1], atol=1e-6)
    once = predict(Spy(slope=0.05), image, Passes((20, 30))).scores
    assert np.abs(softmax(once) - plain).max() > 0.01


@pytest.mark.parametrize(("length", "side"), [(5, 9), (9, 9), (10, 9), (40, 9), (1000, 513)])
def test_windows_cover_and_overlap_by_a_third(length, side):
    starts = _starts(length, side)
    assert starts[0] == 0
    assert starts[-1] == max(0, length - side)
    assert all(b - a <= side * 2 / 3 + 1 for a, b in itertools.pairwise(starts))


def test_windows_of_a_pixelwise_network_are_the_whole(image):
    model = Spy()
    result = predict(model, image, Passes((9, 13), sliding_window=True))
    assert {x.shape for x in model.seen} == {(1, 9, 13, 3)}
    assert len(model.seen) == len(list(_tiles((20, 30), (9, 13))))
    np.testing.assert_allclose(result.scores, softmax(image.astype("float32") / 100), atol=1e-6)


def test_a_window_larger_than_the_photo_is_padded_not_enlarged(image):
    model = Spy()
    result = predict(model, image, Passes((64, 64), sliding_window=True))
    (x,) = model.seen
    np.testing.assert_array_equal(x[0, :20, :30], image)
    assert (x[0, 20:] == 127).all()
    assert result.scores.shape == (20, 30, 3)


def test_windows_over_scales_and_a_fixed_network(image):
    model = Spy((None, 9, 13, 3))
    result = predict(model, image, Passes((99, 99), (0.5, 2), flip=True, sliding_window=True))
    assert {x.shape for x in model.seen} == {(1, 9, 13, 3)}
    np.testing.assert_allclose(result.scores.sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("passes", "words"),
    [
        (Passes((9, 13), scales=(0.5, 1)), "several scales. Received: one that takes 9x13"),
        (Passes(None), "see photos at their own. Received: one that takes 9x13"),
    ],
)
def test_fixed_networks_say_what_they_cannot(image, passes, words):
    with pytest.raises(ValueError, match=words):
        predict(Spy((None, 9, 13, 3)), image, passes)


def test_labels_have_no_mean(image):
    class Labels(Spy):
        def predict_on_batch(self, x):
            return x[..., 0].astype("int64")

    assert predict(Labels(), image, Passes((20, 30))).scores.shape == (20, 30)
    with pytest.raises(ValueError, match="must return scores to be run several times"):
        predict(Labels(), image, Passes((20, 30), flip=True))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(size=(0, 4)), "size must be at least 1"),
        (dict(size=(4, 4), scales=()), "scales must be one or more"),
        (dict(size=(4, 4), scales=(50.0,)), "scales must be one or more factors from 0.1 to 8"),
        (dict(size=None, sliding_window=True), "must have a size"),
    ],
)
def test_wrong_settings(options, words):
    with pytest.raises(ValueError, match=words):
        Passes(**options)


def test_a_keras_model(image):
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Rescaling(0.01)])
    result = predict(model, image, Passes((20, 30), scales=(1, 1.5), flip=True))
    np.testing.assert_allclose(result.scores.sum(-1), 1, atol=1e-5)
