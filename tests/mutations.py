"""Measure the data tests: change values one at a time as a slip of the pen would, and count what is caught.

``mutations.py [--number 200] [--seed 2026] [--all]`` prints what was caught by kind and by column, and lists what escaped.
Hashes are set aside: they would catch everything and prove nothing. Free text is not changed: no rule reads it.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter, defaultdict
from datetime import date
from typing import NamedTuple

from her2 import tables
from her2.validation import Row, Rows, _exceptions, cross_faults, read, row_faults

TABLES = ("trial_results", "trials", "approvals", "agents", "adverse_events")
NUMBER, SEED = 200, 2026
#: Goals: share caught of all, and of the kinds whose slips do most harm.
GOAL, STRICT_GOAL, STRICT = 0.60, 0.90, ("ratio", "interval", "date", "key")
RATIOS = {"hazard_ratio", "effect"}
DATES = {"data_cut", "date"}
KEYS = {"id", "agents"}  # beside the foreign keys of the schema
IDENTIFIERS = {"nct"}


class Slip(NamedTuple):
    """One changed value, and what caught it; an empty rule if nothing did."""

    table: str
    key: str
    column: str
    kind: str
    how: str
    old: str
    new: str
    rule: str


def fields(table: str) -> dict[str, dict]:
    """Fields of a table's schema by name."""
    return {field["name"]: field for field in tables.resource(table)["schema"]["fields"]}


def foreign(table: str) -> dict[str, str]:
    """Columns that hold the key of another table, and that table; lists of keys included."""
    found = {key["fields"][0]: key["reference"]["resource"] for key in tables.resource(table)["schema"].get("foreignKeys", [])}
    return found | ({"agents": "agents"} if "agents" in fields(table) else {})


def kind(table: str, column: str) -> str:
    """What a column holds: ratio, interval, number, date, key, identifier or word; empty for free text."""
    field = fields(table)[column]
    if column in RATIOS:
        return "ratio"
    if re.search(r"_(low|high)$", column):
        return "interval"
    if field["type"] in {"number", "integer"} and "enum" not in field.get("constraints", {}):
        return "number"
    if field["type"] == "date" or column in DATES:
        return "date"
    if column in KEYS or column in foreign(table):
        return "key"
    if column in IDENTIFIERS:
        return "identifier"
    return "word" if field["type"] == "boolean" or "enum" in field.get("constraints", {}) else ""


# --- slips of the pen


def swapped(text: str, pick: random.Random) -> str:
    """Two neighbouring characters exchanged."""
    places = [i for i in range(len(text) - 1) if text[i] != text[i + 1] and text[i].isalnum() and text[i + 1].isalnum()]
    i = pick.choice(places) if places else -1
    return text[:i] + text[i + 1] + text[i] + text[i + 2 :] if places else text


def replaced(text: str, pick: random.Random) -> str:
    """One digit replaced by another."""
    i = pick.choice([i for i, c in enumerate(text) if c.isdigit()])
    return text[:i] + pick.choice([d for d in "0123456789" if d != text[i]]) + text[i + 1 :]


def moved(text: str, pick: random.Random) -> str:
    """The decimal point one place to the left or right; a nought more or fewer where there is none."""
    if "." not in text:
        return pick.choice([text + "0", text[:-1] if len(text.strip("-")) > 1 else text + "0"])
    digits, point = text.replace(".", ""), text.index(".")
    point += pick.choice([-1, 1])
    whole, rest = digits[:point] or "0", digits[point:]
    return (f"{whole}.{rest}" if rest else whole) if point > 0 or text[0] != "-" else text + "0"


def misspelt(text: str, pick: random.Random) -> str:
    """A letter dropped, doubled or exchanged with the next."""
    i = pick.randrange(len(text))
    return pick.choice([text[:i] + text[i + 1 :], text[:i] + text[i] + text[i:], swapped(text, pick)])


def exchanged(row: Row, column: str) -> str:
    """The value of the column that this one is easily taken for: the other bound, the other arm; the other sign of a difference."""
    other = column
    for one, two in (("_low", "_high"), ("experimental", "control"), ("n_events", "n_patients"), ("ci_low", "hazard_ratio")):
        for a, b in ((one, two), (two, one)):
            if a in column and column.replace(a, b) in row and other == column:
                other = column.replace(a, b)
    if column == "hazard_ratio":
        other = "ci_low"
    if column == "effect":
        return row[column][1:] if row[column].startswith("-") else f"-{row[column]}"
    return row[other]


def slip(rows: Rows, table: str, place: int, column: str, pick: random.Random) -> tuple[str, str]:
    """A changed value and how it came about; the same value where the slip leaves no trace."""
    row = rows[table][place][1]
    old, what = row[column], kind(table, column)
    others = [other[column] for _, other in rows[table] if other[column] not in {"", old}]
    if what in {"ratio", "interval", "number"}:
        ways = {"digits swapped": lambda: swapped(old, pick), "digit replaced": lambda: replaced(old, pick), "point moved": lambda: moved(old, pick), "exchanged": lambda: exchanged(row, column)}
        ways["neighbour's value"] = lambda: others[place % len(others)] if others else old
    elif what == "date":
        ways = {"digits swapped": lambda: swapped(old, pick), "digit replaced": lambda: replaced(old, pick), "another row's": lambda: pick.choice(others) if others else old}
    elif what == "key":
        target = foreign(table).get(column, table)
        keys = [other["id"] for _, other in rows[target]]
        part = pick.choice(old.split("|"))
        ways = {"misspelt": lambda: old.replace(part, misspelt(part, pick), 1), "another key": lambda: old.replace(part, pick.choice(keys), 1)}
    elif what == "identifier":
        ways = {"digits swapped": lambda: swapped(old, pick), "digit replaced": lambda: replaced(old, pick), "another row's": lambda: pick.choice(others)}
    else:
        enum = fields(table)[column].get("constraints", {}).get("enum", ["true", "false"])
        ways = {"misspelt": lambda: misspelt(old, pick), "another word": lambda: pick.choice([word for word in map(str, enum) if word != old])}
    how = pick.choice(sorted(ways))
    return ways[how](), how


# --- what catches them


def schema_fault(rows: Rows, table: str, row: Row, column: str) -> str:
    """What the schema says of one value; Frictionless says the same of the whole file, a hundred times slower."""
    field, value = fields(table)[column], row[column]
    rules = field.get("constraints", {})
    if not value:
        return "required" if rules.get("required") else ""
    try:
        number = {"number": float, "integer": int}.get(field["type"], lambda _: None)(value)
        if field["type"] == "date":
            date.fromisoformat(value)
    except ValueError:
        return "type"
    if field["type"] == "boolean" and value not in {"true", "false"}:
        return "type"
    if number is not None and not rules.get("minimum", number) <= number <= rules.get("maximum", number):
        return "range"
    if "enum" in rules and value not in map(str, rules["enum"]):
        return "enum"
    if "pattern" in rules and not re.fullmatch(rules["pattern"], value):
        return "pattern"
    if (rules.get("unique") or column == "id") and sum(other[column] == value for _, other in rows[table]) > 1:
        return "unique"
    for key in tables.resource(table)["schema"].get("foreignKeys", []):
        if key["fields"] == [column] and value not in {other["id"] for _, other in rows[key["reference"]["resource"]]}:
            return "foreign key"
    return ""


def children(rows: Rows, table: str, old: str) -> str:
    """A key that changes under the rows that name it breaks their foreign keys."""
    for entry in map(tables.resource, tables.table_names()):
        for key in entry["schema"].get("foreignKeys", []):
            if key["reference"]["resource"] == table and any(row[key["fields"][0]] == old for _, row in rows[entry["name"]]):
                return "foreign key"
    return ""


def caught_by(rows: Rows, table: str, place: int, column: str, new: str, excused: set) -> str:
    """Name of the first rule that sees the change; empty where none does. The rows are left as they were."""
    row = rows[table][place][1]
    old, key = row[column], row["id"]
    row[column] = new
    try:
        fault = schema_fault(rows, table, row, column) or (children(rows, table, old) if column == "id" else "")
        if fault:
            return fault
        for rule, _ in row_faults(table, row):
            if (table, key, rule) not in excused:
                return rule
        for rule, key_of_fault, found in cross_faults(rows):
            if (found.file.removesuffix(".csv"), key_of_fault, rule) not in excused:
                return rule
        return ""
    finally:
        row[column] = old


def measure(number: int = NUMBER, seed: int = SEED) -> list[Slip]:
    """Change this many values of TABLES, each filled value as likely as the next, and say what caught each."""
    root = tables.package_root()
    rows, excused, pick = read(root), _exceptions(root), random.Random(seed)
    cells = [(table, place, column) for table in TABLES for column in fields(table) if kind(table, column) for place, (_, row) in enumerate(rows[table]) if row[column]]
    found: list[Slip] = []
    while len(found) < number:
        table, place, column = pick.choice(cells)
        row = rows[table][place][1]
        new, how = slip(rows, table, place, column, pick)
        if new in {row[column], ""} or (kind(table, column) in {"ratio", "interval", "number"} and _same(new, row[column])):
            continue
        rule = caught_by(rows, table, place, column, new, excused)
        found.append(Slip(table, row["id"], column, kind(table, column), how, row[column], new, rule))
    return found


def _same(new: str, old: str) -> bool:
    """Whether two numbers are one, differently written."""
    try:
        return float(new) == float(old)
    except ValueError:
        return False


def share(slips: list[Slip]) -> float:
    """Share of slips that a rule caught."""
    return sum(bool(one.rule) for one in slips) / len(slips) if slips else 1.0


def report(slips: list[Slip], *, everything: bool = False) -> str:
    """What was caught, by kind and by column, and what escaped."""
    lines = [f"{sum(bool(s.rule) for s in slips)} of {len(slips)} caught ({share(slips):.0%}); goal {GOAL:.0%}"]
    strict = [s for s in slips if s.kind in STRICT]
    lines.append(f"{sum(bool(s.rule) for s in strict)} of {len(strict)} {', '.join(one + 's' for one in STRICT)} caught ({share(strict):.0%}); goal {STRICT_GOAL:.0%}")
    groups: dict[str, list[Slip]] = defaultdict(list)
    for one in slips:
        groups[f"kind: {one.kind}"].append(one)
        groups[f"{one.table}.{one.column}"].append(one)
    lines += [f"  {name:45} {sum(bool(s.rule) for s in group):4} of {len(group):4}" for name, group in sorted(groups.items(), key=lambda item: (not item[0].startswith("kind"), item[0]))]
    lines.append("rules that caught: " + ", ".join(f"{rule} {count}" for rule, count in Counter(s.rule for s in slips if s.rule).most_common()))
    escaped = sorted(s for s in slips if not s.rule)
    lines.append("escaped:" if escaped else "none escaped")
    lines += [f"  {s.table}.{s.column}: {s.old!r} -> {s.new!r} ({s.how}; {s.key})" for s in (escaped if everything else escaped[:60])]
    return "\n".join(lines)


def main() -> int:
    """Print the measurement; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=NUMBER)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--all", action="store_true", help="list every escape")
    options = parser.parse_args()
    slips = measure(options.number, options.seed)
    print(report(slips, everything=options.all))
    return 0 if share(slips) >= GOAL and share([s for s in slips if s.kind in STRICT]) >= STRICT_GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
