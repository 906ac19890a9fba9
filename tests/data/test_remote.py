import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data import remote
from keras_deeplab.data.images import read_image


class Handler(BaseHTTPRequestHandler):
    failures = 0

    def do_GET(self):
        if self.path == "/gone.png":
            self.send_error(404)
            return
        if self.path == "/often.png" and Handler.failures < 2:
            Handler.failures += 1
            self.send_error(503)
            return
        buffer = io.BytesIO()
        Image.new("RGB", (6, 4), "red").save(buffer, "png")
        content = b"words" if self.path == "/words.png" else buffer.getvalue()
        self.send_response(200)
        length = len(content) + 9 * (self.path == "/short.png")
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote.time, "sleep", lambda seconds: None)


def test_photos_at_addresses(server: str):
    for name in ("a.png", "often.png"):
        photo = read_image(f"{server}/{name}")
        np.testing.assert_array_equal(photo, np.full((4, 6, 3), (255, 0, 0)))


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("gone.png", ConnectionError, "gone.png' .404 Not Found"),
        ("words.png", ValueError, "image that Pillow reads, .* Received: .*words.png', 5 bytes"),
        ("short.png", ConnectionError, "of .* bytes|IncompleteRead"),
    ],
)
def test_what_fails_names_the_address(server: str, name: str, error, words: str):
    with pytest.raises(error, match=words):
        read_image(f"{server}/{name}")


def test_limit(server: str):
    with pytest.raises(ValueError, match="at most 0 MB.*a.png', which is larger"):
        remote.copy_remote(f"{server}/a.png", io.BytesIO(), limit=20)


def test_storage():
    memory = pytest.importorskip("fsspec").filesystem("memory")
    memory.pipe_file("/box/a.bin", b"abc")
    file = io.BytesIO()
    remote.copy_remote("memory://box/a.bin", file, limit=3)
    assert file.getvalue() == b"abc"
    with pytest.raises(ValueError, match="larger"):
        remote.copy_remote("memory://box/a.bin", file, limit=2)
    with pytest.raises(ConnectionError, match="memory://box/b.bin"):
        remote.copy_remote("memory://box/b.bin", file, limit=2)
