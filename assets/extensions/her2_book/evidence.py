"""Pages that the tables write: one a trial, a drug and a mechanism, their indexes, the data cards, the evidence register.

A page a record has no source file: it is handed to the theme's template when the site is finished
(Sphinx's ``html-collect-pages``), and to the search index with each of its names as an entry, so
that an alias or a brand name finds it. Hundreds of source files would stand in every page's
contents and be read, parsed and stored on each build; these cost a few seconds.
"""

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from html import escape
from pathlib import Path
from urllib.parse import quote

import her2
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.utils import new_document
from her2 import network, tables
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import ReferenceRole, SphinxDirective

from . import bibliography, pages
from .repository import addresses

sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))
import review  # shared with 'make review'

HOME = "chapters/reference"
#: Where the page of a record lies: a stable address, made of the record's key.
FOLDER = {"trials": f"{HOME}/trials", "agents": f"{HOME}/agents", "mechanisms": f"{HOME}/mechanisms"}
BUILDERS = {"html", "dirhtml"}
LOGGER = logging.getLogger(__name__)
Row = dict[str, str]

SETTINGS = [
    "neoadjuvant", "neoadjuvant and adjuvant", "adjuvant", "extended adjuvant", "post-neoadjuvant", "metastatic first line", "metastatic maintenance",
    "metastatic second line", "metastatic later line", "metastatic any line", "brain metastases", "several",
]  # fmt: skip
UPPER_FIRST = {"trials": "Trials", "agents": "Drugs", "mechanisms": "Mechanisms"}
ORIGINS = {"de novo": "before treatment", "acquired": "under treatment", "both": "before and under treatment", "not known": "at a time that is not known"}
#: Columns that hold other names of a record, and those whose words the search knows.
NAMED = {"trials": ("aliases", "nct", "other_ids"), "agents": ("short_name", "brands", "aliases"), "mechanisms": ("aliases",)}
WORDS = {
    "trials": ("population", "arms", "primary_endpoint", "setting", "status_note"), "agents": ("class", "targets", "format", "payload", "linker", "answers"),
    "mechanisms": ("class", "kind", "genes", "summary"),
}
#: Words of the rows below a record that the search knows: table, column that names the record, columns of words.
DEEPER = {
    "trials": [("trial_results", "trial", ("endpoint",)), ("adverse_events", "trial", ("event",))],
    "agents": [("label_actions", "agent", ("finding", "action")), ("mechanism_agents", "agent", ("finding", "fate"))],
    "mechanisms": [("mechanism_evidence", "mechanism", ("finding", "setting", "treatment")), ("mechanism_agents", "mechanism", ("finding", "fate", "agent")), ("biomarkers", "mechanism", ("marker", "finding"))],
}  # fmt: skip


@cache
def records(table: str) -> dict[str, Row]:
    """Verified rows of a table by key."""
    return {row["id"]: row for row in review.rows(table)}


def of(table: str, column: str, key: str) -> list[Row]:
    """Verified rows whose column is, or lists, this key."""
    return [row for row in review.rows(table) if key in review.split(row[column])]


def generated() -> list[str]:
    """Names of all pages that have no source file, without their suffix."""
    return [f"{folder}/{key}" for table, folder in FOLDER.items() for key in records(table)]


def names(table: str, row: Row) -> list[str]:
    """Every other name of a record: a search for one of them must find its page."""
    found = [name for column in NAMED[table] for name in review.split(row[column])]
    return [name for name in dict.fromkeys(found) if name != row["name"]]


@cache
def unverified_names(table: str) -> dict[str, str]:
    """Names of the records that have no page because nothing about them could be verified."""
    frame = her2.load(table, unverified=True)
    return dict(frame.loc[frame["verification"] == "unverified", ["id", "name"]].itertuples(index=False))


def left_out(table: str, column: str, key: str) -> int:
    """How many rows about this record stay out because they could not be verified."""
    frame = her2.load(table, unverified=True)
    return int(((frame[column] == key) & (frame["verification"] == "unverified")).sum())


def sentence(text: str) -> str:
    """A cell of a table as a sentence begins; names such as 'p95HER2' or 'pCR' keep their letter."""
    first = text.split(" ", maxsplit=1)[0]
    return text[:1].upper() + text[1:] if first.islower() else text


# --- markup

TOKEN = re.compile(r"(?<![\w/.&-])[A-Za-z0-9][\w-]*[A-Za-z0-9](?![\w/-])")


@cache
def lexicon() -> dict[str, tuple[str, str]]:
    """Words in texts of the tables that name a record: keys of sources, names and registry numbers of trials, S1 to S5."""
    found = {key: ("source", key) for key in bibliography.references() if re.search(r"\d{4}|-", key)}
    for key, row in records("trials").items():
        for name in [row["name"], *names("trials", row)]:
            if re.fullmatch(r"[A-Z][A-Za-z]*[A-Z0-9][\w-]*[A-Za-z0-9]", name) and len(name) > 3:
                found.setdefault(name, ("trials", key))
    return found | {row["label"]: ("source", row["reference"]) for row in review.rows("reviews")}


class Links:
    """Addresses as one page sees them; where a builder has no such pages, the words stay without link."""

    def __init__(self, builder, docname: str, *, own_sources: bool = False):
        self._builder, self._docname, self._own_sources = builder, docname, own_sources
        self.used: list[str] = []

    def page(self, target: str, anchor: str = "") -> str:
        if self._builder.name not in BUILDERS:
            return ""
        return self._builder.get_relative_uri(self._docname, target) + (f"#{anchor}" if anchor else "")

    def record(self, table: str, key: str, text: str = "", anchor: str = "") -> str:
        row = records(table).get(key)
        words = escape(text or (row["name"] if row else f"{unverified_names(table).get(key, key)} (not verified)"))
        href = self.page(f"{FOLDER[table]}/{key}", anchor) if row else ""
        return f'<a href="{href}">{words}</a>' if href else words

    def gene(self, symbol: str) -> str:
        """A gene's symbol, linked to its line in the list of genes where it has one."""
        href = self.page(f"{HOME}/genes", f"gene-{symbol.lower()}") if symbol.lower() in records("genes") else ""
        return f'<a href="{href}">{escape(symbol)}</a>' if href else escape(symbol)

    def group(self, name: str) -> str:
        """A class of mechanisms, linked to its section in the list of mechanisms."""
        href = self.page(f"{HOME}/mechanisms", nodes.make_id(f"mechanisms-{name}"))
        return f'<a href="{href}">{escape(name)}</a>' if href else escape(name)

    def prose(self, text: str) -> str:
        """Words of a table for readers: keys of sources become author and year; trials and the five reviews, links."""
        seen: set[str] = set()

        def replace(found: re.Match) -> str:
            kind, key = lexicon().get(found[0], ("", ""))
            if not kind or (kind == "trials" and (key in seen or self._docname.endswith(f"/trials/{key}"))):
                return found[0]
            seen.add(key)
            return self.record("trials", key, found[0]) if kind == "trials" else self.source(key)

        return TOKEN.sub(replace, escape(text))

    def agents(self, keys: str | list[str]) -> str:
        return ", ".join(self.record("agents", key) for key in (review.split(keys) if isinstance(keys, str) else keys))

    def source(self, key: str) -> str:
        """Author and year, linked to the page's own list of sources, or to that of the book where it has none."""
        row = bibliography.references().get(key)
        if row is None:
            return escape(key)
        if key not in self.used:
            self.used.append(key)
        href = f"#source-{key}" if self._own_sources else self.page(f"{HOME}/bibliography", f"source-{key}")
        return f'<a href="{href}">{escape(bibliography.short(row))}</a>' if href else escape(bibliography.short(row))


def table(caption: str, head: list[str], rows: list[list[str]], ids: list[str] | None = None, *, shown: bool = True, kind: str = "") -> str:
    """An accessible table: caption, heads with their scope, in a box that a keyboard can scroll.

    Cells are HTML; the first of a row is its head.
    """
    name = escape(caption)
    out = [f'<div class="evidence-table{" " + kind if kind else ""}" role="region" aria-label="{name}" tabindex="0"><table>']
    out.append(f"<caption{'' if shown else ' class=visually-hidden'}>{name}</caption>")
    out.append("<thead><tr>" + "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head) + "</tr></thead><tbody>")
    for number, (first, *cells) in enumerate(rows):
        anchor = f' id="{ids[number]}"' if ids else ""
        out.append(f'<tr{anchor}><th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return "".join([*out, "</tbody></table></div>\n"])


def facts(pairs: list[tuple[str, str]]) -> str:
    """A list of named facts; empty ones are left out."""
    return '<dl class="evidence-facts">' + "\n".join(f"<dt>{name}</dt> <dd>{text}</dd>" for name, text in pairs if text) + "</dl>\n"


def small(*parts: str) -> str:
    """Lines of smaller print below the words of a cell."""
    return "".join(f"<small>{part}</small>" for part in parts if part)


def checked(row: Row) -> str:
    """When a row was read, and whether a second person has read it too."""
    again = row["second_checked_on"]
    return f"Read twice, on <time>{row['checked_on']}</time> and <time>{again}</time>" if again else f"Read once, on <time>{row['checked_on']}</time>"


def evidence(links: Links, row: Row) -> str:
    """The last cell of every table: source, level, what was read, checks."""
    level = escape(row["level"]) if "level" in row else ""
    return links.source(row["reference"]) + small(level, escape(row["read_in"]), checked(row))


# --- one trial


def trial_page(links: Links, key: str) -> Iterator[tuple[str, str, str]]:
    """Sections of a trial's page: anchor, title, HTML."""
    row = records("trials")[key]
    registry = f'<a href="https://clinicaltrials.gov/study/{row["nct"]}">{row["nct"]}</a>' if row["nct"] else ""
    pairs = [
        ("Population", escape(sentence(row["population"]))),
        ("Prior therapies", escape(sentence(row["prior_therapies"]))),
        ("HER2 status", escape(row["her2_status"])),
        ("Setting", escape(row["setting"])),
        ("Phase", escape(row["phase"])),
        ("Design", ("randomised" if row["randomised"] == "true" else "not randomised") + f"; masking: {escape(row['masking'])}"),
        ("Arms", "<ul>" + "".join(f"<li>{escape(sentence(arm))}</li>" for arm in review.split(row["arms"])) + "</ul>"),
        ("Enrolled", row["n_enrolled"] and f"{int(row['n_enrolled']):,} patients"),
        ("Primary endpoint", escape(sentence(row["primary_endpoint"]))),
        ("Time zero", escape(sentence(row["time_zero"]))),
        ("Status", escape(row["status"]) + (f": {escape(row['status_note'])}" if row["status_note"] else "")),
        ("Drugs under test", links.agents(row["agents"])),
        ("Registry", registry),
        ("Note", links.prose(row["note"])),
        ("Evidence", evidence(links, row)),
    ]
    yield "design", "Design", facts(pairs)
    yield from results_section(links, of("trial_results", "trial", key), left_out("trial_results", "trial", key))
    yield from harms_section(links, of("adverse_events", "trial", key), left_out("adverse_events", "trial", key))
    reported = of("patient_reported", "trial", key)
    if reported:
        yield "patient-reported", "What patients reported", table("Patient-reported outcomes", ["Instrument and endpoint", "Arms", "Figures", "Finding", "Evidence"], [reported_cells(links, r) for r in reported])
    rests = of("approvals", "basis_trial", key)
    if rests:
        cells = [[links.record("agents", r["agent"], anchor=r["id"]), *approval_cells(links, r)] for r in rests]
        yield "approvals", "Licences that rest on it", table("Licences that rest on this trial", ["Drug", "Authority and date", "Indication", "State", "Evidence"], cells)


def results_section(links: Links, rows: list[Row], unverified: int) -> Iterator[tuple[str, str, str]]:
    cuts = defaultdict(list)
    for row in rows:
        cuts[row["data_cut"]].append(row)
    out = []
    rank = ["primary", "final", "interim", "descriptive"]
    for cut in sorted(cuts, key=lambda cut: cut or "9"):
        cuts[cut].sort(key=lambda row: (rank.index(row["analysis"]), row["endpoint_family"] != "OS", row["id"]))
        caption = f"Results at the data cut of {cut}" if cut else "Results whose source names no data cut"
        out.append(table(caption, ["Endpoint and population", "Arms", "Comparison", "How it was judged", "Evidence"], [result_cells(links, row) for row in cuts[cut]], [row["id"] for row in cuts[cut]], kind="results"))
    if unverified:
        out.append(f"<p>{unverified} more results could not be verified and are left out.</p>\n".replace("1 more results", "One more result"))
    yield "results", "Results", "".join(out) or "<p>No result of this trial was read.</p>\n"


def result_cells(links: Links, row: Row) -> list[str]:
    def arm(role: str) -> str:
        count = row[f"n_{role}"] and f"{row[f'n_{role}']} patients"
        events = row[f"events_{role}"] and f"{row[f'events_{role}']} events"
        return escape(review.value(row, role)) + small(escape(row[f"{role}_arm"]), ", ".join(filter(None, (events, count))))

    at = f"at {row['timepoint']} months" if row["timepoint"] else ""
    statistic = {"none": "", "rate at timepoint": f"rate {at}"}.get(row["statistic"], f"{row['statistic']} {at}".strip())
    levels = f"with {row['value_ci_level']}% intervals" if row["value_ci_level"] else ""
    arms = arm("experimental") + (f'<span class="against">against</span>{arm("control")}' if row["control_arm"] else "")
    margin = f"margin of non-inferiority {row['ni_margin']}" if row["ni_margin"] else ""
    follow = f"median follow-up {row['median_followup']} months" if row["median_followup"] else ""
    judged = f"{row['analysis']} analysis"
    return [
        escape(sentence(row["endpoint"])) + small(statistic, escape(sentence(row["population"])), links.prose(row["note"])),
        arms + small(levels),
        escape(review.effect(row)) + small(escape(margin), {"met": "prespecified boundary met", "not met": "prespecified boundary not met"}.get(row["significance_met"], "no prespecified test")),
        escape(sentence(row["assessor"]) if row["assessor"] not in {"not stated", "not applicable"} else f"Assessor {row['assessor']}") + small(judged, follow),
        evidence(links, row),
    ]


def harms_section(links: Links, rows: list[Row], unverified: int) -> Iterator[tuple[str, str, str]]:
    cells = []
    order = ["any", "heart", "lung", "gut", "liver", "blood", "nerve", "skin", "infusion", "other"]
    for row in sorted(rows, key=lambda row: (order.index(row["organ"]), row["event"], row["grade"], row["arm_role"] != "experimental")):
        count = f"{row['n_events'] or '?'} of {row['n_patients']}" if row["n_patients"] else f"{row['n_events']} patients" if row["n_events"] else ""
        grade = {"any": "any grade", "serious": "serious", "leading to stop": "leading to stop"}.get(row["grade"], f"grade {row['grade']}")
        judged = "" if row["attribution"] == "not stated" else row["attribution"]
        cut = f"cut {row['data_cut']}" if row["data_cut"] else ""
        cells.append([
            escape(sentence(row["event"])) + small(links.prose(row["note"])), escape(grade), escape(row["arm"]), f"{row['percent']}%" + small(count),
            "; ".join(filter(None, (judged, "adjudicated" if row["adjudicated"] == "true" else "", cut))), evidence(links, row),
        ])  # fmt: skip
    out = table("Harms by event, grade and arm", ["Event", "Grade", "Arm", "Patients", "Counted", "Evidence"], cells) if cells else ""
    if unverified:
        out += f"<p>{unverified} more figures could not be verified and are left out.</p>\n".replace("1 more figures", "One more figure")
    if out:
        yield "harms", "Harms", out


def reported_cells(links: Links, row: Row) -> list[str]:
    arms = escape(row["experimental_arm"]) + (f'<span class="against">against</span>{escape(row["control_arm"])}' if row["control_arm"] else "")
    figures = review.arms(row)
    return [
        escape(row["instrument"]) + small(escape(sentence(row["endpoint"])), links.prose(row["note"])),
        arms + small(escape(row["population"])),
        escape(figures) + small(escape(review.effect(row))),
        links.prose(row["finding"]),
        evidence(links, row),
    ]


def approval_cells(links: Links, row: Row) -> list[str]:
    warning = f"boxed warning: {row['boxed_warning']}" if row["boxed_warning"] else ""
    state = f"{row['status']}{' on ' + row['status_on'] if row['status_on'] else ''}"
    return [
        escape(f"{row['agency']}, {row['date']}") + small(escape(row["jurisdiction"]), escape(row["type"]), escape(row["brand"])),
        escape(sentence(row["indication"])) + small(links.prose(row["note"])),
        escape(sentence(state)) + small(escape(warning)),
        evidence(links, row),
    ]


# --- one drug


def agent_page(links: Links, key: str) -> Iterator[tuple[str, str, str]]:
    """Sections of a drug's page: anchor, title, HTML."""
    row = records("agents")[key]
    pairs = [
        ("Class", escape(row["class"])), ("Targets", ", ".join(links.gene(symbol) for symbol in review.split(row["targets"]))), ("Epitope or site", escape(row["epitope"])),
        ("Format", escape(row["format"])), ("Payload", escape(row["payload"])), ("Linker", escape(row["linker"])),
        ("Drug-to-antibody ratio", row["dar"]), ("Binding", escape(row["reversibility"])), ("Brain", escape(sentence(row["brain_penetration"]))),
        ("Brand names", escape(", ".join(review.split(row["brands"])))),
        ("Stage", escape(row["stage"])), ("Classes of resistance that it addresses", ", ".join(links.group(name) for name in review.split(row["answers"]))), ("Note", links.prose(row["note"])),
        ("Evidence", evidence(links, row)),
    ]  # fmt: skip
    yield "kind", "What it is", facts(pairs)
    licences = sorted(of("approvals", "agent", key), key=lambda r: r["date"])
    if licences:
        cells = [[*(parts := approval_cells(links, r))[:1], links.record("trials", r["basis_trial"]) if r["basis_trial"] else "not named", *parts[1:]] for r in licences]
        yield "approvals", "Licences", table("Licences, oldest first", ["Authority and date", "Trial", "Indication", "State", "Evidence"], cells, [r["id"] for r in licences])
    actions = of("label_actions", "agent", key)
    if actions:
        cells = [[escape(sentence(r["topic"])), escape(sentence(r["finding"])), escape(sentence(r["action"])) + small(links.prose(r["note"])), escape(r["jurisdiction"]) + small(escape(r["label_version"])), evidence(links, r)] for r in actions]
        yield "label", "What the label says to do", table("Actions of the label, shortened for teaching", ["Action", "When", "What to do", "Label", "Evidence"], cells, [r["id"] for r in actions])
    trials = sorted(of("trials", "agents", key), key=lambda r: (SETTINGS.index(r["setting"]), r["name"]))
    if trials:
        counts = Counter(r["trial"] for r in review.rows("trial_results"))
        cells = [[links.record("trials", r["id"]), escape(r["setting"]), escape(r["phase"]), escape(sentence(r["population"])), escape(r["status"]), str(counts[r["id"]])] for r in trials]
        yield "trials", "Trials", table("Trials of this drug, with their results and harms", ["Trial", "Setting", "Phase", "Population", "Status", "Results"], cells)
    advice = of("recommendations", "agents", key)
    if advice:
        cells = [[escape(f"{r['body']}, {r['date']}"), escape(sentence(r["population"])), escape(r["recommendation"]) + small(links.prose(r["note"])), escape(" / ".join(filter(None, (r["strength"], r["evidence_grade"])))), evidence(links, r)] for r in advice]
        yield "guidelines", "Guidelines that name it", table("Recommendations, in our own words", ["Body and date", "For whom", "Recommendation", "Strength", "Evidence"], cells)
    known = of("mechanism_agents", "agent", key)
    if known:
        cells = [[links.record("mechanisms", r["mechanism"]), escape(r["relation"]), links.prose(r["finding"]) + small(links.prose(r["fate"]), links.prose(r["note"])), escape(r["design"]) + small("" if r["role"] == "not applicable" else escape(r["role"])), evidence(links, r)] for r in known]
        yield "mechanisms", "Resistance and sensitivity", table("Mechanisms that were studied with this drug", ["Mechanism", "Relation", "Finding", "Study", "Evidence"], cells)
    variants = {r["id"]: r["name"] for r in review.rows("variants")}
    tried = of("variant_sensitivity", "agent", key)
    if tried:
        cells = [[escape(variants.get(r["variant"], r["variant"])), escape(r["conclusion"]), escape(r["finding"]) + small(links.prose(r["note"])), escape(r["model"]) + small(escape(r["readout"])), evidence(links, r)] for r in tried]
        yield "variants", "Variants of ERBB2", table("Response of ERBB2 variants to this drug", ["Variant", "Conclusion", "Finding", "Model", "Evidence"], cells)
    measured = of("pharmacokinetics", "agent", key)
    if measured:
        cells = [[escape(sentence(r["parameter"])) + small(escape(r["symbol"])), escape(f"{r['value']} {r['unit']}".strip()) + small(f"{r['ci_level']}% CI {r['ci_low']} to {r['ci_high']}" if r["ci_low"] and r["ci_high"] else "", f"varies by {r['variability']}% between patients" if r["variability"] else ""), escape(r["model"]) + small(escape(r["structure"]), escape(r["regimen"])), escape(sentence(r["population"])) + small(f"n = {int(r['n']):,}" if r["n"] else "", links.prose(r["note"])), evidence(links, r)] for r in sorted(measured, key=lambda r: (r["model"], r["id"]))]
        yield "pharmacokinetics", "In the body", table("Pharmacokinetics: parameters of models and labels; those of different models are not to be mixed", ["Parameter", "Value", "Model", "Patients", "Evidence"], cells)


# --- the page around the sections


#: What writes the sections of a record's page, in order; mechanisms.py adds its own.
SECTIONS = {"trials": [trial_page], "agents": [agent_page], "mechanisms": []}


def sources(links: Links) -> tuple[str, str, str]:
    """The last section: every source that the page rests on, with its address."""
    known = bibliography.references()
    items = []
    for key in sorted(links.used, key=lambda key: (known[key].authors.strip("{").lower(), str(known[key].year), key)):
        text = "".join(f'<a href="{escape(node["refuri"])}">{escape(node.astext())}</a>' if isinstance(node, nodes.reference) else escape(node.astext()) for node in bibliography.full(known[key]).children)
        items.append(f'<li id="source-{key}">{text}</li>')
    return "sources", "Sources", f'<ul class="reference-list">{"".join(items)}</ul>\n'


def lead(kind: str, row: Row) -> str:
    """One sentence that says what a record is; it serves as the page's description too."""
    if kind == "mechanisms":
        return f"{row['name']}: {row['kind']}, class {row['class']}; seen {ORIGINS[row['origin']]}."
    if kind == "agents":
        return f"{row['name']}: {row['class']}, targets {', '.join(review.split(row['targets']))}; stage: {row['stage']}."
    design = "randomised" if row["randomised"] == "true" else "single-group"
    phase = "" if row["phase"] == "not applicable" else f" phase {row['phase']}"
    return f"{row['name']}:{phase} {design} trial, {row['setting']}; status: {row['status']}.".replace(":  ", ": ")


def build_page(builder, kind: str, key: str) -> dict:
    """What the theme's template needs for the page of one record."""
    docname, row = f"{FOLDER[kind]}/{key}", records(kind)[key]
    links = Links(builder, docname, own_sources=True)
    parts = [part for write in SECTIONS[kind] for part in write(links, key)]
    parts.append(sources(links))
    other = names(kind, row)
    text, title = lead(kind, row), escape(sentence(row["name"]))
    up = links.page(f"{HOME}/{kind}")
    body = [f'<nav class="evidence-up" aria-label="Up"><a href="{up}">{UPPER_FIRST[kind]}</a></nav>\n', f'<section id="{kind}-{key}"><h1>{title}</h1>\n']
    known = f"Also known as {escape(', '.join(other))}." if other else "No other name is known."
    body.append(f'<p id="names">{known}</p>\n<p>{escape(row["summary"] if kind == "mechanisms" else sentence(text.partition(": ")[2]))}</p>\n')
    body += [f'<section id="{anchor}"><h2>{heading}</h2>\n{html}</section>\n' for anchor, heading, html in parts]
    entries = "".join(f'<li><a class="reference internal" href="#{anchor}">{heading}</a></li>' for anchor, heading, _ in parts)
    dates = [r[c] for r in every_row(kind, key) for c in ("checked_on", "second_checked_on") if r[c]]
    holds = "findings, drugs affected, counter-strategies" if kind == "mechanisms" else "results, harms, licences"
    description = f"{text} Its {holds} and sources, each row with the date of its check."
    context = {
        "title": title, "body": "".join([*body, "</section>\n"]), "metatags": metatags(builder, docname, sentence(row["name"]), description),
        "toc": f'<ul><li><a href="#">{title}</a><ul>{entries}</ul></li></ul>', "evidence_date": max(dates), "medical_note": True, "reviewed_by": pages.REVIEWED_BY,
        "parents": [{"link": up, "title": UPPER_FIRST[kind]}],
    }  # fmt: skip
    repository = addresses()["repository"]
    if repository:
        context["issue_url"] = f"{repository}/issues/new?title={quote('Erratum: ' + row['name'])}&body={quote(f'Table: {kind}, row: {key}' + chr(10) * 2 + 'What is wrong, and the source that says so:' + chr(10))}"
    return context


def every_row(kind: str, key: str) -> list[Row]:
    """All verified rows that a record's page shows."""
    where = {"trials": {"trial_results": "trial", "adverse_events": "trial", "patient_reported": "trial", "approvals": "basis_trial", "biomarkers": "trial"},
             "mechanisms": {"mechanism_evidence": "mechanism", "mechanism_agents": "mechanism", "biomarkers": "mechanism"},
             "agents": {"approvals": "agent", "label_actions": "agent", "recommendations": "agents", "mechanism_agents": "agent", "variant_sensitivity": "agent", "pharmacokinetics": "agent"}}  # fmt: skip
    return [records(kind)[key], *(row for name, column in where[kind].items() for row in of(name, column, key))]


def metatags(builder, docname: str, title: str, description: str) -> str:
    """Description and share picture, as the book's other pages carry them."""
    config = builder.config
    site = (config.ogp_site_url or "").rstrip("/")
    image = f"{site}/{config.ogp_image}" if site else builder.get_relative_uri(docname, "index").rpartition("/")[0] + f"/{config.ogp_image}"
    pairs = {"og:title": title, "og:type": "website", "og:site_name": config.project, "og:description": description, "og:image": image, "og:image:alt": config.ogp_image_alt}
    if site:
        pairs["og:url"] = f"{site}/{docname}.html"
    tags = [f'<meta property="{name}" content="{escape(value)}" />' for name, value in pairs.items()]
    return "\n".join([*tags, f'<meta name="description" content="{escape(description)}" />'])


def index_entry(kind: str, key: str) -> nodes.document:
    """What the search knows of a record: its names as index entries, which rank first, then what its page is about."""
    row = records(kind)[key]
    document = new_document(key)
    top = nodes.section()  # without anchors, so that the several ways to find a page are one hit
    top += nodes.title("", sentence(row["name"]))
    other = names(kind, row)
    top += addnodes.index(entries=[("single", name.replace(";", ","), "", "main", None) for name in [row["name"], *other]])
    words = [", ".join(other), *(row[column].replace("|", ", ") for column in WORDS[kind])]
    words += [records("agents")[agent]["name"] for agent in review.split(row.get("agents", "")) if agent in records("agents")]
    for table, column, columns in DEEPER[kind]:
        words += dict.fromkeys(row[name] for row in of(table, column, key) for name in columns)
    top += nodes.paragraph("", ". ".join(filter(None, words)))
    document += top
    return document


def collect(app):
    """Hand each record's page to the theme, and its words to the search index."""
    builder = app.builder
    if builder.name not in BUILDERS:
        return
    wanted = generated()
    for folder in FOLDER.values():
        for file in Path(app.outdir, folder).glob("*.html"):
            if f"{folder}/{file.stem}" not in wanted:
                file.unlink()
    if builder.indexer is not None:
        prune = builder.indexer.prune  # it keeps pages with a source file only
        builder.indexer.prune = lambda docnames: prune([*docnames, *wanted])
    for kind, folder in FOLDER.items():
        for key, row in records(kind).items():
            docname = f"{folder}/{key}"
            if builder.indexer is not None:
                builder.indexer.feed(docname, f"{docname}.html", sentence(row["name"]), index_entry(kind, key))
            yield docname, build_page(builder, kind, key), "page.html"


# --- pages that list a table


class listing(nodes.General, nodes.Element):
    """Place of a table that the page's writer fills in: links depend on the builder."""


def visit_listing(self, node):
    links = Links(self.builder, self.builder.current_docname)
    self.body.append(LISTINGS[node["kind"]](links, node["key"]))
    raise nodes.SkipNode


def skip_listing(self, node):
    raise nodes.SkipNode


def list_trials(links: Links, setting: str) -> str:
    counts = Counter(row["trial"] for row in review.rows("trial_results"))
    rows = sorted((row for row in review.rows("trials") if row["setting"] == setting), key=lambda row: row["name"].lower())
    cells = [[links.record("trials", r["id"]) + small(escape(", ".join(n for n in names("trials", r) if n != r["nct"]))), escape(r["phase"]), links.agents(r["agents"]), escape(r["status"]), r["nct"], str(counts[r["id"]])] for r in rows]
    return table(f"{sentence(setting)}: trials", ["Trial", "Phase", "Drugs under test", "Status", "Registry", "Results"], cells, shown=False)


def list_agents(links: Links, kind: str) -> str:
    counts = Counter(agent for row in review.rows("trials") for agent in review.split(row["agents"]))
    rows = sorted((row for row in review.rows("agents") if row["class"] == kind), key=lambda row: row["name"].lower())
    cells = [[links.record("agents", r["id"]) + small(escape(", ".join(names("agents", r)))), escape(", ".join(review.split(r["targets"]))), escape(r["format"]), escape(r["stage"]), str(counts[r["id"]])] for r in rows]
    return table(f"Drugs of the class: {kind}", ["Drug", "Targets", "Format", "Stage", "Trials"], cells, shown=False)


def list_intervals(links: Links, part: str) -> str:
    counts = Counter((claim.table, next((row["analysis"] for row in [records(claim.table)[claim.id]] if "analysis" in row), "")) for claim in review.claims())
    cells = [[escape(tables.resource(name)["title"] + (f", {kind} analysis" if kind else "")), f"{months} months", str(counts[name, kind]), escape(sentence(reason))] for (name, kind), (months, reason) in review.INTERVALS.items() if (name in BIOLOGY) == (part == "biology")]
    return table("How often a claim is looked at again", ["Kind of claim", "Every", "Claims", "Reason"], cells)


def list_claims(links: Links, name: str) -> str:
    """The register's rows of one table; a trial or drug that carries several rows is named once."""
    out, last = [], None
    chosen = [claim for claim in review.claims() if claim.table == name]
    by_trial = name in {"trial_results", "adverse_events", "patient_reported"}
    group = {row["id"]: row["mechanism"] for row in review.rows(name)} if name in BY_MECHANISM else {}
    chosen.sort(key=lambda claim: (claim.trial if by_trial else group[claim.id] if group else claim.agents[0] if claim.agents else "", claim.id))
    anchors = {"trial_results": lambda claim: claim.id, "adverse_events": lambda _: "harms", "patient_reported": lambda _: "patient-reported"}
    title = tables.resource(name)["title"]
    out.append(f'<div class="evidence-table register" role="region" aria-label="Register: {escape(title)}" tabindex="0"><table><caption class="visually-hidden">Register: {escape(title)}</caption>')
    heads = ["Claim", "Finding", "Source", "Level", "Read on", "Due again"]
    out.append("<thead><tr>" + "".join(f'<th scope="col">{head}</th>' for head in heads) + "</tr></thead><tbody>")
    for claim in chosen:
        subject = claim.trial if by_trial else group[claim.id] if group else tuple(claim.agents)
        if subject != last:
            words = (links.record("mechanisms", subject) if subject else "No mechanism of the table") if group else links.record("trials", claim.trial) + (f" ({links.agents(claim.agents)})" if claim.agents else "") if by_trial else links.agents(claim.agents) or "No single drug"
            out.append(f'<tr><th scope="rowgroup" colspan="{len(heads)}">{words}</th></tr>')
            last = subject
        text = links.record("trials", claim.trial, sentence(claim.text), anchors[name](claim)) if by_trial else links.record("mechanisms", group[claim.id], sentence(claim.text), f"drug-{claim.id}" if name == "mechanism_agents" else claim.id) if group and group[claim.id] else escape(sentence(claim.text))
        days = f"<time>{claim.checked_on}</time>" + small(f"and <time>{claim.second_checked_on}</time>" if claim.second_checked_on else "once")
        cells = [escape(claim.finding), links.source(claim.reference), escape(claim.level), days, f"<time>{claim.due}</time>"]
        out.append(f'<tr><th scope="row">{text}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>\n")
    return "".join([*out, "</tbody></table></div>\n"])


def card(links: Links, name: str) -> str:
    """What a reader should know of a table, or a network's rules, before using it."""
    if name in tables.models():
        return model_card(links, name)
    spec = tables.resource(name)
    path = tables.package_root() / spec["path"]
    frame, package = her2.load(name, unverified=True), tables.descriptor()
    unverified = int((frame["verification"] == "unverified").sum()) if "verification" in frame else 0
    pairs = [("Holds", escape(spec["description"])), ("Made", escape(spec["made"])), ("Limits", escape(spec["limits"]))]
    pairs.append(("Licence", ", ".join(f'<a href="{item["path"]}">{escape(item["title"])}</a>' for item in package["licenses"])))
    pairs.append(("Reused", reused(spec)))
    pairs.append(("Rows", f"{len(frame):,}" + (f", of which {unverified} unverified and kept from chapters" if unverified else "") + f"; {path.stat().st_size / 1000:,.0f} kB in {escape(spec['path'])}"))
    pairs.append(("Used by", users(links, name)))
    if "second_checked_on" in frame and len(frame):
        share = frame["second_checked_on"].notna().mean()
        pairs.append(("Read a second time", f"{share:.0%} of the rows"))
    pairs.append(("Disagreement", disagreement(spec.get("second_check"))))
    days = [frame[column].max() for column in ("checked_on", "second_checked_on") if column in frame and frame[column].notna().any()]
    pairs.append(("Last check", f"{max(days):%Y-%m-%d}" if days else ""))
    cells = []
    for field in spec["schema"]["fields"]:
        limits = field.get("constraints", {})
        kind = field["type"] + (" (one of several, separated by |)" if "delimiter" in field else "")
        rules = ["required" if limits.get("required") else "", "unique" if limits.get("unique") else ""]
        rules.append("one of: " + ", ".join(map(str, limits["enum"])) if "enum" in limits else "")
        rules += [f"at {word} {limits[key]:g}" for key, word in (("minimum", "least"), ("maximum", "most")) if key in limits]
        cells.append([f"<code>{field['name']}</code>", kind.replace("one of several", "several"), escape(field.get("unit", "")), escape(field.get("description", "")), escape("; ".join(filter(None, rules)))])
    return facts(pairs) + f'<details class="evidence-columns"><summary>Columns of {escape(name)}</summary>' + table(f"Columns of {name}", ["Column", "Type", "Unit", "Meaning", "Rules"], cells, shown=False) + "</details>\n"


def reused(spec: dict) -> str:
    """Whose tables were drawn on in substance, under which licence; every other row is a fact with its citation."""
    parts = [f"{item['source']} ({item['licence']}): {item['what']}" for item in spec.get("reused", [])]
    return escape("; ".join(parts) or "No table in substance: single facts, each with its citation")


def disagreement(second: dict | None) -> str:
    """How often the second reader found another figure than the first."""
    if not second or not second.get("figures_compared"):
        return "not yet measured"
    compared, wrong = second["figures_compared"], second["disagreed"]
    text = f"{wrong / compared:.1%}: {wrong:,} of {compared:,} figures compared"
    extra = [f"{second['rows_confirmed']:,} rows confirmed" + (f" of {second['rows_looked_for']:,} looked for" if "rows_looked_for" in second else "")] if "rows_confirmed" in second else []
    extra += [str(second[key]) for key in ("how", "on") if key in second]
    return escape("; ".join([text, *extra]))


def users(links: Links, name: str) -> str:
    """Chapters whose head names a table, and the pages that are made of it."""
    found = []
    for docname in sorted(links._builder.env.found_docs):
        head = pages.chapter_head(Path(links._builder.env.doc2path(docname)))
        if name in head.get("tables", []):
            found.append(f'<a href="{links.page(docname)}">{escape(head["title"])}</a>' if links.page(docname) else escape(head["title"]))
    made = {"references": "bibliography", "glossary": "glossary", "genes": "genes", "cell_lines": "cell-lines", "cell_line_findings": "cell-lines", "reviews": "coverage"}.get(name)
    if made:
        found.append(f'<a href="{links.page(f"{HOME}/{made}")}">{made.replace("-", " ").capitalize()}</a>')
    if name in {"trials", "agents", "trial_results", "approvals", "adverse_events", "label_actions", "recommendations", "patient_reported", "mechanism_agents", "variant_sensitivity", "pharmacokinetics", "biomarkers"}:
        found.append("pages of trials and drugs")
    if name in {"mechanisms", "mechanism_evidence", "mechanism_agents", "biomarkers", "genes", "reviews"}:
        found.append("pages of mechanisms")
    return ", ".join(found) or "no chapter yet"


LISTINGS = {"trials": list_trials, "agents": list_agents, "intervals": list_intervals, "claims": list_claims, "card": card}


class Listing(SphinxDirective):
    """A section a group, each with its table; subclasses name the groups."""

    kind = ""

    def groups(self) -> list[tuple[str, str]]:
        """Key and title of each section."""
        raise NotImplementedError

    def run(self):
        root = tables.package_root()
        for name in ("datapackage.json", *(tables.resource(table)["path"] for table in tables.table_names())):
            self.env.note_dependency(str(root / name))
        out = []
        for key, title in self.groups():
            section = nodes.section(ids=[nodes.make_id(f"{self.kind}-{key}")], names=[f"{self.kind}-{key}"])
            section += nodes.title("", title)
            section += listing(kind=self.kind, key=key)
            out.append(section)
        return out


def order(table: str, column: str) -> list[str]:
    """The words that the schema allows in a column, in its order."""
    return next(field for field in tables.resource(table)["schema"]["fields"] if field["name"] == column)["constraints"]["enum"]


def note_notebooks(env) -> None:
    """A page that shows what chapters say of themselves is written anew when one of them changes."""
    for docname in env.found_docs:
        if (path := Path(env.doc2path(docname))).suffix == ".ipynb":
            env.note_dependency(str(path))


class ByClass(Listing):
    """A section a class of a table, in the order of its schema; subclasses name the table."""

    table = ""

    def groups(self):
        counts = Counter(row["class"] for row in review.rows(self.table))
        return [(name, f"{sentence(name)} ({counts[name]})") for name in order(self.table, "class") if counts[name]]


class TrialList(Listing):
    """``{trial-list}``: every trial, by setting."""

    kind = "trials"

    def groups(self):
        counts = Counter(row["setting"] for row in review.rows("trials"))
        return [(setting, f"{sentence(setting)} ({counts[setting]})") for setting in SETTINGS if counts[setting]]


class AgentList(ByClass):
    """``{agent-list}``: every drug, by class."""

    kind = table = "agents"


def model_card(links: Links, name: str) -> str:
    """What a reader should know of a network's rules before using them."""
    spec = tables.models()[name]
    rules = network.load(name)
    inputs = [node for node, rule in rules.items() if rule == node]
    tried = sum(row["network"] == name for row in review.rows("network_conditions"))
    pairs = [
        ("Holds", escape(spec["description"])), ("Source", links.source(spec["reference"])), ("Nodes", f"{len(rules)}; input: {escape(', '.join(inputs))}"),
        ("Tested", f"all stable states under {tried} published conditions are reproduced whole, and each rule equals that of an independent copy of the authors' model on every input"),
        ("Limits", "A statement about a model: a node that is on here need not be on in a tumour."), ("File", f"<code>{escape(spec['path'])}</code>"),
    ]  # fmt: skip
    return facts(pairs)


class DataCards(Listing):
    """``{data-cards}``: one card a table of the data package, and one a network."""

    kind = "card"

    def groups(self):
        note_notebooks(self.env)
        return [(name, tables.resource(name)["title"]) for name in tables.table_names()] + [(name, spec["title"]) for name, spec in tables.models().items()]


BY_MECHANISM = {"mechanism_evidence", "mechanism_agents", "biomarkers"}
#: Claims from laboratories and markers have a register page of their own.
BIOLOGY = {"mechanism_agents", "mechanism_evidence", "biomarkers", "variant_sensitivity", "cell_line_findings", "pharmacokinetics"}


class Register(Listing):
    """``{evidence-register} clinic`` or ``biology``: every claim about a drug, by table."""

    kind = "claims"
    required_arguments = 1

    def groups(self):
        part = directives.choice(self.arguments[0], ("clinic", "biology"))
        counts = Counter(claim.table for claim in review.claims() if (claim.table in BIOLOGY) == (part == "biology"))
        return [(name, f"{tables.resource(name)['title']} ({count})") for name, count in counts.items()]


class Intervals(SphinxDirective):
    """``{review-intervals} clinic`` or ``biology``: how soon a claim is looked at again, and why."""

    required_arguments = 1

    def run(self):
        return [listing(kind="intervals", key=directives.choice(self.arguments[0], ("clinic", "biology")))]


# --- roles


class record_link(nodes.Inline, nodes.TextElement):
    """A trial or drug named in text; becomes a link where its page is built."""


class RecordRole(ReferenceRole):
    """``{trial}`katherine``` and ``{agent}`tucatinib```: the record's name, linked to its page."""

    def __init__(self, table: str):
        super().__init__()
        self.table = table

    def run(self):
        row = records(self.table).get(self.target)
        if row is None:
            near = get_close_matches(self.target.lower(), records(self.table), n=3, cutoff=0.5)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            LOGGER.warning("no verified row %r in the table of %s%s", self.target, self.table, hint, location=self.get_location())
            return [nodes.Text(self.title)], []
        text = self.title if self.has_explicit_title else row["name"]
        return [record_link("", text, docname=f"{FOLDER[self.table]}/{self.target}")], []


class ResolveRecords(SphinxPostTransform):
    """Records in text become links in builds that have their pages."""

    default_priority = 20

    def run(self, **kwargs):
        for node in list(self.document.findall(record_link)):
            new = nodes.inline("", node.astext())
            if self.app.builder.name in BUILDERS:
                new = nodes.reference("", node.astext(), internal=True, refuri=self.app.builder.get_relative_uri(self.env.docname, node["docname"]), classes=["record-link"])
            node.replace_self(new)


def add_files(app, pagename, templatename, context, doctree):
    if 'class="evidence-' in (context.get("body") or ""):
        app.add_css_file("css/evidence.css")


def setup(app):
    app.add_node(listing, html=(visit_listing, None), latex=(skip_listing, None), text=(skip_listing, None))
    app.add_node(record_link)
    for name, directive in {"trial-list": TrialList, "agent-list": AgentList, "data-cards": DataCards, "evidence-register": Register, "review-intervals": Intervals}.items():
        app.add_directive(name, directive)
    app.add_role("trial", RecordRole("trials"))
    app.add_role("agent", RecordRole("agents"))
    app.add_post_transform(ResolveRecords)
    app.connect("html-collect-pages", collect)
    app.connect("html-page-context", add_files)
