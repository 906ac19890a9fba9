from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from keras_deeplab.weights.readers.tensors import read_tensors
from tests.reference.torch_file_writer import state_dict, zip_file


@pytest.mark.parametrize("suffix", [".safetensors", ".bin", ".pth"])
def test_the_content_says_which_format_it_is(suffix: str, tmp_path: Path, rng):
    arrays = {"conv.weight": rng.normal(size=(2, 3)).astype("float32")}
    path = tmp_path / f"net{suffix}"
    save_file(arrays, path)
    np.testing.assert_array_equal(read_tensors(path)["conv.weight"], arrays["conv.weight"])
    if suffix != ".safetensors":
        path.write_bytes(zip_file(state_dict(arrays), arrays))
        np.testing.assert_array_equal(read_tensors(path)["conv.weight"], arrays["conv.weight"])


def test_damaged_files_are_named_by_their_format(tmp_path: Path):
    for name, words in (("a.safetensors", "safetensors file must be complete"), ("a.pth", ".pth")):
        (tmp_path / name).write_bytes(b"neither")
        with pytest.raises(ValueError, match=words):
            read_tensors(tmp_path / name)
