"""The notebooks, top to bottom, on small data and without network."""

from __future__ import annotations

import base64
import io
import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
COLAB = "https://colab.research.google.com/github/keras-deeplab/keras-deeplab/blob/main/notebooks/"
RUN = """
import sys
from pathlib import Path
from run_notebooks import execute

execute(Path(sys.argv[1]), Path.cwd(), fast=True, last=sys.argv[2])
"""
# What must hold at the end, run as a last cell.
RESULTS = {
    "01_quickstart": """
assert 0.7 < result.shares()["cat"] < 0.9, result.shares()
assert results[0].shares()["person"] > 0.3, results[0].shares()
assert probability.min() < 0.1 < 0.9 < probability.max()
import os
assert sorted(os.listdir("masks")) == ["chelsea_mask.png", "chelsea_overlay.png"]
""",
    "02_finetune_your_photos": """
assert report.errors == ()
assert list(pictures) == ["photo", *(f"epoch {epoch + 1}" for epoch in range(EPOCHS))]
assert evaluation.mean_iou > 0.5, evaluation.mean_iou
reread = evaluate(loaded, val_data, size=SIZE, progressbar=False)
assert reread.class_names == ("background", "balloon", "kite")
assert run.best_mean_iou > 0.5, run
""",
    "03_crf": """
assert (before.labels != after.labels).any()
assert search.mean_iou > search.mean_iou_without, search
moved = network.get_layer("crf").get_weights()
assert all(abs(weights - start).max() > 0.01 for weights, start in zip(moved[:2], (5, 3)))
assert history.history["loss"][-1] < history.history["loss"][0], history.history
""",
    "04_export": """
for exact in (saved_model, onnx):
    assert exact.parity.equal_labels > 0.999, exact
assert tflite.bytes < 0.5 * onnx.bytes
assert (labels == facts["class_names"].index("cat")).mean() > 0.3
assert all("person" in result.shares() for result in results.values())
""",
}


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[Any]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def test_each_has_its_results():
    assert [path.stem for path in NOTEBOOKS] == list(RESULTS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_top_to_bottom(path: Path, published_weights, tmp_path: Path):
    nowhere = "http://127.0.0.1:9"
    subprocess.run(
        [sys.executable, "-c", RUN, str(path), RESULTS[path.stem]],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "tools"),
            "http_proxy": nowhere,
            "https_proxy": nowhere,
        },
        check=True,
        timeout=300,
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_first_cells_lead_to_colab_and_install(path: Path):
    assert f"({COLAB}{path.name})" in read(path).cells[0].source
    install = code_cells(path)[0].source
    assert "\nif " in install
    assert '"keras_deeplab"' in install
    assert install.splitlines()[-1].startswith("    %pip install -q ")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_has_its_words(path: Path):
    kinds = [cell.cell_type for cell in read(path).cells]
    assert ("code", "code") not in list(itertools.pairwise(kinds))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_outputs_are_whole_and_clean(path: Path):
    assert path.stat().st_size < 700_000
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not any(output.output_type == "error" for output in outputs)
    words = "".join(
        output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in outputs
    )
    assert not any(place in words for place in ("/tmp", "/home/", "/root/", "site-packages"))
    assert "Warning" not in words
    data = [output.get("data", {}) for output in outputs]
    pictures = [one[kind] for one in data for kind in ("image/png", "image/jpeg") if kind in one]
    assert len(pictures) >= 3
    for picture in pictures:
        Image.open(io.BytesIO(base64.b64decode(picture))).verify()
