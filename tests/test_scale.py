"""Weight at the size of the finished book: its chapters several times over, at least 22 of them."""

import gzip
import subprocess
import sys

import browser
import multiply
import pytest
from playwright.sync_api import sync_playwright

CHAPTERS = 22
PAGE_HTML = 250_000
NAVIGATION = 12_000
FIRST_VIEW = 220 * 1024


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """The book with each chapter copied, quiz, exercises, citations and all, until there are 22."""
    root = tmp_path_factory.mktemp("scale") / "book"
    multiply.multiply(root, -(-CHAPTERS // len(multiply.chapter_names())))
    run = subprocess.run([sys.executable, str(root / "assets" / "tools" / "build.py"), "--root", str(root)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return root / "_build" / "html"


def copies(site):
    """Pages of chapters in the large book: those with charts, contributors' template aside."""
    return [page for page in sorted((site / "chapters").glob("*/*.html")) if page.parent.name != "reference" and '<figure class="chart"' in page.read_text("utf-8")]


def test_pages_stay_within_budget(large):
    pages = copies(large)
    assert len(pages) >= CHAPTERS
    assert max(page.stat().st_size for page in pages) <= PAGE_HTML


def test_navigation_grows_little(large, site):
    """What the added entries add to every page, compressed: the contents list, nothing else."""
    name = "chapters/biology/testing.html"
    grown, alone = (len(gzip.compress((folder / name).read_bytes(), 6)) for folder in (large, site))
    assert grown - alone <= NAVIGATION


def test_first_view_in_a_browser(large):
    """Bytes and requests of one copy, as a reader of the finished book would load it."""
    with browser.serve(large) as address, sync_playwright() as play:
        started = play.chromium.launch(executable_path=browser.executable(), args=browser.FLAGS)
        page = started.new_page(viewport={"width": 1280, "height": 900})
        watch = browser.Watch(page, address, large)
        page.goto(address + copies(large)[-1].relative_to(large).as_posix())
        page.wait_for_load_state("networkidle")
        started.close()
    assert watch.others == [] and watch.errors == []
    assert watch.weight <= FIRST_VIEW
    assert len(watch.files) <= 30


def test_search_index_is_not_on_any_page(large):
    assert not [page.name for page in (large / "chapters").rglob("*.html") if "searchindex" in page.read_text("utf-8")]
