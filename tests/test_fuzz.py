"""tools/fuzz.py: what it changes, what it tries, and that it sees what goes wrong."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("resource", reason="the tool needs POSIX")
TOOLS = Path(__file__).parents[1] / "tools"
sys.path.insert(0, str(TOOLS))

from fuzz import damaged, plan  # noqa: E402
from fuzz_inputs import FAMILIES, HOSTILE  # noqa: E402
from fuzz_worker import ENTRIES, outcome  # noqa: E402


def test_every_family_is_tried_by_its_weight():
    counts = Counter(name for name, _, _ in plan(2000, ""))
    weights = {name: weight for name, (_, weight) in (FAMILIES | HOSTILE).items()}
    assert counts.keys() == weights.keys()
    for name, weight in weights.items():
        assert counts[name] == pytest.approx(2000 * weight / sum(weights.values()), abs=1)
        assert name in ENTRIES or name.split("_")[0] in ENTRIES
    assert {name for name, _, _ in plan(40, "tflite")} == {"convert_tflite", "model_tflite"}


def test_the_seed_decides_the_changes():
    content = bytes(range(256)) * 4
    first, again, other = (
        [damaged(content, np.random.default_rng([seed, n]), [content]) for n in range(50)]
        for seed in (0, 0, 1)
    )
    assert first == again != other
    assert sum(one != content for one in first) > 45


def test_members_of_archives_keep_their_checksums():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.json", json.dumps({"a": 1}))
        archive.writestr("b.bin", bytes(1000))
    changed = 0
    for number in range(60):
        result = damaged(buffer.getvalue(), np.random.default_rng(number), [b"other"])
        try:
            with zipfile.ZipFile(io.BytesIO(result)) as archive:
                whole = archive.testzip() is None
                changed += whole and archive.read("b.bin") != bytes(1000)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, KeyError):
            continue
    assert changed > 3


def test_outcomes():
    victim = Path("folder/net.onnx")
    assert outcome(None, victim) == ("ok", "")
    assert outcome(ValueError("It must be b. Received: a."), victim)[0] == "clear"
    assert outcome(FileNotFoundError("folder/net.onnx"), victim)[0] == "clear"
    assert outcome(ValueError("cannot reshape array"), victim)[0] == "raw"
    assert outcome(KeyError("net.onnx"), victim)[0] == "traceback"
    assert outcome(RecursionError("Received: deep"), victim)[0] == "traceback"


@pytest.mark.slow
def test_lists_and_masks(tmp_path: Path):
    for package in ("scipy", "tf2onnx", "onnxruntime"):
        pytest.importorskip(package)
    command = [sys.executable, "tools/fuzz.py", "--count", "40", "--seed", "3"]
    command += ["--only", "list", "--json", str(tmp_path / "counts.json")]
    run = subprocess.run(command, cwd=TOOLS.parent, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    total = json.loads((tmp_path / "counts.json").read_text())["outcomes"]["all"]
    assert total["tried"] == total["ok"] + total["clear"] == 40
