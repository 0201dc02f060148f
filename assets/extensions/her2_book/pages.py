"""What every page carries: downloads, buttons, evidence date, note for patients; and the charts' scripts."""

import json
import shutil
from functools import cache
from pathlib import Path
from urllib.parse import quote

import her2
from her2 import charts, page

from .repository import addresses

#: Name and role of the clinician who has reviewed the book; pages say that none has until this is filled in.
REVIEWED_BY = ""
#: Pages that speak of treatment carry the note that they are not advice.
NOTED = ("index", "chapters/therapies/")


@cache
def notebook(path: Path) -> dict:
    """A notebook as it is stored."""
    return json.loads(path.read_text("utf-8"))


def chapter_head(path: Path) -> dict:
    """The machine-readable head of a chapter; empty for other pages."""
    return notebook(path)["metadata"].get("her2", {}) if path.suffix == ".ipynb" else {}


def offered_notebook(srcdir: Path, pagename: str) -> Path | None:
    """The notebook that a page offers: the chapter itself, or the student's copy of an exercise."""
    source = srcdir / f"{pagename}.ipynb"
    if "/exercises/" in pagename:
        source = srcdir / "assets" / "student" / source.name
    return source if source.is_file() else None


def add_context(app, pagename, templatename, context, doctree):
    srcdir, where = Path(app.srcdir), addresses()
    if doctree is None:
        return
    source = Path(app.env.doc2path(pagename))
    head = chapter_head(source)
    context["evidence_date"] = her2.evidence_date(head.get("tables", []))
    context["medical_note"] = pagename.startswith(NOTED)
    context["reviewed_by"] = REVIEWED_BY
    context["has_code"] = source.suffix == ".ipynb"
    file = offered_notebook(srcdir, pagename)
    if file:
        copy = Path(app.outdir, "notebooks", file.parent.name if "/exercises/" not in pagename else "exercises", file.name)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        context["notebook_url"] = context["pathto"](copy.relative_to(app.outdir).as_posix(), 1)
    if where["repository"]:
        repository = where["repository"]
        relative = source.relative_to(srcdir).as_posix()
        title = quote(f"Erratum: {context.get('title', pagename)}")
        body = quote(f"Page: {relative}\n\nWhat is wrong, and the source that says so:\n")
        context["issue_url"] = f"{repository}/issues/new?title={title}&body={body}"
        context["history_url"] = f"{repository}/commits/{where['branch']}/{relative}"
        if file:
            owner = repository.removeprefix("https://github.com/")
            context["binder_url"] = f"https://mybinder.org/v2/gh/{owner}/{where['branch']}?urlpath=lab/tree/{file.relative_to(srcdir).as_posix()}"
    if any("chart-picture" in image.get("classes", []) for image in doctree.findall(lambda node: node.tagname == "image")):
        app.add_js_file("js/charts.js", loading_method="defer")


def write_chart_scripts(app):
    """Vega, Vega-Lite and vega-embed as one script, and the two configurations, beside the built site."""
    import vl_convert

    folder = Path(app.doctreedir).parent / ".charts"
    folder.mkdir(parents=True, exist_ok=True)
    bundle = folder / f"vega-{page.VL_VERSION}.js"
    if not bundle.is_file():
        # The bundle declares constants at top level: a function keeps them from clashing.
        bundle.write_text("(()=>{" + vl_convert.javascript_bundle(vl_version=page.VL_VERSION) + "\n})()", "utf-8")
    configs = {mode: charts.config(mode) for mode in page.MODES}
    text = f"window.her2Charts = {json.dumps({'library': bundle.name, 'config': configs})};\n"
    file = folder / "chart-config.js"
    if not file.is_file() or file.read_text("utf-8") != text:
        file.write_text(text, "utf-8")
    app.config.html_static_path.append(str(folder))


def setup(app):
    app.connect("builder-inited", write_chart_scripts)
    app.connect("html-page-context", add_context, priority=700)
