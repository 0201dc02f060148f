"""List all exercises and quiz items: what each asks, of whom, how long, for how many points.

    python assets/teaching/exercise_map.py            CSV on the screen
    python assets/teaching/exercise_map.py map.csv    CSV in a file
"""

import csv
import io
import json
import re
import sys
from pathlib import Path

import practice

FIELDS = ["id", "title", "kind", "objective", "bloom", "audience", "minutes", "level", "points",
          "graded", "tier", "file"]
START = re.compile(r"^:::+\{exercise-start\}(.*)\n((?:^:\w+:.*\n)*)", re.M)


def records(book=practice.BOOK):
    """One dict a row, keys FIELDS; notebooks first, then quiz items, in order of files."""
    book = Path(book)
    rows = []
    for path in practice.exercise_files(folder=book / "chapters" / "exercises"):
        rows += notebook_rows(path, path.relative_to(book).as_posix())
    for path in practice.quiz_files(book / "chapters" / "quizzes"):
        file = path.relative_to(book).as_posix()
        rows += [quiz_row(item, file) for item in practice.load_quiz(path)["items"]]
    return rows


def notebook_rows(path, file):
    rows, graded = [], []
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        start = START.search(source) if cell["cell_type"] == "markdown" else None
        if start:
            options = dict(re.findall(r"^:(\w+):[ \t]*(.*)$", start[2], re.M))
            facts = practice.exercise_facts(options.get("class", "").split())
            graded = []
            rows.append({"id": options.get("label", ""), "title": start[1].strip(),
                         "kind": "notebook", **facts, "audience": " ".join(facts["audience"]),
                         "points": 0, "graded": "", "file": file})
        record = cell["metadata"].get("nbgrader", {})
        if record.get("grade"):
            if not rows:
                practice.stop(f"{file}: cell '{record['grade_id']}' stands before any exercise")
            graded.append("by hand" if record.get("solution") else "automatic")
            rows[-1]["points"] += record["points"]
            rows[-1]["graded"] = " and ".join(dict.fromkeys(graded))
    return rows


def quiz_row(item, file):
    return {"id": item["id"], "title": " ".join(item["question"].split()), "kind": "quiz",
            "objective": item["objective"], "bloom": item["bloom"],
            "audience": " ".join(item["audience"]), "minutes": item.get("minutes", 1),
            "level": item.get("level", 1), "points": item["points"], "graded": "automatic",
            "tier": "practice", "file": file}


def as_csv(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({f: row[f] for f in FIELDS} for row in rows)
    return text.getvalue()


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    if len(argv) > 1 or argv[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0 if len(argv) == 1 else 2
    try:
        rows = records()
    except practice.QuizError as e:
        practice.stop(str(e))
    if not argv:
        print(as_csv(rows), end="")
        return 0
    practice.write_whole(argv[0], as_csv(rows))
    print(f"{argv[0]}: {len(rows)} rows, {sum(r['points'] for r in rows):g} points")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
