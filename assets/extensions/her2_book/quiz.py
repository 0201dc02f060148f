"""The directive `{quiz} NAME`: draws chapters/quizzes/NAME.yml as accessible forms.

The forms work from a file, without a server or another host. The script and the style are
loaded on pages with a quiz only. A broken file gives one build warning a fault.
"""

import json
import sys
from pathlib import Path

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

sys.path.append(str(Path(__file__).resolve().parents[2] / "teaching"))
import practice  # shared with the grading tools and the tests

log = logging.getLogger(__name__)


class Quiz(SphinxDirective):
    required_arguments = 1

    def run(self):
        name = self.arguments[0]
        folder = Path(self.env.srcdir, "chapters", "quizzes")
        for file in (f"{name}.yml", practice.BANK):
            self.env.note_dependency(str(folder / file))
        try:
            doc = practice.load_quiz(folder / f"{name}.yml", self.objectives())
        except practice.QuizError as e:
            for fault in e.faults:
                log.warning("quiz: %s", fault, location=self.get_location(), type="quiz")
            return []
        for item in doc["again"]:
            self.env.note_dependency(str(folder / f"{item['from']}.yml"))
        return [nodes.raw("", practice.quiz_html(doc, name), format="html")]

    def objectives(self):
        """Ids of the chapter's objectives, from its notebook metadata (None: it has none)."""
        path = Path(self.env.doc2path(self.env.docname))
        if path.suffix != ".ipynb":
            return None
        meta = json.loads(path.read_text("utf-8")).get("metadata", {})
        return list(meta.get("her2", {}).get("objectives", {})) or None


def add_files(app, pagename, templatename, context, doctree):
    if 'class="quiz"' in (context.get("body") or ""):
        app.add_js_file("js/quiz.js", loading_method="defer")
        app.add_css_file("css/quiz.css")


def setup_quiz(app):
    app.add_directive("quiz", Quiz)
    app.connect("html-page-context", add_files)
