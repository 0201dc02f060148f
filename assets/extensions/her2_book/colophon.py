"""The results of the last benchmark as tables: ``{benchmark} goals``, ``seconds``, ``notebooks`` or ``versions``."""

import json
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

KINDS = {
    "cold": "Site from cold, stored outputs",
    "unchanged": "Nothing changed",
    "changed": "One chapter changed",
    "executed": "All chapters executed",
    "nbval": "Outputs proved, one worker",
    "nbval two workers": "Outputs proved, two workers",
}
MB = 10**6


def table(head: list[str], rows: list[list[str]]) -> nodes.table:
    """A plain table with a heading row; all columns but the first hold numbers."""
    group = nodes.tgroup("", *(nodes.colspec("", colwidth=1) for _ in head), cols=len(head))

    def line(cells: list[str]) -> nodes.row:
        return nodes.row("", *(nodes.entry("", nodes.paragraph("", cell), classes=["text-right"] if number else []) for number, cell in enumerate(cells)))

    group += [nodes.thead("", line(head)), nodes.tbody("", *map(line, rows))]
    return nodes.table("", group)


def goals(result: dict) -> nodes.Node:
    rows = [[goal["what"], f"{goal['value']:.3g} {goal['unit']}", f"{goal['most']:g} {goal['unit']}", "yes" if goal["met"] else "no"] for goal in result["goals"]]
    return table(["What", "Measured", "At most", "Met"], rows)


def seconds(result: dict) -> nodes.Node:
    books = result["seconds"]
    names = {"one page": "One page", **{name: f"Chapters × {name.split()[-1]}" for name in books if name != "one page"}}
    rows = [[label, *(f"{books[book][kind]['wall']:.1f} s" if kind in books[book] else "" for book in names)] for kind, label in KINDS.items() if any(kind in taken for taken in books.values())]
    return table(["Work", *names.values()], rows)


def notebooks(result: dict) -> nodes.Node:
    rows = [[name.removeprefix("chapters/"), f"{item['cells']:.0f}", f"{item['seconds']:.2f} s", f"{item['seconds'] / item['cells']:.3f} s", f"{item['peak_bytes'] / MB:.0f} MB"] for name, item in result["notebooks"].items()]
    return table(["Notebook", "Cells run", "Computing", "A cell", "Peak memory"], rows)


def versions(result: dict) -> nodes.Node:
    return table(["Package", "Version"], [[name, number] for name, number in result["versions"].items()])


def measured(result: dict) -> nodes.Node:
    """One sentence: when, on what, how often."""
    machine = result["machine"]
    chapters = len(result["chapters"])
    text = (
        f"Measured on {result['measured_on']} with {chapters} {'chapter' if chapters == 1 else 'chapters'}, "
        f"{machine['processors']} processors ({machine['system']}); each figure is the median of {result['runs']} {'run' if result['runs'] == 1 else 'runs'}."
    )
    return nodes.paragraph("", text)


PARTS = {"goals": goals, "seconds": seconds, "notebooks": notebooks, "versions": versions, "measured": measured}


class Benchmark(SphinxDirective):
    """Part of the results in ``assets/bench.json``."""

    required_arguments = 1

    def run(self):
        part = PARTS.get(self.arguments[0])
        if part is None:
            raise self.error(f"no part {self.arguments[0]!r} of the benchmark; known: {', '.join(PARTS)}")
        file = Path(self.env.srcdir, "assets", "bench.json")
        self.env.note_dependency(str(file))
        if not file.is_file():
            # The first measurement builds this page before there is anything to show; the tests ask for the file.
            return [nodes.paragraph("", "Not measured yet.")]
        return [part(json.loads(file.read_text("utf-8")))]


def setup(app):
    app.add_directive("benchmark", Benchmark)
