import numpy as np
import pytest

from keras_deeplab import DenseCRF
from keras_deeplab.presets.crfs import CRFS


@pytest.fixture
def noisy(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An image of two halves, its labels, and probabilities that are often wrong."""
    truth = np.zeros((32, 40), "int64")
    truth[:, 20:] = 1
    image = np.where(truth[..., None] == 1, (200, 60, 40), (30, 90, 160)).astype("uint8")
    wrong = rng.random(truth.shape) < 0.2
    likely = np.where(wrong, 1 - truth, truth)
    return image, truth, np.where(likely[..., None] == np.arange(2), 0.7, 0.3).astype("float32")


def test_cleans_what_the_photo_tells_apart(noisy):
    image, truth, probabilities = noisy
    refined = DenseCRF()(probabilities, image)
    assert (probabilities.argmax(-1) == truth).mean() < 0.85
    assert (refined.argmax(-1) == truth).all()
    np.testing.assert_allclose(refined.sum(-1), 1, rtol=1e-5)
    assert refined.dtype == np.float32


def test_no_iterations_and_no_weights_change_nothing(noisy):
    image, _, probabilities = noisy
    for crf in (DenseCRF(num_iterations=0), DenseCRF(bilateral_weight=0, spatial_weight=0)):
        np.testing.assert_allclose(crf(probabilities, image), probabilities, atol=1e-6)


def test_logits_probabilities_batches_and_tensors_agree(noisy):
    tf = pytest.importorskip("tensorflow")
    image, _, probabilities = noisy
    crf = DenseCRF(num_iterations=3)
    expected = crf(probabilities, image)
    logits = np.log(probabilities) + 7
    np.testing.assert_allclose(crf(logits, image, from_logits=True), expected, atol=1e-4)
    batch = crf(np.stack([probabilities] * 2), np.stack([image] * 2))
    np.testing.assert_allclose(batch, [expected] * 2, atol=1e-4)
    tensor = crf(tf.constant(probabilities), tf.constant(image))
    assert tf.is_tensor(tensor)
    np.testing.assert_allclose(tensor, expected, atol=1e-6)


def test_presets_are_the_rows():
    for name, row in CRFS.items():
        crf = DenseCRF.preset(name)
        for field in ("bilateral_weight", "theta_alpha", "theta_beta", "spatial_weight"):
            assert getattr(crf, field) == getattr(row, field)
    assert DenseCRF.preset("v1", num_iterations=2).num_iterations == 2
    with pytest.raises(ValueError, match="Did you mean 'v2_vgg16'"):
        DenseCRF.preset("v2_vgg")


@pytest.mark.parametrize(
    "arguments",
    [
        dict(theta_alpha=0),
        dict(theta_beta=-1),
        dict(bilateral_weight=-1),
        dict(num_iterations=-1),
        dict(engine="exact"),
    ],
)
def test_wrong_parameters(arguments):
    with pytest.raises(ValueError, match="Received"):
        DenseCRF(**arguments)


@pytest.mark.parametrize(
    ("scores", "image", "words"),
    [
        (np.full((4, 5, 2), 0.5), np.zeros((4, 6, 3)), r"Received: \(4, 5, 2\) and \(4, 6, 3\)"),
        (np.full((4, 5, 1), 0.5), np.zeros((4, 5, 3)), "two classes or more"),
        (np.full((4, 5, 2), 0.5), np.zeros((4, 5)), "same size"),
        (np.full((4, 5, 2), np.nan), np.zeros((4, 5, 3)), "must be finite"),
        (np.full((4, 5, 2), 3.0), np.zeros((4, 5, 3)), "Pass from_logits=True"),
        (np.full((4, 5, 2), 0.5), np.full((4, 5, 3), 300), "RGB 0-255. Received: levels 300"),
        (np.full((4, 5, 2), 0.5), np.full((4, 5, 3), 0.5), "look like 0-1"),
    ],
)
def test_wrong_input(scores, image, words: str):
    with pytest.raises(ValueError, match=words):
        DenseCRF()(scores, image)


def test_classes_that_are_not_there_change_nothing(photo: np.ndarray, rng: np.random.Generator):
    import tensorflow as tf

    image = photo[::4, ::4]
    scores = np.full((*image.shape[:2], 6), -9.0, "float32")
    coarse = rng.normal(size=(5, 8, 3)).repeat(15, 0).repeat(15, 1)
    scores[..., [1, 3, 4]] = coarse[: image.shape[0], : image.shape[1]]
    crf = DenseCRF()
    fast = crf(scores, image, from_logits=True)
    full = crf(tf.constant(scores), image, from_logits=True).numpy()
    np.testing.assert_allclose(fast, full, atol=3e-3)
    np.testing.assert_array_equal(fast.argmax(-1), full.argmax(-1))
    np.testing.assert_allclose(fast.sum(-1), 1, atol=1e-5)
    assert (fast[..., [0, 2, 5]] > 0).all()


def test_one_class_alone_stays():
    scores = np.zeros((9, 9, 3), "float32")
    scores[..., 1] = 20
    refined = DenseCRF()(scores, np.zeros((9, 9, 3), "uint8"), from_logits=True)
    np.testing.assert_allclose(refined[..., 1], 1, atol=1e-6)
