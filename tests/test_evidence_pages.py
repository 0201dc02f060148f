"""Pages that the tables write: a page a trial, a drug and a mechanism, coverage, data cards, the registers, and the list of what is due."""

import gzip
import json
import re
import subprocess
import sys
from collections import Counter
from datetime import date
from html import escape
from html.parser import HTMLParser

import browser
import her2
import pytest
import review
from axe_playwright_python.sync_playwright import Axe
from conftest import ROOT, SITE, chapters, read, slug
from her2_book import evidence

REFERENCE = "chapters/reference"
#: Weight of the HTML, raw and compressed; the largest record is trastuzumab. A register lists over a thousand claims on one page and states its own.
RECORD, INDEX, REGISTER = (220_000, 42_000), (250_000, 40_000), (750_000, 120_000)
RECORDS = [(kind, key) for kind in evidence.FOLDER for key in evidence.records(kind)]


class Page(HTMLParser):
    """Ids, headings, cells of heads and text of one page."""

    def __init__(self, name: str):
        super().__init__()
        self.text = (SITE / f"{name}.html").read_text("utf-8")
        self.ids, self.headings, self.heads, self.captions, self.meta = [], [], [], [], {}
        self.feed(self.text)

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        self.ids += [a["id"]] if a.get("id") else []
        self.headings += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []
        self.heads += [a] if tag == "th" else []
        self.captions += [a] if tag == "caption" else []
        if tag == "meta":
            self.meta[a.get("name") or a.get("property") or ""] = a.get("content", "")


@pytest.fixture(scope="module")
def pages(site):
    return {name: Page(name) for name in evidence.generated()}


@pytest.fixture(scope="module")
def search_index(site):
    text = (SITE / "searchindex.js").read_text("utf-8")
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


# --- a page a trial, a drug and a mechanism


def test_every_verified_record_has_a_page_and_no_other(site):
    found = {path.relative_to(SITE).with_suffix("").as_posix() for folder in evidence.FOLDER.values() for path in (SITE / folder).glob("*.html")}
    assert found == set(evidence.generated())
    assert len(found) == sum(len(her2.load(kind)) for kind in evidence.FOLDER)


def test_pages_are_light_and_well_formed(pages):
    for name, page in pages.items():
        assert len(page.text.encode()) <= RECORD[0] and len(gzip.compress(page.text.encode(), 6)) <= RECORD[1], name
        assert [one for one, count in Counter(page.ids).items() if count > 1] == [], name
        assert page.headings.count(1) <= 2 and all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False)), name
        assert all(head.get("scope") in {"col", "row"} for head in page.heads), name
        assert page.text.count("<table>") == len(page.captions), name
        assert 30 <= len(page.meta["description"]) <= 400, name
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", page.meta["evidence-date"]), name
        assert page.meta["og:title"] and page.meta["og:image:alt"], name


def test_every_verified_result_stands_on_its_trials_page_and_no_other(pages):
    results = her2.load("trial_results", unverified=True)
    for row in results.itertuples():
        page = pages.get(f"{evidence.FOLDER['trials']}/{row.trial}")
        shown = page is not None and row.id in page.ids
        assert shown == (row.verification == "verified"), row.id


def test_figures_are_printed_as_the_tables_have_them(pages):
    for row in review.rows("trial_results"):
        text = pages[f"{evidence.FOLDER['trials']}/{row['trial']}"].text
        piece = text[text.index(f'<tr id="{row["id"]}">') :].partition("</tr>")[0]
        for column in ("hazard_ratio", "effect", "ci_low", "ci_high", "p_value", "experimental_value", "control_value", "n_experimental", "median_followup", "checked_on"):
            assert row[column] in piece, f"{row['id']}: {column}"


@pytest.mark.parametrize("name", ["mechanism_evidence", "biomarkers"])
def test_every_verified_finding_stands_on_its_mechanisms_page_as_the_table_has_it(pages, name):
    for row in review.rows(name):
        if row["mechanism"]:
            text = pages[f"{evidence.FOLDER['mechanisms']}/{row['mechanism']}"].text
            piece = text[text.index(f'<tr id="{row["id"]}">') :].partition("</tr>")[0]
            for column in ("effect", "ci_low", "ci_high", "p_value", "value_with", "value_without", "checked_on"):
                assert row[column] in piece, f"{row['id']}: {column}"


def test_a_mechanisms_page_says_what_became_of_each_answer(pages):
    for row in review.rows("mechanism_agents"):
        text = pages[f"{evidence.FOLDER['mechanisms']}/{row['mechanism']}"].text
        piece = text[text.index(f'<tr id="drug-{row["id"]}">') :].partition("</tr>")[0]
        assert row["agent"] in piece, row["id"]
        words = re.sub("<[^>]+>", "", piece)
        # Keys of sources are printed as author and year: the words between them are printed as they are.
        between = evidence.TOKEN.sub(lambda found: "\0" if evidence.lexicon().get(found[0], ("",))[0] == "source" else found[0], evidence.sentence(row["fate"]))
        assert all(escape(part) in words for part in between.split("\0")), row["id"]


def test_every_source_of_a_page_is_listed_with_its_address(pages):
    for name, page in pages.items():
        cited = set(re.findall(r'href="#(source-[^"]+)"', page.text))
        assert cited and cited <= set(page.ids), name


# --- search


@pytest.mark.parametrize("kind", evidence.FOLDER)
def test_every_name_is_in_the_search_index(search_index, kind):
    documents = search_index["docnames"]
    for key, row in evidence.records(kind).items():
        for name in [row["name"], *evidence.names(kind, row)]:
            entries = search_index["indexentries"].get(name.replace(";", ",").lower(), [])
            assert f"{evidence.FOLDER[kind]}/{key}" in {documents[entry[0]] for entry in entries}, name


# --- lists, cards, register


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("trials", INDEX), ("agents", INDEX), ("mechanisms", INDEX), ("coverage", INDEX), ("genes", INDEX), ("cell-lines", REGISTER),
        ("data-cards", INDEX), ("evidence-register", REGISTER), ("biology-register", REGISTER),
    ],
)  # fmt: skip
def test_lists_stay_within_their_weight(site, name, limit):
    page = Page(f"{REFERENCE}/{name}")
    assert len(page.text.encode()) <= limit[0]
    assert len(gzip.compress(page.text.encode(), 6)) <= limit[1]
    assert [one for one, count in Counter(page.ids).items() if count > 1] == []


@pytest.mark.parametrize("kind", evidence.FOLDER)
def test_lists_name_every_record(site, kind):
    text = Page(f"{REFERENCE}/{kind}").text
    assert [key for key in evidence.records(kind) if f'href="{kind}/{key}.html"' not in text] == []


def test_a_role_links_to_its_record(site):
    assert re.search(r'href="trials/katherine\.html"[^>]*>KATHERINE<', (SITE / REFERENCE / "trials.html").read_text("utf-8"))


def test_an_unknown_record_gets_the_nearest_known_ones(tmp_path):
    (tmp_path / "index.md").write_text("# A page\n\n{trial}`katherin` and {agent}`tucatinb` and {agent}`tucatinib`\n", "utf-8")
    (tmp_path / "conf.py").write_text("extensions = ['myst_parser', 'her2_book.evidence']\n", "utf-8")
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from sphinx.cmd.build import main; sys.exit(main(sys.argv[1:]))"
    run = subprocess.run([sys.executable, "-c", code, str(ROOT / "assets" / "extensions"), "-b", "dummy", "-q", str(tmp_path), str(tmp_path / "out")], capture_output=True, text=True)
    assert "'katherin'" in run.stderr and "katherine" in run.stderr.replace("'katherin'", "")
    assert "did you mean tucatinib" in run.stderr
    assert run.stderr.count("WARNING") == 2, run.stderr


def test_each_table_has_a_card(site):
    page = Page(f"{REFERENCE}/data-cards")
    for name in her2.table_names():
        entry = her2.tables.resource(name)
        card = page.text[page.text.index(f'id="card-{name.replace("_", "-")}"') :].partition("</details>")[0]
        assert f"{len(her2.load(name, unverified=True)):,}" in card
        assert "Creative Commons" in card and "Last check" in card
        assert all(f"<code>{field['name']}</code>" in card for field in entry["schema"]["fields"]), name
        second = entry.get("second_check") or {}
        if second.get("figures_compared"):
            assert f"{second['disagreed']:,} of {second['figures_compared']:,} figures" in card, name


def test_the_registers_list_every_claim(site):
    count = sum(Page(f"{REFERENCE}/{name}").text.count('<th scope="row">') for name in ("evidence-register", "biology-register"))
    assert count == len(review.claims()) + len(review.INTERVALS)
    tables = Counter(claim.table for claim in review.claims())
    whole = ("approvals", "label_actions", "recommendations", "trial_results", "patient_reported", "mechanism_agents", "mechanism_evidence", "biomarkers", "variant_sensitivity", "pharmacokinetics")
    for name in whole:
        assert tables[name] == len(her2.load(name)), name
    assert tables["cell_line_findings"] == (her2.load("cell_line_findings")["property"].isin(["trastuzumab", "lapatinib", "other drug"])).sum()


# --- coverage


def treated() -> list[tuple[str, str, str]]:
    """Mechanism, page and label, as the chapters' own metadata have them."""
    found = []
    for path in chapters():
        head = read(path).metadata["her2"]
        found += [(key, slug(path), label) for key, label in head.get("mechanisms", {}).items()]
    return found


def test_some_chapter_treats_some_mechanism():
    assert len(treated()) >= 10


@pytest.mark.parametrize(("key", "name", "label"), treated(), ids=str)
def test_the_paragraph_that_treats_a_mechanism_names_it(site, key, name, label):
    text = (SITE / "chapters" / f"{name}.html").read_text("utf-8")
    part = text[text.index(f'id="{label}"') :]
    part = re.split(r'<h2|<span id="|<p id="|<div class="cell', part[len(label) + 5 :], maxsplit=1)[0]
    words = re.sub("<[^>]+>", " ", part).lower()
    row = evidence.records("mechanisms")[key]
    names = {word for name in [row["name"], *evidence.names("mechanisms", row)] for word in re.findall(r"[a-z0-9]{4,}", name.lower())} - {"her2", "mutations", "mutation", "receptor", "under", "therapy", "other", "within"}
    assert any(word in words for word in names) or row["name"].lower().split()[0] in words, f"{sorted(names)} in {words[:300]!r}"


def test_coverage_links_each_treated_mechanism_to_its_paragraph_and_counts_the_rest(site):
    text = Page(f"{REFERENCE}/coverage").text
    for key, name, label in treated():
        line = text[text.rindex(f'href="mechanisms/{key}.html"') :].partition("</tr>")[0]
        assert f'href="../{name}.html#{label}"' in line, key
    known, done = set(evidence.records("mechanisms")), {key for key, *_ in treated()}
    assert f"{len(known & done)} of {len(known)} mechanisms" in text
    assert text.count("<td>no chapter yet</td>") == len(known - done)


def test_a_chapter_that_names_an_unknown_mechanism_or_label_is_told(tmp_path):
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}, "her2": {"title": "T", "mechanisms": {"no-such": "here", "p95her2": "not-here"}}}
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# T\n\n(here)=\nText."}
    (tmp_path / "index.ipynb").write_text(json.dumps({"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}), "utf-8")
    (tmp_path / "conf.py").write_text("extensions = ['myst_nb', 'her2_book.mechanisms', 'her2_book.evidence']\nnb_execution_mode = 'off'\n", "utf-8")
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from sphinx.cmd.build import main; sys.exit(main(sys.argv[1:]))"
    run = subprocess.run([sys.executable, "-c", code, str(ROOT / "assets" / "extensions"), "-b", "dummy", "-q", str(tmp_path), str(tmp_path / "out")], capture_output=True, text=True)
    assert "'no-such', which is no verified row" in run.stderr and "'not-here', which the chapter lacks" in run.stderr, run.stderr


# --- what is due


@pytest.mark.parametrize(
    ("table", "row", "day"),
    [
        ("approvals", {"checked_on": "2026-08-31", "second_checked_on": ""}, "2027-02-28"),
        ("approvals", {"checked_on": "2026-06-15", "second_checked_on": "2026-07-01"}, "2027-01-01"),
        ("trial_results", {"checked_on": "2026-11-21", "second_checked_on": "", "analysis": "final"}, "2028-11-21"),
        ("trial_results", {"checked_on": "2024-02-29", "second_checked_on": "", "analysis": "primary"}, "2025-02-28"),
    ],
)
def test_a_claim_is_due_after_its_interval(table, row, day):
    assert review.due(table, row) == day


def listed(on: str) -> list[str]:
    run = subprocess.run([sys.executable, str(ROOT / "assets" / "tools" / "review.py"), "--on", on], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_the_list_of_what_is_due_grows_and_never_fails():
    first = min(claim.due for claim in review.claims())
    before = date.fromordinal(date.fromisoformat(first).toordinal() - 1).isoformat()
    assert len(listed(before)) == 1 and listed(before)[0].startswith("0 of ")
    assert 1 < len(listed(first)) <= len(listed("2099-12-31")) == len(review.claims()) + 1


def test_every_kind_of_claim_has_its_interval_and_a_reason():
    assert all(months > 0 and len(reason) > 15 for months, reason in review.INTERVALS.values())
    assert all(claim.due > claim.checked_on for claim in review.claims())


# --- in a browser


def extremes() -> list[str]:
    """The largest and the smallest page of each kind."""
    found = []
    for folder in evidence.FOLDER.values():
        by_size = sorted((SITE / folder).glob("*.html"), key=lambda path: (path.stat().st_size, path.name))
        found += [path.relative_to(SITE).as_posix() for path in (by_size[0], by_size[-1])] if by_size else []
    return found


@pytest.mark.parametrize("size", [(1280, 900), (375, 720)], ids=["desktop", "phone"])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_largest_and_smallest_pages(chromium, served, mode, size):
    for name in extremes():
        context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=mode)
        page = context.new_page()
        watch = browser.Watch(page, served, SITE)
        page.goto(served + name)
        page.wait_for_load_state("networkidle")
        assert watch.others == [] and watch.errors == [], name
        assert watch.weight <= 180 * 1024, f"{name}: {watch.weight / 1024:.0f} KB"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in Axe().run(page).response["violations"]] == [], name
        context.close()


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("T-DXd", "agents/trastuzumab-deruxtecan"), ("Enhertu", "agents/trastuzumab-deruxtecan"), ("DS-8201", "agents/trastuzumab-deruxtecan"),
        ("Kadcyla", "agents/trastuzumab-emtansine"), ("KATHERINE", "trials/katherine"), ("NCT03529110", "trials/destiny-breast03"), ("BIG 4-11", "trials/aphinity"),
        ("611-CTF", "mechanisms/p95her2"), ("truncated HER2", "mechanisms/p95her2"),
    ],
)  # fmt: skip
def test_search_finds_a_record_by_any_name_first(chromium, served, query, page):
    window = chromium.new_page()
    window.goto(f"{served}search.html?q={query.replace(' ', '+')}")
    window.wait_for_selector("#search-results li a")
    assert window.locator("#search-results li a").first.get_attribute("href").startswith(f"{REFERENCE}/{page}.html")
    window.close()
