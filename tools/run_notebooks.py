"""Runs the notebooks and writes outputs and pictures into them, as they are committed.

    python tools/run_notebooks.py
    python tools/run_notebooks.py --fast 01 02

With --fast only looks whether they run, on less and smaller data, and writes nothing. Each runs in
an empty folder of its own.
"""

import argparse
import base64
import io
import os
import pathlib
import re
import tempfile
import time

import nbformat
from nbclient import NotebookClient
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LARGEST = 700_000
# Of the kernel, which on Colab shows what Python prints but nothing of TensorFlow's C++ side.
_QUIET = ["--IPKernelApp.capture_fd_output=False"]
_UNWANTED = (str(ROOT), str(pathlib.Path.home()), tempfile.gettempdir(), "Warning", "\r", "\x1b")


def execute(
    path: pathlib.Path, folder: pathlib.Path, *, fast: bool, last: str = ""
) -> nbformat.NotebookNode:
    """Returns a notebook, run from top to bottom in a folder.

    Args:
        path: The notebook.
        folder: Where it leaves its files.
        fast: Whether it runs on less and smaller data.
        last: Code to run after its last cell.

    Raises:
        CellExecutionError: If a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    if last:
        notebook.cells.append(nbformat.v4.new_code_cell(last))
    environment = {
        **os.environ,
        "KERAS_DEEPLAB_FAST": "1" if fast else "",
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # On Colab the widgets are there.
        "PYTHONWARNINGS": "ignore:IProgress not found",
    }
    client = NotebookClient(
        notebook,
        timeout=900,
        kernel_name="python3",
        extra_arguments=_QUIET,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=environment)
    return notebook


def unwanted(notebook: nbformat.NotebookNode) -> list[str]:
    """Returns lines of outputs that nobody wants to read: machine paths, warnings, bars."""
    texts = [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for cell in notebook.cells
        for output in cell.get("outputs", ())
    ]
    lines = [line for text in texts for line in text.splitlines(keepends=True)]
    return [line for line in lines if any(word in line for word in _UNWANTED)]


def tidy(notebook: nbformat.NotebookNode) -> None:
    """Takes out what differs from run to run, and makes pictures small."""
    kept = {key: notebook.metadata[key] for key in ("accelerator",) if key in notebook.metadata}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = {**kept, "kernelspec": kernel, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata = {}
        if "outputs" in cell:
            cell.outputs = _joined(cell.outputs)
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                output.data = _picture(output.data["image/png"])
            output.pop("metadata", None)
            if output.output_type != "stream":
                output.metadata = {}


def _joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Returns outputs of which those that follow each other in one stream are one."""
    joined: list[nbformat.NotebookNode] = []
    for output in outputs:
        name = output.get("name")
        if name and joined and joined[-1].get("name") == name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _picture(png: str) -> dict[str, str]:
    """Returns a picture as PNG or JPEG, whichever is smaller."""
    content = base64.b64decode(png)
    jpeg = io.BytesIO()
    Image.open(io.BytesIO(content)).convert("RGB").save(jpeg, "JPEG", quality=88, optimize=True)
    if len(jpeg.getvalue()) < len(content):
        return {"image/jpeg": base64.b64encode(jpeg.getvalue()).decode()}
    return {"image/png": re.sub(r"\s", "", png)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="how the notebooks begin (default: all)")
    parser.add_argument("--fast", action="store_true", help="run less, write nothing")
    options = parser.parse_args()
    for path in NOTEBOOKS:
        if options.names and not path.name.startswith(tuple(options.names)):
            continue
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            notebook = execute(path, pathlib.Path(folder), fast=options.fast)
        seconds = time.perf_counter() - start
        tidy(notebook)
        content = nbformat.writes(notebook) + "\n"
        print(f"{path.name}: {seconds:.0f} s, {len(content) / 1000:.0f} kB", flush=True)
        if lines := unwanted(notebook):
            raise ValueError(f"Outputs must be clean. Received: {lines}.")
        if len(content) > LARGEST:
            raise ValueError(f"A notebook must be below {LARGEST} bytes. Received: {len(content)}.")
        if not options.fast:
            path.write_text(content)


if __name__ == "__main__":
    main()
