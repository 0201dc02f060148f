"""Dose-response fits and the sites on HER2: published values, closed forms, sources of the tables, bad input."""

import math
import subprocess
import sys

import her2
import numpy as np
import pandas as pd
import pytest
from her2 import dose_response as dr
from her2 import receptor
from her2.dose_response import Curve

DOSES = np.array(dr.DOSES)
# Ryegrass under ferulic acid (Inderjit 2002), the example of the R package drc: mM, root length in cm.
UNTREATED = [7.58, 8.0, 8.3285714, 7.25, 7.375, 7.9625]
RYEGRASS_DOSES = np.repeat([0.94, 1.88, 3.75, 7.5, 15, 30], 3)
RYEGRASS = [
    8.3555556, 6.9142857, 7.75, 6.8714286, 6.45, 5.9222222, 1.925, 2.8857143, 4.2333333, 1.1875, 0.8571429, 1.0571429,
    0.6875, 0.525, 0.825, 0.25, 0.22, 0.44,
]  # fmt: skip


def fits(plate, **options):
    return [dr.fit(w["dose"], w["response"], **options) for _, w in plate.groupby("line", sort=False)]


# --- fits -------------------------------------------------------------------------------------------------------------


def test_ryegrass_agrees_with_drc():
    # summary(drm(rootl ~ conc, data = ryegrass, fct = LL.4())): estimates and residual standard error.
    found = dr.fit(RYEGRASS_DOSES, RYEGRASS, control=UNTREATED, method="delta")
    assert found.slope == pytest.approx(2.98222, abs=2e-5)
    assert found.bottom == pytest.approx(0.48141, abs=2e-5)
    assert found.top == pytest.approx(7.79296, abs=2e-5)
    assert found.ic50 == pytest.approx(3.05795, abs=2e-5)
    assert found.sd == pytest.approx(0.5196256, abs=1e-6)
    assert found.df == 20
    assert found.ic50 * math.log(10) * found.se == pytest.approx(0.18573, abs=3e-4)  # drc's error of e


@pytest.mark.parametrize("curve", [
    Curve(30, 1.0, 100, 0), Curve(1200, 1.3, 95, 20), Curve(3, 0.7, 110, 5), Curve(450, 3.0, 100, 40),
    Curve(0.8, 1.0, 100, 10), Curve(30, 1.0, 1.0, 0.1),
])  # fmt: skip
def test_plates_without_noise_give_the_curve_back(curve):
    found = dr.fit(DOSES, curve.response(DOSES))
    assert found.ic50 == pytest.approx(curve.ic50, rel=1e-5)
    assert (found.slope, found.top, found.bottom) == pytest.approx(curve[1:], rel=1e-4, abs=1e-5)
    assert found.low <= found.ic50 * (1 + 1e-9) and found.high >= found.ic50 * (1 - 1e-9)


def test_half_way_by_hand():
    curve = Curve(30, 2, 100, 20)
    assert curve.response([0, 30]) == pytest.approx([100, 60])
    assert curve.response(90) == pytest.approx(20 + 80 / 10)  # (90 / 30)^2 = 9
    assert curve.dose_for(28) == pytest.approx(90)
    assert curve.dose_for(60) == pytest.approx(30)
    assert math.isinf(curve.dose_for(15))  # the plateau stays above it
    assert Curve(30, 1, 100, 0).dose_for(10) == pytest.approx(270)  # EC90 is 9 times EC50 at slope 1


def test_profile_limits_lie_where_the_sum_of_squares_says():
    """Brute force: at each limit, refit with the IC50 held; the rise is t squared over df."""
    from scipy.optimize import least_squares
    from scipy.stats import t

    plate = dr.simulate_plate(seed=310)
    for (_, wells), found in zip(plate.groupby("line", sort=False), fits(plate), strict=True):
        x, y = wells["dose"].to_numpy(), wells["response"].to_numpy()

        def rest(p, ic50, x=x, y=y):
            return y - Curve(ic50, math.exp(p[0]), p[1], p[2]).response(x)

        best = found.sd**2 * found.df
        for limit in (found.low, found.high):
            start = [math.log(found.slope), found.top, found.bottom]
            cost = 2 * least_squares(rest, start, args=(limit,), xtol=1e-12, ftol=1e-12).cost
            assert cost / best - 1 == pytest.approx(t.ppf(0.975, found.df) ** 2 / found.df, rel=2e-3)


def test_profile_is_open_where_the_doses_end_too_early():
    short = dr.simulate_plate(seed=2026, lines={"mutant": Curve(1200, 1.1, 100, 25)}, doses=DOSES[:7])
    found = fits(short)[0]
    assert math.isinf(found.high) and found.low > 0
    longer = dr.simulate_plate(seed=2026, lines={"mutant": Curve(1200, 1.1, 100, 25)}, doses=[*DOSES, 3e4, 1e5])
    assert math.isfinite(fits(longer)[0].high)


def test_intervals_hold_the_truth_as_often_as_they_say():
    lines = {"wild type": dr.LINES["wild type"]}
    hits = {"delta": 0, "profile": 0}
    for seed in range(150):
        plate = dr.simulate_plate(seed=seed, lines=lines)
        for method in hits:
            found = fits(plate, method=method)[0]
            hits[method] += found.low <= 30 <= found.high
    assert all(0.90 <= count / 150 <= 0.99 for count in hits.values()), hits


def test_a_wider_level_gives_a_wider_interval():
    plate = dr.simulate_plate(seed=4)
    at90, at99 = fits(plate, level=90)[0], fits(plate, level=99)[0]
    assert at99.low < at90.low < at90.ic50 < at90.high < at99.high


# --- fold change ------------------------------------------------------------------------------------------------------


def test_fold_change_by_hand():
    low, high = Curve(31, 1, 100, 0), Curve(1441, 1, 100, 0)
    found = dr.fold_change(dr.fit(DOSES, low.response(DOSES)), dr.fit(DOSES, high.response(DOSES)))
    assert found.value == pytest.approx(46.48, abs=0.01)
    # Two symmetric intervals of a factor 2 and of a factor 3: log10 f = sqrt(log10(2)^2 + log10(3)^2), f = 3.6656.
    base = dr.fit(DOSES, low.response(DOSES))
    one, two = base._replace(ic50=10, low=5, high=20), base._replace(ic50=100, low=100 / 3, high=300)
    found = dr.fold_change(one, two)
    assert (found.low, found.high) == pytest.approx((100 / 10 / 3.6656, 36.656), rel=1e-4)
    assert math.isinf(dr.fold_change(one, two._replace(high=math.inf)).high)
    assert dr.fold_change(one, two._replace(low=0)).low == 0


def test_fold_change_of_the_plate_of_the_chapter_and_its_unit():
    plate = dr.simulate_plate(seed=310)
    found = dr.fold_change(*fits(plate))
    assert found.low < 40 < found.high  # the lines were built 40-fold apart
    again = dr.fold_change(*fits(plate.assign(dose=plate["dose"] / 1000)))
    assert tuple(again) == pytest.approx(tuple(found), rel=1e-3)


def test_a_shared_day_cancels_in_the_fold_change():
    plate = dr.simulate_plate(seed=12, sd=0, between=0.3, plates=4)
    single, folds = [], []
    for _, day in plate.groupby("plate"):
        wild, mutant = fits(day)
        single.append(wild.ic50)
        folds.append(mutant.ic50 / wild.ic50)
    assert folds == pytest.approx([40] * 4, rel=1e-4)
    assert max(single) / min(single) > 1.3


def test_planned_interval_against_simulation():
    """Spread of log IC50 over many simulated plates is what the design promised; days add theirs."""
    line = {"wild type": dr.LINES["wild type"]}
    logs = [math.log10(fits(dr.simulate_plate(seed=s, lines=line), method="delta")[0].ic50) for s in range(200)]
    promised = math.log10(dr.planned_factor(line["wild type"], wells=3)) / 1.959964
    assert np.std(logs) == pytest.approx(promised, rel=0.15)
    one = math.log10(dr.planned_factor(line["wild type"], 3))
    assert math.log10(dr.planned_factor(line["wild type"], 3, plates=4)) == pytest.approx(one / 2)
    assert math.log10(dr.planned_factor(line["wild type"], 12)) == pytest.approx(one / 2)
    # Endless wells leave the day alone: 10^(1.96 * 0.15) = 1.968.
    assert dr.planned_factor(line["wild type"], 10**6, between=0.15) == pytest.approx(1.968, abs=1e-3)
    # Unknown scatter: t with 2 and with 5 degrees of freedom, 10^(4.303 * 0.15 / sqrt 3), 10^(2.571 * 0.15 / sqrt 6).
    assert dr.planned_factor(line["wild type"], 10**6, 3, between=0.15, known=False) == pytest.approx(2.359, abs=1e-3)
    assert dr.planned_factor(line["wild type"], 10**6, 6, between=0.15, known=False) == pytest.approx(1.437, abs=1e-3)
    assert math.isinf(dr.planned_factor(line["wild type"], 12, between=0.15, known=False))


def test_an_interval_from_days_holds_the_truth_as_often_as_it_says():
    """With the SD of days taken as known from three days, the interval would be too short: t keeps the promise."""
    from scipy.stats import t

    logs = np.random.default_rng(3).normal(0, 0.15, (4000, 3))
    error = np.abs(logs.mean(axis=1)) / (logs.std(axis=1, ddof=1) / math.sqrt(3))
    assert np.mean(error <= t.ppf(0.975, 2)) == pytest.approx(0.95, abs=0.01)
    assert np.mean(error <= 1.959964) < 0.85


# --- what the IC50 does not see ---------------------------------------------------------------------------------------


def test_counted_cells_by_hand():
    # Half of the effect on the rate: 2^(-4 / 2) = 25 %; 2^(-1 / 2) = 70.71 %; standstill after two divisions: 25 %.
    assert dr.counted(100, 100, divisions=4) == pytest.approx(25)
    assert dr.counted(100, 100, divisions=1) == pytest.approx(70.71, abs=0.01)
    assert dr.counted(1e12, 100, divisions=2) == pytest.approx(25)
    # 50 % are left where f = 1 / divisions: the dose is ec50 / (divisions - 1).
    assert [float(dr.counted(100 / (d - 1), 100, d)) for d in (2, 3, 5)] == pytest.approx([50] * 3)


def test_growth_rate_values():
    # Hafner 2016: 1 without effect, 0 at standstill, negative with death, and free of the number of divisions.
    assert dr.growth_rate(100, 3) == pytest.approx(1)
    assert dr.growth_rate(100 / 2**3, 3) == pytest.approx(0)
    assert dr.growth_rate(5, 3) < 0
    values = [dr.growth_rate(dr.counted(100, 100, d), d) for d in (1, 2, 4)]
    assert values == pytest.approx([math.sqrt(2) - 1] * 3)


def test_receptor_reserve_shifts_the_half_way_dose():
    assert dr.with_reserve(0, 30, 5) == pytest.approx(100)
    assert [float(dr.with_reserve(30 * (1 + e), 30, e)) for e in (0.5, 1, 15)] == pytest.approx([50] * 3)
    # 1 free receptor of 2 left, half-maximal at 1: r / (1 + r) falls from 2/3 to 1/2, so 75 % of the signal.
    assert dr.with_reserve(10, kd=10, expression=2) == pytest.approx(75)


def test_pairs_differ_in_what_they_say():
    ends = dr.pairs([1e-6, 1e9]).pivot(index=["pair", "line"], columns="dose", values="cells").round(2)
    assert ends[1e9].to_dict() == pytest.approx({
        ("1 maximal effect", "A"): 5, ("1 maximal effect", "B"): 55, ("2 divisions", "A"): 6.25,
        ("2 divisions", "B"): 43.53, ("3 receptors", "A"): 0, ("3 receptors", "B"): 0})  # fmt: skip


def test_relative_and_absolute_half_doses_by_hand():
    table = dr.half_doses().set_index(["pair", "line"])
    # Relative: 30 by construction. Absolute: 30 * 50 / 45; never; 100 / 3; 100 / 0.2; both equal with a plateau at 0.
    absolute = [30 * 50 / 45, math.inf, 100 / 3, 500, 60, 480]
    assert table["absolute"].tolist() == pytest.approx(absolute, rel=1e-4)
    assert table["relative"].tolist()[:2] == pytest.approx([30, 30], rel=1e-4)
    assert table["relative"].tolist()[4:] == pytest.approx([60, 480], rel=1e-4)
    half = (100 + 100 / 2**4) / 2  # four divisions, standstill: plateau at 6.25 %
    assert dr.counted(table.loc[("2 divisions", "A"), "relative"], 100, 4) == pytest.approx(half, rel=1e-4)
    assert dr.Curve(30, 1, 100, 5).dose_for(50) == pytest.approx(absolute[0])


# --- the plate --------------------------------------------------------------------------------------------------------


def test_simulated_plate_is_the_same_for_a_seed_and_has_its_wells():
    plate = dr.simulate_plate(seed=1, wells=2, plates=3)
    assert plate.shape == (3 * 2 * 9 * 2, 5) and list(plate) == ["plate", "line", "dose", "well", "response"]
    pd.testing.assert_frame_equal(plate, dr.simulate_plate(seed=1, wells=2, plates=3))
    quiet = dr.simulate_plate(sd=0)
    wild = quiet[quiet["line"] == "wild type"]
    assert wild["response"].to_numpy() == pytest.approx(dr.LINES["wild type"].response(wild["dose"]))


# --- bad input --------------------------------------------------------------------------------------------------------

GOOD = Curve(30, 1, 100, 0).response(DOSES)


@pytest.mark.parametrize(("doses", "responses", "said"), [
    ([0, 1, 10, 100, 1000], [100, 90, 50, 10, 1], "positive numbers, not 0: hand untreated wells over as `control`"),
    ([-1, 1, 10, 100, 1000], [100, 90, 50, 10, 1], "positive numbers, not -1"),
    ([1, 10, math.nan, 100, 5], [100, 90, 50, 10, 1], "positive numbers, not nan"),
    ([1, 10, 100] * 2, [100, 50, 1] * 2, "at least 4 different doses, not 3"),
    ([1, 10, 100, 1000], [100, 90, 50, 10], "4 wells leave no error"),
    (DOSES, GOOD[:-1], "9 doses and 8 responses"),
    (DOSES, [50] * 9, "no response range: every well gives 50"),
    (DOSES, [50, 52, 49, 51, 50, 48, 51, 49, 50.5], "does not change with dose"),
    (DOSES, 100 - GOOD, "rises with dose"),
    (DOSES, [*GOOD[:-1], math.nan], "finite numbers: leave lost wells out"),
    (DOSES, ["high"] * 9, "responses must be numbers"),
    (["low"] * 9, GOOD, "doses must be numbers"),
    ([], [], "doses must be a list"),
    ([[1, 10]], [[1, 2]], "doses must be a list of numbers, not shape"),
])  # fmt: skip
def test_wells_that_cannot_be_fitted(doses, responses, said):
    with pytest.raises(ValueError) as caught:
        dr.fit(doses, responses)
    assert said in str(caught.value)


@pytest.mark.parametrize(("call", "said"), [
    (lambda: dr.fit(DOSES, GOOD, method="bayes"), "'profile' or 'delta'"),
    (lambda: dr.fit(DOSES, GOOD, level=0.95 * 200), "between 0 and 100"),
    (lambda: dr.simulate_plate(wells=0), "wells must be a whole number, 1 or more"),
    (lambda: dr.simulate_plate(plates=1.5), "plates must be a whole number"),
    (lambda: dr.simulate_plate(sd=-1), "scatter must be 0 or more"),
    (lambda: dr.simulate_plate(doses=[1, -2]), "not -2"),
    (lambda: dr.planned_factor(Curve(30), 3, doses=[1, 10, 100]), "cannot tell the four parameters apart"),
    (lambda: dr.planned_factor(Curve(30), 3, between=-0.1), "scatter must be 0 or more"),
    (lambda: dr.counted(1, 1, divisions=0), "divisions above 0"),
    (lambda: dr.growth_rate(0, 2), "responses above 0"),
    (lambda: dr.with_reserve(1, 0, 1), "kd and expression above 0"),
    (lambda: Curve(30).dose_for(100), "not below the upper plateau"),
    (lambda: Curve(30, 1, 10, 20).dose_for(15), "does not fall"),
    (lambda: dr.fold_change(dr.fit(DOSES, GOOD), dr.fit(DOSES, GOOD, level=90)), "95 and 90 %: one level"),
    (lambda: dr.fold_change(dr.fit(DOSES, GOOD)._replace(ic50=0.0), dr.fit(DOSES, GOOD)), "reference has no IC50"),
    (lambda: receptor.binding("p96", "trastuzumab"), "unknown form 'p96'; there are: 611-ctf"),
    (lambda: receptor.binding("611-ctf", "aspirin"), "unknown agent 'aspirin'; there are: "),
    (lambda: receptor.site("bevacizumab"), "no site of 'bevacizumab' on HER2"),
    (lambda: receptor.site("nelipepimut-s"), "no site of"),
    (lambda: receptor.mature(22), "signal peptide"),
    (lambda: receptor.mature(1256), "outside the precursor, 1 to 1255"),
    (lambda: receptor.mature(7.5), "whole number"),
    (lambda: receptor.precursor(1234), "outside the mature protein, 1 to 1233"),
    (lambda: receptor.domain(0), "outside the precursor"),
    (lambda: receptor.outer_residues("herstatin"), "positions of form 'herstatin' are not in the tables"),
    (lambda: receptor.outer_residues("nothing"), "unknown form 'nothing'"),
    (lambda: receptor.parts(["p100"]), "positions of form 'p100'"),
])  # fmt: skip
def test_bad_input_says_what_is_wrong(call, said):
    with pytest.raises(ValueError) as caught:
        call()
    assert said in str(caught.value)


# --- the receptor -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"), [(755, 733), (798, 776), (310, 288), (777, 755), (678, 656), (23, 1), (1255, 1233)]
)
def test_precursor_is_mature_plus_22(before, after):
    # UniProt P04626: signal peptide 1 to 22, chain 23 to 1255.
    assert receptor.mature(before) == after == before - 22
    assert receptor.precursor(after) == before


def test_length_and_outer_parts():
    # P04626: ectodomain 23 to 652, 630 residues; fragments start at the methionine that names them.
    assert (receptor.length(), receptor.signal_peptide()) == (1255, 22)
    assert receptor.outer_residues("full-length") == 630
    assert receptor.outer_residues("611-ctf") == 652 - 611 + 1
    assert receptor.outer_residues("648-ctf") == 652 - 648 + 1


@pytest.mark.parametrize(("residue", "part"), [
    (1, "signal-peptide"), (22, "signal-peptide"), (23, "ectodomain"), (652, "ectodomain"), (653, "transmembrane"),
    (675, "transmembrane"), (676, "juxtamembrane"), (719, "juxtamembrane"), (720, "kinase"), (987, "kinase"), (988, "tail"),
])  # fmt: skip
def test_parts_at_their_borders(residue, part):
    assert receptor.domain(residue) == part


def test_every_variant_lies_in_the_domain_that_its_source_says():
    variants = her2.load("variants")
    found = variants["residue"].map(lambda r: receptor.domain(int(r)))
    outer = variants["domain"].str.startswith("domain")  # the sources name domain II, the table of parts has no borders
    assert (found[~outer] == variants.loc[~outer, "domain"]).all()
    assert (found[outer] == "ectodomain").all()


def test_parts_cover_each_form_once():
    parts = receptor.parts(["full-length", "611-ctf", "648-ctf"])
    sizes = (parts["end"] - parts["start"] + 1).groupby(parts["form"]).sum()
    assert sizes.to_dict() == {"full-length": 1255, "611-ctf": 1255 - 610, "648-ctf": 1255 - 647}


@pytest.mark.parametrize(("agent", "site"), [
    ("trastuzumab", ("domain IV",)), ("pertuzumab", ("domain II",)), ("margetuximab", ("domain IV",)),
    ("trastuzumab-deruxtecan", ("domain IV",)), ("trastuzumab-emtansine", ("domain IV",)),
    ("anbenitamab", ("domain II", "domain IV")), ("zanidatamab", ("outer part",)), ("lapatinib", ("kinase domain",)),
    ("neratinib", ("kinase domain",)), ("tucatinib", ("kinase domain",)),
])  # fmt: skip
def test_sites_are_those_of_the_table_of_agents(agent, site):
    assert receptor.site(agent) == site


@pytest.mark.parametrize(("forms", "agent", "state", "row"), [
    # What the sources behind `mechanism_agents` say, row by row.
    (["611-ctf", "648-ctf"], "trastuzumab", "lost", "p95her2-trastuzumab-models"),
    (["611-ctf", "648-ctf"], "pertuzumab", "lost", "p95her2-pertuzumab"),
    (["611-ctf", "648-ctf"], "trastuzumab-emtansine", "lost", "p95her2-trastuzumab-emtansine"),
    (["611-ctf", "648-ctf"], "lapatinib", "left", "p95her2-lapatinib-models"),
    (["611-ctf"], "neratinib", "left", "p95her2-neratinib"),
    (["masked-muc4"], "trastuzumab", "hidden", "muc4-masking-trastuzumab"),
    (["masked-hyaluronan"], "trastuzumab", "hidden", "hyaluronan-cd44-masking-trastuzumab"),
    (["s310f", "s310y", "g309e"], "pertuzumab", "lost", "her2-ecd-tm-mutations-pertuzumab"),
    (["s310f", "s310y", "g309e", "g309a"], "trastuzumab", "left", "her2-ecd-tm-mutations-trastuzumab"),
])  # fmt: skip
def test_sites_left_agree_with_what_the_sources_say(forms, agent, state, row):
    said = her2.load("mechanism_agents").set_index("id").loc[row]
    assert said["agent"] == agent
    assert {receptor.binding(form, agent).state for form in forms} == {state}
    assert (said["relation"] in ("resistance", "conflicting")) == (state != "left" or agent == "trastuzumab")


def test_what_was_not_read_is_not_decided():
    for form, agent in [
        ("masked-muc4", "pertuzumab"), ("delta-16", "trastuzumab"), ("herstatin", "trastuzumab"), ("s310f", "zanidatamab"),
        ("g309a", "pertuzumab"),
    ]:  # fmt: skip
        assert receptor.binding(form, agent).state == receptor.UNKNOWN
    assert receptor.binding("shed-ectodomain", "trastuzumab").state == receptor.SHED
    assert receptor.binding("shed-ectodomain", "lapatinib").state == receptor.LOST
    assert receptor.binding(receptor.STUMP, "trastuzumab").state == receptor.LOST
    assert receptor.binding(receptor.STUMP, "lapatinib").state == receptor.LEFT
    assert receptor.binding("herstatin", "lapatinib").state == receptor.LOST
    assert receptor.binding("delta-16", "lapatinib").state == receptor.LEFT
    assert {receptor.binding("full-length", agent).state for agent in receptor.DRUGS} == {"left"}
    assert {receptor.binding("l755s", agent).state for agent in receptor.DRUGS} == {"left"}


def test_every_form_and_drug_has_a_state_and_lost_ones_a_source():
    table = receptor.bindings(her2.load("receptor_forms")["id"])
    assert set(table["state"]) <= set(receptor.STATES) and table["reason"].str.len().gt(10).all()
    known = table[table["state"].isin(["lost", "hidden", "shed"])]
    assert set(known["reference"]) <= set(her2.load("references")["id"])


def test_a_plain_import_stays_light():
    code = "import sys, her2.dose_response, her2.receptor; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
