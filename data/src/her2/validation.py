"""Validate the data package: every fault at once, as a command and as a function.

Frictionless checks what the schema says (types, constraints, keys, foreign keys, hashes).
The rules here check what a schema cannot say: that figures of one row fit each other
(ROW_RULES), and that rows fit those beside them and in other tables (CROSS_RULES).
A published figure that breaks a rule stands in exceptions.csv with its reason.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

from . import tables

Row = dict[str, str]
Rows = dict[str, list[tuple[int, Row]]]  # by table: line in the file, row
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
        value = float(row[column])
    except (KeyError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _level(row: Row, column: str) -> float | None:
    """Level of an interval in per cent; none where it is no such level."""
    level = _number(row, column)
    return level if level is not None and 0 < level < 100 else None


def _half_unit(text: str) -> float:
    """Half of the last printed digit: how far a rounded figure can be from the exact one."""
    return 0.5 * 10 ** -len(text.partition(".")[2])


Found = Iterator[tuple[str, str]]  # column, rule


def effect_column(row: Row) -> str:
    """Column that holds the effect of a row: in results of trials, ratios of hazards have one of their own."""
    return "hazard_ratio" if row["effect_measure"] == "hazard ratio" and "hazard_ratio" in row else "effect"


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
    if abs(scale(mid) - (scale(bottom) + scale(top)) / 2) > 0.05 * (scale(top) - scale(bottom)) / 2 + slack:
        yield effect_column(row), f"off the centre of its interval {row['ci_low']} to {row['ci_high']}"


def interval_agrees_with_p(row: Row) -> Found:
    """The p value that the interval implies (Altman and Bland 2011, BMJ 343:d2304) is near the printed one."""
    bottom, top, mid, p = (_number(row, c) for c in ("ci_low", "ci_high", effect_column(row), "p_value"))
    level = _level(row, "ci_level")
    if None in (bottom, top, mid, p, level) or bottom >= top or row.get("ni_margin"):
        return
    logs = row["effect_measure"] in LOG_SCALE
    if logs and min(bottom, mid) <= 0:
        return
    scale = math.log if logs else float
    error = (scale(top) - scale(bottom)) / 2 / NormalDist().inv_cdf(0.5 + level / 200)
    null = 1.0 if logs else 0.0
    sides = 1 if row.get("p_sides") == "1" else 2
    if sides == 1:
        expected = NormalDist().cdf((scale(mid) - scale(null)) / error) if logs else 1 - NormalDist().cdf(mid / error)
    else:
        expected = 2 * (1 - NormalDist().cdf(abs(scale(mid) - scale(null)) / error))
    z = [NormalDist().inv_cdf(1 - min(max(q, 1e-15), 1 - 1e-9) / sides) for q in (expected, p)]
    slack = 0.25 + 2 * sum(_half_unit(row[c]) / (abs(v) if logs else 1) for c, v in ((effect_column(row), mid), ("ci_low", bottom), ("ci_high", top))) / error
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
    if None not in (value, count, n) and n > 0 and row["unit"] == "%" and abs(100 * count / n - value) > _half_unit(row["value"]) + 0.05:
        yield "value", f"is not {count:g} of {n:g}"


def _log_limits(row: Row) -> tuple[float, float] | None:
    """Standard error of the log hazard ratio that the interval implies, and how far rounding can move it, as a share."""
    bottom, top, level = _number(row, "ci_low"), _number(row, "ci_high"), _level(row, "ci_level")
    if None in (bottom, top, level) or not row["hazard_ratio"] or not 0 < bottom < top:
        return None
    width = math.log(top / bottom)
    rounding = (_half_unit(row["ci_low"]) / bottom + _half_unit(row["ci_high"]) / top) / width
    return width / 2 / NormalDist().inv_cdf(0.5 + level / 200), rounding


def interval_fits_events(row: Row) -> Found:
    """The variance of a log hazard ratio is close to 1/d1 + 1/d2 for d1 and d2 events; never under 1/n1 + 1/n2 by the patients."""
    error = _log_limits(row)
    if error is None:
        return
    for kind, least, most in (("events", 0.9, 1.12), ("n", 0.97, 7.0)):
        new, old = (_number(row, f"{kind}_{arm}") for arm in ("experimental", "control"))
        if new and old and min(new, old) > 0:
            share = error[0] / math.sqrt(1 / new + 1 / old)
            if not least * (1 - error[1]) <= share <= most * (1 + error[1]):
                yield f"{kind}_experimental", f"{new:g} and {old:g} do not fit the width of the interval {row['ci_low']} to {row['ci_high']}"


def medians_fit_ratio(row: Row) -> Found:
    """Under proportional and constant hazards the ratio is that of the medians upside down; real trials stay within a factor of 1.65."""
    ratio, new, old = (_number(row, c) for c in ("hazard_ratio", "experimental_value", "control_value"))
    if row["statistic"] != "median" or new is None or old is None or min(new, old) <= 0:
        return
    if ratio and ratio > 0 and abs(math.log(ratio * new / old)) > 0.5:
        yield "hazard_ratio", f"far from {old / new:.2f}, which the medians {new:g} and {old:g} imply"
    if not ratio and abs(math.log(new / old)) > 1.5:
        yield "experimental_value", f"more than four times as far from {old:g}, without a ratio"


def rates_fit_ratio(row: Row) -> Found:
    """Under proportional hazards the ratio is ln(S1) / ln(S0) at any time; real trials stay within a factor of 1.5."""
    ratio, new, old = (_number(row, c) for c in ("hazard_ratio", "experimental_value", "control_value"))
    if row["statistic"] != "rate at timepoint" or ratio is None or ratio <= 0 or new is None or old is None or not (0 < new < 100 and 0 < old < 100):
        return
    slack = sum(_half_unit(row[f"{arm}_value"]) / (rate * -math.log(rate / 100)) for arm, rate in (("experimental", new), ("control", old)))
    implied = math.log(new / 100) / math.log(old / 100)
    if abs(math.log(ratio / implied)) > 0.4 + slack:
        yield "hazard_ratio", f"far from {implied:.2f}, which the rates {new:g} and {old:g} imply"


def effect_fits_shares(row: Row) -> Found:
    """A crude odds or risk ratio from the two shares lies near the printed one, which may be adjusted."""
    effect, new, old = (_number(row, c) for c in ("effect", "experimental_value", "control_value"))
    if row["unit"] != "%" or not effect or effect < 0 or new is None or old is None or not (0 < new < 100 and 0 < old < 100):
        return
    implied = {"odds ratio": new * (100 - old) / (100 - new) / old, "risk ratio": new / old}.get(row["effect_measure"])
    if implied and abs(math.log(effect / implied)) > 0.3:
        yield "effect", f"far from {implied:.2f}, which {new:g} and {old:g} imply"


def _wilson(share: float, n: float, level: float) -> tuple[float, float]:
    """Wilson's interval of a proportion, in per cent."""
    z, p = NormalDist().inv_cdf(0.5 + level / 200), share / 100
    middle, half = p + z * z / 2 / n, z * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    return 100 * (middle - half) / (1 + z * z / n), 100 * (middle + half) / (1 + z * z / n)


def arm_interval_fits_n(row: Row) -> Found:
    """The interval of a share lies near Wilson's for its n; that of a Kaplan-Meier rate is somewhat wider."""
    level = _level(row, "value_ci_level")
    far = {"proportion": 0.14, "rate at timepoint": 0.25}.get(row["statistic"])
    if row["unit"] != "%" or level is None or far is None:
        return
    for arm in ("experimental", "control"):
        value, n = _number(row, f"{arm}_value"), _number(row, f"n_{arm}")
        if value is None or n is None or n <= 0 or not 0 <= value <= 100:
            continue
        bounds = _wilson(value, n, level)
        for end, bound in zip(("low", "high"), bounds, strict=True):
            printed = _number(row, f"{arm}_{end}")
            if printed is not None and abs(printed - bound) > far * (bounds[1] - bounds[0]) + _half_unit(row[f"{arm}_{end}"]):
                yield f"{arm}_{end}", f"far from {bound:.1f}, which {value:g} % of {n:g} patients implies"


def arm_interval_is_plausible(row: Row) -> Found:
    """A median is within a factor of five of its bounds; a share lies amid its own, as it stands or on the logit scale."""
    for arm in ("experimental", "control"):
        value, low, high = (_number(row, f"{arm}_{part}") for part in ("value", "low", "high"))
        if row["statistic"] == "median" and value:
            if low is not None and low < value / 5:
                yield f"{arm}_low", f"less than a fifth of the median {value:g}"
            if high is not None and high > 5 * value:
                yield f"{arm}_high", f"more than five times the median {value:g}"
        if row["unit"] == "%" and None not in (value, low, high) and 0 < low < value < high < 100:
            printed = [(x, _half_unit(row[f"{arm}_{part}"])) for part, x in (("low", low), ("value", value), ("high", high))]
            logit = [(math.log(x / (100 - x)), 100 * half / (x * (100 - x))) for x, half in printed]
            if all(abs(b - (a + c) / 2) > 0.3 * (c - a) / 2 + i + j + k for (a, i), (b, j), (c, k) in (printed, logit)):
                yield f"{arm}_value", f"off the centre of its interval {low:g} to {high:g}"


def _whole(percent: str, n: float) -> bool:
    """Whether a printed percentage is a whole number of n patients, rounded."""
    value = float(percent)
    nearest = round(value * n / 100)
    return any(abs(100 * count / n - value) <= _half_unit(percent) + 1e-9 for count in (nearest - 1, nearest, nearest + 1))


#: Words of an endpoint that name its family; the first that is found counts.
FAMILY_WORDS = {
    "overall survival": "OS", "progression-free": "PFS", "objective response": "ORR", "invasive disease-free": "IDFS", "disease-free survival": "DFS",
    "event-free": "EFS", "duration of response": "DOR", "clinical benefit": "CBR", "time to progression": "TTP", "pcr": "pCR",
}  # fmt: skip


def endpoint_fits_family(row: Row) -> Found:
    """The endpoint's own words name its family; disease of the brain is a family of its own. Death needs no assessor."""
    named = next((family for words, family in FAMILY_WORDS.items() if words in row["endpoint"].lower()), None)
    if named and row["endpoint_family"] not in {named, "CNS"}:
        yield "endpoint_family", f"{row['endpoint_family']!r} though the endpoint is {row['endpoint']!r}"
    if (row["endpoint_family"] == "OS") and row["assessor"] != "not applicable":
        yield "assessor", "nobody assesses overall survival"


def level_fits_arms(row: Row) -> Found:
    """A randomised result compares two arms, a single-arm one does not; intervals have usual levels."""
    if row["level"] == "randomised" and not row["control_arm"]:
        yield "level", "'randomised' though there is no control arm"
    if row["level"] == "single-arm" and row["control_arm"]:
        yield "level", "'single-arm' though there is a control arm"
    for column in ("ci_level", "value_ci_level"):
        level = _number(row, column)
        if level is not None and level not in {80, 90} and level < 95:
            yield column, "80, 90, or 95 and above"


def shown_p_is_round(row: Row) -> Found:
    """'<' and '>' stand before a threshold: 0.05, 0.001, never 0.043."""
    if row["p_operator"] in {"<", ">"} and row["p_value"].replace(".", "").strip("0") not in {"1", "2", "5"}:
        yield "p_operator", f"{row['p_operator']!r} before {row['p_value']}, which is no threshold"


def share_fits_events(row: Row) -> Found:
    """Events of n patients are the share that is printed."""
    for arm in ("experimental", "control"):
        count, n, value = (_number(row, column) for column in (f"events_{arm}", f"n_{arm}", f"{arm}_value"))
        if row["statistic"] == "proportion" and row["unit"] == "%" and None not in (count, n, value) and n > 0 and abs(100 * count / n - value) > _half_unit(row[f"{arm}_value"]) + 0.05:
            yield f"{arm}_value", f"is not {count:g} of {n:g}"


def role_fits_level(row: Row) -> Found:
    """A control arm is one of a comparison; the only arm of a trial is not."""
    if (row["arm_role"], row["level"]) in {("single", "randomised"), ("control", "single-arm")}:
        yield "level", f"{row['level']!r} though the arm's role is {row['arm_role']!r}"


def share_is_of_whole_patients(row: Row) -> Found:
    """A share of n patients is a whole number of them: 33.4 % of 31 cannot be."""
    if row["statistic"] == "proportion" and row["unit"] == "%":
        for arm in ("experimental", "control"):
            value, n = _number(row, f"{arm}_value"), _number(row, f"n_{arm}")
            if value is not None and n and n > 0 and not _whole(row[f"{arm}_value"], n):
                yield f"{arm}_value", f"no whole number of {n:g} patients is {row[f'{arm}_value']} %"


#: Months at which trials quote a rate; others are rarer than slips.
TIMEPOINTS = {3, 6, 9, 12, 18, 24, 30, 36, 38, 42, 48, 54, 60, 72, 84, 96, 108, 120, 132, 144, 180}


def timepoint_is_usual(row: Row) -> Found:
    """Rates are quoted at round times, and not at more than twice the median follow-up."""
    at, follow = _number(row, "timepoint"), _number(row, "median_followup")
    if at is not None and at not in TIMEPOINTS:
        yield "timepoint", "not a time at which trials quote rates"
    if at is not None and follow is not None and at > 2 * follow:
        yield "timepoint", f"more than twice the median follow-up of {follow:g} months"


def significance_fits_interval(row: Row) -> Found:
    """Superiority that was met leaves no effect outside the interval."""
    bottom, top = (_number(row, c) for c in ("ci_low", "ci_high"))
    null = 1 if row["effect_measure"] in LOG_SCALE else 0
    if row["significance_met"] == "met" and not row["ni_margin"] and None not in (bottom, top) and bottom < null < top:
        yield "significance_met", f"met though the interval {bottom:g} to {top:g} holds no effect"


def percent_fits_counts(row: Row) -> Found:
    """Percentage, events and patients of a harm fit each other; without events the percentage is still of whole patients."""
    count, n, percent = (_number(row, c) for c in ("n_events", "n_patients", "percent"))
    if None not in (count, n, percent) and n > 0:
        if count > n:
            yield "n_events", f"more events than the {n:g} patients"
        elif abs(100 * count / n - percent) > _half_unit(row["percent"]) + 0.05:
            yield "percent", f"is not {count:g} of {n:g}"
    elif n and n > 0 and percent is not None and not _whole(row["percent"], n):
        yield "percent", f"no whole number of {n:g} patients is {row['percent']} %"


def level_fits_design(row: Row) -> Found:
    """A randomised trial has level and arms to match."""
    if (row["level"] == "randomised") != (row["randomised"] == "true"):
        yield "level", f"{row['level']!r} though randomised is {row['randomised']!r}"
    if row["randomised"] == "true" and len(row["arms"].split("|")) < 2:
        yield "randomised", "a randomised trial has two arms or more"


JURISDICTIONS = {"FDA": "United States", "EC": "European Union", "NMPA": "China", "PMDA": "Japan", "MHRA": "United Kingdom", "other": "other"}


def jurisdiction_fits_agency(row: Row) -> Found:
    """Each authority licenses for one place."""
    if JURISDICTIONS.get(row["agency"]) != row["jurisdiction"]:
        yield "jurisdiction", f"not that of {row['agency']}"


def decided_before_read(row: Row) -> Found:
    """A licence is granted before it is read of, and its status read in between."""
    if row["date"][:10] > row["checked_on"]:
        yield "date", f"after the check on {row['checked_on']}"
    if row["status_on"] and not row["date"] <= row["status_on"] <= max(row["checked_on"], row["second_checked_on"]):
        yield "status_on", "lies between the decision and the check"


def key_says_agent_agency_date(row: Row) -> Found:
    """The key of a licence repeats what it licenses: a slip in either shows."""
    if not row["id"].startswith(row["agent"] + "-"):
        yield "agent", f"the key {row['id']!r} starts otherwise"
    for column, part in (("agency", f"-{row['agency'].lower()}-"), ("date", row["date"])):
        if part not in row["id"]:
            yield column, f"not found in the key {row['id']!r}"


PARTED = {"antibody-drug conjugate", "immunotoxin", "nanotherapy"}
BINDING = {"tyrosine kinase inhibitor", "other kinase inhibitor", "PI3K inhibitor", "AKT inhibitor", "CDK4/6 inhibitor"}


def parts_fit_class(row: Row) -> Found:
    """Payload, linker and ratio belong to conjugates, reversibility to kinase inhibitors."""
    for column in ("payload", "linker", "dar"):
        if row[column] and row["class"] not in PARTED:
            yield column, f"filled though the class is {row['class']!r}"
    if row["class"] == "antibody-drug conjugate" and not row["payload"]:
        yield "payload", "a conjugate has a payload"
    if row["reversibility"] and row["class"] not in BINDING:
        yield "reversibility", f"filled though the class is {row['class']!r}"
    if (_number(row, "dar") or 2) > 8 or (_number(row, "dar") or 2) < 1:
        yield "dar", "between 1 and 8 for every conjugate so far"


def effect_is_whole(row: Row) -> Found:
    """An effect has its measure and lies in its interval, which names its level; a p value has its operator; percentages are such."""
    measured = row["effect_measure"] not in {"", "none"}
    if measured != bool(row["effect"]):
        yield "effect", f"{row['effect'] or 'empty'!r} though effect_measure is {row['effect_measure']!r}"
    mid, low, high = (_number(row, c) for c in ("effect", "ci_low", "ci_high"))
    if (low is not None and mid is not None and mid < low) or (high is not None and mid is not None and mid > high):
        yield "effect", f"outside its interval {row['ci_low']} to {row['ci_high']}"
    if bool(row["ci_low"] or row["ci_high"]) != bool(row["ci_level"]):
        yield "ci_level", "an interval and its level go together"
    if bool(row["p_operator"]) != bool(row["p_value"]):
        yield "p_value", "p_operator and p_value are given together or not at all"
    values = [value for value in (_number(row, c) for c in ("value_with", "value_without")) if value is not None]
    if values and not row["unit"]:
        yield "unit", "a value needs its unit"
    if row["unit"] == "%" and any(not 0 <= value <= 100 for value in values):
        yield "value_with", "a percentage lies between 0 and 100"


def role_fits_design(row: Row) -> Found:
    """Prediction needs patients who were treated and others who were not; cells have neither prognosis nor prediction."""
    if row["level"] == "preclinical" and row["role"] not in {"not applicable", "untested"}:
        yield "role", f"{row['role']!r} though the level is 'preclinical'"
    if "predictive" in row["role"] and row["design"] in {"single-arm trial", "case series", "case report", "cohort"}:
        yield "role", f"a {row['design']} cannot tell prediction from prognosis"


LABORATORY = {"xenograft", "cell line", "biochemistry", "computation"}


def design_fits_level(row: Row) -> Found:
    """What was found in cells, animals or by computation is preclinical; what was found in patients is not."""
    if (row["design"] in LABORATORY) != (row["level"] == "preclinical"):
        yield "level", f"{row['level']!r} though the design is {row['design']!r}"


def answers_have_a_fate(row: Row) -> Found:
    """A counter-strategy says what became of it; what was merely observed has no fate."""
    if (row["relation"] == "counter-strategy") != bool(row["fate"]):
        yield "fate", f"{row['fate'] or 'empty'!r} though the relation is {row['relation']!r}"


def key_is_the_symbol(row: Row) -> Found:
    """The key of a gene is its symbol."""
    if row["id"] != row["symbol"].lower():
        yield "id", f"not the symbol {row['symbol']!r} in small letters"


def residue_is_that_of_the_name(row: Row) -> Found:
    """The residue is a number of the HGVS name: insertions have several."""
    numbers = re.findall(r"\d+", row["hgvs"])
    if numbers and row["residue"] and row["residue"] not in numbers:
        yield "residue", f"not that of {row['hgvs']!r}"


#: What may be said of each property; other properties are free text.
STATES = {
    "ER": {"positive", "negative", "low"}, "PR": {"positive", "negative", "low"}, "trastuzumab": {"sensitive", "intermediate", "resistant"},
    "lapatinib": {"sensitive", "intermediate", "resistant"}, "other drug": {"sensitive", "intermediate", "resistant"},
}  # fmt: skip


def state_fits_property(row: Row) -> Found:
    """Receptors are positive or negative, responses sensitive, intermediate or resistant; a drug is named where none is implied."""
    if row["property"] in STATES and row["state"] not in STATES[row["property"]]:
        yield "state", f"one of {', '.join(sorted(STATES[row['property']]))} is expected for {row['property']!r}"
    if (row["property"] == "other drug") != bool(row["agent"]):
        yield "agent", f"{row['agent'] or 'empty'!r} though the property is {row['property']!r}"
    if bool(row["value"]) != bool(row["unit"]):
        yield "unit", "a value and its unit go together"


#: Parts of the unit that a parameter must have.
UNITS = {
    "clearance": ("/d", "/h", "/min", "/day"), "central volume": ("L", "mL"), "peripheral volume": ("L", "mL"), "volume of distribution": ("L", "mL"),
    "half-life": ("day", "hour", "h", "d", "week"), "bioavailability": ("%", "fraction", "ratio"), "intercompartmental clearance": ("/d", "/h", "/min", "/day"),
}  # fmt: skip


def unit_fits_parameter(row: Row) -> Found:
    """A clearance is a volume in a time, a volume is one, a half-life is a time; and none is negative."""
    wanted = UNITS.get(row["parameter"])
    if wanted and not any(part in row["unit"] for part in wanted):
        yield "unit", f"not one of a {row['parameter']}"
    value = _number(row, "value")
    if value is not None and value <= 0 and row["parameter"] not in {"covariate effect", "other"}:
        yield "value", "above 0"


def comparison_is_whole(row: Row) -> Found:
    """An effect has its measure, its comparison group, and lies in its interval."""
    measured = row["effect_measure"] not in {"", "none"}
    if measured != bool(row["effect"]) or (measured and not row["comparison"]):
        yield "effect", "an effect, its measure and its comparison group go together"
    mid, low, high = (_number(row, c) for c in ("effect", "effect_low", "effect_high"))
    if None not in (mid, low, high) and not low <= mid <= high:
        yield "effect", f"outside its interval {row['effect_low']} to {row['effect_high']}"


ROW_RULES: dict[str, list[Callable[[Row], Found]]] = {
    "trial_results": [
        effect_stands_where_it_belongs, intervals_hold_their_estimates, interval_is_centred, interval_agrees_with_p, interval_fits_events,
        p_is_complete, states_match_values, ratio_and_values_agree, medians_fit_ratio, rates_fit_ratio, effect_fits_shares,
        arm_interval_fits_n, arm_interval_is_plausible, share_is_of_whole_patients, percentages_are_percentages, timepoint_is_usual,
        endpoint_fits_family, level_fits_arms, shown_p_is_round, share_fits_events,
        counts_fit, significance_needs_a_p, significance_fits_interval, checked_in_order,
    ],
    "her2_testing": [interval_holds_value, checked_in_order],
    "trials": [level_fits_design, checked_in_order],
    "agents": [parts_fit_class, checked_in_order],
    "approvals": [jurisdiction_fits_agency, decided_before_read, key_says_agent_agency_date, checked_in_order],
    "adverse_events": [percent_fits_counts, role_fits_level, checked_in_order],
    "mechanism_evidence": [effect_is_whole, interval_is_centred, interval_agrees_with_p, role_fits_design, design_fits_level, checked_in_order],
    "biomarkers": [effect_is_whole, interval_is_centred, interval_agrees_with_p, role_fits_design, design_fits_level, checked_in_order],
    "mechanism_agents": [answers_have_a_fate, role_fits_design, design_fits_level, checked_in_order],
    "variants": [residue_is_that_of_the_name, checked_in_order], "variant_sensitivity": [checked_in_order],
    "genes": [key_is_the_symbol, checked_in_order], "cell_line_findings": [state_fits_property, checked_in_order],
    "pharmacokinetics": [interval_holds_value, unit_fits_parameter, checked_in_order],
    "epidemiology": [interval_holds_value, comparison_is_whole, checked_in_order],
    **{name: [checked_in_order] for name in ("mechanisms", "glossary", "signalling", "cell_lines", "network_conditions", "label_actions", "recommendations", "patient_reported", "receptor_domains", "receptor_forms", "reviews")},
}  # fmt: skip


# --- rules that need the rows beside a row, or other tables

Place = tuple[str, int, Row, str, str]  # table, line, row, column, rule
OF_A_TRIAL = ("trial_results", "adverse_events", "patient_reported")
#: Sources that report one trial; labels, reviews and web pages report several.
ONE_TRIAL = {"article", "congress report", "press release", "registry"}


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split("|") if part.strip()]


def _squash(text: str) -> str:
    return re.sub("[^a-z0-9]", "", text.lower())


def _by_id(content: Iterable[tuple[int, Row]]) -> dict[str, Row]:
    return {row["id"]: row for _, row in content}


def _lonely(content: Iterable[tuple[int, Row]], group: Callable[[Row], object], column: str) -> Iterator[tuple[int, Row, str]]:
    """Rows whose value stands alone in a group that has others: line, row, the usual value."""
    groups: dict[object, list[tuple[int, Row]]] = defaultdict(list)
    for line, row in content:
        if row[column]:
            groups[group(row)].append((line, row))
    for members in groups.values():
        counts = Counter(row[column] for _, row in members)
        if len(counts) > 1:
            for line, row in members:
                if counts[row[column]] == 1:
                    yield line, row, next(value for value, _ in counts.most_common() if value != row[column])


def arms_within_trial(rows: Rows) -> Iterator[Place]:
    """The arms of a comparison are no larger than the trial; those of all randomised patients are nearly the whole of it."""
    trials = _by_id(rows["trials"])
    for line, row in rows["trial_results"]:
        trial = trials.get(row["trial"], {})
        size = _number(trial, "n_enrolled")
        arms = [_number(row, c) or 0 for c in ("n_experimental", "n_control")]
        if size is None:
            continue
        if sum(arms) > size:
            yield "trial_results", line, row, "n_experimental", f"arms sum to {sum(arms):g}, above the {size:g} enrolled"
        if row["population"] == "ITT" and all(arms) and len(_split(trial["arms"])) == 2 and sum(arms) < 0.95 * size:
            yield "trial_results", line, row, "n_experimental", f"all randomised are {sum(arms):g}, far below the {size:g} enrolled"


def level_of_result_fits_trial(rows: Rows) -> Iterator[Place]:
    """Only a randomised trial has randomised results."""
    trials = _by_id(rows["trials"])
    for line, row in rows["trial_results"]:
        if row["level"] == "randomised" and trials.get(row["trial"], {}).get("randomised") == "false":
            yield "trial_results", line, row, "level", "the trial is not randomised"


def references_are_used(rows: Rows) -> Iterator[Place]:
    """Every source carries a row."""
    used = {row["reference"] for name, content in rows.items() if name != "references" for _, row in content if "reference" in row}
    for line, row in rows["references"]:
        if row["id"] not in used:
            yield "references", line, row, "id", "no row uses this reference"


def key_begins_with_trial(rows: Rows) -> Iterator[Place]:
    """The key of a result or harm starts as its trial's does, and as no other trial's does better."""
    trials = sorted((row["id"] for _, row in rows["trials"]), key=len, reverse=True)
    for name in ("trial_results", "adverse_events"):
        for line, row in rows[name]:
            best = next((key for key in trials if row["id"].startswith(key + "-")), row["trial"])
            if best != row["trial"] or row["id"].split("-")[0] != row["trial"].split("-")[0]:
                yield name, line, row, "trial", f"the key {row['id']!r} is not one of this trial"


def key_is_made_of_name(rows: Rows) -> Iterator[Place]:
    """The words of a trial's or a drug's key are found in what else the row says of it."""
    for name, columns in (("trials", ("name", "aliases", "nct", "other_ids", "population", "arms", "agents", "reference")), ("agents", ("name", "short_name", "aliases"))):
        for line, row in rows[name]:
            text = _squash("".join([*(row[column] for column in columns), "phase", row.get("phase", "")]))
            missing = [word for word in row["id"].split("-") if word not in text]
            if missing:
                yield name, line, row, "id", f"{' and '.join(missing)!r}: not found in the names of the row"


def _slips(word: str) -> set[str]:
    """Words from which this one arises by doubling a letter or by exchanging two neighbours."""
    dropped = {word[:i] + word[i + 1 :] for i in range(len(word))}
    return dropped | {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}


def key_is_spelt(rows: Rows) -> Iterator[Place]:
    """A word that stands in one key only, one slip of the pen from a word of other keys, is that word misspelt."""
    names = ("trial_results", "adverse_events")
    counts = Counter(word for name in names for _, row in rows[name] for word in set(row["id"].split("-")))
    known = {word for word, count in counts.items() if count > 2 and len(word) > 3 and not word.isdigit()} | {"pfs", "dfs", "efs", "orr", "pcr", "any"}
    parts = known | {word for word, count in counts.items() if count > 2 and len(word) == 4 and word.isdigit()}
    shortened = {word[:i] + word[i + 1 :]: word for word in known for i in range(len(word))}
    for name in names:
        for line, row in rows[name]:
            for word in row["id"].split("-"):
                if counts[word] > 1 or len(word) < 3 or word.isdigit() or word in row["trial"]:
                    continue
                near = (_slips(word) & known) | {shortened.get(word, "")} - {""}
                near |= {f"{word[:i]}-{word[i:]}" for i in range(3, len(word) - 2) if {word[:i], word[i:]} <= parts}
                if near:
                    yield name, line, row, "id", f"{word!r} stands in no other key: {min(near)!r} is meant?"


def year_in_key_fits(rows: Rows) -> Iterator[Place]:
    """A year in a key is that of the data cut or of the source; data are cut up to five years before their source appears."""
    sources = _by_id(rows["references"])
    for name in ("trial_results", "adverse_events"):
        for line, row in rows[name]:
            source = sources.get(row["reference"])
            odd = [word for word in row["id"].removeprefix(row["trial"]).split("-") if re.fullmatch(r"\d{3,}", word) and not re.fullmatch(r"(19|20)\d\d", word)]
            if any(word not in row["population"] + row["endpoint"] + row["note"] for word in odd if name == "trial_results"):
                yield name, line, row, "id", f"{' and '.join(odd)}: neither a year nor a number of the row"
            years = re.findall(r"-((?:19|20)\d\d)(?=-|$)", row["id"].removeprefix(row["trial"]))
            if source is None or not source["year"].isdigit():
                continue
            cut, printed, own = row["data_cut"][:4], int(source["year"]), source["kind"] in ONE_TRIAL
            if years and own and not printed - 3 <= int(years[-1]) <= printed:
                yield name, line, row, "reference", f"a source of {printed} for a key of {years[-1]}"
            if years and cut and years[-1] not in {cut, source["year"]}:
                yield name, line, row, "data_cut", f"neither the cut nor the source is of {years[-1]}, as the key says"
            if cut.isdigit() and (int(cut) > printed or (own and int(cut) < printed - 5)):
                yield name, line, row, "data_cut", f"does not fit a source of {printed}"


def data_cuts_agree(rows: Rows) -> Iterator[Place]:
    """One source of a trial has one data cut, unless several rows name another; two cuts of a trial lie months apart."""
    content = [(name, line, row) for name in ("trial_results", "adverse_events") for line, row in rows[name]]
    tables_of = {id(row): name for name, _, row in content}
    plain = [(line, row) for _, line, row in content]
    for line, row, usual in _lonely(plain, lambda row: (row["trial"], row["reference"]), "data_cut"):
        yield tables_of[id(row)], line, row, "data_cut", f"other rows of this source have {usual}"
    days: dict[str, Counter] = defaultdict(Counter)
    for _, row in plain:
        if len(row["data_cut"]) >= 7:
            days[row["trial"]][row["data_cut"]] += 1
    for line, row in plain:
        mine = _day(row["data_cut"])
        for other, count in days[row["trial"]].items() if mine else ():
            near = other != row["data_cut"] and (day := _day(other)) and abs((mine - day).days) <= 45
            if near and count >= days[row["trial"]][row["data_cut"]]:
                yield tables_of[id(row)], line, row, "data_cut", f"another row of this trial has {other}"


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text if len(text) == 10 else f"{text}-15") if len(text) >= 7 else None
    except ValueError:
        return None


def dates_exist(rows: Rows) -> Iterator[Place]:
    """Dates that may lack day or month are dates all the same: none of the 31st of February, none after the check."""
    for name, content in rows.items():
        for column in ("data_cut", "date"):
            for line, row in content:
                text = row.get(column, "")
                if text and ((len(text) >= 7 and _day(text) is None) or text > row["checked_on"]):
                    yield name, line, row, column, "no such day, or one after the check"


def checks_come_in_company(rows: Rows) -> Iterator[Place]:
    """A day of checking on which nothing else was read, not even the source, is a slip of the pen."""
    columns = ("checked_on", "second_checked_on")
    days = Counter(row[c] for content in rows.values() for _, row in content for c in columns if row.get(c))
    for name, content in rows.items():
        for line, row in content:
            for column in columns:
                if row.get(column) and days[row[column]] == 1:
                    yield name, line, row, column, "nothing else of the package was read on this day"


def source_serves_one_trial(rows: Rows) -> Iterator[Place]:
    """An article reports one trial; where rows of two name it, those of the rarer are wrong."""
    sources = _by_id(rows["references"])
    uses = [(name, line, row, row["id"] if name == "trials" else row["trial"]) for name in ("trials", *OF_A_TRIAL) for line, row in rows[name]]
    counts: dict[str, Counter] = defaultdict(Counter)
    for _, _, row, trial in uses:
        if sources.get(row["reference"], {}).get("kind") in ONE_TRIAL:
            counts[row["reference"]][trial] += 1
    for name, line, row, trial in uses:
        mine = counts.get(row["reference"])
        if mine and len(mine) > 1 and mine[trial] <= min(mine.values()):
            yield name, line, row, "reference", f"reports {mine.most_common(1)[0][0]!r}"


def source_speaks_of_trial(rows: Rows) -> Iterator[Place]:
    """A source names the trial or one of its drugs in title or key, or is the one that describes the trial; reviews list many."""
    sources, agents, trials = (_by_id(rows[name]) for name in ("references", "agents", "trials"))
    words: dict[str, set[str]] = {}
    for key, trial in trials.items():
        given = [key, trial["name"], trial["nct"], *_split(trial["aliases"]), *_split(trial["other_ids"])]
        drugs = [name for agent in _split(trial["agents"]) if agent in agents for name in _names(agents[agent])]
        words[key] = {word for word in [*map(_squash, given), *drugs] if len(word) > 2}
    texts = {key: _squash(" ".join(source[c] for c in ("id", "title", "identifier", "nct", "note", "url"))) for key, source in sources.items()}
    for name in ("trials", *OF_A_TRIAL):
        for line, row in rows[name]:
            key, source = row["id"] if name == "trials" else row["trial"], sources.get(row["reference"])
            if source is None or key not in trials or source["kind"] == "review" or (name != "trials" and trials[key]["reference"] == row["reference"]):
                continue
            if not any(word in texts[row["reference"]] for word in words[key]):
                yield name, line, row, "reference", f"names neither {key!r} nor its drugs"


#: First year in which registry numbers of each million were given out.
REGISTERED = {1: 2009, 2: 2013, 3: 2016, 4: 2019, 5: 2021, 6: 2023, 7: 2025}


def registered_before_published(rows: Rows) -> Iterator[Place]:
    """Registry numbers are given out in order: none is younger than the first article of its trial."""
    sources = _by_id(rows["references"])
    first: dict[str, int] = {}
    for name in ("trials", *OF_A_TRIAL):
        for _, row in rows[name]:
            key, source = row["id"] if name == "trials" else row["trial"], sources.get(row["reference"], {})
            if source.get("kind") in {"article", "congress report"} and source["year"].isdigit():
                first[key] = min(first.get(key, 9999), int(source["year"]))
    for line, row in rows["trials"]:
        million = row["nct"][3:5]
        if million.isdigit() and REGISTERED.get(int(million), 0 if int(million) < 8 else 9999) > first.get(row["id"], 9998):
            yield "trials", line, row, "nct", f"given out after the first report of {first.get(row['id'])}"


def survival_outlasts_progression(rows: Rows) -> Iterator[Place]:
    """In one arm and population, overall survival is no shorter than survival without an event."""
    best: dict[tuple, float] = {}
    for family in ("OS", "PFS"):
        for line, row in rows["trial_results"]:
            if row["statistic"] not in {"median", "rate at timepoint"} or (row["endpoint_family"] == "OS") != (family == "OS"):
                continue
            if family == "PFS" and row["endpoint_family"] not in {"PFS", "DFS", "IDFS", "EFS", "RFS", "TTP"}:
                continue
            for arm in ("experimental", "control"):
                value = _number(row, f"{arm}_value")
                place = tuple(row[c] for c in ("trial", f"{arm}_arm", "population", "statistic", "timepoint", "unit"))
                if value is None:
                    continue
                if family == "OS":
                    best[place] = min(value, best.get(place, value))
                elif value > best.get(place, value):
                    yield "trial_results", line, row, f"{arm}_value", f"above the overall survival of {best[place]:g} in this arm"


def sizes_agree(rows: Rows) -> Iterator[Place]:
    """One arm and population of a trial has one n, and one source one median follow-up; a lonely other value is a slip."""
    for arm in ("experimental", "control"):
        for line, row, usual in _lonely(rows["trial_results"], lambda row, arm=arm: (row["trial"], row[f"{arm}_arm"], row["population"]), f"n_{arm}"):
            yield "trial_results", line, row, f"n_{arm}", f"other rows of this arm and population have {usual}"
    for line, row, usual in _lonely(rows["trial_results"], lambda row: (row["trial"], row["reference"]), "median_followup"):
        yield "trial_results", line, row, "median_followup", f"other rows of this source have {usual}"
    for line, row, usual in _lonely(rows["adverse_events"], lambda row: (row["trial"], row["arm"], row["reference"]), "n_patients"):
        yield "adverse_events", line, row, "n_patients", f"other rows of this arm have {usual}"


def harms_agree(rows: Rows) -> Iterator[Place]:
    """An arm has one role, an event one organ, and a graver grade is no more frequent than the milder ones that include it."""
    for column, group in (("arm_role", lambda row: (row["trial"], row["arm"])), ("organ", lambda row: row["event"])):
        for line, row, usual in _lonely(rows["adverse_events"], group, column):
            yield "adverse_events", line, row, column, f"other rows have {usual!r}"
    groups: dict[tuple, list[tuple[int, Row]]] = defaultdict(list)
    for line, row in rows["adverse_events"]:
        groups[tuple(row[c] for c in ("trial", "arm", "event", "attribution", "data_cut", "reference"))].append((line, row))
    for members in groups.values():
        for line, row in members:
            for _, wider in members:
                mine, all_of = _number(row, "percent"), _number(wider, "percent")
                if row["grade"] in INCLUDES.get(wider["grade"], ()) and None not in (mine, all_of) and mine > all_of + 0.05:
                    yield "adverse_events", line, row, "percent", f"above the {all_of:g} % of grade {wider['grade']!r}"


#: Grades that a wider one includes.
INCLUDES = {
    "any": {"1-2", "2+", "3", "3-4", "3+", "4", "5", "serious", "leading to stop"}, "2+": {"3", "3-4", "3+", "4", "5"},
    "3+": {"3", "3-4", "4", "5"}, "3-4": {"3", "4"},
}  # fmt: skip


def agents_are_known_and_named(rows: Rows) -> Iterator[Place]:
    """Each drug that a trial or guideline lists is in the agents table, and the trial's own words name it."""
    agents = _by_id(rows["agents"])
    for name in ("trials", "recommendations"):
        for line, row in rows[name]:
            text = _squash(" ".join(row.get(c, "") for c in ("name", "aliases", "arms", "population", "primary_endpoint", "prior_therapies", "status_note", "note")))
            for key in _split(row["agents"]):
                if key not in agents:
                    yield name, line, row, "agents", f"{key!r} is not in the agents table"
                elif name == "trials" and not any(word in text for word in _names(agents[key])):
                    yield name, line, row, "agents", f"{key!r} is not named in the row's own words"


def _names(agent: Row) -> set[str]:
    """Names of a drug, squashed: letters and digits only."""
    given = [agent["id"], agent["name"], agent["short_name"], *_split(agent["aliases"]), *_split(agent["brands"])]
    return {_squash(name) for name in given if name}


def approvals_fit_agent_and_trial(rows: Rows) -> Iterator[Place]:
    """The drug of a licence was tested in its trial, has its brand, and is named by its source."""
    agents, trials, sources = (_by_id(rows[name]) for name in ("agents", "trials", "references"))
    for line, row in rows["approvals"]:
        agent, trial, source = agents.get(row["agent"]), trials.get(row["basis_trial"]), sources.get(row["reference"])
        if agent is None:
            continue
        if trial and not any(row["agent"].split("-")[0] == key.split("-")[0] for key in _split(trial["agents"])):
            yield "approvals", line, row, "basis_trial", f"did not test {row['agent']!r}"
        if row["brand"] and agent["brands"] and not any(brand.strip() in _split(agent["brands"]) for brand in re.split(r"[|,/]", row["brand"])):
            yield "approvals", line, row, "brand", f"not among the brands {agent['brands']!r}"
        if source:
            text = _squash(" ".join(source[c] for c in ("id", "title", "identifier", "note")))
            if not any(name in text for name in _names(agent)):
                yield "approvals", line, row, "reference", f"does not name {row['agent']!r}"


def genes_have_their_symbols(rows: Rows) -> Iterator[Place]:
    """A gene that a mechanism names stands under its approved symbol, never under an older or a protein's name."""
    known = {row["symbol"] for _, row in rows["genes"]}
    other = {alias: row["symbol"] for _, row in rows["genes"] for alias in _split(row["aliases"])}
    for line, row in rows["mechanisms"]:
        for symbol in _split(row["genes"]):
            if symbol not in known and symbol in other:
                yield "mechanisms", line, row, "genes", f"{symbol!r} is approved as {other[symbol]!r}"
            elif not re.fullmatch(r"[A-Z][A-Z0-9-]*(?:orf[0-9]+)?", symbol):
                yield "mechanisms", line, row, "genes", f"{symbol!r} is no gene symbol"


def lists_hold_known_keys(rows: Rows) -> Iterator[Place]:
    """Cells that list several keys list known ones: reviews, classes of mechanism, lines of one donor."""
    known = {
        "named_in": {row["label"] for _, row in rows["reviews"]}, "answers": {row["class"] for _, row in rows["mechanisms"]},
        "same_donor": {row["id"] for _, row in rows["cell_lines"]},
    }  # fmt: skip
    for name, column in (("mechanisms", "named_in"), ("agents", "named_in"), ("agents", "answers"), ("cell_lines", "same_donor")):
        for line, row in rows[name]:
            for key in _split(row[column]):
                if key not in known[column]:
                    yield name, line, row, column, f"{key!r} is not known"


def variant_lies_in_its_domain(rows: Rows) -> Iterator[Place]:
    """A variant's residue lies between the ends of its domain, where the domains table has them."""
    ends = {row["name"]: (_number(row, "first_residue"), _number(row, "last_residue")) for _, row in rows["receptor_domains"]}
    outer = next((pair for name, pair in ends.items() if "extracellular" in name.lower() or "outer" in name.lower()), (None, None))
    for line, row in rows["variants"]:
        first, last = ends.get(row["domain"]) or next((pair for name, pair in ends.items() if row["domain"] in name.lower()), (None, None))
        if row["domain"].startswith("domain "):
            first, last = outer
        residue = _number(row, "residue")
        if None not in (first, last, residue) and not first <= residue <= last:
            yield "variants", line, row, "domain", f"residue {residue:g} is not between {first:g} and {last:g}"


def terms_have_one_meaning(rows: Rows) -> Iterator[Place]:
    """A term, abbreviation or other form stands in one row of the glossary."""
    owner: dict[str, str] = {}
    for line, row in rows["glossary"]:
        for name in [row["term"], row["abbreviation"], *_split(row["aliases"])]:
            if name and owner.setdefault(name.lower(), row["id"]) != row["id"]:
                yield "glossary", line, row, "aliases", f"{name!r} is also a form of {owner[name.lower()]!r}"


def conditions_name_known_nodes(rows: Rows) -> Iterator[Place]:
    """Published conditions speak of nodes that the network has, and hold off none that is on."""
    for line, row in rows["network_conditions"]:
        off = set(_split(row["nodes_off"]))
        for state in row["stable_states"].split("|"):
            if off & set(state.split()):
                yield "network_conditions", line, row, "stable_states", f"{', '.join(sorted(off & set(state.split())))} is on though it is held off"


def figure_stands_once(rows: Rows) -> Iterator[Place]:
    """A marker's figure stands in one table: the same source, endpoint and effect are not entered twice."""
    def key(row: Row) -> tuple:
        return tuple(row[c] for c in ("reference", "effect_measure", "effect", "ci_low", "ci_high", "value_with", "value_without"))

    seen = {key(row) for _, row in rows["mechanism_evidence"] if row["effect"] or row["value_with"]}
    for line, row in rows["biomarkers"]:
        if (row["effect"] or row["value_with"]) and key(row) in seen:
            yield "biomarkers", line, row, "effect", "the same figure of the same source stands in mechanism_evidence"


CROSS_RULES: list[Callable[[Rows], Iterator[Place]]] = [
    arms_within_trial, level_of_result_fits_trial, references_are_used, key_begins_with_trial, key_is_made_of_name, key_is_spelt, year_in_key_fits,
    data_cuts_agree, dates_exist, checks_come_in_company, source_serves_one_trial, source_speaks_of_trial, registered_before_published,
    survival_outlasts_progression, sizes_agree, harms_agree, agents_are_known_and_named,
    approvals_fit_agent_and_trial, genes_have_their_symbols, lists_hold_known_keys, variant_lies_in_its_domain, conditions_name_known_nodes, figure_stands_once, terms_have_one_meaning,
]  # fmt: skip


def _rows(path: Path) -> list[tuple[int, Row]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return [(number, {k: v or "" for k, v in row.items() if k}) for number, row in enumerate(csv.DictReader(handle), start=2)]


def read(root: Path) -> Rows:
    """All tables as text, with the line of each row; a missing file is an empty table."""
    paths = {entry["name"]: root / entry["path"] for entry in tables.descriptor(root)["resources"] if "schema" in entry}
    return {name: _rows(path) if path.is_file() else [] for name, path in paths.items()}


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


def row_faults(name: str, row: Row, line: int = 0) -> Iterator[tuple[str, Fault]]:
    """What the rules of its table say of one row: the rule's name and the fault."""
    for rule in ROW_RULES.get(name, ()):
        for column, text in rule(row):
            yield rule.__name__, Fault(f"{name}.csv", line, column, row.get(column, ""), f"{text} [{rule.__name__}]")


def cross_faults(rows: Rows) -> Iterator[tuple[str, str, Fault]]:
    """What the rules across rows say: the rule's name, the key of the row, and the fault."""
    for rule in CROSS_RULES:
        for name, line, row, column, text in rule(rows):
            yield rule.__name__, row.get("id", ""), Fault(f"{name}.csv", line, column, row.get(column, ""), f"{text} [{rule.__name__}]")


def consistency_faults(rows: Rows, excused: set[tuple[str, str, str]]) -> Iterator[Fault]:
    """Faults of all rules but the schema's, without those that ``excused`` holds (table, key, rule)."""
    found = [(rule, row.get("id", ""), fault) for name, content in rows.items() for line, row in content for rule, fault in row_faults(name, row, line)]
    used = set()
    for rule, key, fault in [*found, *cross_faults(rows)]:
        place = (fault.file.removesuffix(".csv"), key, rule)
        if place in excused:
            used.add(place)
        else:
            yield fault
    for name, key, rule in sorted(excused - used):
        yield Fault("exceptions.csv", 0, "rule", f"{name} {key}", f"{rule}: no longer needed, take it out")


def validate(root: Path | None = None) -> list[Fault]:
    """All faults of the data package under ``root`` (default: the one that ``her2`` loads), in file order."""
    root = Path(root) if root else tables.package_root()
    return sorted([*_schema_faults(root), *consistency_faults(read(root), _exceptions(root))])


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
