import os

import pytest

from keras_deeplab.cli.startup import quiet_start


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
