import os
import subprocess
import sys
from pathlib import Path

import pytest

from keras_deeplab._startup import hold_stderr
from keras_deeplab.cli.startup import quiet_start

START_UP = b"I0000 00:00:1795740791.071288   16859 port.cc:153] oneDNN custom operations are on.\n"
ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _log_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")


def greet(error: BaseException | None) -> None:
    with quiet_start():
        os.write(2, b"greetings")
        if error is not None:
            raise error


@pytest.mark.parametrize("error", [None, ValueError(), FileNotFoundError(), KeyboardInterrupt()])
def test_greetings_do_not_bury_the_result_or_a_line_of_ours(error, capfd):
    if error is None:
        greet(error)
    else:
        with pytest.raises(type(error)):
            greet(error)
    os.write(2, b"afterwards")
    assert capfd.readouterr().err == "afterwards"


def test_they_are_shown_before_a_traceback(capfd):
    with pytest.raises(RuntimeError):
        greet(RuntimeError())
    assert capfd.readouterr().err == "greetings"


def test_other_messages_are_written(capfd):
    with hold_stderr():
        os.write(2, START_UP + b"Out of memory\n")
    assert capfd.readouterr().err == "Out of memory\n"


def test_the_log_level_of_the_user_is_respected(capfd, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with hold_stderr(everything=True):
        os.write(2, START_UP)
    assert capfd.readouterr().err == START_UP.decode()


@pytest.mark.slow
@pytest.mark.parametrize("first", ["keras_deeplab", "keras"])
def test_python_is_quiet(first: str):
    code = (
        f"import sys, {first}, numpy as np\n"
        "if 'keras' in sys.modules: sys.stderr.write('---')\n"
        "from keras_deeplab import DeepLab, segment\n"
        "segment(DeepLab(), np.zeros((65, 65, 3), 'uint8'), size=65, crf=True)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    path = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**environment, "PYTHONPATH": path},
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr.rpartition("---")[2] == ""
