from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data.formats.folder import read_folder
from tests.data.miniatures import SIZE, write_image, write_pairs


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "background\ncat\n\ndog\n"),
        ("labels.txt", "background\r\ncat\r\ndog"),
        ("class_names.json", '["background", "cat", "dog"]'),
        ("classes.json", '{"0": "background", "1": "cat", "2": "dog"}'),
        ("labelmap.txt", "# label:color\nbackground:0,0,0::\ncat:1,2,3::\ndog:9,9,9::"),
    ],
)  # fmt: skip
def test_class_names_from_a_file(tmp_path: Path, name: str, text: str):
    write_pairs(tmp_path / "images", tmp_path / "masks", "a")
    (tmp_path / name).write_text(text)
    data = read_folder(tmp_path)
    assert data.class_names == ("background", "cat", "dog")
    assert (data.palette[1] == (1, 2, 3)) == (name == "labelmap.txt")
    assert read_folder(tmp_path, class_names=["x", "y", "z"]).class_names == ("x", "y", "z")


def test_masks_in_the_colours_of_labelmap(tmp_path: Path):
    write_image(tmp_path / "images" / "a.jpg")
    (tmp_path / "masks").mkdir()
    colours = np.zeros((*SIZE, 3), "uint8")
    colours[0] = 1, 2, 3
    Image.fromarray(colours).save(tmp_path / "masks" / "a.png")
    (tmp_path / "labelmap.txt").write_text("background:0,0,0::\ncat:1,2,3::\n")
    labels = read_folder(tmp_path)[0]["labels"]
    assert labels[:, 0].tolist() == [1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("classes.txt", "a\na", "distinct"),
        ("classes.json", '{"1": "a"}', "names by id from 0"),
        ("class_names.json", "no json", "names by id from 0"),
        ("labelmap.txt", "cat 1 2 3", "NAME:RED,GREEN,BLUE"),
    ],
)
def test_broken_files_of_class_names(tmp_path: Path, name: str, text: str, words: str):
    write_pairs(tmp_path / "images", tmp_path / "masks", "a")
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=words):
        read_folder(tmp_path)


def test_classes_are_counted_over_all_splits(tmp_path: Path):
    write_pairs(tmp_path / "train/images", tmp_path / "train/masks", "a", classes=2)
    write_pairs(tmp_path / "val/images", tmp_path / "val/masks", "b", classes=5)
    assert read_folder(tmp_path, "train").class_names[-1] == "class 4"


def test_colours_without_labelmap_are_named(tmp_path: Path):
    """Whoever keeps masks as colours reads which ones, and what to write where."""
    write_pairs(tmp_path / "images", tmp_path / "masks", "a b")
    colours = np.zeros((*SIZE, 3), "uint8")
    colours[0] = 200, 30, 30
    for name in "ab":
        Image.fromarray(colours).save(tmp_path / "masks" / f"{name}.png")
    words = r"None of the 2 masks .*a.png', a colour image with \(0, 0, 0\), \(200, 30, 30\)"
    with pytest.raises(ValueError, match=words):
        read_folder(tmp_path)


@pytest.mark.parametrize("name", ["classes.txt", "labelmap.txt", "classes.json"])
def test_class_names_in_other_encodings(tmp_path: Path, name: str):
    write_pairs(tmp_path / "images", tmp_path / "masks", "a")
    texts = {
        "classes.txt": "Straße\r\nBäume\r\nCafé\r\n",
        "labelmap.txt": "Straße:0,0,0::\r\nBäume:1,1,1::\r\nCafé:2,2,2::\r\n",
        "classes.json": '["Straße", "Bäume", "Café"]',
    }
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / name).write_bytes(texts[name].encode(encoding))
        assert read_folder(tmp_path).class_names == ("Straße", "Bäume", "Café")
    (tmp_path / name).write_bytes(texts[name].encode("cp1252"))
    with pytest.raises(ValueError, match=rf"{name}' with another encoding.* Save it as UTF-8"):
        read_folder(tmp_path)
