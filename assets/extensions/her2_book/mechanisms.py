"""The page of a mechanism, the list of all, and the coverage page: mechanism by review and by paragraph of a chapter.

Which paragraph treats a mechanism is said by the chapter itself: its metadata key ``her2`` has ``mechanisms``, a label
of the chapter for each mechanism that it treats. A mechanism in a table alone counts as not treated.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.util import logging

from . import evidence, pages
from .evidence import ByClass, Links, Listing, Row, facts, of, order, records, review, sentence, small, table

LOGGER = logging.getLogger(__name__)
#: Designs by the kind of knowledge that they give, in the order of what may be concluded from them.
KINDS = {
    "Randomised evidence": {"randomised"},
    "Clinical associations and single-arm trials": {"observational", "single-arm", "guideline", "label", "consensus"},
    "Preclinical findings": {"preclinical"},
}
POINTS = {"supports": "supports", "against": "speaks against", "neither": "does not decide", "mixed": "mixed"}
LEVELS = {
    "A": "A, validated in practice", "B": "B, clinical association", "C": "C, single cases", "D": "D, preclinical", "E": "E, inferred",
}  # fmt: skip


# --- which chapter treats what


def treated(env) -> dict[str, list[tuple[str, str, str]]]:
    """For each mechanism, the places that treat it: page, label, title of the chapter."""
    found = defaultdict(list)
    for docname in sorted(env.found_docs):
        head = pages.chapter_head(Path(env.doc2path(docname)))
        for key, label in head.get("mechanisms", {}).items():
            found[key].append((docname, label, head["title"]))
    return found


def check_labels(app, env):
    """A chapter that names an unknown mechanism or label says so at build time."""
    known = records("mechanisms")
    labels = env.get_domain("std").anonlabels
    for key, places in treated(env).items():
        for docname, label, _ in places:
            if key not in known:
                LOGGER.warning("metadata 'mechanisms' names %r, which is no verified row of the table", key, location=docname)
            if labels.get(label, ("",))[0] != docname:
                LOGGER.warning("metadata 'mechanisms' of %r names the label %r, which the chapter lacks", key, label, location=docname)


def places(links: Links, key: str) -> str:
    """Links to the paragraphs that treat a mechanism; empty where none does."""
    out = []
    for docname, label, title in treated(links._builder.env).get(key, []):
        href = links.page(docname, label)
        out.append(f'<a href="{href}">{escape(title)}</a>' if href else escape(title))
    return ", ".join(out)


# --- one mechanism


def mechanism_page(links: Links, key: str) -> Iterator[tuple[str, str, str]]:
    """Sections of a mechanism's page: anchor, title, HTML."""
    row = records("mechanisms")[key]
    genes = {gene["symbol"]: gene for gene in review.rows("genes")}
    reviews = {r["label"]: r for r in review.rows("reviews")}
    symbols = "<ul>" + "".join(f"<li>{links.gene(symbol)}" + (f": {escape(genes[symbol]['name'])}" if symbol in genes else "") + "</li>" for symbol in review.split(row["genes"])) + "</ul>"
    rows, markers, drugs = (of(name, "mechanism", key) for name in ("mechanism_evidence", "biomarkers", "mechanism_agents"))
    affected = [r for r in drugs if r["relation"] != "counter-strategy"]
    answers = [r for r in drugs if r["relation"] == "counter-strategy"]
    counts = [(len(rows), "finding", "findings"), (len(markers), "marker measured in patients", "biomarkers"), (len(affected), "observation by drug", "drugs"), (len(answers), "attempt against it", "answers")]
    held = "; ".join(f'<a href="#{anchor}">{count} {plural(what, count)}</a>' for count, what, anchor in counts if count)
    pairs = [
        ("Class", links.group(row["class"])),
        ("Kind", escape(row["kind"])),
        ("Seen", escape(evidence.ORIGINS[row["origin"]])),
        ("Level of evidence", escape(LEVELS[row["level"]])),
        ("Genes", symbols if row["genes"] else ""),
        ("Named in reviews", ", ".join(links.source(reviews[label]["reference"]) for label in review.split(row["named_in"])) or "none of the five"),
        ("Treated in", places(links, key) or "no chapter yet"),
        ("This page holds", held),
        ("Note", links.prose(row["note"])),
        ("Evidence", links.source(row["reference"]) + small(escape(row["read_in"]), evidence.checked(row))),
    ]
    yield "what", "What it is", facts(pairs)
    findings = "".join(finding_table(links, title, [r for r in rows if r["level"] in levels]) for title, levels in KINDS.items())
    if findings:
        yield "findings", "Findings", findings
    if markers:
        markers.sort(key=lambda r: ("predictive" not in r["role"], r["role"] != "prognostic", r["id"]))
        yield "biomarkers", "Measured in patients", table("Markers of this mechanism, measured in patients", ["Study", "Marker", "Figures", "Finding", "Read"], [marker_cells(links, r) for r in markers], [r["id"] for r in markers])
    if affected:
        yield "drugs", "Drugs that it affects", table("By drug: what was observed, on what evidence", ["Drug", "Observed", "Finding", "Study", "Evidence"], [drug_cells(links, r) for r in affected], [f"drug-{r['id']}" for r in affected])
    if answers:
        cells = [[links.record("agents", r["agent"]), links.prose(sentence(r["fate"])), links.prose(r["finding"]) + small(links.prose(r["note"])), escape(r["design"]), evidence.evidence(links, r)] for r in answers]
        yield "answers", "What was tried against it", table("Counter-strategies with their present fate", ["Drug", "Present fate", "Finding", "Study", "Evidence"], cells, [f"drug-{r['id']}" for r in answers])


def finding_table(links: Links, title: str, rows: list[Row]) -> str:
    if not rows:
        return ""
    designs = order("mechanism_evidence", "design")
    rows = sorted(rows, key=lambda r: (designs.index(r["design"]), r["id"]))
    cells = [[study(links, r), links.prose(sentence(r["finding"])) + small(links.prose(r["note"])), escape(figures(r)) + small(size(r)), POINTS[r["direction"]], read(r)] for r in rows]
    return table(title, ["Study", "Finding", "Figures", "Is it resistance?", "Read"], cells, [r["id"] for r in rows])


def study(links: Links, row: Row) -> str:
    """The head of a finding's line: who, what kind of study, in whom."""
    return links.source(row["reference"]) + small(escape(row["design"]), role(row), links.prose(row["setting"]), escape(row["treatment"]))


def read(row: Row) -> str:
    """What was read of a finding's source, and when."""
    return small(escape(row["level"]), escape(row["read_in"]), evidence.checked(row))


def figures(row: Row) -> str:
    """Values with and without the marker, and the effect, in words."""
    unit = {"%": "%", "none": "", "": ""}.get(row["unit"], f" {row['unit']}")
    both = bool(row["value_with"] and row["value_without"])
    values = [f"{row[f'value_{which}']}{unit}" + (f" {which}" if both or which == "without" else "") for which in ("with", "without") if row[f"value_{which}"]]
    parts = [", ".join(values), review.effect(row)]
    if not row["effect"] and (row["ci_low"] or row["ci_high"]):
        parts[0] += f" ({row['ci_level']}% CI {row['ci_low'] or '?'} to {row['ci_high'] or '?'})"
    if row.get("interaction_p"):
        parts.append(f"interaction p {row['interaction_p']}")
    found = [part for part in parts if part]
    return "; ".join(filter(None, [row["endpoint"], *(found or ["no figure read"])]))


def plural(what: str, count: int) -> str:
    """'finding' or 'findings', 'attempts against it'."""
    first, _, rest = what.partition(" ")
    return what if count == 1 else " ".join(filter(None, [first + "s", rest]))


def size(row: Row) -> str:
    return f"n = {int(row['n']):,}" if row["n"] else ""


def role(row: Row) -> str:
    return "" if row["role"] == "not applicable" else escape(row["role"])


def marker_cells(links: Links, row: Row) -> list[str]:
    trial = links.record("trials", row["trial"]) if row["trial"] else ""
    return [
        study(links, row),
        escape(sentence(row["marker"])) + small(escape(row["assay"]), escape(row["contrast"]), trial),
        escape(figures(row)) + small(size(row)),
        links.prose(sentence(row["finding"])) + small(f"Against it: {links.prose(row['conflict'])}" if row["conflict"] else "", links.prose(row["note"])),
        read(row),
    ]


def markers_of_trial(links: Links, key: str) -> Iterator[tuple[str, str, str]]:
    """Section of a trial's page: markers that were measured in it."""
    rows = of("biomarkers", "trial", key)
    if rows:
        cells = [[(links.record("mechanisms", r["mechanism"]) if r["mechanism"] else escape(sentence(r["marker"]))) + small(role(r), escape(r["treatment"])), *marker_cells(links, r)[1:4], evidence.evidence(links, r)] for r in rows]
        yield "biomarkers", "Markers measured in it", table("Markers measured in this trial", ["What it reads", "Marker", "Figures", "Finding", "Evidence"], cells, [r["id"] for r in rows])


@cache
def informed() -> dict[str, dict[str, list[str]]]:
    """For each trial, the mechanisms whose findings or attempts name it, with those findings."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name in ("mechanism_evidence", "mechanism_agents"):
        for row in review.rows(name):
            text = " ".join(row.get(column, "") for column in ("finding", "note", "setting", "fate"))
            named = {evidence.lexicon().get(word, ("", "")) for word in evidence.TOKEN.findall(text)}
            for key in (key for kind, key in named if kind == "trials"):
                found[key][row["mechanism"]].append(row["finding"])
    return found


def informs(links: Links, key: str) -> Iterator[tuple[str, str, str]]:
    """Section of a trial's page: mechanisms whose findings or attempts name it."""
    found = informed().get(key)
    if found:
        cells = [[links.record("mechanisms", mechanism), "<br>".join(escape(sentence(text)) for text in dict.fromkeys(texts))] for mechanism, texts in sorted(found.items())]
        yield "mechanisms", "Mechanisms that it informs", table("Mechanisms whose findings name this trial", ["Mechanism", "Findings"], cells)


def drug_cells(links: Links, row: Row) -> list[str]:
    return [
        links.record("agents", row["agent"]),
        escape(row["relation"]) + small(escape(row["endpoint"])),
        links.prose(sentence(row["finding"])) + small(links.prose(row["note"])),
        escape(row["design"]) + small(role(row)),
        evidence.evidence(links, row),
    ]


# --- lists


def list_mechanisms(links: Links, group: str) -> str:
    findings = Counter(r["mechanism"] for name in ("mechanism_evidence", "biomarkers") for r in review.rows(name))
    answers = Counter(r["mechanism"] for r in review.rows("mechanism_agents") if r["relation"] == "counter-strategy")
    rows = sorted((r for r in review.rows("mechanisms") if r["class"] == group), key=lambda r: r["name"].lower())
    cells = [[links.record("mechanisms", r["id"]) + small(escape(", ".join(review.split(r["genes"])))), escape(r["kind"]), escape(r["origin"]), escape(LEVELS[r["level"]]), str(findings[r["id"]]), str(answers[r["id"]])] for r in rows]
    return table(f"Mechanisms of the class: {group}", ["Mechanism", "Kind", "Origin", "Level", "Findings", "Answers tried"], cells, shown=False)


def list_coverage(links: Links, group: str) -> str:
    """One class: who names each mechanism, and which paragraph treats it."""
    reviews = {r["label"]: r["reference"] for r in review.rows("reviews")}
    rows = sorted((r for r in review.rows("mechanisms") if r["class"] == group), key=lambda r: r["name"].lower())
    cells = [[links.record("mechanisms", r["id"]), ", ".join(links.source(reviews[label]) for label in review.split(r["named_in"])), places(links, r["id"]) or "no chapter yet"] for r in rows]
    return table(f"Coverage of the class: {group}", ["Mechanism", "Named in", "Treated in"], cells, shown=False)


def list_reviews(links: Links, _: str) -> str:
    cells = [[escape(r["label"]), links.source(r["reference"]), escape(r["scope"]), str(sum(r["label"] in review.split(m["named_in"]) for m in review.rows("mechanisms")))] for r in review.rows("reviews")]
    return table("The five reviews", ["Short name", "Review", "What it covers", "Mechanisms named"], cells)


def list_untreated(links: Links, _: str) -> str:
    """How many mechanisms a chapter treats, and which are still without one."""
    done = treated(links._builder.env)
    rows = review.rows("mechanisms")
    missing = [r for r in rows if r["id"] not in done]
    text = f"<p>{len(rows) - len(missing)} of {len(rows)} mechanisms are treated by a paragraph of a chapter; {len(missing)} are still without one.</p>\n"
    counts = Counter(r["class"] for r in missing)
    groups = [f'<li><a href="#{nodes.make_id(f"coverage-{name}")}">{escape(sentence(name))}</a>: {counts[name]}</li>' for name in order("mechanisms", "class") if counts[name]]
    return text + (f"<p>Still without one, by class:</p>\n<ul>{''.join(groups)}</ul>\n" if groups else "")


#: What the overview of cell lines shows; the rest stands with each line.
OVERVIEW = {"HER2": "HER2", "subtype": "Subtype", "ER": "ER", "trastuzumab": "Trastuzumab", "lapatinib": "Lapatinib"}
LESIONS = ("PIK3CA", "PTEN", "TP53")


def list_overview(links: Links, _: str) -> str:
    """Every cell line at a glance: the states that sources give; where they differ, all of them."""
    states: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for r in review.rows("cell_line_findings"):
        if not r["subline"]:
            states[r["cell_line"], r["property"]][r["state"]] = None

    def cell(key: str, name: str) -> str:
        group = [*states[key, name]]
        return escape(" or ".join(group)) + small("sources differ" if len(group) > 1 else "")

    cells = []
    for line in sorted(review.rows("cell_lines"), key=lambda row: row["name"].lower()):
        lesions = "; ".join(f"{name} {' or '.join(states[line['id'], name])}" for name in LESIONS if states[line["id"], name])
        cells.append([f'<a href="#{nodes.make_id("cell-lines-" + line["id"])}">{escape(line["name"])}</a>', *(cell(line["id"], name) for name in OVERVIEW), escape(lesions)])
    return table("All lines at a glance; an empty cell was not read", ["Line", *OVERVIEW.values(), "Lesions read"], cells, kind="overview")


def list_cell_lines(links: Links, key: str) -> str:
    """One cell line: what each source says of each property; a property on which sources differ is marked."""
    line = records("cell_lines")[key]
    rows = of("cell_line_findings", "cell_line", key)
    properties = order("cell_line_findings", "property")
    pairs = [
        ("Origin", escape(sentence(line["origin"]))), ("Other spellings", escape(", ".join(review.split(line["aliases"])))), ("Cellosaurus", escape(line["cellosaurus"])),
        ("Same donor as", escape(", ".join(records("cell_lines")[k]["name"] for k in review.split(line["same_donor"]) if k in records("cell_lines")))),
        ("Often got wrong", escape(line["caution"])), ("Note", links.prose(line["note"])), ("Evidence", evidence.evidence(links, line)),
    ]  # fmt: skip
    states = defaultdict(set)
    for r in rows:
        if not r["subline"]:
            states[r["property"], r["agent"]].add(r["state"].lower())
    cells = []
    for r in sorted(rows, key=lambda r: (properties.index(r["property"]), r["agent"], r["id"])):
        what = links.record("agents", r["agent"]) if r["agent"] and r["property"] == "other drug" else escape(r["property"])
        conflict = "sources differ" if len(states[r["property"], r["agent"]]) > 1 and r["property"] not in {"other lesion", "subtype"} else ""
        number = f"{r['quantity'] + ' ' if r['quantity'] else ''}{r['value']} {r['unit']}".strip() if r["value"] else ""
        cells.append([what + small(escape(r["subline"])), escape(r["state"]) + small(escape(number), "" if r["subline"] else conflict), escape(sentence(r["finding"])) + small(links.prose(r["note"])), evidence.evidence(links, r)])
    return facts(pairs) + (table(f"What sources say of {line['name']}", ["Property", "State", "Finding", "Evidence"], cells, shown=False) if cells else "")


def list_genes(links: Links, _: str) -> str:
    used = defaultdict(list)
    for row in review.rows("mechanisms"):
        for symbol in review.split(row["genes"]):
            used[symbol].append(row["id"])
    rows = sorted(review.rows("genes"), key=lambda r: r["symbol"])

    def mechanisms(keys: list[str]) -> str:
        many = f'<a href="{links.page(f"{evidence.HOME}/mechanisms")}">{len(keys)} mechanisms</a>'
        return ", ".join(links.record("mechanisms", key) for key in keys) if len(keys) <= 6 else many

    cells = [[escape(r["symbol"]) + small(escape(", ".join(review.split(r["aliases"])))), escape(r["name"]), escape(r["locus"]), escape(sentence(r["role"])), mechanisms(used[r["symbol"]]), links.source(r["reference"])] for r in rows]
    out = table("Genes of the book", ["Symbol", "Name", "Locus", "Role here", "Mechanisms", "Source"], cells, [f"gene-{r['id']}" for r in rows], shown=False)
    known = {r["symbol"] for r in rows}
    missing = [[escape(symbol), mechanisms(keys)] for symbol, keys in sorted(used.items()) if symbol not in known]
    return out + (table("Named by mechanisms, record not read yet", ["Symbol", "Mechanisms"], missing) if missing else "")


evidence.SECTIONS["mechanisms"].append(mechanism_page)
evidence.SECTIONS["trials"] += [markers_of_trial, informs]
evidence.LISTINGS |= {
    "mechanisms": list_mechanisms, "coverage": list_coverage, "reviews": list_reviews, "untreated": list_untreated, "overview": list_overview, "cell-lines": list_cell_lines, "genes": list_genes,
}  # fmt: skip


class MechanismList(ByClass):
    """``{mechanism-list}``: every mechanism, by class."""

    kind = table = "mechanisms"


class Coverage(MechanismList):
    """``{coverage}``: every mechanism, by review and by the paragraph that treats it."""

    kind = "coverage"

    def run(self):
        evidence.note_notebooks(self.env)
        return [evidence.listing(kind="untreated", key=""), evidence.listing(kind="reviews", key=""), *super().run()]


class CellLines(Listing):
    """``{cell-line-list}``: every cell line, with what each source says."""

    kind = "cell-lines"

    def run(self):
        sections = super().run()
        entries = [("single", name, nodes.make_id(f"cell-lines-{row['id']}"), "", None) for row in review.rows("cell_lines") for name in [row["name"], *review.split(row["aliases"]), row["cellosaurus"]] if name]
        return [addnodes.index(entries=entries), evidence.listing(kind="overview", key=""), *sections]

    def groups(self):
        return [(row["id"], row["name"]) for row in sorted(review.rows("cell_lines"), key=lambda row: row["name"].lower())]


class Genes(Listing):
    """``{gene-list}``: every gene of the book."""

    kind = "genes"

    def run(self):
        super().run()  # notes what the list depends on
        entries = [("single", name, f"gene-{row['id']}", "", None) for row in review.rows("genes") for name in [row["symbol"], *review.split(row["aliases"])]]
        return [addnodes.index(entries=entries), evidence.listing(kind="genes", key="")]

    def groups(self):
        return []


def setup(app):
    for name, directive in {"mechanism-list": MechanismList, "coverage": Coverage, "cell-line-list": CellLines, "gene-list": Genes}.items():
        app.add_directive(name, directive)
    app.add_role("mechanism", evidence.RecordRole("mechanisms"))
    app.connect("env-check-consistency", check_labels)
