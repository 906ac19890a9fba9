"""Every function runs eagerly and inside a pipeline, with the same result."""

import colorsys
from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from keras_deeplab.data import augment

SEED = (3, 4)


def marked(height: int = 24, width: int = 32, *, patch: int = 4) -> dict:
    """An element whose image shows its labels: level 10 * label, in square patches."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 5, (height // patch, width // patch)).astype("int32")
    ids = np.kron(coarse, np.ones((patch, patch), "int32"))
    return {
        "image": tf.constant(np.repeat(10 * ids[..., None], 3, -1).astype("uint8")),
        "labels": tf.constant(ids),
        "name": "a",
    }


STEPS = {
    "scale": partial(augment.random_scale, seed=SEED),
    "crop": partial(augment.random_crop, seed=SEED, size=(17, 40)),
    "crop again": partial(augment.random_crop, seed=SEED, size=(8, 8), largest_share=0.4),
    "flip": partial(augment.random_flip, seed=SEED),
    "photometric": partial(augment.photometric, seed=SEED),
    "fit": partial(augment.fit, size=(40, 40)),
    "pad": partial(augment.pad, size=(30, 30)),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
def test_eager_is_pipeline(step):
    element = marked()
    eager = step(element)
    inside = next(iter(tf.data.Dataset.from_tensors(element).map(step)))
    assert inside["name"].numpy() == b"a"
    for key in ("image", "labels"):
        np.testing.assert_allclose(eager[key], inside[key], rtol=1e-6)
    assert eager["image"].shape[:2] == eager["labels"].shape
    assert eager["labels"].dtype == tf.int32


@pytest.mark.parametrize(
    "step", [STEPS[name] for name in ("scale", "crop", "crop again", "flip", "photometric")]
)
def test_seeds_decide(step):
    results = [step(marked(), seed=(0, number)) for number in range(12)]
    again = [step(marked(), seed=(0, number)) for number in range(12)]
    for one, two in zip(results, again, strict=True):
        np.testing.assert_array_equal(one["image"], two["image"])
    assert len({one["image"].numpy().tobytes() for one in results}) > 1


def test_scales_are_those_of_the_step():
    heights = {
        int(augment.random_scale(marked(), (0, n), minimum=0.5, maximum=1.5)["image"].shape[0])
        for n in range(60)
    }
    assert heights == {12, 18, 24, 30, 36}
    free = [
        augment.random_scale(marked(), (0, n), minimum=1, maximum=2, step=0)["labels"].shape[1]
        for n in range(30)
    ]
    assert min(free) >= 32
    assert max(free) <= 64
    assert len(set(free)) > 10


def test_labels_move_with_the_image():
    """Away from borders, where the image is interpolated, levels still show the labels."""
    element = marked(64, 64, patch=16)
    for number in range(10):
        key = (number, 0)
        x = augment.random_scale(element, key, minimum=1.0, maximum=2.0)
        x = augment.random_flip(augment.random_crop(x, key, size=(40, 40)), key)
        levels, labels = x["image"].numpy()[..., 0], x["labels"].numpy()
        inside = labels != 255
        right = np.abs(levels[inside] - 10 * labels[inside]) < 1
        assert right.mean() > 0.75
        assert set(np.unique(labels)) <= {0, 1, 2, 3, 4, 255}


def test_crop_pads_with_grey_and_ignore_class():
    element = marked(8, 8)
    places = set()
    for number in range(20):
        x = augment.random_crop(element, (number, 0), size=(12, 10), ignore_class=9)
        inside = x["labels"].numpy() != 9
        assert inside.sum() == 64
        np.testing.assert_array_equal(x["image"].numpy()[~inside], augment.FILL)
        rows, columns = np.nonzero(inside)
        np.testing.assert_array_equal(
            x["labels"].numpy()[inside], element["labels"].numpy().ravel()
        )
        places.add((rows.min(), columns.min()))
    assert len(places) > 3


def test_crops_reach_every_corner():
    image = np.arange(36, dtype="float32").reshape(6, 6)
    element = {
        "image": tf.constant(np.repeat(image[..., None], 3, -1)),
        "labels": tf.zeros((6, 6), tf.int32),
    }
    seen = {
        float(augment.random_crop(element, (0, n), size=(5, 5))["image"][0, 0, 0])
        for n in range(40)
    }
    assert seen == {0.0, 1.0, 6.0, 7.0}


def test_crop_avoids_a_single_class():
    labels = np.zeros((64, 64), "int32")
    labels[:16, :16] = 1
    element = {"image": tf.zeros((64, 64, 3)), "labels": tf.constant(labels)}

    def mixed(share: float) -> int:
        crops = (
            augment.random_crop(element, (0, n), size=(16, 16), largest_share=share, tries=20)
            for n in range(30)
        )
        return sum(len(np.unique(crop["labels"])) == 2 for crop in crops)

    assert mixed(0.9) > 20 > 10 > mixed(1.0)
    empty = {"image": tf.zeros((20, 20, 3)), "labels": tf.fill((20, 20), 255)}
    assert augment.random_crop(empty, SEED, size=(8, 8), largest_share=0.5)["labels"].shape == (
        8,
        8,
    )


def test_flip_is_every_other_time():
    element = marked()
    flipped = sum(
        not np.array_equal(augment.random_flip(element, (0, n))["labels"], element["labels"])
        for n in range(200)
    )
    assert 70 < flipped < 130


def test_photometric_stays_in_range_and_leaves_labels():
    element = marked()
    for number in range(5):
        x = augment.photometric(element, (0, number), brightness=0.5, contrast=0.9)
        assert float(tf.reduce_min(x["image"])) >= 0
        assert float(tf.reduce_max(x["image"])) <= 255
        np.testing.assert_array_equal(x["labels"], element["labels"])
    same = augment.photometric(element, SEED, brightness=0, contrast=0, saturation=0, hue=0)
    np.testing.assert_allclose(same["image"], tf.cast(element["image"], tf.float32), atol=1e-3)


def recoloured(image: np.ndarray, change) -> np.ndarray:
    """Changes (hue, saturation, value), each 0-1, of every pixel, with Python's own colorsys."""
    pixels = [colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*p))) for p in image.reshape(-1, 3)]
    return np.reshape(pixels, image.shape)


REFERENCES = {
    "brightness": lambda image, draw: image + draw,
    "contrast": lambda image, draw: (image - image.mean((0, 1))) * (1 + draw) + image.mean((0, 1)),
    "saturation": lambda image, draw: recoloured(
        image, lambda h, s, v: (h, np.clip(s * (1 + draw), 0, 1), v)
    ),
    "hue": lambda image, draw: recoloured(image, lambda h, s, v: ((h + draw) % 1, s, v)),
}


@pytest.mark.parametrize("seed", [(0, 0), (0, 1), (0, 2)])
@pytest.mark.parametrize(("number", "name"), list(enumerate(REFERENCES)))
def test_photometric_equals_the_definition(number: int, name: str, seed, rng):
    image = rng.integers(0, 256, (6, 5, 3), "uint8")
    draw = 0.4 * float(tf.random.stateless_uniform((4,), seed, -1, 1)[number])
    assert abs(draw) > 0.01
    amounts = dict.fromkeys(REFERENCES, 0.0) | {name: 0.4}
    changed = augment.photometric({"image": tf.constant(image), "labels": 0}, seed, **amounts)
    expected = 255 * np.clip(REFERENCES[name](image / 255, draw), 0, 1)
    # Levels of 0-255, through HSV and back in float32.
    np.testing.assert_allclose(changed["image"], expected, atol=2e-3)
    assert np.abs(expected - image).max() > 1


def test_fit_is_what_segment_does(rng):
    """A model that passes its input on shows the image that `Segmenter.predict` fitted."""
    import keras

    from keras_deeplab.inference import InferenceOptions, open_segmenter

    image = rng.integers(0, 256, (40, 31, 3), "uint8")
    copy = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Identity()])
    for size in ((20, 20), (64, 50)):
        (scores,) = open_segmenter(copy).predict([image], InferenceOptions(size=size))
        theirs = scores.values
        element = {"image": tf.constant(image), "labels": tf.zeros((40, 31), tf.int32)}
        ours = augment.fit(element, size)
        inside = ours["labels"].numpy() == 0
        assert inside.sum() == theirs.shape[0] * theirs.shape[1]
        fitted = ours["image"].numpy()[: theirs.shape[0], : theirs.shape[1]]
        # Pillow rounds to 8 bits, twice.
        np.testing.assert_allclose(fitted, theirs, atol=2)
