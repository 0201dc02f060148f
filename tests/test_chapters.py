"""The style of a chapter: its head, its cells, its words, its numbers."""

import json
import re
import statistics
import subprocess
import sys

import heads
import her2
import pytest
from conftest import ROOT, chapters, notebooks, read, slug, toc_files
from prose import misspelt, typed_numbers, words_only

CHAPTERS = pytest.mark.parametrize("path", chapters(), ids=slug)
NOTEBOOKS = pytest.mark.parametrize("path", notebooks(), ids=slug)
PAGES = [ROOT / f"{name}.md" for name in toc_files() if (ROOT / f"{name}.md").is_file()]
# Verbs whose success can be tested; "understand" and "know" cannot.
UNTESTABLE = {"understand", "know", "learn", "appreciate", "see"}


def code(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def markdown(path):
    return [cell for cell in read(path).cells if cell.cell_type == "markdown"]


def test_there_are_chapters():
    assert chapters()


@CHAPTERS
def test_head_is_complete_and_agrees_with_its_metadata(path):
    notebook = read(path)
    meta = notebook.metadata["her2"]
    assert set(meta) - {"mechanisms"} == {"slug", "title", "objectives", "minutes", "prerequisites", "tables", "next"}
    assert meta["slug"] == slug(path)
    assert notebook.cells[0].source.splitlines()[0] == f"# {meta['title']}"
    assert 3 <= len(meta["objectives"]) <= 5
    assert not {text.split()[0].lower() for text in meta["objectives"].values()} & UNTESTABLE
    assert set(meta["minutes"]) == {"reading", "exercises"}
    assert all({"topic", "need", "link"} == set(item) and item["need"] in {"needed", "helpful"} for item in meta["prerequisites"])
    assert set(meta["tables"]) <= set(her2.table_names())
    found = [cell for cell in notebook.cells if "head" in cell.metadata.get("tags", [])]
    assert len(found) == 1, "one cell is tagged 'head'"
    assert found[0].source == heads.head(meta), "the head differs from the metadata: run 'make refresh'"
    assert 3 <= len(meta["next"]) <= 5, "what comes next: 3 to 5 annotated links"


@CHAPTERS
def test_minutes_of_exercises_are_those_of_their_labels(path):
    file = ROOT / "chapters" / "exercises" / path.stem / path.name
    if file.is_file():
        labels = re.findall(r"\bmin-(\d+)\b", "\n".join(cell.source for cell in markdown(file)))
        assert read(path).metadata["her2"]["minutes"]["exercises"] == sum(map(int, labels))


@CHAPTERS
def test_tables_named_in_the_head_are_those_that_the_chapter_loads(path):
    text = "\n".join(cell.source for cell in code(path))
    loaded = set(re.findall(r"her2\.(?:load|row|column)\(\s*[\"'](\w+)", text))
    assert loaded <= set(read(path).metadata["her2"]["tables"])


@pytest.mark.parametrize("path", [path for path in chapters() if path.stem != "template"], ids=slug)
def test_size_of_cells_and_chapter(path):
    lengths = [len(cell.source.splitlines()) for cell in code(path)]
    assert 12 <= len(lengths) <= 30, f"{len(lengths)} code cells"
    assert max(lengths) <= 20
    assert max(len(line) for cell in code(path) for line in cell.source.splitlines()) <= 100
    assert statistics.median(lengths) <= 7
    words = sum(len(words_only(cell.source).split()) for cell in markdown(path))
    assert 1_000 <= words <= 2_800, f"{words} words"


@CHAPTERS
def test_every_objective_is_asked_and_every_takeaway_is_linked(path):
    meta = read(path).metadata["her2"]
    text = "\n".join(cell.source for cell in markdown(path))
    takeaways = re.search(r"^## Takeaways\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert takeaways, "a section 'Takeaways'"
    items = re.findall(r"^- (.*)$", takeaways[1], re.M)
    assert 3 <= len(items) <= 5
    targets = set(re.findall(r"^\(([\w-]+)\)=\s*$", text, re.M))
    for item in items:
        links = set(re.findall(r"\(#([\w-]+)\)|\{ref\}`[^`<]*<([\w-]+)>`", item))
        names = {a or b for a, b in links}
        assert names and names <= targets, f"link each takeaway to its paragraph: {item}"
    for heading in ("## What comes next", "## Check yourself"):
        assert heading in text, heading
    from quiz_files import objectives_asked

    assert set(meta["objectives"]) <= objectives_asked(path.stem)


@NOTEBOOKS
def test_no_number_is_typed_in_prose(path):
    found = [number for cell in markdown(path) if "head" not in cell.metadata.get("tags", []) for number in typed_numbers(cell.source)]
    assert not found, "compute, print or glue it, or add its pattern to tests/allowed_numbers.txt"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_no_number_is_typed_on_a_page(path):
    assert not typed_numbers(path.read_text("utf-8"))


@CHAPTERS
def test_every_glued_number_is_printed_by_a_cell(path):
    text = "\n".join(cell.source for cell in markdown(path))
    wanted = set(re.findall(r"\{glue:text\}`([^`:]+)", text))
    printed = "\n".join(output.get("data", {}).get("text/plain", "") for cell in code(path) for output in cell.outputs)
    assert not {name for name in wanted if f"{name}:" not in printed}


@pytest.mark.parametrize("path", [*notebooks(), *PAGES], ids=lambda path: path.stem)
def test_spelling(path):
    texts = [cell.source for cell in markdown(path)] if path.suffix == ".ipynb" else [path.read_text("utf-8")]
    assert not set().union(*(misspelt(text) for text in texts)), "mend it, or add it to assets/dictionary.txt"


@NOTEBOOKS
def test_cells_hide_nothing(path):
    notebook = read(path)
    text = "\n".join(cell.source for cell in code(path))
    for forbidden in ("filterwarnings", "!pip", "%pip", "requests.", "urllib", "open("):
        assert forbidden not in text, forbidden
    if "/exercises/" not in path.as_posix():
        assert not any(output.output_type == "error" for cell in code(path) for output in cell.outputs)
        assert all(cell.execution_count for cell in code(path)), "every cell has run: make refresh"
        assert not any("allow-errors" in str(cell.metadata) for cell in notebook.cells)
    assert notebook.metadata.get("language_info") == {"name": "python"}, "written by make refresh"


def test_ruff_on_cells_and_code():
    run = subprocess.run([sys.executable, "-m", "ruff", "check", "--no-cache", "."], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


def test_exempt_cells_are_listed_few_and_explained():
    """Cells that nbval does not compare stand in one file with their reasons: at most 2 % of all."""
    listed = {(row["notebook"], row["cell"]): row["reason"] for row in json.loads((ROOT / "tests" / "exempt_cells.json").read_text("utf-8"))}
    assert all(len(reason.split()) >= 4 for reason in listed.values())
    found, total = set(), 0
    for path in notebooks():
        for cell in code(path):
            total += 1
            marks = {"nbval-ignore-output", "nbval-skip", "nbval-raises-exception", "raises-exception"} & set(cell.metadata.get("tags", []))
            if marks or re.search(r"#\s*NBVAL_", cell.source):
                found.add((slug(path), cell.id))
    assert found == set(listed)
    assert len(found) <= 0.02 * total


def test_nothing_is_masked_before_comparison():
    settings = (ROOT / "pyproject.toml").read_text("utf-8")
    assert "sanitize" not in settings, "a pattern that matches a bare number would hide a wrong result"
    assert "nbval-lax" not in settings


def test_slugs_carry_no_numbers():
    assert not [name for name in toc_files() if re.search(r"\d", name.replace("her2-layer", "").replace("new-her2-agents", ""))]


def test_the_tools_see_what_they_should():
    assert misspelt("The recepter binds nothing.") == {"recepter"}
    assert not misspelt("The tumour is HER2-positive, says the ASCO/CAP guideline.")
    assert typed_numbers("In that trial 47.3 percent responded.")
    assert not typed_numbers("HER2-low means IHC 1+ or 2+ in groups 2 to 4, as in DESTINY-Breast04 {cite}`x2022`.")
