"""The glossary page from its table, and the definitions that terms show beside themselves."""

import json
from pathlib import Path

import her2
from docutils import nodes
from sphinx.util.docutils import SphinxDirective


def names(row) -> list[str]:
    """The term, its abbreviation and its other forms: each can be used in a {term} role."""
    aliases = row.aliases.split("|") if isinstance(row.aliases, str) else []
    found = [row.term, row.abbreviation if isinstance(row.abbreviation, str) else "", *aliases]
    return list(dict.fromkeys(name.strip() for name in found if name.strip()))


class GlossaryTable(SphinxDirective):
    """``{glossary-table}``: every row of the glossary table, in alphabetical order."""

    def run(self):
        self.env.note_dependency(str(her2.tables.package_root() / "tables" / "glossary.csv"))
        frame = her2.load("glossary").sort_values("term", key=lambda column: column.str.lower())
        lines = [":::{glossary}"]
        for row in frame.itertuples():
            source = f" {{cite}}`{row.reference}`" if isinstance(row.reference, str) else ""
            lines += [*names(row), f"  {row.definition}{source}", ""]
        box = nodes.container()
        self.state.nested_parse([*lines, ":::"], self.content_offset, box)
        return box.children


def write_definitions(app, exception):
    """A script rather than JSON: it loads from a file:// page too, and only when a term is first touched."""
    if exception or app.builder.format != "html":
        return
    definitions = {}
    for row in her2.load("glossary").itertuples():
        for name in names(row):
            definitions.setdefault(name.lower(), row.definition)
    path = Path(app.outdir, "_static", "glossary.js")
    text = "window.her2Glossary = " + json.dumps(definitions, ensure_ascii=False, sort_keys=True) + ";\n"
    if path.parent.is_dir():
        path.write_text(text, "utf-8")


def setup(app):
    app.add_directive("glossary-table", GlossaryTable)
    app.connect("build-finished", write_definitions)
