"""Write the self-checking student notebooks: no answers, checks included, no nbgrader needed.

    python assets/teaching/student_copy.py            all exercises, into assets/student/
    python assets/teaching/student_copy.py testing    one
    python assets/teaching/student_copy.py --check    only tell which are out of date (exit 1)

A student copy keeps cell ids and nbgrader records, so that it can also be handed in.
"""

import argparse

import her2teach as h
import nbformat
import practice
from nbgrader.preprocessors import ClearOutput, LockCells

STUDENT = practice.BOOK / "assets" / "student"


def student_copy(path):
    """Text of the student notebook made from one source notebook."""
    nb = nbformat.read(path, 4)
    resources = {}
    for step in (h.PlainText, LockCells, h.ClearAnswers, ClearOutput):
        nb, resources = step().preprocess(nb, resources)
    return nbformat.writes(nb) + "\n"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="*", help="exercise folders (default: all)")
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 on a difference")
    args = parser.parse_args(argv)
    fresh = {}
    for path in practice.exercise_files(args.name):
        try:
            fresh[path.stem] = student_copy(path)
        except Exception as e:
            practice.stop(f"{path.relative_to(practice.BOOK)}: {e}")
    old = [n for n, text in fresh.items() if not _same(STUDENT / f"{n}.ipynb", text)]
    if args.check:
        for name in old:
            print(f"out of date: assets/student/{name}.ipynb (run student_copy.py {name})")
        return 1 if old else 0
    for name, text in fresh.items():
        practice.write_whole(STUDENT / f"{name}.ipynb", text)
        print(f"assets/student/{name}.ipynb: {'written' if name in old else 'as before'}")
    return 0


def _same(path, text):
    return path.is_file() and path.read_text("utf-8") == text


if __name__ == "__main__":
    raise SystemExit(main())
