"""Plant one fault of each kind in a copy of the book and show that the suite catches it: ``make prove``.

Each fault runs the tests that ought to see it; a fault that passes is a hole in the suite, and the command fails.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = "chapters/biology/testing.ipynb"
SKIP = shutil.ignore_patterns(".git", ".venv", "_build", "__pycache__", "*.egg-info")


class Fault(NamedTuple):
    """A fault to plant, and the tests that must fail."""

    name: str
    file: str
    change: Callable[[str], str]
    tests: list[str]
    build: bool = False


def swap(old: str, new: str, count: int = 1) -> Callable[[str], str]:
    """Replace text; a fault whose place is not found is an error of this script."""

    def change(text: str) -> str:
        assert old in text, f"{old!r} is not there to be spoilt"
        return text.replace(old, new, count)

    return change


def regex(pattern: str, new: str) -> Callable[[str], str]:
    """Replace the first match of a pattern."""

    def change(text: str) -> str:
        changed, found = re.subn(pattern, new, text, count=1)
        assert found, f"{pattern!r} is not there to be spoilt"
        return changed

    return change


FAULTS = [
    Fault("data: an unknown unit", "data/tables/her2_testing.csv", regex(r",copies per nucleus,", ",copies per cell,"), ["tests/test_data.py::test_no_fault"]),
    Fault("output: a stored result differs by one digit", CHAPTER, regex(r'"ratio-cut: 2\.0', '"ratio-cut: 2.1'), [CHAPTER]),
    Fault("chart: one key of a stored chart changed", CHAPTER, regex(r'"opacity": 0\.\d+', '"opacity": 0.99'), [CHAPTER]),
    Fault("link: a page that does not exist", "index.md", lambda text: text + "\n[nowhere](chapters/nowhere.html)\n", ["tests/test_site.py::test_internal_links_and_anchors_resolve"], build=True),
    Fault("alt text: a chart without description", CHAPTER, regex(r'("description": )"[^"]{30,}"', r'\1""'), ["tests/test_charts.py::test_every_chart_is_described_and_drawn_by_the_oldest_front_end"]),
    Fault("contrast: a mark too pale for white", "data/src/her2/charts.py", regex(r'"orange": "#[0-9a-f]{6}"', '"orange": "#ffe0b0"'), ["tests/test_charts.py::test_marks_and_text_stand_out"]),
    Fault("typed number: a figure in prose", CHAPTER, swap("## Takeaways", "In that trial 47.3 percent responded.\\n\",\n    \"\\n\",\n    \"## Takeaways"), ["tests/test_chapters.py::test_no_number_is_typed_in_prose"]),
    Fault("leaked solution: an answer in the student copy", "assets/student/testing.ipynb", lambda text: text.replace('"cells": [', '"cells": [\n  {"cell_type": "code", "id": "leak", "metadata": {}, "execution_count": null, "outputs": [], "source": "# >>> solution\\nanswer = 1"},', 1), ["tests/test_exercises.py::test_student_copy_holds_no_answer"]),
]  # fmt: skip


def run(copy: Path, *command: str) -> subprocess.CompletedProcess:
    """Run a command of the book inside a copy of it, with the copy's own package."""
    environment = os.environ | {"PYTHONPATH": str(copy / "data" / "src")}
    return subprocess.run([sys.executable, *command], cwd=copy, env=environment, capture_output=True, text=True, check=False)


def fails(copy: Path, tests: list[str], build: bool) -> bool:
    """Whether building the copy, where asked for, or one of the tests fails there."""
    if build and run(copy, "assets/tools/build.py").returncode:
        return True
    result = run(copy, "-m", "pytest", "-n", "0", "-x", *tests)
    assert result.returncode in (0, 1), result.stdout[-2000:] + result.stderr[-2000:]
    return result.returncode == 1


def plant(fault: Fault | None) -> bool:
    """Whether the suite catches the fault; without one, whether any of the tests fails on the book as it is."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "book")
        shutil.copytree(ROOT, copy, ignore=SKIP)
        if fault is None:
            return fails(copy, sorted({test for one in FAULTS for test in one.tests}), build=True)
        target = copy / fault.file
        target.write_text(fault.change(target.read_text("utf-8")), "utf-8")
        # The rules must see a wrong table by themselves, not by its hash alone.
        renewed = run(copy, "-c", "from her2.validation import renew_hashes; renew_hashes()")
        assert renewed.returncode == 0, renewed.stderr
        return fails(copy, fault.tests, fault.build)


def main() -> int:
    if plant(None):
        print("These tests fail before any fault is planted: run 'make test' first.", file=sys.stderr)
        return 1
    missed = []
    for number, fault in enumerate(FAULTS, start=1):
        caught = plant(fault)
        print(f"[{number}/{len(FAULTS)}] {fault.name}: {'caught' if caught else 'NOT CAUGHT'}", flush=True)
        missed += [] if caught else [fault.name]
    print(f"{len(FAULTS) - len(missed)} of {len(FAULTS)} planted faults were caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
