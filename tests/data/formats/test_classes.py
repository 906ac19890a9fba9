from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data.formats.classes import read_classes
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


COLOURS = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0)], "uint8")


def write_colours(folder: Path) -> np.ndarray:
    write_pairs(folder / "images", folder / "masks", "a b")
    labels = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) % 3
    for name in "ab":
        Image.fromarray(COLOURS[labels]).save(folder / "masks" / f"{name}.png")
    return labels


@pytest.mark.parametrize(
    ("colours", "text"),
    [
        ("labelmap.txt", "sky:0,0,0::\ncat:255,0,0::\ndog:0,255,0::\n"),
        ("labelmap.txt", "dog:0,255,0::\nsky:0,0,0::\ncat:255,0,0::\nrest:9,9,9::\n"),
        ("class_dict.csv", "name,r,g,b\nsky,0,0,0\ncat, 255,0,0\ndog,0,255,0\n"),
    ],
)
@pytest.mark.parametrize(
    ("names", "names_text"),
    [("classes.txt", "sky\ncat\ndog"), ("classes.json", '["sky","cat","dog"]')],
)
def test_names_in_one_file_and_colours_in_another(
    tmp_path: Path, colours: str, text: str, names: str, names_text: str
):
    """The order of the names is that of the ids."""
    labels = write_colours(tmp_path)
    (tmp_path / names).write_text(names_text)
    (tmp_path / colours).write_text(text)
    data = read_folder(tmp_path)
    assert data.class_names == ("sky", "cat", "dog")
    np.testing.assert_array_equal(data[1]["labels"], labels)


def test_colours_of_other_classes_are_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    write_pairs(tmp_path / "images", tmp_path / "masks", "a")
    (tmp_path / "classes.txt").write_text("sky\ncat\ndog")
    (tmp_path / "labelmap.txt").write_text("cat:1,2,3::\ncow:4,5,6::")
    assert read_folder(tmp_path).class_names == ("sky", "cat", "dog")
    assert "The classes are those of classes.txt" in caplog.text
    assert "labelmap.txt are not used" in caplog.text


def test_table_of_class_colours_alone(tmp_path: Path):
    labels = write_colours(tmp_path)
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nsky,0,0,0\ncat,255,0,0\ndog,0,255,0\n")
    data = read_folder(tmp_path)
    assert data.class_names == ("sky", "cat", "dog")
    np.testing.assert_array_equal(data[0]["labels"], labels)
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nsky,x,0,0\n")
    with pytest.raises(ValueError, match=r"NAME,RED,GREEN,BLUE.*class_dict.csv"):
        read_folder(tmp_path)


@pytest.mark.parametrize("place", ["", "train"])
def test_class_names_of_roboflow(tmp_path: Path, place: str):
    write_pairs(tmp_path / "train", tmp_path / "train_masks", "a")
    text = "Pixel Value, Class\r\n0, background\r\n1, kite\r\n3, tree\r\n"
    (tmp_path / place / "_classes.csv").write_bytes(text.encode())
    assert read_folder(tmp_path, "train").class_names == ("background", "kite", "class 2", "tree")
    (tmp_path / place / "_classes.csv").write_text("Pixel Value, Class\nkite, 1\n")
    with pytest.raises(ValueError, match=r"ID, NAME.*_classes.csv"):
        read_folder(tmp_path, "train")


@pytest.mark.parametrize(
    "lines", ["0 sky\n1 old road\n", "0:sky\n1: old road", "0\tsky\r\n1\told road"]
)
def test_label_ids_before_the_names(tmp_path: Path, lines: str):
    (tmp_path / "classes.txt").write_text(lines)
    assert read_classes(tmp_path)[0] == ("sky", "old road")


@pytest.mark.parametrize("lines", ["1 sky\n2 road\n", "0 sky\nroad\n", "3d print\nroad\n"])
def test_numbers_that_are_no_label_ids_belong_to_the_names(tmp_path: Path, lines: str):
    (tmp_path / "classes.txt").write_text(lines)
    assert read_classes(tmp_path)[0] == tuple(lines.splitlines())
