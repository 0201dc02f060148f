"""Quiz files are sound, draw accessible forms, and reach learning platforms complete."""

import io
import json
import re
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

BOOK = Path(__file__).resolve().parents[1]
sys.path.append(str(BOOK / "assets" / "teaching"))
import lms  # noqa: E402
import practice  # noqa: E402

FILES = practice.quiz_files()
each_quiz = pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
GOOD = {
    "title": "Toy", "chapter": "toy",
    "items": [
        {"id": "q-one", "objective": "T1", "bloom": "apply", "points": 1, "audience": ["med"],
         "question": "Which *gene* <b>?", "options": [
             {"text": "`ERBB2`", "correct": True, "why": "Yes, *this* one."},
             {"text": "EGFR", "why": "Another one."}]},
        {"id": "q-number", "objective": "T1", "bloom": "apply", "points": 1, "audience": ["data"],
         "question": "How many?", "number": 0.5, "tolerance": 0.01, "why": "Half.",
         "wrong": [{"number": 2, "why": "The wrong way round."}]}],
}


@pytest.fixture
def toy(tmp_path):
    """Writes a quiz file after a change to the good one and gives its path."""
    def write(change=lambda doc: None):
        doc = yaml.safe_load(yaml.safe_dump(GOOD))
        change(doc)
        path = tmp_path / "toy.yml"
        path.write_text(yaml.safe_dump(doc), "utf-8")
        return path
    return write


@each_quiz
def test_quiz_is_sound(path):
    doc = practice.load_quiz(path)  # schema, reasons, correct options, misconceptions, ids
    assert len(doc["items"]) >= 3


def test_item_ids_are_unique_in_the_book():
    ids = [i["id"] for p in FILES for i in practice.load_quiz(p)["items"]]
    assert len(ids) == len(set(ids))


def test_every_wrong_option_has_a_reason_and_most_a_named_misconception():
    options = [o for p in FILES for i in practice.load_quiz(p)["items"]
               for o in i.get("options", []) + i.get("wrong", []) if not o.get("correct")]
    assert all(o["why"].strip() for o in options)
    assert sum("misconception" in o for o in options) >= len(options) / 2


@each_quiz
def test_objectives_are_those_of_the_chapter(path):
    found = list(BOOK.glob(f"chapters/*/{path.stem}.ipynb"))
    assert len(found) == 1, f"{path.name} belongs to no chapter notebook"
    meta = json.loads(found[0].read_text("utf-8"))["metadata"].get("her2", {})
    practice.load_quiz(path, list(meta["objectives"]))


@pytest.mark.parametrize(("change", "said"), [
    (lambda d: d["items"][0]["options"][1].pop("why"), "item 'q-one', option 2: 'why' is"),
    (lambda d: d["items"][0]["options"][0].pop("correct"), "item 'q-one': no option is correct"),
    (lambda d: d["items"][0]["options"][1].update(correct=True), "'q-one': no option is wrong"),
    (lambda d: d["items"][0].update(objective="T9"), "'q-one': objective 'T9' is not one of T1"),
    (lambda d: d["items"][1].update(id="q-one"), "item id 'q-one' is used twice"),
    (lambda d: d["items"][1].pop("tolerance"), "item 'q-number': 'tolerance' is"),
    (lambda d: d["items"][1].update(wrong=[{"number": 0.5, "why": "x"}]), "within the right"),
    (lambda d: d["items"][0].update(number=3, tolerance=1, why="x"), "either options or a number"),
    (lambda d: d["items"][0]["options"][1].update(misconception="no-such"), "'no-such' is not in"),
    (lambda d: d["items"][0]["options"][1].update(text="`ERBB2`"), "stands twice"),
    (lambda d: d["items"][0].update(colour="red"), "'colour' was unexpected"),
    (lambda d: d.update(chapter="other"), "chapter is 'other', the file is 'toy'"),
    (lambda d: d.update(again=["testing.q-nothing"]), "there is no item 'q-nothing'"),
])
def test_a_broken_file_is_told_by_file_and_item(toy, change, said):
    path = toy(change)
    with pytest.raises(practice.QuizError) as caught:
        practice.load_quiz(path, ["T1"])
    assert said in str(caught.value)
    assert all(f.startswith("toy.yml") for f in caught.value.faults)


def test_all_faults_come_at_once(toy):
    def change(doc):
        doc["items"][0].update(objective="T9")
        doc["items"][1].update(objective="T8")
    with pytest.raises(practice.QuizError) as caught:
        practice.load_quiz(toy(change), ["T1"])
    assert len(caught.value.faults) == 2


def test_no_file_and_no_yaml(tmp_path):
    with pytest.raises(practice.QuizError, match="cannot be read"):
        practice.load_quiz(tmp_path / "nothing.yml")
    (tmp_path / "bad.yml").write_text("title: [", "utf-8")
    with pytest.raises(practice.QuizError, match=r"bad\.yml, line"):
        practice.load_quiz(tmp_path / "bad.yml")


def forms(doc, name="toy"):
    html = practice.quiz_html(doc, name)
    return html, ET.fromstring(f"<div>{html}</div>").findall(".//form")  # well-formed, or it raises


@each_quiz
def test_forms_are_native_and_labelled(path):
    doc = practice.load_quiz(path)
    html, found = forms(doc, path.stem)
    assert len(found) == len(doc["items"]) + len(doc["again"])
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids)) == len(found)
    for form in found:
        group = form.find("fieldset")
        assert group[0].tag == "legend" and "".join(group[0].itertext()).strip()
        inputs, labelled = form.findall(".//input"), form.findall(".//label/input")
        assert inputs and len(inputs) == len(labelled)
        assert {i.get("type") for i in inputs} <= {"radio", "checkbox", "text"}
        assert all("".join(label.itertext()).strip() for label in form.findall(".//label"))
        assert [b.get("type") for b in form.findall(".//button")] == ["submit", "reset"]
        live = [e for e in form.iter() if e.get("aria-live")]
        assert [(e.get("aria-live"), e.get("role")) for e in live] == [("polite", "status")]
        assert "".join(form.find(".//noscript").itertext()).replace("Answer", "").strip()
        assert "quiz-why" in ET.tostring(form, "unicode")


def test_form_of_each_kind(toy):
    doc = practice.load_quiz(toy())
    html, (choice, number) = forms(doc)
    assert "Which <em>gene</em> &lt;b&gt;?" in html and "<code>ERBB2</code>" in html
    assert "Yes, <em>this</em> one." in html
    assert choice.get("data-kind") == "one" and number.get("data-kind") == "number"
    low_high = [(w.get("data-low"), w.get("data-high"), w.get("data-ok"))
                for w in number.iter("div") if w.get("class") == "quiz-why"]
    assert low_high == [("0.49", "0.51", "1"), ("1.99", "2.01", "0")]
    assert html == practice.quiz_html(practice.load_quiz(toy()), "toy")


def test_several_right_options_are_checkboxes(toy):
    def change(doc):
        doc["items"][0]["options"].append({"text": "HER2", "correct": True, "why": "Also."})
    _, found = forms(practice.load_quiz(toy(change)))
    assert {i.get("type") for i in found[0].iter("input")} == {"checkbox"}
    assert "Choose all that apply." in "".join(found[0].itertext())


def test_items_come_back_in_a_later_quiz(toy, tmp_path):
    toy()
    later = {**GOOD, "chapter": "later", "again": ["toy.q-one"]}
    (tmp_path / "later.yml").write_text(yaml.safe_dump(later), "utf-8")
    _, found = forms(practice.load_quiz(tmp_path / "later.yml"), "later")
    assert found[-1].get("id") == "later-again-toy-q-one"
    assert "From an earlier chapter." in "".join(found[-1].itertext())


@each_quiz
def test_canvas_and_moodle_hold_every_item(path):
    doc = practice.load_quiz(path)
    ids = {i["id"] for i in doc["items"]}
    moodle = ET.fromstring(lms.moodle_xml(doc))
    names = [n.text for n in moodle.findall("question/name/text")]
    assert set(names) == ids and len(names) == len(ids)
    for q in moodle.findall("question[@type='multichoice']"):
        shares = [float(a.get("fraction")) for a in q.findall("answer")]
        assert sum(s for s in shares if s > 0) == pytest.approx(100, abs=0.01)
        assert all(a.find("feedback/text").text for a in q.findall("answer"))
    with zipfile.ZipFile(io.BytesIO(lms.qti_zip(doc))) as packed:
        texts = {n: packed.read(n) for n in packed.namelist()}
    trees = [ET.fromstring(t) for n, t in texts.items() if n.endswith(".xml")]
    items = [i.get("title") for t in trees for i in t.iter() if i.tag.endswith("}item")]
    assert set(items) == ids and len(items) == len(ids)


def test_lms_command_says_what_is_wrong_and_writes_nothing(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        lms.main([str(tmp_path / "out"), "no-such-quiz"])
    assert stopped.value.code == 2 and not (tmp_path / "out").exists()
    assert "no quiz no-such-quiz; there are: " in capsys.readouterr().err
    assert lms.main([str(tmp_path / "out"), FILES[0].stem]) == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        f"{FILES[0].stem}.qti.zip", f"{FILES[0].stem}.moodle.xml"}
