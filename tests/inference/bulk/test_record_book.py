import json
from pathlib import Path

import pytest

from keras_deeplab.data.photo_sources import Item
from keras_deeplab.inference.bulk import Destination, RecordBook

RECORD = {"photo": "", "mask": "a_mask.png", "shares": {"sky": 1.0}}


@pytest.fixture
def item(tmp_path: Path) -> Item:
    (tmp_path / "a.jpg").write_bytes(b"photo")
    return Item(str(tmp_path / "a.jpg"), "a")


def book(folder: object, settings: object = 1, **options: bool) -> RecordBook:
    destination = Destination(str(folder))
    destination.prepare()
    return RecordBook(destination, {"size": settings}, **options)


def write(folder: object, item: Item) -> None:
    first = book(folder)
    first.begin({item.identity: item.name})
    first.destination.write("a_mask.png", b"mask")
    first.add(item, RECORD)
    first.close()


def test_finished_photos(tmp_path: Path, item: Item):
    out = tmp_path / "out"
    write(out, item)
    record = book(out).finished(item)
    assert record is not None
    assert (record["photo"], record["shares"]) == (item.source, {"sky": 1.0})
    assert book(out, 2).finished(item) is None
    assert book(out, resume=False).finished(item) is None
    (out / "a_mask.png").unlink()
    assert book(out).finished(item) is None


def test_finished_videos(tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(b"video")
    video = Item(str(tmp_path / "a.mp4"), "a")
    first = book(tmp_path / "out")
    (tmp_path / "out" / "a_mask").mkdir()
    first.add(video, {"mask": "a_mask", "frames": 12, "seconds": 0.4, "shares": {}})
    first.close()
    record = book(tmp_path / "out").finished(video)
    assert record is not None
    assert record["frames"] == 12
    (tmp_path / "out" / "a_mask").rmdir()
    assert book(tmp_path / "out").finished(video) is None


def test_a_changed_photo_is_not_finished(tmp_path: Path, item: Item):
    write(tmp_path / "out", item)
    Path(item.source).write_bytes(b"another photo")
    assert book(tmp_path / "out").finished(item) is None


def test_a_line_cut_off_is_ignored_and_there_is_one_line_per_photo(tmp_path: Path, item: Item):
    out = tmp_path / "out"
    write(out, item)
    with (out / "results.jsonl").open("ab") as file:
        file.write(b'{"photo": "/b.jpg", "ma')
    again = book(out, 2)
    again.begin({item.identity: "a"})
    again.add(item, RECORD)
    again.close()
    (line,) = (out / "results.jsonl").read_text().splitlines()
    assert json.loads(line)["name"] == "a"


def test_names_of_photos_that_exist_are_taken(tmp_path: Path, item: Item):
    write(tmp_path / "out", item)
    assert book(tmp_path / "out").taken() == {"a": item.identity}
    Path(item.source).unlink()
    assert book(tmp_path / "out").taken() == {}


def test_settings_of_videos_do_not_concern_photos(tmp_path: Path, item: Item):
    destination = Destination(str(tmp_path))
    keys = [RecordBook(destination, {"video": n})._key(item) for n in (1, 2)]
    assert keys[0] == keys[1]
    video = Item("a.mp4", "a")
    keys = [RecordBook(destination, {"video": n})._key(video) for n in (1, 2)]
    assert keys[0] != keys[1]


def test_storage(tmp_path: Path, item: Item):
    memory = pytest.importorskip("fsspec").filesystem("memory")
    write("memory://results", item)
    assert memory.cat_file("/results/a_mask.png") == b"mask"
    assert book("memory://results").finished(item) is not None


def test_unfinished_files_of_a_killed_run_are_removed(tmp_path: Path):
    destination = Destination(str(tmp_path))
    destination.unfinished(".png").write_bytes(b"half")
    destination.prepare()
    assert list(tmp_path.iterdir()) == []
