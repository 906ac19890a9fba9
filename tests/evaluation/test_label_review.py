import json
from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.data import Example, SegmentationFiles
from keras_deeplab.evaluation import review, worth_labelling, write_review
from keras_deeplab.inference import Segmenter
from tests.data.miniatures import write_image, write_mask

SIDE = 64


def by_brightness(images: np.ndarray) -> np.ndarray:
    """Scores of a network that knows: bright pixels are of class 1."""
    bright = images.mean(-1, keepdims=True) > 127
    return np.concatenate([~bright, bright], -1).astype("float32") * 8


@pytest.fixture
def network() -> Segmenter:
    return Segmenter(
        run=by_brightness,
        input_shape=(None, None, None, 3),
        output="logits",
        class_names=("background", "kite"),
        palette=((0, 0, 0), (255, 0, 0)),
        ignore_class=255,
        inference_size=(SIDE, SIDE),
        name="brightness",
    )


@pytest.fixture
def data(tmp_path: Path) -> SegmentationFiles:
    """Six photos of a bright square; the mask of the third lacks it."""
    from PIL import Image

    examples = []
    for number in range(6):
        labels = np.zeros((SIDE, SIDE), "uint8")
        labels[10 + number : 40 + number, 16:48] = 1
        image = tmp_path / f"{number}.png"
        Image.fromarray(np.repeat(labels[..., None] * 255, 3, -1)).save(image)
        if number == 2:
            labels[:] = 0
        mask = tmp_path / f"mask_{number}.png"
        Image.fromarray(labels).save(mask)
        examples.append(Example(str(number), image, mask))
    return SegmentationFiles(examples, class_names=["background", "kite"])


def test_the_wrong_mask_comes_first(network: Segmenter, data: SegmentationFiles):
    suspects = review(network, data)
    assert suspects[0].name == "2"
    assert suspects[0].score > 5 * suspects[1].score
    (region,) = suspects[0].regions
    assert (region.kind, region.labelled, region.predicted) == (
        "missing object", "background", "kite",
    )  # fmt: skip
    # One pixel of the border is left out.
    assert region.box == pytest.approx((13 / 64, 17 / 64, 41 / 64, 47 / 64), abs=1e-6)
    assert suspects[1].regions == ()


def test_the_page(network: Segmenter, data: SegmentationFiles, tmp_path: Path):
    suspects = review(network, data)
    page = write_review([(data, one) for one in suspects], network, tmp_path / "out", count=2)
    text = page.read_text()
    assert text.count("<article>") == 2
    assert text.count("data:image/jpeg;base64,") == 6
    assert "missing object: labelled background, predicted kite" in text
    assert "2 of 6 photos" in text


def test_other_classes(network: Segmenter, tmp_path: Path):
    write_image(tmp_path / "a.jpg")
    write_mask(tmp_path / "a.png", 0)
    example = Example("a", tmp_path / "a.jpg", tmp_path / "a.png")
    data = SegmentationFiles([example], class_names=["a", "b", "c"])
    with pytest.raises(ValueError, match=r"Received: .* with 2 \(.*and data with 3 \(a, b, c\)"):
        review(network, data)


def test_uncertain_photos_that_differ_are_chosen(tmp_path: Path):
    from PIL import Image

    def run(images: np.ndarray) -> np.ndarray:
        level = images.mean(-1, keepdims=True) / 255
        return np.concatenate([1 - level, level], -1)

    network = Segmenter(
        run=run,
        input_shape=(None, None, None, 3),
        output="probabilities",
        class_names=("a", "b"),
        palette=((0, 0, 0), (255, 0, 0)),
        ignore_class=255,
        inference_size=(SIDE, SIDE),
        name="levels",
    )
    for name, level in (("sure", 2), ("unsure", 127), ("twin", 126), ("other", 70)):
        Image.new("RGB", (SIDE, SIDE), (level,) * 3).save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_bytes(b"no")
    chosen = worth_labelling(network, sorted(tmp_path.iterdir()), count=2)
    assert [path.stem for path, _ in chosen] == ["unsure", "other"]
    assert chosen[0][1] == pytest.approx(1, abs=1e-3)
    assert json.dumps(chosen[1][1])
