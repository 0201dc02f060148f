"""Citations straight from the references table: a role, the list at a page's end, and the page of all sources.

sphinxcontrib-bibtex would need a copy of the table and gives one list a book: a source cited on two pages
with lists of their own is a duplicate to it, and its footnotes are not those of MyST.
"""

import unicodedata
from difflib import get_close_matches
from functools import cache

import her2
import pandas as pd
from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

#: What stands in the table where a source was read without its authors' names.
UNREAD = "{Authors not read}"
LOGGER = logging.getLogger(__name__)


@cache
def references() -> dict[str, object]:
    """Rows of the references table by key."""
    return {row.id: row for row in her2.load("references").itertuples()}


def address(row) -> str:
    """Where a reader finds a source: its DOI, else PubMed, the registry, its own page; empty where none is known."""
    known = {"doi": "https://doi.org/", "pmid": "https://pubmed.ncbi.nlm.nih.gov/", "nct": "https://clinicaltrials.gov/study/", "url": ""}
    return next((start + value for column, start in known.items() if isinstance(value := getattr(row, column), str)), "")


def _plain(row) -> tuple[str, str]:
    """Names, or the title's first words where no author was read; and the year."""
    year = "year not read" if pd.isna(row.year) else str(row.year)
    if row.authors == UNREAD:
        return f"“{' '.join(row.title.strip('[]').split()[:4])} …”", year
    names = [name.strip("{} ").split(",")[0] for name in row.authors.split(" and ") if name != "others"]
    many = "and others" in row.authors or len(names) > 2
    return f"{names[0]}{' et al.' if many else ' and ' + names[1] if len(names) == 2 else ''}", year


@cache
def _letters() -> dict[str, str]:
    """A letter for each source whose authors and year are those of another: 2012a, 2012b, in the order of their keys."""
    groups: dict[tuple[str, str], list[str]] = {}
    for key, row in sorted(references().items()):
        groups.setdefault(_plain(row), []).append(key)
    return {key: chr(ord("a") + place) for keys in groups.values() if len(keys) > 1 for place, key in enumerate(keys)}


def short(row) -> str:
    """Author and year as a text cites them: 'Wolff et al., 2018'; the title's first words where no author was read."""
    name, year = _plain(row)
    letter = _letters().get(row.id, "")
    return f"{name}, {year}{(' ' if letter and not year.isdigit() else '') + letter}"


def full(row) -> nodes.paragraph:
    """A source as lists print it: authors, year, title, place, link."""
    authors = "" if row.authors == UNREAD else row.authors.replace("{", "").replace("}", "").replace(" and others", " et al.").replace(" and ", "; ")
    place = ", ".join(str(part) for part in (row.container, row.volume, row.pages) if isinstance(part, str))
    year = short(row).rsplit(", ", 1)[1]
    start = f"{authors.rstrip('.')} ({year}). {row.title.rstrip('.')}." if authors else f"{row.title.rstrip('.')} ({year})."
    paragraph = nodes.paragraph("", f"{start} {place}{'. ' if place else ''}")
    link = address(row)
    if link:
        paragraph += nodes.reference("", link.removeprefix("https://").removeprefix("www."), refuri=link, internal=False)
    return paragraph


class Cite(SphinxRole):
    """``{cite}`wolff2018,wolff2023```: author and year in brackets, linked to the list at the page's end."""

    def run(self):
        out = []
        for key in (part.strip() for part in self.text.split(",")):
            row = references().get(key)
            if row is None:
                near = get_close_matches(key, references(), n=3)
                hint = f"; did you mean {' or '.join(near)}?" if near else ""
                LOGGER.warning("no reference %r in the table%s", key, hint, location=self.get_location())
                continue
            out.append(nodes.Text("; " if out else "["))
            out.append(nodes.reference("", short(row), refid=f"cite-{key}", internal=True, classes=["citation-link"], citation=key))
        return [*out, nodes.Text("]")] if out else [], []


class cited_sources(nodes.General, nodes.Element):
    """Place of the list of what a page cites; filled once the page is read."""


class CitedSources(SphinxDirective):
    """``{cited-sources}``: every source that the page cites, in alphabetical order."""

    def run(self):
        return [cited_sources()]


def fill(app, doctree):
    keys = {node["citation"] for node in doctree.findall(nodes.reference) if "citation" in node}
    places = list(doctree.findall(cited_sources))
    if keys and not places:
        LOGGER.warning("the page cites sources but has no {cited-sources} list", location=app.env.docname)
    for place in places:
        rows = sorted((references()[key] for key in keys), key=lambda row: (row.authors.strip("{").lower(), str(row.year), row.id))
        place.replace_self(nodes.bullet_list("", *(nodes.list_item("", full(row), ids=[f"cite-{row.id}"]) for row in rows), classes=["reference-list"]))


def uses() -> dict[str, dict[str, int]]:
    """For each reference, how many rows of which table rest on it."""
    counts: dict[str, dict[str, int]] = {}
    for name in her2.table_names():
        if name != "references":
            for key, number in her2.load(name, unverified=True)["reference"].value_counts().items():
                counts.setdefault(key, {})[name] = number
    return counts


class ReferenceList(SphinxDirective):
    """``{reference-list}``: every source of the book with its identifier and the rows that rest on it."""

    def run(self):
        self.env.note_dependency(str(her2.tables.package_root() / "tables" / "references.csv"))
        used, out, letter = uses(), [], ""
        for row in her2.load("references").sort_values(["authors", "year"], key=_sort_key).itertuples():
            first = _initial(row)
            if first != letter:
                letter = first
                section = nodes.section(ids=[nodes.make_id(f"letter-{letter}")], names=[nodes.make_id(f"letter-{letter}")])
                section += [nodes.title("", letter), nodes.bullet_list(classes=["reference-list"])]
                out.append(section)
            paragraph = full(row)
            where = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in used.get(row.id, {}).items())
            paragraph += nodes.inline("", f" Rows: {where}.", classes=["reference-uses"])
            out[-1][-1] += nodes.list_item("", paragraph, ids=[f"source-{row.id}"])
        return out


def _initial(row) -> str:
    """Letter under which a source stands: that of its first author; those without a read author stand together."""
    if row.authors == UNREAD:
        return "Authors not read"
    plain = unicodedata.normalize("NFD", row.authors.strip("{").lstrip("'"))[:1].upper()
    return plain if plain.isascii() and plain.isalpha() else "Other"


def _sort_key(column: pd.Series) -> pd.Series:
    """Authors in the order of the alphabet, accents aside, those not read last."""
    if column.dtype != "str":
        return column
    plain = column.str.strip("{").str.normalize("NFD").str.replace(r"[\u0300-\u036f]", "", regex=True).str.lower()
    return plain.mask(column == UNREAD, "~")


def setup(app):
    app.add_role("cite", Cite())
    app.add_directive("cited-sources", CitedSources)
    app.add_directive("reference-list", ReferenceList)
    app.add_node(cited_sources)
    app.connect("doctree-read", fill, priority=100)
