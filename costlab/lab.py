"""The analysts' door: `costlab.open(path)` in a notebook."""

from pathlib import Path
from typing import Any

import pandas as pd

from costlab.domain.tables import TABLES
from costlab.store.lake import Lake
from costlab.store.warehouse import Warehouse, queries


class Lab:
    """A lake to ask questions of. Nothing can be changed through it, and it may be used while a night runs."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def sql(self, statement: str, **params: Any) -> pd.DataFrame:
        """The rows of a SELECT, `$name` parameters by keyword. Money becomes float64."""
        return self._frame(self._warehouse.sql(statement, params))

    def query(self, name: str, **params: Any) -> pd.DataFrame:
        """The rows of a named query; `Lab.queries` lists them."""
        return self._frame(self._warehouse.query(name, **params))

    def tables(self) -> pd.DataFrame:
        """Every column of every table, with its unit and meaning."""
        rows = [
            (t.name, c.name, c.type.value, c.unit, c.null, c.doc) for t in TABLES.values() for c in t.columns
        ]
        return pd.DataFrame(rows, columns=["table", "column", "type", "unit", "null_means", "meaning"])

    def queries(self) -> pd.DataFrame:
        """The named queries, what a row of each is, and the parameters it takes."""
        rows = [(q.name, q.about, q.grain, ", ".join(sorted(q.params))) for q in queries().values()]
        return pd.DataFrame(rows, columns=["query", "about", "grain", "parameters"])

    @staticmethod
    def _frame(rows: Any) -> pd.DataFrame:
        frame: pd.DataFrame = rows.to_pandas()
        for field in rows.schema:
            if str(field.type).startswith("decimal"):
                frame[field.name] = frame[field.name].astype("float64")
        return frame


def open(path: str | Path) -> Lab:  # noqa: A001 - read as costlab.open
    """The lake at `path`. Raises ConfigError when there is none, LakeError when it cannot be read."""
    return Lab(Warehouse.over(Lake.open(Path(path))))
