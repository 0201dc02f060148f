"""Make a larger book of this one: the same configuration, each chapter several times, for measurements of scale.

A copy is a chapter in its own right: its labels and charts are its own, so that nothing is drawn once and used twice,
and it stands beside its original, so that its links hold. It builds without a warning and gives its stored outputs.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
SKIP = shutil.ignore_patterns(".git", ".venv", "_build", "__pycache__", "*.egg-info", ".*_cache", ".ipynb_checkpoints")
VEGA = "application/vnd.vegalite"
LABEL = re.compile(r"^\(([a-z0-9-]+)\)=", re.MULTILINE)
DESCRIPTION = re.compile(r'(\bdescription=\s*\(?\s*f?["\'])')


def entries(toc: dict) -> Iterator[tuple[list, dict]]:
    """Every entry of a table of contents, with the list that it stands in."""
    waiting = [part["chapters"] for part in toc.get("parts", [])] or [toc.get("chapters", [])]
    while waiting:
        siblings = waiting.pop(0)
        yield from ((siblings, entry) for entry in list(siblings))
        waiting = [entry["sections"] for entry in siblings if "sections" in entry] + waiting


def is_chapter(name: str, root: Path) -> bool:
    """Whether a page is a chapter that teaches: neither an exercise nor of the reference part."""
    return (root / f"{name}.ipynb").is_file() and not name.startswith(("chapters/exercises/", "chapters/reference/"))


def chapter_names(root: Path = ROOT) -> list[str]:
    """Chapters that teach, in the order of _toc.yml."""
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))
    return [entry["file"] for _, entry in entries(toc) if "file" in entry and is_chapter(entry["file"], root)]


def copy_of(notebook: dict, number: int) -> dict:
    """A copy of a notebook whose labels, links to them, title and charts carry its number."""
    copy = json.loads(json.dumps(notebook))
    mark = f"Copy {number}. "
    prose = [cell for cell in copy["cells"] if cell["cell_type"] == "markdown"]
    labels = {label for cell in prose for label in LABEL.findall("".join(cell["source"]))}
    for cell in copy["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            for label in labels:
                text = re.sub(rf"(\(#|^\(|\{{ref\}}`|<){re.escape(label)}(?=[)`>])", rf"\g<1>{label}-copy-{number}", text, flags=re.MULTILINE)
            text = re.sub(r"^(# .*)$", rf"\1 (copy {number})", text, count=1, flags=re.MULTILINE)
        else:
            text = DESCRIPTION.sub(rf"\g<1>{mark}", text)
            for output in cell["outputs"]:
                relabel(output.get("data", {}), mark)
        cell["source"] = text
    meta = copy["metadata"].get("her2")
    if meta:
        meta["slug"], meta["title"] = f"{meta['slug']}-copy-{number}", f"{meta['title']} (copy {number})"
        meta["mechanisms"] = {key: f"{label}-copy-{number}" for key, label in meta.get("mechanisms", {}).items()}
    return copy


def relabel(data: dict, mark: str) -> None:
    """Give a stored chart the description that the copy's cell computes; another description is another chart."""
    for mime, spec in data.items():
        if mime.startswith(VEGA):
            old = spec["description"]
            spec["description"] = mark + old
            data["text/plain"] = "".join(data["text/plain"]).replace(old, mark + old)


def multiply(destination: Path, factor: int, *, root: Path = ROOT) -> list[str]:
    """Copy a book with each chapter ``factor`` times into a folder that does not exist yet; returns its chapters."""
    shutil.copytree(root, destination, ignore=SKIP)
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))
    for siblings, entry in entries(toc):
        name = entry.get("file", "")
        if is_chapter(name, root):
            notebook = json.loads((root / f"{name}.ipynb").read_text("utf-8"))
            copies = [f"{name}-copy-{number}" for number in range(2, factor + 1)]
            for number, copy in enumerate(copies, start=2):
                (destination / f"{copy}.ipynb").write_text(json.dumps(copy_of(notebook, number), indent=1, ensure_ascii=False) + "\n", "utf-8")
            place = siblings.index(entry) + 1
            siblings[place:place] = [{"file": copy} for copy in copies]
    (destination / "_toc.yml").write_text(yaml.safe_dump(toc, sort_keys=False), "utf-8")
    return chapter_names(destination)


def one_page(destination: Path, *, root: Path = ROOT) -> None:
    """Copy a book's configuration with a single short page: the floor that any build of this book has."""
    shutil.copytree(root, destination, ignore=SKIP)
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))
    (destination / "_toc.yml").write_text(f"format: {toc['format']}\nroot: {toc['root']}\n", "utf-8")
    (destination / f"{toc['root']}.md").write_text("# One page\n\nThis book has one page.\n", "utf-8")
