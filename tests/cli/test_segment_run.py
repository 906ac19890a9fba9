import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.cli import main, segment_command, segment_run
from keras_deeplab.data import read_dataset
from keras_deeplab.inference.bulk import bulk_job
from tests.data.annotations.exports import photo

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path, network_file: Path, rng, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png", "sub/a.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), "uint8")).save(path)
    return tmp_path


def command(*arguments: str) -> list[str]:
    options = ("--model", "net.tflite", "--backbone", "mobilenet_v2_050", "--size", "65")
    return ["segment", *options, *arguments]


def segment(*arguments: str) -> int:
    return main(command(*arguments))


def records(folder: str | Path) -> list[dict]:
    return [json.loads(line) for line in Path(folder, "results.jsonl").read_text().splitlines()]


def test_finished_photos_are_reported_but_not_computed_again(folder: Path, capsys, monkeypatch):
    assert segment("photos", "--json") == 0
    first = capsys.readouterr()
    assert "skipped 1 folder (use --recursive)" in first.err
    computed = []
    original = bulk_job.segment

    def counted(model, photos, **options):
        computed.extend(photos)
        return original(model, photos, **options)

    monkeypatch.setattr(bulk_job, "segment", counted)
    assert segment("photos", "--json") == 0
    again = capsys.readouterr()
    assert again.out == first.out
    assert "2 of 2 results were finished before" in again.err
    assert computed == []
    Path("segmented/a_mask.png").unlink()
    assert segment("photos") == 0
    assert computed == ["photos/a.png"]
    assert segment("photos", "--no-resume") == 0
    assert computed[1:] == ["photos/a.png", "photos/b.png"]
    # Other settings give other results.
    assert segment("photos", "--flip") == 0
    assert len(computed) == 5
    records = [
        json.loads(line) for line in Path("segmented/results.jsonl").read_text().splitlines()
    ]
    assert [record["name"] for record in records] == ["a", "b"]


def test_tree_formats_and_the_own_output_folder(folder: Path, capsys):
    for _ in range(2):
        assert segment("photos", "--recursive", "--out", "photos", "--format", "npz") == 0
    assert sorted(path.name for path in Path("photos").rglob("*_mask.npz")) == [
        "a_mask.npz", "a_mask.npz", "b_mask.npz",
    ]  # fmt: skip
    assert Path("photos/sub/a_overlay.png").is_file()
    assert not list(Path("photos").rglob("*overlay_*"))
    assert segment("photos", "--format", "none", "--no-overlay", "--out", "shares") == 0
    assert [path.name for path in Path("shares").iterdir()] == ["results.jsonl"]


def test_no_photo_loses_its_results_to_another(folder: Path):
    assert segment("photos/a.png") == 0
    first = Path("segmented/a_mask.png").read_bytes()
    assert segment("photos/sub/a.png") == 0
    assert Path("segmented/a_mask.png").read_bytes() == first
    assert Path("segmented/a_2_mask.png").is_file()


def test_a_cluster_needs_ray_and_an_engine_of_its_own(folder: Path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert segment("photos", "--engine", "ray") == 1
    assert capsys.readouterr().err.splitlines() == [
        'keras-deeplab: error: A cluster needs Ray. Run: pip install "keras_deeplab[ray]"'
    ]
    assert not Path("segmented").exists()
    assert segment("photos", "--engine", "ray", "--camera", "0") == 1
    assert "--camera must come with --engine local" in capsys.readouterr().err
    for actors in ("0", "4-2", "x"):
        with pytest.raises(SystemExit):
            segment("photos", "--engine", "ray", "--actors", actors)
        assert "--actors" in capsys.readouterr().err


def test_results_of_actors_are_recorded(folder: Path, capsys, monkeypatch):
    """As Ray yields them, in any order, without Ray."""

    def reversed_order(open_network, items, job, *, actors):
        assert (actors.number, actors.cpus, actors.gpus) == ((2, 4), 1.0, 0.5)
        return iter(reversed(list(job.outcomes(open_network(), items))))

    monkeypatch.setattr(segment_run, "segment_on_ray", reversed_order)
    monkeypatch.setattr(segment_command, "_check_engine", lambda arguments: None)
    Path("photos/broken.png").write_bytes(b"no photo")
    options = ("--engine", "ray", "--actors", "2-4", "--gpus-per-actor", "0.5", "--recursive")
    assert segment("photos", *options) == 1
    assert "1 of 4 photos failed" in capsys.readouterr().err
    assert {record["name"] for record in records("segmented")} == {"a", "b", "sub/a"}
    for record in records("segmented"):
        assert record["photo"].endswith(f"photos/{record['name']}.png")
        assert Path("segmented", record["mask"]).is_file()


@pytest.mark.slow
def test_killed_runs_end_with_the_same_masks(folder: Path, rng):
    """The run is killed at three moments and then finished."""
    for number in range(60):
        photo = rng.integers(0, 256, (20, 30, 3), "uint8")
        Image.fromarray(photo).save(f"photos/{number:03}.png")
    run = [sys.executable, "-m", "keras_deeplab", *command("photos", "--no-overlay")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    out = Path("killed")
    for least in (1, 15, 35):
        process = subprocess.Popen([*run, "--out", str(out)], env=environment)
        while process.poll() is None and len(list(out.glob("*_mask.png"))) < least:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for path in out.glob("*_mask.png"):
            with Image.open(path) as mask:
                mask.load()
    for folder_name in ("killed", "whole"):
        subprocess.run([*run, "--out", folder_name], env=environment, check=True)
    masks = sorted(Path("whole").glob("*_mask.png"))
    assert len(masks) == 62
    assert {path.name for path in out.iterdir()} == {path.name for path in Path("whole").iterdir()}
    for path in masks:
        with Image.open(path) as one, Image.open(out / path.name) as other:
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    photos = [
        json.loads(line)["photo"] for line in (out / "results.jsonl").read_text().splitlines()
    ]
    assert len(photos) == len(set(photos)) == 62


def test_other_class_names_are_other_results(folder: Path, capsys):
    assert segment("photos") == 0
    assert segment("photos", "--dataset", "voc") == 0
    assert "finished before" not in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--annotations", "coco"]])
def test_without_a_result_no_folder_is_left(folder: Path, options: list[str], capsys):
    Path("bad.png").write_text("no photo")
    assert segment("bad.png", "--out", "new/masks", *options) == 1
    assert "1 of 1 photos failed" in capsys.readouterr().err
    assert main(["segment", "photos", "--out", "new", "--model", "gone.onnx", *options]) == 1
    assert not Path("new").exists()
    Path("old").mkdir()
    assert segment("bad.png", "--out", "old", *options) == 1
    assert Path("old").is_dir()


def test_annotations_instead_of_masks(tmp_path: Path, network_file: Path, capsys):
    photos = tmp_path / "photos"
    photo(photos / "a.jpg", 0, (48, 64))
    photo(photos / "b.jpg", 1, (48, 64))
    network = ["--model", str(network_file), "--backbone", "mobilenet_v2_050"]
    arguments = ["segment", str(photos), *network, "--size", "65"]
    assert main([*arguments, "--annotations", "coco.json", "--out", str(photos), "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line).keys() for line in lines] == [{"photo", "shares"}] * 2
    assert sorted(path.name for path in photos.iterdir()) == ["a.jpg", "b.jpg", "coco.json"]
    data = read_dataset(photos)
    shares = json.loads(lines[0])["shares"]
    read = (data[0]["labels"] == 0).mean()
    assert read == pytest.approx(shares.get("background", 0), abs=0.05)
    out = tmp_path / "labelme"
    assert main([*arguments, "--annotations", "labelme", "--out", str(out)]) == 0
    assert str(out / "labels.txt") in capsys.readouterr().out
    assert (out / "b.json").is_file()
    assert main([*arguments, "--annotations", "labelmee", "--out", str(out)]) == 1
    assert "Did you mean 'labelme'?" in capsys.readouterr().err
