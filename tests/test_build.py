"""The build command: one line of success, every fault named, and nothing half-written after a failure."""

import shutil
import subprocess
import sys

import pytest
from conftest import ROOT


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A book of one page with the real configuration, built once."""
    root = tmp_path_factory.mktemp("small")
    shutil.copy(ROOT / "_config.yml", root)
    shutil.copytree(ROOT / "assets", root / "assets", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "chapters" / "quizzes", root / "chapters" / "quizzes")
    (root / "_toc.yml").write_text("format: jb-book\nroot: index\n", "utf-8")
    (root / "index.md").write_text("# A small book\n\nOne page with a few words of text in it.\n", "utf-8")
    return root


def build(root):
    return subprocess.run([sys.executable, str(ROOT / "assets" / "tools" / "build.py"), "--root", str(root)], capture_output=True, text=True)


def test_success_says_where_the_site_is_and_failure_keeps_it(small):
    run = build(small)
    assert run.returncode == 0, run.stderr
    assert "_build/html/index.html" in run.stdout.splitlines()[-1]
    page = small / "_build" / "html" / "index.html"
    good = page.read_bytes()
    (small / "index.md").write_text("# A small book\n\nA term that nobody defined: {term}`no such thing`, and {cite}`nobody1999`.\n", "utf-8")
    run = build(small)
    assert run.returncode == 1
    assert "index.md" in run.stderr and "no such thing" in run.stderr and "nobody1999" in run.stderr
    assert page.read_bytes() == good, "the last good site stays"
    assert not (small / "_build" / "html.new").exists()


def test_an_unknown_chapter_gets_the_nearest_name():
    run = subprocess.run([sys.executable, str(ROOT / "assets" / "tools" / "refresh.py"), "biology/tasting"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 2
    assert "biology/testing" in run.stderr
