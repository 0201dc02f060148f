"""The book's own Sphinx extension: one module a concern, wired here."""

from . import (
    accessibility,
    bibliography,
    colophon,
    evidence,
    glossary,
    icons,
    landing,
    math,
    mechanisms,
    pages,
    repository,
)
from .exercises import setup_exercises
from .quiz import setup_quiz


def setup(app):
    for module in (repository, bibliography, colophon, evidence, mechanisms, glossary, landing, math, pages, accessibility, icons):
        module.setup(app)
    setup_quiz(app)
    setup_exercises(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
