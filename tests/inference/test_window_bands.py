import tracemalloc

import numpy as np
import pytest

from keras_deeplab.inference import InferenceOptions, Segmenter
from keras_deeplab.inference.fitting import padded, resized_image, windows
from keras_deeplab.inference.interpolation import resized_scores, softmax

CLASSES = 5


def run(images: np.ndarray) -> np.ndarray:
    """Scores that depend on the pixel and on its place in the window."""
    height, width = images.shape[1:3]
    place = np.add.outer(np.arange(height), np.arange(width))[None, :, :, None] / 40
    levels = images.astype("float32").sum(-1, keepdims=True) / 300
    return np.cos(levels * np.arange(1, CLASSES + 1) + place).astype("float32")


NETWORK = Segmenter(
    run,
    (None, None, None, 3),
    "logits",
    tuple("abcde"),
    ((0, 0, 0),) * CLASSES,
    255,
    (20, 30),
    "bands",
)


def whole(photo: np.ndarray, window: tuple[int, int], options: InferenceOptions) -> np.ndarray:
    """The same with the probabilities of the whole photo in memory."""
    total = np.zeros((), "float32")
    steps = (1, -1)[: 1 + options.flip]
    for scale in options.scales:
        for step in steps:
            size = tuple(max(1, round(scale * length)) for length in photo.shape[:2])
            seen = resized_image(np.ascontiguousarray(photo[:, ::step]), size)
            sums = np.zeros((*size, CLASSES), "float32")
            count = np.zeros((*size, 1), "float32")
            for tile in windows(size, window):
                rows, columns = sums[tile].shape[:2]
                output = run(padded(seen[tile], window)[None])[0, :rows, :columns]
                sums[tile] += softmax(output.astype("float32"))
                count[tile] += 1
            total = total + resized_scores(sums / count, photo.shape[:2])[:, ::step]
    return total / (len(options.scales) * len(steps))


@pytest.mark.parametrize("size", [(300, 70), (7, 90), (33, 9), (20, 30)])
@pytest.mark.parametrize("settings", [{}, {"flip": True}, {"scales": (0.5, 1, 1.7), "flip": True}])
def test_bands_equal_the_whole(rng, size: tuple[int, int], settings):
    photo = rng.integers(0, 256, (*size, 3), "uint8")
    options = InferenceOptions(size=(20, 30), sliding_window=True, **settings)
    expected = whole(photo, (20, 30), options)
    (scores,) = NETWORK.predict([photo], options)
    np.testing.assert_array_equal(scores.values, expected)
    assert scores.kind == "probabilities"
    (labels,) = NETWORK.predict([photo], options, labels_only=True)
    assert labels.kind == "labels"
    np.testing.assert_array_equal(labels.labels(), expected.argmax(-1))


def test_memory_does_not_grow_with_the_height():
    peaks = []
    options = InferenceOptions(size=(20, 30), sliding_window=True)
    for height in (400, 4000):
        photo = np.zeros((height, 60, 3), "uint8")
        tracemalloc.start()
        for one in NETWORK.predict([photo], options, labels_only=True):
            one.labels()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # The labels themselves, and what describes the windows.
    assert peaks[1] - peaks[0] < 4 * 4000 * 60
