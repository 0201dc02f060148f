"""Dose-response curves: simulated plates, four-parameter logistic fits, IC50 and fold change with intervals.

Doses are in nM, responses in percent of untreated wells, unless a caller uses other units throughout.

Sources of the methods: the four-parameter log-logistic curve as in the R package drc (Ritz and others 2015, PLoS One
10:e0146021); profile likelihood and t intervals as for any nonlinear regression (Bates and Watts 1988); growth-rate
inhibition (Hafner and others 2016, Nature Methods 13:521); the receptor reserve is textbook pharmacology, put here
in its simplest form.

Every plate of this module is SIMULATED: no laboratory measured it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

#: Tolerances of the fit: tight, so that processors agree on the digits that are shown.
TIGHT = {"ftol": 1e-13, "xtol": 1e-13, "gtol": 1e-13}

#: Doses of a simulated plate, nM: nine, half a decade apart.
DOSES = tuple(10 ** (k / 2) for k in range(9))


class Curve(NamedTuple):
    """A falling four-parameter logistic curve: response = bottom + (top - bottom) / (1 + (dose / ic50) ** slope)."""

    ic50: float  #: dose half-way between the plateaus (relative IC50), nM
    slope: float = 1.0  #: Hill slope, positive
    top: float = 100.0  #: response without drug, %
    bottom: float = 0.0  #: response at an endless dose, %

    def response(self, dose):
        """Response (%) at a dose or an array of doses (nM); a dose of 0 gives ``top``."""
        return self.bottom + (self.top - self.bottom) / (1 + (np.asarray(dose, float) / self.ic50) ** self.slope)

    def dose_for(self, response: float) -> float:
        """Dose (nM) at which the response (%) is reached; infinite where the lower plateau stays above it.

        With a response of 50 this is the absolute IC50: half of the untreated cells are left.
        """
        if not self.bottom < self.top:
            raise ValueError(f"the curve does not fall: top {self.top:g}, bottom {self.bottom:g}")
        if response >= self.top:
            raise ValueError(f"a response of {response:g} is not below the upper plateau, {self.top:g}")
        if response <= self.bottom:
            return math.inf
        return self.ic50 * ((self.top - response) / (response - self.bottom)) ** (1 / self.slope)


class Fit(NamedTuple):
    """A fitted curve. The interval of the IC50 is open (0 or infinite) at an end where the data do not bound it."""

    ic50: float  #: nM
    low: float  #: lower limit of the IC50, nM
    high: float  #: upper limit of the IC50, nM
    slope: float
    top: float  #: %
    bottom: float  #: %
    se: float  #: standard error of log10 IC50
    sd: float  #: scatter of wells about the curve, %
    df: int  #: degrees of freedom: wells less four
    level: float  #: level of the interval, %
    inside: bool  #: whether the IC50 lies within the tested doses

    @property
    def curve(self) -> Curve:
        """The curve without its errors."""
        return Curve(self.ic50, self.slope, self.top, self.bottom)


class Fold(NamedTuple):
    """Quotient of two IC50 with its interval."""

    value: float
    low: float
    high: float


#: The two lines of a simulated plate; invented.
LINES = {"wild type": Curve(30, 1.1, 100, 8), "mutant": Curve(1200, 1.1, 100, 25)}


# --- input ------------------------------------------------------------------------------------------------------------


def _level(level: float) -> float:
    if not 0 < level < 100:
        raise ValueError(f"level must be a percentage between 0 and 100, not {level!r}")
    return level / 100


def _whole(name: str, value: int) -> int:
    if isinstance(value, bool) or int(value) != value or value < 1:
        raise ValueError(f"{name} must be a whole number, 1 or more, not {value!r}")
    return int(value)


def _doses(doses: object) -> np.ndarray:
    try:
        found = np.asarray(doses, dtype=float)
    except (TypeError, ValueError):
        raise ValueError("doses must be numbers") from None
    if found.ndim != 1 or not len(found):
        raise ValueError(f"doses must be a list of numbers, not shape {found.shape}")
    wrong = found[~(np.isfinite(found) & (found > 0))]
    if len(wrong):
        raise ValueError(f"doses must be positive numbers, not {wrong[0]:g}: hand untreated wells over as `control`")
    return found


def _responses(name: str, values: object) -> np.ndarray:
    try:
        found = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers") from None
    if found.ndim != 1 or not np.isfinite(found).all():
        raise ValueError(f"{name} must be a list of finite numbers: leave lost wells out")
    return found


# --- simulated plates -------------------------------------------------------------------------------------------------


def simulate_plate(
    seed: int = 2026,
    lines: Mapping[str, Curve] | None = None,
    wells: int = 3,
    sd: float = 6.0,
    doses: Sequence[float] = DOSES,
    plates: int = 1,
    between: float = 0.0,
) -> pd.DataFrame:
    """A SIMULATED plate (or several): known curves plus normal scatter. No cell line stands behind it.

    Parameters
    ----------
    seed : seed of the generator.
    lines : curve of each line; :data:`LINES` when None.
    wells : wells per line and dose on one plate.
    sd : scatter of a well, in percent of untreated wells.
    doses : nM.
    plates : independent plates, each on its own day.
    between : spread (SD of log10 IC50) of days; a day moves all lines of its plate together.

    Returns
    -------
    DataFrame with the columns plate, line, dose (nM), well, response (%), one row a well.

    Raises
    ------
    ValueError for doses that are not positive, a negative scatter, or counts below 1.
    """
    doses, wells, plates = _doses(doses), _whole("wells", wells), _whole("plates", plates)
    if not (sd >= 0 and between >= 0):
        raise ValueError(f"scatter must be 0 or more, not {sd!r} and {between!r}")
    rng, parts = np.random.default_rng(seed), []
    for plate in range(1, plates + 1):
        shift = 10 ** rng.normal(0, between)
        for line, curve in (LINES if lines is None else lines).items():
            mean = np.repeat(curve._replace(ic50=curve.ic50 * shift).response(doses), wells)
            part = {"plate": plate, "line": line, "dose": np.repeat(doses, wells)}
            well = np.tile(np.arange(1, wells + 1), len(doses))
            parts.append(pd.DataFrame({**part, "well": well, "response": mean + rng.normal(0, sd, mean.size)}))
    return pd.concat(parts, ignore_index=True)


# --- fits -------------------------------------------------------------------------------------------------------------


def _model(x, log_ic50, log_slope, top, bottom):
    """The curve with x = log10 dose, log10 IC50 and natural logarithm of the slope; x may be minus infinity."""
    with np.errstate(over="ignore"):
        return bottom + (top - bottom) / (1 + 10 ** (np.exp(log_slope) * (x - log_ic50)))


def _start(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """First guess of log10 IC50, top and bottom from the means of each dose."""
    steps = np.unique(x[np.isfinite(x)])
    means = np.array([y[x == step].mean() for step in steps])
    middle = (means[0] + means[-1]) / 2
    return float(steps[np.argmin(np.abs(means - middle))]), float(means[0]), float(means[-1])


def _profile(x, y, log_ic50, log_slope, rss, limit):
    """Limits of log10 IC50 at which the residual sum of squares, minimised over the rest, reaches ``limit``."""
    from scipy.optimize import brentq, minimize_scalar

    def rest(slope, at):
        share = _model(x, at, slope, 1.0, 0.0)  # linear in the plateaus: least squares in one step
        design = np.column_stack([share, 1 - share])
        return float(((y - design @ np.linalg.lstsq(design, y, rcond=None)[0]) ** 2).sum())

    edge = (min(-2.5, log_slope - 1), max(2.5, log_slope + 1))
    grid = np.linspace(*edge, 13)

    def excess(at):
        best = int(np.argmin([rest(slope, at) for slope in grid]))
        bounds = (grid[max(best - 1, 0)], grid[min(best + 1, 12)])
        return minimize_scalar(rest, bounds=bounds, args=(at,), method="bounded", options={"xatol": 1e-8}).fun - limit

    found, ends = [], (x[np.isfinite(x)].min() - 3, x.max() + 3)
    for sign, end in zip((-1, 1), ends, strict=True):
        inner, step = log_ic50, 0.02
        while True:
            outer = inner + sign * step
            if sign * (outer - end) > 0:
                found.append(sign * math.inf)
                break
            if excess(outer) > 0:
                found.append(brentq(excess, inner, outer, xtol=1e-10) if rss < limit else log_ic50)
                break
            inner, step = outer, step * 1.5
    return found


def fit(doses, responses, control=None, level: float = 95, method: str = "profile") -> Fit:
    """Fit a falling four-parameter logistic curve by least squares, with an interval of the IC50.

    Parameters
    ----------
    doses : positive doses, one a well (nM), at least four different ones.
    responses : response of each well (%), same length.
    control : responses of untreated wells (%), if any; the curve passes them at its upper plateau.
    level : level of the interval, %.
    method : ``profile`` (profile likelihood: limits where the other parameters, fitted anew, still explain the wells;
        may be lopsided or open) or ``delta`` (log10 IC50 plus or minus t times its standard error).

    Returns
    -------
    Fit. The fit runs on log10 IC50, so that limits are never negative and a fold change is a difference.

    Raises
    ------
    ValueError for doses that are not positive, fewer than four doses, too few wells, lengths that differ, responses
    without a range, a response that does not change with dose beyond scatter, or one that rises.
    """
    from scipy.optimize import OptimizeWarning, curve_fit
    from scipy.stats import f as f_distribution
    from scipy.stats import t as t_distribution

    doses, y = _doses(doses), _responses("responses", responses)
    if len(doses) != len(y):
        raise ValueError(f"{len(doses)} doses and {len(y)} responses: one response a dose is needed")
    if method not in ("profile", "delta"):
        raise ValueError(f"method must be 'profile' or 'delta', not {method!r}")
    known = len(np.unique(doses))
    if known < 4:
        raise ValueError(f"a curve of four parameters needs at least 4 different doses, not {known}")
    x = np.log10(doses)
    if control is not None:
        untreated = _responses("control", control)
        x, y = np.r_[np.full(len(untreated), -np.inf), x], np.r_[untreated, y]
    df = len(y) - 4
    if df < 1:
        raise ValueError(f"{len(y)} wells leave no error to estimate: five or more are needed")
    span = float(np.ptp(y))
    if span <= 1e-9 * max(1.0, float(np.abs(y).max())):
        raise ValueError(f"no response range: every well gives {y[0]:g}, so there is no half to find")
    middle, top, bottom = _start(x, y)
    tries = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)  # an error without bound is told by an infinite `se`
        for slope in (1.0, 0.4, 3.0):
            guess = [middle, math.log(slope), top, bottom]
            try:
                tries.append(curve_fit(_model, x, y, guess, maxfev=5000, check_finite=False, **TIGHT))
            except RuntimeError:
                continue
    if not tries:
        raise ValueError("the fit did not converge: look at the wells, and at doses above and below the middle")
    found, covariance = min(tries, key=lambda one: ((y - _model(x, *one[0])) ** 2).sum())
    log_ic50, log_slope, top, bottom = map(float, found)
    rss, flat = float(((y - _model(x, *found)) ** 2).sum()), float(((y - y.mean()) ** 2).sum())
    exact = rss <= 1e-12 * flat
    if not exact and f_distribution.sf((flat - rss) / 3 / (rss / df), 3, df) > 0.05:
        raise ValueError("the response does not change with dose beyond the scatter of wells: there is no IC50")
    if top < bottom:
        raise ValueError(f"the response rises with dose, from {top:.3g} to {bottom:.3g}: an IC50 needs one that falls")
    se = 0.0 if exact else float(np.sqrt(covariance[0, 0]))
    quantile = float(t_distribution.ppf(0.5 + _level(level) / 2, df))
    if exact:
        ends = (log_ic50, log_ic50)
    elif method == "profile":
        ends = _profile(x, y, log_ic50, log_slope, rss, rss * (1 + quantile**2 / df))
    else:
        ends = (log_ic50 - quantile * se, log_ic50 + quantile * se)
    low, high = (0.0 if e == -math.inf else 10**e if e < 300 else math.inf for e in ends)
    ic50 = 10**log_ic50
    inside = bool(doses.min() <= ic50 <= doses.max())
    sd = math.sqrt(rss / df)
    return Fit(ic50, low, high, math.exp(log_slope), top, bottom, se, sd, df, level, inside)


def fold_change(reference: Fit, other: Fit) -> Fold:
    """How many times the IC50 of ``other`` is that of ``reference``, with an interval at the level of the two fits.

    The logarithms of two separate fits are subtracted, and the interval is recovered from the intervals of the two
    (Zou and Donner 2008, Statistics in Medicine 27:1693), so that lopsided or open ones stay so. A unit cancels; a day
    that moves both lines alike cancels too, if they share the plate.

    Raises
    ------
    ValueError where an IC50 is not positive and finite, or the levels of the two fits differ.
    """
    for name, one in (("reference", reference), ("other", other)):
        if not (math.isfinite(one.ic50) and one.ic50 > 0):
            raise ValueError(f"the {name} has no IC50: {one.ic50!r}")
    if reference.level != other.level:
        raise ValueError(f"the fits have intervals of {reference.level:g} and {other.level:g} %: one level is needed")

    def distance(one, end):
        return math.inf if end in (0.0, math.inf) else math.log10(end / one.ic50)

    value = math.log10(other.ic50 / reference.ic50)
    down = math.hypot(distance(other, other.low), distance(reference, reference.high))
    up = math.hypot(distance(other, other.high), distance(reference, reference.low))
    return Fold(10**value, 10 ** (value - down) if math.isfinite(down) else 0.0, 10 ** (value + up))


def planned_factor(
    curve: Curve,
    wells: int,
    plates: int = 1,
    sd: float = 6.0,
    between: float = 0.0,
    doses: Sequence[float] = DOSES,
    level: float = 95,
    known: bool = True,
) -> float:
    """Factor f such that the interval of an IC50 is expected to run from IC50 / f to IC50 * f, before any experiment.

    From the information that a design carries (inverse of J'J / sd^2, the Cramer-Rao bound), plus the spread of days
    (``between``, SD of log10 IC50), both shared out over the plates. Parameters as in :func:`simulate_plate`, and:

    known : whether the scatter is known beforehand (normal quantile, so small designs will do worse). If not, it is
        estimated from the plates themselves: quantile of t with plates less one degrees of freedom, the mean of log10
        IC50 over plates; infinite with a single plate, which shows nothing of how days differ.
    """
    from scipy.stats import norm, t

    x, wells, plates = np.log10(_doses(doses)), _whole("wells", wells), _whole("plates", plates)
    if not (sd >= 0 and between >= 0):
        raise ValueError(f"scatter must be 0 or more, not {sd!r} and {between!r}")
    at = np.array([math.log10(curve.ic50), math.log(curve.slope), curve.top, curve.bottom])
    step = 1e-5
    jacobian = np.column_stack([
        (_model(x, *(at + step * unit)) - _model(x, *(at - step * unit))) / (2 * step) for unit in np.eye(4)
    ])  # fmt: skip
    if np.linalg.matrix_rank(jacobian) < 4:
        raise ValueError("these doses cannot tell the four parameters apart: add doses about the IC50")
    variance = sd**2 * np.linalg.inv(jacobian.T @ jacobian)[0, 0] / wells + between**2
    quantile = 0.5 + _level(level) / 2
    if not known and plates == 1:
        return math.inf
    factor = norm.ppf(quantile) if known else t.ppf(quantile, plates - 1)
    return float(10 ** (factor * math.sqrt(variance / plates)))


def points(curves: Mapping[str, Curve | Fit], doses=None) -> pd.DataFrame:
    """Points of named curves or fits for drawing: columns line, dose (nM), response (%, two decimals), one row each."""
    doses = np.geomspace(min(DOSES), max(DOSES), 60) if doses is None else _doses(doses)
    drawn = {name: curve.curve if isinstance(curve, Fit) else curve for name, curve in curves.items()}
    parts = [pd.DataFrame({"line": k, "dose": doses, "response": c.response(doses).round(2)}) for k, c in drawn.items()]
    return pd.concat(parts, ignore_index=True)


# --- why the IC50 alone misleads --------------------------------------------------------------------------------------


def counted(dose, ec50: float, divisions: float, most: float = 1.0, slope: float = 1.0):
    """Cells at the end, in percent of untreated ones, when a drug slows the rate of division.

    Parameters
    ----------
    dose, ec50 : nM; the dose that takes half of the effect ``most`` on the rate.
    divisions : how often untreated cells divide during the assay.
    most : largest share of the rate that the drug takes away; 1 is standstill, more is death.
    slope : Hill slope of the effect on the rate.

    Returns
    -------
    100 * 2 ** (-divisions * most * f), f = dose^slope / (ec50^slope + dose^slope): the same effect on the rate makes
    fewer cells, and a lower IC50, the longer the assay runs (Hafner 2016).
    """
    if divisions <= 0 or most < 0:
        raise ValueError(f"needs divisions above 0 and an effect of 0 or more, not {divisions!r} and {most!r}")
    taken = most * (1 - 1 / (1 + (np.asarray(dose, float) / ec50) ** slope))
    return 100 * 2 ** (-divisions * taken)


def growth_rate(response, divisions: float):
    """GR value (Hafner 2016) of a response (% of untreated cells): 1 no effect, 0 standstill, below 0 death.

    GR = 2 ** (log2(x / x0) / log2(xc / x0)) - 1 with x treated and xc untreated cells at the end, x0 at the start, and
    log2(xc / x0) = divisions. Raises ValueError for responses that are not positive.
    """
    share = np.asarray(response, float) / 100
    if divisions <= 0 or (share <= 0).any():
        raise ValueError("a GR value needs divisions above 0 and responses above 0")
    return 2 ** ((divisions + np.log2(share)) / divisions) - 1


def with_reserve(dose, kd: float, expression: float):
    """Signal, in percent of untreated cells, when growth saturates with the number of receptors left free.

    A teaching model: drug binds by the law of mass action (``kd``, nM), free receptors drive growth by
    r / (1 + r), with r the number of receptors in units of the number that gives half-maximal growth (``expression``).

    Returns
    -------
    100 * kd * (1 + expression) / (dose + kd * (1 + expression)): the IC50 is kd * (1 + expression), so it rises with
    expression although the drug binds as before.
    """
    if kd <= 0 or expression <= 0:
        raise ValueError(f"needs kd and expression above 0, not {kd!r} and {expression!r}")
    half = kd * (1 + expression)
    return 100 * half / (np.asarray(dose, float) + half)


def pairs(doses=None) -> pd.DataFrame:
    """Three pairs of model lines, A and B, that differ in one thing each, though the drug binds alike.

    1 maximal effect: lower plateau at 5 or 55 %. 2 divisions: 4 or 1.2 divisions of untreated cells during the assay
    (:func:`counted`, half of the effect at 100 nM). 3 receptors: expression of 1 or 15 (:func:`with_reserve`, 30 nM).

    Returns
    -------
    DataFrame with the columns pair, line, dose (nM), cells (% of untreated). No data: invented parameters.
    """
    doses = np.geomspace(min(DOSES), max(DOSES), 60) if doses is None else _doses(doses)
    lines = {
        ("1 maximal effect", "A"): Curve(30, 1, 100, 5).response(doses),
        ("1 maximal effect", "B"): Curve(30, 1, 100, 55).response(doses),
        ("2 divisions", "A"): counted(doses, 100, divisions=4),
        ("2 divisions", "B"): counted(doses, 100, divisions=1.2),
        ("3 receptors", "A"): with_reserve(doses, kd=30, expression=1),
        ("3 receptors", "B"): with_reserve(doses, kd=30, expression=15),
    }
    parts = [pd.DataFrame({"pair": p, "line": k, "dose": doses, "cells": y}) for (p, k), y in lines.items()]
    return pd.concat(parts, ignore_index=True)


def half_doses() -> pd.DataFrame:
    """Relative and absolute IC50 of the lines of :func:`pairs`, read off their curves.

    Returns
    -------
    DataFrame with the columns pair, line, relative (nM, dose half-way between the plateaus of the line), absolute (nM,
    dose at which half of the untreated cells are left; infinite where the lower plateau stays above a half).
    """
    rows = []
    for (pair, line), curve in pairs(np.geomspace(1e-3, 1e9, 6001)).groupby(["pair", "line"], sort=False):
        dose, cells = np.log10(curve["dose"].to_numpy())[::-1], curve["cells"].to_numpy()[::-1]  # rising for interp
        relative, absolute = (float(10 ** np.interp(half, cells, dose)) for half in ((100 + cells[0]) / 2, 50))
        rows.append((pair, line, relative, absolute if cells[0] < 50 else math.inf))
    return pd.DataFrame(rows, columns=["pair", "line", "relative", "absolute"])
