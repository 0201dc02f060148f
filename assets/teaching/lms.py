"""Quiz files for a learning platform: Canvas (QTI 1.2 zip, through text2qti) and Moodle (XML).

    python assets/teaching/lms.py OUT            all quizzes, into the folder OUT
    python assets/teaching/lms.py OUT testing    one
"""

import argparse
from pathlib import Path
from xml.etree import ElementTree as ET

import practice
from text2qti.config import Config
from text2qti.qti import QTI
from text2qti.quiz import Quiz


def text2qti_text(doc):
    """The quiz in text2qti's plain-text format."""
    out = [f"Quiz title: {doc['title']}", "shuffle answers: true", ""]
    for item in doc["items"]:
        out += [f"Title: {item['id']}", f"Points: {item['points']:g}",
                f"1.  {_line(item['question'])}{_unit(item)}"]
        if practice.is_number(item):
            out += [f"... {_line(item['why'])}", f"=   {item['number']} +- {item['tolerance']}"]
        elif practice.is_many(item):
            reasons = " ".join(f"{_line(o['text'])}: {_line(o['why'])}" for o in item["options"])
            out.append(f"... {reasons}")
            out += [f"{'[*]' if o.get('correct') else '[ ]'} {_line(o['text'])}"
                    for o in item["options"]]
        else:
            for letter, o in zip("abcdefghijklmnop", item["options"], strict=False):
                out += [f"{'*' if o.get('correct') else ''}{letter}) {_line(o['text'])}",
                        f"... {_line(o['why'])}"]
        out.append("")
    return "\n".join(out)


def qti_zip(doc):
    """Bytes of a QTI 1.2 package for Canvas."""
    config = Config()
    config["run_code_blocks"] = False
    return QTI(Quiz(text2qti_text(doc), config=config, source_name=doc["chapter"])).zip_bytes()


def moodle_xml(doc, course="HER2"):
    """Text of a Moodle XML file; the questions go into the category COURSE/TITLE."""
    root = ET.Element("quiz")
    category = ET.SubElement(ET.SubElement(root, "question", type="category"), "category")
    ET.SubElement(category, "text").text = f"$course$/{course}/{doc['title']}"
    for item in doc["items"]:
        number = practice.is_number(item)
        q = ET.SubElement(root, "question", type="numerical" if number else "multichoice")
        _text(q, "name", item["id"])
        _text(q, "questiontext", practice.md(item["question"]) + _unit(item), format="html")
        ET.SubElement(q, "defaultgrade").text = f"{item['points']:g}"
        if number:
            _number(q, item)
        else:
            _options(q, item)
        tags = ET.SubElement(q, "tags")
        for tag in (item["objective"], item["bloom"], *item["audience"]):
            _text(tags, "tag", tag)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _number(q, item):
    right = {"number": item["number"], "why": item["why"]}
    for n, a in enumerate([right, *item.get("wrong", [])]):
        node = ET.SubElement(q, "answer", fraction="0" if n else "100")
        ET.SubElement(node, "text").text = f"{a['number']:g}"
        ET.SubElement(node, "tolerance").text = f"{a.get('tolerance', item['tolerance']):g}"
        _text(node, "feedback", practice.md(a["why"]), format="html")


def _options(q, item):
    good = sum(bool(o.get("correct")) for o in item["options"])
    bad = len(item["options"]) - good
    ET.SubElement(q, "single").text = "true" if good == 1 else "false"
    ET.SubElement(q, "shuffleanswers").text = "true"
    for o in item["options"]:
        share = 100 / good if o.get("correct") else 0 if good == 1 else -100 / bad
        node = ET.SubElement(q, "answer", fraction=f"{share:.5f}".rstrip("0").rstrip("."),
                             format="html")
        ET.SubElement(node, "text").text = practice.md(o["text"])
        _text(node, "feedback", practice.md(o["why"]), format="html")


def _text(parent, tag, text, **attributes):
    ET.SubElement(ET.SubElement(parent, tag, **attributes), "text").text = text


def _line(text):
    return " ".join(str(text).split())


def _unit(item):
    return f" (in {item['unit']})" if item.get("unit") else ""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for the files")
    parser.add_argument("name", nargs="*", help="quizzes (default: all)")
    args = parser.parse_args(argv)
    have = {p.stem: p for p in practice.quiz_files()}
    unknown = [n for n in args.name if n not in have]
    if unknown:
        practice.stop(f"no quiz {', '.join(unknown)}; there are: {', '.join(have)}")
    if args.out.exists() and not args.out.is_dir():
        practice.stop(f"{args.out} is a file; give a folder")
    files = {}
    for name in args.name or have:
        try:
            doc = practice.load_quiz(have[name])
            files[f"{name}.qti.zip"] = qti_zip(doc)
            files[f"{name}.moodle.xml"] = moodle_xml(doc)
        except Exception as e:  # a fault in any quiz: write none of them
            practice.stop(f"{name}: {e}")
        print(f"{name}: {len(doc['items'])} items")
    for file, data in files.items():
        practice.write_whole(args.out / file, data)
    print(f"{len(files)} files in {args.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
