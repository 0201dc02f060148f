"""Agreement between observers (kappa, unanimity) and predictive values of a test."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd


class Kappa(NamedTuple):
    """Kappa with its standard error and interval, beside the agreement seen and the agreement that chance gives."""

    kappa: float
    se: float
    low: float
    high: float
    observed: float
    expected: float


class Predictive(NamedTuple):
    """Probability that a positive (ppv) or a negative (npv) result is right."""

    ppv: float
    npv: float


class Share(NamedTuple):
    """A proportion with its interval."""

    value: float
    low: float
    high: float


# --- input ------------------------------------------------------------------------------------------------------------


def _probability(name: str, value: float) -> float:
    value = float(value)
    if np.isnan(value):
        raise ValueError(f"{name} is missing (NaN)")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie between 0 and 1, not {value:g}: give 0.9, not 90 %")
    return value


def _level(level: float) -> float:
    if not 0 < level < 100:
        raise ValueError(f"level must be a percentage between 0 and 100, not {level!r}")
    return level / 100


def _counts(table: object, what: str) -> np.ndarray:
    counts = np.asarray(table, dtype=float)
    if counts.ndim != 2 or 0 in counts.shape:
        raise ValueError(f"{what} must have two dimensions, not shape {counts.shape}")
    if not np.isfinite(counts).all() or (counts < 0).any() or (counts != np.round(counts)).any():
        raise ValueError(f"{what} must hold whole counts, 0 or more")
    if counts.sum() == 0:
        raise ValueError(f"{what} is empty: every count is 0")
    return counts


def _square(table: object) -> np.ndarray:
    counts = _counts(table, "table of two readers")
    if counts.shape[0] != counts.shape[1] or counts.shape[0] < 2:
        raise ValueError(f"both readers need the same categories, two or more; the table has shape {counts.shape}")
    if isinstance(table, pd.DataFrame) and list(table.index) != list(table.columns):
        rows, columns = (", ".join(map(str, names)) for names in (table.index, table.columns))
        raise ValueError(f"both readers need the same categories in the same order; rows: {rows}; columns: {columns}")
    return counts


# --- two readers ------------------------------------------------------------------------------------------------------


def percent_agreement(table: object) -> float:
    """Share of cases, 0 to 1, that two readers put in the same category; table: k x k counts, reader 1 in rows."""
    counts = _square(table)
    return float(np.trace(counts) / counts.sum())


def agreement_weights(categories: int, weights: str | None = None) -> np.ndarray:
    """Credit for a pair of categories, 1 for the same one: none, linear or quadratic fall with distance."""
    if weights not in (None, "linear", "quadratic"):
        raise ValueError(f"weights must be None, 'linear' or 'quadratic', not {weights!r}")
    if weights is None:
        return np.eye(categories)
    distance = np.abs(np.subtract.outer(np.arange(categories), np.arange(categories))) / (categories - 1)
    return 1 - distance if weights == "linear" else 1 - distance**2


def kappa(table: object, weights: str | None = None, level: float = 95) -> Kappa:
    """Cohen's kappa of two readers.

    Parameters
    ----------
    table : k x k counts, reader 1 in rows, reader 2 in columns, categories in the same (for weights: natural) order;
        the labels of a DataFrame are compared.
    weights : None (Cohen 1960), 'linear' or 'quadratic' (Cohen 1968).
    level : level of the interval, %.

    Returns
    -------
    Kappa; the standard error is the one of Fleiss, Cohen and Everitt (1969) for kappa other than zero.

    Raises
    ------
    ValueError for a table that is not square, whose rows and columns have other names, that holds no counts, or that
    has all cases of both readers in one category.
    """
    from scipy.stats import norm

    counts = _square(table)
    n, p = counts.sum(), counts / counts.sum()
    w = agreement_weights(len(p), weights)
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    observed, expected = float((w * p).sum()), float(rows @ w @ columns)
    if np.isclose(expected, 1):
        raise ValueError("kappa is undefined: both readers put every case in one category")
    value = (observed - expected) / (1 - expected)
    mean = np.add.outer(w @ columns, rows @ w)
    spread = (p * (w * (1 - expected) - mean * (1 - observed)) ** 2).sum()
    variance = (spread - (observed * expected - 2 * expected + observed) ** 2) / (n * (1 - expected) ** 4)
    se = float(np.sqrt(max(variance, 0)))
    half = float(norm.ppf(0.5 + _level(level) / 2)) * se
    return Kappa(value, se, max(value - half, -1.0), min(value + half, 1.0), observed, expected)


# --- many readers -----------------------------------------------------------------------------------------------------


def unanimity(accuracy: float, readers: int, categories: int = 2) -> float:
    """Chance that all readers give one case the same category: the one-reader model.

    Each reader, independently of the others, picks the leading category with probability ``accuracy`` and spreads the
    rest evenly over the other categories. With 2 readers this is the pairwise agreement.
    """
    accuracy = _probability("accuracy", accuracy)
    if readers < 1 or int(readers) != readers or categories < 2:
        raise ValueError(
            f"needs whole readers (1 or more) and 2 or more categories, not {readers!r} and {categories!r}"
        )
    other = (1 - accuracy) / (categories - 1)
    return accuracy**readers + (categories - 1) * other**readers


def unanimity_from_kappa(share: float, kappa: float, readers: int) -> float:
    """Chance that all readers agree on a case, two categories, where cases differ in difficulty.

    The probability of the category varies between cases as a beta distribution with mean ``share`` whose spread gives
    this kappa (for two categories Fleiss' kappa is the intraclass correlation 1 / (a + b + 1)).

    Parameters
    ----------
    share : share of all readings that fall into the category, between 0 and 1.
    kappa : agreement beyond chance of pairs of readers, 0 to 1.
    readers : how many readers see the case.
    """
    from scipy.special import betaln

    share, kappa = _probability("share", share), _probability("kappa", kappa)
    if readers < 1 or int(readers) != readers:
        raise ValueError(f"readers must be a whole number, 1 or more, not {readers!r}")
    if kappa == 1 or share in (0, 1):
        return 1.0
    if kappa == 0:
        return share**readers + (1 - share) ** readers
    a, b = (part * (1 / kappa - 1) for part in (share, 1 - share))
    return float(np.exp(betaln(a + readers, b) - betaln(a, b)) + np.exp(betaln(a, b + readers) - betaln(a, b)))


def unanimity_curves(kappa: float, most: int = 20) -> pd.DataFrame:
    """Share of cases on which all readers agree, from 2 to ``most`` readers, by two models whose pairs agree alike.

    Two categories, each with half of the readings. Columns: readers, unanimous (%), model: 'all cases equally hard'
    (:func:`unanimity`) or 'cases differ' (:func:`unanimity_from_kappa`).
    """
    pairwise = unanimity_from_kappa(0.5, kappa, 2)
    accuracy = (1 + (2 * pairwise - 1) ** 0.5) / 2
    models = {
        "all cases equally hard": lambda k: unanimity(accuracy, k),
        "cases differ": lambda k: unanimity_from_kappa(0.5, kappa, k),
    }
    points = [(k, 100 * chance(k), name) for name, chance in models.items() for k in range(2, most + 1)]
    return pd.DataFrame(points, columns=["readers", "unanimous", "model"])


# --- predictive values ------------------------------------------------------------------------------------------------


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> Predictive:
    """PPV and NPV by Bayes' rule; all three between 0 and 1. A value is NaN where no result of that sign can occur."""
    se, sp = _probability("sensitivity", sensitivity), _probability("specificity", specificity)
    prevalence = _probability("prevalence", prevalence)
    positive = se * prevalence + (1 - sp) * (1 - prevalence)
    negative = sp * (1 - prevalence) + (1 - se) * prevalence
    return Predictive(
        se * prevalence / positive if positive else float("nan"),
        sp * (1 - prevalence) / negative if negative else float("nan"),
    )


def wilson(count: int, n: int, level: float = 95) -> Share:
    """Proportion ``count`` of ``n`` with Wilson's interval (Wilson 1927; computed by SciPy)."""
    from scipy.stats import binomtest

    if int(n) != n or int(count) != count or n < 1 or not 0 <= count <= n:
        raise ValueError(f"needs whole counts with 0 <= count <= n and n >= 1, not {count!r} of {n!r}")
    interval = binomtest(int(count), int(n)).proportion_ci(_level(level), method="wilson")
    return Share(count / n, float(interval.low), float(interval.high))


def two_by_two(tp: int, fp: int, fn: int, tn: int, level: float = 95) -> dict[str, Share]:
    """Sensitivity, specificity, PPV and NPV with Wilson intervals from counts of true and false results.

    PPV and NPV hold for the prevalence of these counts alone.
    """
    pairs = {"sensitivity": (tp, tp + fn), "specificity": (tn, tn + fp), "ppv": (tp, tp + fp), "npv": (tn, tn + fn)}
    return {name: wilson(count, n, level) for name, (count, n) in pairs.items()}


def share_intervals(rows: pd.DataFrame, level: float = 95) -> pd.DataFrame:
    """Percentages of a table with an interval each: the printed one where there is one, else Wilson's.

    Parameters
    ----------
    rows : DataFrame with the columns value, ci_low, ci_high (%), numerator and n, as in ``her2_testing``; where the
        numerator is not printed, the nearest whole number of cases stands for it.
    level : level of the intervals that are computed, %; printed ones keep theirs.

    Returns
    -------
    DataFrame with the same rows and index, and the columns low and high (%) added. Raises ValueError where neither an
    interval nor n is given.
    """
    low, high = [], []
    for label, row in rows.iterrows():
        if np.isfinite(row["ci_low"]):
            low.append(row["ci_low"])
            high.append(row["ci_high"])
            continue
        n, count = (None if pd.isna(row[c]) else int(row[c]) for c in ("n", "numerator"))
        if n is None:
            raise ValueError(f"row {label!r} has neither an interval nor a number of cases")
        share = wilson(round(row["value"] * n / 100) if count is None else count, n, level)
        low.append(100 * share.low)
        high.append(100 * share.high)
    return rows.assign(low=low, high=high)
