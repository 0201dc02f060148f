"""Weight at the size of the finished book: the real chapter 22 times over."""

import gzip
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, chapters

COPIES = 22
PAGE_HTML = 250_000
NAVIGATION = 12_000


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A book with the same configuration whose one chapter stands 22 times."""
    root = tmp_path_factory.mktemp("large")
    for name in ("_config.yml", "index.md", "assets", "chapters"):
        source = ROOT / name
        shutil.copytree(source, root / name) if source.is_dir() else shutil.copy(source, root)
    source = next(path for path in chapters() if path.stem == "testing")
    names = [f"chapters/copies/copy-{letter}{number}" for number in range(COPIES // 2) for letter in "ab"]
    (root / "chapters" / "copies").mkdir()
    for name in names:
        # A copy's citations and anchors would clash with its twins': keep text, code and charts.
        text = source.read_text("utf-8")
        text = re.sub(r"\{cite(?::[pt])?\}`[^`]*`", "(a source)", text)
        text = re.sub(r":::\{bibliography\}", ":::{note}", text).replace(":filter: docname in docnames", ":class: tip")
        text = re.sub(r"\(([a-z0-9-]+)\)=", "", text)
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
        text = re.sub(r":::\{quiz\} \w+", ":::{note}", text)
        (root / f"{name}.ipynb").write_text(text, "utf-8")
    toc = ["format: jb-book", "root: index", "parts:", "  - caption: Copies", "    chapters:"]
    toc += [f"      - file: {name}" for name in [*names, "chapters/biology/testing", "chapters/exercises/testing/testing", "chapters/reference/glossary", "chapters/reference/bibliography"]]
    (root / "_toc.yml").write_text("\n".join(toc) + "\n", "utf-8")
    run = subprocess.run([sys.executable, str(ROOT / "assets" / "tools" / "build.py"), "--root", str(root), "--lenient"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return root / "_build" / "html"


def test_pages_stay_within_budget(large):
    pages = sorted((large / "chapters" / "copies").glob("*.html"))
    assert len(pages) == COPIES
    assert max(page.stat().st_size for page in pages) <= PAGE_HTML


def test_navigation_grows_little(large, site):
    """What 22 more entries add to every page, compressed: the contents list, nothing else."""
    name = "chapters/biology/testing.html"
    grown, alone = (len(gzip.compress((folder / name).read_bytes(), 6)) for folder in (large, site))
    assert grown - alone <= NAVIGATION


def test_search_index_is_not_on_any_page(large):
    assert not [page.name for page in (large / "chapters").rglob("*.html") if "searchindex" in page.read_text("utf-8")]
