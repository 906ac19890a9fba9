from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data.formats.oxford_pets import pets, pets_splits
from tests.data.miniatures import write_image


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "annotations" / "trimaps").mkdir(parents=True)
    for name in ("Abyssinian_1", "beagle_2", "pug_3"):
        write_image(tmp_path / "images" / f"{name}.jpg")
        with Image.open(tmp_path / "images" / f"{name}.jpg") as image:
            trimap = np.full(image.size[::-1], 2, "uint8")
        trimap[0], trimap[1] = 1, 3
        Image.fromarray(trimap).save(tmp_path / "annotations" / "trimaps" / f"{name}.png")
    return tmp_path


def test_trimaps_become_pet_background_and_border(root: Path):
    data = pets(root)
    assert data.class_names == ("pet", "background", "border")
    assert [example.name for example in data.examples] == ["Abyssinian_1", "beagle_2", "pug_3"]
    labels = data[0]["labels"]
    assert (labels[0] == 0).all()
    assert (labels[1] == 2).all()
    assert (labels[2:] == 1).all()


def test_the_lists_are_the_splits(root: Path):
    assert pets_splits(root) == ("train",)
    with pytest.raises(FileNotFoundError, match="no test.txt"):
        pets(root, "test")
    (root / "annotations" / "trainval.txt").write_text("Abyssinian_1 1 1 1\npug_3 2 2 1\n")
    (root / "annotations" / "test.txt").write_text("beagle_2 3 2 2\n")
    assert pets_splits(root) == ("train", "test")
    assert [example.name for example in pets(root).examples] == ["Abyssinian_1", "pug_3"]
    assert [example.name for example in pets(root, "test").examples] == ["beagle_2"]
    with pytest.raises(ValueError, match="split must be one of"):
        pets(root, "val")
