"""The built site: its pages, links, anchors, descriptions, weights, and what must not be in it."""

import gzip
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from conftest import ROOT, SITE, chapters, notebooks, read, slug, toc_files
from her2_book import evidence

EXTRA = {"search", "genindex"}
HTML_RAW = 250_000
REFERENCE_RAW = 750_000  # pages that list a whole table; tests/test_evidence_pages.py states their weight


class Page(HTMLParser):
    """Links, ids, images and meta data of one page."""

    def __init__(self, path: Path):
        super().__init__()
        self.path, self.links, self.ids, self.images, self.meta = path, [], [], [], {}
        self.text = path.read_text("utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        if a.get("id"):
            self.ids.append(a["id"])
        for key in ("href", "src"):
            if a.get(key):
                self.links.append(a[key])
        if tag == "img":
            self.images.append(a)
        if tag == "meta" and a.get("content"):
            self.meta[a.get("name") or a.get("property") or ""] = a["content"]


@cache
def pages() -> dict[str, Page]:
    return {path.relative_to(SITE).as_posix(): Page(path) for path in sorted(SITE.rglob("*.html")) if "_static" not in path.parts}


def book_pages() -> list[str]:
    return [f"{name}.html" for name in toc_files()]


def test_pages_are_exactly_those_of_the_contents(site):
    assert set(pages()) == {f"{name}.html" for name in [*toc_files(), *EXTRA, *evidence.generated()]}


def test_internal_links_and_anchors_resolve(site):
    broken = []
    for name, page in pages().items():
        for link in page.links:
            if urlsplit(link).scheme or link.startswith("//"):
                continue
            target, anchor = urldefrag(unquote(link))
            path = (SITE / name).parent / urlsplit(target).path if target else SITE / name
            path = path.resolve()
            if not path.is_file():
                broken.append(f"{name}: {link}")
            elif anchor and path.suffix == ".html" and anchor not in pages()[path.relative_to(SITE.resolve()).as_posix()].ids:
                broken.append(f"{name}: {link} (no such anchor)")
    assert not broken


@pytest.mark.parametrize("name", book_pages())
def test_ids_are_unique(site, name):
    ids = pages()[name].ids
    assert not {one for one in ids if ids.count(one) > 1}


@pytest.mark.parametrize("name", book_pages())
def test_title_description_and_share_image(site, name):
    meta = pages()[name].meta
    assert len(meta["og:title"]) > 3
    assert 30 <= len(meta["description"]) <= 400
    image = meta["og:image"]
    assert (SITE / urlsplit(image).path.split("_static/")[-1].join(["_static/", ""])).is_file() or (SITE / "_static" / Path(image).name).is_file()
    assert meta["og:image:alt"]


@pytest.mark.parametrize("name", book_pages())
def test_images_say_what_they_show(site, name):
    for image in pages()[name].images:
        alt = image.get("alt") or ""
        assert alt and len(alt) <= 250 and not re.fullmatch(r"[\w./-]+\.(svg|png)", alt), image


@pytest.mark.parametrize("name", book_pages())
def test_weight_of_the_html(site, name):
    assert len(pages()[name].text.encode()) <= (REFERENCE_RAW if "/reference/" in name else HTML_RAW)


@pytest.mark.parametrize("name", book_pages())
def test_nothing_comes_from_another_host(site, name):
    loaded = re.findall(r"<(?:script|img|iframe|source)[^>]*?src=\"(https?:[^\"]+)\"|<link[^>]*?rel=\"(?:stylesheet|preload)\"[^>]*?href=\"(https?:[^\"]+)\"", pages()[name].text)
    assert not loaded


def test_search_index_is_loaded_by_the_search_page_alone(site):
    assert [name for name, page in pages().items() if "searchindex.js" in page.text] == ["search.html"]


@pytest.mark.parametrize("path", chapters(), ids=slug)
def test_the_real_notebook_is_offered(site, path):
    page = pages()[path.relative_to(ROOT).with_suffix(".html").as_posix()]
    link = next(link for link in page.links if link.endswith(".ipynb") and not urlsplit(link).scheme)
    assert (page.path.parent / link).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", [path for path in notebooks() if "exercises" in path.parts], ids=slug)
def test_an_exercise_page_offers_the_student_copy(site, path):
    page = pages()[path.relative_to(ROOT).with_suffix(".html").as_posix()]
    link = next(link for link in page.links if link.endswith(".ipynb") and not urlsplit(link).scheme)
    assert (page.path.parent / link).read_bytes() == (ROOT / "assets" / "student" / path.name).read_bytes()
    assert not list(SITE.rglob("_sources")), "sources hold the solutions"


@pytest.mark.parametrize("path", chapters(), ids=slug)
def test_every_chart_has_picture_in_both_modes_and_its_data(site, path):
    text = pages()[path.relative_to(ROOT).with_suffix(".html").as_posix()].text
    charts = sum("application/vnd.vegalite.v5+json" in output.get("data", {}) for cell in read(path).cells for output in cell.get("outputs", []))
    assert charts == text.count('<figure class="chart"') == text.count('class="chart-data"')
    assert text.count("only-light") == text.count("only-dark") == charts


def test_pages_that_speak_of_treatment_say_that_they_are_no_advice(site):
    spoken = [name for name in book_pages() if name == "index.html" or "/therapies/" in name]
    assert all("not medical advice" in pages()[name].text for name in spoken)


@pytest.mark.parametrize("path", chapters(), ids=slug)
def test_evidence_date_and_last_change_are_shown(site, path):
    page = pages()[path.relative_to(ROOT).with_suffix(".html").as_posix()]
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", page.meta["evidence-date"])
    assert "Page last changed on" in page.text


def test_citations_end_in_an_identifier(site):
    """From a doubted number to its source in one step: each entry of the bibliography links somewhere, or says why not."""
    text = pages()["chapters/reference/bibliography.html"].text
    entries = re.findall(r'<li id="source-[^"]*">.*?</li>', text, re.S)
    assert entries
    without = [entry for entry in entries if "https://" not in entry]
    # Sources read without their DOI are completed over time: this share only falls.
    assert len(without) <= 0.34 * len(entries)


def test_icons_and_fonts_are_cut_to_use(site):
    fonts = {path.name: path.stat().st_size for path in SITE.rglob("*.woff2")}
    assert fonts and sum(fonts.values()) < 15_000, fonts


def test_every_icon_in_use_is_in_a_font(site):
    from fontTools.ttLib import TTFont
    from her2_book.icons import FONTS, used_codepoints

    drawn = set().union(*(TTFont(path).getBestCmap() or {} for path in (SITE / FONTS).glob("*.woff2")))
    used = used_codepoints(SITE)
    assert len(used) > 10
    assert used <= drawn


def test_chart_library_weighs_what_it_says(site):
    library = next((SITE / "_static").glob("vega-*.js"))
    assert len(gzip.compress(library.read_bytes(), 6)) <= 320_000
