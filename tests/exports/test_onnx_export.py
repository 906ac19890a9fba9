import sys
from pathlib import Path

import pytest

from keras_deeplab import export
from tests.exports.test_exporter import network


@pytest.mark.parametrize("package", ["tf2onnx", "onnxruntime"])
def test_without_the_packages_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match="Run: pip install tf2onnx onnxruntime"):
        export(network(), tmp_path / "new" / "net.onnx")
    assert not list(tmp_path.iterdir())
