import json

import pytest

from keras_deeplab.cli import main
from keras_deeplab.presets.networks import DEEPLABS
from keras_deeplab.presets.weights import WEIGHTS


def test_fits_a_screen(capsys: pytest.CaptureFixture[str]):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 34
    assert max(map(len, lines)) <= 80
    shown = {line.split()[0] for line in lines if line.startswith("  ")}
    assert {row.name for row in WEIGHTS.values() if row.recommended} <= shown <= WEIGHTS.keys()
    assert {WEIGHTS[name].network for name in shown} == {row.network for row in WEIGHTS.values()}
    for line in lines:
        name, *figures = line.split()
        if name in WEIGHTS and WEIGHTS[name].metrics:
            assert float(figures[0]) == pytest.approx(WEIGHTS[name].metrics[0].mean_iou, abs=0.001)


def test_long_and_json(capsys: pytest.CaptureFixture[str]):
    assert main(["list", "--long"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in [*DEEPLABS, *WEIGHTS])
    assert main(["list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["network"] for row in rows] == list(DEEPLABS)
