"""Imports point to lower floors, modules form no circle, and a file's name occurs once."""

from __future__ import annotations

import ast
import runpy
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

import keras_deeplab

ROOT = Path(__file__).parents[1]
tool = SimpleNamespace(**runpy.run_path(str(ROOT / "tools" / "print_import_graph.py")))
FILES = sorted(tool.PACKAGE.rglob("*.py"))
# TensorFlow may be imported here and nowhere else: the rest also runs on Keras' JAX backend.
USES_TENSORFLOW = (
    "ops/",
    "data/",
    "layers/crf_as_rnn.py",
    "inference/dense_crf.py",
    "inference/runtimes/saved_model_runtime.py",
    "inference/runtimes/tflite_runtime.py",
    "exports/",
    # TensorFlow's own checkpoints have no other reader.
    "weights/readers/tf_slim.py",
    # The tables of TFLite's format, where LiteRT is not installed.
    "weights/readers/tflite_file.py",
)


# Modules whose tests are in a file of another name.
TESTED_IN = {
    # The tools' formats are read through one function, on exports that the tests write.
    "data/annotations/annotated": "data/annotations/test_tools.py",
    "data/annotations/base_reader": "data/annotations/test_tools.py",
    "data/annotations/base_writer": "data/annotations/test_annotation_writers.py",
    "data/annotations/coco_json": "data/annotations/test_tools.py",
    "data/annotations/cvat_xml": "data/annotations/test_tools.py",
    "data/annotations/file_tree": "data/annotations/test_annotated_source.py",
    "data/annotations/format_writers": "data/annotations/test_annotation_writers.py",
    "data/annotations/label_studio_json": "data/annotations/test_tools.py",
    "data/annotations/label_studio_rle": "data/annotations/test_tools.py",
    "data/annotations/labelme_json": "data/annotations/test_tools.py",
    "data/annotations/outlines": "data/annotations/test_annotation_writers.py",
    "data/annotations/shapes": "data/annotations/test_tools.py",
    "data/annotations/split_lists": "data/annotations/test_unusual_exports.py",
    "data/annotations/supervisely_json": "data/annotations/test_tools.py",
    "data/annotations/yolo_seg": "data/annotations/test_tools.py",
    # The converters of one export, compared with the network by one function.
    "exports/export_result": "exports/test_exporter.py",
    "exports/request": "exports/test_exporter.py",
    "exports/run_exported": "exports/test_exporter.py",
    "exports/serving": "exports/test_exporter.py",
    "exports/tflite_export": "exports/test_exporter.py",
    # The runtimes of exported files must all answer as the model does.
    "inference/runtimes/onnx_runtime": "inference/test_opening.py",
    # A video is read, segmented and written in one go.
    "inference/bulk/video_writer": "inference/test_video.py",
    # Conversion is compared with the original network, layer kind by layer kind.
    "models/rewriting/layer_copies": "models/rewriting/test_rewritten.py",
    "models/rewriting/layer_kinds": "models/rewriting/test_rewritten.py",
    "models/rewriting/rewriter": "models/rewriting/test_rewritten.py",
    "models/rewriting/rules": "models/rewriting/test_rewritten.py",
    "models/rewriting/value": "models/rewriting/test_rewritten.py",
    # The pages in a browser.
    "cli/demo_command": "cli/test_demo_page.py",
    "cli/page_cards": "cli/test_demo_page.py",
    "cli/segment_command": "cli/test_commands.py",
}
# Definitions without a decision: rows of facts, which the tests of their tables check, and options.
NOTHING_TO_TEST = (
    "_version",
    "presets/backbone_row",
    "presets/network_row",
    "presets/weights_row",
    "presets/weights_torch_caffe",
    "weights/readers/converters",
)


def relative(path: Path) -> str:
    return str(path.relative_to(tool.PACKAGE))


def roots(path: Path) -> set[str]:
    return {module.split(".")[0] for module, _ in tool.imported_names(path)}


def test_every_place_has_a_floor():
    assert tool.arrows(tool.import_graph()).keys() == tool.FLOORS.keys()


def test_imports_point_down():
    assert tool.not_downward(tool.import_graph()) == []


def test_no_circle_of_modules():
    assert tool.circles(tool.import_graph()) == []


def test_the_graph_stays_small():
    between = tool.arrows(tool.import_graph())
    assert len(between) <= 22
    assert len(set(tool.FLOORS.values())) <= 9
    assert sum(map(len, between.values())) <= 90


def test_violations_are_found(tmp_path: Path):
    package = tmp_path / "keras_deeplab"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "data" / "__init__.py").touch()
    (package / "data" / "a.py").write_text("from keras_deeplab.data import b\n")
    (package / "data" / "b.py").write_text("def f():\n    from keras_deeplab.data.a import x\n")
    (package / "metrics.py").write_text("from keras_deeplab.losses import Dice\n")
    (package / "losses.py").write_text("from keras_deeplab import __version__\n")
    graph = tool.import_graph(package)
    assert tool.circles(graph) == [["keras_deeplab.data.a", "keras_deeplab.data.b"]]
    assert tool.not_downward(graph) == [
        "keras_deeplab.losses imports keras_deeplab",
        "keras_deeplab.metrics imports keras_deeplab.losses",
    ]


def test_a_file_name_occurs_once():
    names = Counter(path.name for path in FILES if path.name != "__init__.py")
    assert [name for name, count in names.items() if count > 1] == []


def test_files_have_at_most_300_lines():
    assert [relative(x) for x in FILES if len(x.read_text().splitlines()) > 300] == []


def test_functions_have_at_most_80_lines():
    """Without docstrings."""
    assert [name for lines, name in tool.functions(FILES) if lines > 80] == []


def test_every_module_has_a_test():
    """In a file of its own name, or in the file that `TESTED_IN` names."""
    tests = {str(path.relative_to(ROOT / "tests")) for path in (ROOT / "tests").rglob("test_*.py")}
    modules = {
        str(Path(relative(path)).with_suffix(""))
        for path in FILES
        if path.name not in ("__init__.py", "__main__.py")
    }

    def mirror(module: str) -> str:
        return str(Path(module).with_name(f"test_{Path(module).name}.py"))

    untested = {
        module
        for module in modules.difference(NOTHING_TO_TEST)
        if mirror(module) not in tests and TESTED_IN.get(module) not in tests
    }
    assert untested == set(), "write the test of each, or name its file in TESTED_IN"
    assert modules >= {*TESTED_IN, *NOTHING_TO_TEST}


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_init_files_only_re_export(path: Path):
    if path.name != "__init__.py" or relative(path) in ("__init__.py", "data/__init__.py"):
        return
    for node in ast.parse(path.read_text()).body:
        assert isinstance(node, (ast.ImportFrom, ast.Assign, ast.Expr)), ast.unparse(node)


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_tensorflow_stays_in_its_modules(path: Path):
    assert "tensorflow" not in roots(path) or relative(path).startswith(USES_TENSORFLOW)


def test_presets_and_validation_need_the_standard_library_only():
    for path in FILES:
        if tool.place(tool.module_name(path)) in ("_files", "_validation", "_version", "presets"):
            assert roots(path) <= sys.stdlib_module_names | {"keras_deeplab"}


def test_no_assert_in_the_library():
    for path in FILES:
        assert not any(
            isinstance(node, ast.Assert) for node in ast.walk(ast.parse(path.read_text()))
        )


@pytest.mark.parametrize("module", [keras_deeplab, keras_deeplab.data], ids=lambda m: m.__name__)
def test_names_for_type_checkers_are_the_public_ones(module):
    """A type checker reads the imports, Python the list."""
    tree = ast.parse(Path(module.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    named = {alias.asname for node in block.body for alias in node.names}
    assert named == set(module.__all__) == set(module._MODULES)


def test_public_names_and_modules_are_imported_on_first_use():
    for name in (*keras_deeplab.__all__, *keras_deeplab._SUBMODULES):
        assert getattr(keras_deeplab, name) is not None
    assert {"DeepLab", "losses", "convert"} <= set(dir(keras_deeplab))
    with pytest.raises(AttributeError, match="has no attribute 'gone'"):
        _ = keras_deeplab.gone
