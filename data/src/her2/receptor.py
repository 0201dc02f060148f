"""The HER2 receptor: numbering, domains, and which drug still finds its site on which form.

Positions are residues of the precursor (UniProt P04626, 1 to 1255), as the tables ``receptor_domains``,
``receptor_forms`` and ``variants`` hold them. The tables give no boundaries of the outer domains I to IV, so a site
in one of them counts as present when the whole outer part is, as absent when a source says so, and as not known
otherwise.

Every conclusion is about **binding**, never about benefit: cells may resist an antibody that binds, and a patient may
gain from one whose site is missing on part of the receptors.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import pandas as pd

from . import tables

LEFT, LOST, HIDDEN = "left", "lost", "hidden"
SHED, UNKNOWN = "shed", "not known"

#: What may have become of a drug's site on a form, with the meaning in words.
STATES = {
    LEFT: "the site is part of the form",
    LOST: "the form lacks the site, or the antibody was shown not to bind",
    HIDDEN: "the site is there, another molecule covers it",
    SHED: "the site circulates with the part that was cut off, where an antibody binds it as a decoy",
    UNKNOWN: "no source that was read decides",
}

#: What shedding leaves in the membrane: not a row of ``receptor_forms``, whose row ``shed-ectodomain`` names both parts.
STUMP = "shed-stump"

#: Antibodies, conjugates and kinase inhibitors whose site the tables name, in teaching order.
DRUGS = (
    "trastuzumab", "margetuximab", "trastuzumab-emtansine", "trastuzumab-deruxtecan", "pertuzumab", "zanidatamab",
    "lapatinib", "neratinib", "tucatinib",
)  # fmt: skip

KINASE, OUTER = "kinase domain", "outer part"


class Binding(NamedTuple):
    """What became of a drug's site: a key of :data:`STATES`, why, and the reference that says so (None: arithmetic)."""

    state: str
    reason: str
    reference: str | None


# --- positions --------------------------------------------------------------------------------------------------------


@cache
def _table(name: str) -> pd.DataFrame:
    return tables.load(name).set_index("id")


def _row(table: str, key: str, what: str) -> pd.Series:
    frame = _table(table)
    if key not in frame.index:
        raise ValueError(f"unknown {what} {key!r}; there are: {', '.join(frame.index)}")
    return frame.loc[key]


def _residue(residue: object, last: int, what: str) -> int:
    if isinstance(residue, bool) or (not isinstance(residue, int) and not float(residue).is_integer()):
        raise ValueError(f"a residue is a whole number, not {residue!r}")
    if not 1 <= int(residue) <= last:
        raise ValueError(f"residue {residue} is outside the {what}, 1 to {last}")
    return int(residue)


def signal_peptide() -> int:
    """Length of the signal peptide, residues: what precursor and mature numbering differ by."""
    return int(_row("receptor_domains", "signal-peptide", "domain")["last_residue"])


def length() -> int:
    """Residues of the precursor."""
    return int(_table("receptor_domains")["last_residue"].max())


def mature(residue: int) -> int:
    """Mature number of a residue given in precursor numbering; ValueError within the signal peptide, which is cut off."""
    residue, offset = _residue(residue, length(), "precursor"), signal_peptide()
    if residue <= offset:
        raise ValueError(f"residue {residue} lies in the signal peptide, 1 to {offset}: the mature protein lacks it")
    return residue - offset


def precursor(residue: int) -> int:
    """Precursor number of a residue given in mature numbering."""
    return _residue(residue, length() - signal_peptide(), "mature protein") + signal_peptide()


def domain(residue: int) -> str:
    """Id of the smallest stretch of ``receptor_domains`` that holds a residue (precursor numbering)."""
    residue, frame = _residue(residue, length(), "precursor"), _table("receptor_domains")
    frame = frame[(frame["first_residue"] <= residue) & (residue <= frame["last_residue"])]
    return str((frame["last_residue"] - frame["first_residue"]).idxmin())


def outer_residues(form: str) -> int:
    """How many residues of the outer part a form with known positions has."""
    row, outer = _row("receptor_forms", form, "form"), _row("receptor_domains", "ectodomain", "domain")
    if pd.isna(row["first_residue"]):
        raise ValueError(f"the positions of form {form!r} are not in the tables")
    first, last = max(row["first_residue"], outer["first_residue"]), min(row["last_residue"], outer["last_residue"])
    return max(0, int(last - first + 1))


def parts(forms) -> pd.DataFrame:
    """Parts of the receptor that forms with known positions hold, for a map.

    Returns
    -------
    DataFrame with the columns form, part (id in ``receptor_domains``, without the whole inner part), start, end (first
    and last residue, precursor numbering), one row a form and part. Raises ValueError for unknown forms or positions.
    """
    rows, stretches = [], _table("receptor_domains").drop(index="intracellular").sort_values("first_residue")
    for form in forms:
        row = _row("receptor_forms", form, "form")
        if pd.isna(row["first_residue"]):
            raise ValueError(f"the positions of form {form!r} are not in the tables")
        for part, stretch in stretches.iterrows():
            start = int(max(stretch["first_residue"], row["first_residue"]))
            end = int(min(stretch["last_residue"], row["last_residue"]))
            if start <= end:
                rows.append((form, part, start, end))
    return pd.DataFrame(rows, columns=["form", "part", "start", "end"])


# --- sites ------------------------------------------------------------------------------------------------------------


def site(agent: str) -> tuple[str, ...]:
    """Site of a drug on HER2: ``domain II``, ``domain IV``, ``kinase domain``, or ``outer part`` if no domain is named.

    Read from the column ``epitope`` of ``agents``; "as trastuzumab" takes the site of trastuzumab.

    Raises
    ------
    ValueError for an unknown drug, or one whose site on HER2 the table does not give.
    """
    row = _row("agents", agent, "agent")
    text = row["epitope"]
    if "ERBB2" not in str(row["targets"]).split("|") or not isinstance(text, str) or row["class"] == "vaccine":
        raise ValueError(f"the tables name no site of {agent!r} on HER2")
    if text.startswith("as trastuzumab"):
        return site("trastuzumab")
    if "kinase domain" in text:
        return (KINASE,)
    found = re.search(r"domains? (I[IV]?|IV)(?: and (I[IV]?|IV))?\b", text)
    return tuple(f"domain {name}" for name in found.groups() if name) if found else (OUTER,)


def _antibody(agent: str) -> str:
    """The antibody whose evidence holds for a drug: conjugates and variants of trastuzumab bind as it does."""
    text = str(_row("agents", agent, "agent")["epitope"])
    return "trastuzumab" if agent.startswith("trastuzumab") or text.startswith("as trastuzumab") else agent


def binding(form: str, agent: str) -> Binding:
    """What became of a drug's site on a form of the receptor.

    Parameters
    ----------
    form : id of a row of ``receptor_forms``, or of ``variants`` (the full receptor with that change), or :data:`STUMP`.
        ``shed-ectodomain`` is the outer part in the blood, :data:`STUMP` what stays in the membrane.
    agent : id of a row of ``agents`` with a site on HER2.

    Returns
    -------
    Binding. For a variant, kinase inhibitors count as left: the chain holds the kinase domain; how well they fit is
    another question, for ``variant_sensitivity``.

    Raises
    ------
    ValueError for an unknown form or drug, naming those that there are.
    """
    sites = site(agent)
    if form in _table("variants").index:
        return _variant(form, agent, sites)
    forms = _table("receptor_forms")
    if form == STUMP:
        source = str(forms.loc["shed-ectodomain", "reference"])
        if sites == (KINASE,):
            return Binding(LEFT, "the stump in the membrane holds the whole kinase domain", source)
        return Binding(LOST, "the outer part was cut off", source)
    if form not in forms.index:
        raise ValueError(f"unknown form {form!r}; there are: {', '.join(forms.index)}; or a variant, such as 's310f'")
    row = forms.loc[form]
    source, kind = str(row["reference"]), row["kind"]
    outside = kind == "shed ectodomain" or "secreted" in row["finding"]
    if sites == (KINASE,):
        if outside:
            return Binding(LOST, "the form holds outer parts only", source)
        return Binding(LEFT, "the chain holds the whole kinase domain", None)
    if kind == "full length":
        return Binding(LEFT, "the chain is whole", None)
    if kind == "masked":
        if _antibody(agent) == "trastuzumab":
            return Binding(HIDDEN, "the chain is whole; the coat was shown to hinder trastuzumab", source)
        return Binding(UNKNOWN, "the coat was tested with trastuzumab only", None)
    if kind == "carboxy-terminal fragment":
        return Binding(LOST, f"{outer_residues(form)} residues of the outer part are left", source)
    if kind == "shed ectodomain":
        return Binding(SHED, "the outer part circulates: an antibody binds it there as a decoy", source)
    return Binding(UNKNOWN, "which residues the form lacks was not read", None)


def _variant(variant: str, agent: str, sites: tuple[str, ...]) -> Binding:
    if sites == (KINASE,):
        return Binding(LEFT, "the chain holds the whole kinase domain", None)
    outer = _row("receptor_domains", "ectodomain", "domain")["last_residue"]
    if _row("variants", variant, "variant")["residue"] > outer:
        return Binding(LEFT, "the change lies below the outer part, which is whole", None)
    rows = _table("variant_sensitivity")
    rows = rows[(rows["variant"] == variant) & (rows["agent"] == _antibody(agent))]
    rows = rows[rows["readout"] == "antibody binding"]
    if rows.empty:
        return Binding(UNKNOWN, "binding to this variant was not read", None)
    row = rows.iloc[0]
    state = LEFT if row["conclusion"] == "sensitive" else LOST
    return Binding(state, f"measured with {_antibody(agent)}", str(row["reference"]))


def bindings(forms, agents=DRUGS) -> pd.DataFrame:
    """:func:`binding` for each pair: columns form, agent, state, reason, reference; in the order given."""
    pairs = [(form, agent) for form in forms for agent in agents]
    rows = [(form, agent, *binding(form, agent)) for form, agent in pairs]
    return pd.DataFrame(rows, columns=["form", "agent", *Binding._fields])
