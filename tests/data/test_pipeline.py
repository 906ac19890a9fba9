from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data.augment import FILL
from keras_deeplab.data.pipeline import training_batches, validation_batches
from keras_deeplab.data.sources import Example, SegmentationFiles


@pytest.fixture
def data(tmp_path: Path, rng) -> SegmentationFiles:
    """Five images; image n has level 40 * n and label n everywhere."""
    examples = []
    for number in range(5):
        size = (20 + number, 30)
        image, mask = tmp_path / f"{number}.png", tmp_path / f"{number}_mask.png"
        Image.fromarray(np.full((*size, 3), 40 * number, "uint8")).save(image)
        Image.fromarray(np.full(size, number, "uint8")).save(mask)
        examples.append(Example(str(number), image, mask))
    return SegmentationFiles(examples, class_names="abcde")


def batches(data, count: int, **options) -> list[tuple[np.ndarray, np.ndarray]]:
    defaults = dict(batch_size=2, crop_size=(17, 19), photometric=True)
    stream = training_batches(data, **(defaults | options)).take(count)
    return [(images.numpy(), labels.numpy()) for images, labels in stream]


def test_shapes_and_types(data):
    ((images, labels),) = batches(data, 1)
    assert images.shape == (2, 17, 19, 3)
    assert images.dtype == np.float32
    assert labels.shape == (2, 17, 19)
    assert labels.dtype == np.int32


def test_an_interrupted_stream_goes_on_alike(data):
    whole = batches(data, 8, seed=1)
    for (images, labels), (rest_images, rest_labels) in zip(
        whole[5:], batches(data, 3, seed=1, start=5), strict=True
    ):
        np.testing.assert_array_equal(images, rest_images)
        np.testing.assert_array_equal(labels, rest_labels)
    other = batches(data, 8, seed=2)
    assert any((a[0] != b[0]).any() for a, b in zip(whole, other, strict=True))


def test_every_pass_sees_every_image_in_another_order(data):
    seen = [
        int(labels.min())
        for _, labels in batches(data, 15, batch_size=1, crop_size=(8, 8), scales=None)
    ]
    passes = [seen[i : i + 5] for i in (0, 5, 10)]
    assert all(sorted(one) == [0, 1, 2, 3, 4] for one in passes)
    assert len({tuple(one) for one in passes}) > 1


def test_images_and_labels_stay_together(data):
    for images, labels in batches(data, 10, photometric=False, scales=(0.5, 2.0)):
        inside = labels != 255
        np.testing.assert_allclose(images[inside][:, 0], 40 * labels[inside], atol=1e-3)
        np.testing.assert_array_equal(images[~inside], FILL)


def test_images_are_fitted_into_the_size_first(data):
    """The largest crop that fits into the scaled image holds nothing but image."""
    for _, labels in batches(data, 5, scales=None, size=(60, 60), crop_size=(40, 60)):
        assert (labels != 255).all()
    ((_, labels),) = batches(data, 1, scales=None, crop_size=(40, 60))
    assert (labels == 255).mean() > 0.5


def test_validation_sees_each_image_once(data):
    dataset = validation_batches(data, batch_size=2, size=(48, 48))
    assert int(dataset.cardinality()) == 3
    seen = []
    for images, labels in dataset:
        assert images.shape == (2, 48, 48, 3)
        assert labels.shape == (2, 48, 48)
        seen += [int(one.min()) for one in labels.numpy()]
    # The last batch is filled up with what counts for nothing.
    assert seen == [0, 1, 2, 3, 4, 255]


def test_wrong_arguments(data):
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        training_batches(data, batch_size=0, crop_size=(8, 8))
    with pytest.raises(ValueError, match="scales must be"):
        training_batches(data, batch_size=1, crop_size=(8, 8), scales=(2.0, 0.5))


def test_a_damaged_file_is_named(data):
    data.examples[3].image.write_text("no image")
    with pytest.raises(Exception, match=r"3\.png"):
        batches(data, 5)
