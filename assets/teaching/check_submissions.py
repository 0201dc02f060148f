"""Look at all submissions before they are graded: what would silently score 0?

    python check_submissions.py testing              in the course folder; tells, changes nothing
    python check_submissions.py testing --mend       also mends what can be mended

A notebook that went through another program may lose its nbgrader records, and students delete
cells that they think are not theirs; nbgrader then gives 0 points without an error. Mending
gives records back and puts locked cells back. Cells are recognised by their id, or by their
place where all ids are lost too. The unmended files are kept in `unmended/`.
Exit code 1: somebody needs a look.
"""

import argparse
import copy
import json
import shutil
from pathlib import Path

import practice

SERIOUS = ("cannot be read", "is missing", "records lost", "answer cells missing",
           "locked cells deleted")


def records(nb):
    """Cells with an nbgrader record, by grade id; a later copy does not replace the first."""
    out = {}
    for cell in nb["cells"]:
        record = cell["metadata"].get("nbgrader") or {}
        if record.get("grade_id"):
            out.setdefault(record["grade_id"], cell)
    return out


def lost(released, nb):
    """Grade ids whose cell is there without its record: {grade_id: (cell, record)}."""
    have = records(nb)
    by_id = {c.get("id"): c for c in nb["cells"] if c.get("id")}
    kinds = [[c["cell_type"] for c in notebook["cells"]] for notebook in (released, nb)]
    same_place = kinds[0] == kinds[1]
    out = {}
    for place, cell in enumerate(released["cells"]):
        record = cell["metadata"].get("nbgrader") or {}
        if not record or record["grade_id"] in have:
            continue
        found = by_id.get(cell.get("id")) or (nb["cells"][place] if same_place else None)
        if found is not None and not found["metadata"].get("nbgrader"):
            out[record["grade_id"]] = (found, cell["metadata"])
    return out


def deleted(released, nb):
    """Grade ids that the submission does not have in any form: (locked ones, answers)."""
    gone, have = lost(released, nb), records(nb)
    missing = [c["metadata"]["nbgrader"] for g, c in records(released).items()
               if g not in have and g not in gone]
    return ([r["grade_id"] for r in missing if not r.get("solution")],
            [r["grade_id"] for r in missing if r.get("solution")])


def faults(released, nb):
    """Words about one submission; those of SERIOUS need a look, the others are for information."""
    gone, (locked, answers), have = lost(released, nb), deleted(released, nb), records(nb)
    ids = [(c["metadata"].get("nbgrader") or {}).get("grade_id") for c in nb["cells"]]
    copied = sorted({g for g in ids if g and ids.count(g) > 1})
    changed = [g for g, cell in records(released).items() if g in have
               and not cell["metadata"]["nbgrader"].get("solution")
               and source(cell) != source(have[g])]
    words = {"records lost": gone, "locked cells deleted": locked,
             "answer cells missing": answers, "copied, the last copy counts": copied,
             "locked cells changed, nbgrader restores them": changed}
    return [f"{text}: {', '.join(names) if len(names) < 6 else f'{len(names)} cells'}"
            for text, names in words.items() if names]


def source(cell):
    return "".join(cell["source"]).strip()


def mend(released, nb):
    """Give lost records back and put deleted locked cells back behind their neighbours."""
    for cell, metadata in lost(released, nb).values():
        cell["metadata"].update(metadata)
    locked = deleted(released, nb)[0]
    place = -1
    for cell in released["cells"]:
        name = (cell["metadata"].get("nbgrader") or {}).get("grade_id")
        if name in locked:
            place += 1
            nb["cells"].insert(place, copy.deepcopy(cell))
            continue
        place = next((n for n, c in enumerate(nb["cells"]) if c.get("id") == cell.get("id")
                      or (name and (c["metadata"].get("nbgrader") or {}).get("grade_id") == name)),
                     place)


def load(path):
    nb = json.loads(path.read_text("utf-8"))
    if not isinstance(nb.get("cells"), list):
        raise ValueError("no cells")
    return nb


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("assignment")
    parser.add_argument("--course", type=Path, default=Path("."), help="course folder (default: .)")
    parser.add_argument("--mend", action="store_true", help="mend what can be mended")
    args = parser.parse_args(argv)
    release = args.course / "release" / args.assignment / f"{args.assignment}.ipynb"
    if not release.is_file():
        practice.stop(f"{release} is missing; run: nbgrader generate_assignment {args.assignment}")
    released = load(release)
    students = sorted(p for p in args.course.glob(f"submitted/*/{args.assignment}") if p.is_dir())
    if not students:
        practice.stop(f"no submissions in {args.course / 'submitted'}; "
                      f"run: nbgrader zip_collect {args.assignment}")
    trouble = 0
    for folder in students:
        path = folder / release.name
        said = look(released, path, args.mend, args.course)
        trouble += any(word in line for line in said for word in SERIOUS)
        print(f"{folder.parent.name}: {'; '.join(said) or 'ok'}")
    print(f"{len(students)} submissions, {trouble} need a look")
    return 1 if trouble else 0


def look(released, path, mending, course):
    if not path.is_file():
        others = ", ".join(p.name for p in sorted(path.parent.glob("*.ipynb"))) or "no notebook"
        return [f"{path.name} is missing; there is: {others}"]
    try:
        nb = load(path)
        said = faults(released, nb)
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        return [f"{path.name} cannot be read as a notebook ({type(e).__name__}: {e})"]
    if mending and (lost(released, nb) or deleted(released, nb)[0]):
        keep = course / "unmended" / path.relative_to(course / "submitted")
        keep.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, keep)
        mend(released, nb)
        practice.write_whole(path, json.dumps(nb, indent=1, ensure_ascii=False) + "\n")
        said = [s.replace("records lost", "records given back")
                 .replace("locked cells deleted", "locked cells put back") for s in said]
    return said


if __name__ == "__main__":
    raise SystemExit(main())
