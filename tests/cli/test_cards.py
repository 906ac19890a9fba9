import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from keras_deeplab.cli import cards, main
from keras_deeplab.cli.cards import card
from keras_deeplab.presets.weights import WEIGHTS

ROOT = Path(__file__).parents[2]
HALF = "deeplab_v3_mobilenet_v2_050.voc_trainaug"


def test_the_page_is_that_of_the_presets():
    tool = runpy.run_path(str(ROOT / "tools" / "write_model_page.py"))
    written = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert written == tool["page"](), "run: python tools/write_model_page.py"


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_card_has_every_fact(name: str):
    row, text = WEIGHTS[name], card(name)
    assert text.startswith(f"# {name}\n")
    for fact in (row.network, row.trained_on, row.licence, row.source, row.file, f'"{name}"'):
        assert fact in text
    assert ("validation images" in text) == row.trained_on_val
    assert ("states no licence" in text) == (row.licence == "NOASSERTION")


def test_an_address_without_protection_is_said():
    (caffe, *_) = (row for row in WEIGHTS.values() if row.converter == "caffe")
    assert "No hash was published: compare the recorded one" in card(caffe.name)
    for name, row in WEIGHTS.items():
        assert ("with http only" in card(name)) == (row.url or "").startswith("http://")
        assert ("not published; that of the first" in card(name)) == (row.sha256 is None)


def test_numbers_of_a_card():
    text = card(HALF)
    for line in (
        "- parameters: 0.70 M",
        "- multiply-adds: 0.9 G at 513x513",
        "- mean IoU, published: 0.6965 (VOC 2012 val",
        "- mean IoU, measured here: 0.4536 (128 photos of COCO",
        "- size: 0.8 MB",
        f"- SHA-256: {WEIGHTS[HALF].sha256}",
    ):
        assert line in text


def test_the_text_of_a_bundled_file_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "weights" / "bundled"
    folder.mkdir(parents=True)
    (folder / f"{HALF}.md").write_text("## Data\n\nPhotos of möbius strips.\n", encoding="utf-8")
    monkeypatch.setattr(cards, "package_files", lambda package: tmp_path)
    assert card(HALF).endswith("\n\n## Data\n\nPhotos of möbius strips.\n")
    assert "möbius" not in card("deeplab_v3_resnet50.coco_voc")


def test_a_row_may_know_its_own_size(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(WEIGHTS, HALF, replace(WEIGHTS[HALF], inference_size=(385, 400)))
    assert "resized to fit 385x400" in card(HALF)


def test_the_command_prints_one(capsys: pytest.CaptureFixture[str]):
    assert main(["list", "--card", "voc"]) == 0
    (recommended,) = (r.name for r in WEIGHTS.values() if r.recommended and r.dataset == "voc")
    assert capsys.readouterr().out == card(recommended)
    assert main(["list", "--card", "deeplab_v3_resnet5.coco_voc"]) == 1
    error = capsys.readouterr().err
    assert "'keras-deeplab list' shows" in error
    assert "Did you mean 'deeplab_v3_resnet50.coco_voc'?" in error
