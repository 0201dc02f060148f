"""What the tests share: where the book is, the built site, and the count of skipped tests."""

import itertools
import os
import socket
from pathlib import Path

import pytest
import yaml
from jupyter_client.connect import LocalPortCache

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
#: Ports of kernels: below those that systems give out themselves.
FIRST, WIDTH = 20_000, 2_000


def pytest_configure(config):
    """Each worker draws the ports of its kernels from a range of its own.

    Jupyter asks the system for free ports, lets go of them and tells the kernel to take them: two workers that ask in
    the same moment can be told the same ones, and one kernel dies.
    """
    first = FIRST + WIDTH * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    start = first + os.getpid() % WIDTH  # so that two runs on one machine seldom begin at the same port
    ports = itertools.cycle([*range(start, first + WIDTH), *range(first, start)])

    def free_port(self, ip: str) -> int:
        for port in itertools.islice(ports, WIDTH):
            with socket.socket() as tried:
                try:
                    tried.bind((ip, port))
                except OSError:
                    continue
                return port
        raise RuntimeError(f"no free port from {first} to {first + WIDTH - 1}")

    LocalPortCache.find_available_port = free_port


def toc_files() -> list[str]:
    """Pages that _toc.yml names, in order, without their suffix."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    found = [toc["root"]]

    def walk(entries):
        for entry in entries:
            if "file" in entry:
                found.append(entry["file"])
            for key in ("chapters", "sections"):
                walk(entry.get(key, []))

    walk(toc.get("parts", []) or toc.get("chapters", []))
    return found


def notebooks() -> list[Path]:
    """Notebooks of the book, in the order of _toc.yml."""
    return [path for name in toc_files() if (path := ROOT / f"{name}.ipynb").is_file()]


def chapters() -> list[Path]:
    """Notebooks that teach; exercises have rules of their own."""
    return [path for path in notebooks() if "exercises" not in path.relative_to(ROOT).parts]


def slug(path: Path) -> str:
    return path.relative_to(ROOT / "chapters").with_suffix("").as_posix()


def read(path: Path):
    import nbformat

    return nbformat.read(path, as_version=4)


@pytest.fixture(scope="session")
def site() -> Path:
    assert (SITE / "index.html").is_file(), "build the book first: make book"
    return SITE


@pytest.fixture(scope="module")
def served(site):
    """Address at which the built site is served."""
    import browser

    with browser.serve(SITE) as address:
        yield address


@pytest.fixture(scope="module")
def chromium():
    """A real browser, started once a module; its libraries are loaded only where a test asks for it."""
    import browser
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=browser.executable(), args=browser.FLAGS)
        yield started
        started.close()


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    skipped = len(terminalreporter.stats.get("skipped", []))
    terminalreporter.write_line(f"skipped tests: {skipped}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and os.environ.get("CI") and reporter.stats.get("skipped") and exitstatus == 0:
        reporter.write_line("CI requires that no test is skipped")
        session.exitstatus = 1
