"""Exercise pages: facts under each title, solutions collapsed at the page's end, unique ids.

In the notebook the answer cell stands between prompt and check, so that it runs in order. On
the page the whole solution, cells and outputs included, moves to a section 'Worked solutions',
linked both ways. `book_show_solutions = False` leaves the solutions out before anything reads
them: pages, search index and contents never see their text.
Solutions and hints are native <details>: no script, a keyboard works, printing opens them.
"""

import os
import sys
from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_exercise.nodes import is_exercise_node, solution_node

sys.path.append(str(Path(__file__).resolve().parents[2] / "teaching"))
import practice  # shared with the grading tools and the tests

HEADING = "Worked solutions"
SECTION = "worked-solutions"


class details(nodes.General, nodes.Element):
    """A <details> block; its first child is a summary."""


class summary(nodes.General, nodes.TextElement):
    """The clickable line of a details block."""


def arrange(app, doctree):
    """Runs before the table of contents is collected, so that the new section is part of it."""
    solutions = list(doctree.findall(solution_node))
    for node in solutions:
        node.parent.remove(node)
    if not app.config.book_show_solutions:
        solutions = []
    solved = {node["target_label"]: node["label"] for node in solutions}
    for node in doctree.findall(is_exercise_node):
        content = node.children[-1]
        content["ids"] = [f"{node['label']}-content"]  # sphinx-exercise repeats one id
        line = practice.facts_line(node["classes"])
        if line:
            content.insert(0, nodes.paragraph("", line, classes=["exercise-facts"]))
        if node["label"] in solved:
            link = _link("Worked solution", solved[node["label"]])
            content += nodes.paragraph("", "", link, classes=["exercise-solution-link"])
    if solutions:
        _page(doctree).append(_section(doctree, solutions))


def _section(doctree, solutions):
    section = nodes.section(ids=[SECTION], names=[SECTION])
    section += nodes.title("", HEADING)
    for node in solutions:
        content = node.children[-1]
        content["ids"] = [f"{node['label']}-content"]
        back = _link("Back to the exercise", node["target_label"])
        content += nodes.paragraph("", "", back, classes=["exercise-solution-link"])
        section += node
    section.document = doctree
    return section


def _page(doctree):
    """The page's outermost section (a page without one is its own)."""
    return next((n for n in doctree.children if isinstance(n, nodes.section)), doctree)


def _link(text, target):
    # refuri, not refid: sphinx-exercise rewrites the words of references that have a refid
    return nodes.reference("", text, internal=True, refuri=f"#{target}")


class Collapse(SphinxPostTransform):
    """Solutions, and hints of class dropdown, become <details>; runs after titles are resolved."""

    default_priority = 30

    def run(self, **kwargs):
        if self.app.builder.format != "html":
            return
        for node in list(self.document.findall(solution_node)):
            self.swap(node, "solution", node.children[0].astext())
        for node in list(self.document.findall(nodes.hint)):
            if "dropdown" in node["classes"]:
                self.swap(node, "hint", "Hint")

    def swap(self, node, kind, text):
        new = details(ids=node["ids"], classes=["practice", kind])
        new += summary("", text)
        for child in node.children:
            if isinstance(child, nodes.section):  # a bare <section> would only confuse its readers
                new.extend(child.children)
            elif not isinstance(child, nodes.title):
                new += child
        node["classes"] = []
        node.replace_self(new)


def _visitors(tag):
    def visit(self, node):
        self.body.append(self.starttag(node, tag))

    def depart(self, node):
        self.body.append(f"</{tag}>\n")

    return visit, depart


def share_visitors(app):
    """Let the singlehtml builder draw what html draws.

    sphinx-exercise registers visitors for singlehtml by name, after which Sphinx no longer falls
    back to those for html, and nodes of other extensions (hidden cells) become unknown there.
    """
    handlers = app.registry.translation_handlers
    if "singlehtml" in handlers:
        handlers["singlehtml"] = {**handlers.get("html", {}), **handlers["singlehtml"]}


def add_files(app, pagename, templatename, context, doctree):
    body = context.get("body") or ""
    if 'class="practice' in body or "exercise-facts" in body:
        app.add_css_file("css/exercises.css")


def setup_exercises(app):
    app.add_config_value("book_show_solutions", os.environ.get("BOOK_SOLUTIONS") != "0", "env", types=[bool])
    app.add_node(details, html=_visitors("details"))
    app.add_node(summary, html=_visitors("summary"))
    app.connect("builder-inited", share_visitors)
    app.connect("doctree-read", arrange, priority=400)
    app.add_post_transform(Collapse)
    app.connect("html-page-context", add_files)
