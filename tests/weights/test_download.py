import functools
import hashlib
import http.server
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keras_deeplab.presets.weights import WEIGHTS
from keras_deeplab.weights.conversion import convert
from keras_deeplab.weights.download import cache_folder, check_published, weights_file

CONTENT = b"weights" * 5000


class Server:
    """A local web server whose answers are scripted: a list of bodies, one per request."""

    def __init__(self) -> None:
        self.answers: list[bytes | int] = []
        self.paths: list[str] = []
        handler = functools.partial(_Handler, self)
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()


class _Handler(http.server.BaseHTTPRequestHandler):
    def __init__(self, server: Server, *arguments) -> None:
        self.script = server
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self.script.paths.append(self.path)
        answer = self.script.answers.pop(0) if self.script.answers else CONTENT
        if isinstance(answer, int):
            self.send_error(answer)
            return
        self.send_response(200)
        # A body shorter than announced is a transfer that breaks off.
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def row(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("keras_deeplab.weights.download._PAUSE_SECONDS", 0)
    return replace(
        WEIGHTS["deeplab_v3_mobilenet_v2.voc_trainaug"],
        url=f"{server.url}/published/net.tflite",
        file="net.tflite",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        num_bytes=len(CONTENT),
    )


def only_the_file_is_left() -> bool:
    return [path.name for path in cache_folder().iterdir()] == ["net.tflite"]


def test_downloads_once(server: Server, row):
    path = weights_file(row)
    assert path == cache_folder() / "net.tflite"
    assert path.read_bytes() == CONTENT
    assert weights_file(row) == path
    assert server.paths == ["/published/net.tflite"]
    assert only_the_file_is_left()


def test_shows_progress(row, capfd: pytest.CaptureFixture[str]):
    weights_file(row)
    assert "100%" in capfd.readouterr().err


@pytest.mark.parametrize("answer", [503, 404, CONTENT[:999], b"x" * len(CONTENT)])
def test_tries_again(server: Server, row, answer):
    server.answers = [answer]
    assert weights_file(row).read_bytes() == CONTENT
    assert len(server.paths) == 2
    assert only_the_file_is_left()


@pytest.mark.parametrize(
    ("answer", "words"),
    [(404, "404"), (CONTENT[:999], "broken|IncompleteRead|hash"), (b"x" * 35000, "hash")],
)
def test_gives_up_with_words_and_leaves_nothing(server: Server, row, answer, words: str):
    server.answers = [answer] * 3
    with pytest.raises(ConnectionError, match="in 3 attempts.*KERAS_DEEPLAB_MIRROR") as caught:
        weights_file(row)
    assert re.search(words, str(caught.value))
    assert list(cache_folder().iterdir()) == []
    assert weights_file(row).read_bytes() == CONTENT


def test_no_network(row):
    row = replace(row, url="http://127.0.0.1:9/net.tflite")
    with pytest.raises(ConnectionError, match="fetch http://127.0.0.1:9/net.tflite") as caught:
        weights_file(row)
    assert re.search(r"Received from 127.0.0.1:9: ConnectionError: \[\w+ \d+\]", str(caught.value))
    assert list(cache_folder().iterdir()) == []


@pytest.mark.parametrize("dataset", ["voc", "cityscapes"])
def test_no_network_names_what_is_in_the_package(row, dataset: str):
    row = replace(row, url="http://127.0.0.1:9/net.tflite", dataset=dataset)
    with pytest.raises(ConnectionError) as caught:
        weights_file(row)
    said = "mobilenet_v2.voc' has the same classes and needs no download." in str(caught.value)
    assert said is (dataset == "voc")


def test_damaged_cache_is_replaced(row, caplog: pytest.LogCaptureFixture):
    cache_folder().mkdir(exist_ok=True)
    (cache_folder() / "net.tflite").write_bytes(CONTENT[:100])
    assert weights_file(row).read_bytes() == CONTENT
    assert "is damaged" in caplog.text


def test_mirror_folder_is_used_in_place(server: Server, row, tmp_path: Path, monkeypatch):
    (tmp_path / "net.tflite").write_bytes(CONTENT)
    monkeypatch.setenv("KERAS_DEEPLAB_MIRROR", str(tmp_path))
    assert weights_file(row) == tmp_path / "net.tflite"
    assert server.paths == []


def test_wrong_file_in_the_mirror_folder_is_refused(row, tmp_path: Path, monkeypatch):
    (tmp_path / "net.tflite").write_bytes(b"other")
    monkeypatch.setenv("KERAS_DEEPLAB_MIRROR", str(tmp_path))
    with pytest.raises(ValueError, match=f"must have the SHA-256 {row.sha256}.*Received"):
        weights_file(row)


def test_mirror_folder_without_the_file_falls_through(row, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("KERAS_DEEPLAB_MIRROR", str(tmp_path))
    assert weights_file(row) == cache_folder() / "net.tflite"


def test_mirror_that_does_not_exist(row, monkeypatch):
    monkeypatch.setenv("KERAS_DEEPLAB_MIRROR", "no/such/folder")
    with pytest.raises(FileNotFoundError, match="KERAS_DEEPLAB_MIRROR must be an existing folder"):
        weights_file(row)


def test_mirror_url(server: Server, row, monkeypatch):
    monkeypatch.setenv("KERAS_DEEPLAB_MIRROR", f"{server.url}/mirror/")
    weights_file(row)
    assert server.paths == ["/mirror/net.tflite"]


def test_unwritable_cache(row, tmp_path: Path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("a file where the folder should be")
    monkeypatch.setenv("KERAS_DEEPLAB_CACHE", str(blocked / "cache"))
    with pytest.raises(OSError, match="must be writable.*Set the environment variable"):
        weights_file(row)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_cache(row, tmp_path: Path, monkeypatch):
    tmp_path.chmod(0o500)
    monkeypatch.setenv("KERAS_DEEPLAB_CACHE", str(tmp_path))
    with pytest.raises(OSError, match="must be writable"):
        weights_file(row)


def test_cache_folder_defaults_to_keras_home(monkeypatch, tmp_path: Path):
    monkeypatch.delenv("KERAS_DEEPLAB_CACHE")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "keras_deeplab"


def test_two_processes_may_download_at_once(row):
    threads = [threading.Thread(target=weights_file, args=(row,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (cache_folder() / "net.tflite").read_bytes() == CONTENT
    assert only_the_file_is_left()


def test_a_hash_prefix_is_enforced(server: Server, row):
    row = replace(row, sha256=row.sha256[:8])
    server.answers = [b"x" * len(CONTENT)]
    assert weights_file(row).read_bytes() == CONTENT
    assert len(server.paths) == 2
    (cache_folder() / "net.tflite").write_bytes(b"other")
    assert weights_file(row).read_bytes() == CONTENT
    assert only_the_file_is_left()


def test_the_first_hash_is_recorded_and_enforced(
    server: Server, row, caplog, tmp_path, monkeypatch
):
    known = row.sha256
    row = replace(row, sha256=None)
    assert weights_file(row).read_bytes() == CONTENT
    assert f"No hash of net.tflite was published: {known} is recorded" in caplog.text
    assert (cache_folder() / "net.tflite.sha256").read_text().strip() == known
    # Damage in the cache is noticed, and so is another file at the publisher's.
    (cache_folder() / "net.tflite").write_bytes(b"other")
    assert weights_file(row).read_bytes() == CONTENT
    (cache_folder() / "net.tflite").unlink()
    server.answers = [b"x" * len(CONTENT)] * 3
    with pytest.raises(ConnectionError, match=f"a file with the hash .*, not {known}"):
        weights_file(row)
    (tmp_path / "net.tflite").write_bytes(b"other")
    monkeypatch.setenv("KERAS_DEEPLAB_MIRROR", str(tmp_path))
    with pytest.raises(ValueError, match=f"SHA-256 {known} of .*, recorded in .*net.tflite.sha256"):
        weights_file(row)


def test_a_file_put_into_the_cache_by_hand_is_recorded(server: Server, row):
    cache_folder().mkdir(exist_ok=True)
    (cache_folder() / "net.tflite").write_bytes(CONTENT)
    assert weights_file(replace(row, sha256=None)) == cache_folder() / "net.tflite"
    assert server.paths == []
    assert (cache_folder() / "net.tflite.sha256").read_text().strip() == row.sha256


def test_a_download_that_never_ends_is_stopped(server: Server, row):
    server.answers = [CONTENT * 50] * 3
    # The server announces the right size and sends more; requests reads what was announced.
    assert weights_file(row).read_bytes() == CONTENT
    (cache_folder() / "net.tflite").unlink()
    with pytest.raises(ConnectionError, match="more than the 10000 bytes that the file may have"):
        weights_file(replace(row, num_bytes=10_000))
    assert list(cache_folder().iterdir()) == []


def test_a_download_that_is_too_slow_is_stopped(server: Server, row, monkeypatch):
    monkeypatch.setattr("keras_deeplab.weights.download._GRACE_SECONDS", 0.0)
    monkeypatch.setattr("keras_deeplab.weights.download._SLOWEST", 1e12)
    with pytest.raises(ConnectionError, match=r"TimeoutError: \d+ bytes in 0 s"):
        weights_file(row)
    assert list(cache_folder().iterdir()) == []


def test_what_killed_downloads_left_is_removed(server: Server, row):
    for name, age in {".download-old": 2 * 24 * 3600, ".download-new": 0}.items():
        (cache_folder() / name).mkdir(parents=True)
        (cache_folder() / name / "attempt-0").write_bytes(b"x")
        then = time.time() - age
        os.utime(cache_folder() / name, (then, then))
    weights_file(row)
    assert sorted(path.name for path in cache_folder().iterdir()) == [".download-new", "net.tflite"]


def test_a_web_page_is_not_recorded_as_weights(server: Server, row):
    row = replace(row, sha256=None, num_bytes=None)
    page = b"\n<!DOCTYPE html>".ljust(len(CONTENT))
    server.answers = [page] * 3
    with pytest.raises(ConnectionError, match="a web page of 35000 bytes"):
        weights_file(row)
    assert list(cache_folder().iterdir()) == []
    with pytest.raises(ConnectionError, match=r"of 35001 bytes\. Received: a file of 35000 bytes"):
        weights_file(replace(row, num_bytes=35_001))


def test_a_local_file_of_a_published_name_is_verified(tmp_path: Path, row, monkeypatch):
    monkeypatch.setitem(WEIGHTS, row.name, replace(row, sha256=row.sha256[:8]))
    (tmp_path / "net.tflite").write_bytes(CONTENT)
    check_published(tmp_path / "net.tflite")
    (tmp_path / "net.tflite").write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(ValueError, match=r"must be the published one of .*net\.tflite' with"):
        check_published(tmp_path / "net.tflite")
    with pytest.raises(ValueError, match="rename it if it is another one"):
        convert(
            tmp_path / "net.tflite", tmp_path / "a.keras", converter="tflite", network=row.network
        )
    (tmp_path / "net.tflite").rename(tmp_path / "own.tflite")
    check_published(tmp_path / "own.tflite")
