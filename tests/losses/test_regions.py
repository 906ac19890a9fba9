import keras
import numpy as np
import pytest

from keras_deeplab.losses import Dice, LovaszSoftmax
from keras_deeplab.metrics import confusion_matrix, mean_iou_in_truth
from tests.reference.losses import dice, lovasz, regions

REFERENCES = {Dice: dice, LovaszSoftmax: lovasz}


@pytest.fixture
def case(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    labels = rng.integers(0, 3, (2, 5, 6)).astype("uint8")
    labels[0, :2] = 255
    return labels, rng.normal(scale=2, size=(2, 5, 6, 4)).astype("float32")


@pytest.mark.parametrize("kind", REFERENCES)
@pytest.mark.parametrize("classes", ["present", "all"])
def test_equal_the_reference(case, kind, classes: str):
    labels, logits = case
    options = dict(classes=classes, class_loss=REFERENCES[kind])
    value = float(kind(classes=classes)(labels, logits))
    assert value == pytest.approx(regions(labels, logits, **options), rel=1e-5)
    each = [regions(labels[i : i + 1], logits[i : i + 1], **options) for i in range(2)]
    loss = kind(classes=classes, per_image=True)
    assert float(loss(labels, logits)) == pytest.approx(np.mean(each), rel=1e-5)
    weighted = float(loss(labels, logits, np.array([1.0, 3.0])))
    assert weighted == pytest.approx((each[0] + 3 * each[1]) / 2, rel=1e-5)


def test_lovasz_of_hard_predictions_is_the_mean_iou(case):
    labels, logits = case
    hard = logits.argmax(-1)
    value = float(LovaszSoftmax()(labels, 1e4 * np.eye(4, dtype="float32")[hard]))
    expected = 1 - mean_iou_in_truth(confusion_matrix(labels, hard, classes=4))
    assert value == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("classes", ["present", "all"])
@pytest.mark.parametrize("kind", REFERENCES)
def test_without_a_valid_pixel_the_loss_is_0(kind, classes: str):
    for per_image in (False, True):
        loss = kind(classes=classes, per_image=per_image)
        assert float(loss(np.full((2, 3, 3), 255), np.ones((2, 3, 3, 2), "float32"))) == 0.0


@pytest.mark.parametrize("kind", REFERENCES)
def test_ignored_pixels_do_not_matter(case, kind, rng: np.random.Generator):
    labels, logits = case
    other = np.where((labels == 255)[..., None], rng.normal(size=logits.shape), logits)
    assert float(kind()(labels, other.astype("float32"))) == pytest.approx(
        float(kind()(labels, logits)), rel=1e-6
    )


def test_config_there_and_back(case):
    for loss in (Dice(0.5, classes="all", ignore_class=None), LovaszSoftmax(per_image=True)):
        again = keras.losses.deserialize(keras.losses.serialize(loss))
        assert again.get_config() == loss.get_config()


def test_wrong_arguments(case):
    with pytest.raises(ValueError, match="classes must be one of 'present', 'all'"):
        Dice(classes="presents")
    with pytest.raises(ValueError, match="smooth must be at least 0"):
        Dice(-1)
    with pytest.raises(ValueError, match="only with per_image=True"):
        LovaszSoftmax()(*case, np.ones(2))
