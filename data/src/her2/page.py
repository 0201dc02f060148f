"""Charts on the page: a picture with alt text and its data as a table, made live when it comes into view.

The only module of her2 that knows Sphinx; myst-nb finds it through an entry point.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from sphinx import addnodes

from . import charts

#: Vega-Lite that draws the pictures; chapters keep to what 5.8, bundled with JupyterLab, knows too.
VL_VERSION = "6.4"
MODES = ("light", "dark")
#: Larger specifications and tables go to a file of their own, fetched only by those who ask for them.
INLINE_BYTES = 7_000
INLINE_ROWS = 24


def for_mode(spec: dict, mode: str) -> dict:
    """The chart's specification with the configuration of a mode; what the chart sets itself stays."""
    own = {key: value for key, value in spec.get("config", {}).items() if value != charts.config().get(key)}
    return {**spec, "config": {**charts.config(mode), **own}}


def _parts(spec: dict) -> Iterator[dict]:
    """A chart and its layers, panels and facets, in the order in which they stand."""
    waiting = [spec]
    while waiting:
        part = waiting.pop(0)
        yield part
        for key in ("layer", "hconcat", "vconcat", "concat"):
            waiting.extend(part.get(key, []))
        if isinstance(part.get("spec"), dict):
            waiting.append(part["spec"])


def _tables(spec: dict) -> list[list[dict]]:
    """The data sets of a chart, those of layers and joined charts included."""
    found = list(spec.get("datasets", {}).values())
    for part in _parts(spec):
        values = part.get("data", {}).get("values") if isinstance(part.get("data"), dict) else None
        if isinstance(values, list):
            found.append(values)
    return [rows for rows in found if rows and all(isinstance(row, dict) for row in rows)]


def _headings(spec: dict) -> dict[str, str]:
    """Fields that a chart draws, in the order of its encodings, with the words that it shows for them."""
    found: dict[str, str] = {}
    for part in _parts(spec):
        for channel in part.get("encoding", {}).values():
            for one in channel if isinstance(channel, list) else [channel]:
                if "field" in one:
                    title = one.get("title")
                    words = " ".join(title) if isinstance(title, list) else title or one["field"]
                    found[one["field"]] = found.get(one["field"]) if title is None and one["field"] in found else words
    return found


def _columns(rows: list[dict], headings: dict[str, str]) -> list[str]:
    """Columns of a table: those drawn first, in the chart's order, then the rest."""
    present = dict.fromkeys(key for row in rows for key in row)
    return [*(key for key in headings if key in present), *(key for key in present if key not in headings)]


def _table_html(rows: list[dict], headings: dict[str, str]) -> str:
    columns = _columns(rows, headings)
    head = "".join(f'<th scope="col">{escape(headings.get(c) or c)}</th>' for c in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(_cell(row.get(c)))}</td>" for c in columns) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _csv(rows: list[dict], headings: dict[str, str]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, _columns(rows, headings), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def _html(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


class ChartRenderer:
    """myst-nb plugin for charts; see ``MimeRenderPlugin`` of myst-nb."""

    mime_priority_overrides: ClassVar = [("*", charts.MIME, 1)]

    @staticmethod
    def handle_mime(renderer, data, inline):
        """Nodes of one chart, or None for any other output."""
        if inline or data.mime_type != charts.MIME:
            return None
        return ChartRenderer(renderer, data.content, data.line).nodes()

    def __init__(self, renderer, spec: dict, line: int):
        self.renderer, self.spec = renderer, spec
        self.alt = charts.describe(spec)
        if not self.alt:
            renderer.logger.warning("chart has no description", subtype="chart_alt", line=line)
        # Charts are numbered in the order in which the page draws them.
        document = renderer.renderer.document
        self.number = document.her2_charts = getattr(document, "her2_charts", 0) + 1
        self.text = json.dumps({k: v for k, v in spec.items() if k != "config"}, sort_keys=True, separators=(",", ":"))
        own = for_mode(spec, "light")["config"]
        self.key = hashlib.sha256((self.text + json.dumps(own, sort_keys=True)).encode()).hexdigest()[:16]

    def _picture(self, mode: str) -> tuple[str, str]:
        """Path of the picture of a mode, drawn unless it is there already, and its size as a style."""
        import vl_convert

        name = f"chart-{self.key}-{mode}.svg"
        path = self.renderer.write_file([name], b"", exists_ok=True)
        file = self._file(name)
        if not file.stat().st_size:
            svg = vl_convert.vegalite_to_svg(for_mode(self.spec, mode), vl_version=VL_VERSION)
            self.renderer.write_file([name], svg.encode(), overwrite=True)
        return path, file.read_text("utf-8")[:600]

    def _file(self, name: str):
        return Path(self.renderer.config.output_folder, name)

    def _download(self, name: str, content: bytes, label: str, css: str = "") -> nodes.Node:
        path = self.renderer.write_file([name], content, exists_ok=True)
        link = addnodes.download_reference("", "", nodes.inline(label, label), reftarget=path, classes=[css] if css else [])
        return nodes.paragraph("", "", link, classes=[css] if css else [])

    def nodes(self) -> list[nodes.Node]:
        """Figure: pictures of both modes, specification for the script, data as a table."""
        out: list[nodes.Node] = [_html(f'<figure class="chart" id="figure-{self.number}">')]
        for mode in MODES:
            path, head = self._picture(mode)
            width, height = (_svg_size(head, axis) for axis in ("width", "height"))
            out.append(nodes.image(uri=path, alt=self.alt, classes=["chart-picture", f"only-{mode}", "no-scaled-link"], width=width, height=height, loading="lazy"))
        if len(self.text) <= INLINE_BYTES:
            out.append(_html('<script type="application/json">' + self.text.replace("</", "<\\/") + "</script>"))
        else:
            out.append(self._download(f"chart-{self.key}.json", self.text.encode(), "Specification of the chart", "chart-spec"))
        out.append(_html(f'<details class="chart-data"><summary>Data of the chart<span class="visually-hidden">: {escape(self.alt)}</span></summary>'))
        headings = _headings(self.spec)
        for index, rows in enumerate(_tables(self.spec), start=1):
            if len(rows) <= INLINE_ROWS:
                out.append(_html('<div class="chart-table" role="group" aria-label="Data of the chart" tabindex="0">' + _table_html(rows, headings) + "</div>"))
            else:
                out.append(self._download(f"chart-{self.key}-{index}.csv", _csv(rows, headings), f"Table {index} as CSV ({len(rows)} rows)"))
        # Eyes read the caption; a screen reader has heard the same words as the picture's text.
        caption = f'<figcaption>Figure {self.number}. <span aria-hidden="true">{escape(self.alt)}</span></figcaption>'
        out.append(_html(f"</details>{caption}</figure>"))
        return out


def _svg_size(head: str, axis: str) -> str:
    start = head.index(f'{axis}="') + len(axis) + 2
    return head[start : head.index('"', start)] + "px"
