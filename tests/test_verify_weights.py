"""tools/verify_weights.py: fetches, checks and tries the weights files."""

from __future__ import annotations

import json
import runpy
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from keras_deeplab.presets.weights import WEIGHTS

TOOLS = Path(__file__).parents[1] / "tools"
sys.path.insert(0, str(TOOLS))

import verify_weights  # noqa: E402

BUNDLED = "deeplab_v3_mobilenet_v2.voc"
FULL = "deeplab_v3_mobilenet_v2.voc_trainaug"
HALF = "deeplab_v3_mobilenet_v2_050.voc_trainaug"
ZOO = "deeplab_v3_mobilenet_v2.voc_trainaug_zoo"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder and the address at which a local web server serves it, as the mirror."""
    folder = tmp_path / "served"
    folder.mkdir()
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setattr("keras_deeplab.weights.download._PAUSE_SECONDS", 0)
    monkeypatch.setenv("KERAS_DEEPLAB_MIRROR", "")
    yield folder, f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


def test_one_failure_does_not_end_it_and_it_resumes(
    served: tuple[Path, str],
    network_bytes: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    folder, url = served
    row = WEIGHTS[HALF]
    # The first file is of the wrong size, the second not there; the third has random weights.
    monkeypatch.setitem(WEIGHTS, FULL, replace(WEIGHTS[FULL], sha256=None))
    unhashed = replace(row, sha256=None, num_bytes=len(network_bytes))
    monkeypatch.setitem(WEIGHTS, HALF, unhashed)
    (folder / WEIGHTS[FULL].file).write_bytes(network_bytes)
    (folder / row.file).write_bytes(network_bytes)
    tried = []

    def child(command: list[str], **options):
        tried.append(command[command.index("--child") + 1])
        words = json.dumps({"status": "verified", "photos": {}})
        return verify_weights.subprocess.CompletedProcess(command, 0, words + "\n", "")

    monkeypatch.setattr(verify_weights.subprocess, "run", child)
    out = tmp_path / "verified.json"
    words = ["--mirror", url, "--json", str(out), FULL, ZOO, HALF]
    assert verify_weights.main(words) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1].split(",")[0] for line in lines] == [
        "unavailable",
        "verified",
        "unavailable",
    ]
    assert "must be the weights" in lines[0]
    assert tried == [HALF]
    written = json.loads(out.read_text())["weights"]
    assert list(written) == [HALF]
    assert written[HALF]["hash_published"] == "none"
    assert written[HALF]["bytes"] == len(network_bytes)
    # The row is not tried again, unless its facts have changed.
    assert verify_weights.main(words) == 1
    assert f"{HALF}: verified before" in capsys.readouterr().out
    assert tried == [HALF]
    monkeypatch.setitem(WEIGHTS, HALF, replace(unhashed, align_corners=False))
    assert verify_weights.main(words) == 1
    assert tried == [HALF, HALF]


def test_a_network_that_crashes_is_a_failure(
    served: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder, url = served
    row = replace(WEIGHTS[HALF], sha256=None, num_bytes=7)
    monkeypatch.setitem(WEIGHTS, HALF, row)
    (folder / row.file).write_bytes(b"weights")
    monkeypatch.setattr(verify_weights, "__file__", str(tmp_path / "crash.py"))
    (tmp_path / "crash.py").write_text("import os; os.abort()")
    out = tmp_path / "verified.json"
    assert verify_weights.main(["--mirror", url, "--json", str(out), HALF]) == 1
    assert json.loads(out.read_text())["weights"][HALF]["status"] == "failed"


def test_the_bundled_network_is_verified():
    result = verify_weights.try_network(BUNDLED, "", "val", None)
    assert result["status"] == "verified"
    assert result["photos"]["cat"]["cat"] > 0.5


@pytest.mark.slow
def test_a_folder_is_measured(published_weights: Path, tmp_path: Path, shared: Path):
    data = tmp_path / "data" / "val"
    for name, source in (("images", "images"), ("masks", "labels")):
        (data / name).mkdir(parents=True)
        for path in sorted((shared / "data" / "coco128_voc" / source).iterdir())[:4]:
            (data / name / path.name).symlink_to(path)
    out = tmp_path / "verified.json"
    words = ["--data", f"voc={tmp_path / 'data'}", "--json", str(out), "--limit", "3", HALF]
    assert verify_weights.main(words) == 0
    result = json.loads(out.read_text())["weights"][HALF]
    assert (result["images"], result["hash_published"]) == (3, "whole")
    assert 0 < result["mean_iou"] < 1


def test_the_table_in_the_readme_is_that_of_the_results():
    tool = runpy.run_path(str(TOOLS / "write_model_page.py"))
    text = tool["README"].read_text(encoding="utf-8")
    assert "<!-- checked -->\n| weights files" in text
    assert text == tool["readme"](text), "run: python tools/write_model_page.py"
    verified = json.loads((TOOLS.parent / "docs" / "verified.json").read_text())["weights"]
    for name, result in verified.items():
        assert result["row"] == verify_weights.fingerprint(WEIGHTS[name]), "verify it again"
        assert tool["checked"](WEIGHTS[name]) == result["status"]
