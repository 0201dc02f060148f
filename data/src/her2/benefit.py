"""Benefit and harm in absolute terms: gain at a horizon, number needed to treat, differences, non-inferiority, licences.

Relative effects come from the trials; what a patient gains also depends on her risk without the treatment. All shares
are numbers from 0 to 1; functions that read the tables take and give percentages, as the tables do.

For teaching: no function sees a patient, and none compares drugs that no trial compared.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import pandas as pd

from .agreement import wilson


class Estimate(NamedTuple):
    """A value with its interval; the bounds are NaN where no interval is known."""

    value: float
    low: float
    high: float


class Needed(NamedTuple):
    """Number needed to treat (benefit) or to harm, exact, with its interval.

    ``low`` and ``high`` are the bounds nearer to and farther from 1. Where the interval of the gain holds 0, ``open``
    is True: the interval then runs from ``low`` on the side of harm through infinity to ``high`` on the side of benefit.
    """

    value: float
    low: float
    high: float
    harm: bool
    open: bool

    @property
    def text(self) -> str:
        """For reading, rounded to whole patients: NNT up, NNH down, so that neither flatters the treatment."""
        value = _patients(self.value, self.harm)
        if math.isnan(self.low):
            return value
        if self.open:
            return f"{value} ({_patients(self.low, True)} to infinity to {_patients(self.high, False)})"
        low, high = (_patients(bound, self.harm).split()[1] for bound in (self.low, self.high))
        return f"{value} ({low} to {high})"


class Verdict(NamedTuple):
    """What an interval says about a margin and about no difference; several can hold at once."""

    noninferior: bool  #: the interval excludes a loss as large as the margin
    worse: bool  #: the whole interval lies on the side of loss
    better: bool  #: the whole interval lies on the side of gain

    @property
    def text(self) -> str:
        """In words; 'not shown' is no proof of the contrary."""
        extra = " but worse" if self.worse else " and better" if self.better else ""
        return ("non-inferior" if self.noninferior else "not shown") + extra


# --- input ------------------------------------------------------------------------------------------------------------


def _share(name: str, value: float) -> float:
    number = float(value)
    if not 0 < number < 1:
        raise ValueError(f"{name} must lie between 0 and 1, both excluded, not {number:g}: give 0.9, not 90 %")
    return number


def _ratio(name: str, value: float) -> float:
    number = float(value)
    if not (number > 0 and math.isfinite(number)):
        raise ValueError(f"{name} must be above 0, not {number:g}")
    return number


def _interval(name: str, bounds: tuple[float, float] | None, inside: float | None = None) -> tuple[float, float]:
    """Two bounds in order, with the estimate inside."""
    try:
        low, high = (float(bound) for bound in bounds)  # type: ignore[union-attr]
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be two numbers, lower and upper bound, not {bounds!r}") from None
    if not low < high:
        raise ValueError(f"{name} is empty: its lower bound {low:g} must be below its upper bound {high:g}")
    if inside is not None and not low <= inside <= high:
        raise ValueError(f"{name} from {low:g} to {high:g} does not hold its own estimate {inside:g}")
    return low, high


def _z(level: float) -> float:
    """Normal quantile of a two-sided interval; level in %."""
    if not 0 < level < 100:
        raise ValueError(f"level must be a percentage between 0 and 100, not {level!r}")
    return NormalDist().inv_cdf(0.5 + level / 200)


def _patients(number: float, harm: bool) -> str:
    """NNT or NNH as a whole number."""
    if math.isinf(number):
        return f"{'NNH' if harm else 'NNT'} infinity"
    whole = math.floor(number + 1e-9) if harm else math.ceil(number - 1e-9)
    return f"{'NNH' if harm else 'NNT'} {whole}"


# --- from a ratio to a gain -------------------------------------------------------------------------------------------


def gain(
    control: float,
    ratio: float,
    ratio_interval: tuple[float, float] | None = None,
    control_interval: tuple[float, float] | None = None,
    level: float = 95,
) -> Estimate:
    """Absolute gain at a horizon: survival with the treatment less survival without, S**HR - S.

    Assumes that hazards are proportional up to the horizon (Altman and Andersen 1999, BMJ 319:1492).

    Parameters
    ----------
    control : survival without event in the control arm at the horizon, 0 to 1.
    ratio : hazard ratio, experimental over control.
    ratio_interval : its bounds. Alone it takes the control survival as known: the gain falls as the ratio rises, so the
        bounds of the ratio give those of the gain.
    control_interval : bounds of the control survival, at the same level. With it the variances of log ratio and control
        survival are joined by the delta method, as if the two were independent.
    level : level of the intervals, %; used by the delta method only.

    Returns
    -------
    Estimate of the gain as a share; negative where the treatment loses. Bounds are NaN without an interval of the ratio.

    Raises
    ------
    ValueError for a survival outside 0 to 1, a ratio that is not above 0, or an interval that is empty or does not hold
    its estimate.
    """
    control, ratio = _share("control survival", control), _ratio("hazard ratio", ratio)
    value = control**ratio - control
    if ratio_interval is None:
        if control_interval is not None:
            raise ValueError("an interval of the control survival needs one of the hazard ratio beside it")
        return Estimate(value, math.nan, math.nan)
    low, high = _interval("interval of the hazard ratio", ratio_interval, ratio)
    _ratio("lower bound of the hazard ratio", low)
    if control_interval is None:
        return Estimate(value, control**high - control, control**low - control)
    below, above = _interval("interval of the control survival", control_interval, control)
    _share("lower bound of the control survival", below), _share("upper bound of the control survival", above)
    z = _z(level)
    by_ratio = control**ratio * math.log(control) * ratio * (math.log(high / low) / (2 * z))
    by_control = (ratio * control ** (ratio - 1) - 1) * ((above - below) / (2 * z))
    half = z * math.hypot(by_ratio, by_control)
    return Estimate(value, value - half, value + half)


def needed(gain: Estimate | float) -> Needed:
    """Number needed to treat for one more patient without event at the horizon: one over the gain (Altman 1998).

    A gain whose interval holds 0 gives an interval that runs through infinity. ValueError for a gain of exactly 0.
    """
    value, low, high = gain if isinstance(gain, tuple) else (float(gain), math.nan, math.nan)
    if value == 0 or math.isnan(value):
        raise ValueError("a gain of 0 has no number needed to treat")
    if math.isnan(low):
        return Needed(1 / abs(value), math.nan, math.nan, value < 0, False)
    low, high = _interval("interval of the gain", (low, high), value)
    if low <= 0 <= high:
        bounds = (1 / -low if low else math.inf, 1 / high if high else math.inf)
        return Needed(1 / abs(value), *bounds, value < 0, True)
    return Needed(1 / abs(value), *sorted((1 / abs(low), 1 / abs(high))), value < 0, False)


def implied_ratio(control: float, experimental: float) -> float:
    """Hazard ratio that two survivals at one horizon imply under proportional hazards: ln S_e / ln S_c."""
    return math.log(_share("experimental survival", experimental)) / math.log(_share("control survival", control))


def three_ways(row: pd.Series) -> pd.DataFrame:
    """Gain of one row of ``trial_results`` whose arms print intervals, by three sets of assumptions; in points.

    'control known': ratio, control rate without error. 'control estimated': the delta method of :func:`gain`. 'two
    printed rates': :func:`difference` of the arms, which needs no ratio and no proportional hazards.
    Columns value, low, high, width.
    """
    arms = [[f"{arm}_{part}" for part in ("value", "low", "high")] for arm in ("experimental", "control")]
    treated, control = (Estimate(*(row[names].astype(float) / 100)) for names in arms)
    ratio = control.value, row["hazard_ratio"], (row["ci_low"], row["ci_high"])
    ways = {
        "control known": gain(*ratio),
        "control estimated": gain(*ratio, (control.low, control.high), row["ci_level"]),
        "two printed rates": difference(treated, control),
    }
    found = pd.DataFrame.from_dict(ways, orient="index", columns=list(Estimate._fields)) * 100
    return found.assign(width=found["high"] - found["low"])


def peak_control(ratio: float) -> float:
    """Control survival (0 to 1) at which a hazard ratio gains or loses most: the maximum of S**HR - S, HR**(1/(1 - HR)).

    ValueError for a ratio of 1, which gains nothing anywhere, or one that is not above 0.
    """
    ratio = _ratio("hazard ratio", ratio)
    if ratio == 1:
        raise ValueError("a hazard ratio of 1 gains nothing, so its gain has no peak")
    return ratio ** (1 / (1 - ratio))


def gain_curves(ratios: tuple[float, ...], step: float = 0.01) -> pd.DataFrame:
    """Gain against control survival at fixed hazard ratios; columns ratio, control (%) and gain (points)."""
    shares = [i * step for i in range(1, round(1 / step))]
    points = [(ratio, 100 * s, 100 * gain(s, ratio).value) for ratio in ratios for s in shares]
    return pd.DataFrame(points, columns=["ratio", "control", "gain"])


# --- two arms ---------------------------------------------------------------------------------------------------------


def difference(one: Estimate, other: Estimate) -> Estimate:
    """Difference of two independent estimates, by square and add (Newcombe 1998; Zou and Donner 2008).

    Each side of the interval joins the distances of the two intervals on that side, so lopsided intervals stay lopsided.
    """
    for name, part in (("first", one), ("second", other)):
        if not math.isnan(part.low):
            _interval(f"interval of the {name} estimate", (part.low, part.high), part.value)
    value = one.value - other.value
    down = math.hypot(one.value - one.low, other.high - other.value)
    up = math.hypot(one.high - one.value, other.value - other.low)
    return Estimate(value, value - down, value + up)


def newcombe(count: int, n: int, control_count: int, control_n: int, level: float = 95) -> Estimate:
    """Difference of two proportions, first less second, with the hybrid score interval.

    Method 10 of Newcombe 1998 (Stat Med 17:873): Wilson intervals of both arms, joined by :func:`difference`.
    """
    return difference(Estimate(*wilson(count, n, level)), Estimate(*wilson(control_count, control_n, level)))


# --- non-inferiority --------------------------------------------------------------------------------------------------


def noninferiority(interval: tuple[float, float], margin: float, null: float = 1.0) -> Verdict:
    """Read an interval against a margin.

    Parameters
    ----------
    interval : bounds of a hazard ratio (null 1), or of a difference of survivals, experimental less control (null 0).
    margin : the largest loss that was called tolerable before the trial; it lies on the side of loss, above 1 for a
        ratio, below 0 for a difference.
    null : value of no difference.

    Raises
    ------
    ValueError for an empty interval or a margin that allows no loss.
    """
    low, high = _interval("interval", interval)
    if null == 1:
        _ratio("lower bound of the ratio", low)
    loss_is_up = null == 1
    if (margin <= null) if loss_is_up else (margin >= null):
        side = "above" if loss_is_up else "below"
        raise ValueError(f"a margin must lie {side} {null:g}, on the side of loss, not at {margin:g}")
    if loss_is_up:
        return Verdict(high < margin, low > null, high < null)
    return Verdict(low > margin, high < null, low > null)


def margin_ratio(control: float, points: float) -> float:
    """Hazard ratio that costs ``points`` (a share, above 0) of survival at a horizon where controls have ``control``."""
    control = _share("control survival", control)
    if not 0 < points < control:
        raise ValueError(f"a margin must lie between 0 and the control survival {control:g}, not {points:g}")
    return implied_ratio(control, control - points)


def at_level(interval: tuple[float, float], level: float, to: float) -> tuple[float, float]:
    """The same interval of a ratio at another level (both %), normal on the log scale about its own middle."""
    low, high = _interval("interval of the ratio", interval)
    _ratio("lower bound of the ratio", low)
    middle, half = math.log(low * high) / 2, math.log(high / low) / 2 * _z(to) / _z(level)
    return math.exp(middle - half), math.exp(middle + half)


def at_levels(results: pd.DataFrame, levels: tuple[float, ...]) -> pd.DataFrame:
    """Rows of ``trial_results`` with their ratio's interval at several levels (%): columns low90, high90 and so on."""
    out = results.copy()
    for level in levels:
        bounds = [at_level((row.ci_low, row.ci_high), row.ci_level, level) for row in results.itertuples()]
        out[[f"low{level:g}", f"high{level:g}"]] = bounds
    return out


# --- the tables -------------------------------------------------------------------------------------------------------


def check_gains(results: pd.DataFrame, level: float | None = None) -> pd.DataFrame:
    """Gains computed from ratio and control rate, beside the difference that the trial prints.

    Parameters
    ----------
    results : rows of ``trial_results`` with survival rates (%) at a timepoint in both arms and a hazard ratio.
    level : level to which the intervals of the ratios are brought, %, by :func:`at_level`; None leaves them as printed.

    Returns
    -------
    DataFrame with the same index: trial, endpoint_family, years, control (%), ratio, gain, low, high (points; the
    control rate taken as known, bounds NaN where the ratio has none), level (%), printed (difference of the two printed
    rates, points), gap (gain less printed) and implied (the ratio that the two printed rates imply).
    """
    usable = (results["statistic"] == "rate at timepoint") & (results["unit"] == "%")
    usable &= results[["control_value", "experimental_value", "hazard_ratio", "timepoint"]].notna().all(axis=1)
    if not usable.all():
        odd = ", ".join(map(str, results.index[~usable]))
        raise ValueError(f"these rows lack a ratio or two rates at a timepoint: {odd}")
    rows = []
    for row in results.itertuples():
        control, experimental = row.control_value / 100, row.experimental_value / 100
        bounds = None if math.isnan(row.ci_low) else (row.ci_low, row.ci_high)
        shown = row.ci_level
        if bounds and level not in (None, shown):
            bounds, shown = at_level(bounds, shown, level), level
        found = gain(control, row.hazard_ratio, bounds)
        printed = row.experimental_value - row.control_value
        rows.append((
            row.trial, row.endpoint_family, row.timepoint / 12, row.control_value, row.hazard_ratio,
            *(100 * part for part in found), shown, printed, 100 * found.value - printed,
            implied_ratio(control, experimental),
        ))  # fmt: skip
    columns = [
        "trial",
        "endpoint_family",
        "years",
        "control",
        "ratio",
        "gain",
        "low",
        "high",
        "level",
        "printed",
        "gap",
        "implied",
    ]
    return pd.DataFrame(rows, columns=columns, index=results.index)


#: Stages of treatment in their order: value of the column ``setting`` of ``trials``, name on the chapter's map.
STAGES = {
    "neoadjuvant": "before surgery",
    "neoadjuvant and adjuvant": "before and after surgery",
    "adjuvant": "after surgery",
    "post-neoadjuvant": "after surgery, cancer left",
    "extended adjuvant": "after a year of trastuzumab",
    "metastatic first line": "metastatic, first line",
    "metastatic maintenance": "metastatic, maintenance",
    "metastatic second line": "metastatic, second line",
    "metastatic later line": "metastatic, later lines",
}

_SHORT = {"b-31-n9831": "B-31/N9831", "gbg-26": "GBG 26"}


def course(trials: pd.DataFrame) -> pd.DataFrame:
    """Place trials (indexed by id) in the course of treatment: columns label, stage, slot (place in its stage), design.

    ValueError for a setting that is not in :data:`STAGES`.
    """
    odd = trials.index[~trials["setting"].isin(list(STAGES))]
    if len(odd):
        raise ValueError(f"no stage for {', '.join(odd)}: their setting is not one of {', '.join(STAGES)}")
    out = pd.DataFrame({"label": [_SHORT.get(key, name) for key, name in trials["name"].items()]}, index=trials.index)
    out["stage"] = trials["setting"].map(STAGES)
    out["slot"] = out.groupby("stage").cumcount()
    out["design"] = trials["randomised"].map({True: "randomised", False: "single-arm"})
    return out


def in_panels(results: pd.DataFrame, panels: dict[str, dict[str, str]]) -> pd.DataFrame:
    """Rows of ``trial_results`` in the order of panels that name one endpoint family and one clock each.

    Parameters
    ----------
    results : indexed by id.
    panels : name of a panel to its rows, each an id and the label of its line.

    Returns
    -------
    The rows with the columns panel and label added. Raises ValueError where a panel mixes endpoint families or assessors.
    """
    places = {key: (panel, label) for panel, lines in panels.items() for key, label in lines.items()}
    out = results.loc[list(places)].copy()
    out["panel"], out["label"] = zip(*places.values(), strict=True)
    for panel, rows in out.groupby("panel", sort=False):
        for column in ("endpoint_family", "assessor"):
            # Independent review may be called blinded or not; both are central.
            found = set(rows[column].str.replace("blinded independent central", "independent"))
            if len(found) > 1:
                raise ValueError(f"panel {panel!r} mixes {column.replace('_', ' ')}: {', '.join(sorted(found))}")
    return out


def harms(events: pd.DataFrame, pairs: dict[str, tuple[str, str]], level: float = 95) -> pd.DataFrame:
    """Harms of a treatment beyond its control.

    Parameters
    ----------
    events : ``adverse_events``, indexed by id.
    pairs : label of a line to the ids of the experimental and the control row, which must be of one trial.

    Returns
    -------
    DataFrame indexed by label: trial, experimental and control (%), difference, low, high (points) and basis. The basis
    is 'n of N' (Newcombe's interval), 'percent of N' (the same from the nearest whole number of patients) or 'percent
    only', where an arm's number of patients is not printed and no interval can be computed.
    """
    rows = []
    for label, keys in pairs.items():
        missing = [key for key in keys if key not in events.index]
        if missing:
            raise ValueError(f"{label!r}: no adverse event {', '.join(map(repr, missing))}")
        one, two = (events.loc[key] for key in keys)
        if one["trial"] != two["trial"]:
            raise ValueError(f"{label!r} joins two trials, {one['trial']} and {two['trial']}: arms of one trial only")
        sizes = [None if pd.isna(arm["n_patients"]) else int(arm["n_patients"]) for arm in (one, two)]
        counted = all(pd.notna(arm["n_events"]) for arm in (one, two))
        basis = "percent only" if None in sizes else "n of N" if counted else "percent of N"
        if basis == "percent only":
            found = Estimate((one["percent"] - two["percent"]) / 100, math.nan, math.nan)
        else:
            counts = [
                round(arm["percent"] * n / 100) if pd.isna(arm["n_events"]) else int(arm["n_events"])
                for arm, n in zip((one, two), sizes, strict=True)
            ]
            found = newcombe(counts[0], sizes[0], counts[1], sizes[1], level)
        rows.append((one["trial"], one["percent"], two["percent"], *(100 * part for part in found), basis))
    columns = ["trial", "experimental", "control", "difference", "low", "high", "basis"]
    return pd.DataFrame(rows, columns=columns, index=pd.Index(list(pairs), name="harm"))


def _printed(row: pd.Series, level: float) -> Estimate:
    """Difference of the two printed rates; bounds are NaN unless both arms print an interval at the level."""
    arms = [[f"{arm}_{part}" for part in ("value", "low", "high")] for arm in ("experimental", "control")]
    treated, control = (Estimate(*(row[names].astype(float) / 100)) for names in arms)
    if row["value_ci_level"] == level:
        return difference(treated, control)
    return Estimate(treated.value - control.value, math.nan, math.nan)


def ledger(
    results: pd.DataFrame, events: pd.DataFrame, lines: list[tuple[str, str, str | tuple[str, str]]], level: float = 95
) -> pd.DataFrame:
    """Gains and harms of the same arms side by side; nothing is netted, since the two have no common currency.

    Parameters
    ----------
    results, events : ``trial_results`` and ``adverse_events``, indexed by id.
    lines : (panel, label, key): the id of a result for a gain, or the ids of an experimental and a control row for a
        harm. All lines of a panel come from one trial.
    level : level of the intervals, %.

    Returns
    -------
    DataFrame: panel, line, kind, points (per hundred patients: more without event, or more with the harm), low, high,
    needed (text) and basis. A gain has two rows. Kind 'gain, computed' is that of :func:`check_gains`. Kind 'gain,
    printed' is the difference of the two printed rates, by :func:`difference` where both print intervals at ``level``,
    else without one. A harm has one row, of kind 'harm'.
    """
    rows, trial_of = [], {}
    for panel, label, key in lines:
        if isinstance(key, str):
            found = check_gains(results.loc[[key]], level).iloc[0]
            computed, printed = Estimate(*(found[["gain", "low", "high"]] / 100)), _printed(results.loc[key], level)
            rates = "printed rates, no interval" if math.isnan(printed.low) else "printed rates and their intervals"
            entries = [
                ("gain, computed", computed, computed, "ratio and control rate"),
                ("gain, printed", printed, printed, rates),
            ]
        else:
            found = harms(events, {label: key}, level).iloc[0]
            extra = Estimate(*(found[["difference", "low", "high"]] / 100))
            entries = [("harm", extra, Estimate(-extra.value, -extra.high, -extra.low), found["basis"])]
        if trial_of.setdefault(panel, found["trial"]) != found["trial"]:
            raise ValueError(f"panel {panel!r} joins two trials, {trial_of[panel]} and {found['trial']}")
        for kind, estimate, gained, basis in entries:
            text = needed(gained).text if gained.value else "NNT infinity"
            rows.append((panel, label, kind, *(100 * part for part in estimate), text, basis))
    return pd.DataFrame(rows, columns=["panel", "line", "kind", "points", "low", "high", "needed", "basis"])


def licensed(approvals: pd.DataFrame, jurisdiction: str, day: str) -> pd.DataFrame:
    """Licences granted in one jurisdiction by a day (YYYY-MM-DD); a month or year counts once it has ended.

    Whether a licence is still in force stands in the column status, as read on status_on; for many it is not known.
    """
    known = sorted(approvals["jurisdiction"].unique())
    if jurisdiction not in known:
        raise ValueError(f"no licence from {jurisdiction!r}; known: {', '.join(known)}")
    try:
        limit = pd.Timestamp(day).normalize()
    except ValueError:
        raise ValueError(f"day must be written YYYY-MM-DD, not {day!r}") from None
    granted = approvals["date"].map(lambda text: pd.Period(text).end_time.normalize())
    return approvals[(approvals["jurisdiction"] == jurisdiction) & (granted <= limit)].sort_values("date")


def licence_years(approvals: pd.DataFrame) -> pd.Series:
    """Dates of licences as decimal years, for an axis; a bare month or year stands at its beginning."""
    begun = approvals["date"].map(lambda text: pd.Period(text).start_time)
    return (begun.dt.year + (begun.dt.month - 1) / 12 + (begun.dt.day - 1) / 365).round(2)
