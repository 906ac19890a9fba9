import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data.checks.data_report import DataReport
from keras_deeplab.data.checks.label_check import check_data, check_sources
from keras_deeplab.data.formats import read_folder
from keras_deeplab.presets.datasets import voc_palette
from tests.data.miniatures import SIZE, make_camvid, write_image, write_mask, write_pairs

CLASSES = ["sky", "cat", "dog"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pairs(tmp_path / "images", tmp_path / "masks", "a b c")
    return tmp_path


def kinds(report: DataReport) -> list[tuple[str, str, str]]:
    return [(one.level, one.kind, Path(one.file).name) for one in report.findings]


@pytest.mark.parametrize("fast", [False, True])
def test_nothing_wrong(folder: Path, fast: bool):
    report = check_data(folder, class_names=CLASSES, fast=fast)
    assert report.findings == ()
    assert "nothing wrong" in str(report)
    assert "all: 3 images, 6x8, 0.0% of the pixels ignored" in str(report)


def cut_image(folder: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (80, 80, 3), "uint8")
    Image.fromarray(levels).save(folder / "images" / "b.jpg")
    write_mask(folder / "masks" / "b.png", np.arange(8) % 3)
    Image.fromarray(np.zeros((80, 80), "uint8")).save(folder / "masks" / "b.png")
    path = folder / "images" / "b.jpg"
    path.write_bytes(path.read_bytes()[:-700])


def cut_mask(folder: Path) -> None:
    path = folder / "masks" / "b.png"
    path.write_bytes(path.read_bytes()[:-20])


def text_image(folder: Path) -> None:
    (folder / "images" / "b.jpg").write_text("no image")


def empty_file(folder: Path) -> None:
    (folder / "masks" / "b.png").write_bytes(b"")


def other_size(folder: Path) -> None:
    Image.fromarray(np.zeros((5, 8), "uint8")).save(folder / "masks" / "b.png")


def id_200(folder: Path) -> None:
    labels = np.ones(SIZE, int)
    labels[0, 0] = 200
    write_mask(folder / "masks" / "b.png", labels)


def colours(folder: Path) -> None:
    levels = np.zeros((*SIZE, 3), "uint8")
    levels[0] = 255, 0, 0
    Image.fromarray(levels).save(folder / "masks" / "b.png")


def jpeg_mask(folder: Path) -> None:
    (folder / "masks" / "b.png").unlink()
    write_image(folder / "masks" / "b.jpg")


def no_mask(folder: Path) -> None:
    (folder / "masks" / "b.png").unlink()


def no_image(folder: Path) -> None:
    (folder / "images" / "b.jpg").unlink()


def all_ignored(folder: Path) -> None:
    write_mask(folder / "masks" / "b.png", 255)


def turned(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.new("RGB", SIZE[::-1]).save(folder / "images" / "b.jpg", exif=exif)


CASES: list[tuple[Callable[[Path], None], str, str, str, str]] = [
    (cut_image, "error", "image not readable", "b.jpg", "damaged or cut short"),
    (cut_mask, "error", "mask not readable", "b.png", "damaged or cut short"),
    (text_image, "error", "image not readable", "b.jpg", "that Pillow reads"),
    (empty_file, "error", "mask not readable", "b.png", "0 bytes"),
    (other_size, "error", "size differs", "b.png", "of 6x8 and .* of 5x8"),
    (id_200, "error", "label out of range", "b.png", r"0 to 2, or 255 .* 200 \(2.1%"),
    (colours, "error", "mask not readable", "b.png", r"colour image with \(255, 0, 0\)"),
    (jpeg_mask, "error", "mask not readable", "b.jpg", "without loss"),
    (no_mask, "error", "mask missing", "b.jpg", "must have a mask"),
    (no_image, "warning", "image missing", "b.png", "should have an image"),
    (all_ignored, "warning", "nothing but ignored", "b.png", "ignored label 255"),
    (turned, "warning", "turned by EXIF", "b.jpg", "orientation 3"),
]


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(
    ("spoil", "level", "kind", "file", "words"), CASES, ids=[case[0].__name__ for case in CASES]
)
def test_bad_data(
    folder: Path,
    spoil: Callable[[Path], None],
    level: str,
    kind: str,
    file: str,
    words: str,
    fast: bool,
):
    """Each is found alone, in the file it is in, and the message names the file."""
    spoil(folder)
    report = check_data(folder, class_names=CLASSES, fast=fast)
    assert kinds(report) == [(level, kind, file)]
    message = report.findings[0].message
    assert file in message
    assert re.search(words, message)
    assert f"{level}: {kind} (1)\n  {message}" in str(report)


@pytest.mark.parametrize("spoil", [cut_image, cut_mask, other_size])
def test_headers_show_it_without_decoding(
    folder: Path, spoil: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("keras_deeplab.data.checks.label_check._FAST_IMAGES", 1)
    monkeypatch.setattr("keras_deeplab.data.checks.label_check._FAST_MASKS", 1)
    spoil(folder)
    report = check_data(folder, class_names=CLASSES, fast=True)
    assert len(report.errors) == 1
    assert "b." in report.errors[0].file
    assert "1 masks read for this" in str(report) or spoil is cut_mask


def test_black_and_white_masks(folder: Path):
    for name in "abc":
        write_mask(folder / "masks" / f"{name}.png", np.arange(8) % 2 * 255)
    report = check_data(folder, class_names=["background", "object"])
    assert [one.kind for one in report.errors] == ["black and white"]
    assert "label_map={255: 1}" in report.errors[0].message
    mapped = check_data(folder, class_names=["background", "object"], label_map={255: 1})
    assert mapped.findings == ()


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.arange(8) % 2 * 128, "black and white"),
        # VOC's colours of the classes 0 to 2 in grey
        (np.array([0, 38, 75, 0, 0, 0, 0, 0]), "grey levels of the class colours"),
        (np.arange(8) * 3 + np.arange(6)[:, None] * 30, "resized with interpolation"),
    ],
)
def test_causes_of_wrong_ids_are_guessed(folder: Path, labels: np.ndarray, words: str):
    assert voc_palette(2)[1] == (128, 0, 0)
    write_mask(folder / "masks" / "b.png", labels)
    report = check_data(folder, class_names=CLASSES)
    assert [one.kind for one in report.errors] == ["label out of range"]
    assert words in report.errors[0].message


def test_ids_without_class_names(folder: Path):
    write_mask(folder / "masks" / "b.png", 200)
    report = check_data(folder)
    assert [one.kind for one in report.errors] == ["data not readable"]
    assert "masks/b.png" in report.errors[0].message


def test_empty_folders(folder: Path, tmp_path: Path):
    for path in (folder / "images").iterdir():
        path.unlink()
    report = check_data(folder)
    assert f"{str(folder / 'images')!r} without any" in report.errors[0].message
    assert "does not exist" in check_data(tmp_path / "none").errors[0].message
    assert check_data(tmp_path / "none").to_dict()["splits"] == {}


def test_ignored_class_among_the_classes(folder: Path):
    data = read_folder(folder, class_names=CLASSES, ignore_class=0)
    report = check_sources({"train": data})
    assert report.splits["train"].pixels[0] == 0
    assert report.splits["train"].ignored > 0
    assert report.findings == ()


def test_known_datasets(tmp_path: Path):
    make_camvid(tmp_path, tutorial=True)
    report = check_data(tmp_path)
    assert list(report.splits) == ["train", "val", "test"]
    assert report.class_names[0] == "sky"
    assert report.splits["train"].images == 2


def test_nothing_labelled_in_a_split_is_an_error(folder: Path):
    for name in "abc":
        write_mask(folder / "masks" / f"{name}.png", 255)
    for fast in (False, True):
        report = check_data(folder, class_names=CLASSES, fast=fast)
        assert [one.kind for one in report.errors] == ["nothing labelled"]
        assert "only 255, which is ignored" in report.errors[0].message
    assert check_data(folder, class_names=CLASSES, label_map={255: 1}).errors == ()


def test_objects_in_the_alpha_channel_are_errors(folder: Path):
    for name in "abc":
        pixels = np.full((*SIZE, 4), 255, "uint8")
        pixels[:2, :, 3] = 0
        Image.fromarray(pixels).save(folder / "masks" / f"{name}.png")
    for label_map in (None, {255: 1}):
        report = check_data(folder, class_names=CLASSES, label_map=label_map)
        assert {one.kind for one in report.errors} == {"mask not readable"}
        assert "alpha channel" in str(report)


def with_exif(path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x112] = orientation
    with Image.open(path) as image:
        image.load()
    image.save(path, exif=exif)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_masks_turned_by_exif(folder: Path, suffix: str):
    """The photo and its mask, both tagged, fit; a tag of the mask alone is a warning."""
    (folder / "images" / "b.jpg").unlink()
    (folder / "masks" / "b.png").unlink()
    image = write_image(folder / "images" / f"b{suffix}")
    mask = write_mask(folder / "masks" / f"b{suffix}", np.arange(8) % 3)
    for path in (image, mask):
        with_exif(path, 6)
    for fast in (False, True):
        report = check_data(folder, class_names=CLASSES, fast=fast)
        assert {one[:2] for one in kinds(report)} == {
            ("warning", "turned by EXIF"),
            ("warning", "mask turned by EXIF"),
        }
    data = read_folder(folder, class_names=CLASSES)[1]
    assert data["image"].shape[:2] == data["labels"].shape == SIZE[::-1]
    np.testing.assert_array_equal(data["labels"][:, 0], np.arange(8) % 3)
    with_exif(mask, 3)
    report = check_data(folder, class_names=CLASSES)
    assert [one.kind for one in report.errors] == ["size differs"]


def test_photos_of_which_pillow_raises_other_errors(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """An error of any type is a finding with the file's name, and the others are checked."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("no rows")

    write_image(folder / "images" / "b.bmp")
    (folder / "images" / "b.jpg").unlink()
    monkeypatch.setattr("PIL.BmpImagePlugin.BmpImageFile.load", fail)
    report = check_data(folder, class_names=CLASSES)
    assert [(one.kind, Path(one.file).name) for one in report.errors] == [
        ("image not readable", "b.bmp")
    ]


def test_dark_images_are_warnings(folder: Path):
    levels = np.arange(48, dtype="uint16").reshape(SIZE) * 87
    Image.fromarray(levels).save(folder / "images" / "b.png")
    (folder / "images" / "b.jpg").unlink()
    report = check_data(folder, class_names=CLASSES)
    assert kinds(report) == [("warning", "dark image", "b.png")]
    assert "levels up to 16" in str(report)


def test_files_that_are_passed_over(folder: Path, caplog: pytest.LogCaptureFixture):
    (folder / "images" / "d.cr2").touch()
    (folder / "masks" / "d").touch()
    (folder / "masks" / "notes.txt").touch()
    report = check_data(folder, class_names=CLASSES)
    assert kinds(report) == [
        ("warning", "file passed over", "d.cr2"),
        ("warning", "file passed over", "d"),
    ]
    assert "Passed over 2 files" in caplog.text
