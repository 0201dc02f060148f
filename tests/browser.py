"""A real browser on the built site: find one, serve the pages, watch what they ask for."""

from __future__ import annotations

import gzip
import os
import shutil
import sys
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

CANDIDATES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
ALREADY_COMPRESSED = {".woff2", ".png", ".jpg", ".zip"}


def executable() -> str | None:
    """Path of a browser: the one in HER2_BROWSER, one of the system's, or Playwright's own (None lets it choose)."""
    given = os.environ.get("HER2_BROWSER")
    return given or next((path for name in CANDIDATES if (path := shutil.which(name))), None)


def playwright_has_browser() -> bool:
    """Whether Playwright's own Chromium is installed."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        return Path(play.chromium.executable_path).is_file()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def serve(folder: Path):
    """Serve a folder on a free port of this machine; yields its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


class Watch:
    """What one page did: hosts asked, files fetched with their compressed size, errors in the console."""

    def __init__(self, page, address: str, folder: Path):
        self.files: dict[str, int] = {}
        self.others: list[str] = []
        self.errors: list[str] = []
        self._address, self._folder = address, folder
        page.on("request", self._request)
        page.on("console", lambda message: message.type in {"error", "warning"} and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("requestfailed", lambda request: self.errors.append(f"failed: {request.url}"))
        page.on("response", lambda answer: answer.status >= 400 and self.errors.append(f"{answer.status}: {answer.url}"))

    def _request(self, request):
        if request.url.startswith(("data:", "blob:")):
            return
        if not request.url.startswith(self._address):
            self.others.append(request.url)
            return
        path = urlsplit(request.url).path.lstrip("/")
        file = self._folder / (path or "index.html")
        if file.is_file():
            body = file.read_bytes()
            self.files[path] = len(body) if file.suffix in ALREADY_COMPRESSED else len(gzip.compress(body, 6))

    @property
    def weight(self) -> int:
        """Bytes fetched, as a server that compresses would send them."""
        return sum(self.files.values())


def ensure() -> int:
    """Obtain a browser where none is found; 1 with the line to type where that fails."""
    if executable() or playwright_has_browser():
        return 0
    import subprocess

    print("No browser found: installing Chromium for the tests ...", flush=True)
    attempts = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if shutil.which("apt-get"):
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        attempts.insert(0, ["sh", "-c", " ".join([*sudo, "apt-get update -qq &&", *sudo, "apt-get install -y -qq chromium"])])
    for command in attempts:
        if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0 and (executable() or playwright_has_browser()):
            return 0
    print("No browser could be installed. Install Chromium or Chrome ('apt-get install chromium', or '.venv/bin/python -m playwright install --with-deps chromium'), or name one in HER2_BROWSER, then run 'make test' again.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(ensure())
