"""Protects the demo page: names, origins, uploads, and what the browser may load."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# With this policy, the browser blocks requests for fonts and scripts from other hosts.
_POLICY = (
    b"default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    b"style-src 'self' 'unsafe-inline'; frame-ancestors 'self'"
)


class Guard:
    """ASGI middleware.

    A page of another site may make a browser send requests to this server, under its own name (by
    DNS rebinding) or with its origin: both are refused. IP addresses are always accepted as names,
    because DNS has no part in them.
    `hosts` are further names. Uploads are refused if the folder has more than `max_bytes`.
    """

    def __init__(self, app: Any, *, hosts: Sequence[str], folder: Path, max_bytes: int) -> None:
        self.app = app
        self.hosts = {"localhost", *(host.lower() for host in hosts)}
        self.folder = folder
        self.max_bytes = max_bytes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        refusal = self.refusal(scope, headers)
        if refusal is None:
            return await self.app(scope, receive, _with_policy(send))
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        code, text = refusal
        plain = [(b"content-type", b"text/plain; charset=utf-8")]
        await send({"type": "http.response.start", "status": code, "headers": plain})
        await send({"type": "http.response.body", "body": text.encode()})

    def refusal(self, scope: Any, headers: dict[str, str]) -> tuple[int, str] | None:
        """Returns status and text if a request is refused."""
        host = headers.get("host", "")
        if not self._is_known(host):
            return 403, f"The page has no name {host!r}. Start it with --allow-host NAME.\n"
        origin = headers.get("origin")
        # Behind a proxy, the origin is the proxy's name.
        known = {host, *(name for name in self.hosts - {"localhost"} if not _is_address(name))}
        if origin and known.isdisjoint({urlsplit(origin).netloc, urlsplit(origin).hostname}):
            return 403, "Requests of other sites are refused.\n"
        if scope.get("method") == "POST" and scope["path"].rstrip("/").endswith("/upload"):
            return self._upload_refusal(headers)
        return None

    def _is_known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self.hosts or _is_address(name)

    def _upload_refusal(self, headers: dict[str, str]) -> tuple[int, str] | None:
        if not headers.get("content-length", "").isdigit():
            return 411, "An upload must state its length.\n"
        taken = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        if taken + int(headers["content-length"]) > self.max_bytes:
            return 413, (
                f"Uploads and results may take {self.max_bytes / 1e6:.0f} MB together. Restart the "
                f"page to delete them, or start it with a higher --max-total-megabytes.\n"
            )
        return None


def _is_address(name: str) -> bool:
    try:
        return bool(ip_address(name))
    except ValueError:
        return False


def _with_policy(send: Any) -> Any:
    async def send_with_policy(message: Any) -> None:
        if message["type"] == "http.response.start":
            header = (b"content-security-policy", _POLICY)
            message = {**message, "headers": [*message["headers"], header]}
        await send(message)

    return send_with_policy
