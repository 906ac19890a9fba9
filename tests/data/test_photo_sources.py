import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data.photo_sources import Item, distinct, find_sources


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.png", "notes.txt", "clip.mp4", "sub/a.jpg", "sub/deep/c.jpg",
                 ".hidden.jpg", ".git/x.jpg", "out/a_mask.png"):  # fmt: skip
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def names(found) -> dict[str, str]:
    return {item.source: item.name for item in found.items}


def test_a_folder_says_what_it_skips(tree: Path):
    found = find_sources(["photos"])
    assert names(found) == {"photos/a.jpg": "a", "photos/b.png": "b"}
    assert found.summary() == (
        "skipped 2 files (1 .mp4, 1 .txt), 2 folders (use --recursive). Videos are segmented if "
        "they are named, as in 'folder/*.mp4'."
    )


def test_recursive_keeps_the_tree_and_leaves_the_output_folder_out(tree: Path):
    found = find_sources(["photos"], out="photos/out", recursive=True)
    assert list(names(found).values()) == ["a", "b", "sub/a", "sub/deep/c"]
    assert "subfolder" not in str(found.summary())


def test_patterns_keep_the_tree_below_their_fixed_part(tree: Path):
    assert list(names(find_sources(["photos/**/*.jpg"])).values()) == ["a", "sub/a", "sub/deep/c"]
    videos = find_sources(["photos/*.mp4"])
    assert [item.is_video for item in videos.items] == [True]


def test_own_results_are_no_photos(tree: Path):
    for name in ("a_mask.png", "a_overlay.png", "other_mask.png", "x_mask.png"):
        (tree / "photos" / name).write_bytes(b"x")
    line = json.dumps({"photo": "/x.jpg", "mask": "x_mask.png", "shares": {}})
    (tree / "photos" / "results.jsonl").write_text(line + '\n{"pho')
    found = find_sources(["photos"])
    assert list(names(found).values()) == ["a", "b", "other_mask"]
    assert "3 masks or overlays" in str(found.summary())
    with pytest.raises(FileNotFoundError, match="files that are no results"):
        find_sources(["photos/x_*.png"])


def test_errors(tree: Path):
    with pytest.raises(FileNotFoundError, match="pattern must match files. Received"):
        find_sources(["photos/*.webp"])
    with pytest.raises(FileNotFoundError, match="gone.jpg, which does not exist"):
        find_sources(["gone.jpg"])
    (tree / "photos" / "empty" / "more").mkdir(parents=True)
    with pytest.raises(ValueError, match="must hold images.*1 folder .use --recursive"):
        find_sources(["photos/empty"])


def test_a_photo_is_taken_once_and_names_are_distinct(tree: Path):
    found = find_sources(["photos", "photos/a.jpg", "./photos/b.png", "photos/sub"])
    assert len(found.items) == 3
    items = list(distinct(found.items, {}))
    assert [item.name for item in items] == ["a", "b", "a_2"]
    kept = {"a_2": items[0].identity, "A": "/other/a.jpg"}
    assert [item.name for item in distinct(found.items, kept)] == ["a_2", "b", "a_3"]


def test_storage(rng):
    memory = pytest.importorskip("fsspec").filesystem("memory")
    for name in ("a.jpg", "sub/b.jpg", "notes.txt", "clip.mov"):
        memory.pipe_file(f"/bucket/{name}", b"x")
    found = find_sources(["memory://bucket"])
    assert names(found) == {"memory:///bucket/a.jpg": "a"}
    assert "1 .mov" in str(found.summary())
    found = find_sources(["memory://bucket"], recursive=True)
    assert list(names(found).values()) == ["a", "sub/b"]
    assert names(find_sources(["memory://bucket/s*/*.jpg"])) == {
        "memory:///bucket/sub/b.jpg": "sub/b"
    }
    assert names(find_sources(["memory://bucket/a.jpg"])) == {"memory://bucket/a.jpg": "a"}
    with pytest.raises(FileNotFoundError, match="must be photos"):
        find_sources(["memory://bucket/*.png"])
    with pytest.raises(ValueError, match="storage that fsspec opens"):
        find_sources(["nowhere://bucket"])


def test_web_addresses():
    (item,) = find_sources(["https://example.org/a/cat%201.jpg?w=3"]).items
    assert (item.name, item.is_video) == ("cat 1", False)
    assert Item("https://example.org/v.MP4?x=1", "v").is_video


def test_heic(tmp_path: Path):
    heif = pytest.importorskip("pillow_heif")
    from keras_deeplab.data.images import read_image

    photo = np.full((16, 24, 3), (200, 30, 60), "uint8")
    heif.from_pillow(Image.fromarray(photo)).save(tmp_path / "a.HEIC")
    (item,) = find_sources([str(tmp_path)]).items
    assert np.abs(read_image(item.source).astype(int) - photo).max() < 8
