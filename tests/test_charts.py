"""Charts: readable on both backgrounds, the same on every run, drawn by every front end, described."""

import json

import altair as alt
import pandas as pd
import pytest
import vl_convert
from conftest import chapters, read, slug
from her2 import charts, page

FRAME = pd.DataFrame({"arm": ["a", "b"], "value": [1 / 3, 200 / 3]})


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_formula():
    # WCAG 2.2: black on white is 21:1; #767676 is the lightest grey that passes 4.5:1 on white.
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("mode", page.MODES)
def test_marks_and_text_stand_out(mode):
    background = charts.BACKGROUND[mode]
    assert {name: round(contrast(colour, background), 2) for name, colour in charts.palette.items() if contrast(colour, background) < 3} == {}
    assert contrast(charts.TEXT[mode], background) >= 4.5


def chart():
    return alt.Chart(FRAME).mark_bar().encode(x="value", y="arm").properties(description="Bars of two values")


def test_renderer_is_deterministic_rounded_and_local():
    first, second = (charts.renderer(chart().to_dict()) for _ in range(2))
    assert first == second
    text = json.dumps(first)
    assert "http" not in text
    assert "0.3333333" not in text and "66.6667" in text
    # The next float up differs in its last bit only, as on another processor.
    other = alt.Chart(FRAME.assign(value=[0.33333333333333337, 66.66666666666669])).mark_bar().encode(x="value", y="arm")
    assert charts.renderer(other.properties(description="Bars of two values").to_dict()) == first


def stored_charts(path):
    for cell in read(path).cells:
        for output in cell.get("outputs", []):
            spec = output.get("data", {}).get(charts.MIME)
            if spec:
                yield cell, spec


@pytest.mark.parametrize("path", chapters(), ids=slug)
def test_every_chart_is_described_and_drawn_by_the_oldest_front_end(path):
    found = list(stored_charts(path))
    assert found, "a chapter has charts"
    for cell, spec in found:
        description = spec.get("description", "")
        assert 30 <= len(description) <= 250, f"{description!r}: between 30 and 250 characters, chart type, variables, what it shows"
        assert "<svg" in vl_convert.vegalite_to_svg(spec, vl_version="5.8"), cell.source


@pytest.mark.parametrize("path", chapters(), ids=slug)
def test_charts_use_the_palette(path):
    known = {colour.lower() for colour in [*charts.palette.values(), *charts.TEXT.values(), *charts.GRID.values(), *charts.BACKGROUND.values()]}
    for _, spec in stored_charts(path):
        import re

        used = {c.lower() for c in re.findall(r'"(#[0-9a-fA-F]{6})"', json.dumps({k: v for k, v in spec.items() if k != "datasets"}))}
        assert used <= known, f"colours outside her2.palette: {used - known}"


def made_in_chart(spec) -> set[str]:
    """Names of fields that a chart's own transforms make from its data."""
    found: set[str] = set()
    stack = [spec]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            for one in part.get("transform", []):
                made = one.get("as", [])
                found |= {made} if isinstance(made, str) else set(made)
            stack.extend(part.values())
        elif isinstance(part, list):
            stack.extend(part)
    return found


@pytest.mark.parametrize("path", chapters(), ids=slug)
def test_the_table_of_a_chart_holds_what_it_draws(path):
    """Every drawn field is a column of the chart's data, or made from its columns in the chart."""
    for cell, spec in stored_charts(path):
        columns = {key for rows in page._tables(spec) for row in rows for key in row}
        missing = set(page._headings(spec)) - columns - made_in_chart(spec)
        assert not missing, f"{missing} in: {cell.source}"
        assert columns & set(page._headings(spec)), f"nothing that is drawn is in the table: {cell.source}"
