"""The book's Altair theme and renderer: the same chart in JupyterLab, Binder, print and on the page."""

from __future__ import annotations

import json

import altair as alt

# Altair labels its output with the version of Vega-Lite that it writes, which no notebook front end knows.
# Front ends draw this label, and the book keeps to the features of Vega-Lite 5.8.
MIME = "application/vnd.vegalite.v5+json"

#: Backgrounds on which a mark must stand out by 3:1 and text by 4.5:1 (WCAG 2.2, 1.4.3 and 1.4.11).
BACKGROUND = {"light": "#ffffff", "dark": "#121212"}
TEXT = {"light": "#30363d", "dark": "#d8dee4"}
GRID = {"light": "#dfe3e8", "dark": "#39424d"}

#: Colours of marks. Each stands out by 3:1 or more on both backgrounds, so one palette serves both modes.
palette = {
    "blue": "#2f81d8",
    "orange": "#c96a10",
    "green": "#1f9d62",
    "purple": "#a463d8",
    "red": "#dd4f4f",
    "grey": "#7d8590",
}

DIGITS = 4


def config(mode: str = "light") -> dict:
    """Vega-Lite configuration of one mode; the two differ in background, text and grid alone."""
    text, grid = TEXT[mode], GRID[mode]
    return {
        "background": BACKGROUND[mode],
        "font": "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif",
        "axis": {
            "labelColor": text, "titleColor": text, "domainColor": palette["grey"], "tickColor": palette["grey"],
            "gridColor": grid, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 260,
        },
        "legend": {"labelColor": text, "titleColor": text, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 260},
        "header": {"labelColor": text, "titleColor": text, "labelFontSize": 12},
        "title": {"color": text, "subtitleColor": text, "anchor": "start", "fontSize": 14, "fontWeight": "normal"},
        "text": {"color": text, "fontSize": 12},
        "view": {"stroke": None, "continuousWidth": 460, "continuousHeight": 260, "discreteWidth": {"step": 28}},
        "range": {"category": list(palette.values())},
        "rule": {"color": palette["grey"]},
        "mark": {"color": palette["blue"]},
        "point": {"filled": True, "size": 60},
    }  # fmt: skip


def describe(spec: dict) -> str:
    """The chart's description, else its title, else nothing."""
    title = spec.get("title")
    return spec.get("description") or (title.get("text") if isinstance(title, dict) else title) or ""


def _rounded(value: object) -> object:
    if isinstance(value, float):
        # Four decimals at least, more for small numbers: processors differ in the last bits, readers never see them.
        return round(value, DIGITS) if abs(value) >= 1 else float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return value


def renderer(spec: dict, **_: object) -> dict:
    """MIME bundle of a chart: deterministic, free of addresses on other hosts, numbers rounded."""
    text = json.dumps(_rounded({key: value for key, value in spec.items() if key != "$schema"}))
    # Altair names a data set by the hash of its exact numbers: number them in order instead.
    for index, name in enumerate(spec.get("datasets", {})):
        text = text.replace(name, f"data-{index}")
    return {MIME: json.loads(text), "text/plain": f"Chart: {describe(spec)}"}


def own_axes(*layers, data, by: str, width: int = 320):
    """Layers of a chart in panels, one a value of column ``by`` in the order of the data, each with its own axes.

    Results whose clocks start at different times thus never share an axis. Colours and shapes mean the same in every
    panel. Returns an Altair chart. A facet with scales of its own would do the same, but Vega-Lite warns of it.
    """
    panels = []
    for name, rows in data.groupby(by, sort=False):
        size = {"width": width, "height": alt.Step(20)}
        title = alt.Title(name, fontSize=12, anchor="start", frame="group")
        panels.append(alt.layer(*layers, data=rows.drop(columns=by)).properties(title=title, **size))
    return alt.vconcat(*panels, spacing=8).resolve_scale(color="shared", shape="shared")


@alt.theme.register("her2", enable=True)
def _theme() -> alt.theme.ThemeConfig:
    return alt.theme.ThemeConfig(config=config())


alt.renderers.register("her2", renderer)
alt.renderers.enable("her2")
