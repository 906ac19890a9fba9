import io
import pickle

import pytest

from keras_deeplab.weights.readers.pickle_check import check_memo


def test_ordinary_pickles_are_read_to_their_end():
    content = pickle.dumps({"a": [1, 2, "three"], "b": "a" * 1000}, 2)
    file = io.BytesIO(b"before" + content)
    file.seek(6)
    check_memo(file, len(content))
    assert file.tell() == 6
    assert pickle.load(file)["a"] == [1, 2, "three"]


@pytest.mark.parametrize("put", [b"r\xff\xff\xff\x7f", b"p2000000000\n"])
def test_a_memo_larger_than_the_file(put: bytes):
    content = b"\x80\x02N" + put + b"."
    with pytest.raises(pickle.UnpicklingError, match="memo of [0-9]{10} entries"):
        check_memo(io.BytesIO(content), len(content))


def test_truncated_pickles():
    content = pickle.dumps(["word"] * 9, 2)[:-4]
    with pytest.raises(pickle.UnpicklingError, match="its pickle is damaged"):
        check_memo(io.BytesIO(content), len(content))
