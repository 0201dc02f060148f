"""her2: the evidence tables of the book, and the models and chart helpers that its chapters share.

>>> import her2
>>> her2.load("trials").head()
"""

from . import charts
from .charts import palette
from .display import glue, set_tables
from .tables import DataError, column, evidence_date, load, row, table_names, units

__all__ = ["DataError", "charts", "column", "evidence_date", "glue", "load", "palette", "row", "table_names", "units"]
__version__ = "0.1.0"

set_tables()
