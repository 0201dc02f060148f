"""Read the prose of a notebook: its words without code, roles, links and directive lines; and its typed numbers."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import her2

HERE = Path(__file__).parent
DICTIONARY = HERE.parent / "assets" / "dictionary.txt"
ALLOWED = HERE / "allowed_numbers.txt"

_STRIP = [
    re.compile(r"^```.*?^```", re.M | re.S),  # fenced code
    re.compile(r"<!--.*?-->", re.S),
    re.compile(r"^\s*:[a-z-]+:.*$", re.M),  # options of directives
    re.compile(r"^:::+(\{[^}]*\})?.*$", re.M),  # directive fences
    re.compile(r"^\([\w-]+\)=\s*$", re.M),  # targets
    re.compile(r"\{(?:footcite(?::[pt])?|cite(?::[pt])?|glue:text|doc|ref|numref|download)\}`[^`]*`"),
    re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$", re.S),
    re.compile(r"https?://\S+"),
]
_TERM = re.compile(r"\{term\}`([^`<]+?)(?:\s*<[^>]*>)?`")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_CODE = re.compile(r"`[^`]*`")


def words_only(markdown: str) -> str:
    """Markdown without what readers do not read as words; terms and link texts stay."""
    for pattern in _STRIP:
        markdown = pattern.sub(" ", markdown)
    markdown = _LINK.sub(r"\1", _TERM.sub(r"\1", markdown))
    return _CODE.sub(" ", markdown)


@cache
def _names() -> tuple[str, ...]:
    """Names that hold digits because the field writes them so: trials, agents, terms, genes."""
    found: set[str] = set()
    for table, columns in {"trials": ["name", "aliases", "nct"], "agents": ["name", "short_name", "aliases"], "glossary": ["term", "abbreviation", "aliases"], "mechanisms": ["name", "aliases"], "genes": ["symbol", "aliases"], "cell_lines": ["name", "aliases"]}.items():
        frame = her2.load(table)
        for column in columns:
            for value in frame[column].dropna():
                found.update(part.strip() for part in value.split("|"))
    return tuple(sorted((name for name in found if re.search(r"\d", name)), key=len, reverse=True))


@cache
def _allowed() -> re.Pattern:
    lines = [line.split("#")[0].strip() for line in ALLOWED.read_text("utf-8").splitlines()]
    return re.compile("|".join(f"(?:{line})" for line in lines if line))


def typed_numbers(markdown: str) -> list[str]:
    """Numbers typed in prose that no name and no allowed pattern accounts for, each with its neighbourhood."""
    text = words_only(markdown)
    for name in _names():
        text = text.replace(name, " ")
    text = _allowed().sub(" ", text)
    return [text[max(0, m.start() - 25) : m.end() + 15].replace("\n", " ") for m in re.finditer(r"\d+(?:[.,]\d+)*", text)]


@cache
def _speller():
    from spellchecker import SpellChecker

    speller = SpellChecker(language="en", distance=1)
    speller.word_frequency.load_words(line.strip().lower() for line in DICTIONARY.read_text("utf-8").splitlines() if line.strip() and not line.startswith("#"))
    for table, columns in {"trials": ["name", "aliases"], "agents": ["name", "short_name", "aliases", "brands", "payload"], "glossary": ["term", "abbreviation", "aliases"]}.items():
        for column in columns:
            for value in her2.load(table)[column].dropna():
                speller.word_frequency.load_words(re.findall(r"[a-z]+", value.lower()))
    return speller


def misspelt(markdown: str) -> set[str]:
    """Words that neither the English word list, the book's dictionary nor its tables know; names in capitals pass."""
    found = re.findall(r"[A-Za-z][A-Za-z'’]+", words_only(markdown))
    plain = {word.replace("’", "'").removesuffix("'s").removesuffix("'").lower() for word in found if word.islower() or word.istitle()}
    return {word for word in _speller().unknown(plain) if len(word) > 2}
