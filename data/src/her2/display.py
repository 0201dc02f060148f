"""Hand a computed number from a cell to the prose of its page."""

from __future__ import annotations

from typing import Any

import pandas as pd

#: Prefix of the kind of data under which myst-nb keeps values for prose, out of sight of the page.
GLUE_PREFIX = "application/papermill.record/"


#: Decimals of a displayed table: stored outputs then agree on every processor.
PRECISION = 3


def set_tables() -> None:
    """Show tables to a stated precision and their texts whole; called once, when her2 is imported."""
    pd.set_option("display.precision", PRECISION, "display.max_colwidth", None)


def glue(name: str, value: Any, form: str = "{}") -> None:
    """Show a value in the notebook and hand it to the page, where prose quotes it as ``{glue:text}`name```.

    JupyterLab, which does not know the role, shows the line ``name: value``; the page leaves it out.

    Parameters
    ----------
    name : key, unique in its notebook.
    value : what to show; formatted with ``form`` by :meth:`str.format`.
    form : format, for instance ``"{:.0%}"`` or ``"{:.1f} months"``.
    """
    from IPython.display import display

    text = form.format(value)
    metadata = {"scrapbook": {"name": name, "mime_prefix": GLUE_PREFIX}}
    # In quotes, as the text of a string: myst-nb would read 1.10 as a number and print 1.1.
    display({GLUE_PREFIX + "text/plain": repr(text), "text/plain": f"{name}: {text}"}, raw=True, metadata=metadata)
