import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.cli import main
from keras_deeplab.cli.commands import _parser


@pytest.fixture
def folder(tmp_path: Path, network_file: Path, rng, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with three photos, and random weights in KERAS_DEEPLAB_TEST_WEIGHTS."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.jpg", "b.png"):
        array = rng.integers(0, 256, (20, 30, 3), "uint8")
        Image.fromarray(array).save(tmp_path / "photos" / name)
    return tmp_path


def segment(*arguments: str) -> int:
    options = ("--model", "net.tflite", "--backbone", "mobilenet_v2_050", "--size", "65")
    return main(["segment", *options, *arguments])


def test_one_photo(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert segment("photos/a.png") == 0
    out = capsys.readouterr().out
    assert out.startswith("photos/a.png: class ")
    assert "%" in out
    with Image.open("segmented/a_mask.png") as mask:
        assert mask.size == (30, 20)
    assert Path("segmented/a_overlay.png").is_file()


def test_crf(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert segment("photos/a.png", "--crf", "v2_vgg16") == 0
    assert segment("--crf", "photos/a.png") == 0
    with pytest.raises(SystemExit, match="2"):
        segment("photos/a.png", "--crf", "v9")
    assert "invalid choice: 'v9'" in capsys.readouterr().err


def test_folder_gives_every_photo_its_own_files(folder: Path):
    assert segment("photos", "--out", "masks") == 0
    assert sorted(path.name for path in Path("masks").iterdir()) == [
        "a_mask.png", "a_overlay.png", "b_2_mask.png", "b_2_overlay.png", "b_mask.png",
        "b_overlay.png", "results.jsonl",
    ]  # fmt: skip


def test_masks_alone_in_batches_at_another_size(folder: Path, capsys):
    assert segment("photos", "--no-overlay", "--batch-size", "2", "--size", "33x49", "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(row.keys() == {"photo", "mask", "shares"} for row in rows)
    assert sorted(path.name for path in Path("segmented").iterdir()) == [
        "a_mask.png", "b_2_mask.png", "b_mask.png", "results.jsonl",
    ]  # fmt: skip
    for row in rows:
        with Image.open(row["mask"]) as mask, Image.open(row["photo"]) as photo:
            assert mask.size == photo.size


def test_the_size_is_that_of_the_network_unless_told(folder: Path, monkeypatch):
    from keras_deeplab.inference.bulk import bulk_job

    asked = []

    def stop(model, photos, *, options):
        asked.append(options.size)
        raise ValueError("stop")

    monkeypatch.setattr(bulk_job, "segment", stop)
    for arguments in ([], ["--size", "own"], ["--size", "97x129"], ["--size", "97"]):
        assert main(["segment", "photos/a.png", *arguments]) == 1
    assert asked == [None, "own", (97, 129), 97]


def test_pattern_and_json(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert segment("photos/b.*", "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["photo"] for row in rows] == ["photos/b.jpg", "photos/b.png"]
    assert all(sum(row["shares"].values()) == pytest.approx(1) for row in rows)
    assert all(Path(row["mask"]).is_file() for row in rows)


def test_one_bad_file_does_not_stop_the_others(folder: Path, capsys):
    Path("photos/a2.jpg").write_text("not a photo")
    assert segment("photos", "gone.jpg") == 1
    captured = capsys.readouterr()
    assert len(captured.out.split("_mask.png")) == 4
    assert "photos/a2.jpg" in captured.err
    assert "gone.jpg" in captured.err
    assert "2 of 5 photos failed" in captured.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gone.jpg"], "gone.jpg, which does not exist"),
        (["photos/*.webp"], "pattern must match files. Received: 'photos/*.webp'"),
        (["photos/a.png", "--opacity", "3"], "--opacity must be between 0 and 1. Received: 3.0"),
        (["photos/a.png", "--size", "0"], "size must be at least 1. Received: size=0"),
        (["photos/a.png", "--size", "9y9"], "--size must be PIXELS, HEIGHTxWIDTH or own"),
        (["photos/a.png", "--batch-size", "0"], "batch_size must be at least 1"),
        (["photos/a.png", "--model", "vok"], "Did you mean 'voc'"),
        (["photos/a.png", "--out", "net.tflite"], "net.tflite"),
    ],
)
def test_errors_are_one_line_and_exit_1(folder: Path, capsys, arguments, words: str):
    assert segment(*arguments) == 1
    err = capsys.readouterr().err
    assert err.startswith("keras-deeplab: error: ")
    assert words in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["segment"], "required: PHOTO"),
        (["segment"], "Example: keras-deeplab segment photo.jpg"),
        (["xyzzy"], "There is no command 'xyzzy'. Commands: segment, demo, "),
        (["segmnt", "a.jpg"], "Did you mean 'segment'?"),
        (["segment", "a.jpg", "--output-stride", "5"], "See: keras-deeplab segment --help"),
        (["segment", "a.jpg", "--opacty=1"], "Did you mean '--opacity'?"),
    ],
)
def test_usage_errors_exit_2_and_are_short(arguments: list[str], words: str, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    err = capsys.readouterr().err
    assert words in err
    assert len(err.splitlines()) <= 3


def test_examples_without_arguments(capsys: pytest.CaptureFixture[str]):
    assert main([]) == 0
    out = capsys.readouterr().out
    examples = [line.split("  ")[1] for line in out.splitlines() if line.startswith("  ")]
    assert len(examples) >= 8
    for example in examples:
        _parser().parse_args(shlex.split(example)[1:])


def test_help_and_list_do_not_wait_for_tensorflow():
    code = (
        "import sys\nfrom keras_deeplab.cli import main\nmain(['list'])\n"
        "assert not {'tensorflow', 'keras', 'numpy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_module_runs_quietly(folder: Path):
    command = [sys.executable, "-m", "keras_deeplab", "segment", "photos/a.png"]
    options = ["--model", "net.tflite", "--backbone", "mobilenet_v2_050"]
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        command + options, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    with Image.open("segmented/a_mask.png") as mask:
        assert np.asarray(mask).shape == (20, 30)
