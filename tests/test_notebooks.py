"""The notebooks, top to bottom, on small data and without network."""

import base64
import io
import itertools
from pathlib import Path
from textwrap import dedent

import pytest
from PIL import Image

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")
pytest.importorskip("nbclient")

from tools.run_notebooks import LARGEST, NOTEBOOKS, execute, tidy, unwanted  # noqa: E402

COLAB = "https://colab.research.google.com/github/keras-deeplab/keras-deeplab/blob/main/notebooks/"
# What must hold at the end; run as a last cell.
RESULTS = {
    "01_quickstart": """
        assert 0.7 < result.shares()["cat"] < 0.9, result.shares()
        assert results[0].shares()["person"] > 0.3, results[0].shares()
        assert probability.min() < 0.1 < 0.9 < probability.max()
        assert sorted(os.listdir("masks")) == ["cat_mask.png", "cat_overlay.png"]
        assert (scores[0].argmax(-1) == result.labels).mean() > 0.8
    """,
    "02_finetune_your_photos": """
        assert report.errors == ()
        assert evaluation.mean_iou > 0.5, evaluation.mean_iou  # background alone: 0.30
        assert list(pictures) == ["photo", *(f"epoch {n + 1}" for n in range(EPOCHS))]
        again = evaluate("my_network.keras", val_data, size=SIZE, progressbar=False)
        assert abs(again.mean_iou - evaluation.mean_iou) < 1e-3
        assert run.best_mean_iou > 0.5 and run.best.is_file()
        assert train_data.read_as.startswith("LabelMe polygons")
        assert new_photo.with_suffix(".json").is_file()
    """,
    "03_crf": """
        assert (before.labels != after.labels).any()
        assert evaluation.mean_iou > 0.6
        assert search.mean_iou > search.mean_iou_without, search
        assert history.history["loss"][-1] < history.history["loss"][0], history.history
        assert len(network.trainable_variables) == 3
        assert trained.mean_iou > evaluation.mean_iou, trained.mean_iou
    """,
    "04_export": """
        assert min(x.parity.equal_labels for x in (saved_model, onnx)) > 0.999
        assert 0.9 < tflite.parity.equal_labels < 1
        assert tflite.bytes < 0.4 * onnx.bytes
        assert (results["network"].labels == results["ONNX"].labels).mean() > 0.99
        assert 0.15 < (labels == facts["class_names"].index("person")).mean() < 0.9
    """,
}


def test_each_has_its_results():
    assert [path.stem for path in NOTEBOOKS] == list(RESULTS)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_top_to_bottom(path: Path, tmp_path: Path, monkeypatch):
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")
    last = "import os\n" + dedent(RESULTS[path.stem])
    notebook = execute(path, tmp_path, fast=True, last=last)
    assert unwanted(notebook) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_first_cells_lead_to_colab_and_install(path: Path):
    cells = nbformat.read(path, 4).cells
    assert f"({COLAB}{path.name})" in cells[0].source
    install = next(cell.source for cell in cells if cell.cell_type == "code")
    assert "find_spec(" in install
    assert "%pip install -q " in install.splitlines()[-1]
    assert "git+https://github.com/keras-deeplab/keras-deeplab" in install


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_has_its_words(path: Path):
    kinds = [cell.cell_type for cell in nbformat.read(path, 4).cells]
    assert ("code", "code") not in itertools.pairwise(kinds)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_outputs_are_whole_and_clean(path: Path):
    notebook = nbformat.read(path, 4)
    assert unwanted(notebook) == []
    assert len(path.read_text()) < LARGEST
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert all(output.output_type != "error" for output in outputs)
    pictures = [text for output in outputs for text in _pictures(output)]
    assert len(pictures) >= 3
    for text in pictures:
        Image.open(io.BytesIO(base64.b64decode(text))).verify()


def _pictures(output) -> list[str]:
    data = output.get("data", {})
    return [text for kind, text in data.items() if kind.startswith("image/")]


def test_what_nobody_wants_to_read_is_found():
    def printed(text: str):
        output = nbformat.v4.new_output("stream", text=text)
        return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[output])])

    assert unwanted(printed("mean IoU 0.7\n")) == []
    for text in ("UserWarning: old\n", f"{Path.home()}/photos\n", "1/3\r"):
        assert unwanted(printed(f"fine\n{text}")) == [text]


def test_pictures_become_small_and_machine_data_goes():
    noise = Image.effect_noise((300, 300), 80)
    png = io.BytesIO()
    noise.save(png, "PNG")
    data = {"image/png": base64.b64encode(png.getvalue()).decode(), "text/plain": "<Image>"}
    output = nbformat.v4.new_output("display_data", data=data)
    lines = [nbformat.v4.new_output("stream", text=f"epoch {number}\n") for number in (1, 2)]
    cell = nbformat.v4.new_code_cell(
        outputs=[*lines, output], metadata={"execution": {"at": "noon"}}
    )
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"accelerator": "GPU", "own": 1})
    tidy(notebook)
    assert [list(one.get("data", ())) for one in cell.outputs] == [[], ["image/jpeg"]]
    assert cell.outputs[0].text == "epoch 1\nepoch 2\n"
    assert cell.metadata == {}
    assert sorted(notebook.metadata) == ["accelerator", "kernelspec", "language_info"]
