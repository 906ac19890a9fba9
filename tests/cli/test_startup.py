import io
import sys

import pytest

from keras_deeplab.cli.startup import replace_unknown_characters


@pytest.mark.parametrize("encoding", ["cp1252", "cp932", "ascii"])
def test_characters_that_the_terminal_lacks_are_codes(
    encoding: str, monkeypatch: pytest.MonkeyPatch
):
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding, errors="strict"))
    replace_unknown_characters()
    print("caf\u00e9 \u2013 \u9f8d \udce9")
    sys.stdout.flush()
    text = written.getvalue().decode(encoding)
    assert "caf" in text
    assert "\\udce9" in text
    monkeypatch.setattr("sys.stdout", io.StringIO())
    replace_unknown_characters()
