"""The head block of a chapter, written from the notebook's own metadata, so that the two cannot differ.

The metadata key ``her2`` holds: slug, title, objectives {id: text}, minutes {reading, exercises},
prerequisites [{topic, need, link}], tables [names], next [{text, link}].
"""

import sys

import her2
import nbformat
from notebooks import UnknownChapter, find


def head(meta: dict) -> str:
    """Markdown of the head block."""
    lines = ["**After this chapter you can**", ""]
    lines += [f"- ({key}) {text}" for key, text in meta["objectives"].items()]
    minutes = meta["minutes"]
    lines += ["", f"**Time:** {minutes['reading']} minutes to read and run, {minutes['exercises']} minutes of exercises.", ""]
    if meta["prerequisites"]:
        lines += ["| You should know | How much | Where |", "| --- | --- | --- |"]
        lines += [f"| {item['topic']} | {item['need']} | {item['link']} |" for item in meta["prerequisites"]]
    else:
        lines += ["**Before you start:** nothing is needed."]
    tables = ", ".join(f"`{name}`" for name in meta["tables"])
    lines += ["", f"**Data:** {tables} of the book's data package; last checked on {her2.evidence_date(meta['tables'])}."]
    return "\n".join(lines)


def write(notebook) -> None:
    """Put the head block into the cell tagged ``head``; a notebook without the metadata is left alone."""
    meta = notebook.metadata.get("her2")
    for cell in notebook.cells:
        if meta and "head" in cell.metadata.get("tags", []):
            cell.source = head(meta)


def main() -> int:
    try:
        paths = find(sys.argv[1:])
    except UnknownChapter as error:
        print(error, file=sys.stderr)
        return 2
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        before = nbformat.writes(notebook)
        write(notebook)
        if nbformat.writes(notebook) != before:
            nbformat.write(notebook, path)
            print(f"{path.name}: head written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
