import json
from pathlib import Path

import numpy as np
from PIL import Image

from keras_deeplab.cli import main, review_command
from tests.evaluation.test_label_review import data, network  # noqa: F401 - fixtures


def test_pages_and_lists(network, data, tmp_path: Path, monkeypatch, capsys):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    for folder in ("train/images", "train/masks"):
        Path(folder).mkdir(parents=True)
    for example in data.examples:
        example.image.rename(f"train/images/{example.name}.png")
        example.mask.rename(f"train/masks/{example.name}.png")
    Path("train/classes.txt").write_text("background\nkite\n")
    monkeypatch.setattr(review_command, "resolve_network", lambda *_: network)
    arguments = ["review", "--data", "train", "--count", "3", "--photos", "train/images"]
    assert main(arguments) == 0
    assert "train/images/2.png: missing object, background or kite" in capsys.readouterr().out
    rows = json.loads(Path("reviewed/review.json").read_text())
    assert len(rows) == 6
    assert Path(rows[0]["image"]).name == "2.png"
    assert [row["score"] for row in rows] == sorted((r["score"] for r in rows), reverse=True)
    assert len(Path("reviewed/to_review.txt").read_text().splitlines()) == 3
    assert len(Path("reviewed/to_label.txt").read_text().splitlines()) == 3
    tasks = json.loads(Path("reviewed/to_label.json").read_text())
    assert tasks[0]["data"]["image"].startswith("/data/local-files/?d=")
    with Image.open("train/masks/2.png") as mask:
        assert not np.asarray(mask).any()
