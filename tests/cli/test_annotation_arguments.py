import json
from pathlib import Path

import pytest

from keras_deeplab.cli.commands import main
from keras_deeplab.data import read_dataset
from tests.data.annotations.exports import photo


def test_annotations_instead_of_masks(tmp_path: Path, network_file: Path, capsys):
    photos = tmp_path / "photos"
    photo(photos / "a.jpg", 0, (48, 64))
    photo(photos / "b.jpg", 1, (48, 64))
    network = ["--model", str(network_file), "--backbone", "mobilenet_v2_050"]
    arguments = ["segment", str(photos), *network, "--size", "65"]
    assert main([*arguments, "--annotations", "coco.json", "--out", str(photos), "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line).keys() for line in lines] == [{"photo", "shares"}] * 2
    assert sorted(path.name for path in photos.iterdir()) == ["a.jpg", "b.jpg", "coco.json"]
    data = read_dataset(photos)
    shares = json.loads(lines[0])["shares"]
    read = (data[0]["labels"] == 0).mean()
    assert read == pytest.approx(shares.get("background", 0), abs=0.05)
    out = tmp_path / "labelme"
    assert main([*arguments, "--annotations", "labelme", "--out", str(out)]) == 0
    assert str(out / "labels.txt") in capsys.readouterr().out
    assert (out / "b.json").is_file()
    assert main([*arguments, "--annotations", "labelmee", "--out", str(out)]) == 1
    assert "Did you mean 'labelme'?" in capsys.readouterr().err
