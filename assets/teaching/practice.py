"""Quiz files and exercise labels, read and checked without Sphinx.

The page (quiz.py, exercises.py), the grading tools (assets/teaching) and the tests share
this module, so that a quiz file means the same thing everywhere.
"""

import json
import os
import re
import sys
import tempfile
from html import escape
from pathlib import Path

import jsonschema
import yaml
from markdown_it import MarkdownIt

BOOK = Path(__file__).resolve().parents[2]
EXERCISES = BOOK / "chapters" / "exercises"
QUIZZES = BOOK / "chapters" / "quizzes"
BANK = "misconceptions.yml"
SCHEMA = "schema.json"
AUDIENCE = {"med": "clinicians", "bio": "biologists", "data": "data scientists"}
_inline = MarkdownIt("commonmark", {"html": False}).renderInline


class QuizError(ValueError):
    """A quiz file is not usable; `faults` lists every fault, each with file and item."""

    def __init__(self, faults):
        super().__init__("\n".join(faults))
        self.faults = list(faults)


# ---- quiz files ---------------------------------------------------------------------

def quiz_files(folder=QUIZZES):
    """Paths of all quiz files, sorted; the bank of misconceptions is not one of them."""
    return [p for p in sorted(Path(folder).glob("*.yml")) if p.name != BANK]


def load_bank(folder=QUIZZES):
    """Misconceptions by id: {id: {"statement", "correction", "chapters"}}."""
    path = Path(folder, BANK)
    rows = _read(path)
    _raise(_schema_faults(rows, "misconceptions", path))
    faults = [f"{path.name}: id '{i}' is used twice" for i in _twice(r["id"] for r in rows)]
    _raise(faults)
    return {r["id"]: r for r in rows}


def load_quiz(path, objectives=None):
    """Read one quiz file and check it in full; items drawn again from other files included.

    path: the file. objectives: ids that the chapter has (None: not checked).
    Returns the document; each entry of "again" is replaced by its item.
    Raises QuizError with all faults at once.
    """
    path = Path(path)
    doc = _read(path)
    _raise(_schema_faults(doc, "quiz", path))
    bank = load_bank(path.parent) if (path.parent / BANK).is_file() else {}
    faults = []
    if doc["chapter"] != path.stem:
        faults.append(f"{path.name}: chapter is '{doc['chapter']}', the file is '{path.stem}'")
    for twice in _twice(i["id"] for i in doc["items"]):
        faults.append(f"{path.name}: item id '{twice}' is used twice")
    for item in doc["items"]:
        faults += [f"{path.name}, item '{item['id']}': {f}"
                   for f in _item_faults(item, objectives, bank)]
    doc["again"] = [_again(path, ref, faults) for ref in doc.get("again", [])]
    _raise(faults)
    return doc


def is_number(item):
    return "number" in item


def is_many(item):
    return not is_number(item) and sum(bool(o.get("correct")) for o in item["options"]) > 1


def _read(path):
    try:
        return yaml.safe_load(Path(path).read_text("utf-8"))
    except OSError as e:
        have = ", ".join(p.stem for p in quiz_files(Path(path).parent)) or "none"
        raise QuizError([f"{path}: cannot be read ({e.strerror}); quizzes here: {have}"]) from None
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        mark = getattr(e, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        why = getattr(e, "problem", None) or e
        raise QuizError([f"{Path(path).name}{where}: not valid YAML ({why})"]) from None


def _schema_faults(doc, kind, path):
    schema = json.loads(Path(QUIZZES, SCHEMA).read_text("utf-8"))
    check = jsonschema.Draft202012Validator({**schema, "$ref": f"#/$defs/{kind}"})
    return [f"{path.name}{_where(doc, list(e.absolute_path))}: {e.message}"
            for e in sorted(check.iter_errors(doc), key=lambda e: list(map(str, e.absolute_path)))]


def _where(doc, steps):
    """`, item 'q-x', option 2` for a path into the document."""
    words, node = [], doc
    for n, step in enumerate(steps):
        node = node[step]
        if isinstance(step, int):
            name = {"items": "item", "options": "option", "wrong": "wrong answer"}.get(
                steps[n - 1] if n else "", "entry")
            shown = node.get("id") if isinstance(node, dict) else None
            words.append(f"{name} '{shown}'" if shown else f"{name} {step + 1}")
        elif step not in ("items", "options", "wrong"):
            words.append(step)
    return "".join(f", {w}" for w in words)


def _item_faults(item, objectives, bank):
    if objectives is not None and item["objective"] not in objectives:
        yield f"objective '{item['objective']}' is not one of {', '.join(objectives)}"
    if ("options" in item) == is_number(item):
        yield "needs either options or a number, not both and not neither"
        return
    answers = item.get("wrong", []) if is_number(item) else item["options"]
    for n, a in enumerate(answers, 1):
        named = a.get("misconception")
        if named and named not in bank:
            yield f"answer {n}: misconception '{named}' is not in {BANK}"
        if named and a.get("correct"):
            yield f"answer {n}: a correct option cannot carry a misconception"
    if is_number(item):
        for a in answers:
            if abs(a["number"] - item["number"]) <= item["tolerance"] + a.get("tolerance", 0):
                yield f"the wrong answer {a['number']} lies within the right answer's tolerance"
        return
    right = sum(bool(a.get("correct")) for a in answers)
    if not right:
        yield "no option is correct"
    if right == len(answers):
        yield "no option is wrong"
    for text in _twice(a["text"] for a in answers):
        yield f"the option '{text}' stands twice"


def _again(path, ref, faults):
    stem, _, name = ref.partition(".")
    try:
        items = {i["id"]: i for i in _read(path.with_name(f"{stem}.yml"))["items"]}
        return {**items[name], "from": stem}
    except (QuizError, KeyError, TypeError):
        faults.append(f"{path.name}, again: there is no item '{name}' in {stem}.yml")


def _twice(values):
    seen = set()
    return sorted({v for v in values if v in seen or seen.add(v)})


def _raise(faults):
    if faults:
        raise QuizError(faults)


# ---- the form on the page -----------------------------------------------------------

def md(text):
    """Inline Markdown (emphasis, code, links) as HTML; line breaks become spaces."""
    return _inline(" ".join(str(text).split()))


def item_html(item, n, prefix):
    """One item as a form of native controls; well-formed XML, so that EPUB takes it too.

    n: number shown. prefix: makes the form's id unique, e.g. the quiz's name.
    """
    number, many = is_number(item), is_many(item)
    kind = "number" if number else "many" if many else "one"
    body = _number_html(item) if number else _options_html(item, many)
    return (
        f'<form class="quiz" id="{escape(prefix)}-{escape(item["id"])}" data-kind="{kind}" '
        f'novalidate="novalidate"><fieldset>\n'
        f'<legend><span class="quiz-n">Question {n}.</span> {md(item["question"])}</legend>\n'
        f"{body}\n"
        '<p class="quiz-buttons"><button type="submit">Check</button> '
        '<button type="reset">Clear</button></p>\n'
        '<div class="quiz-result" role="status" aria-live="polite"></div>\n'
        f"<noscript><details><summary>Answer</summary>{_key_html(item)}</details></noscript>\n"
        "</fieldset></form>"
    )


def quiz_html(doc, name):
    """All items of a loaded quiz; items from earlier chapters come last and say so."""
    forms = [item_html(i, n, name) for n, i in enumerate(doc["items"], 1)]
    for n, item in enumerate(doc["again"], len(forms) + 1):
        back = {**item, "question": f"*From an earlier chapter.* {item['question']}"}
        forms.append(item_html(back, n, f"{name}-again-{item['from']}"))
    return "\n".join(forms)


def _options_html(item, many):
    out = ["<p>Choose all that apply.</p>"] if many else []
    for o in item["options"]:
        ok = bool(o.get("correct"))
        named = o.get("misconception", "")
        named = f' data-misconception="{named}"' if named else ""
        out.append(
            f'<div class="quiz-option"><label><input type="{"checkbox" if many else "radio"}" '
            f'name="a" data-ok="{int(ok)}"{named} /> '
            f'<span class="quiz-text">{md(o["text"])}</span></label>\n'
            f'<div class="quiz-why" hidden="hidden"><strong>{"Right" if ok else "Wrong"}:</strong> '
            f'{md(o["why"])}</div></div>')
    return "\n".join(out)


def _number_html(item):
    unit = item.get("unit", "")
    low, high = item["number"] - item["tolerance"], item["number"] + item["tolerance"]
    shown = f"{item['number']:g}{' ' if unit else ''}{escape(unit)}"
    out = [f'<p><label>Your answer <input type="text" name="a" inputmode="decimal" '
           f'autocomplete="off" data-unit="{escape(unit)}" /></label> {escape(unit)} '
           '<span class="quiz-note">(a number; decimal comma or point)</span></p>',
           _range_html(low, high, True, f"<strong>Right ({shown}):</strong> {md(item['why'])}")]
    for w in item.get("wrong", []):
        t = w.get("tolerance", item["tolerance"])
        out.append(_range_html(w["number"] - t, w["number"] + t, False,
                               f"<strong>Wrong ({w['number']:g}):</strong> {md(w['why'])}"))
    return "\n".join(out)


def _range_html(low, high, ok, text):
    return (f'<div class="quiz-why" hidden="hidden" data-low="{low:.10g}" data-high="{high:.10g}" '
            f'data-ok="{int(ok)}">{text}</div>')


def _key_html(item):
    if is_number(item):
        return f"<p>{item['number']:g} {escape(item.get('unit', ''))}. {md(item['why'])}</p>"
    return "".join(f"<p><strong>{md(o['text'])}</strong> {md(o['why'])}</p>"
                   for o in item["options"] if o.get("correct"))


# ---- labels of exercises ------------------------------------------------------------

def exercise_facts(classes):
    """Class list of an exercise to its facts.

    `obj-T1 bloom-apply for-med for-bio min-15 level-2 tier-assignable` gives
    {"objective": "T1", "bloom": "apply", "audience": ["med", "bio"], "minutes": 15,
    "level": 2, "tier": "assignable"}; what is missing is None, [] or "practice".
    """
    def pick(prefix):
        return [c[len(prefix):] for c in classes if re.fullmatch(re.escape(prefix) + r"[\w.]+", c)]

    def number(prefix):
        return next((int(v) for v in pick(prefix) if v.isdigit()), None)

    return {
        "objective": next((o.upper() for o in pick("obj-")), None),
        "bloom": next(iter(pick("bloom-")), None),
        "audience": pick("for-"),
        "minutes": number("min-"),
        "level": number("level-"),
        "tier": next(iter(pick("tier-")), "practice"),
    }


def facts_line(classes):
    """The line under an exercise's title, in words."""
    f = exercise_facts(classes)
    skill = f" ({f['bloom']})" if f["bloom"] else ""
    parts = [f"Objective {f['objective']}{skill}"] if f["objective"] else []
    parts += [f"about {f['minutes']} minutes"] if f["minutes"] else []
    parts += [f"level {f['level']} of 3"] if f["level"] else []
    *first, last = [AUDIENCE.get(a, a) for a in f["audience"]] or [""]
    if last:
        parts.append("for " + (f"{', '.join(first)} and {last}" if first else last))
    if f["tier"] == "assignable":
        parts.append("to be assigned: no solution is published")
    return "; ".join(parts)


# ---- for the commands ---------------------------------------------------------------

def exercise_files(names=(), folder=EXERCISES):
    """Source notebooks, all or the named ones; SystemExit names what does not exist."""
    have = {p.parent.name: p for p in sorted(Path(folder).glob("*/*.ipynb"))
            if p.stem == p.parent.name}
    unknown = [n for n in names if n not in have]
    if unknown:
        stop(f"no exercise notebook {', '.join(unknown)}; there are: {', '.join(have) or 'none'}")
    return [have[n] for n in names] if names else list(have.values())


def stop(message):
    """End a command with one clear line and exit code 2."""
    print(f"stopped: {message}", file=sys.stderr)
    raise SystemExit(2)


def write_whole(path, data):
    """Write text or bytes so that a failure leaves the old file or none, never half a file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as f:
            f.write(data.encode("utf-8") if isinstance(data, str) else data)
        os.chmod(part, 0o644)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise
