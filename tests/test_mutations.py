"""The data tests catch slips of the pen: measured with 200 changed values and a fixed seed."""

import shutil
from collections import Counter

import mutations
import pandas as pd
import pytest
from conftest import ROOT
from her2.validation import (
    CROSS_RULES,
    ROW_RULES,
    _exceptions,
    consistency_faults,
    cross_faults,
    read,
    row_faults,
    validate,
)

DATA = ROOT / "data"
#: More changed values than the goals ask for, so that a table's next edition does not decide by chance.
MORE = 600


@pytest.fixture(scope="module")
def slips():
    return mutations.measure(MORE)


def strict(slips):
    return [one for one in slips if one.kind in mutations.STRICT]


def test_most_slips_are_caught(slips):
    assert mutations.share(slips[: mutations.NUMBER]) >= mutations.GOAL, mutations.report(slips)


def test_nearly_all_slips_in_ratios_intervals_dates_and_keys_are_caught(slips):
    assert len(strict(slips)) >= 100
    assert mutations.share(strict(slips)) >= mutations.STRICT_GOAL, mutations.report(slips)


def test_the_same_seed_changes_the_same_values(slips):
    assert mutations.measure(20) == slips[:20]


def test_every_kind_is_measured_and_what_escapes_is_listed(slips):
    assert {one.kind for one in slips} >= {*mutations.STRICT, "number", "word"}
    escaped = [one for one in slips if not one.rule]
    text = mutations.report(slips, everything=True)
    assert all(f"{one.table}.{one.column}: {one.old!r} -> {one.new!r}" in text for one in escaped)


def test_validation_says_what_the_measurement_says(slips, tmp_path):
    """Slips that the quick schema check caught, all written into one copy: Frictionless and the rules see each."""
    quick = {"type", "range", "enum", "pattern", "unique", "foreign key", "required"}
    chosen, rows = [], set()
    for one in slips:
        if one.rule in quick and one.table == "trial_results" and one.column != "id" and one.key not in rows:
            chosen.append(one)
            rows.add(one.key)
    chosen = chosen[:12]
    assert len({one.rule for one in chosen}) >= 2
    for folder in ("tables", "models"):
        shutil.copytree(DATA / folder, tmp_path / folder)
    for name in ("datapackage.json", "exceptions.csv"):
        shutil.copy(DATA / name, tmp_path)
    path = tmp_path / "tables" / "trial_results.csv"
    frame = pd.read_csv(path, dtype="str", keep_default_na=False).set_index("id", drop=False)
    for one in chosen:
        frame.loc[one.key, one.column] = one.new
    frame.to_csv(path, index=False, lineterminator="\n")
    lines = {key: number for number, key in enumerate(frame["id"], start=2)}
    seen = {(fault.row, column) for fault in validate(tmp_path) if fault.file == "trial_results.csv" for column in fault.column.split(", ")}
    assert {(lines[one.key], one.column) for one in chosen} <= seen


@pytest.mark.parametrize("table", mutations.TABLES)
def test_no_rule_stumbles_over_a_wild_value(table):
    """A rule that fails hides all other faults: it must bear what only the schema refuses."""
    rows = read(DATA)
    for column in mutations.fields(table):
        _, row = next(((line, row) for line, row in rows[table] if row[column]), rows[table][0])
        kept = row[column]
        for wild in ("", "-1", "0", "950", "1e9", "inf", "|", "2020-02-31", "soon"):
            row[column] = wild
            list(row_faults(table, row))
        list(cross_faults(rows))
        row[column] = kept


def test_exceptions_are_few_and_each_has_a_reason():
    listed = pd.read_csv(DATA / "exceptions.csv", dtype="str", keep_default_na=False)
    assert (listed["reason"].str.len() > 25).all()
    assert not listed.duplicated(["table", "id", "rule"]).any()
    known = {rule.__name__ for rules in ROW_RULES.values() for rule in rules} | {rule.__name__ for rule in CROSS_RULES}
    assert set(listed["rule"]) <= known
    assert max(Counter(listed["rule"]).values()) <= 15, "a rule with more exceptions is too tight"


def test_an_exception_that_is_no_longer_needed_is_a_fault():
    rows, excused = read(DATA), _exceptions(DATA) | {("trials", "katherine", "level_fits_design")}
    assert [str(fault) for fault in consistency_faults(rows, excused)] == ["exceptions.csv, row 0, column rule: 'trials katherine': level_fits_design: no longer needed, take it out"]
