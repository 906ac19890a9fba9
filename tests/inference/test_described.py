"""What a network is, from its answer to a grey image and from what its caller says."""

from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.inference.opening import described
from keras_deeplab.inference.sidecar import Opened, Sidecar

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
    assert described(opened(run), NAMES).output == kind


def test_what_is_said_counts_more_than_what_is_seen():
    assert described(opened(probabilities), NAMES, from_logits=True).output == "logits"
    said = opened(probabilities, class_names=NAMES, output="logits")
    assert described(said).output == "logits"


def test_names_come_from_the_caller_the_file_or_the_dataset_in_this_order():
    known = opened(scores, class_names=("a", "b"))
    assert described(known, NAMES).class_names == NAMES
    assert described(known, fallback_names=NAMES).class_names == ("a", "b")
    assert described(opened(scores), fallback_names=NAMES).class_names == NAMES


def test_facts_of_the_file():
    segmenter = described(
        opened(scores, class_names=NAMES, ignore_class=7, inference_size=(33, 65))
    )
    assert (segmenter.ignore_class, segmenter.inference_size) == (7, (33, 65))


def test_fixed_sizes_are_tried():
    seen = []

    def run(images: np.ndarray) -> np.ndarray:
        seen.append(images.shape)
        return scores(images)

    described(opened(run, (4, 33, None, 3)), NAMES)
    assert seen == [(4, 33, 65, 3)]


@pytest.mark.parametrize(
    ("network", "names", "words"),
    [
        (opened(scores, (None, 3, None, None)), NAMES, "takes shape"),
        (opened(lambda x: scores(x)[:, ::2]), NAMES, "returns shape"),
        (opened(lambda x: x.mean(-1)), NAMES, "returns shape"),
        (opened(scores), ("a", "b", "c"), "2 classes. Received: 3 names"),
        (opened(scores), None, "classes must be known"),
        (opened(lambda x: 1 / [][0]), NAMES, "must run on an image of 65x65"),
    ],
)
def test_what_is_refused(network: Opened, names: tuple[str, ...] | None, words: str):
    with pytest.raises(ValueError, match=words):
        described(network, names)
