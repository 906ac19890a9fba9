from dataclasses import replace

import keras
import numpy as np
import pytest
from PIL import Image

from keras_deeplab import open_segmenter
from keras_deeplab.inference import DenseCRF, InferenceOptions, Scores, Segmenter
from keras_deeplab.inference.fitting import windows
from keras_deeplab.inference.interpolation import resized_scores, softmax
from keras_deeplab.inference.streaming import WORKERS


class Spy:
    """Scores are the pixel's own levels, and what its column adds to the first."""

    def __init__(self, shape=(None, None, None, 3), slope=0.0, output="logits", batch_size=1):
        self.slope = slope
        self.seen = []
        self.segmenter = Segmenter(
            self.run,
            shape,
            output,
            ("a", "b", "c"),
            ((0, 0, 0),) * 3,
            255,
            (20, 30),
            "spy",
            batch_size,
        )

    def run(self, x):
        self.seen.append(x.copy())
        scores = x.astype("float32") / 100
        scores[..., 0] += self.slope * np.arange(x.shape[2])
        return scores


def predict(spy: Spy, image: np.ndarray, **options) -> Scores:
    (scores,) = spy.segmenter.predict([image], InferenceOptions(**options))
    return scores


@pytest.fixture
def image(rng) -> np.ndarray:
    return rng.integers(0, 256, (20, 30, 3)).astype("uint8")


def test_one_run_returns_the_networks_own_scores(image):
    result = predict(Spy(), image, size=(40, 60))
    fitted = Image.fromarray(image).resize((60, 40), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(result.values, np.asarray(fitted, "float32") / 100)
    assert result.kind == "logits"
    np.testing.assert_array_equal(result.photo, image)
    assert result.seconds > 0


def test_the_size_is_the_networks_unless_told(image):
    assert predict(Spy(), image[:10]).size == (10, 30)
    assert predict(Spy(), image, size=40).size == (27, 40)
    assert predict(Spy((None, 48, 64, 3)), image, size=999).size == (43, 64)


def test_own_size(image):
    model = Spy()
    result = predict(model, image, size="own")
    np.testing.assert_array_equal(model.seen[0][0], image)
    np.testing.assert_array_equal(result.values, image.astype("float32") / 100)


def test_photos_of_fixed_networks_are_padded_with_grey():
    model = Spy((None, 48, 64, 3))
    result = predict(model, np.full((30, 20, 3), 9, "uint8"))
    (x,) = model.seen
    assert x.shape == (1, 48, 64, 3)
    assert (x[0, :, :32] == 9).all()
    assert (x[0, :, 32:] == 127).all()
    assert result.size == (48, 32)


def test_batches_give_what_single_photos_do(rng):
    """Photos of other shapes share a batch; the last is filled up with the photo before."""
    photos = [
        rng.integers(0, 256, (*size, 3)).astype("uint8")
        for size in ((20, 30), (30, 20), (7, 9), (40, 44), (20, 30))
    ]
    for options in (dict(size=33), dict(size=33, scales=(0.5, 1), flip=True)):
        alone = [predict(Spy(), photo, **options) for photo in photos]
        model = Spy()
        batched = list(model.segmenter.predict(photos, InferenceOptions(**options, batch_size=2)))
        assert {len(x) for x in model.seen} == {2}
        np.testing.assert_array_equal(model.seen[-1][0], model.seen[-1][1])
        for one, other, photo in zip(alone, batched, photos, strict=True):
            np.testing.assert_array_equal(one.values, other.values)
            np.testing.assert_array_equal(other.photo, photo)


def test_a_batch_alone_is_not_filled(image):
    model = Spy()
    list(model.segmenter.predict([image] * 2, InferenceOptions(batch_size=4)))
    assert [len(x) for x in model.seen] == [2]


def test_batch_sizes_of_the_network(image):
    for model, sizes in (
        (Spy((3, None, None, 3)), [3, 3]),
        (Spy(batch_size=3), [3, 3]),
        (Spy(), [1] * 4),
    ):
        assert len(list(model.segmenter.predict([image] * 4))) == 4
        assert [len(x) for x in model.seen] == sizes


def test_photos_are_drawn_as_they_are_needed(image):
    drawn = []

    def photos():
        for number in range(100):
            drawn.append(number)
            yield image

    results = Spy().segmenter.predict(photos(), InferenceOptions(batch_size=4))
    assert drawn == []
    next(results)
    assert len(drawn) <= 8 + 2 * WORKERS


def test_scales_are_the_mean_of_probabilities_at_the_fitted_size():
    """The identity network on a plain photo: every scale gives the same probabilities."""
    image = np.full((20, 30, 3), (10, 100, 250), "uint8")
    model = Spy()
    result = predict(model, image, size=33, scales=(0.5, 1, 1.75))
    assert [x.shape[1:3] for x in model.seen] == [(17, 17), (33, 33), (57, 57)]
    assert result.kind == "probabilities"
    expected = softmax(np.array([0.1, 1.0, 2.5], "float32"))
    np.testing.assert_allclose(result.values, np.broadcast_to(expected, (22, 33, 3)), atol=1e-6)


def test_two_scales_by_hand(image):
    model = Spy(output="probabilities")
    result = predict(model, image, size="own", scales=(1, 0.5))
    half = model.seen[1][0, :10].astype("float32") / 100
    expected = (image.astype("float32") / 100 + resized_scores(half, (20, 30))) / 2
    np.testing.assert_allclose(result.values, expected, atol=1e-6)


def test_flip_makes_any_network_mirror_equivariant(image):
    options = dict(size=(20, 30), flip=True)
    plain = predict(Spy(slope=0.05), image, **options).values
    mirrored = predict(Spy(slope=0.05), image[:, ::-1], **options).values
    np.testing.assert_allclose(mirrored, plain[:, ::-1], atol=1e-6)
    once = predict(Spy(slope=0.05), image, size=(20, 30)).values
    assert np.abs(softmax(once) - plain).max() > 0.01


@pytest.mark.parametrize("batch_size", [1, 4])
def test_windows_of_a_pixelwise_network_are_the_whole(image, batch_size):
    model = Spy()
    result = predict(model, image, size=(9, 13), sliding_window=True, batch_size=batch_size)
    assert {x.shape for x in model.seen} == {(batch_size, 9, 13, 3)}
    number = len(list(windows((20, 30), (9, 13))))
    assert len(model.seen) == -(-number // batch_size)
    np.testing.assert_allclose(result.values, softmax(image.astype("float32") / 100), atol=1e-6)


def test_a_window_larger_than_the_photo_is_padded_not_enlarged(image):
    model = Spy()
    result = predict(model, image, size=64, sliding_window=True)
    (x,) = model.seen
    np.testing.assert_array_equal(x[0, :20, :30], image)
    assert (x[0, 20:] == 127).all()
    assert result.size == (20, 30)


def test_windows_over_scales_and_a_fixed_network(image):
    model = Spy((None, 9, 13, 3))
    result = predict(model, image, size=99, scales=(0.5, 2), flip=True, sliding_window=True)
    assert {x.shape for x in model.seen} == {(1, 9, 13, 3)}
    np.testing.assert_allclose(result.values.sum(-1), 1, atol=1e-5)


def test_the_crf_refines_what_the_options_gave(image):
    crf = DenseCRF(num_iterations=0)
    result = predict(Spy(), image, size=(20, 30), crf=crf)
    assert result.kind == "probabilities"
    np.testing.assert_allclose(result.values, softmax(image.astype("float32") / 100), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(size=(9, 13), scales=(0.5, 1)), "several scales. Received: spy, which takes 9x13"),
        (dict(size="own"), "see photos at their own size. Received: spy, which takes 9x13"),
    ],
)
def test_fixed_networks_say_what_they_cannot(image, options, words):
    with pytest.raises(ValueError, match=words):
        predict(Spy((None, 9, 13, 3)), image, **options)


@pytest.mark.parametrize("options", [dict(flip=True), dict(crf=True)])
def test_labels_are_no_scores(image, options):
    spy = Spy(output="labels")
    labels = replace(spy.segmenter, run=lambda x: x[..., 0].astype("int64"))
    (result,) = labels.predict([image])
    np.testing.assert_array_equal(result.labels(), image[..., 0])
    with pytest.raises(ValueError, match="must return scores for .* spy, which returns labels"):
        labels.predict([image], InferenceOptions(**options))


def test_protocol_says_what_the_options_mean():
    options = InferenceOptions(crf=DenseCRF(theta_alpha=7), flip=True)
    protocol = Spy().segmenter.protocol(options)
    assert protocol.pop("crf")["theta_alpha"] == 7
    assert protocol == {"size": [20, 30], "scales": [1.0], "flip": True, "sliding_window": False}
    assert Spy().segmenter.protocol(InferenceOptions(size="own"))["size"] == "own"


def test_a_keras_model(image):
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Rescaling(0.01)])
    options = InferenceOptions(size=(20, 30), scales=(1, 1.5), flip=True)
    (result,) = open_segmenter(model).predict([image], options)
    np.testing.assert_allclose(result.values.sum(-1), 1, atol=1e-5)
