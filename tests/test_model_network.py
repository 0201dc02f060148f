"""The Boolean networks: the published states of Sahin 2009, an independent copy of its rules, and bad input."""

import itertools

import her2
import numpy as np
import pytest
from her2 import network

#: The authors' logical parameters as the Biodivine collection of Boolean models holds them, converted there from
#: GINsim's file of the model (github.com/sybila/biodivine-boolean-models, ERB-B2, commit 0059a35): read independently
#: of the package's file, and written otherwise.
GINSIM = """
IGF1R, (((!ERalpha & AKT1) & !ERBB2_3) | (ERalpha & !ERBB2_3))
MEK1, ((((((((!IGF1R & !ERBB1) & !ERBB2_3) & !ERBB1_2) & ERBB1_3) | (((!IGF1R & !ERBB1) & !ERBB2_3) & ERBB1_2)) | ((!IGF1R & !ERBB1) & ERBB2_3)) | (!IGF1R & ERBB1)) | IGF1R)
AKT1, ((((((((!IGF1R & !ERBB1) & !ERBB2_3) & !ERBB1_2) & ERBB1_3) | (((!IGF1R & !ERBB1) & !ERBB2_3) & ERBB1_2)) | ((!IGF1R & !ERBB1) & ERBB2_3)) | (!IGF1R & ERBB1)) | IGF1R)
ERBB1, EGF
ERBB2, EGF
ERBB3, EGF
ERBB2_3, (ERBB2 & ERBB3)
ERBB1_2, (ERBB1 & ERBB2)
ERBB1_3, (ERBB1 & ERBB3)
p21, ((!CDK4 & !AKT1) & !MYC)
CDK4, ((!p21 & CyclinD1) & !p27)
CyclinD1, ((((!MEK1 & ERalpha) & AKT1) & MYC) | ((MEK1 & ERalpha) & MYC))
p27, (((!CDK4 & !CDK2) & !AKT1) & !MYC)
MYC, ((((!MEK1 & !ERalpha) & AKT1) | (!MEK1 & ERalpha)) | MEK1)
ERalpha, ((!MEK1 & AKT1) | MEK1)
CDK2, ((!p21 & !p27) & CyclinE1)
CyclinE1, MYC
pRB1, (CDK4 & CDK6)
CDK6, CyclinD1
EGF, EGF
"""
CONDITIONS = her2.load("network_conditions").fillna({"nodes_off": ""})


@pytest.fixture(scope="module")
def rules():
    return network.load("sahin2009")


def states(rules, off):
    off = [node for node in off.split("|") if node]
    return network.stable_states(rules, on=[] if "EGF" in off else ["EGF"], off=off)


@pytest.mark.parametrize("row", list(CONDITIONS.itertuples()), ids=CONDITIONS["condition"].tolist())
def test_published_stable_states_are_reproduced_whole(rules, row):
    published = {frozenset(state.split()) for state in row.stable_states.split("|")}
    assert set(states(rules, row.nodes_off)) == published


def test_rules_equal_the_authors_parameters_on_every_input(rules):
    other = network.parse(GINSIM)
    assert set(other) == set(rules)
    for node in rules:
        assert network.factors(rules[node]) == network.factors(other[node]), node
        names = sorted(network.factors(rules[node]))
        for values in itertools.product([False, True], repeat=len(names)):
            given = dict(zip(names, map(np.bool_, values), strict=True))
            mine, theirs = (network._value(network._tree(r[node]), given) for r in (rules, other))
            assert bool(mine) == bool(theirs), (node, given)


def test_the_conditions_would_find_a_wrong_rule(rules):
    # A wrong set of rules can agree on pRB1 everywhere; whole states tell.
    def off(spoilt):
        return sum(set(states(spoilt, row.nodes_off)) != {frozenset(s.split()) for s in row.stable_states.split("|")} for row in CONDITIONS.itertuples())

    assert off(rules) == 0
    assert off(rules | {"p27": "ERalpha & !CDK4 & !CDK2 & !AKT1 & !MYC"}) > 0
    assert off(rules | {"CyclinD1": "ERalpha | MYC | AKT1 | MEK1"}) > 0
    assert off(rules | {"IGF1R": "ERalpha | AKT1"}) > 0


def test_what_the_paper_says_of_its_model(rules):
    wild = network.stable_states(rules, on=["EGF"])
    assert len(wild) == 1 and "pRB1" in wild[0] and "IGF1R" not in wild[0]
    without = network.stable_states(rules, on=["EGF"], off=["ERBB2"])
    assert len(without) == 1 and {"pRB1", "IGF1R"} <= without[0]
    assert len(network.stable_states(rules, off=["EGF"])) == 2


def test_every_state_found_is_stable_and_no_other(rules):
    free = list(rules)
    found = set(network.stable_states(rules))
    generator = np.random.default_rng(2026)
    for _ in range(300):
        state = {node: np.bool_(generator.integers(2)) for node in free}
        stable = all(bool(network._value(network._tree(rules[node]), state)) == bool(state[node]) for node in free)
        assert stable == (frozenset(node for node in free if state[node]) in found)
    for one in found:
        state = {node: np.bool_(node in one) for node in free}
        assert all(bool(network._value(network._tree(rules[node]), state)) == (node in one) for node in free)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A B", "line 1"), ("A, B", "names B"), ("A, A\nA, !A", "second rule"), ("A, A +", "not a Boolean rule"),
        ("A, A > 1", "not a Boolean rule"), ("A, __import__('os')", "not a Boolean rule"), ("A, 2", "not a Boolean rule"),
    ],
)  # fmt: skip
def test_a_bad_rule_is_named(text, words):
    with pytest.raises(network.NetworkError, match=words):
        network.parse(text)


def test_a_bad_knock_down_is_named(rules):
    with pytest.raises(network.NetworkError, match="no node 'HER2'"):
        network.stable_states(rules, off=["HER2"])
    with pytest.raises(network.NetworkError, match="both on and off"):
        network.stable_states(rules, on=["EGF"], off=["EGF"])
    with pytest.raises(her2.DataError, match="known: sahin2009"):
        network.load("sahin")
    with pytest.raises(network.NetworkError, match="too many"):
        network.stable_states({f"n{i}": f"n{i}" for i in range(network.MOST_NODES + 1)})
