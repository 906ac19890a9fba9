import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.weights.readers.inert import Inert, inert_class
from keras_deeplab.weights.readers.torch_file import read_torch_file
from tests.reference.torch_file_writer import state_dict, text, zip_file


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("argparse", "Namespace"),
        ("mmengine.logging.history_buffer", "HistoryBuffer"),
        ("torch.optim.sgd", "SGD"),
        ("torch", "Size"),
        ("torch.nn.modules.conv", "Conv2d"),
        ("numpy.core.multiarray", "scalar"),
        ("builtins", "set"),
        ("functools", "partial"),
        ("models.network", "Net"),
    ],
)
def test_objects_of_trainings_are_stand_ins(module: str, name: str):
    kind = inert_class(module, name)
    assert issubclass(kind, Inert)
    made = kind(1, key=2)
    assert isinstance(made("anything"), Inert)
    made["key"] = 1
    made.append(1)
    made.extend([1])
    made.add(1)
    assert made.state is None


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("nt", "system"),
        ("subprocess", "Popen"),
        ("builtins", "eval"),
        ("builtins", "exec"),
        ("builtins", "__import__"),
        ("__builtin__", "eval"),
        ("importlib", "import_module"),
        ("functools", "reduce"),
        ("torch", "load"),
        ("torch.hub", "load"),
        ("pickle", "loads"),
        ("shutil", "rmtree"),
        ("socket", "create_connection"),
        ("os.path", "join"),
    ],
)
def test_what_no_checkpoint_needs_is_refused(module: str, name: str):
    with pytest.raises(pickle.UnpicklingError, match=f"asks for {module}.{name}, which is no te"):
        inert_class(module, name)


def checkpoint(tmp_path: Path, entry: bytes) -> Path:
    """A training checkpoint whose entry "args" is a pickled value, beside tensors."""
    arrays = {"conv.weight": np.ones((2, 3, 1, 1), "float32")}
    # Without the protocol before, and the stop after.
    state = state_dict(arrays)[2:-1]
    content = b"\x80\x02}(" + text("args") + entry + text("model") + state + b"u."
    (tmp_path / "net.pth").write_bytes(zip_file(content, arrays))
    return tmp_path / "net.pth"


def call(module: str, name: str, *arguments: bytes) -> bytes:
    return f"c{module}\n{name}\n".encode() + b"(" + b"".join(arguments) + b"tR"


def test_nothing_is_executed(tmp_path: Path):
    victim = tmp_path / "victim"
    touch, write = text(f"touch {victim}"), text(f"open({str(victim)!r}, 'w')")
    system = call("builtins", "getattr", call("models", "os"), text("system"))
    harmless = [
        # Calls of what getattr or a foreign class returned: stand-ins, all of them.
        b"(" + system[:-1] + b"R" + touch + b"t0N",
        call("models", "eval", write),
        call("functools", "partial", call("models", "system"), touch),
        call("argparse", "Namespace") + b"}(" + text("lr") + b"K\x01ub",
        call("pathlib", "Path", text(str(victim))),
    ]
    for entry in harmless:
        read = read_torch_file(checkpoint(tmp_path, entry))
        assert read["conv.weight"].shape == (2, 3, 1, 1)
    for module, name, argument in [
        ("os", "system", touch),
        ("builtins", "eval", write),
        ("builtins", "exec", write),
        ("subprocess", "getoutput", touch),
        ("runpy", "run_path", text(str(victim))),
    ]:
        with pytest.raises(ValueError, match=rf"net.pth.*asks for {module}\.{name}"):
            read_torch_file(checkpoint(tmp_path, call(module, name, argument)))
    assert not victim.exists()


def test_stand_ins_take_all_that_pickle_gives(tmp_path: Path):
    class Made(list):
        def __reduce__(self):
            return Made, (), {"lr": 0.1}, iter([1, 2]), iter({"a": 1}.items())

    class Renamed(pickle._Pickler):
        def save_global(self, obj, name=None):
            self.write(b"cmodels\nMade\n")

    file = io.BytesIO()
    Renamed(file, 2).dump(Made())
    entry = file.getvalue()[2:-1]
    assert b"models" in entry
    assert list(read_torch_file(checkpoint(tmp_path, entry))) == ["conv.weight"]
