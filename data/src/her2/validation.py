"""Validate the data package: every fault at once, as a command and as a function.

Frictionless checks what the schema says (types, constraints, keys, foreign keys, hashes).
The rules here check what a schema cannot say: that figures of one row fit each other.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

from . import tables

Row = dict[str, str]
LOG_SCALE = {"hazard ratio", "odds ratio", "risk ratio", "rate ratio", "geometric mean ratio"}
LONGER_IS_BETTER = {"PFS", "OS", "IDFS", "DFS", "EFS", "TTP", "TTF", "DDFS", "DRFI", "BCFI", "RFS"}


HASH = "differs from its hash in datapackage.json"


class Fault(NamedTuple):
    """One fault: where it is, what stands there, and the rule that it breaks."""

    file: str
    row: int
    column: str
    value: str
    rule: str

    def __str__(self) -> str:
        return f"{self.file}, row {self.row}, column {self.column}: {self.value!r}: {self.rule}"


def _number(row: Row, column: str) -> float | None:
    try:
        return float(row[column])
    except (KeyError, ValueError):
        return None


def _half_unit(text: str) -> float:
    """Half of the last printed digit: how far a rounded figure can be from the exact one."""
    return 0.5 * 10 ** -len(text.partition(".")[2])


Found = Iterator[tuple[str, str]]  # column, rule


def effect_column(row: Row) -> str:
    """Column that holds the effect of a row: ratios of hazards have one of their own."""
    return "hazard_ratio" if row["effect_measure"] == "hazard ratio" else "effect"


def effect_stands_where_it_belongs(row: Row) -> Found:
    """A hazard ratio in its own column, any other effect in ``effect``, nothing where nothing was compared."""
    measure = row["effect_measure"]
    if measure != "hazard ratio" and row["hazard_ratio"]:
        yield "hazard_ratio", f"filled though effect_measure is {measure!r}"
    if measure in {"hazard ratio", "none"} and row["effect"]:
        yield "effect", f"filled though effect_measure is {measure!r}"
    if measure != "none" and not row[effect_column(row)]:
        yield effect_column(row), f"empty though effect_measure is {measure!r}"
    if measure == "none":
        for column in ("ci_low", "ci_high", "ci_level", "ni_margin"):
            if row[column]:
                yield column, "filled though effect_measure is 'none'"


def intervals_hold_their_estimates(row: Row) -> Found:
    """Each interval is ordered, holds its estimate and names its level."""
    for estimate, low, high in (
        (effect_column(row), "ci_low", "ci_high"),
        ("experimental_value", "experimental_low", "experimental_high"),
        ("control_value", "control_low", "control_high"),
    ):
        mid, bottom, top = (_number(row, c) for c in (estimate, low, high))
        if bottom is not None and top is not None and bottom > top:
            yield low, f"lower bound above upper bound {row[high]}"
        if mid is not None and bottom is not None and mid < bottom:
            yield estimate, f"below its interval {row[low]} to {row[high]}"
        if mid is not None and top is not None and mid > top:
            yield estimate, f"above its interval {row[low]} to {row[high]}"
    if (row["ci_low"] or row["ci_high"]) and not row["ci_level"]:
        yield "ci_level", "an interval needs its level"
    if any(row[f"{arm}_{end}"] for arm in ("experimental", "control") for end in ("low", "high")) and not row["value_ci_level"]:
        yield "value_ci_level", "an interval of an arm needs its level"


def interval_is_centred(row: Row) -> Found:
    """On its scale a Wald interval lies about its estimate: an off-centre one is a misprint or a slip."""
    bottom, top, mid = (_number(row, c) for c in ("ci_low", "ci_high", effect_column(row)))
    if None in (bottom, top, mid) or bottom >= top:
        return
    logs = row["effect_measure"] in LOG_SCALE
    if logs and min(bottom, mid) <= 0:
        yield "ci_low", "a ratio and its bounds are above 0"
        return
    scale = math.log if logs else float
    slack = sum(_half_unit(row[c]) / (abs(v) if logs else 1) for c, v in ((effect_column(row), mid), ("ci_low", bottom), ("ci_high", top)))
    if abs(scale(mid) - (scale(bottom) + scale(top)) / 2) > 0.12 * (scale(top) - scale(bottom)) / 2 + slack:
        yield effect_column(row), f"off the centre of its interval {row['ci_low']} to {row['ci_high']}"


def interval_agrees_with_p(row: Row) -> Found:
    """The p value that the interval implies (Altman and Bland 2011, BMJ 343:d2304) is near the printed one."""
    bottom, top, mid, p, level = (_number(row, c) for c in ("ci_low", "ci_high", effect_column(row), "p_value", "ci_level"))
    if None in (bottom, top, mid, p, level) or bottom >= top or row["ni_margin"]:
        return
    logs = row["effect_measure"] in LOG_SCALE
    if logs and min(bottom, mid) <= 0:
        return
    scale = math.log if logs else float
    error = (scale(top) - scale(bottom)) / 2 / NormalDist().inv_cdf(0.5 + level / 200)
    null = 1.0 if logs else 0.0
    sides = 1 if row["p_sides"] == "1" else 2
    if sides == 1:
        expected = NormalDist().cdf((scale(mid) - scale(null)) / error) if logs else 1 - NormalDist().cdf(mid / error)
    else:
        expected = 2 * (1 - NormalDist().cdf(abs(scale(mid) - scale(null)) / error))
    z = [NormalDist().inv_cdf(1 - min(max(q, 1e-15), 1 - 1e-9) / sides) for q in (expected, p)]
    slack = 0.35 + 2 * sum(_half_unit(row[c]) / (abs(v) if logs else 1) for c, v in ((effect_column(row), mid), ("ci_low", bottom), ("ci_high", top))) / error
    wrong = abs(z[0] - z[1]) > slack if row["p_operator"] == "=" else z[0] < z[1] - slack if row["p_operator"] == "<" else z[0] > z[1] + slack
    if wrong:
        yield "p_value", f"the interval implies p of about {expected:.2g} ({sides}-sided)"


def p_is_complete(row: Row) -> Found:
    """A p value comes with its operator and the sides of its test."""
    given = [bool(row[c]) for c in ("p_operator", "p_value", "p_sides")]
    if any(given) and not all(given):
        yield "p_value", "p_operator, p_value and p_sides are given together or not at all"


def states_match_values(row: Row) -> Found:
    """A value is there exactly where its state says 'estimated'; a single arm has no control."""
    for arm in ("experimental", "control"):
        value, state = row[f"{arm}_value"], row[f"{arm}_state"]
        if bool(value) != (state == "estimated"):
            yield f"{arm}_state", f"{state!r} though the value is {value or 'empty'!r}"
        if arm == "control" and (state == "no arm") != (not row["control_arm"]):
            yield "control_state", "'no arm' and an empty control_arm go together"


def ratio_and_values_agree(row: Row) -> Found:
    """A ratio below 1 goes with the longer median or higher rate; a difference is the difference of its values."""
    ratio, new, old = (_number(row, c) for c in ("hazard_ratio", "experimental_value", "control_value"))
    if None not in (ratio, new, old) and row["endpoint_family"] in LONGER_IS_BETTER:
        opposite = (ratio < 0.995 and new < old) or (ratio > 1.005 and new > old)
        if opposite:
            yield "hazard_ratio", f"points the other way than {new:g} against {old:g}"
    effect = _number(row, "effect")
    if row["effect_measure"] == "difference in percentage points" and None not in (effect, new, old):
        slack = 0.5 + sum(_half_unit(row[c]) for c in ("effect", "experimental_value", "control_value"))
        if abs((new - old) - effect) > slack:
            yield "effect", f"is not {new:g} - {old:g}"


def percentages_are_percentages(row: Row) -> Found:
    """Percentages lie between 0 and 100, units fit their statistic, and a rate names its time."""
    if row["unit"] == "%":
        for arm in ("experimental", "control"):
            for part in ("value", "low", "high"):
                value = _number(row, f"{arm}_{part}")
                if value is not None and not 0 <= value <= 100:
                    yield f"{arm}_{part}", "a percentage lies between 0 and 100"
    expected = {"median": {"months", "weeks"}, "rate at timepoint": {"%"}, "proportion": {"%"}, "none": {"none"}}.get(row["statistic"])
    if expected and row["unit"] not in expected:
        yield "unit", f"a {row['statistic']} is given in {' or '.join(sorted(expected))}"
    if row["statistic"] == "rate at timepoint" and not row["timepoint"]:
        yield "timepoint", "a rate needs the time at which it holds"


def counts_fit(row: Row) -> Found:
    """No arm has more events than patients."""
    for arm in ("experimental", "control"):
        n, events = _number(row, f"n_{arm}"), _number(row, f"events_{arm}")
        if n is not None and events is not None and events > n:
            yield f"events_{arm}", f"more events than the {n:g} patients of the arm"


def significance_needs_a_p(row: Row) -> Found:
    """A boundary that was met does not go with a large p."""
    p = _number(row, "p_value")
    if row["significance_met"] == "met" and p is not None and p > 0.1:
        yield "significance_met", f"met though p is {row['p_value']}"


def checked_in_order(row: Row) -> Found:
    """The second check is not before the first."""
    if row.get("second_checked_on") and row["second_checked_on"] < row["checked_on"]:
        yield "second_checked_on", f"before the first check on {row['checked_on']}"


def interval_holds_value(row: Row) -> Found:
    """A value lies inside its interval, has a unit, and is its numerator over its denominator."""
    value, low, high = (_number(row, c) for c in ("value", "ci_low", "ci_high"))
    if value is not None and low is not None and value < low:
        yield "value", f"below its interval {row['ci_low']} to {row['ci_high']}"
    if value is not None and high is not None and value > high:
        yield "value", f"above its interval {row['ci_low']} to {row['ci_high']}"
    if value is not None and not row["unit"]:
        yield "unit", "a value needs its unit"
    count, n = _number(row, "numerator"), _number(row, "n")
    if None not in (value, count, n) and row["unit"] == "%" and abs(100 * count / n - value) > _half_unit(row["value"]) + 0.05:
        yield "value", f"is not {count:g} of {n:g}"


ROW_RULES: dict[str, list[Callable[[Row], Found]]] = {
    "trial_results": [
        effect_stands_where_it_belongs, intervals_hold_their_estimates, interval_is_centred, interval_agrees_with_p,
        p_is_complete, states_match_values, ratio_and_values_agree, percentages_are_percentages, counts_fit,
        significance_needs_a_p, checked_in_order,
    ],
    "her2_testing": [interval_holds_value, checked_in_order],
    "trials": [checked_in_order], "agents": [checked_in_order], "approvals": [checked_in_order],
    "mechanisms": [checked_in_order], "glossary": [checked_in_order],
}  # fmt: skip


def _rows(path: Path) -> list[tuple[int, Row]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return [(number, {k: v or "" for k, v in row.items() if k}) for number, row in enumerate(csv.DictReader(handle), start=2)]


def _schema_faults(root: Path) -> Iterator[Fault]:
    # Imported here: validation is for authors, and readers' machines do without Frictionless.
    import frictionless

    package = frictionless.Package(str(root / "datapackage.json"))
    for task in package.validate().tasks:
        for error in task.errors:
            rule = error.note or error.message
            if error.type in {"hash-count", "byte-count"}:
                rule = f"{HASH}; 'make data' renews it ({rule})"
            column, value = _place(error)
            yield Fault(Path(task.place).name, getattr(error, "row_number", 1) or 1, column, value, rule)


def _place(error) -> tuple[str, str]:
    """Column and value of a Frictionless error; errors of keys name them in ways of their own."""
    if error.type == "primary-key":
        return "id", str(error.cells[0])
    if error.type == "foreign-key":
        return ", ".join(error.field_names), ", ".join(map(str, error.field_cells))
    return getattr(error, "field_name", "") or "-", str(getattr(error, "cell", "") or "")


def _exceptions(root: Path) -> set[tuple[str, str, str]]:
    path = root / "exceptions.csv"
    return {(r["table"], r["id"], r["rule"]) for _, r in _rows(path)} if path.is_file() else set()


def _row_faults(root: Path) -> Iterator[Fault]:
    excused, used = _exceptions(root), set()
    for name, rules in ROW_RULES.items():
        path = root / tables.resource(name, root)["path"]
        for number, row in _rows(path) if path.is_file() else []:
            for rule in rules:
                for column, text in rule(row):
                    key = (name, row.get("id", ""), rule.__name__)
                    if key in excused:
                        used.add(key)
                    else:
                        yield Fault(path.name, number, column, row.get(column, ""), f"{text} [{rule.__name__}]")
    for name, key, rule in sorted(excused - used):
        yield Fault("exceptions.csv", 0, "rule", f"{name} {key}", f"{rule}: no longer needed, take it out")


def _cross_faults(root: Path) -> Iterator[Fault]:
    """What needs two tables: arms within the trial's size, randomised or not, references that nobody uses."""
    rows = {r["name"]: _rows(root / r["path"]) for r in tables.descriptor(root)["resources"]}
    trials = {row["id"]: row for _, row in rows["trials"]}
    for number, row in rows["trial_results"]:
        trial = trials.get(row["trial"], {})
        size = _number(trial, "n_enrolled")
        total = sum(_number(row, c) or 0 for c in ("n_experimental", "n_control"))
        if size is not None and total > size:
            yield Fault("trial_results.csv", number, "n_experimental", row["n_experimental"], f"arms sum to {total:g}, above the {size:g} enrolled")
        if row["level"] == "randomised" and trial.get("randomised") == "false":
            yield Fault("trial_results.csv", number, "level", row["level"], "the trial is not randomised")
    used = {row["reference"] for name, content in rows.items() if name != "references" for _, row in content if "reference" in row}
    for number, row in rows["references"]:
        if row["id"] not in used:
            yield Fault("references.csv", number, "id", row["id"], "no row uses this reference")


def validate(root: Path | None = None) -> list[Fault]:
    """All faults of the data package under ``root`` (default: the one that ``her2`` loads), in file order."""
    root = Path(root) if root else tables.package_root()
    return sorted([*_schema_faults(root), *_row_faults(root), *_cross_faults(root)])


def renew_hashes(root: Path | None = None) -> list[str]:
    """Write the hash and size of each table into the descriptor; returns the tables that had changed."""
    path = (root or tables.package_root()) / "datapackage.json"
    package = json.loads(path.read_text("utf-8"))
    changed = []
    for entry in package["resources"]:
        content = (path.parent / entry["path"]).read_bytes()
        new = {"hash": "sha256:" + hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        if new != {key: entry.get(key) for key in new}:
            entry.update(new)
            changed.append(entry["name"])
    if changed:
        temporary = path.with_suffix(".writing")
        temporary.write_text(json.dumps(package, indent=1, ensure_ascii=False) + "\n", "utf-8")
        temporary.replace(path)
    return changed


def main() -> int:
    """``python -m her2.validation [--renew] [FOLDER]``: print each fault; exit 1 where there is one.

    With ``--renew`` the hashes of the tables are written anew once nothing else is wrong.
    """
    parser = argparse.ArgumentParser(description="Check the data package: every fault at once.")
    parser.add_argument("--renew", action="store_true", help="then write the hashes of the tables anew")
    parser.add_argument("folder", nargs="?", type=Path, help="folder of datapackage.json (default: the installed package)")
    options = parser.parse_args()
    try:
        faults = validate(options.folder)
        if options.renew:
            faults = [fault for fault in faults if not fault.rule.startswith(HASH)]
    except tables.DataError as error:
        print(error, file=sys.stderr)
        return 1
    for fault in faults:
        print(fault)
    print(f"{len(faults)} faults" if faults else "data package: no faults")
    if options.renew and not faults:
        changed = renew_hashes(options.folder)
        print(f"hashes renewed: {', '.join(changed)}" if changed else "hashes are up to date")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
