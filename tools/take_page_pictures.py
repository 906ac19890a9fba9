"""Takes the pictures of both demo pages that the docs show, with a headless Chromium.

    pip install playwright
    python tools/take_page_pictures.py
    python tools/take_page_pictures.py --out pictures --all

With --all at three widths, light and dark, and not into the docs.
"""

from __future__ import annotations

import argparse
import functools
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from keras_deeplab.cli.static_page import write_static_page
from keras_deeplab.data import example_photos

ROOT = Path(__file__).parents[1]
PHOTOS = [example_photos()[name] for name in ("motorcycle", "cat")]
SIZES = {"phone": (390, 844), "tablet": (820, 1100), "desktop": (1440, 900)}
IN_DOCS = [("desktop", "light"), ("phone", "dark")]


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def static_page() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        write_static_page(folder)
        handler = functools.partial(Quiet, directory=folder)
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_address[1]}"
            server.shutdown()


@contextmanager
def served_page() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "keras_deeplab", "demo", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            server.stdout.readline()
            yield f"http://127.0.0.1:{port}"
        finally:
            server.send_signal(signal.SIGTERM)


def take(browser: Browser, url: str, path: Path, *, size: tuple[int, int], scheme: Any) -> None:
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        has_touch=width < 800,
        is_mobile=width < 800,
    )
    page = context.new_page()
    page.goto(url)
    page.locator("input[type=file]").first.set_input_files(PHOTOS)
    expect(page.locator(".kd-name")).to_have_count(len(PHOTOS), timeout=90_000)
    _cut(page, 40)
    page.wait_for_timeout(1500)
    page.screenshot(path=path)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, f"{path.name}: the page is {wide} pixels wide"
    with Image.open(path) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    context.close()


def _cut(page: Page, percent: int) -> None:
    page.locator(".kd-cut").first.evaluate(
        "(slider, value) => { slider.value = value;"
        " slider.dispatchEvent(new Event('input', {bubbles: true})); }",
        percent,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--all", action="store_true", help="all widths and schemes")
    parser.add_argument("--only", choices=("demo", "static"), help="one of the pages")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    chosen = [(s, c) for s in SIZES for c in ("light", "dark")] if options.all else IN_DOCS
    pages = {"demo": served_page, "static": static_page}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, serve in pages.items():
            if options.only not in (None, name):
                continue
            with serve() as url:
                for size, scheme in chosen:
                    suffix = f"_{scheme}" if options.all else ""
                    path = options.out / f"{name}_{size}{suffix}.png"
                    take(browser, url, path, size=SIZES[size], scheme=scheme)
                    print(path, f"{path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
