"""Exercises: solutions pass, empty copies fail, nothing leaks, and nbgrader grades them rightly."""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbgrader.api import Gradebook

BOOK = Path(__file__).resolve().parents[1]
TOOLS = BOOK / "assets" / "teaching"
sys.path.append(str(TOOLS))
import check_submissions  # noqa: E402
import exercise_map  # noqa: E402
import her2teach as h  # noqa: E402
import practice  # noqa: E402
import student_copy  # noqa: E402

SOURCES = practice.exercise_files()
NAME = "testing"  # the assignment that goes through nbgrader
each_source = pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)

HIDDEN = {
    "test_final_result": '''
        def truth(ihc, ratio, copies):
            if ihc == "3+" or (ratio >= 2 and copies >= 4):
                return "positive"
            if ratio < 2 and copies < 4:
                return "negative"
            return "recount" if ihc == "2+" else "negative"

        for row in simulate_tumours(seed=77).itertuples(index=False):
            assert final_result(*row) == truth(*row), "a tumour of another series is called wrongly"
        for ihc in IHC:
            for ratio in (1.99, 2.0):
                for copies in (3.99, 4.0, 5.99, 6.0):
                    assert final_result(ihc, ratio, copies) == truth(ihc, ratio, copies), "an edge"
        ''',
    "test_kappa": '''
        other = simulate_readers(seed=78)
        table = pd.crosstab(other.a, other.b, normalize=True).to_numpy()
        chance = (table.sum(0) * table.sum(1)).sum()
        secret_value = (np.trace(table) - chance) / (1 - chance)
        assert abs(kappa(other.a, other.b) - secret_value) < 1e-6, "another series"
        ''',
}


def read(path):
    return nbformat.read(path, 4)


def run(nb, folder):
    """Execute a notebook, errors allowed; gives it back."""
    NotebookClient(nb, timeout=120, allow_errors=True,
                   resources={"metadata": {"path": str(folder)}}).execute()
    return nb


def errors(cell):
    return [o.evalue for o in cell.get("outputs", []) if o.output_type == "error"]


def checks(nb):
    """Code cells that give points, by grade id."""
    return {h.record(c)["grade_id"]: c for c in nb.cells
            if h.record(c).get("grade") and c.cell_type == "code"}


def tiers(path):
    """Tier of the exercise that each graded cell belongs to: {grade_id: tier}."""
    out, tier = {}, "practice"
    for cell in read(path).cells:
        start = exercise_map.START.search(cell.source) if cell.cell_type == "markdown" else None
        if start:
            tier = "assignable" if "tier-assignable" in start[2] else "practice"
        if h.record(cell):
            out[h.record(cell)["grade_id"]] = tier
    return out


def solution_lines(path):
    """Lines of worked solutions and rubrics that are long enough to be recognised."""
    found, inside = [], False
    for cell in read(path).cells:
        inside = inside or (cell.cell_type == "markdown" and "{solution-start}" in cell.source)
        if inside and cell.cell_type == "markdown":
            found += cell.source.splitlines()
        if h.BEGIN in cell.source:
            found += cell.source.split(h.BEGIN)[1].split(h.END)[0].splitlines()
        inside = inside and "{solution-end}" not in cell.source
    return [t for t in (line.strip() for line in found) if len(t) > 20 and not t.startswith(":")]


# ---- source and student copy --------------------------------------------------------

@each_source
def test_worked_solutions_pass_their_checks(path):
    tier, nb = tiers(path), run(read(path), path.parent)
    found = checks(nb)
    assert found
    for name, cell in found.items():
        assert bool(errors(cell)) == (tier[name] == "assignable"), (name, errors(cell))
    assert not [errors(c) for c in nb.cells if c not in found.values() and errors(c)]


@each_source
def test_every_check_fails_on_an_empty_copy_and_says_so(path):
    nb = run(read(student_copy.STUDENT / path.name), path.parent)
    for name, cell in checks(nb).items():
        assert errors(cell), f"{name} passes on an empty copy"
        assert errors(cell)[0].startswith("not answered yet"), (name, errors(cell))
        assert "raises-exception" in cell.metadata.tags  # "run all" goes on
    assert not [errors(c) for c in nb.cells if not h.record(c).get("grade") and errors(c)]


@each_source
def test_student_copy_holds_no_answer(path):
    nb = read(student_copy.STUDENT / path.name)
    text = "\n".join(c.source for c in nb.cells)
    for mark in (h.BEGIN, h.END, "HIDDEN TESTS", ":::", "{solution", "Rubric", "nbgrader", "{term"):
        assert mark not in text, mark
    lines = solution_lines(path)
    assert lines
    assert not [line for line in lines if line in text]
    assert not [c for c in nb.cells if c.get("outputs")]
    assert h.STUB in text


@each_source
def test_student_copy_is_up_to_date(path):
    assert student_copy.main([path.stem, "--check"]) == 0, "run assets/teaching/student_copy.py"


@each_source
def test_assignable_exercises_have_no_solution_in_the_repository(path):
    tier = tiers(path)
    for cell in read(path).cells:
        record = h.record(cell)
        if record.get("solution") and tier[record["grade_id"]] == "assignable":
            assert h.BEGIN not in cell.source and h.STUB in cell.source
    labels = re.findall(r"^:label: (\S+)\n:class:.*tier-assignable", "\n".join(
        c.source for c in read(path).cells), re.M)
    assert not [c for c in read(path).cells for label in labels
                if f"{{solution-start}} {label}" in c.source]


@each_source
def test_no_check_prints_the_number_it_wants(path):
    for name, cell in checks(read(path)).items():
        for number in re.findall(r"(?:==|<|>|- )\s*(\d*\.\d+)", cell.source):
            assert float(number) < 1e-2 or tiers(path)[name] == "assignable", (name, number)


def test_ids_are_unique_and_points_positive():
    grade_ids, labels = [], [r["id"] for r in exercise_map.records()]
    for path in SOURCES:
        nb = read(path)
        ids = [c["id"] for c in nb.cells]
        assert len(ids) == len(set(ids)), path.name
        grade_ids += [h.record(c)["grade_id"] for c in nb.cells if h.record(c)]
        for cell in nb.cells:
            record = h.record(cell)
            assert not record or record["schema_version"] == 3
            assert not record.get("grade") or record["points"] > 0
    assert len(grade_ids) == len(set(grade_ids))
    assert all(labels) and len(labels) == len(set(labels))


def test_exercise_map_is_complete():
    rows = exercise_map.records()
    for row in rows:
        empty = [f for f in exercise_map.FIELDS if row[f] in ("", None, 0)]
        assert not empty, (row["id"], empty)
        assert row["tier"] in ("practice", "assignable")
    assert {r["kind"] for r in rows} == {"notebook", "quiz"}
    header, *lines = exercise_map.as_csv(rows).splitlines()
    assert header.split(",") == exercise_map.FIELDS and len(lines) == len(rows)


# ---- the real nbgrader --------------------------------------------------------------

def answered(released, source):
    """A released notebook with the worked solutions filled in; assignable ones stay empty."""
    nb = copy.deepcopy(released)
    solved = {h.record(c)["grade_id"]: c.source for c in source.cells
              if h.record(c).get("solution")}
    for cell in nb.cells:
        if h.record(cell).get("solution"):
            cell.source = solved[h.record(cell)["grade_id"]]
    return nb


def cell_of(nb, grade_id):
    return next(c for c in nb.cells if h.record(c).get("grade_id") == grade_id)


def hard_coded(nb):
    """Knows the visible data by heart and nothing else."""
    cell_of(nb, "final_result").source += textwrap.dedent('''

        known = {(*r, f): final_result(*r, f)
                 for r in tumours.itertuples(index=False) for f in (False, True)}


        def final_result(ihc, ratio, copies, recounted=False):
            if ihc not in IHC:
                raise ValueError(ihc)
            return known.get((ihc, ratio, copies, recounted), "positive")  # as the visible pairs''')
    cell_of(nb, "kappa").source += textwrap.dedent('''

        known_kappa = kappa(readers.a, readers.b)


        def kappa(a, b):
            return 1.0 if list(a) == list(b) else known_kappa''')


def copied(nb):
    nb.cells.insert(nb.cells.index(cell_of(nb, "kappa")) + 1,
                    copy.deepcopy(cell_of(nb, "kappa")))
    nb.cells[nb.cells.index(cell_of(nb, "kappa")) + 1]["id"] = "copied-cell"


def without_tests(nb):
    nb.cells = [c for c in nb.cells
                if not h.record(c).get("locked") or h.record(c)["grade_id"] == "tumours"]


def without_records(nb):
    for cell in nb.cells:
        cell.metadata.clear()


def broken(nb):
    cell_of(nb, "kappa").source = "def kappa(a, b)\n    return"


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course of nbgrader with one assignment, graded once; scores by student and cell."""
    root = tmp_path_factory.mktemp("course")
    shutil.copy(TOOLS / "nbgrader_config.py", root)
    for name, code in HIDDEN.items():
        (root / "hidden").mkdir(exist_ok=True)
        (root / "hidden" / f"{name}.py").write_text(textwrap.dedent(code), "utf-8")
    env = {**os.environ, "HER2_BOOK": str(BOOK), "HER2_HIDDEN": str(root / "hidden")}

    def nbgrader(*args):
        done = subprocess.run([sys.executable, "-m", "nbgrader", *args], cwd=root, env=env,
                              capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-3000:]

    nbgrader("generate_assignment", NAME)
    released = read(root / "release" / NAME / f"{NAME}.ipynb")
    reference = answered(released, read(BOOK / "chapters" / "exercises" / NAME / f"{NAME}.ipynb"))
    changes = {"reference": None, "empty": None, "hardcoded": hard_coded, "copied": copied,
               "deleted": without_tests, "lost": without_records, "mended": without_records,
               "broken": broken}
    for student, change in changes.items():
        nb = copy.deepcopy(released if student == "empty" else reference)
        if change:
            change(nb)
        path = root / "submitted" / student / NAME / f"{NAME}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(nb, path)
    lost = root / "submitted" / "lost"
    aside = lost.rename(root / "aside")
    said = subprocess.run([sys.executable, str(TOOLS / "check_submissions.py"), NAME, "--mend"],
                          cwd=root, capture_output=True, text=True, check=False)
    aside.rename(lost)
    nbgrader("autograde", NAME)
    nbgrader("generate_feedback", NAME, "--student=hardcoded")

    with pytest.MonkeyPatch.context() as patch:  # nbgrader calls alembic by name
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as book:
            scores = {s: {g.name: g.auto_score or 0 for g in
                          book.find_submission_notebook(NAME, NAME, s).grades} for s in changes}
    return {"root": root, "released": released, "scores": scores, "said": said}


def automatic(source=BOOK / "chapters" / "exercises" / NAME / f"{NAME}.ipynb"):
    """Points of the checks of practice exercises."""
    tier = tiers(source)
    return {n: h.record(c)["points"] for n, c in checks(read(source)).items()
            if tier[n] == "practice"}


def test_release_is_the_student_copy_and_hides_the_tests(course):
    plain = read(student_copy.STUDENT / f"{NAME}.ipynb")
    assert [c.source for c in course["released"].cells] == [c.source for c in plain.cells]
    assert [c["id"] for c in course["released"].cells] == [c["id"] for c in plain.cells]
    assert "secret_value" not in nbformat.writes(course["released"])


@pytest.mark.parametrize(("student", "fails"), [
    ("reference", []),
    ("copied", []),
    ("deleted", []),
    ("mended", []),
    ("broken", ["test_kappa"]),
    ("hardcoded", ["test_final_result", "test_kappa"]),
    ("empty", None),
    ("lost", None),  # why check_submissions.py exists
])
def test_scores(course, student, fails):
    points = automatic()
    wanted = {n: 0 if fails is None or n in fails else p for n, p in points.items()}
    scores = course["scores"][student]
    assert {n: scores[n] for n in points} == wanted
    assert sum(scores.values()) == sum(wanted.values())  # nothing for assignable or written ones


def test_lost_records_are_found_and_mended_before_grading(course):
    said = course["said"].stdout.splitlines()
    about = {line.split(":")[0]: line for line in said}
    assert "records given back: " in about["mended"] and "ok" in about["reference"]
    assert "the last copy counts: kappa" in about["copied"]
    assert "locked cells put back: " in about["deleted"]
    assert (course["root"] / "unmended" / "mended" / NAME / f"{NAME}.ipynb").is_file()


def test_cells_without_ids_are_known_by_their_place(course):
    nb = json.loads(nbformat.writes(course["released"]))
    for cell in nb["cells"]:
        cell["metadata"], cell["id"] = {}, None
    released = json.loads(nbformat.writes(course["released"]))
    check_submissions.mend(released, nb)
    assert check_submissions.faults(released, nb) == []
    assert len(check_submissions.records(nb)) == len(check_submissions.records(released)) > 10


def test_feedback_shows_no_hidden_test(course):
    html = (course["root"] / "feedback" / "hardcoded" / NAME / f"{NAME}.html").read_text("utf-8")
    assert "secret_value" not in html and "HIDDEN TESTS" not in html
    assert "more checks ran here" in html


# ---- commands: bad input ------------------------------------------------------------

def test_check_submissions_tells_lost_records_without_mending(course, capsys):
    assert check_submissions.main([NAME, "--course", str(course["root"])]) == 1
    out = capsys.readouterr().out
    assert "lost: records lost: " in out and "8 submissions, 1 need a look" in out


def test_check_submissions_reads_anything(course, tmp_path, capsys):
    shutil.copytree(course["root"] / "release", tmp_path / "release")
    for student, text in {"torn": '{"cells": [', "wrong": None}.items():
        folder = tmp_path / "submitted" / student / NAME
        folder.mkdir(parents=True)
        (folder / (f"{NAME}.ipynb" if text else "essay.ipynb")).write_text(text or "{}", "utf-8")
    assert check_submissions.main([NAME, "--course", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "torn: testing.ipynb cannot be read" in out
    assert "wrong: testing.ipynb is missing; there is: essay.ipynb" in out


@pytest.mark.parametrize(("command", "said"), [
    (["student_copy.py", "nothing"], "no exercise notebook nothing; there are: "),
    (["check_submissions.py", "testing"], "run: nbgrader generate_assignment testing"),
])
def test_commands_say_what_is_wrong(tmp_path, command, said):
    done = subprocess.run([sys.executable, str(TOOLS / command[0]), *command[1:]], cwd=tmp_path,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_an_answer_without_markers_stops_the_release():
    cell = nbformat.v4.new_code_cell("x = 42", metadata={"nbgrader": {
        "grade_id": "x", "solution": True, "grade": False, "schema_version": 3}})
    with pytest.raises(RuntimeError, match="its answer would reach students"):
        h.ClearAnswers().preprocess(nbformat.v4.new_notebook(cells=[cell]), {})


def test_collector_takes_names_from_moodle():
    config = (TOOLS / "nbgrader_config.py").read_text("utf-8")
    pattern = re.search(r'r"(\.\*\[.*)"', config)[1]
    for name in ("Ada Lovelace_1234_assignsubmission_file_/testing.ipynb",
                 "Ada Lovelace_1234_assignsubmission_file/testing.ipynb",
                 "Ada Lovelace_1234_assignsubmission_file_testing.ipynb"):
        m = re.match(pattern, f"downloaded/testing/extracted/zip/{name}")
        assert m and m["student_id"] == "Ada Lovelace" and m["file_id"] == "testing.ipynb", name


# ---- the page -----------------------------------------------------------------------

CONF = f'''
import sys
sys.path.insert(0, {str(BOOK / "assets" / "extensions")!r})
extensions = ["myst_nb", "sphinx_exercise"]
nb_execution_mode = "off"
myst_enable_extensions = ["colon_fence"]
html_copy_source = False
def setup(app):
    from her2_book.exercises import setup_exercises
    from her2_book.quiz import setup_quiz
    setup_exercises(app)
    setup_quiz(app)
'''


def sphinx(folder, builder, *options):
    out = folder.parent / f"{builder}{len(options)}"
    done = subprocess.run([sys.executable, "-m", "sphinx", "-q", "-E", "-b", builder, *options,
                           "-d", str(out) + "-trees", str(folder), str(out)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out, done.stderr


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages") / "src"
    (folder / "chapters" / "quizzes").mkdir(parents=True)
    (folder / "conf.py").write_text(CONF, "utf-8")
    (folder / "index.md").write_text("# Book\n\n```{toctree}\ntesting\n```\n", "utf-8")
    shutil.copy(BOOK / "chapters" / "exercises" / NAME / f"{NAME}.ipynb", folder)
    return folder


def test_solutions_move_to_the_end_and_stay_collapsed(pages):
    out, warnings = sphinx(pages, "html")
    assert not warnings
    html = (out / f"{NAME}.html").read_text("utf-8")
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    prompts, solutions = html.split('id="worked-solutions"')
    assert h.BEGIN.replace(">", "&gt;") not in prompts and "Rubric" in solutions
    shown = re.findall(r'<details class="practice solution" id="(\S+?)"', solutions)
    assert shown and all(f'href="#{s}"' in prompts for s in shown)
    assert all(f'href="#{s.removesuffix("-solution")}"' in solutions for s in shown)
    facts = re.search(r'<p class="exercise-facts">(.*?)</p>', html)[1]
    assert facts.startswith("Objective T1 (understand); about 8 minutes; level 1 of 3; for ")


def test_build_without_solutions_holds_no_word_of_them(pages):
    out, warnings = sphinx(pages, "html", "-D", "book_show_solutions=0")
    assert not warnings
    texts = {p.name: p.read_text("utf-8") for p in out.rglob("*")
             if p.suffix in (".html", ".js", ".ipynb")}
    plain = re.sub(r"<[^>]+>", "", "\n".join(texts.values()))
    assert "Worked solution" not in plain and "Rubric" not in plain
    leaked = [line for line in solution_lines(pages / f"{NAME}.ipynb") if line in plain]
    assert not leaked


def test_single_page_survives(pages):
    out, warnings = sphinx(pages, "singlehtml")
    assert not warnings
    assert 'class="practice solution"' in (out / "index.html").read_text("utf-8")


def test_a_broken_quiz_is_one_build_warning_a_fault(pages, tmp_path):
    folder = shutil.copytree(pages, tmp_path / "src")
    (folder / "chapters" / "quizzes" / "toy.yml").write_text(json.dumps({
        "title": "Toy", "chapter": "toy", "items": [{
            "id": "q-x", "objective": "T1", "bloom": "apply", "points": 1, "audience": ["med"],
            "question": "?", "options": [{"text": "a", "why": "b"}, {"text": "c"}]}]}), "utf-8")
    (folder / f"{NAME}.ipynb").unlink()
    text = "# Book\n\n```{quiz} toy\n```\n\n```{quiz} none\n```\n"
    (folder / "index.md").write_text(text, "utf-8")
    _, warnings = sphinx(folder, "html")
    assert "toy.yml, item 'q-x', option 2: 'why' is a required property" in warnings
    assert "none.yml: cannot be read" in warnings and warnings.count("WARNING") == 2


def test_a_misspelt_hidden_test_stops_the_release(tmp_path, monkeypatch):
    (tmp_path / "test_kapa.py").write_text("assert True\n", "utf-8")
    monkeypatch.setenv("HER2_HIDDEN", str(tmp_path))
    with pytest.raises(ValueError, match=r"test_kapa\.py"):
        h.AddHiddenTests().preprocess(nbformat.v4.new_notebook(), {})
