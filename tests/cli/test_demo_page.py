"""The page, in headless Chromium."""

import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The page's address, served by the command."""
    if find_spec("gradio") is None:
        pytest.skip("gradio is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "keras_deeplab", "demo", "--port", str(port)]
    log = tmp_path / "log"
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as server,
    ):
        try:
            line = server.stdout.readline()
            assert "The page is at" in line, log.read_text()
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.mark.slow
def test_cat(url: str, photo: np.ndarray, tmp_path: Path):
    if CHROMIUM is None:
        pytest.skip("no chromium is installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    Image.fromarray(photo).save(tmp_path / "chelsea.png")
    (tmp_path / "text.jpg").write_text("not a photo")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800}, accept_downloads=True)
        page.set_default_timeout(40_000)
        playwright.expect.set_options(timeout=40_000)
        asked: set[str] = set()
        page.on("request", lambda request: asked.add(request.url))
        page.goto(url)
        uploads = page.locator("input[type=file]").first
        uploads.set_input_files([tmp_path / "chelsea.png", tmp_path / "text.jpg"])
        playwright.expect(page.locator(".kd-legend")).to_contain_text("cat")
        playwright.expect(page.locator(".kd-error")).to_contain_text("text.jpg: The photo must be")
        page.locator(".kd-view").hover()
        playwright.expect(page.locator(".kd-class")).to_have_text("cat")
        with page.expect_download() as download:
            page.locator("a[download='chelsea_mask.png']").first.click()
        download.value.save_as(tmp_path / "mask.png")
        with page.expect_download() as download:
            page.get_by_role("button", name="Download all").click()
        with zipfile.ZipFile(download.value.path()) as archive:
            assert archive.namelist() == ["chelsea_mask.png", "chelsea_overlay.png"]
        page.reload()
        page.locator(".kd-example").nth(1).click()
        playwright.expect(page.locator(".kd-name b")).to_have_text("cat")
        browser.close()
    assert not [address for address in asked if not address.startswith((url, "data:", "blob:"))]

    from keras_deeplab import DeepLab, segment

    expected = segment(DeepLab(weights="voc"), photo).labels
    with Image.open(tmp_path / "mask.png") as mask:
        np.testing.assert_array_equal(np.asarray(mask), expected)
