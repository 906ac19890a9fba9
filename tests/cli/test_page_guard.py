"""The guard of the demo page, as an ASGI application."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from keras_deeplab.cli.page_guard import Guard


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"page"})


def answer(
    folder: Path, headers: dict[str, str], *, path: str = "/", method: str = "GET"
) -> tuple[int, dict[bytes, bytes], bytes]:
    guard = Guard(app, hosts=("127.0.0.1", "demo.example"), folder=folder, max_bytes=1000)
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    pairs = [(key.encode(), value.encode()) for key, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": pairs}
    asyncio.run(guard(scope, None, send))
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1:7860", "localhost:7860", "192.168.0.7:7860", "[::1]:7860", "demo.example"]
)
def test_own_names_are_served(tmp_path: Path, host: str):
    status, headers, body = answer(tmp_path, {"host": host, "origin": f"http://{host}"})
    assert (status, body) == (200, b"page")
    assert b"default-src 'self'" in headers[b"content-security-policy"]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "", "127.0.0.1.evil.example"]
)
def test_other_names_are_refused(tmp_path: Path, host: str):
    status, _, body = answer(tmp_path, {"host": host})
    assert status == 403
    assert b"--allow-host" in body


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:8000", "http://127.0.0.1:80"]
)
def test_other_origins_are_refused(tmp_path: Path, origin: str):
    headers = {"host": "127.0.0.1:7860", "origin": origin}
    assert answer(tmp_path, headers, method="POST")[0] == 403


def test_a_proxy_may_keep_its_origin(tmp_path: Path):
    headers = {"host": "127.0.0.1:7860", "origin": "https://demo.example"}
    assert answer(tmp_path, headers)[0] == 200


def test_uploads_are_limited_in_sum(tmp_path: Path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "mask.png").write_bytes(bytes(600))

    def upload(**headers: str) -> int:
        headers = {"host": "localhost", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return answer(tmp_path, headers, path="/gradio_api/upload", method="POST")[0]

    assert upload(content_length="400") == 200
    assert upload(content_length="401") == 413
    assert upload() == 411


def test_other_sites_get_no_websocket(tmp_path: Path):
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    guard = Guard(app, hosts=(), folder=tmp_path, max_bytes=1000)
    scope = {"type": "websocket", "path": "/", "headers": [(b"host", b"evil.example")]}
    asyncio.run(guard(scope, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
