"""Every claim about a drug with the day on which it is due for another look: ``review.py [--on 2027-05-21]``.

A claim grows old at the pace of its kind: licences change any month, a final analysis hardly ever.
The list never fails anything: what is due is work to plan, not a fault.
"""

from __future__ import annotations

import argparse
import calendar
import csv
from collections import defaultdict
from datetime import date
from functools import cache
from typing import NamedTuple

from her2 import tables

Row = dict[str, str]

#: Months until a claim is looked at again, with the reason; the key is a table, and a kind within it.
INTERVALS: dict[tuple[str, str], tuple[int, str]] = {
    ("approvals", ""): (6, "licences are granted, widened and withdrawn at any time"),
    ("label_actions", ""): (6, "labels are revised several times a year"),
    ("recommendations", ""): (6, "guidelines are updated once or twice a year"),
    ("trial_results", "interim"): (6, "a later cut of the same trial will replace it"),
    ("trial_results", "primary"): (12, "survival and longer follow-up are still to come"),
    ("trial_results", "descriptive"): (12, "an update without a test may be followed by one"),
    ("trial_results", "final"): (24, "only a correction or a pooled analysis would change it"),
    ("adverse_events", ""): (24, "harms of a closed trial change with late follow-up only"),
    ("patient_reported", ""): (24, "published once or twice a trial"),
    ("mechanism_agents", ""): (12, "markers are tested again, and tests of them fail"),
    ("mechanism_evidence", ""): (24, "a published finding stands; what changes is what others find"),
    ("biomarkers", ""): (12, "markers are tested again, and tests of them fail"),
    ("variant_sensitivity", ""): (24, "new variants and new drugs come, old figures stay"),
    ("cell_line_findings", ""): (36, "old lines, seldom measured anew"),
    ("pharmacokinetics", ""): (36, "population models are rarely replaced"),
}
#: Level of the claims of a table that has no such column.
LEVELS = {"approvals": "licence", "label_actions": "label", "recommendations": "guideline"}


class Claim(NamedTuple):
    """One claim about a drug, as the register lists it."""

    table: str
    id: str
    trial: str
    agents: list[str]
    text: str
    finding: str
    reference: str
    level: str
    checked_on: str
    second_checked_on: str
    due: str


@cache
def rows(name: str) -> list[Row]:
    """The verified rows of a table as printed: '0.50' keeps its last digit, nothing is ''."""
    path = tables.package_root() / tables.resource(name)["path"]
    with path.open(encoding="utf-8", newline="") as handle:
        return [row for row in csv.DictReader(handle) if row.get("verification", "verified") == "verified"]


def split(text: str) -> list[str]:
    """The parts of a cell that holds several, in order."""
    return [part.strip() for part in text.split("|") if part.strip()]


def interval(table: str, row: Row) -> int:
    """Months from one check of a row to the next."""
    return INTERVALS[table, row.get("analysis", "")][0]


def due(table: str, row: Row) -> str:
    """Day on which a row is to be looked at again, as YYYY-MM-DD: its last check and its interval."""
    last = date.fromisoformat(max(row["checked_on"], row["second_checked_on"]))
    years, month = divmod(last.month - 1 + interval(table, row), 12)
    year, month = last.year + years, month + 1
    return date(year, month, min(last.day, calendar.monthrange(year, month)[1])).isoformat()


def effect(row: Row) -> str:
    """The comparison of a result in words: 'hazard ratio 0.50 (95% CI 0.39 to 0.64), p < 0.001'."""
    estimate = row.get("hazard_ratio") or row.get("effect", "")
    measure = row.get("effect_measure", "hazard ratio")
    text = f"{measure} {estimate}" if estimate else ""
    if text and row["ci_low"] and row["ci_high"]:
        text += f" ({row['ci_level']}% CI {row['ci_low']} to {row['ci_high']})"
    elif text and (row["ci_low"] or row["ci_high"]):
        text += f" ({row['ci_level']}% CI {'from ' + row['ci_low'] if row['ci_low'] else 'up to ' + row['ci_high']})"
    if row["p_value"]:
        text += f"{', ' if text else ''}p {row['p_operator']} {row['p_value']}{' (one-sided)' if row.get('p_sides') == '1' else ''}"
    return text


def value(row: Row, arm: str) -> str:
    """What one arm of a result showed: '88.3% (85.1 to 91.0)', 'not reached', or nothing."""
    number, low, high = (row.get(f"{arm}_{part}", "") for part in ("value", "low", "high"))
    if not number:
        return row.get(f"{arm}_state", "").replace("no arm", "")
    unit = {"%": "%", "none": "", "": ""}.get(row["unit"], f" {row['unit']}")
    return f"{number}{unit}" + (f" ({low} to {high})" if low and high else "")


def arms(row: Row) -> str:
    """Both arms of a result side by side."""
    at = f" at {row['timepoint']} months" if row["timepoint"] else ""
    found = [text for arm in ("experimental", "control") if (text := value(row, arm)) and text != "not reported"]
    return " against ".join(found) + at if found else ""


@cache
def claims() -> list[Claim]:
    """Every claim about a drug, table by table; harms of one trial from one source are one claim."""
    found: list[Claim] = []
    drugs = {row["id"]: split(row["agents"]) for row in rows("trials")}
    names = {name: {row["id"]: row["name"] for row in rows(name)} for name in ("mechanisms", "variants", "cell_lines")}

    def named(table: str, key: str) -> str:
        return names[table].get(key, key)

    def add(table: str, row: Row, text: str, finding: str, trial: str = "", agents: list[str] | None = None) -> None:
        tested = drugs.get(trial, []) if agents is None else agents
        level = row.get("level") or LEVELS[table]
        found.append(Claim(table, row["id"], trial, tested, text, finding, row["reference"], level, row["checked_on"], row["second_checked_on"], due(table, row)))

    for row in rows("approvals"):
        add("approvals", row, f"{row['agency']}, {row['date']}: {row['type']}", row["indication"], row["basis_trial"], [row["agent"]])
    for row in rows("recommendations"):
        add("recommendations", row, f"{row['body']} {row['date'][:4]}: {row['population']}", row["recommendation"], agents=split(row["agents"]))
    for row in rows("label_actions"):
        add("label_actions", row, f"{row['topic']}: {row['finding']}", row["action"], agents=[row["agent"]])
    for row in rows("mechanism_agents"):
        add("mechanism_agents", row, f"{named('mechanisms', row['mechanism'])}: {row['relation']}", row["finding"], agents=[row["agent"]])
    for row in rows("mechanism_evidence"):
        add("mechanism_evidence", row, f"{named('mechanisms', row['mechanism'])}: {row['design']}", row["finding"], agents=[])
    for row in rows("biomarkers"):
        add("biomarkers", row, f"{row['marker']}: {row['endpoint']}", row["finding"], row["trial"], None if row["trial"] else [])
    for row in rows("variant_sensitivity"):
        add("variant_sensitivity", row, f"{named('variants', row['variant'])}: {row['model']}", row["finding"], agents=[row["agent"]])
    for row in rows("cell_line_findings"):
        if row["property"] in {"trastuzumab", "lapatinib"} or row["agent"]:
            add("cell_line_findings", row, f"{named('cell_lines', row['cell_line'])}: {row['state']}", row["finding"], agents=[row["agent"] or row["property"]])
    for row in rows("pharmacokinetics"):
        add("pharmacokinetics", row, f"{row['parameter']}, {row['model']}", f"{row['value']} {row['unit']}".strip(), agents=[row["agent"]])
    for row in rows("trial_results"):
        cut = f", cut {row['data_cut']}" if row["data_cut"] else ""
        finding = "; ".join(text for text in (arms(row), effect(row)) if text)
        add("trial_results", row, f"{row['endpoint']}; {row['population']}{cut}", finding or "no figure reported", row["trial"])
    for row in rows("patient_reported"):
        add("patient_reported", row, f"{row['instrument']}: {row['endpoint']}", row["finding"], row["trial"])
    harms = defaultdict(list)
    for row in rows("adverse_events"):
        harms[tuple(row[c] for c in ("trial", "reference", "level", "checked_on", "second_checked_on"))].append(row)
    for group in harms.values():
        events = dict.fromkeys(row["event"] for row in group)
        number = "one figure" if len(group) == 1 else f"{len(group)} figures"
        more = f" and {len(events) - 3} more" if len(events) > 3 else ""
        add("adverse_events", group[0], f"Harms: {number}", ", ".join(list(events)[:3]) + more, group[0]["trial"])
    return found


def main() -> int:
    """Print what is due; always 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--on", type=date.fromisoformat, default=date.today(), help="the day to look from (default: today)")
    on = parser.parse_args().on.isoformat()
    everything = sorted(claims(), key=lambda claim: (claim.due, claim.table, claim.id))
    waiting = [claim for claim in everything if claim.due <= on]
    for claim in waiting:
        print(f"{claim.due}  {claim.table}  {claim.id}  ({claim.reference}, checked on {claim.checked_on})")
    print(f"{len(waiting)} of {len(everything)} claims are due on {on}", end="")
    later = [claim.due for claim in everything if claim.due > on]
    print(f"; the next is due on {later[0]}" if later else "")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
