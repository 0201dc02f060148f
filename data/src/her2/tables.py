"""Load the tables of the data package as typed DataFrames."""

from __future__ import annotations

import json
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import pandas as pd

SCHEMA_VERSION = 1

_DTYPES = {"string": "str", "number": "float64", "integer": "Int64", "boolean": "boolean", "date": "datetime64[s]"}


class DataError(ValueError):
    """The data package cannot be used: the message names the table, the fault and the mend."""


def package_root() -> Path:
    """Folder that holds ``datapackage.json``: inside the installed package, or ``data/`` of a checkout."""
    here = Path(__file__).resolve().parent
    for folder in (here / "package", here.parents[1]):
        if (folder / "datapackage.json").is_file():
            return folder
    raise DataError(f"datapackage.json was not found beside {here}: install the package again with 'pip install ./data'")


@cache
def descriptor(root: Path | None = None) -> dict:
    """The parsed ``datapackage.json``; a package of another schema version is refused by name."""
    path = (root or package_root()) / "datapackage.json"
    package = json.loads(path.read_text("utf-8"))
    if package.get("schema_version") != SCHEMA_VERSION:
        raise DataError(
            f"{path.name}: schema version {package.get('schema_version')!r} is not the version {SCHEMA_VERSION} "
            "that this her2 reads; install the package that belongs to these tables"
        )
    return package


def table_names() -> list[str]:
    """Names of the tables, in the order of the data package."""
    return [resource["name"] for resource in descriptor()["resources"] if "schema" in resource]


def models() -> dict[str, dict]:
    """Descriptors of the files of rules (networks), by name: resources of the package that are no tables."""
    return {resource["name"]: resource for resource in descriptor()["resources"] if "schema" not in resource}


def resource(name: str, root: Path | None = None) -> dict:
    """Descriptor of one table: title, limits, fields with types and units, keys."""
    resources = {r["name"]: r for r in descriptor(root)["resources"] if "schema" in r}
    if name not in resources:
        raise DataError(_unknown("table", name, list(resources)))
    return resources[name]


@cache
def _load(name: str, root: Path | None = None) -> pd.DataFrame:
    spec = resource(name, root)
    fields = spec["schema"]["fields"]
    path = (root or package_root()) / spec["path"]
    if not path.is_file():
        raise DataError(f"table {name!r}: {path} is missing")
    raw = pd.read_csv(path, dtype="str", keep_default_na=False, na_values=[""], encoding="utf-8")
    expected = [field["name"] for field in fields]
    if list(raw.columns) != expected:
        odd = sorted(set(raw.columns) ^ set(expected)) or "their order"
        raise DataError(f"table {name!r}: its columns are not those of schema version {SCHEMA_VERSION}; look at {odd}")
    for field in fields:
        column, kind = field["name"], field["type"]
        try:
            if kind == "date":
                raw[column] = pd.to_datetime(raw[column], format="%Y-%m-%d").astype(_DTYPES[kind])
            elif kind == "boolean":
                raw[column] = raw[column].map({"true": True, "false": False}).astype(_DTYPES[kind])
            elif kind != "string":
                raw[column] = pd.to_numeric(raw[column]).astype(_DTYPES[kind])
        except (ValueError, TypeError) as error:
            raise DataError(f"table {name!r}, column {column!r}: {error}; run 'make data' to list every fault") from error
    return raw


def load(name: str, *, unverified: bool = False) -> pd.DataFrame:
    """Load one table.

    Parameters
    ----------
    name : a table of :func:`table_names`.
    unverified : also return rows whose figures could not be verified; chapters never do.

    Returns
    -------
    DataFrame with the columns of the schema, typed (text, float, nullable integer and boolean, dates);
    a fresh copy each time. Units stand in :func:`units`.

    Raises
    ------
    DataError for an unknown table, or one that does not fit its schema.
    """
    frame = _load(name)
    if "verification" in frame and not unverified:
        frame = frame[frame["verification"] == "verified"]
    return frame.reset_index(drop=True)


def column(name: str, column_name: str) -> pd.Series:
    """One column of a table by name; an unknown column gets the nearest known ones."""
    frame = load(name)
    if column_name not in frame:
        raise DataError(f"table {name!r}: " + _unknown("column", column_name, list(frame.columns)))
    return frame[column_name]


def units(name: str) -> dict[str, str]:
    """Unit of each column of a table that has one."""
    return {f["name"]: f["unit"] for f in resource(name)["schema"]["fields"] if "unit" in f}


def row(name: str, key: str) -> pd.Series:
    """The row of a table with this key."""
    frame = load(name)
    found = frame[frame["id"] == key]
    if found.empty:
        raise DataError(f"table {name!r}: " + _unknown("row", key, frame["id"].tolist()))
    return found.iloc[0]


def evidence_date(names: list[str]) -> str:
    """Latest day on which a row of these tables was checked, as YYYY-MM-DD; empty where none was."""
    frames = [load(name) for name in names]
    days = [frame[c].max() for frame in frames for c in ("checked_on", "second_checked_on") if c in frame]
    days = [day for day in days if pd.notna(day)]
    return f"{max(days):%Y-%m-%d}" if days else ""


def _unknown(what: str, given: object, known: list[str]) -> str:
    near = get_close_matches(str(given), known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(known[:20])}"
    return f"no {what} {given!r}; {hint}"
