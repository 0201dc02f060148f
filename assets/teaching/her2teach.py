"""Preprocessors that make nbgrader fit the book; named in nbgrader_config.py.

AddHiddenTests   the instructor's private tests join the check cells when a release is made
PlainText        the student copy: no fences, no worked solution, no rubric, hints folded
ClearAnswers     answers between the quiet markers become `name = ...` or `...`
DropDuplicateIds a copied cell loses its record (nbgrader 0.9.6 would stop the whole batch)
MaskHiddenTests  feedback tells passed or failed, never the hidden code
"""

import ast
import os
import re
from pathlib import Path
from textwrap import dedent

import nbformat
import practice
from nbgrader.preprocessors import ClearSolutions, DeduplicateIds, NbGraderPreprocessor
from traitlets import Unicode

BEGIN, END = "# >>> solution", "# <<< solution"
HIDDEN_BEGIN, HIDDEN_END = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
STUB = "...  # write your answer here"
TEXT_STUB = "*Write your answer here.*"


def record(cell):
    """The cell's nbgrader record; {} for a cell without one."""
    return cell.metadata.get("nbgrader") or {}


class AddHiddenTests(NbGraderPreprocessor):
    """Append HER2_HIDDEN/<grade_id>.py to the check cell of that id.

    No folder set: nothing is added. A folder that does not exist, or a file that belongs to
    no check of any exercise, stops the release: a hidden test must not be lost.
    """

    def preprocess(self, nb, resources):
        folder = os.environ.get("HER2_HIDDEN", "")
        if not folder:
            self.log.warning("HER2_HIDDEN is not set: this release has no hidden tests")
            return nb, resources
        if not Path(folder).is_dir():
            raise FileNotFoundError(f"HER2_HIDDEN is {folder}, which is not a folder")
        known = {record(cell).get("grade_id") for file in practice.exercise_files() for cell in nbformat.read(file, 4).cells}
        stray = sorted(path.name for path in Path(folder).glob("*.py") if path.stem not in known)
        if stray:
            raise ValueError(f"hidden tests that belong to no check: {', '.join(stray)}; is the name misspelt?")
        found = 0
        for cell in nb.cells:
            path = Path(folder, f"{record(cell).get('grade_id')}.py")
            if record(cell).get("grade") and cell.cell_type == "code" and path.is_file():
                text = path.read_text("utf-8").strip()
                compile(text, str(path), "exec")
                cell.source += f"\n{HIDDEN_BEGIN}\n{text}\n{HIDDEN_END}"
                found += 1
        self.log.info("%d check cells have hidden tests", found)
        return nb, resources


class PlainText(NbGraderPreprocessor):
    """Drop worked solutions, rubrics and page-only cells; turn MyST into plain Markdown."""

    def preprocess(self, nb, resources):
        nb.metadata.pop("her2", None)
        kept, inside = [], False
        for cell in nb.cells:
            tags = cell.metadata.pop("tags", [])
            cell.metadata.pop("mystnb", None)
            if cell.cell_type == "markdown" and not record(cell):
                opens = re.search(r"^:::+\{solution-start\}", cell.source, re.M)
                closes = re.search(r"^:::+\{solution-end\}", cell.source, re.M)
                inside, drop = (inside or bool(opens)) and not closes, inside or bool(opens)
                if drop or "page-only" in tags:
                    continue
                cell.source = plain(cell.source)
            elif inside and cell.cell_type != "markdown" and not record(cell):
                continue                              # a cell that only illustrates the solution
            if "hide-input" in tags:
                cell.metadata["jupyter"] = {"source_hidden": True}
            if record(cell).get("grade") and cell.cell_type == "code":
                cell.metadata["tags"] = ["raises-exception"]  # "run all" goes on after a check
            kept.append(cell)
        nb.cells = kept
        return nb, resources


def plain(text):
    """Markdown of a prompt without MyST: exercise, hint and roles in plain words."""
    def title(m):
        classes = re.search(r"^:class:[ \t]*(.*)$", m[2], re.M)
        facts = practice.facts_line(classes[1].split()) if classes else ""
        return f"## {m[1].strip()}" + (f"\n\n*{facts}*" if facts else "")

    text = re.sub(r"^:::+\{exercise-start\}(.*)\n((?:^:\w+:.*\n)*)^:::+[ \t]*$", title, text,
                  flags=re.M)
    text = re.sub(r"^:::+\{exercise-end\}[ \t]*\n^:::+[ \t]*$", "", text, flags=re.M)
    text = re.sub(r"^:::+\{hint\}.*\n(?:^:\w+:.*\n)*([\s\S]*?)^:::+[ \t]*$",
                  r"<details><summary>Hint</summary>\n\n\1\n</details>", text, flags=re.M)
    text = re.sub(r"\{[a-z:]+\}`([^`<]*?)\s*(?:<[^`]*>)?`", r"\1", text)
    return text.strip()


class ClearAnswers(ClearSolutions):
    """nbgrader's own step with quieter markers and stubs that keep the names of the answer."""

    begin_solution_delimeter = Unicode(BEGIN).tag(config=True)
    end_solution_delimeter = Unicode(END).tag(config=True)
    text_stub = Unicode(TEXT_STUB).tag(config=True)

    def preprocess_cell(self, cell, resources, index):
        if cell.cell_type == "code" and record(cell).get("solution"):
            if BEGIN not in cell.source:
                if STUB not in cell.source:
                    raise RuntimeError(
                        f"answer cell '{record(cell)['grade_id']}' has neither '{BEGIN}' nor the "
                        f"stub '{STUB}': its answer would reach students")
                return cell, resources                # assignable: there is no answer to clear
            self.code_stub = {"python": stub(cell.source)}
        return super().preprocess_cell(cell, resources, index)


def stub(source):
    """`name = ...` for each name that a region at the margin sets, otherwise `...`."""
    region = re.search(rf"^([ \t]*){re.escape(BEGIN)}\n([\s\S]*?)^[ \t]*{re.escape(END)}", source,
                       re.M)
    if not region or region[1]:
        return STUB
    names = [t.id for node in ast.parse(dedent(region[2])).body if isinstance(node, ast.Assign)
             for t in node.targets if isinstance(t, ast.Name)]
    return "\n".join(f"{n} = {STUB}" for n in dict.fromkeys(names)) or STUB


class DropDuplicateIds(DeduplicateIds):
    """nbgrader leaves an empty record on a copied cell and then stops; drop the record."""

    def preprocess_cell(self, cell, resources, index):
        cell, resources = super().preprocess_cell(cell, resources, index)
        if cell.metadata.get("nbgrader") == {}:
            del cell.metadata["nbgrader"]
        return cell, resources


class MaskHiddenTests(NbGraderPreprocessor):
    """For feedback: the hidden code and its traceback are replaced."""

    def preprocess_cell(self, cell, resources, index):
        if HIDDEN_BEGIN in cell.source:
            cell.source = re.sub(
                rf"{re.escape(HIDDEN_BEGIN)}[\s\S]*?(?:{re.escape(HIDDEN_END)}|\Z)",
                "# more checks ran here", cell.source)
            for out in cell.get("outputs", []):
                if out.output_type == "error":
                    out.traceback = [f"{out.ename}: {out.evalue}"]
        return cell, resources
