"""What a network is, from its answer to a grey image and from what its caller says."""

from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.inference.describing import Hints, Opened, checked
from keras_deeplab.inference.sidecar import Sidecar

NAMES = ("background", "cat")


def opened(run, shape=(None, None, None, 3), **sidecar) -> Opened:
    return Opened(run, shape, Sidecar(Path("net.onnx.json"), **sidecar), "net.onnx")


def scores(images: np.ndarray) -> np.ndarray:
    return np.stack([images.mean(-1), -images.mean(-1)], -1).astype("float32")


def probabilities(images: np.ndarray) -> np.ndarray:
    return np.full((*images.shape[:3], 2), 0.5, "float32")


def labels(images: np.ndarray) -> np.ndarray:
    return np.ones(images.shape[:3], "int64")


@pytest.mark.parametrize(
    ("run", "kind"), [(scores, "logits"), (probabilities, "probabilities"), (labels, "labels")]
)
def test_the_kind_is_seen(run, kind: str):
    assert checked(opened(run), Hints(class_names=NAMES)).output == kind


def test_what_is_said_counts_more_than_what_is_seen():
    assert checked(opened(probabilities), Hints(NAMES, from_logits=True)).output == "logits"
    said = opened(probabilities, class_names=NAMES, output="logits")
    assert checked(said, Hints()).output == "logits"


def test_names_come_from_the_caller_the_file_or_the_dataset_in_this_order():
    known = opened(scores, class_names=("a", "b"))
    assert checked(known, Hints(class_names=NAMES)).class_names == NAMES
    assert checked(known, Hints(fallback_names=NAMES)).class_names == ("a", "b")
    assert checked(opened(scores), Hints(fallback_names=NAMES)).class_names == NAMES


def test_facts_of_the_file():
    segmenter = checked(
        opened(scores, class_names=NAMES, ignore_class=7, inference_size=(33, 65)), Hints()
    )
    assert (segmenter.ignore_class, segmenter.inference_size) == (7, (33, 65))


def test_fixed_sizes_are_tried():
    seen = []

    def run(images: np.ndarray) -> np.ndarray:
        seen.append(images.shape)
        return scores(images)

    checked(opened(run, (4, 33, None, 3)), Hints(class_names=NAMES))
    assert seen == [(4, 33, 65, 3)]


@pytest.mark.parametrize(
    ("network", "hints", "words"),
    [
        (opened(scores, (None, 3, None, None)), Hints(NAMES), "takes shape"),
        (opened(lambda x: scores(x)[:, ::2]), Hints(NAMES), "returns shape"),
        (opened(lambda x: x.mean(-1)), Hints(NAMES), "returns shape"),
        (opened(scores), Hints(class_names=("a", "b", "c")), "2 classes. Received: 3 names"),
        (opened(scores), Hints(), "classes must be known"),
        (opened(lambda x: 1 / [][0]), Hints(NAMES), "must run on an image of 65x65"),
    ],
)
def test_what_is_refused(network: Opened, hints: Hints, words: str):
    with pytest.raises(ValueError, match=words):
        checked(network, hints)
