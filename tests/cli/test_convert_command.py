from pathlib import Path
from types import SimpleNamespace

import pytest

from keras_deeplab.cli import main
from keras_deeplab.presets.datasets import DATASETS


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """What is converted, in place of a conversion."""
    found: list[dict] = []

    def convert(source: str, out: str, **options):
        found.append({"source": source, "out": out, **options})
        names = options["class_names"] or ("class 0", "class 1")
        layer = SimpleNamespace(class_names=names)
        return SimpleNamespace(name="net", get_layer=lambda name: layer)

    monkeypatch.setattr("keras_deeplab.weights.conversion.convert", convert)
    return found


def test_options_and_what_is_printed(calls, capsys: pytest.CaptureFixture[str]):
    assert main(["convert", "a.pth", "--out", "a.keras", "--class-names", "sky, road,car"]) == 0
    (call,) = calls
    assert (call["source"], call["out"]) == ("a.pth", "a.keras")
    assert call["class_names"] == ("sky", "road", "car")
    assert call["converter"] is call["network"] is None
    printed = capsys.readouterr().out
    assert printed == "a.pth: net with 3 classes (sky, road, car)\n  a.keras\n"


def test_missing_names_are_asked_for(calls, capsys: pytest.CaptureFixture[str]):
    assert main(["convert", "a.pth", "--out", "a.keras", "--converter", "mmseg"]) == 0
    assert calls[0]["converter"] == "mmseg"
    assert "give them with --class-names" in capsys.readouterr().out


def test_names_of_a_dataset_or_a_file(calls, tmp_path: Path):
    file = tmp_path / "names.txt"
    file.write_text("\ufeffsky\nroad\n", "utf-8")
    for names in ("voc", str(file)):
        main(["convert", "a.pth", "--out", "a.keras", "--class-names", names])
    assert calls[0]["class_names"] == DATASETS["voc"].class_names
    assert calls[1]["class_names"] == ("sky", "road")
