"""README's commands and code, as written."""

import re
import shutil
from pathlib import Path

from keras_deeplab.tables.weights import WEIGHTS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_python_runs_as_written(published_weights, tmp_path: Path, monkeypatch):
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    monkeypatch.chdir(tmp_path)
    assert len(blocks("python")) == 2
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert (tmp_path / "overlay.png").is_file()
    assert (tmp_path / "masks" / "chelsea_mask.png").is_file()


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
