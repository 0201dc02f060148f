"""The data package: no fault in it, every kind of fault found, and the same tables from any folder."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import her2
import pandas as pd
import pytest
from conftest import ROOT
from her2 import tables
from her2.validation import validate

DATA = ROOT / "data"


def test_no_fault():
    assert [str(fault) for fault in validate(DATA)] == []


@pytest.fixture
def package(tmp_path):
    """A copy of the data package to spoil."""
    for folder in ("tables", "models"):
        shutil.copytree(DATA / folder, tmp_path / folder)
    for name in ("datapackage.json", "exceptions.csv"):
        if (DATA / name).is_file():
            shutil.copy(DATA / name, tmp_path)
    # Hashes would report every edit: set them aside, so that the rules themselves are tried.
    path = tmp_path / "datapackage.json"
    descriptor = json.loads(path.read_text("utf-8"))
    for resource in descriptor["resources"]:
        resource.pop("hash", None), resource.pop("bytes", None)
    path.write_text(json.dumps(descriptor), "utf-8")
    return tmp_path


def edit(package: Path, table: str, change) -> None:
    path = package / "tables" / f"{table}.csv"
    frame = pd.read_csv(path, dtype="str", keep_default_na=False)
    frame = change(frame)
    frame.to_csv(path, index=False, lineterminator="\n")


def with_ratio(frame: pd.DataFrame) -> int:
    """Position of a row with a hazard ratio, its interval, and medians of both arms in months."""
    good = (frame["hazard_ratio"] != "") & (frame["ci_low"] != "") & (frame["unit"] == "months") & (frame["control_value"] != "")
    return int(good.to_numpy().nonzero()[0][0])


def spoil(column, value):
    def change(frame):
        row = with_ratio(frame)
        frame.loc[row, column] = value(frame.loc[row]) if callable(value) else value
        return frame

    return change


@pytest.mark.parametrize(
    ("change", "column", "rule"),
    [
        (spoil("trial", ""), "trial", "required"),
        (spoil("hazard_ratio", "low"), "hazard_ratio", "number"),
        (spoil("reference", "nobody1999"), "reference", "references"),
        (spoil("trial", "no-such-trial"), "trial", "trials"),
        (spoil("ci_low", lambda row: row.ci_high), "hazard_ratio", "interval"),
        (spoil("unit", "years"), "unit", "enum"),
        (spoil("unit", "%"), "unit", "median"),
        (spoil("checked_on", "soon"), "checked_on", "date"),
        (spoil("read_in", "memory"), "read_in", "pattern"),
        (spoil("hazard_ratio", lambda row: f"{float(row.hazard_ratio) / 3:.2f}"), "hazard_ratio", "interval"),
        (lambda frame: pd.concat([frame, frame.head(1)]), "id", "the same as"),
    ],
    ids=["missing", "type", "unknown-reference", "unknown-trial", "interval", "unknown-unit", "wrong-unit", "date", "read-in", "ratio", "duplicate-key"],
)
def test_a_fault_is_reported_with_file_row_column_value_and_rule(package, change, column, rule):
    edit(package, "trial_results", change)
    faults = [fault for fault in validate(package) if fault.file == "trial_results.csv"]
    assert faults, "nothing was reported"
    text = "\n".join(str(fault) for fault in faults)
    assert any(rule.lower() in str(fault).lower() for fault in faults), text
    assert all(fault.row > 1 for fault in faults), text
    assert any(column in str(fault) for fault in faults), text


def first(table, condition):
    """Change the first row of a table for which a condition holds."""

    def change(column, value):
        def spoiled(frame):
            row = next(place for place, entry in enumerate(frame.to_dict("records")) if condition(entry))
            frame.loc[row, column] = value(frame.loc[row]) if callable(value) else value
            return frame

        return table, spoiled

    return change


SPOILT = {
    "effect outside its interval": (first("biomarkers", lambda r: r["effect"] and r["ci_high"])("effect", lambda row: str(float(row.ci_high) * 2)), "effect_is_whole"),
    "effect off the centre": (first("biomarkers", lambda r: r["effect_measure"] == "hazard ratio" and r["ci_low"] and float(r["ci_high"]) > 1.5 * float(r["effect"]))("effect", lambda row: str(float(row.ci_high) * 0.98)), "interval_is_centred"),
    "value without unit": (first("mechanism_evidence", lambda r: r["value_with"])("unit", ""), "effect_is_whole"),
    "prediction from a cohort": (first("biomarkers", lambda r: r["design"] == "cohort")("role", "predictive"), "role_fits_design"),
    "a cell line as a clinical finding": (first("mechanism_evidence", lambda r: r["design"] == "cell line")("level", "observational"), "design_fits_level"),
    "an answer without its fate": (first("mechanism_agents", lambda r: r["fate"])("fate", ""), "answers_have_a_fate"),
    "a figure entered twice": (first("biomarkers", lambda r: r["id"] == "twice")("effect", ""), "figure_stands_once"),
    "a protein's name for a gene": (first("mechanisms", lambda r: r["genes"])("genes", "HER3"), "genes_have_their_symbols"),
    "a term with two meanings": (first("glossary", lambda r: r["aliases"])("term", "kappa"), "terms_have_one_meaning"),
    "an unknown review": (first("mechanisms", lambda r: True)("named_in", "S6"), "lists_hold_known_keys"),
    "another gene's key": (first("genes", lambda r: r["symbol"] == "PTEN")("symbol", "PTENP1"), "key_is_the_symbol"),
    "another residue": (first("variants", lambda r: r["residue"])("residue", lambda row: str(int(row.residue) + 1)), "residue_is_that_of_the_name"),
    "a variant in another domain": (first("variants", lambda r: r["domain"] == "kinase")("domain", "tail"), "variant_lies_in_its_domain"),
    "an unusual state": (first("cell_line_findings", lambda r: r["property"] == "ER")("state", "maybe"), "state_fits_property"),
    "a clearance in litres": (first("pharmacokinetics", lambda r: r["parameter"] == "clearance")("unit", "L"), "unit_fits_parameter"),
    "an effect without its comparison": (first("epidemiology", lambda r: r["effect"])("comparison", ""), "comparison_is_whole"),
    "a knocked-down node that is on": (first("network_conditions", lambda r: r["nodes_off"] == "AKT1")("stable_states", lambda row: row.stable_states + " AKT1"), "conditions_name_known_nodes"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILT)
def test_each_rule_of_the_biology_tables_finds_its_fault(package, name):
    (table, spoiled), rule = SPOILT[name]
    if rule == "figure_stands_once":
        source = next(row for row in pd.read_csv(package / "tables" / "mechanism_evidence.csv", dtype="str", keep_default_na=False).to_dict("records") if row["effect"])

        def spoiled(frame):
            copied = {key: source.get(key, "") for key in frame.columns} | {"id": "twice", "marker": "a marker"}
            return pd.concat([frame, pd.DataFrame([copied])])

    edit(package, table, spoiled)
    found = [fault for fault in validate(package) if fault.file == f"{table}.csv"]
    assert any(rule in fault.rule and fault.row > 1 for fault in found), "\n".join(map(str, found)) or "nothing was reported"


def test_all_faults_are_reported_at_once(package):
    edit(package, "trial_results", spoil("unit", "years"))
    edit(package, "references", lambda frame: frame.assign(year=["soon", *frame["year"][1:]]))
    assert {"trial_results.csv", "references.csv"} <= {fault.file for fault in validate(package)}


def test_a_changed_table_differs_from_its_hash(tmp_path):
    for folder in ("tables", "models"):
        shutil.copytree(DATA / folder, tmp_path / folder)
    shutil.copy(DATA / "datapackage.json", tmp_path)
    path = tmp_path / "tables" / "glossary.csv"
    path.write_bytes(path.read_bytes().replace(b"Any ", b"All ", 1))
    assert any("hash" in fault.rule for fault in validate(tmp_path))


def test_the_command_prints_each_fault_and_fails(package):
    edit(package, "trial_results", spoil("unit", "years"))
    run = subprocess.run([sys.executable, "-m", "her2.validation", str(package)], capture_output=True, text=True)
    assert run.returncode == 1
    assert "trial_results.csv, row" in run.stdout and "'years'" in run.stdout


def test_another_schema_version_is_refused_by_name(package):
    path = package / "datapackage.json"
    path.write_text(path.read_text("utf-8").replace('"schema_version": 1', '"schema_version": 99'), "utf-8")
    with pytest.raises(her2.DataError, match="99"):
        tables.descriptor(package)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: her2.load("trial"), ["'trial'", "trials"]),
        (lambda: her2.column("trials", "enrolled"), ["'enrolled'", "n_enrolled"]),
        (lambda: her2.row("trials", "cleopatre"), ["'cleopatre'", "cleopatra"]),
    ],
    ids=["table", "column", "row"],
)
def test_an_unknown_name_gets_the_nearest_known_one(call, words):
    with pytest.raises(her2.DataError) as error:
        call()
    assert all(word in str(error.value) for word in words), error.value


def test_unverified_rows_do_not_reach_chapters():
    for name in her2.table_names():
        frame = her2.load(name)
        assert "verification" not in frame or (frame["verification"] == "verified").all()


def test_types_follow_the_schema():
    results = her2.load("trial_results")
    assert results["hazard_ratio"].dtype == "float64"
    assert str(results["n_experimental"].dtype) == "Int64"
    assert str(results["checked_on"].dtype).startswith("datetime64")


def test_tables_stay_small():
    # 200 KB each, but for those that hold every trial result and every source.
    limits = {"trial_results.csv": 360_000, "references.csv": 400_000}
    sizes = {path.name: path.stat().st_size for path in (DATA / "tables").glob("*.csv")}
    assert {name: size for name, size in sizes.items() if size > limits.get(name, 200_000)} == {}


def test_the_installed_package_needs_neither_checkout_nor_network(tmp_path):
    """A wheel built from data/ holds the tables and loads them from another folder, with every socket closed."""
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--disable-pip-version-check", "-w", str(tmp_path), str(DATA)], check=True)
    wheel = next(tmp_path.glob("her2-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "import socket\n"
        "def closed(*a, **k): raise OSError('network used')\n"
        "socket.socket.connect = closed\n"
        "import her2\n"
        "assert 'site' in her2.__file__, her2.__file__\n"
        "print(len(her2.load('references')))\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"PYTHONPATH": str(tmp_path / "site")}
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) == len(her2.load("references"))
