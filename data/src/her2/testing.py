"""HER2 testing: the ASCO/CAP algorithm of 2018 (affirmed in 2023) and the labels that treatment builds on it.

Every threshold is read from the table ``her2_testing``. Follows Wolff 2018 (figures of the guideline: IHC,
single-probe ISH, dual-probe ISH, and the work-up of ISH groups 2, 3 and 4), which Wolff 2023 left unchanged.

For teaching: a laboratory also weighs histology, controls and validation, which no function sees.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from . import tables

POSITIVE, NEGATIVE = "positive", "negative"
NEEDS_IHC, NEEDS_ISH = "needs IHC", "needs ISH"
NEEDS_RECOUNT, NEEDS_ADJUDICATION = "needs recount", "needs adjudication"

#: Scores that a report may carry.
SCORES = ("0", "1+", "2+", "3+")

#: Staining patterns of the guideline, from none to the strongest.
PATTERNS = ("none", "faint incomplete", "moderate incomplete", "weak to moderate complete", "intense complete")


class Criteria(NamedTuple):
    """Thresholds of the guideline; each field is a value of the column ``quantity`` of the table ``her2_testing``."""

    ihc3_percent: float  #: intense complete staining in more than this percentage of cells is 3+
    ihc2_percent: float  #: weak to moderate complete staining in more than this percentage is 2+
    ihc1_percent: float  #: faint incomplete staining in more than this percentage is 1+
    ultralow_percent_max: float  #: faint incomplete staining up to this percentage is still IHC 0
    dual_ratio: float  #: HER2/CEP17 ratio from which dual-probe ISH counts as raised
    copies_low: float  #: mean HER2 copies per nucleus, dual probe: low cut
    copies_high: float  #: the same: high cut
    single_negative_below: float  #: mean HER2 copies per nucleus, single probe: negative below
    single_positive_from: float  #: the same: positive from here
    recount_cells: float  #: nuclei that the second observer counts, at least


@cache
def criteria() -> Criteria:
    """Thresholds of the algorithm, read once from the table.

    Raises
    ------
    DataError if the table lacks one of them, or holds it twice with different values.
    """
    frame = tables.load("her2_testing")
    frame = frame[frame["topic"].isin(["criterion", "category"]) & frame["value"].notna()]
    found = {}
    for name in Criteria._fields:
        values = frame.loc[frame["quantity"] == name, "value"].unique()
        if len(values) != 1:
            raise tables.DataError(
                f"table 'her2_testing': criterion {name!r} has {len(values)} values, needs exactly one"
            )
        found[name] = float(values[0])
    return Criteria(**found)


class Call(NamedTuple):
    """Where a tumour stands in the algorithm.

    ``result`` is positive, negative, needs IHC, needs ISH, needs recount or needs adjudication; ``group`` is the
    ISH group (1 to 5) or None; ``reason`` says why, ``next_step`` what remains to be done.
    """

    result: str
    group: int | None
    reason: str
    next_step: str

    @property
    def final(self) -> bool:
        """Whether a report can be issued."""
        return self.result in (POSITIVE, NEGATIVE)

    def report(self) -> str:
        """The result for the report; ValueError, saying what is missing, while there is none."""
        if not self.final:
            raise ValueError(f"no result can be issued: {self.result}; {self.next_step}")
        return self.result


# --- input ------------------------------------------------------------------------------------------------------------


def _missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _number(name: str, value: object, low: float = 0.0, high: float = math.inf) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number, not {value!r}") from None
    if isinstance(value, bool) or not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, not {value!r}")
    if not low <= number <= high:
        limits = f"between {low:g} and {high:g}" if math.isfinite(high) else f"{low:g} or more"
        raise ValueError(f"{name} must be {limits}, not {number:g}")
    return number


def _score(value: object) -> str:
    """IHC score as 0, 1+, 2+ or 3+; whole numbers 0 to 3 and the texts '1' to '3' are understood too."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = "" if isinstance(value, bool) else str(value).strip()
    for score in SCORES:
        if text in (score, score.rstrip("+")):
            return score
    raise ValueError(f"IHC score must be one of {', '.join(SCORES)}, not {value!r}")


def _dual(copies: object, ratio: object, cep17: object) -> tuple[float, float]:
    """Ratio and mean HER2 copies of a dual-probe count, from what was given."""
    if _missing(copies):
        raise ValueError("dual-probe ISH needs the mean HER2 copies per nucleus beside the ratio")
    copies = _number("mean HER2 copies", copies)
    if _missing(ratio) and _missing(cep17):
        raise ValueError(
            "dual-probe ISH needs the HER2/CEP17 ratio or the mean CEP17 copies; copies alone: single_probe()"
        )
    if not _missing(cep17):
        cep17 = _number("mean CEP17 copies", cep17)
        if cep17 == 0:
            raise ValueError("mean CEP17 copies of 0: the ratio is undefined, the count cannot be read")
        if _missing(ratio):
            return copies / cep17, copies
    ratio = _number("HER2/CEP17 ratio", ratio)
    if not _missing(cep17) and abs(ratio - copies / cep17) > 0.05 + 0.03 * ratio:
        given = f"{copies:g} HER2 over {cep17:g} CEP17 copies"
        raise ValueError(f"ratio {ratio:g} does not fit {given}, which give {copies / cep17:.2f}")
    if (ratio == 0) != (copies == 0):
        raise ValueError(f"ratio {ratio:g} and {copies:g} HER2 copies contradict each other: both are 0 or neither is")
    return ratio, copies


# --- the algorithm ----------------------------------------------------------------------------------------------------


def ihc_score(pattern: str, percent: float) -> str:
    """IHC score of the guideline from the leading membrane pattern and the percentage of tumour cells that show it.

    Parameters
    ----------
    pattern : one of :data:`PATTERNS`.
    percent : percentage of invasive tumour cells with it, 0 to 100.

    Returns
    -------
    ``0``, ``1+``, ``2+`` or ``3+``. Two patterns outside the four definitions are read as 2+, as the guideline
    advises: intense complete staining of few cells, and moderate to intense incomplete staining.

    Raises
    ------
    ValueError for an unknown pattern, an impossible percentage, or a pattern that no definition covers.
    """
    if pattern not in PATTERNS:
        raise ValueError(f"staining pattern must be one of {', '.join(PATTERNS)}, not {pattern!r}")
    percent = _number("percentage of stained cells", percent, 0, 100)
    if pattern == "none" or percent == 0:
        if pattern == "none" and percent > 0:
            raise ValueError(f"pattern 'none' with {percent:g} % stained cells: a contradiction")
        return "0"
    cut = criteria()
    if pattern == "faint incomplete":
        return "1+" if percent > cut.ihc1_percent else "0"
    if pattern == "intense complete":
        return "3+" if percent > cut.ihc3_percent else "2+"
    if percent <= cut.ihc2_percent:
        raise ValueError(
            f"no score is defined for {pattern!r} staining in {percent:g} % of cells: name the leading pattern"
        )
    return "2+"


def ish_group(ratio: float, copies: float) -> int:
    """Dual-probe ISH group, 1 to 5, from HER2/CEP17 ratio and mean HER2 copies per nucleus.

    Values at a threshold belong above it. Raises ValueError for impossible input.
    """
    ratio, copies = _dual(copies, ratio, None)
    cut = criteria()
    if ratio >= cut.dual_ratio:
        return 1 if copies >= cut.copies_low else 2
    if copies >= cut.copies_high:
        return 3
    return 4 if copies >= cut.copies_low else 5


def ihc_alone(score: object) -> Call:
    """What an IHC score says before any ISH: 3+ is positive, 0 and 1+ are negative, 2+ needs ISH."""
    score = _score(score)
    if score == "2+":
        return Call(NEEDS_ISH, None, "IHC 2+ is equivocal", "reflex ISH, or a new test on a new specimen")
    if score == "3+":
        return Call(POSITIVE, None, "IHC 3+: the protein is overexpressed", "none")
    return Call(NEGATIVE, None, f"IHC {score}: the protein is not overexpressed", "none")


def dual_probe(*, copies=None, ratio=None, cep17=None, ihc=None, recount=None, recount_cells=None) -> Call:
    """Result of dual-probe ISH, with the concurrent IHC and the recount where they are known.

    Parameters
    ----------
    copies : mean HER2 copies per nucleus.
    ratio, cep17 : HER2/CEP17 ratio, mean CEP17 copies per nucleus; one is enough, both must fit.
    ihc : IHC score on the same block; settles groups 2, 3 and 4, and is asked for where it is missing.
    recount : (ratio, copies) of a second observer, blinded to the first count; used in groups 2 to 4 with IHC 2+.
    recount_cells : nuclei that this observer counted; fewer than the guideline asks is an error.

    Returns
    -------
    Call. Groups 1 and 5 need no IHC. Either assay makes a tumour positive (IHC 3+, or amplification), so IHC 3+ wins
    over group 5; where the assays contradict each other, the next step asks for a review.

    Raises
    ------
    ValueError for input that is impossible, contradicts itself, or has no place in the algorithm.
    """
    ratio, copies = _dual(copies, ratio, cep17)
    group = ish_group(ratio, copies)
    score = None if _missing(ihc) else _score(ihc)
    if recount is not None and (group in (1, 5) or score != "2+"):
        raise ValueError(
            f"a recount belongs to groups 2 to 4 with IHC 2+, not to group {group} with IHC {score or 'missing'}"
        )
    if group == 1:
        clash = "review both slides: IHC does not show overexpression" if score in ("0", "1+") else "none"
        return Call(POSITIVE, 1, "group 1: ratio and copies are raised", clash)
    if group == 5:
        if score == "3+":
            return Call(
                POSITIVE, 5, "IHC 3+ is positive although ISH is not", "review both slides: the assays disagree"
            )
        return Call(NEGATIVE, 5, "group 5: neither ratio nor copies are raised", "none")
    if score is None:
        return Call(NEEDS_IHC, group, f"group {group} has no result without IHC", "IHC on the same tissue block")
    if score == "3+":
        return Call(POSITIVE, group, f"group {group} with IHC 3+: overexpressed", "none")
    if score in ("0", "1+"):
        return Call(
            NEGATIVE, group, f"group {group} with IHC {score}", f"report with the guideline's comment on group {group}"
        )
    return _after_recount(group, recount, recount_cells)


def _after_recount(group: int, recount, cells) -> Call:
    """Groups 2, 3 and 4 with IHC 2+: what the second observer's count gives."""
    needed = criteria().recount_cells
    if recount is None:
        who = f"blinded second observer counts at least {needed:g} nuclei"
        return Call(NEEDS_RECOUNT, group, f"group {group} with IHC 2+", who)
    if cells is not None and _number("recounted nuclei", cells) < needed:
        raise ValueError(f"a recount of {cells:g} nuclei is too small: the guideline asks for at least {needed:g}")
    try:
        ratio, copies = () if isinstance(recount, str) else recount
    except (TypeError, ValueError):
        raise ValueError(f"recount must be a pair (ratio, copies), not {recount!r}") from None
    try:
        again = ish_group(ratio, copies)
    except ValueError as error:
        raise ValueError(f"recount {recount!r}: {error}") from None
    if again != group:
        return Call(
            NEEDS_ADJUDICATION, group, f"group {group} became group {again} on recount",
            "adjudicate by the laboratory's own procedure",
        )  # fmt: skip
    if group == 3:
        return Call(POSITIVE, 3, "group 3 with IHC 2+, confirmed on recount", "none")
    comment = f"report with the guideline's comment on group {group}"
    return Call(NEGATIVE, group, f"group {group} with IHC 2+, confirmed on recount", comment)


def single_probe(copies: float, ihc=None, dual: int | None = None) -> Call:
    """Result of single-probe ISH: mean HER2 copies, read together with IHC, and with dual-probe ISH between the cuts.

    Parameters
    ----------
    copies : mean HER2 copies per nucleus.
    ihc : IHC score on the same block, which the guideline wants read beside every single-probe count.
    dual : dual-probe group, 1 to 5, where that assay was done too.

    Returns
    -------
    Call. Outside the cuts either assay makes a tumour positive, and IHC that contradicts the count asks for a review.
    Between them IHC 3+ or group 1 is positive, IHC 0, 1+ or group 5 negative, and two that contradict each other
    need adjudication; groups 2 to 4 with IHC 2+ go on by :func:`dual_probe`.

    Raises
    ------
    ValueError for a count, a score or a group that is impossible.
    """
    copies, cut = _number("mean HER2 copies", copies), criteria()
    score = None if _missing(ihc) else _score(ihc)
    if dual is not None and (isinstance(dual, bool) or dual not in (1, 2, 3, 4, 5)):
        raise ValueError(f"dual-probe group must be 1 to 5, not {dual!r}")
    up, down = score == "3+" or dual == 1, score in ("0", "1+") or dual == 5
    if copies >= cut.single_positive_from or copies < cut.single_negative_below:
        return _outside_the_cuts(copies, score, dual)
    if up and down:
        return Call(NEEDS_ADJUDICATION, dual, f"IHC {score} and dual-probe group {dual} disagree", "review both slides")
    if up or down:
        what = f"IHC {score}" if dual in (None, 2, 3, 4) else f"dual-probe group {dual}"
        comment = f"report with the guideline's comment on group {dual}" if down and dual in (2, 3, 4) else "none"
        return Call(POSITIVE if up else NEGATIVE, dual, f"{copies:g} copies with {what}", comment)
    if score is None:
        if dual:
            return Call(NEEDS_IHC, dual, f"group {dual} has no result without IHC", "IHC on the same tissue block")
        return Call(
            NEEDS_IHC, None, f"{copies:g} copies lie between the cuts", "IHC on the same block, or dual-probe ISH"
        )
    if dual is None:
        return Call(NEEDS_ISH, None, f"{copies:g} copies with IHC 2+", "dual-probe ISH")
    return Call(NEEDS_RECOUNT, dual, f"group {dual} with IHC 2+", "enter ratio, copies and recount in dual_probe()")


def _outside_the_cuts(copies: float, score: str | None, dual: int | None) -> Call:
    """Single-probe counts that decide by themselves, unless IHC or the dual probe contradicts them."""
    amplified = copies >= criteria().single_positive_from
    where = f"{copies:g} copies " + ("reach the high cut" if amplified else "stay below the low cut")
    if dual == (5 if amplified else 1):
        return Call(NEEDS_ADJUDICATION, dual, f"{where}, but the dual probe gives group {dual}", "review both slides")
    if score == "3+":
        review = "none" if amplified else "review both slides: the assays disagree"
        why = where if amplified else f"IHC 3+ is positive although {where}"
        return Call(POSITIVE, dual, why, review)
    if score is None:
        review = "review IHC beside the count"
    else:
        clash = amplified and score != "2+"
        review = "review both slides: IHC does not show overexpression" if clash else "none"
    return Call(POSITIVE if amplified else NEGATIVE, dual, where, review)


def classify(*, ihc=None, copies=None, ratio=None, cep17=None, recount=None, recount_cells=None) -> Call:
    """IHC, dual-probe ISH, or both: where the tumour stands.

    Parameters as in :func:`dual_probe`. Missing values (None or NaN) count as not done.
    Either assay can make a tumour positive; IHC 0 or 1+ without ISH is negative, IHC 2+ without ISH needs it.
    """
    if all(map(_missing, (copies, ratio, cep17))):
        if _missing(ihc):
            raise ValueError("neither IHC nor ISH was given: there is nothing to classify")
        if recount is not None:
            raise ValueError("a recount needs the first ISH count")
        return ihc_alone(ihc)
    return dual_probe(copies=copies, ratio=ratio, cep17=cep17, ihc=ihc, recount=recount, recount_cells=recount_cells)


# --- labels of treatment ----------------------------------------------------------------------------------------------


def treatment_label(ihc, result: str | None = None, percent: float | None = None) -> str:
    """Label under which trials of trastuzumab deruxtecan enrolled a tumour; not a category of the guideline.

    Parameters
    ----------
    ihc : IHC score.
    result : positive or negative, as the algorithm gave it; needed for IHC 2+, where ISH decides.
    percent : percentage of tumour cells with any membrane staining; needed for IHC 0.

    Returns
    -------
    ``HER2-positive``; ``HER2-low``: IHC 1+, or 2+ without amplification (DESTINY-Breast04);
    ``HER2-ultralow``: IHC 0 with faint, incomplete staining of some cells, too few for 1+
    (DESTINY-Breast06); ``HER2-null``: IHC 0 without any staining.
    """
    score = _score(ihc)
    if result not in (None, POSITIVE, NEGATIVE):
        raise ValueError(f"result must be positive or negative, not {result!r}: finish the algorithm first")
    if percent is not None and not _missing(percent):
        percent, most = _number("percentage of stained cells", percent, 0, 100), criteria().ultralow_percent_max
        if (score == "0") != (percent <= most) and not (score == "2+" and percent > 0):
            raise ValueError(f"IHC {score} with {percent:g} % stained cells: a contradiction")
    else:
        percent = None
    if result == POSITIVE:
        return "HER2-positive"
    if score == "3+":
        if result == NEGATIVE:
            raise ValueError("IHC 3+ with a negative result: the guideline calls IHC 3+ positive")
        return "HER2-positive"
    if score == "2+" and result is None:
        raise ValueError("IHC 2+ has no label before ISH: give the result of the algorithm")
    if score != "0":
        return "HER2-low"
    if percent is None:
        raise ValueError("IHC 0 is ultralow or null: give the percentage of cells with any membrane staining")
    return "HER2-ultralow" if percent > 0 else "HER2-null"


# --- many tumours -----------------------------------------------------------------------------------------------------


def workup() -> pd.DataFrame:
    """The algorithm as a table: one row an ISH group (1 to 5) and IHC score, with the result before and after recount.

    Columns: group, ihc, first (result of the first count), confirmed (result once a recount agrees).
    Computed by running :func:`dual_probe` on one point of each group.
    """
    cut = criteria()
    high, low = cut.dual_ratio + 1, cut.dual_ratio - 0.5
    middle = (cut.copies_low + cut.copies_high) / 2
    points = {1: (high, cut.copies_high), 2: (high, cut.copies_low - 1), 3: (low, cut.copies_high + 1),
              4: (low, middle), 5: (low, cut.copies_low - 1)}  # fmt: skip
    rows = []
    for group, (ratio, copies) in points.items():
        for score in SCORES:
            first = dual_probe(ratio=ratio, copies=copies, ihc=score).result
            again = (ratio, copies) if first == NEEDS_RECOUNT else None
            confirmed = dual_probe(ratio=ratio, copies=copies, ihc=score, recount=again).result
            rows.append({"group": group, "ihc": score, "first": first, "confirmed": confirmed})
    return pd.DataFrame(rows)


def regions(max_ratio: float = 4.0, max_copies: float = 10.0) -> pd.DataFrame:
    """The five ISH groups as rectangles of the plane of ratio and mean HER2 copies.

    Columns: group, ratio_from, ratio_to, copies_from, copies_to, ratio_mid, copies_mid (for a label), alone (what
    dual-probe ISH says without IHC: positive, negative or needs IHC).
    """
    cut = criteria()
    r, low, high = cut.dual_ratio, cut.copies_low, cut.copies_high
    edges = [
        (1, r, max_ratio, low, max_copies), (2, r, max_ratio, 0.0, low), (3, 0.0, r, high, max_copies),
        (4, 0.0, r, low, high), (5, 0.0, r, 0.0, low),
    ]  # fmt: skip
    plane = pd.DataFrame(edges, columns=["group", "ratio_from", "ratio_to", "copies_from", "copies_to"])
    for axis in ("ratio", "copies"):
        plane[f"{axis}_mid"] = plane[[f"{axis}_from", f"{axis}_to"]].mean(axis=1)
    middle = zip(plane["ratio_mid"], plane["copies_mid"], strict=True)
    return plane.assign(alone=[dual_probe(ratio=x, copies=y).result for x, y in middle])


def classify_cohort(cohort: pd.DataFrame) -> pd.DataFrame:
    """Run :func:`classify` over the rows of a cohort.

    Parameters
    ----------
    cohort : DataFrame with any of the columns ihc, ratio, copies, cep17, recount_ratio, recount_copies, recount_cells;
        missing values count as not done, other columns are ignored.

    Returns
    -------
    DataFrame with the same index and the columns group (nullable integer), result, reason, next_step.

    Raises
    ------
    ValueError that lists the first rows at fault, by index label; half a recount is a fault too.
    """
    known = ["ihc", "ratio", "copies", "cep17", "recount_ratio", "recount_copies", "recount_cells"]
    here = [name for name in known if name in cohort]
    if not {"ihc", "copies"} & set(here):
        raise ValueError(
            f"a cohort needs the column ihc or copies; it has {', '.join(map(str, cohort.columns)) or 'none'}"
        )
    calls, faults = [], []
    columns = [cohort[name].astype(object).where(cohort[name].notna(), None) for name in here]
    for label, *values in zip(cohort.index, *columns, strict=True):
        row = dict(zip(here, values, strict=True))
        again = (row.pop("recount_ratio", None), row.pop("recount_copies", None))
        try:
            if (again[0] is None) != (again[1] is None):
                raise ValueError("recount_ratio and recount_copies belong together, and one is missing")
            calls.append(classify(**row, recount=None if None in again else again))
        except ValueError as error:
            faults.append(f"row {label}: {error}")
    if faults:
        more = f"; and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise ValueError("; ".join(faults[:5]) + more)
    frame = pd.DataFrame(calls, columns=list(Call._fields), index=cohort.index)
    return frame.astype({"group": "Int64"})[["group", "result", "reason", "next_step"]]


def simulate_cohort(n: int = 500, seed: int = 2026, amplified: float = 0.15, recount: bool = True) -> pd.DataFrame:
    """A SIMULATED cohort for teaching: no patient, no published distribution stands behind it.

    A share of tumours is amplified (many HER2 copies); CEP17 copies scatter about two, with a few polysomic tumours;
    staining rises with the copies, with scatter; the second observer repeats the count with error.

    Parameters
    ----------
    n, seed : number of tumours, seed of the generator.
    amplified : share of truly amplified tumours, 0 to 1.
    recount : fill the second observer's count in groups 2 to 4 with IHC 2+.

    Returns
    -------
    DataFrame with copies and cep17 (mean per nucleus), ratio, ihc (score), percent (tumour cells with any membrane
    staining) and, on request, recount_ratio and recount_copies (missing where no recount is due).
    """
    amplified = _number("share of amplified tumours", amplified, 0, 1)
    if isinstance(n, bool) or int(n) != n or n < 1:
        raise ValueError(f"n must be a whole number of tumours, 1 or more, not {n!r}")
    rng = np.random.default_rng(seed)
    is_amplified = rng.random(n) < amplified
    polysomic = rng.random(n) < 0.12
    cep17 = np.where(polysomic, rng.normal(3.4, 0.5, n), rng.normal(1.8, 0.25, n)).clip(1.0)
    gain = np.where(is_amplified, np.exp(rng.normal(1.6, 0.45, n)), np.exp(rng.normal(0.1, 0.2, n)))
    copies = (cep17 * gain).round(2)
    cep17 = cep17.round(2)
    stain = 1.5 * np.log(copies / 2) + rng.normal(0.1, 0.6, n)
    score = np.select([stain < 0.1, stain < 1.0, stain < 2.0], ["0", "1+", "2+"], "3+")
    some = np.where(rng.random(n) < 0.45, 0.0, rng.uniform(1, 10, n))
    percent = np.where(score == "0", some, rng.uniform(15, 100, n)).round(0)
    frame = pd.DataFrame(
        {"copies": copies, "cep17": cep17, "ratio": (copies / cep17).round(2), "ihc": score, "percent": percent}
    )
    if recount:
        group = [ish_group(r, c) for r, c in zip(frame["ratio"], frame["copies"], strict=True)]
        due = pd.Series(group).isin([2, 3, 4]) & (frame["ihc"] == "2+")
        again = (frame["copies"] * np.exp(rng.normal(0, 0.08, n))).round(2)
        other = (frame["cep17"] * np.exp(rng.normal(0, 0.05, n))).round(2)
        frame["recount_ratio"] = (again / other).round(2).where(due)
        frame["recount_copies"] = again.where(due)
    return frame
