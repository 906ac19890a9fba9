"""README and guide: code runs as written, commands parse, links and names exist.

Networks, photos and sizes are small stand-ins, so that a page takes seconds and needs no weights.
"""

import re
import shlex
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from keras_deeplab import deeplab
from keras_deeplab.cli.commands import _parser, main
from keras_deeplab.exports.request import AGREEMENTS
from keras_deeplab.models import BuildOptions, network
from keras_deeplab.models.blocks import ConvOptions, conv_bn
from keras_deeplab.models.heads.versions import HeadOptions
from keras_deeplab.presets.datasets import DATASETS
from keras_deeplab.presets.networks import DEEPLABS
from keras_deeplab.presets.recipes import RECIPES
from keras_deeplab.presets.weights import WEIGHTS
from keras_deeplab.weights import resolve
from tests.reference.matrices import matrix
from tests.training.test_run import write_squares

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
# The model cards' code is one line, which test_cards.py holds against the presets.
IN_PYTHON = [page for page in PAGES if page.name != "models.md"]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
SIZE = (65, 65)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, *languages: str) -> list[str]:
    """The code blocks of a page in these languages, in order."""
    fenced = rf"^```(?:{'|'.join(languages)})\n(.*?)^```$"
    return re.findall(fenced, page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    shell = "".join(block for page in PAGES for block in blocks(page, "sh", "console"))
    return list(dict.fromkeys(shell.splitlines()))


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with photos, and networks that are trained in no time."""
    monkeypatch.chdir(tmp_path)
    for seed, split in enumerate(("train", "val")):
        write_squares(tmp_path / "photos" / split, 4, seed)
    Path("photos", "classes.txt").write_text("background\nkite\n")
    shutil.copytree(ROOT / "docs" / "images", tmp_path / "docs" / "images")
    Image.open("docs/images/chelsea.png").convert("RGB").save("photo.jpg")

    monkeypatch.setattr(resolve, "weights_file", lambda row: Path(row.file))
    monkeypatch.setattr(resolve, "read_arrays", lambda path, converter, **options: None)
    monkeypatch.setattr(deeplab, "load_imagenet", lambda model, backbone: None)
    monkeypatch.setitem(DATASETS, "voc", replace(DATASETS["voc"], inference_size=SIZE))
    for name, row in WEIGHTS.items():
        monkeypatch.setitem(WEIGHTS, name, replace(row, inference_size=SIZE))
    short = replace(RECIPES["fine_tune"], epochs=1, batch_size=2, crop_size=(33, 33))
    monkeypatch.setitem(RECIPES, "fine_tune", short)
    for name in ("initialize", "set_distribution", "DataParallel"):
        monkeypatch.setattr(keras.distribution, name, lambda *args, **options: None)
    monkeypatch.setattr(network, "_scores", shallow_network)
    # In 8 bits, the labels of random weights are often others.
    monkeypatch.setitem(AGREEMENTS, "int8", 0.5)
    return tmp_path


def shallow_network(
    image: Any, row: Any, head: HeadOptions, options: BuildOptions, network: Any = None
) -> Any:
    """Scores from two convolutions, which are traced in no time."""
    x = conv_bn(image, 8, 3, stride=2, options=ConvOptions(options.batch_norm), name="stem")
    # Where the head begins.
    x = keras.layers.Identity(name="aspp_0")(x)
    return keras.layers.Conv2D(head.classes, 3, padding="same", name="classifier")(x)


# What must hold after the blocks of a page.
RESULTS = {
    "README.md": """
        assert result.labels.shape == (300, 451)
        assert result.labels.max() < 21
        assert Path("masks", "chelsea_mask.png").is_file()
        assert model.output_shape == (None, None, None, 2)
        assert model.loss is loss
    """,
    "docs/backbones.md": """
        assert features.output_shape == (None, None, None, 1280)
        assert model.output_shape == (None, None, None, 3)
    """,
    "docs/choosing.md": """
        assert abs(sum(result.shares().values()) - 1) < 1e-6
        photos = {path.stem for path in Path("photos", "val", "images").iterdir()}
        assert {path.stem for path in Path("masks").iterdir()} == {f"{p}_mask" for p in photos}
    """,
    "docs/crf.md": """
        assert 0 <= search.mean_iou_without <= 1
        assert search.mean_iou == max(search.table.values()) <= 1
        assert Path("search.json").is_file() and Path("runs", "crf", "last.keras").is_file()
    """,
    "docs/data.md": """
        assert (len(kites), kites.class_names) == (4, ("background", "kite"))
        assert [file.image.stem for file in files] == [file.mask.stem for file in files]
        assert data[0]["image"].shape[:2] == data[0]["labels"].shape
        assert set(np.unique(data[0]["labels"])) == {0, 1}
    """,
    "docs/annotation_tools.md": """
        text = Path("exported", "coco.json").read_text()
        assert text.count('"file_name"') == 4 and '"name": "kite"' in text
    """,
    "docs/training.md": """
        assert result.best.is_file() and 0 <= result.best_mean_iou <= 1
        assert int(optimizer.iterations) == 30
    """,
    "docs/export.md": """
        assert result.labels.shape == (300, 451)
        assert Path("voc_int8.tflite").stat().st_size < Path("voc.tflite").stat().st_size
    """,
    "docs/deployment.md": """
        assert list(image["shape"]) == [1, 513, 513, 3] and image["dtype"] is np.uint8
        assert list(labels["shape"]) == [1, 513, 513] and labels["dtype"] is np.uint8
        assert mask.shape == (height, width) and mask.max() < 21
        assert abs(answer["shares"].numpy().sum() - 1) < 1e-5
    """,
    "docs/recipes.md": """
        assert features.shape[:3] == (1, *cam.shape)
        assert cam.min() >= 0
        assert infrared.input_shape == (None, None, None, 4)
        assert labels.shape == masks.shape
        kernel = infrared.get_layer("stem").kernel.numpy()
        assert 0.4 < np.mean(kernel == 0) < 0.6
    """,
    "docs/troubleshooting.md": """
        assert loaded.layers[-1].class_names == model.layers[-1].class_names
    """,
    "docs/scaling.md": """
        assert Path("runs", "gpus", "last.keras").is_file()
        assert Path("runs", "hosts", "last.keras").is_file()
    """,
    "docs/migration.md": """
        assert labels.shape == result.labels.shape == (300, 451)
        assert result.class_names[0] == "background"
    """,
}


def test_every_page_with_python_has_its_results():
    assert RESULTS.keys() == {name_of(page) for page in IN_PYTHON if blocks(page, "python")}


@pytest.mark.parametrize("name", matrix(RESULTS, "README.md", "docs/data.md"))
def test_python_runs_as_written(name: str, small: Path):
    names: dict[str, object] = {}
    for number, block in enumerate(blocks(ROOT / name, "python"), 1):
        exec(compile(block, f"{name}, block {number}", "exec"), names)
    exec(dedent(RESULTS[name]), {**names, "Path": Path, "np": np})


@pytest.mark.slow
def test_commands_of_the_readme_run_as_written(small: Path):
    (block,) = blocks(README, "console")
    for command in block.splitlines():
        assert main(shlex.split(command)[1:]) == 0, command
    assert Path("first.tflite").is_file()


@pytest.mark.parametrize("command", commands())
def test_commands_are_understood(command: str):
    check_command(command)


@pytest.mark.parametrize(
    "command",
    [
        "keras-deeplab segment photo.jpg --crg",
        "keras-deeplab segment",
        "keras-deeplab trian --data photos",
        'pip install ".[exports]"',
        "python tools/gone.py",
        "python tools/plot_log.py --output DIR",
        "rm photos",
    ],
)
def test_wrong_commands_are_not(command: str):
    with pytest.raises((SystemExit, AssertionError)):
        check_command(command)


def check_command(command: str) -> None:
    """Fails unless a command line could be run as it stands."""
    program, *arguments = shlex.split(command)
    if program == "keras-deeplab":
        _parser().parse_args(arguments)
    elif program == "pip":
        assert arguments[0] == "install", command
        asked = re.fullmatch(r"\.(?:\[([\w,-]+)\])?", arguments[1])
        assert asked, command
        assert set((asked[1] or "").split(",")) - {""} <= EXTRAS.keys(), command
    else:
        assert program == "python", command
        check_tool(arguments)


def check_tool(arguments: list[str]) -> None:
    """Fails unless a tool of the project, pytest or MkDocs takes these options."""
    if arguments in (["-m", "pytest"], ["-m", "mkdocs", "build", "--strict"]):
        return
    tool = ROOT / arguments[0]
    assert tool.is_file(), f"{arguments[0]} does not exist"
    for option in arguments[1:]:
        assert not option.startswith("--") or f'"{option}"' in tool.read_text(), option


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_tools_that_a_page_names_exist(page: Path):
    for command in re.findall(r"`python (tools/[^`]+)`", page.read_text(encoding="utf-8")):
        check_tool(command.split())


@pytest.mark.parametrize("page", IN_PYTHON, ids=name_of)
def test_networks_that_a_page_names_exist(page: Path):
    text = page.read_text(encoding="utf-8")
    for name, data in re.findall(r"\b(deeplab_v\d\w*)(\.\w+)?", text):
        # The one ending so is keras-hub's.
        assert name in DEEPLABS or name.endswith("_pascalvoc"), name
        assert not data or name + data in WEIGHTS, name + data


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        path, _, heading = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        assert not heading or heading in headings(file), target


def headings(page: Path) -> list[str]:
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in found]


def test_the_readme_is_short_and_up_to_date():
    text = README.read_text()
    assert len(text.splitlines()) <= 102
    assert f"the {len(WEIGHTS)} weights files" in text


def test_commands_are_those_of_ci():
    ci = (ROOT / ".ci" / "run").read_text()
    found = [line for block in blocks(README, "sh") for line in block.splitlines()]
    assert len(found) == 4
    for command in found:
        assert command.removeprefix("pip install ") in ci, command


def test_promised_output(tmp_path: Path, monkeypatch, capsys):
    shutil.copytree(ROOT / "docs" / "images", tmp_path / "docs" / "images")
    monkeypatch.chdir(tmp_path)
    assert main(["segment", "docs/images/chelsea.png"]) == 0
    assert capsys.readouterr().out in README.read_text()
