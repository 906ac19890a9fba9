import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.cli import main
from keras_deeplab.cli.check_data_command import read_label_map
from tests.data.miniatures import write_mask, write_pairs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pairs(tmp_path / "images", tmp_path / "masks", "a b c")
    return tmp_path


def check(folder: Path, *arguments: str) -> int:
    return main(["check-data", "--data", str(folder), *arguments])


def test_text_and_sheet(folder: Path, capsys: pytest.CaptureFixture[str]):
    sheet = folder / "new" / "sheet.png"
    assert check(folder, "--sheet", str(sheet), "--class-names", "sky, cat, dog") == 0
    out = capsys.readouterr().out
    assert "nothing wrong" in out
    assert "1 cat" in out
    assert str(sheet) in out
    with Image.open(sheet) as image:
        assert image.format == "PNG"


def test_errors_are_the_exit_code(folder: Path, capsys: pytest.CaptureFixture[str]):
    write_mask(folder / "masks" / "b.png", 200)
    assert check(folder, "--class-names", "sky,cat,dog", "--fast") == 1
    assert "error: label out of range (1)" in capsys.readouterr().out


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "masks" / "b.png").unlink()
    assert check(folder, "--json", "--sheet", str(folder / "sheet.png")) == 1
    described = json.loads(capsys.readouterr().out)
    assert described["findings"][0]["kind"] == "mask missing"
    assert described["splits"]["all"]["images"] == 2


def test_labels_are_mapped(folder: Path, capsys: pytest.CaptureFixture[str]):
    for name in "abc":
        write_mask(folder / "masks" / f"{name}.png", np.arange(8) % 2 * 255)
    assert check(folder) == 1
    assert "--label-map 255:1" in capsys.readouterr().out
    assert check(folder, "--label-map", "255:1") == 0
    assert check(folder, "--label-map", "255-1") == 1
    assert "--label-map must be OLD:NEW" in capsys.readouterr().err


def test_ignored_label_and_dataset(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert check(folder, "--ignore-class", "2") == 0
    assert "1 class 1" in capsys.readouterr().out
    assert check(folder, "--dataset", "voc") == 0
    assert "aeroplane" in capsys.readouterr().out
    assert check(folder, "--dataset", "vok") == 1
    assert "Did you mean 'voc'" in capsys.readouterr().err


def test_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert check(tmp_path / "none", "--sheet", str(tmp_path / "a.png")) == 1
    captured = capsys.readouterr()
    assert "does not exist" in captured.out
    assert "A sheet must show an image" in captured.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("255:1", {255: 1}),
        ("7:0,8:1", {7: 0, 8: 1}),
        ("0:255,1-3:0-2", {0: 255, 1: 0, 2: 1, 3: 2}),
        ("2-4:1", {2: 1, 3: 1, 4: 1}),
    ],
)
def test_pairs_and_ranges_of_a_label_map(text: str, expected: dict[int, int]):
    assert read_label_map(text) == expected


@pytest.mark.parametrize("text", ["255", "a:1", "1-3:0-1", "1:2:3", "", "3-1:0-2"])
def test_malformed_label_maps(text: str):
    with pytest.raises(ValueError, match=r"OLD:NEW pairs of ids, such as 255:1, 7:0,8:1 or 1-21"):
        read_label_map(text)
