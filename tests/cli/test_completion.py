import os
import subprocess
import sys
from pathlib import Path

import pytest


def completions(line: str, folder: Path) -> list[str]:
    """What a shell would offer at the end of a line."""
    pytest.importorskip("argcomplete")
    root = str(Path(__file__).parents[2])
    environment = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(folder / "found"),
        "_ARGCOMPLETE_IFS": "\n",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
        "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]),
    }
    code = "from keras_deeplab.cli import main; main(['list'])"
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, **environment}, cwd=folder
    )
    return [word.strip() for word in (folder / "found").read_text().splitlines()]


def test_tab_completion(tmp_path: Path):
    (tmp_path / "cityhall.keras").touch()
    assert completions("keras-deeplab ev", tmp_path) == ["evaluate"]
    models = completions("keras-deeplab segment --model city", tmp_path)
    assert models == ["cityscapes", "cityhall.keras"]
