"""The notebooks, top to bottom, on small data and without network."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
COLAB = "https://colab.research.google.com/github/keras-deeplab/keras-deeplab/blob/main/notebooks/"

# What must hold at the end, run as a last cell.
RESULTS = {
    "01_quickstart": """
        assert 0.7 < result.shares()["cat"] < 0.9, result.shares()
        assert answers[0].shares()["person"] > 0.3, answers[0].shares()
        assert cat_probability.min() < 0.1 < 0.9 < cat_probability.max()
        assert len(list(Path("masks").iterdir())) == 2
    """,
    "02_finetune_your_photos": """
        assert report.errors == ()
        assert evaluation.mean_iou > 0.5, evaluation.mean_iou
        assert history.history["loss"][-1] < 0.5 * history.history["loss"][0]
        assert list(pictures) == list(range(1, EPOCHS + 1))
        assert run.best.is_file()
        reread = evaluate("mine.keras", validation_data, size=SIZE, progressbar=False)
        assert abs(reread.mean_iou - evaluation.mean_iou) < 1e-3
    """,
    "03_crf": """
        assert (before.labels != after.labels).any()
        assert search.mean_iou > search.mean_iou_without + 0.005, search
        assert tuned.mean_iou > evaluation.mean_iou, tuned.mean_iou
        assert max(history.history["loss"]) < 2
        weights = keras.ops.convert_to_numpy(crf_layer.bilateral_weights)
        assert (weights != 5).all(), weights
        assert trained.mean_iou > evaluation.mean_iou, trained.mean_iou
    """,
    "04_export": """
        agreement = {name: one.parity.equal_labels for name, one in exports.items()}
        assert min(agreement[name] for name in ("SavedModel", "TFLite", "ONNX")) > 0.999, agreement
        assert exports["TFLite int8"].bytes < 0.4 * exports["TFLite"].bytes
        assert 0.3 < (labels == metadata["class_names"].index("cat")).mean() < 1
        assert (onnx_labels[0] == labels).mean() > 0.8
    """,
}


def read(path: Path):
    return nbformat.read(path, 4)


def code_cells(path: Path) -> list:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_top_to_bottom(path: Path, published_weights, tmp_path: Path):
    notebook = read(path)
    checks = "from pathlib import Path\n" + "\n".join(
        line.strip() for line in RESULTS[path.stem].splitlines()
    )
    notebook.cells.append(nbformat.v4.new_code_cell(checks))
    nbformat.write(notebook, tmp_path / "notebook.ipynb")
    nowhere = "http://127.0.0.1:9"
    # In a process of its own, whose warnings are the libraries' affair.
    subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "KERAS_DEEPLAB_FAST": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "http_proxy": nowhere,
            "https_proxy": nowhere,
        },
        check=True,
        timeout=300,
    )


RUN = """
import nbformat
from nbclient import NotebookClient

NotebookClient(nbformat.read("notebook.ipynb", 4), timeout=120).execute(cwd=".")
"""


def test_each_has_its_results():
    assert [path.stem for path in NOTEBOOKS] == list(RESULTS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_first_cells_lead_to_colab_and_install(path: Path):
    title, install = read(path).cells[:2]
    assert f"({COLAB}{path.name})" in title.source
    condition, command = install.source.splitlines()[-2:]
    assert condition == 'if importlib.util.find_spec("keras_deeplab") is None:'
    assert command.startswith("    %pip install -q ")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_outputs_are_whole_and_clean(path: Path):
    text = path.read_text()
    assert len(text) < 700_000
    # "/tmp/" may be letters of a picture.
    assert not any(place in text for place in ('"/tmp', "/home/", "/root/", "site-packages"))
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not any(output.output_type == "error" for output in outputs)
    pictures = [output.data["image/jpeg"] for output in outputs if "image/jpeg" in output.get("data", {})]
    assert len(pictures) >= 3
    for picture in pictures:
        assert Image.open(io.BytesIO(base64.b64decode(picture))).width <= 900
