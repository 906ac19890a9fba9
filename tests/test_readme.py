"""README's commands and code, as written."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

from keras_deeplab.tables.recipes import RECIPES
from keras_deeplab.tables.weights import WEIGHTS
from tests.training.test_run import write_squares

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_python_runs_as_written(published_weights, tmp_path: Path, monkeypatch):
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    monkeypatch.chdir(tmp_path)
    write_squares(tmp_path / "photos", 4)
    assert len(blocks("python")) == 3
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert (tmp_path / "overlay.png").is_file()
    assert (tmp_path / "masks" / "chelsea_mask.png").is_file()


def test_commands_for_a_folder_run_as_written(published_weights, tmp_path: Path, monkeypatch):
    from keras_deeplab.cli import main

    short = replace(RECIPES["fine_tune"], epochs=1, batch_size=2, crop_size=(65, 65))
    monkeypatch.setitem(RECIPES, "fine_tune", short)
    monkeypatch.chdir(tmp_path)
    write_squares(tmp_path / "photos", 4)
    (block,) = blocks("console")
    for command in block.splitlines():
        assert main(command.split()[1:]) == 0, command
    assert (tmp_path / "first.tflite").is_file()


def test_python_of_the_training_guide_runs_as_written(
    published_weights, tmp_path: Path, monkeypatch
):
    for split in ("train", "val"):
        write_squares(tmp_path / "photos" / split, 4)
    short = replace(RECIPES["fine_tune"], epochs=1, batch_size=2, crop_size=(65, 65))
    monkeypatch.setitem(RECIPES, "fine_tune", short)
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "training.md").read_text()
    found = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(found) == 2
    for block in found:
        exec(compile(block, "training.md", "exec"), {})


def test_commands_are_those_of_ci():
    ci = (ROOT / ".ci" / "run").read_text()
    commands = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) == 5
    for command in commands:
        assert command.removeprefix("pip install ") in ci, command


def test_promised_output(published_weights, tmp_path: Path, monkeypatch, capsys):
    from keras_deeplab.cli import main

    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    monkeypatch.chdir(tmp_path)
    assert main(["segment", "docs/images/chelsea.png"]) == 0
    assert capsys.readouterr().out in README


def test_the_table_holds_the_measured_rows():
    measured = [row.name for row in WEIGHTS.values() if row.converter == "tflite"]
    assert all(f"| `{name}`" in README for name in measured)
    assert f"the {len(WEIGHTS)} weights files" in README
