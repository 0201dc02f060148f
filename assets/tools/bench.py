"""Measure the book: how long it takes to build and to prove, what a chapter costs, what a kernel needs.

The book is measured as it is, with its chapters twice and four times, and beside a book of one page with the same
configuration. Each figure is the median of several runs, taken in turn, so that a busy moment spoils one run of each.
Goals on building are judged by processor seconds, which do not grow when the machine has other work.
Results go to assets/bench.json, which the colophon shows.
"""

import argparse
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import NamedTuple

import multiply
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "assets" / "bench.json"
FACTORS = (1, 2, 4)
#: Names of the books measured: copies of the chapters, and the floor.
FLOOR = "one page"
MB = 10**6
PEAK = """
import json, os, pathlib, sys
status = pathlib.Path("/proc/self/status")
if status.exists():
    peak = 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
else:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print("peak", peak)
"""
IMPORT = "import time; start = time.process_time(); import {}; print(time.process_time() - start)"


class Seconds(NamedTuple):
    """What a command took: on the clock, and of the processors."""

    wall: float
    cpu: float


def import_seconds(modules: str) -> float:
    """Processor seconds of an import in a fresh interpreter."""
    run = subprocess.run([sys.executable, "-c", IMPORT.format(modules)], check=True, capture_output=True, text=True, env=environment())
    return float(run.stdout)


def import_ratio(runs: int = 5) -> float:
    """Time to import her2 over that of pandas and altair, of the quickest of several runs each, taken in turn."""
    pairs = [(import_seconds("her2"), import_seconds("pandas, altair")) for _ in range(runs)]
    return min(own for own, _ in pairs) / min(other for _, other in pairs)


def profile(path: Path) -> dict:
    """Run a notebook once: cells executed, their seconds, seconds to start the kernel, and its peak memory in bytes."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
    client = NotebookClient(notebook, kernel_name="python3", extra_arguments=["--log-level=40"], resources={"metadata": {"path": str(path.parent)}})
    start = time.monotonic()
    client.execute()
    wall = time.monotonic() - start
    ran = [cell for cell in notebook.cells[:-1] if cell.cell_type == "code" and "execution" in cell.metadata]
    own = sum(_seconds(cell.metadata["execution"]) for cell in ran)
    peak = next(int(output.text.split()[1]) for output in notebook.cells[-1].outputs if output.get("text", "").startswith("peak"))
    return {"cells": len(ran), "seconds": own, "start": wall - own, "peak_bytes": peak}


def _seconds(timing: dict) -> float:
    moments = [datetime.fromisoformat(timing[key].replace("Z", "+00:00")) for key in ("iopub.execute_input", "shell.execute_reply")]
    return (moments[1] - moments[0]).total_seconds()


def environment(book: Path = ROOT) -> dict[str, str]:
    """The surroundings of a measurement: a book's own package, and compiled modules stored, as they are for everybody."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE" and not key.startswith("BOOK_")}
    return kept | {"PYTHONPATH": str(book / "data" / "src")}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(command: list[str], folder: Path) -> Seconds:
    """Seconds of a command that must succeed, its own children included."""
    start, before = time.monotonic(), _cpu()
    run = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"{' '.join(command)} in {folder} failed, so nothing is measured:\n{(run.stdout + run.stderr)[-3000:]}")
    return Seconds(time.monotonic() - start, _cpu() - before)


class Book:
    """A copy of the book to be measured."""

    def __init__(self, folder: Path, factor: int):
        self.folder, self.factor = folder, factor
        if factor:
            self.chapters = multiply.multiply(folder, factor)
        else:
            multiply.one_page(folder)
            self.chapters = []
        # The day of each page's last change comes from the history, and asking for it takes time.
        for arguments in (["init", "-q"], ["add", "-A"], ["-c", "user.name=bench", "-c", "user.email=bench@example.org", "commit", "-q", "-m", "measured"]):
            subprocess.run(["git", *arguments], cwd=folder, check=True)

    @property
    def name(self) -> str:
        return f"chapters x {self.factor}" if self.factor else FLOOR

    def build(self, *options: str) -> Seconds:
        return timed([sys.executable, "assets/tools/build.py", *options], self.folder)

    def cold(self) -> Seconds:
        shutil.rmtree(self.folder / "_build", ignore_errors=True)
        return self.build()

    def changed(self, run: int) -> Seconds:
        """One chapter gets another sentence."""
        path = self.folder / f"{self.chapters[0]}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        next(cell for cell in notebook.cells if cell.cell_type == "markdown").source += f"\n\nOne more sentence, number {run}."
        nbformat.write(notebook, path)
        return self.build()

    def executed(self) -> Seconds:
        """All pages from cold, every notebook run by the build."""
        config = self.folder / "_config.yml"
        stored = config.read_text("utf-8")
        changed = re.sub(r'execute_notebooks: "off"', 'execute_notebooks: "force"', stored)
        if changed == stored:
            raise SystemExit("_config.yml has no line 'execute_notebooks: \"off\"' to change")
        config.write_text(changed, "utf-8")
        shutil.rmtree(self.folder / "_build", ignore_errors=True)
        try:
            return self.build("--lenient")
        finally:
            config.write_text(stored, "utf-8")
            shutil.rmtree(self.folder / "_build", ignore_errors=True)

    def nbval(self, workers: int) -> Seconds:
        """All chapters run and compared by the tests; the tests' settings come along, without a test of their own."""
        return timed([sys.executable, "-m", "pytest", "-n", str(workers), *(f"{name}.ipynb" for name in self.chapters), "tests/conftest.py"], self.folder)


def measure(folder: Path, runs: int, *, execute: bool) -> dict[str, dict[str, list[Seconds]]]:
    """Seconds of each kind of work for each book, run after run."""
    books = [Book(folder / "floor", 0), *(Book(folder / f"times-{factor}", factor) for factor in FACTORS)]
    out: dict[str, dict[str, list[Seconds]]] = {book.name: {} for book in books}
    for run in range(1, runs + 1):
        for book in books:
            kinds: dict[str, tuple] = {"executed": (book.executed,)} if execute and book.factor else {}
            kinds |= {"cold": (book.cold,), "unchanged": (book.build,)}
            if book.factor:
                kinds |= {"changed": (book.changed, run), "nbval": (book.nbval, 0), "nbval two workers": (book.nbval, 2)}
            for kind, (work, *arguments) in kinds.items():
                took = work(*arguments)
                out[book.name].setdefault(kind, []).append(took)
                print(f"[run {run}/{runs}] {book.name}, {kind}: {took.wall:.1f} s ({took.cpu:.1f} s of the processors)", flush=True)
    return out


def slope(medians: dict[str, dict[str, Seconds]], kind: str, low: int, high: int, chapters: int) -> Seconds:
    """What one more chapter costs between two sizes of the book."""
    small, large = (medians[f"chapters x {factor}"][kind] for factor in (low, high))
    return Seconds(*((b - a) / ((high - low) * chapters) for a, b in zip(small, large, strict=True)))


def goals(medians: dict[str, dict[str, Seconds]], profiles: dict[str, dict], chapters: list[str], ratio: float) -> list[dict]:
    """Each goal with what was measured."""
    count, own = len(chapters), [profiles[name]["seconds"] for name in chapters]
    first, last = (slope(medians, "cold", low, high, count).cpu for low, high in ((1, 2), (2, 4)))
    floor, once, four = (medians[name]["unchanged"].cpu for name in (FLOOR, "chapters x 1", "chapters x 4"))
    rows = [
        ("Building with nothing changed, over the same for a book of one page", once / floor, 1.3, "times"),
        ("The same with four times the chapters", four / floor, 1.3, "times"),
        ("Building one more chapter: from twice to four times the book, over from once to twice", last / first, 1.15, "times"),
        ("Proving the outputs of a chapter, beyond its own computing", slope(medians, "nbval", 1, 4, count).wall - sum(own) / count, 0.6, "s"),
        ("Importing her2, over importing pandas and altair", ratio, 1.3, "times"),
        ("Largest memory of a kernel", max(item["peak_bytes"] for item in profiles.values()) / MB, 350, "MB"),
    ]
    return [{"what": what, "value": round(value, 3), "most": most, "unit": unit, "met": value <= most} for what, value, most, unit in rows]


def versions() -> dict[str, str]:
    """What was measured: Python and the direct dependencies."""
    found = {"python": platform.python_version()}
    for name in re.findall(r"^([a-z0-9-]+)", (ROOT / "requirements.in").read_text("utf-8"), re.MULTILINE):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return {name: value for name, value in found.items() if value}


def seconds(value: Seconds) -> dict[str, float]:
    return {key: round(number, 2) for key, number in value._asdict().items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of which the median counts (5)")
    parser.add_argument("--no-execution", action="store_true", help="leave out the build that executes every chapter")
    parser.add_argument("--out", type=Path, default=RESULT, help="where the results go")
    options = parser.parse_args()
    started = time.monotonic()
    load = os.getloadavg()[0]
    if load > (os.cpu_count() or 1) / 2:
        print(f"The machine is busy (load {load:.1f}): times will be longer than they are on a quiet one.", flush=True)
    names = [name for name in re.findall(r"file:\s*(\S+)", (ROOT / "_toc.yml").read_text("utf-8")) if (ROOT / f"{name}.ipynb").is_file()]
    profiles = {}
    for number, name in enumerate(names, start=1):
        tries = [profile(ROOT / f"{name}.ipynb") for _ in range(options.runs)]
        profiles[name] = {key: median(item[key] for item in tries) for key in tries[0]} | {"peak_bytes": max(item["peak_bytes"] for item in tries)}
        print(f"[notebook {number}/{len(names)}] {name}: {profiles[name]['seconds']:.2f} s in {profiles[name]['cells']} cells, {profiles[name]['peak_bytes'] / MB:.0f} MB", flush=True)
    ratio = import_ratio(max(3, options.runs))
    print(f"import her2 takes {ratio:.2f} times as long as pandas and altair", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        samples = measure(Path(folder), options.runs, execute=not options.no_execution)
    medians = {book: {kind: Seconds(*map(median, zip(*values, strict=True))) for kind, values in kinds.items()} for book, kinds in samples.items()}
    chapters = multiply.chapter_names()
    kinds = ["cold", "executed", "nbval"] if not options.no_execution else ["cold", "nbval"]
    result = {
        "measured_on": date.today().isoformat(),
        "runs": options.runs,
        "machine": {"processors": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}", "load": [round(load, 1), round(os.getloadavg()[0], 1)]},
        "versions": versions(),
        "chapters": chapters,
        "seconds": {book: {kind: seconds(value) for kind, value in kinds.items()} for book, kinds in medians.items()},
        "samples": {book: {kind: [seconds(value) for value in values] for kind, values in kinds.items()} for book, kinds in samples.items()},
        "one_chapter_more": {kind: {name: seconds(slope(medians, kind, low, high, len(chapters))) for name, low, high in (("once to twice", 1, 2), ("twice to four times", 2, 4))} for kind in kinds},
        "notebooks": {name: {key: round(value, 3) for key, value in item.items()} for name, item in profiles.items()},
        "goals": goals(medians, profiles, chapters, ratio),
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    for goal in result["goals"]:
        print(f"{'met   ' if goal['met'] else 'MISSED'} {goal['what']}: {goal['value']:g} {goal['unit']} (at most {goal['most']:g})")
    print(f"{options.out.name} is written; measuring took {(time.monotonic() - started) / 60:.0f} minutes.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
