import keras
import numpy as np
import pytest

from keras_deeplab.losses import CrossEntropy, Focal
from tests.reference.losses import cross_entropy


@pytest.fixture
def case(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    labels = rng.integers(0, 4, (2, 5, 6)).astype("uint8")
    labels[0, :2] = 255
    labels[1, 0, :2] = 77  # no class either
    return labels, rng.normal(scale=3, size=(2, 5, 6, 4)).astype("float32")


OPTIONS = [
    {},
    {"top_k": 0.25},
    {"class_weights": [0.5, 0, 2, 1]},
    {"class_weights": [0.5, 0, 2, 1], "top_k": 0.7},
    {"ignore_class": 2},
    {"ignore_class": None},
    {"ignore_class": -1},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("gamma", [0.0, 2.0, 0.5])
def test_equal_the_reference(case, options, gamma: float):
    labels, logits = case
    expected = cross_entropy(labels, logits, gamma=gamma, **options)
    loss = Focal(gamma, **options) if gamma else CrossEntropy(**options)
    assert float(loss(labels, logits)) == pytest.approx(expected, rel=1e-5)
    assert float(loss(labels[..., None], logits)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", [CrossEntropy(), CrossEntropy(top_k=0.1), Focal(0.5)])
@pytest.mark.parametrize("label", [255, -1, 2**20])
def test_without_a_valid_pixel_the_loss_is_0(loss, label: int):
    logits = np.ones((1, 2, 2, 3), "float32")
    assert float(loss(np.full((1, 2, 2), label), logits)) == 0.0


def test_a_class_of_weight_0_is_as_ignored(case):
    labels, logits = case
    ignored = np.where(labels == 3, 255, labels)
    loss = CrossEntropy(class_weights=[1, 1, 1, 0])
    assert float(loss(labels, logits)) == pytest.approx(float(CrossEntropy()(ignored, logits)))


def test_hard_pixels_by_hand():
    # Losses ln 2, ln 4 / 3, ln 4, by the odds of the true class: 1 to 1, 3 to 1, 1 to 3.
    logits = np.log(np.array([[[[1, 1], [3, 1], [1, 3], [9, 1]]]], "float32"))
    labels = np.array([[[0, 0, 0, 255]]])
    for top_k, kept in ((0.3, [4]), (0.5, [4, 2]), (1.0, [4, 2, 4 / 3])):
        value = float(CrossEntropy(top_k=top_k)(labels, logits))
        assert value == pytest.approx(np.log(kept).mean(), rel=1e-6)


def test_ties_are_kept():
    labels = np.zeros((1, 3, 3), int)
    values = CrossEntropy(top_k=0.1, reduction=None)(labels, np.zeros((1, 3, 3, 2), "float32"))
    np.testing.assert_allclose(values, np.full((1, 3, 3), np.log(2)), rtol=1e-6)


def test_labels_are_sub_sampled_to_the_logits(rng: np.random.Generator):
    labels = rng.integers(0, 3, (2, 17, 33))
    logits = rng.normal(size=(2, 3, 5, 3)).astype("float32")
    expected = cross_entropy(labels[:, ::8, ::8], logits)
    assert float(CrossEntropy()(labels, logits)) == pytest.approx(expected, rel=1e-5)


def test_sample_weights(case):
    labels, logits = case
    per_pixel = CrossEntropy(reduction=None)
    values = np.asarray(per_pixel(labels, logits))
    valid = (labels < 4).sum()
    loss = CrossEntropy()
    weight = np.array([2.0, 0.5], "float32")
    for given in (weight, weight[:, None], weight[:, None, None]):
        expected = (values * weight[:, None, None]).sum() / valid
        assert float(loss(labels, logits, given)) == pytest.approx(expected, rel=1e-5)
    pixels = np.linspace(0, 1, labels.size, dtype="float32").reshape(labels.shape)
    expected = (values * pixels).sum() / valid
    assert float(loss(labels, logits, pixels)) == pytest.approx(expected, rel=1e-5)
    assert float(loss(labels, logits, pixels[..., None])) == pytest.approx(expected, rel=1e-5)


def test_sample_weights_are_sub_sampled_alike(rng: np.random.Generator):
    labels = rng.integers(0, 3, (1, 17, 17))
    logits = rng.normal(size=(1, 3, 3, 3)).astype("float32")
    weights = rng.uniform(size=labels.shape).astype("float32")
    expected = CrossEntropy()(labels[:, ::8, ::8], logits, weights[:, ::8, ::8])
    assert float(CrossEntropy()(labels, logits, weights)) == pytest.approx(float(expected))


def test_float32_from_half_precision_logits():
    # In float16 the log-sum-exp of 60000 overflows.
    logits = np.array([[[[60000.0, -60000.0]]]], "float16")
    value = CrossEntropy()(np.array([[[1]]]), logits)
    assert float(value) == 120000.0
    assert keras.backend.standardize_dtype(value.dtype) == "float32"


def test_config_there_and_back(case):
    for loss in (
        CrossEntropy(class_weights=np.array([1, 2, 0, 1]), top_k=0.5, ignore_class=None),
        Focal(1.5, ignore_class=3, reduction="sum"),
    ):
        again = keras.losses.deserialize(keras.losses.serialize(loss))
        assert again.get_config() == loss.get_config()
        assert float(again(*case)) == float(loss(*case))


@pytest.mark.parametrize(
    ("labels", "logits", "words"),
    [
        ((1, 4, 4), (1, 4, 4), "Logits must be .batch, height, width, classes"),
        ((1, 4, 4, 2), (1, 4, 4, 3), "one-hot with as many classes as the logits"),
        ((4, 4), (1, 4, 4, 3), "Labels must be class ids of shape"),
        ((1, 4, 4), (1, 8, 4, 3), "at least as large as the logits"),
    ],
)
def test_wrong_shapes(labels, logits, words: str):
    with pytest.raises(ValueError, match=words):
        CrossEntropy()(np.zeros(labels), np.zeros(logits))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"top_k": 0}, "top_k must be a fraction of the valid pixels"),
        ({"top_k": 20}, "Received: top_k=20"),
        ({"class_weights": [1, -1]}, "class_weights must be one weight of at least 0"),
        ({"class_weights": []}, "class_weights must be one weight"),
        ({"reduction": "mean_with_sample_weight"}, "the mean is over the valid pixels"),
    ],
)
def test_wrong_arguments(options, words: str):
    with pytest.raises(ValueError, match=words):
        CrossEntropy(**options)


def test_wrong_number_of_class_weights(case):
    with pytest.raises(ValueError, match="Received: 2 weights for 4 classes"):
        CrossEntropy(class_weights=[1, 2])(*case)
    with pytest.raises(ValueError, match="gamma must be at least 0"):
        Focal(-1)
