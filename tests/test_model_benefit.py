"""Absolute gain, number needed to treat, differences of proportions, non-inferiority: against published values."""

import math
import subprocess
import sys

import her2
import numpy as np
import pandas as pd
import pytest
from her2 import benefit, charts
from her2.benefit import Estimate

RESULTS = her2.load("trial_results").set_index("id")
EVENTS = her2.load("adverse_events").set_index("id")


# --- gain from ratio and control survival -----------------------------------------------------------------------------

# Absolute differences that the trials' own reports print, in points, with the printed interval where there is one.
# The computed value rests on one ratio for the whole follow-up and on rounded rates: it may miss by the tolerance.
PRINTED = [
    ("katherine-idfs-2025", 13.7, None, 0.5),  # Geyer 2025: 80.8 against 67.1 % at 7 years
    ("katherine-os-2025", 4.7, None, 0.5),  # Geyer 2025: 89.1 against 84.4 % at 7 years
    ("aphinity-os-itt-2025", 1.8, (0.03, 3.47), 0.5),  # Loibl 2025, 10 years
    ("b-31-n9831-os-eu-label", 7.4, (4.9, 10.0), 0.6),  # European label of trastuzumab, 8 years
    ("hera-os-1y-2017", 6.0, None, 0.5),  # Cameron 2017: 79 against 73 % at 12 years
    ("n9831-dfs-seq-v-none-2011", 8.3, None, 0.6),  # Perez 2011: 80.1 against 71.8 % at 5 years
    ("aphinity-idfs-nodepos-2022", 4.9, None, 0.5),  # Loibl 2024, 8 years
    ("destiny-breast05-idfs-2025", 8.7, None, 0.5),  # Loibl 2025: 92.4 against 83.7 % at 3 years
    ("peony-efs-5y-2024", 11.1, None, 0.5),  # Huang 2024, 5 years
]


@pytest.mark.parametrize(("key", "points", "interval", "tolerance"), PRINTED)
def test_gain_agrees_with_the_difference_that_the_trial_prints(key, points, interval, tolerance):
    found = benefit.check_gains(RESULTS.loc[[key]]).iloc[0]
    assert found["printed"] == pytest.approx(points, abs=0.11)  # the table holds what the report prints
    assert found["gain"] == pytest.approx(points, abs=tolerance)
    if interval:  # the printed one also carries the error of the control rate, so it is the wider one
        assert (found["low"], found["high"]) == pytest.approx(interval, abs=1.4)


def test_gain_by_hand():
    # 0.5**0.5 = 0.7071; 0.25**0.5 = 0.5; 0.81**1.5 = 0.729.
    assert benefit.gain(0.5, 0.5).value == pytest.approx(0.2071, abs=5e-5)
    assert benefit.gain(0.25, 0.5).value == pytest.approx(0.25)
    assert benefit.gain(0.81, 1.5).value == pytest.approx(-0.081)
    found = benefit.gain(0.25, 0.5, (0.25, 1.0))  # 0.25**0.25 = 0.7071
    assert (found.low, found.high) == pytest.approx((0.0, 0.4571), abs=5e-5)
    assert math.isnan(benefit.gain(0.25, 0.5).low)


def test_delta_method_against_simulation():
    """Log ratio and control survival drawn from normals of the given errors: their spread is that of the interval."""
    found = benefit.gain(0.837, 0.47, (0.34, 0.66), (0.802, 0.867))
    rng = np.random.default_rng(5)
    ratio = np.exp(rng.normal(math.log(0.47), math.log(0.66 / 0.34) / (2 * 1.959964), 200_000))
    control = rng.normal(0.837, (0.867 - 0.802) / (2 * 1.959964), 200_000)
    spread = (control**ratio - control).std()
    assert found.high - found.low == pytest.approx(2 * 1.959964 * spread, rel=0.03)
    known = benefit.gain(0.837, 0.47, (0.34, 0.66))
    assert found.high - found.low > known.high - known.low
    # With control survival all but known, both methods agree up to the curve of the exact one.
    tight = benefit.gain(0.837, 0.47, (0.34, 0.66), (0.8369, 0.8371))
    assert tight.high - tight.low == pytest.approx(known.high - known.low, rel=0.05)


def test_gain_properties():
    rng = np.random.default_rng(3)
    for control, ratio in zip(rng.uniform(0.02, 0.98, 200), rng.uniform(0.1, 0.99, 200), strict=True):
        found = benefit.gain(control, ratio, (ratio * 0.8, min(ratio * 1.3, 5)))
        assert 0 < found.value < 1 - control
        assert found.low < found.value < found.high
        assert benefit.gain(control, 1).value == 0
        assert benefit.gain(control, 1 / ratio).value < 0
        assert benefit.implied_ratio(control, control + found.value) == pytest.approx(ratio)
    # The gain is largest where S = HR**(1 / (1 - HR)): the derivative HR * S**(HR - 1) - 1 is 0 there.
    curve = benefit.gain_curves((0.5,), 0.001)
    assert curve.loc[curve["gain"].idxmax(), "control"] == pytest.approx(25.0)
    assert curve["gain"].max() == pytest.approx(25.0)


# --- number needed to treat -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gain", "value", "text"),
    [
        (Estimate(0.10, -0.05, 0.25), 10, "NNT 10 (NNH 20 to infinity to NNT 4)"),  # the form of Altman 1998, BMJ 317:1309
        (Estimate(0.20, 0.10, 0.25), 5, "NNT 5 (4 to 10)"),  # 1 over 0.20, 0.25, 0.10
        (Estimate(0.0568, 0.02, 0.09), 17.6, "NNT 18 (12 to 50)"),  # NNT is rounded up
        (Estimate(-0.0568, -0.09, -0.02), 17.6, "NNH 17 (11 to 50)"),  # NNH is rounded down
        (Estimate(0.02, 0.0, 0.04), 50, "NNT 50 (NNH infinity to infinity to NNT 25)"),
        (Estimate(0.05, math.nan, math.nan), 20, "NNT 20"),
        (0.25, 4, "NNT 4"),
    ],
)
def test_number_needed_to_treat(gain, value, text):
    found = benefit.needed(gain)
    assert found.value == pytest.approx(value, abs=0.01)
    assert found.text == text


def test_number_needed_to_treat_at_a_horizon():
    # KATHERINE at 7 years: 1 / (0.671**0.54 - 0.671) = 1 / 0.1351 = 7.4; bounds of the ratio 0.44 and 0.66.
    found = benefit.needed(benefit.gain(0.671, 0.54, (0.44, 0.66)))
    assert (found.value, found.low, found.high) == pytest.approx((7.40, 5.95, 10.27), abs=0.05)


# --- differences of proportions ---------------------------------------------------------------------------------------

# Newcombe 1998, Stat Med 17:873, table II, method 10 (hybrid score, no continuity correction).
NEWCOMBE = [
    ((56, 70, 48, 80), (0.2000, 0.0524, 0.3339)),
    ((9, 10, 3, 10), (0.6000, 0.1705, 0.8090)),
    ((6, 7, 2, 7), (0.5714, 0.0582, 0.8062)),
    ((5, 56, 0, 29), (0.0893, -0.0381, 0.1926)),
    ((0, 10, 0, 20), (0.0000, -0.1611, 0.2775)),
    ((0, 10, 0, 10), (0.0000, -0.2775, 0.2775)),
    ((10, 10, 0, 20), (1.0000, 0.6791, 1.0000)),
    ((10, 10, 0, 10), (1.0000, 0.6075, 1.0000)),
]


@pytest.mark.parametrize(("counts", "expected"), NEWCOMBE)
def test_hybrid_score_interval(counts, expected):
    assert benefit.newcombe(*counts) == pytest.approx(expected, abs=5e-5)


def wilson_by_formula(count, n, z=1.959964):
    """The closed form of Wilson 1927, written out anew."""
    p = count / n
    middle, half = (p + z**2 / (2 * n)), z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)


def test_difference_of_events_is_square_and_add_of_wilson():
    # Congestive heart failure in BCIRG 006: 20 of 1068 with AC-TH, 3 of 1050 with AC-T.
    (l1, u1), (l2, u2) = wilson_by_formula(20, 1068), wilson_by_formula(3, 1050)
    p1, p2 = 20 / 1068, 3 / 1050
    expected = (p1 - p2, p1 - p2 - math.hypot(p1 - l1, u2 - p2), p1 - p2 + math.hypot(u1 - p1, p2 - l2))
    assert benefit.newcombe(20, 1068, 3, 1050) == pytest.approx(expected, abs=1e-6)
    # Opposite order, opposite sign.
    found, turned = benefit.newcombe(9, 40, 3, 50), benefit.newcombe(3, 50, 9, 40)
    assert (found.low, found.high) == pytest.approx((-turned.high, -turned.low))


def test_interval_of_a_difference_covers():
    rng, n = np.random.default_rng(8), 60
    pairs = zip(rng.binomial(n, 0.3, 300), rng.binomial(n, 0.1, 300), strict=True)
    hits = [low <= 0.2 <= high for _, low, high in (benefit.newcombe(int(a), n, int(b), n) for a, b in pairs)]
    assert 0.91 < np.mean(hits) < 0.99


# --- non-inferiority --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "met"),
    [("phare-dfs-2019", False), ("shorther-dfs-2018", False), ("sold-dfs-2018", False), ("horg-duration-dfs-2015", False)],
)
def test_verdicts_agree_with_the_reports(key, met):
    row = RESULTS.loc[key]
    found = benefit.noninferiority((row["ci_low"], row["ci_high"]), row["ni_margin"])
    assert found.noninferior == met == (row["significance_met"] == "met")


def test_margin_in_points_and_as_a_ratio_agree_for_persephone():
    # Margin of 3 points at 4 years with 89.8 % of controls free of disease: ln 0.868 / ln 0.898 = 1.316.
    row = RESULTS.loc["persephone-dfs-2019"]
    assert benefit.margin_ratio(0.898, 0.03) == pytest.approx(1.316, abs=5e-4)
    assert benefit.noninferiority((row["ci_low"], row["ci_high"]), benefit.margin_ratio(0.898, 0.03)).noninferior
    low, high = benefit.gain(row["control_value"] / 100, row["hazard_ratio"], (row["ci_low"], row["ci_high"]))[1:]
    assert benefit.noninferiority((low, high), -0.03, null=0).noninferior
    assert row["significance_met"] == "met"


@pytest.mark.parametrize(
    ("interval", "margin", "null", "text"),
    [
        ((0.93, 1.24), 1.32, 1, "non-inferior"), ((0.93, 1.25), 1.15, 1, "not shown"),
        ((1.03, 1.20), 1.30, 1, "non-inferior but worse"), ((1.08, 1.80), 1.30, 1, "not shown but worse"),
        ((0.60, 0.90), 1.20, 1, "non-inferior and better"), ((-0.02, 0.01), -0.03, 0, "non-inferior"),
        ((-0.05, 0.01), -0.03, 0, "not shown"), ((-0.02, -0.01), -0.03, 0, "non-inferior but worse"),
        ((0.01, 0.04), -0.03, 0, "non-inferior and better"), ((0.90, 1.30), 1.30, 1, "not shown"),
    ],
)  # fmt: skip
def test_verdict_in_words(interval, margin, null, text):
    assert benefit.noninferiority(interval, margin, null).text == text


def test_interval_at_another_level():
    # SOLD 2018: the 95 % interval of the table was recalculated from the printed 90 % one, 1.12 to 1.72 (JAMA Oncol).
    row = RESULTS.loc["sold-dfs-2018"]
    assert benefit.at_level((row["ci_low"], row["ci_high"]), 95, 90) == pytest.approx((1.12, 1.72), abs=0.012)
    assert benefit.at_level((0.5, 2.0), 95, 95) == pytest.approx((0.5, 2.0))
    assert benefit.at_level(benefit.at_level((0.7, 1.2), 95, 99), 99, 95) == pytest.approx((0.7, 1.2))


# --- tables -----------------------------------------------------------------------------------------------------------


def test_harms_name_their_basis():
    found = benefit.harms(EVENTS, {
        "heart failure": ("bcirg-006-acth-congestive-heart-failure-any", "bcirg-006-act-congestive-heart-failure-any"),
        "lung": ("destiny-breast03-experimental-ild-any-2021", "destiny-breast03-control-ild-any-2021"),
        "stop": ("hera-1y-cardiac-event-8-years-leading-to-stop", "hera-1y-cardiac-event-8-years-leading-to-stop"),
        "severe": ("katherine-tdm1-any-adverse-event-3plus", "katherine-t-any-adverse-event-3plus"),
    })  # fmt: skip
    assert found["basis"].tolist() == ["n of N", "n of N", "percent of N", "percent only"]
    assert found.loc["heart failure", "difference"] == pytest.approx(100 * (20 / 1068 - 3 / 1050))
    assert found.loc["severe", "difference"] == pytest.approx(26.1 - 15.7)
    assert math.isnan(found.loc["severe", "low"])


def test_ledger_sets_gains_and_harms_side_by_side():
    failure = ("bcirg-006-acth-congestive-heart-failure-any", "bcirg-006-act-congestive-heart-failure-any")
    found = benefit.ledger(RESULTS, EVENTS, [
        ("AC-TH", "disease-free", "bcirg-006-dfs-acth-2011"), ("AC-TH", "heart failure", failure),
        ("6 months", "disease-free", "persephone-dfs-2019"),
        ("6 months", "stop for the heart", ("persephone-6m-cardiotoxicity-leading-to-stop", "persephone-12m-cardiotoxicity-leading-to-stop")),
    ])  # fmt: skip
    both = ["gain, computed", "gain, printed", "harm"]
    assert found["kind"].tolist() == 2 * both
    # 0.75**0.64 - 0.75 = 0.0818, one over it 12.2, rounded up; 20/1068 - 3/1050 = 0.0159, one over it 63.0, rounded down.
    assert found["points"].tolist()[:3] == pytest.approx([8.18, 9, 1.587], abs=5e-3)
    assert found["needed"][0].startswith("NNT 13 (") and found["needed"][2].startswith("NNH 63 (")
    # Arms without intervals of their own: the printed difference has none.
    assert found["needed"][1] == "NNT 12" and math.isnan(found["low"][1]) and "no interval" in found["basis"][1]
    # 45/1216 - 96/1214 = -0.0421: harm spared, so a number needed to treat.
    assert found["points"][5] == pytest.approx(-4.207, abs=5e-3) and found["needed"][5].startswith("NNT 24 (")
    # The 90 % interval of PERSEPHONE is brought to 95 %, so it is wider than the one of the printed bounds.
    printed = benefit.gain(0.898, 1.07, (0.93, 1.24))
    assert found["high"][3] - found["low"][3] > 100 * (printed.high - printed.low)
    assert found.loc[3, ["points", "low", "high"]].tolist() == pytest.approx([-0.68, -2.6, 0.9], abs=0.05)
    # ExteNET prints 90.2 (88.3 to 91.8) and 87.7 (85.7 to 89.4): 2.5, less hypot(1.9, 1.7), plus hypot(1.6, 2.0).
    extenet = benefit.ledger(RESULTS, EVENTS, [("x", "gain", "extenet-idfs-5y")]).loc[1]
    assert extenet[["points", "low", "high"]].tolist() == pytest.approx([2.5, -0.0495, 5.061], abs=5e-3)
    with pytest.raises(ValueError, match="panel 'x' joins two trials, katherine and bcirg-006"):
        benefit.ledger(RESULTS, EVENTS, [("x", "gain", "katherine-idfs-2025"), ("x", "harm", failure)])


@pytest.mark.parametrize(("ratio", "control"), [(0.5, 0.25), (0.7, 0.3046), (0.9, 0.3487)])
def test_gain_peaks_at_a_high_risk(ratio, control):
    peak = benefit.peak_control(ratio)
    assert peak == pytest.approx(control, abs=5e-5)
    assert benefit.gain(peak, ratio).value > max(benefit.gain(peak + step, ratio).value for step in (-0.01, 0.01))


def test_three_ways_join_more_and_more_error():
    found = benefit.three_ways(RESULTS.loc["destiny-breast05-idfs-2025"])
    assert found["width"].is_monotonic_increasing
    # 92.4 - 83.7; down: hypot(92.4 - 89.7, 86.7 - 83.7) = 4.04, up: hypot(94.4 - 92.4, 83.7 - 80.2) = 4.03.
    assert found.loc["two printed rates", ["value", "low", "high"]].tolist() == pytest.approx([8.7, 4.66, 12.73], abs=5e-3)
    assert found.loc["control known", "value"] == found.loc["control estimated", "value"]


def test_panels_hold_one_family_and_one_assessor():
    keys = {"cleopatra-pfs-irf-2011": "one", "destiny-breast09-pfs-bicr-2025": "two"}
    found = benefit.in_panels(RESULTS, {"central": keys, "investigator": {"patina-pfs-inv-2026": "three"}})
    assert found["label"].tolist() == ["one", "two", "three"]
    assert found["panel"].tolist() == ["central", "central", "investigator"]
    with pytest.raises(ValueError, match="panel 'x' mixes assessor"):
        benefit.in_panels(RESULTS, {"x": {**keys, "patina-pfs-inv-2026": "three"}})
    with pytest.raises(ValueError, match="panel 'x' mixes endpoint family: PFS, TTP"):
        benefit.in_panels(RESULTS, {"x": {"patina-pfs-inv-2026": "a", "gbg-26-ttp-2007": "b"}})


def test_panels_share_no_axis():
    import altair as alt

    rows = pd.DataFrame({"clock": ["b", "a", "b"], "x": [1, 2, 3], "y": ["p", "q", "r"]})
    spec = charts.own_axes(alt.Chart().mark_point().encode(x="x:Q", y="y:N"), data=rows, by="clock").to_dict()
    assert [panel["title"]["text"] for panel in spec["vconcat"]] == ["b", "a"]  # in the order of the data
    assert sorted(map(len, spec["datasets"].values())) == [1, 2]
    assert "x" not in spec["resolve"]["scale"] and "y" not in spec["resolve"]["scale"]


def test_course_places_every_trial_by_its_setting():
    trials = her2.load("trials").set_index("id")
    found = benefit.course(trials.loc[["apt", "hera", "katherine", "gbg-26"]])
    assert found["stage"].tolist() == ["after surgery", "after surgery", "after surgery, cancer left", "metastatic, second line"]
    assert found["slot"].tolist() == [0, 1, 0, 0] and found["label"]["gbg-26"] == "GBG 26"
    assert found["design"].tolist() == ["single-arm", "randomised", "randomised", "randomised"]
    with pytest.raises(ValueError, match="no stage for landscape"):
        benefit.course(trials.loc[["landscape"]])


def test_years_of_licences():
    found = benefit.licence_years(pd.DataFrame({"date": ["2020", "2020-07", "2019-12-31"]}))
    assert found.tolist() == [2020.0, 2020.5, 2020.0]


def test_licences_by_day_and_place():
    rows = pd.DataFrame({"jurisdiction": ["A", "A", "B", "A"], "date": ["2019-12-18", "2020-01", "2018", "2020"]})
    assert benefit.licensed(rows, "A", "2019-12-18")["date"].tolist() == ["2019-12-18"]
    assert benefit.licensed(rows, "A", "2020-01-30")["date"].tolist() == ["2019-12-18"]  # the month is not over
    assert benefit.licensed(rows, "A", "2020-12-31")["date"].tolist() == ["2019-12-18", "2020", "2020-01"]
    assert benefit.licensed(rows, "B", "2018-12-30").empty


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: benefit.gain(67.1, 0.54), "control survival must lie between 0 and 1, both excluded, not 67.1: give 0.9, not 90 %"),
        (lambda: benefit.gain(0, 0.5), "control survival must lie between 0 and 1"),
        (lambda: benefit.gain(1, 0.5), "control survival must lie between 0 and 1"),
        (lambda: benefit.gain(float("nan"), 0.5), "control survival must lie between 0 and 1"),
        (lambda: benefit.gain(0.9, 0), "hazard ratio must be above 0, not 0"),
        (lambda: benefit.gain(0.9, -0.5), "hazard ratio must be above 0"),
        (lambda: benefit.gain(0.9, 0.5, (0.6, 0.4)), "interval of the hazard ratio is empty: its lower bound 0.6 must be below"),
        (lambda: benefit.gain(0.9, 0.5, (0.5, 0.5)), "is empty"),
        (lambda: benefit.gain(0.9, 0.5, (0.6, 0.8)), "does not hold its own estimate 0.5"),
        (lambda: benefit.gain(0.9, 0.5, 0.6), "must be two numbers, lower and upper bound"),
        (lambda: benefit.gain(0.9, 0.5, (0, 0.8)), "lower bound of the hazard ratio must be above 0"),
        (lambda: benefit.gain(0.9, 0.5, None, (0.8, 0.95)), "needs one of the hazard ratio beside it"),
        (lambda: benefit.gain(0.9, 0.5, (0.4, 0.6), (0.8, 1.0)), "upper bound of the control survival must lie between 0 and 1"),
        (lambda: benefit.gain(0.9, 0.5, (0.4, 0.6), (0.8, 0.95), level=0), "level must be a percentage"),
        (lambda: benefit.needed(0.0), "a gain of 0 has no number needed to treat"),
        (lambda: benefit.needed(Estimate(0.1, 0.2, 0.3)), "does not hold its own estimate"),
        (lambda: benefit.peak_control(1), "a hazard ratio of 1 gains nothing"),
        (lambda: benefit.peak_control(0), "hazard ratio must be above 0"),
        (lambda: benefit.implied_ratio(0.9, 1.2), "experimental survival must lie between 0 and 1"),
        (lambda: benefit.newcombe(5, 4, 1, 4), "0 <= count <= n"),
        (lambda: benefit.difference(Estimate(0.5, 0.6, 0.7), Estimate(0.4, 0.3, 0.5)), "interval of the first estimate from 0.6"),
        (lambda: benefit.noninferiority((0.9, 1.2), 1.0), "a margin must lie above 1, on the side of loss"),
        (lambda: benefit.noninferiority((-0.02, 0.02), 0.03, null=0), "a margin must lie below 0"),
        (lambda: benefit.noninferiority((1.2, 0.9), 1.3), "interval is empty"),
        (lambda: benefit.noninferiority((-0.1, 0.9), 1.3), "lower bound of the ratio must be above 0"),
        (lambda: benefit.margin_ratio(0.9, -0.03), "a margin must lie between 0 and the control survival"),
        (lambda: benefit.at_level((0.8, 0.8), 95, 90), "is empty"),
        (lambda: benefit.check_gains(RESULTS.loc[["cleopatra-os-2014"]]), "lack a ratio or two rates at a timepoint: cleopatra-os-2014"),
        (lambda: benefit.harms(EVENTS, {"x": ("no-such-row", "hera-1y-lvef-below-50-any")}), "no adverse event 'no-such-row'"),
        (lambda: benefit.harms(EVENTS, {"x": ("hera-1y-lvef-below-50-any", "bcirg-006-act-lvef-below-50-any")}), "joins two trials, hera and bcirg-006"),
        (lambda: benefit.licensed(her2.load("approvals"), "Atlantis", "2020-01-01"), "no licence from 'Atlantis'; known:"),
        (lambda: benefit.licensed(her2.load("approvals"), "China", "soon"), "day must be written YYYY-MM-DD"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)")):
        call()


def test_scipy_is_imported_only_when_needed():
    code = "import sys, her2; from her2 import benefit; benefit.gain(0.9, 0.5, (0.4, 0.6)); sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
